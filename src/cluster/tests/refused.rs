//! What is refused before anything changes, and with which names.

use std::time::Duration;

use super::*;
use crate::facts::PortAnswer;

/// What a host is changed by.
type Change = fn(&mut Facts);

fn two(change: impl Fn(&mut Facts)) -> String {
    running().with("m2", change).refusal()
}

#[test]
fn two_clusters_in_one_inventory_are_refused_with_both_names() {
    insta::assert_snapshot!(two(|facts| {
        facts.node.server_token = Some(Secret::new(&format!("K10{HASH}::server:another-one")));
    }), @r"
    two tokens: m1 has one, m2 another
      a token tells which cluster a server belongs to
      → take the hosts that belong elsewhere out of the inventory
      → to move m2 here, take it out of its cluster first, with that cluster's inventory or with one that names m2 alone:
        towline reset -i FILE --limit m2
    ");
    insta::assert_snapshot!(two(|facts| facts.node.agent_token = Some(Secret::new("another-one"))), @r"
    two agent tokens: m1 has one, m2 another
      all servers of a cluster accept the same one
      → take the hosts that belong elsewhere out of the inventory
      → to move m2 here, take it out of its cluster first, with that cluster's inventory or with one that names m2 alone:
        towline reset -i FILE --limit m2
    ");
    insta::assert_snapshot!(two(|facts| facts.node.ca_hash = Some("0".repeat(64))), @r"
    two cluster CAs: m1 has one, m2 another
      these servers belong to different clusters
      → take the hosts that belong elsewhere out of the inventory
      → to move m2 here, take it out of its cluster first, with that cluster's inventory or with one that names m2 alone:
        towline reset -i FILE --limit m2
    ");
}

#[test]
fn a_host_whose_data_would_be_left_behind_is_left_alone() {
    let elsewhere = |facts: &mut Facts| {
        facts.node.data_dir = "/data/k3s".parse().expect("a folder");
    };
    let topology = running().with("m2", elsewhere).topology();
    insta::assert_snapshot!(topology.unfit["m2"], @r"
    m2: k3s keeps its data in /data/k3s here, not in /var/lib/rancher/k3s
      in another folder it would start with nothing, as a new machine
      → say so in the inventory:
        hosts: {m2: {config: {data-dir: /data/k3s}}}
    ");
    assert!(topology.specs.contains_key("m3"), "the others go on");

    let moved = Lab::new(&format!(
        "groups: {{fast: {{config: {{data-dir: /data/k3s}}}}}}{}",
        THREE.replace("role: server}", "role: server, groups: [fast]}")
    ));
    let lab = Lab {
        inventory: moved.inventory,
        ..running()
    };
    insta::assert_snapshot!(lab.topology().unfit["m2"], @r"
    m2: k3s keeps its data in /var/lib/rancher/k3s here, not in /data/k3s
      in another folder it would start with nothing, as a new machine
      → say so in the inventory:
        hosts: {m2: {config: {data-dir: /var/lib/rancher/k3s}}}
    ");
    let lab = lab.with("m2", elsewhere);
    assert_eq!(lab.topology().specs["m2"].config["data-dir"], "/data/k3s");
    let gone = |facts: &mut Facts| {
        facts.node.datastore = None;
        facts.node.joined = false;
        facts.node.ca_hash = None;
        facts.node.owns_node = true;
    };
    let lost = lab.with("m2", |facts| {
        gone(facts);
        facts.node.config = Some(Secret::new("data-dir: /data/k3s\n"));
    });
    insta::assert_snapshot!(lost.topology().unfit["m2"], @r"
    m2: k3s has run here, and there is nothing of it in /data/k3s
      without its data it would be a new machine to the cluster
      → mount the disk that the folder is on
      → if the data is lost, let it join anew:
        towline reset -i lab.yaml --limit m2
    ");
    let removed = lost.with("m2", |facts| facts.node.server_unit = Unit::default());
    let unfit = removed.topology().unfit;
    assert!(!unfit.contains_key("m2"), "k3s was uninstalled");
    let forgotten = running().with("m2", |facts| {
        gone(facts);
        facts.node.config = Some(Secret::new("data-dir: /mnt/k3s\n"));
    });
    let problem = forgotten.topology().unfit["m2"].to_string();
    assert!(problem.contains("nothing of it in /mnt/k3s"), "{problem}");
    let strange = running().with("m2", |facts| {
        facts.node.config = Some(Secret::new("data-dir: /tmp/k3s\n"));
    });
    insta::assert_snapshot!(strange.topology().unfit["m2"], @r"
    m2: k3s is configured with data-dir `/tmp/k3s`, and it has to be a folder of its own, that outlives a reboot
      → move it to another folder by hand, with k3s stopped, or leave this host out
    ");

    let mut lab = running().with("m2", elsewhere);
    lab.inventory.whole = false;
    insta::assert_snapshot!(lab.topology().unfit["m2"], @r"
    m2: k3s keeps its data in /data/k3s here, not in /var/lib/rancher/k3s
      in another folder it would start with nothing, as a new machine
      → use  --extra-args '--data-dir /data/k3s'
    ");
    lab.selected.remove("m2");
    assert!(lab.topology().unfit.is_empty(), "one that is only read");
}

#[test]
fn a_given_token_that_the_servers_do_not_have_is_refused() {
    let inventory = format!("cluster: {{token: given-one}}{THREE}");
    let refusal = Lab::new(&inventory).with("m2", member).refusal();
    assert!(
        refusal.starts_with("two tokens: the inventory has one, m2 another\n"),
        "{refusal}"
    );
    let refusal = Lab::new(&format!(
        "cluster: {{token: 'K10{}::server:secret-one'}}{THREE}",
        "0".repeat(64)
    ))
    .with("m2", member)
    .refusal();
    assert!(
        refusal.starts_with("two cluster CAs: the inventory has one, m2 another\n"),
        "{refusal}"
    );
}

#[test]
fn a_token_that_is_none_does_not_travel_to_other_hosts() {
    let refusal = running().with("m1", |facts| {
        facts.node.server_token = Some(Secret::new("two\nlines"));
    });
    let refusal = refusal.refusal();
    assert!(
        refusal.starts_with("m1: the token that it has cannot be one\n"),
        "{refusal}"
    );
    assert!(!refusal.contains("lines"), "{refusal}");
}

#[test]
fn one_name_or_address_for_two_hosts_is_refused_and_a_shared_machine_id_noted() {
    let lab = Lab::new(THREE).with("w1", |facts| facts.hostname = "m2".into());
    assert!(
        lab.refusal()
            .starts_with("m2 and w1 have the same hostname, m2\n")
    );
    let nat =
        "hosts:\n  a: {address: a.example, role: server}\n  b: {address: b.example, role: agent}\n";
    assert!(
        Lab::new(nat)
            .refusal()
            .starts_with("a and b: no network was found by which the hosts reach each other\n")
    );
    let lab = Lab::new(THREE).with("w1", |facts| facts.machine_id = "id-m3".into());
    let notes = lab.topology().notes;
    assert!(
        notes[0].starts_with("m3 and w1 have the same /etc/machine-id"),
        "{notes:?}"
    );
    // It leaves a file alone that has content.
    assert!(
        notes[0].ends_with(
            "rm -f /etc/machine-id /var/lib/dbus/machine-id && systemd-machine-id-setup"
        ),
        "{notes:?}"
    );
}

#[test]
fn a_role_is_not_changed() {
    let lab = Lab::new(THREE)
        .with("m3", |facts| {
            facts.node.agent_unit = unit("inactive", "dead");
        })
        .with("w1", |facts| facts.node.datastore = Some(Datastore::Sqlite));
    let topology = lab.topology();
    insta::assert_snapshot!(topology.unfit["m3"], @r"
    m3: it is an agent, and the inventory says server (hosts.m3.role, lab.yaml:5)
      towline does not change what a host is
      → to make it bare again (its data is lost):
        towline reset -i lab.yaml --limit m3
    ");
    assert!(
        topology.unfit["w1"]
            .what
            .starts_with("it is a server, and the inventory says agent")
    );
    let mut lab = lab;
    lab.inventory.whole = false;
    insta::assert_snapshot!(lab.topology().unfit["w1"], @r"
    w1: it is a server already
      towline does not change what a host is
      → write it into an inventory; to make it bare again (its data is lost):
        towline reset -i FILE --limit w1
    ");
}

#[test]
fn a_host_that_cannot_be_used_says_why() {
    let unfit = |change: fn(&mut Facts)| {
        let topology = Lab::new(ONE).with("w1", change).topology();
        topology
            .unfit
            .get("w1")
            .map(|problem| problem.what.clone())
            .unwrap_or_default()
    };
    let table: [(Change, &str); 6] = [
        (
            |facts| facts.systemd = false,
            "its init system is not systemd",
        ),
        (
            |facts| facts.os.id = "alpine".into(),
            "this operating system is not supported yet",
        ),
        (
            |facts| facts.architecture = "riscv64".into(),
            "there is no k3s for its architecture, riscv64",
        ),
        (
            |facts| facts.missing = vec!["flock".into()],
            "commands are missing: flock",
        ),
        (
            |facts| facts.hostname = "localhost".into(),
            "its hostname “localhost” cannot be a node's name",
        ),
        (
            |facts| facts.hostname = "-x;reboot".into(),
            "its hostname “-x;reboot” cannot be a node's name",
        ),
    ];
    for (change, words) in table {
        assert_eq!(unfit(change), words);
    }
}

#[test]
fn a_config_that_cannot_be_read_never_counts_as_none() {
    let long = format!("x: {}", "y".repeat(200_001));
    for (config, why) in [
        ("token: secret-one\n\tbroken", "is not YAML, line"),
        ("- a list", "is YAML, but no keys with values"),
        (
            "token: [a, b]",
            "has a value for token that k3s does not take",
        ),
        (
            "server: \"https://x\\ny\"",
            "has a value for server that k3s does not take",
        ),
        (
            "cluster-init: maybe",
            "has a value for cluster-init that k3s does not take",
        ),
        (
            "node-label: {a: b}",
            "has a value for node-label that k3s does not take",
        ),
        ("token: \u{fffd}", "is not text in UTF-8"),
        (&long, "is longer than 200000 bytes"),
    ] {
        let lab = running().with("m2", |facts| facts.node.config = Some(Secret::new(config)));
        let topology = lab.topology();
        let problem = &topology.unfit["m2"];
        assert!(
            problem
                .what
                .starts_with(&format!("its /etc/rancher/k3s/config.yaml {why}")),
            "{problem}"
        );
        assert!(
            !problem.to_string().contains("secret-one") && !topology.specs.contains_key("m2"),
            "{problem}"
        );
    }
    for empty in ["", "# only a comment\n"] {
        let lab = Lab::new(THREE).with("m2", |facts| facts.node.config = Some(Secret::new(empty)));
        assert!(lab.topology().unfit.is_empty(), "{empty:?}");
    }
}

#[test]
fn a_node_that_would_change_its_name_or_a_member_its_address_is_refused() {
    let named = "hosts:\n  m1: {address: 10.0.0.1, role: server, node_name: other}\n";
    insta::assert_snapshot!(Lab::new(named).with("m1", member).topology().unfit["m1"], @r"
    m1: its node is called m1, and the inventory says other
      a node keeps the name that it joined with: under another one it would join as a new node, and the old one would stay behind
      → to keep the node:
        hosts: {m1: {node_name: m1}}
      → to rename it, reset it, then deploy again (its data is lost):
        towline reset -i lab.yaml --limit m1
    ");
    let lab = running().with("m3", |facts| {
        facts.node.config = Some(Secret::new("token: secret-one\nnode-ip: 10.9.9.9\n"));
    });
    insta::assert_snapshot!(lab.topology().unfit["m3"], @r"
    m3: its node address is 10.9.9.9, and would be 10.0.0.3
      the other members of etcd know it by that address
      → leave it so in the inventory, or remove the node, wipe the host and let it join anew
    ");
}

#[test]
fn a_datastore_that_a_server_does_not_reach_is_refused_without_its_password() {
    let endpoint = "datastore_endpoint: 'postgres://u:hunter2@10.0.0.9/k3s'";
    let inventory = format!("cluster: {{{endpoint}}}{THREE}");
    let lab = Lab::new(&inventory).with("m2", |facts| {
        facts.services = [("10.0.0.9:5432".into(), PortAnswer::Refused)].into();
    });
    insta::assert_snapshot!(lab.refusal(), @r"
    m2: it does not reach PostgreSQL, the cluster's datastore
      10.0.0.9:5432: the connection is refused
      → let it be reached from every server: a firewall may drop it, or it listens on its own machine alone
      → look at the address in  cluster: {datastore_endpoint: …}
    ");
    let refusal = Lab::new(&inventory).with("m1", member).refusal();
    assert!(
        refusal.contains("it keeps its cluster in its own etcd"),
        "{refusal}"
    );
}

#[test]
fn a_k3s_that_ends_again_and_again_is_noted_while_it_is_ready() {
    let notes = |restarts: u32, seconds: u64| {
        let lab = running().with("m2", |facts| {
            facts.uptime = Duration::from_secs(1000);
            facts.node.server_unit.restarts = restarts;
            facts.node.server_unit.ready_at = Duration::from_secs(1000 - seconds);
        });
        lab.topology().notes
    };
    insta::assert_snapshot!(notes(12, 9).join("\n"), @"m2: k3s became READY 9 s ago, and systemd had to start it again 12 times: it may end again. On the host, this shows why it ended:  journalctl -u k3s --no-pager -n 200");
    for (restarts, seconds) in [(2, 9), (12, 90), (0, 9)] {
        assert_eq!(notes(restarts, seconds), [""; 0], "{restarts} {seconds}");
    }
}

#[test]
fn files_that_win_over_the_inventory_are_noted() {
    let lab = running().with("m2", |facts| {
        facts.node.drop_ins = vec![DropIn {
            name: "99-mine.yaml".into(),
            text: Secret::new("a: 1"),
        }];
    });
    let notes = lab.topology().notes;
    assert!(
        notes[0].starts_with("m2: k3s also reads config.yaml.d (99-mine.yaml)"),
        "{notes:?}"
    );
}
