//! From bare machines to a cluster, and the second run that changes nothing.

use std::fs;

use crate::labels::follow_the_inventory;
use crate::place::{Place, mode};

/// What is on a machine, as `stat` and `readlink` say it.
const INSTALLED: &str = "cd /usr/local/bin && for file in k3s k3s*.sh kubectl crictl ctr \
    /etc/systemd/system/k3s*.service /etc/rancher/k3s/config.yaml; do \
    echo \"$(stat -c '%n %a %U:%G' $file) $(readlink $file)\"; done | sed 's/ $//'; \
    ls -A /usr/local/bin | grep '^[.]' || :";

#[test]
fn bare_machines_become_a_cluster_and_the_second_run_changes_nothing() {
    let place = Place::up(3, 1);
    let inventory = place.inventory();

    let plan = place.json("plan", &inventory).ends(0);
    for machine in place.lab.machines() {
        machine.succeed(
            "! ls -d /etc/rancher /usr/local/bin/k3s /etc/systemd/system/k3s* 2>/dev/null | grep .",
        );
    }
    let deployed = place
        .towline("deploy", &inventory)
        .args("--output json -vv --log-file towline.log")
        .run()
        .ends(0);
    assert_eq!(
        deployed.outcomes(),
        "m1 changed, m2 changed, m3 changed, m4 changed"
    );
    assert_eq!(
        plan.planned(),
        deployed.changes(),
        "the plan and what came of it"
    );

    let kubeconfig = place.file("demo.kubeconfig");
    assert_eq!(mode(&kubeconfig), 0o600);
    // Which exchange of which step took how long on which host; `kept_its_secrets` reads it, too.
    let log = fs::read_to_string(place.file("towline.log")).unwrap();
    let exchanges = |line: &&str| line.contains("exchange{") && line.contains(" seconds=");
    let of_m4 = |line: &&str| line.contains("host{name=\"m4\"}:step{name=");
    assert!(
        log.lines().filter(exchanges).any(|line| of_m4(&line)),
        "{log}"
    );
    for library in [" russh::", " kube_client::"] {
        assert!(log.contains(library), "{library}");
    }
    let api = place.api();
    let all = "m1 voter, m2 voter, m3 voter, m4 agent";
    for name in ["m1", "m2", "m3"] {
        let address = place.machine(name).address().to_string();
        api.expect_summary(&address, all);
        // And through the kubeconfig that towline writes for this server.
        let through = inventory.clone().cluster("endpoint", &address);
        let shown = place
            .towline("kubeconfig", &through)
            .args(&format!("--kubeconfig {name}.kubeconfig"))
            .run()
            .ends(0);
        let server = format!("https://{address}:6443");
        assert!(shown.stdout.contains(&server), "{}", shown.stdout);
        assert_eq!(
            crate::api::Api::of(&place.file(&format!("{name}.kubeconfig"))).server,
            server
        );
    }

    for (names, unit) in [
        (["m1", "m2", "m3"].as_slice(), "k3s"),
        (&["m4"], "k3s-agent"),
    ] {
        for name in names {
            let machine = place.machine(name);
            let mut expected = vec![
                "k3s 755 root:root".to_owned(),
                "k3s-killall.sh 755 root:root".to_owned(),
                format!("{unit}-uninstall.sh 755 root:root"),
            ];
            expected.extend(
                ["kubectl", "crictl", "ctr"].map(|link| format!("{link} 777 root:root k3s")),
            );
            expected.push(format!("/etc/systemd/system/{unit}.service 644 root:root"));
            expected.push("/etc/rancher/k3s/config.yaml 600 root:root".to_owned());
            let mut found: Vec<String> = machine
                .succeed(INSTALLED)
                .lines()
                .map(str::to_owned)
                .collect();
            expected.sort();
            found.sort();
            assert_eq!(found, expected, "{name}");
            assert_eq!(
                machine.succeed(&format!(
                    "systemctl is-enabled {unit}; systemctl is-active {unit}"
                )),
                "enabled\nactive\n",
                "{name}"
            );
        }
    }
    // An agent that falls into wrong hands must not be able to make a server.
    let token = place
        .machine("m4")
        .succeed("grep '^token:' /etc/rancher/k3s/config.yaml");
    assert!(
        token.starts_with("token: \"K10") && token.contains("::node:"),
        "not the agents' token"
    );

    place.deploy(&inventory).changed_nothing();
    let plan = place.json("plan", &inventory).ends(0);
    assert!(plan.planned().is_empty(), "{:?}", plan.planned());
    let plan = place.towline("plan", &inventory).args("-vvv").run().ends(0);
    assert!(plan.stdout.contains("nothing to change"), "{}", plan.stdout);
    place
        .towline("deploy", &inventory)
        .args("-vv")
        .run()
        .ends(0);
    follow_the_inventory(
        &place,
        &inventory,
        ["m1", "m4"],
        ["k3s kubectl", "k3s-agent"],
    );
    crate::users::come_and_go(&place, "m2", "k3s kubectl");
    place.kept_its_secrets();
}
