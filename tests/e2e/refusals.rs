//! What cannot be done, in whose words, and who goes on all the same.

use std::fs;
use std::process::Command;

use crate::grow::fingerprint;
use crate::inventory::Inventory;
use crate::place::{Place, wait_for};
use crate::towline::terminal::CTRL_C;
use crate::trust::keys_are_shown_and_recorded;

#[test]
fn who_cannot_be_logged_into_or_used_says_why_and_the_others_finish() {
    let place = Place::up(1, 1);
    let (m1, m2) = (place.machine("m1"), place.machine("m2"));
    let inventory = place.inventory();
    let run = |arguments: &str| {
        place
            .towline("deploy", &inventory)
            .args("--output json")
            .args(arguments)
            .run()
    };
    let before = [fingerprint(m1), fingerprint(m2)];

    // Users and keys.
    let refused = run("--ssh-user nobody-of-this-name").ends(1);
    assert_eq!(refused.outcomes(), "m1 unreachable, m2 unreachable");
    refused.says(&[
        "m1: ",
        " refused the login as nobody-of-this-name",
        "refused: ",
        "check that this logs in",
    ]);
    let key = place.file("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(made.unwrap().success());
    let stranger = inventory.clone().ssh("key", key.to_str().unwrap());
    let refused = place.deploy(&stranger).ends(1);
    assert_eq!(refused.outcomes(), "m1 unreachable, m2 unreachable");
    refused.says(&["m2: ", " refused the login as root"]);

    // sudo that wants to talk.
    let refused = run("--ssh-user asker").ends(1);
    assert_eq!(refused.outcomes(), "m1 failed, m2 failed");
    refused.says(&["m1: sudo asks asker for a password", "NOPASSWD"]);

    // Host keys that were never seen, and no terminal to ask at.
    let unknown = inventory
        .clone()
        .ssh("known_hosts", place.file("known").to_str().unwrap());
    let refused = place.deploy(&unknown).ends(1);
    assert_eq!(refused.outcomes(), "m1 unreachable, m2 unreachable");
    refused.says(&[
        "m1: the host key is not known",
        "SHA256:",
        "--accept-new-host-keys",
    ]);
    assert!(
        !place.file("known").exists(),
        "a refused key is not remembered"
    );

    // The user sees all of them first, in the order of the inventory, and answers with whole lines;
    // what was typed before a question is no answer to it.
    let ask = || {
        let mut running = place.towline("plan", &unknown).on_a_terminal();
        running.types("yes\r");
        running.shows("Trust m1? yes, no, its fingerprint, or a for all that are shown above: ");
        running
    };
    let mut running = ask();
    running.types("y\r");
    running.shows("Please type yes, no or its fingerprint: ");
    running.types("no\r");
    running.shows("Trust m2? ");
    running.types("yes\r");
    let planned = running.wait().ends(1);
    planned.says(&["m1: the host key was not accepted"]);
    let shown = planned
        .stdout
        .find("The keys of these 2 hosts are not known yet:");
    assert!(
        shown < planned.stdout.find("Trust m1?"),
        "{}",
        planned.stdout
    );
    let known = fs::read_to_string(place.file("known")).unwrap();
    // Its name may be hashed, as ssh's configuration says.
    let key = m2.succeed("cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub");
    assert!(known.contains(key.trim()), "{known}");
    assert_eq!(known.lines().count(), 1);
    fs::remove_file(place.file("known")).unwrap();
    let mut running = ask();
    running.presses(CTRL_C).unwrap();
    running.wait().ends(1);
    assert!(!place.file("known").exists());
    let mut running = ask();
    running.types("a\r");
    running.wait().ends(0);
    let known = fs::read_to_string(place.file("known")).unwrap();
    assert_eq!(known.lines().count(), 2);
    fs::remove_file(place.file("known")).unwrap();

    // An inventory that the user is asked for; the machines' keys are, too, and give it their names.
    let addresses = format!("{} {}", m1.address(), m2.address());
    let init = || {
        let init = place.command().args("inventory init -o new.yaml");
        init.on_a_terminal()
    };
    let mut running = init();
    running.shows("Addresses of the machines");
    running.types("10.0.0.1\r");
    running.shows("User to log in as");
    running.presses(CTRL_C).unwrap();
    running.wait().ends(1).says(&["nothing was changed"]);
    assert!(!place.file("new.yaml").exists());
    let mut running = init();
    for (question, answer) in [
        (
            "Addresses of the machines",
            &*format!("{addresses} 10.0.0.300\r"),
        ),
        ("10.0.0.300", "\u{15}"),
        ("Addresses of the machines", &*format!("{addresses}\r")),
        ("Which of them is the server", "\r"),
        ("User to log in as", "\r"),
        (
            "Private key file",
            &*format!("{}\r", place.lab.ssh_key().display()),
        ),
        ("Name of the cluster", "new\r"),
        ("take their own names", "\r"),
        ("Trust server1? ", "a\r"),
    ] {
        running.shows(question);
        running.types(answer);
    }
    running.wait().ends(0).says(&["wrote new.yaml: 2 hosts"]);
    let new = fs::read_to_string(place.file("new.yaml")).unwrap();
    assert!(new.contains("  m1:\n") && new.contains("  m2:\n"), "{new}");
    // What only this lab has lies over it.
    fs::write(
        place.file("lab.yaml"),
        inventory.clone().only(&[]).to_string(),
    )
    .unwrap();
    let layered = |command: &str| {
        let files = format!("{command} -i new.yaml -i lab.yaml --output json");
        place.command().args(&files).run().ends(0)
    };
    layered("plan");

    // One hostname for two.
    m2.succeed("hostname m1");
    let refused = place.deploy(&inventory).ends(2);
    refused.says(&[
        "m1 and m2 have the same hostname, m1",
        "node_name:",
        "nothing was changed",
    ]);
    m2.succeed("hostname m2");
    assert_eq!(
        [fingerprint(m1), fingerprint(m2)],
        before,
        "nothing of this touches a host"
    );

    keys_are_shown_and_recorded(&place, &inventory);

    // The key is taken when the user says so; then everything by a user who has sudo, on a host of
    // a system that is known, while the other has one that is not.
    m2.succeed("cp --remove-destination /usr/lib/os-release /etc/os-release && sed -i 's/^ID=.*/ID=arch/; /^ID_LIKE=/d; s/^PRETTY_NAME=.*/PRETTY_NAME=\"Arch Linux\"/' /etc/os-release");
    let admin = unknown.ssh("user", "admin");
    let deployed = place
        .towline("deploy", &admin)
        .args("--output json --accept-new-host-keys")
        .run()
        .ends(1);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 failed");
    let problem = deployed.row("m2").problem;
    assert!(
        problem.contains("m2: this operating system is not supported yet"),
        "{problem}"
    );
    assert!(problem.contains("it runs Arch Linux"), "{problem}");
    m2.succeed("! test -e /usr/local/bin/k3s && ! test -e /etc/rancher");
    place
        .api()
        .expect_summary(&m1.address().to_string(), "m1 agent");

    m2.succeed("ln -sf ../usr/lib/os-release /etc/os-release");
    assert_eq!(
        place.deploy(&admin).ends(0).outcomes(),
        "m1 unchanged, m2 changed"
    );
    place.deploy(&admin).changed_nothing();
    place.deploy(&inventory).changed_nothing();
    layered("deploy").changed_nothing();
    place.kept_its_secrets();
}

#[test]
fn what_a_deploy_does_not_do_it_says() {
    let place = Place::up(1, 1);
    let (m1, m2) = (place.machine("m1"), place.machine("m2"));
    let inventory = place.inventory();
    place.deploy(&inventory).ends(0);
    let before = [fingerprint(m1), fingerprint(m2)];

    for (version, why) in [
        (
            "v1.35.1+k3s1",
            "Kubernetes does not go back to an older version",
        ),
        ("v1.99.0+k3s1", "an upgrade is a command of its own"),
    ] {
        let other = inventory.clone().cluster("version", version);
        for command in ["plan", "deploy"] {
            let refused = place.json(command, &other).ends(2);
            refused.says(&[&*format!("the inventory says {version}"), why]);
        }
    }

    let fewer = inventory.clone().only(&["m1"]);
    let deployed = place.deploy(&fewer).changed_nothing();
    deployed.says(&[
        "node m2 is in the cluster and not in the inventory",
        "kubectl delete node m2",
    ]);
    let address = m1.address().to_string();
    place.api().expect_summary(&address, "m1 agent, m2 agent");
    assert_eq!(
        [fingerprint(m1), fingerprint(m2)],
        before,
        "nothing of this touches a host"
    );

    // Both hosts differ from this inventory, and one of them may be changed.
    let labelled = ["m1", "m2"].into_iter().fold(inventory, |inventory, host| {
        let config = if host == "m1" {
            "{tls-san-security: false}"
        } else {
            "{node-external-ip: 192.0.2.7}"
        };
        inventory.host(host, "config", config)
    });
    let plan = place.json("plan", &labelled).ends(0);
    let hosts: Vec<String> = plan.planned().into_keys().map(|(host, _)| host).collect();
    assert!(
        hosts.contains(&"m1".to_owned()) && hosts.contains(&"m2".to_owned()),
        "{hosts:?}"
    );
    let limited = place
        .towline("deploy", &labelled)
        .args("--output json --limit agents")
        .run()
        .ends(0);
    assert_eq!(limited.outcomes(), "m1 observed, m2 changed");
    assert_eq!(fingerprint(m1), before[0], "m1 was not named");
    m2.succeed("grep 192.0.2.7 /etc/rancher/k3s/config.yaml");

    // A file of one's own that is not what the inventory calls it.
    let misnamed = labelled.cluster("version", "v1.36.99+k3s1");
    place.json("upgrade", &misnamed).ends(1).says(&[
        "the file that `binary` names in the inventory is the one that runs here already, and not v1.36.99+k3s1",
    ]);
    place.kept_its_secrets();
}

#[test]
fn hosts_of_two_clusters_are_neither_deployed_nor_reset_together() {
    let place = Place::up(2, 1);
    let [m1, m2, m3] = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let all = place.inventory();
    let [first, second] = [["m1", "m3"], ["m2", "m3"]].map(|names| all.clone().only(&names));
    place.deploy(&first).ends(0);
    let address = m1.address().to_string();
    place.api().expect_summary(&address, "m1 agent, m3 agent");
    let replaced = place.deploy(&second.clone().only(&["m2"])).ends(0);
    // The other cluster's kubeconfig had the same place and name.
    let backup = place.api_of("demo.kubeconfig.towline-backup").server;
    assert_eq!(backup, format!("https://{address}:6443"));
    replaced.says(&["demo.kubeconfig.towline-backup"]);
    // With a file for each, both live in one folder, also at the same time.
    let own = [("alpha", &first), ("beta", &second.clone().only(&["m2"]))];
    let runs = own.map(|(name, inventory)| {
        let text = inventory.clone().without_cluster("name").to_string();
        std::fs::write(place.file(&format!("{name}.yaml")), text).unwrap();
        let line = format!("deploy -i {name}.yaml --output json");
        place.command().args(&line).start()
    });
    let [alpha, beta] = runs.map(|run| run.wait().ends(0).outcomes());
    assert_eq!(alpha, "m1 unchanged, m3 unchanged");
    assert_eq!(beta, "m2 unchanged");
    let alpha = place.api_of("alpha.kubeconfig");
    alpha.expect_summary(&address, "m1 agent, m3 agent");
    let beta = place.api_of("beta.kubeconfig");
    beta.expect_summary(&m2.address().to_string(), "m2 agent");

    let machines = place.lab.machines();
    let before: Vec<String> = machines.iter().map(fingerprint).collect();
    let both = all.only(&["m1", "m2"]);
    // Also where one might think that etcd is to take the second one in.
    for inventory in [both.clone(), both.clone().cluster("datastore", "etcd")] {
        let refused = place.deploy(&inventory).ends(2);
        refused.says(&[
            "two tokens: m1 has one, m2 another",
            "two cluster CAs: m1 has one, m2 another",
            "nothing was changed",
        ]);
    }
    // An agent is no more moved than a server is, and a stale inventory resets neither.
    let agent = "two cluster CAs: m2 has one, m3 another";
    let joined_at = format!("joined at https://{address}:6443");
    place.deploy(&second).ends(2).says(&[agent, &joined_at]);
    let reset = |inventory: &Inventory, limit: &str| {
        let reset = place.towline("reset", inventory).args("--yes");
        reset.args(limit).run()
    };
    reset(&second, "")
        .ends(2)
        .says(&[agent, "nothing was changed"]);
    reset(&second, "--limit m3").ends(2).says(&[agent]);
    reset(&both, "")
        .ends(2)
        .says(&["two cluster CAs: m1 has one, m2 another"]);
    let (key, known) = (place.lab.ssh_key(), place.lab.known_hosts());
    let [two, three] = [m2, m3].map(|machine| machine.address().to_string());
    let typed = place.command().args(&format!(
        "join --ip {three} --server-ip {two} --ssh-key {} --known-hosts {}",
        key.display(),
        known.display()
    ));
    typed.run().ends(2).says(&[
        &format!("two cluster CAs: {two} has one, {three} another"),
        "look at the address of the server that was typed",
    ]);

    // A hostname that was changed is seen before k3s sees it.
    m3.succeed("hostname renamed");
    let plan = place.json("plan", &first).ends(1);
    plan.says(&[
        "m3: its node is called m3, and its hostname is now renamed",
        "node_name: m3",
    ]);
    let deployed = place.deploy(&first).ends(1);
    assert_eq!(deployed.outcomes(), "m1 unchanged, m3 failed");
    m3.succeed("hostname m3");
    let after: Vec<String> = machines.iter().map(fingerprint).collect();
    assert_eq!(before, after);
    place.kept_its_secrets();

    // What is said to be done is what does it.
    reset(&first, "--limit m3").ends(0);
    let moved = place.deploy(&second).ends(0);
    assert_eq!(moved.outcomes(), "m2 unchanged, m3 changed");
    place.api().expect_summary(&two, "m2 agent, m3 agent");

    // And what became of a node whose k3s saw the new name first.
    m3.succeed("hostname renamed && systemctl restart k3s-agent");
    wait_for("the new node to be Ready", || {
        let nodes = m2.succeed("k3s kubectl get nodes renamed --no-headers || true");
        nodes.contains(" Ready ").then_some(())
    });
    place.json("plan", &second).ends(0).says(&[
        "node m3 is m3 under its old name, and its node is renamed now",
        "kubectl delete node m3",
    ]);
}
