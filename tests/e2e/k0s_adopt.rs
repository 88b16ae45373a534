//! Clusters of k0s that were made by hand or by k0sctl, and that towline takes over as they run.

use std::fs;
use std::process::Stdio;

use towline_lab::{Distribution, Machine, Options};

use crate::place::{Place, carry, wait_for};

/// Starts k0s, set up as the arguments of `k0s install` say, and waits until it answers.
fn install(machine: &Machine, k0s: &str, arguments: &str) {
    machine.succeed(&format!("{k0s} install {arguments} && {k0s} start"));
    wait_for("k0s to answer", || {
        let asked = machine.ssh(&format!("timeout 10 {k0s} status")).unwrap();
        (asked.status == 0).then_some(())
    });
}

/// Makes a token and puts it into a file of another machine.
fn token(from: &Machine, role: &str, to: &Machine, path: &str) {
    let token = from.succeed(&format!("k0s token create --role {role}"));
    let mut write = to.ssh_command();
    write
        .arg(to.target("root"))
        .arg(format!("mkdir -p /etc/k0s && umask 077 && cat >{path}"))
        .stdin(Stdio::piped());
    let mut child = write.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), token.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

fn write(machine: &Machine, path: &str, text: &str) {
    machine.succeed(&format!("umask 077; cat >{path} <<'END'\n{text}\nEND"));
}

/// Which process it is that runs.
fn process(machine: &Machine) -> String {
    machine.succeed("systemctl show -p MainPID -p InvocationID k0scontroller k0sworker")
}

/// What lies in the folders that a deploy writes to.
fn files(machine: &Machine) -> String {
    machine.succeed("find /etc /usr/local/bin -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum")
}

fn await_nodes(machine: &Machine) {
    wait_for("three nodes", || {
        let asked = "k0s kubectl get nodes --no-headers | grep -c ' Ready '";
        let nodes = machine.ssh(asked).unwrap();
        (nodes.stdout.trim() == "3").then_some(())
    });
}

#[test]
fn a_cluster_of_k0s_that_runs_is_taken_over_without_a_restart() {
    let place = Place::with(&Options {
        servers: 2,
        agents: 1,
        distribution: Distribution::K0s,
        ..Options::default()
    });
    let machines = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let [m1, m2, m3] = machines;
    let release = place.lab.release().path.to_str().unwrap().to_owned();
    let spec = place.lab.cluster_config().into_iter();
    let spec: serde_json::Map<_, _> = spec.collect();

    // By hand: one controller as the documentation says, one with its files and its program elsewhere.
    for machine in [m1, m3] {
        carry(&release, machine, "/usr/local/bin/k0s");
    }
    m2.succeed("mkdir -p /opt/k0s");
    carry(&release, m2, "/opt/k0s/k0s");
    let text = serde_json::json!({"spec": spec}).to_string();
    m1.succeed("mkdir -p /etc/k0s");
    write(m1, "/etc/k0s/k0s.yaml", &text);
    write(m2, "/opt/k0s/config.yaml", &text);
    let node = "--enable-worker --no-taints --ignore-pre-flight-checks";
    install(
        m1,
        "k0s",
        &format!("controller -c /etc/k0s/k0s.yaml {node}"),
    );
    token(m1, "controller", m2, "/root/token");
    token(m1, "worker", m3, "/root/token");
    let arguments = format!(
        "controller -c /opt/k0s/config.yaml --token-file /root/token --profile default {node}"
    );
    install(m2, "/opt/k0s/k0s", &arguments);
    install(
        m3,
        "k0s",
        "worker --token-file /root/token --ignore-pre-flight-checks --labels disk=ssd",
    );
    await_nodes(m1);

    // Without a word nothing is touched.
    let inventory = place.inventory();
    let (before, running) = (machines.map(files), machines.map(process));
    let left = place.deploy(&inventory).ends(1);
    left.says(&[
        "k0s was set up here by something else, and is left as it is",
        "towline deploy --adopt",
    ]);
    assert_eq!(machines.map(files), before, "nothing was touched");

    // What it is told and the inventory does not say has its line.
    let lacking = inventory
        .clone()
        .cluster("config", "{ignore-pre-flight-checks: true}")
        .cluster("agent_config", "{}");
    let refused = place
        .towline("deploy", &lacking)
        .args("--adopt --output json")
        .run()
        .ends(1);
    refused.says(&[
        "these settings of k0s are missing from the inventory and would be lost: ignore-pre-flight-checks",
    ]);
    assert_eq!(machines.map(process), running);

    let plan = place.json("plan", &inventory).ends(0);
    plan.says(&["m2: k0s runs from /opt/k0s/k0s"]);
    let planned = plan.planned();
    for (step, changes) in &planned {
        let restarts = changes.iter().any(|change| change.starts_with("restart"));
        assert!(!restarts, "{step:?}: {changes:?}");
    }
    let adopted = place
        .towline("deploy", &inventory)
        .args("--adopt --output json")
        .run()
        .ends(0);
    assert_eq!(adopted.outcomes(), "m1 changed, m2 changed, m3 changed");
    assert_eq!(adopted.changes(), planned);
    assert_eq!(machines.map(process), running, "the same processes");
    for machine in [m1, m2] {
        // One whose data is lost must not make a cluster of its own.
        machine.succeed("grep -q 'JOIN_FLAG=--token-file=/etc/k0s/k0stoken' /etc/systemd/system/k0scontroller.service");
        machine.succeed("[ $(systemctl show -p NeedDaemonReload --value k0scontroller) = no ]");
    }
    place.deploy(&inventory).changed_nothing();
    assert_eq!(machines.map(process), running);

    // A change is made one by one, and from then on towline's own program runs.
    let named = inventory.clone().cluster("tls_sans", "[new.example.org]");
    let changed = place.deploy(&named).ends(0);
    assert_eq!(changed.outcomes(), "m1 changed, m2 changed, m3 unchanged");
    let began = |machine: &Machine| {
        machine.succeed("systemctl show -p ActiveEnterTimestampMonotonic --value k0scontroller")
    };
    let (first, second) = (began(m1), began(m2));
    let number = |text: &str| text.trim().parse::<u64>().unwrap();
    assert!(number(&first) < number(&second), "one by one");
    assert_eq!(process(m3), running[2]);
    m2.succeed("[ \"$(readlink /proc/$(systemctl show -p MainPID --value k0scontroller)/exe)\" = /usr/local/bin/k0s ]");
    place
        .api()
        .ask_as("new.example.org", &m2.address().to_string(), "/readyz")
        .unwrap();
    place.deploy(&named).changed_nothing();
    place
        .towline("reset", &named)
        .args("--yes --output json")
        .run()
        .ends(0);

    // In the way of k0sctl: its file is converted, and what it set up is taken over.
    let address = |machine: &Machine| machine.address().to_string();
    let hosts = [
        (m1, "controller+worker"),
        (m2, "controller+worker"),
        (m3, "worker"),
    ];
    let hosts = hosts.map(|(machine, role)| {
        let taints = if role == "worker" { "" } else { "noTaints: true, " };
        format!(
            "  - {{role: {role}, {taints}privateAddress: {address}, installFlags: [--ignore-pre-flight-checks], ssh: {{address: {address}, user: root, keyPath: {key}}}}}\n",
            address = address(machine),
            key = place.lab.ssh_key().display(),
        )
    });
    let mut spec = spec;
    spec.remove("network");
    let config = serde_json::json!({"spec": spec, "metadata": {"name": "demo"}});
    let version = &place.lab.release().version;
    let k0sctl = format!(
        "apiVersion: k0sctl.k0sproject.io/v1beta1\nkind: Cluster\nmetadata: {{name: demo}}\nspec:\n  hosts:\n{}  k0s: {{version: {version}, config: {config}}}\n",
        hosts.concat()
    );
    fs::write(place.file("k0sctl.yaml"), k0sctl).unwrap();
    for machine in machines {
        carry(&release, machine, "/usr/local/bin/k0s");
        machine.succeed("mkdir -p /etc/k0s");
    }
    let sans = [address(m1), address(m2)];
    for machine in [m1, m2] {
        let own = serde_json::json!({"api": {"sans": sans}, "storage": {"etcd": {"peerAddress": address(machine)}}});
        let mut all = spec.clone();
        all.extend(own.as_object().unwrap().clone());
        let text = serde_json::json!({"apiVersion": "k0s.k0sproject.io/v1beta1", "kind": "ClusterConfig", "spec": all});
        let text = format!("# generated-by-k0sctl 2026-01-02T03:04:05Z\n{text}");
        write(machine, "/etc/k0s/k0s.yaml", &text);
    }
    let flags = |machine: &Machine| {
        format!(
            "--ignore-pre-flight-checks --data-dir=/var/lib/k0s --kubelet-extra-args=--node-ip={}",
            address(machine)
        )
    };
    let controller = "--enable-worker=true --no-taints=true --config=/etc/k0s/k0s.yaml";
    let path = "/etc/k0s/k0stoken";
    install(m1, "k0s", &format!("controller {} {controller}", flags(m1)));
    token(m1, "controller", m2, path);
    token(m1, "worker", m3, path);
    install(
        m2,
        "k0s",
        &format!("controller {} {controller} --token-file={path}", flags(m2)),
    );
    // As it has `environment:`.
    m3.succeed("mkdir -p /etc/systemd/system/k0sworker.service.d; printf '[Service]\\nEnvironment=A=b\\n' >/etc/systemd/system/k0sworker.service.d/env.conf");
    install(
        m3,
        "k0s",
        &format!("worker {} --token-file={path}", flags(m3)),
    );
    write(m3, path, "# overwritten by k0sctl after join");
    await_nodes(m1);

    let running = machines.map(process);
    place
        .command()
        .args("inventory from-k0sctl k0sctl.yaml -o home.yaml")
        .run()
        .ends(0);
    // Where the lab has the program and the machines' keys.
    let lab = format!(
        "cluster: {{binary: {{source: path, path: {release}}}}}\nssh: {{known_hosts: {}}}\n",
        place.lab.known_hosts().display()
    );
    fs::write(place.file("lab.yaml"), lab).unwrap();
    let line = |command: &str| {
        place
            .command()
            .args(&format!("{command} -i home.yaml -i lab.yaml --output json"))
            .run()
            .ends(0)
    };
    let plan = line("plan");
    plan.says(&["controller1: k0sctl wrote its k0s.yaml"]);
    let planned = plan.planned();
    for (step, changes) in &planned {
        let restarts = changes.iter().any(|change| change.starts_with("restart"));
        assert!(!restarts, "{step:?}: {changes:?}");
    }
    let adopted = line("deploy --adopt");
    assert_eq!(adopted.changes(), planned);
    assert_eq!(machines.map(process), running, "the same processes");
    // What it joined with is the cluster's root.
    m2.succeed("! grep -q H4sI /etc/k0s/k0stoken && [ $(stat -c %a /etc/k0s/k0stoken) = 600 ]");
    m3.succeed("systemctl show -p Environment k0sworker | grep -q A=b");
    line("deploy").changed_nothing();
    assert_eq!(machines.map(process), running);
}
