//! Hosts of other clusters, and hosts that are called otherwise than they were.

use super::*;
use crate::cluster::reset;

const OTHER: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// A server or an agent of another cluster.
fn elsewhere(facts: &mut Facts) {
    let k3s = &mut facts.node;
    if k3s.datastore.is_some() {
        k3s.ca_hash = Some(OTHER.into());
        k3s.server_token = Some(Secret::new(&format!("K10{OTHER}::server:another-one")));
    } else {
        k3s.agent_ca_hash = Some(OTHER.into());
        k3s.config = Some(Secret::new(&format!(
            "server: https://192.0.2.1:6443\ntoken: K10{OTHER}::node:another-one\n"
        )));
    }
}

fn with_agent() -> Lab {
    running().with("w1", agent("https://10.0.0.1:6443"))
}

fn refused_reset(lab: &Lab) -> String {
    let situation = lab.situation();
    match reset(&situation) {
        Ok(_) => "it goes".to_owned(),
        Err(problems) => problems[0].to_string(),
    }
}

#[test]
fn a_reset_of_hosts_of_two_clusters_is_refused_with_both_names() {
    insta::assert_snapshot!(refused_reset(&with_agent().with("m3", elsewhere)), @r"
    two cluster CAs: m1 has one, m3 another
      they belong to different clusters, and a reset would take the other one apart, too
      → take the hosts that belong elsewhere out of the inventory
      → to reset them as well, use the inventory of their own cluster, or one that names them alone
    ");
    let limited =
        |host: &str, only: &[&str]| refused_reset(&with_agent().with(host, elsewhere).only(only));
    let first_line = |text: String| text.lines().next().unwrap_or_default().to_owned();
    // A stale line of the inventory, alone or not.
    let cas = "two cluster CAs: m1 has one, m3 another";
    assert_eq!(first_line(limited("m3", &["m3"])), cas);
    assert_eq!(first_line(limited("m3", &["m2"])), cas);
    let cas = "two cluster CAs: m1 has one, w1 another";
    assert_eq!(first_line(limited("w1", &["w1"])), cas);
    assert_eq!(limited("w1", &["m3"]), "it goes", "w1 is only read");
    // What is left of a cluster is no member of one.
    let leftover = |facts: &mut Facts| facts.node.ca_hash = Some(OTHER.into());
    let lab = Lab::new(THREE).with("m1", member).with("m2", leftover);
    assert_eq!(refused_reset(&lab.only(&["m2"])), "it goes");
}

#[test]
fn a_reset_by_an_inventory_whose_token_is_of_another_cluster_is_refused() {
    for (token, refused) in [
        (
            format!("K10{OTHER}::server:secret-one"),
            "two cluster CAs: the inventory has one, m1 another",
        ),
        (
            "given-one".to_owned(),
            "two tokens: the inventory has one, m1 another",
        ),
        ("secret-one".to_owned(), "it goes"),
    ] {
        let lab = Lab::new(&format!("cluster: {{token: '{token}'}}{ONE}")).with("m1", member);
        let said = refused_reset(&lab);
        assert_eq!(said.lines().next(), Some(refused));
    }
}

#[test]
fn an_agent_of_another_cluster_is_refused_as_a_server_is() {
    let lab = || with_agent().with("w1", elsewhere);
    insta::assert_snapshot!(lab().refusal(), @r"
    two cluster CAs: m1 has one, w1 another
      w1 is an agent of another cluster, joined at https://192.0.2.1:6443
      → if this cluster has a new CA, restart w1, then try again:
        systemctl restart k3s-agent
      → if w1 is to stay where it is: take it out of this inventory
      → to move w1 here, take it out of its cluster first, with that cluster's inventory or with one that names w1 alone:
        towline reset -i FILE --limit w1
    ");
    assert!(lab().only(&["m2"]).try_shape().is_ok(), "it is only read");
    let mut typed = lab();
    typed.inventory.whole = false;
    let refusal = typed.refusal();
    assert!(refusal.contains("the server that was typed"), "{refusal}");
    // One that has never joined may be told another server.
    let lab = lab().with("w1", |facts| facts.node.joined = false);
    assert!(text(&lab.topology().specs["w1"], "token").ends_with("node:secret-two"));
}

#[test]
fn an_agent_is_known_by_its_server_where_its_ca_says_nothing() {
    let lab = |token: &str, url: &str| {
        let inventory = format!(
            "cluster: {{server_url: '{url}', token: '{token}'}}\nhosts:\n  w1: {{address: 10.0.0.11, role: agent}}\n"
        );
        Lab::new(&inventory).with("w1", agent("https://10.0.0.1:6443"))
    };
    let (same, other) = ("https://10.0.0.1:6443", "https://192.0.2.1:6443");
    let full = format!("K10{HASH}::node:secret-two");
    assert!(lab("secret-two", same).try_shape().is_ok());
    assert!(lab(&full, other).try_shape().is_ok(), "the same CA");
    insta::assert_snapshot!(lab("secret-two", other).refusal(), @r"
    w1: it is an agent of the cluster at https://10.0.0.1:6443
      nothing tells whether that is the cluster that it would join
      → if it is: give the full token, which begins with K10 and names the cluster's CA
      → if w1 is to stay where it is: take it out of this inventory
      → to move w1 here, take it out of its cluster first, with that cluster's inventory or with one that names w1 alone:
        towline reset -i FILE --limit w1
    ");
    let another = lab(&format!("K10{OTHER}::node:secret-two"), same).refusal();
    assert!(
        another.starts_with("two cluster CAs: the inventory has one, w1 another\n"),
        "{another}"
    );
}

#[test]
fn an_agent_of_a_cluster_keeps_a_new_one_from_being_made_around_it() {
    let lab = || Lab::new(ONE).with("w1", agent("https://10.0.0.1:6443"));
    insta::assert_snapshot!(lab().refusal(), @r"
    w1: it is an agent of another cluster
      m1 is to make a new cluster, with a CA of its own
      → if that cluster still runs: take w1 or m1 out of this inventory
      → if it is gone:
        towline reset -i lab.yaml --limit w1
    ");
    assert!(lab().only(&["m1"]).try_shape().is_ok(), "it is only read");
    let own = lab().with("m1", |facts| facts.node.ca_hash = Some(HASH.into()));
    assert!(own.try_shape().is_ok(), "a CA of the user's own");
}

#[test]
fn an_agent_whose_role_becomes_server_is_told_that() {
    let lab = running().with("m3", |facts| *facts = bare("m3", "10.0.0.3"));
    let topology = lab.with("m3", agent("https://10.0.0.1:6443")).topology();
    let problem = topology.unfit["m3"].to_string();
    assert!(
        problem.starts_with("m3: it is an agent, and the inventory says server"),
        "{problem}"
    );
    assert!(topology.specs.contains_key("m2"), "the others go on");
}

#[test]
fn a_host_that_is_called_otherwise_than_its_node_is_left_alone() {
    let joined_as =
        |name: &'static str| move |facts: &mut Facts| facts.node.node_name = Some(name.into());
    let lab = || with_agent().with("w1", joined_as("old"));
    insta::assert_snapshot!(lab().topology().unfit["w1"], @r"
    w1: its node is called old, and its hostname is now w1
      a node keeps the name that it joined with: under another one it would join as a new node, and the old one would stay behind
      → to keep the node:
        hosts: {w1: {node_name: old}}
      → to rename it, reset it, then deploy again (its data is lost):
        towline reset -i lab.yaml --limit w1
    ");
    let mut typed = lab();
    typed.inventory.whole = false;
    let problem = typed.topology().unfit["w1"].to_string();
    assert!(
        problem.contains("hostnamectl set-hostname old"),
        "{problem}"
    );
    let named = Lab::new(&THREE.replace("role: agent", "role: agent, node_name: old"));
    let named = Lab {
        inventory: named.inventory,
        ..lab()
    };
    assert_eq!(text(&named.topology().specs["w1"], "node-name"), "old");
    let same = with_agent().with("w1", joined_as("w1")).topology();
    assert!(same.unfit.is_empty());
    let with_id = |config: &'static str| {
        let lab = with_agent().with("w1", joined_as("w1-5a1b2c3d"));
        let lab = lab.with("w1", |facts| {
            let own = facts.node.config.take().expect("there is one");
            facts.node.config = Some(Secret::new(&format!("{}\n{config}", own.expose())));
        });
        lab.topology()
    };
    let topology = with_id("with-node-id: true\n");
    assert_eq!(topology.specs["w1"].node_name, "w1-5a1b2c3d");
    assert!(with_id("").unfit.contains_key("w1"));
}

#[test]
fn a_node_under_the_old_name_of_a_host_is_noted() {
    let nodes = vec![
        ClusterNode {
            voter: Some(true),
            ..node("m1", true, "10.0.0.1")
        },
        ClusterNode {
            voter: Some(true),
            ..node("m2", true, "10.0.0.2")
        },
        ClusterNode {
            voter: Some(true),
            ..node("two", false, "10.0.0.2")
        },
        node("m3", true, "10.0.0.3"),
        node("w1", true, "10.0.0.11"),
        node("old", false, "10.0.0.11"),
    ];
    let lab = with_agent().with("m1", |facts| facts.node.nodes = nodes);
    insta::assert_snapshot!(lab.topology().notes.join("\n"), @r"
    1 of 3 servers down (two): no other server is restarted now, since etcd would lose quorum
    node two is m2 under its old name, and its node is m2 now; its member of etcd is still this machine's, so leave it; to go back, on m2:  hostnamectl set-hostname two && systemctl restart k3s
    node old is w1 under its old name, and its node is w1 now; to remove it:  kubectl delete node old
    ");
}

#[test]
fn a_node_with_an_address_that_every_host_has_is_no_hosts_old_one() {
    let nat = |name: &str| node(name, true, "10.0.2.15");
    let nodes = vec![nat("m1"), nat("m2"), nat("m3"), nat("w1"), nat("old")];
    let lab = with_agent().with("m1", |facts| facts.node.nodes = nodes);
    let lab = ["m1", "m2", "m3", "w1"].into_iter().fold(lab, |lab, name| {
        lab.with(name, |facts| {
            let nat = "10.0.2.15/24".parse().expect("a network");
            facts.addresses.push(("eth9".into(), nat));
        })
    });
    let notes = lab.topology().notes.join("\n");
    assert!(!notes.contains("old name"), "{notes}");

    // One host has the address of another one beside its own.
    let nodes = vec![node("m1", true, "10.0.0.1"), node("m2", true, "10.0.0.2")];
    let lab = running().with("m1", |facts| {
        facts.node.nodes = nodes;
        let vip = "10.0.0.2/32".parse().expect("a network");
        facts.addresses.push(("lo".into(), vip));
    });
    let notes = lab.topology().notes.join("\n");
    assert!(!notes.contains("old name"), "{notes}");
}

#[test]
fn two_that_are_only_read_are_no_reason_to_leave_a_third_alone() {
    let twins = || {
        Lab::new(THREE)
            .with("m1", member)
            .with("m3", |facts| facts.hostname = "m2".into())
    };
    assert!(
        twins()
            .refusal()
            .starts_with("m2 and m3 have the same hostname")
    );
    assert!(twins().only(&["w1"]).try_shape().is_ok());
    assert!(twins().only(&["m2"]).try_shape().is_err());
    let sqlite = || {
        let lab = Lab::new(THREE).with("m1", member);
        lab.with("m1", |facts| facts.node.datastore = Some(Datastore::Sqlite))
    };
    assert!(sqlite().try_shape().is_err());
    assert!(
        sqlite().only(&["m1"]).try_shape().is_err(),
        "it would be moved to etcd"
    );
    assert!(sqlite().only(&["w1"]).try_shape().is_ok());
    let unequal = THREE.replace(
        "3, role: server",
        "3, role: server, config: {cluster-cidr: 10.5.0.0/16}",
    );
    let unequal = || Lab::new(&unequal).with("m1", member);
    assert!(unequal().try_shape().is_err());
    assert!(unequal().only(&["w1"]).try_shape().is_ok());
}
