//! Machines that k3s's installer or k3sup set up, and that towline takes over.

use towline_lab::Machine;

use crate::grow::fingerprint;
use crate::place::{Place, carry, wait_for};

/// The unit as the installer leaves it.
fn unit(command: &str, arguments: &[&str]) -> String {
    let name = if command == "server" {
        "k3s"
    } else {
        "k3s-agent"
    };
    let arguments: String = arguments
        .iter()
        .map(|one| format!("\t'{one}' \\\n"))
        .collect();
    format!(
        "[Unit]\nDescription=Lightweight Kubernetes\nDocumentation=https://k3s.io\nWants=network-online.target\nAfter=network-online.target\n\n\
         [Install]\nWantedBy=multi-user.target\n\n\
         [Service]\nType=notify\nEnvironmentFile=-/etc/default/%N\nEnvironmentFile=-/etc/sysconfig/%N\nEnvironmentFile=-/etc/systemd/system/{name}.service.env\n\
         KillMode=process\nDelegate=yes\nUser=root\nLimitNOFILE=1048576\nLimitNPROC=infinity\nLimitCORE=infinity\nTasksMax=infinity\nTimeoutStartSec=0\n\
         Restart=always\nRestartSec=5s\nExecStartPre=-/sbin/modprobe br_netfilter\nExecStartPre=-/sbin/modprobe overlay\n\
         ExecStart=/usr/local/bin/k3s \\\n    {command} \\\n{arguments}\n"
    )
}

/// Does what the installer does once it has the binary: links, unit, environment, start.
pub fn install(
    place: &Place,
    machine: &Machine,
    command: &str,
    arguments: &[&str],
    environment: &str,
) {
    let name = if command == "server" {
        "k3s"
    } else {
        "k3s-agent"
    };
    carry(
        place.lab.release().path.to_str().unwrap(),
        machine,
        "/usr/local/bin/k3s",
    );
    let kernel = place
        .lab
        .cluster_config()
        .into_iter()
        .flat_map(|(key, value)| {
            let value = match &value {
                serde_json::Value::Array(values) => values[0].as_str().unwrap().to_owned(),
                one => one.as_str().unwrap().to_owned(),
            };
            [format!("--{key}"), value]
        });
    let kernel: Vec<String> = kernel.collect();
    let mut all = arguments.to_vec();
    all.extend(kernel.iter().map(String::as_str));
    machine.succeed(&format!(
        "set -e; cd /usr/local/bin; for link in kubectl crictl ctr; do ln -sf k3s $link; done
         umask 022; cat >/etc/systemd/system/{name}.service <<'UNIT'\n{}UNIT\n
         umask 077; cat >/etc/systemd/system/{name}.service.env <<'ENV'\n{environment}ENV\n
         systemctl daemon-reload; systemctl enable {name} 2>&1; systemctl start {name}",
        unit(command, &all)
    ));
}

#[test]
fn a_cluster_of_the_installers_is_left_alone_until_it_is_taken_over_server_by_server() {
    let place = Place::up(3, 1);
    let [m1, m2, m3, m4] = ["m1", "m2", "m3", "m4"].map(|name| place.machine(name));
    let first = m1.address().to_string();
    let url = format!("https://{first}:6443");
    let san = |machine: &Machine| machine.address().to_string();
    install(
        &place,
        m1,
        "server",
        &[
            "--cluster-init",
            "--tls-san",
            &san(m1),
            "--tls-san",
            "old.example.org",
            "--disable",
            "traefik",
        ],
        "",
    );
    let token = m1.succeed("cat /var/lib/rancher/k3s/server/token");
    let token = token.trim();
    for machine in [m2, m3] {
        let environment = format!("K3S_TOKEN='{token}'\n");
        let arguments = [
            "--server",
            &url,
            "--tls-san",
            &san(machine),
            "--disable=traefik",
        ];
        install(&place, machine, "server", &arguments, &environment);
    }
    install(
        &place,
        m4,
        "agent",
        &[],
        &format!("K3S_TOKEN='{token}'\nK3S_URL='{url}'\n"),
    );
    wait_for("four nodes", || {
        let nodes = m1
            .ssh("k3s kubectl get nodes --no-headers | grep -c ' Ready '")
            .unwrap();
        (nodes.stdout.trim() == "4").then_some(())
    });

    // What a host has in its files is told, and no terminal obeys it.
    m4.succeed("printf '# \\033]52;c;aGk=\\007\\n' >>/etc/systemd/system/k3s-agent.service");

    // Without a word nothing is touched, and the words say what to type.
    let machines = [m1, m2, m3, m4];
    let before = machines.map(fingerprint);
    let inventory = place.inventory();
    let left = place.deploy(&inventory).ends(1);
    left.says(&[
        "k3s was set up here by something else, and is left as it is",
        "towline deploy --adopt",
    ]);
    let planned = place.json("plan", &inventory);
    planned.says(&["deploy takes it over only with --adopt"]);
    for arguments in ["-vvv", "-vvv --output json"] {
        let planned = place.towline("plan", &inventory).args(arguments).run();
        let said = planned.stdout + &planned.stderr;
        assert!(
            said.contains("]52;c;aGk=")
                && !said.contains(['\u{1b}', '\u{7}'])
                && !said.contains("\\u001b"),
            "{said}"
        );
    }
    place.kept_its_secrets();
    assert_eq!(machines.map(fingerprint), before, "nothing was touched");

    // What all servers share has to be in the inventory, first.
    let refused = place
        .towline("deploy", &inventory)
        .args("--adopt --output json")
        .run()
        .ends(1);
    refused.says(&[
        "would change what all servers of its cluster share",
        "disable: [\"traefik\"]",
        "add to `tls_sans` under `cluster`",
        "old.example.org",
    ]);
    for (machine, before) in [m1, m2, m3].iter().zip(&before) {
        assert_eq!(&fingerprint(machine), before, "{}", machine.name());
    }

    let config = place.lab.cluster_config().into_iter();
    let config: Vec<String> = config
        .map(|(key, value)| format!("{key}: {value}"))
        .collect();
    let inventory = inventory.cluster(
        "config",
        &format!("{{disable: [traefik], {}}}", config.join(", ")),
    );
    let inventory = inventory.cluster("tls_sans", "[old.example.org]");
    let planned = place.json("plan", &inventory).ends(0).planned();
    for (host, said) in [
        ("m1", " (nothing is restarted: what it says is in effect)"),
        ("m2", ""),
        ("m3", ""),
    ] {
        let unit = &planned[&(host.to_owned(), "unit, taken over".to_owned())];
        let update = format!("update /etc/systemd/system/k3s.service{said}");
        assert_eq!(unit, &[update]);
    }
    let restart = |machine: &Machine| {
        machine.succeed("systemctl show -p ActiveEnterTimestampMonotonic --value k3s")
    };
    let before = restart(m1);
    let taken = place
        .towline("deploy", &inventory)
        .args("--adopt --output json")
        .run()
        .ends(0);
    assert_eq!(
        taken.outcomes(),
        "m1 changed, m2 changed, m3 changed, m4 unchanged"
    );
    // m1 does already what the inventory says; the others learn a name.
    assert_eq!(restart(m1), before, "m1 needs no restart");
    let times = [m1, m2, m3].map(restart);
    assert!(
        times[0] < times[1] && times[1] < times[2],
        "one by one: {times:?}"
    );
    m1.succeed("systemctl cat k3s | grep -q 'Written by towline' && [ $(systemctl show -p NeedDaemonReload --value k3s) = no ]");
    m1.succeed("! grep -q traefik /etc/systemd/system/k3s.service && grep -q traefik /etc/rancher/k3s/config.yaml");
    assert_eq!(
        m2.succeed("cat /var/lib/rancher/k3s/server/token").trim(),
        token,
        "one token"
    );
    place
        .api()
        .expect_summary(&first, "m1 voter, m2 voter, m3 voter, m4 agent");
    place
        .api()
        .ask_as("old.example.org", &first, "/readyz")
        .unwrap();
    place.deploy(&inventory).changed_nothing();
    place.kept_its_secrets();
}
