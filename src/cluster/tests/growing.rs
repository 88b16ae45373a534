//! Clusters that change: from sqlite to etcd, machines that were wiped, nodes left over.

use super::*;

fn sqlite(facts: &mut Facts) {
    member(facts);
    facts.node.datastore = Some(Datastore::Sqlite);
    facts.node.config = Some(Secret::new("token: secret-one\nagent-token: secret-two\n"));
}

#[test]
fn a_cluster_on_sqlite_takes_no_second_server_until_it_moves_to_etcd() {
    insta::assert_snapshot!(Lab::new(THREE).with("m1", sqlite).refusal(), @r"
    m1 keeps its cluster in sqlite, which only one server can use
      the inventory has more servers: m2, m3
      → deploy again with this: k3s moves the data to embedded etcd, then the others join:
        cluster: {datastore: etcd}
    ");
    let moving = Lab::new(&format!("cluster: {{datastore: etcd}}{THREE}"))
        .with("m1", sqlite)
        .topology();
    let spec = &moving.specs["m1"];
    assert_eq!(spec.config["cluster-init"], true);
    assert!(spec.voter && moving.specs["m2"].role == NodeRole::Joining);
    let alone = Lab::new(ONE).with("m1", sqlite).topology();
    assert!(!alone.specs["m1"].voter && !alone.specs["m1"].config.contains_key("cluster-init"));
}

#[test]
fn sqlite_for_several_servers_is_refused() {
    let refusal = Lab::new(&format!("cluster: {{datastore: sqlite}}{THREE}")).refusal();
    assert!(
        refusal.starts_with("the inventory says  datastore: sqlite , which only one server"),
        "{refusal}"
    );
}

#[test]
fn a_machine_that_was_wiped_is_forgotten_by_a_healthy_server_before_it_joins() {
    let nodes = |facts: &mut Facts| {
        facts.node.nodes = vec![
            node("m1", true, "10.0.0.1"),
            node("m2", true, "10.0.0.2"),
            node("w1", false, "10.0.0.11"),
        ];
    };
    // m2 comes back at its address and is still called Ready, w1 is known to be down.
    let topology = Lab::new(THREE)
        .with("m1", member)
        .with("m1", nodes)
        .topology();
    assert_eq!(forgotten(&topology), ["m2", "w1"]);
    assert_eq!(topology.answering_server(), Some("m1"));
    // One that still has its password, or is outside the limit, is left alone.
    let lab = Lab::new(THREE)
        .with("m1", member)
        .with("m1", nodes)
        .with("w1", |facts| facts.node.owns_node = true);
    assert_eq!(forgotten(&lab.topology()), ["m2"]);
    let limited = lab.only(&["w1", "m3"]).topology();
    assert_eq!(limited.forget, Vec::new());
}

#[test]
fn a_machine_that_registers_while_it_is_asked_is_not_taken_for_a_wiped_one() {
    let lab = |state: [&str; 2], is_young| {
        let [active, sub] = state;
        let up = unit(active, sub);
        let nodes = [
            node("m1", true, "10.0.0.1"),
            node("m2", true, "10.0.0.2"),
            node("w1", true, "10.0.0.11"),
        ];
        let nodes = nodes.map(|node| ClusterNode { is_young, ..node });
        let lab = Lab::new(THREE)
            .with("m1", member)
            .with("m1", |facts| facts.node.nodes = nodes.into())
            .with("m2", |facts| facts.node.server_unit = up.clone())
            .with("w1", |facts| facts.node.agent_unit = up.clone());
        forgotten(&lab.topology()).join(" ")
    };
    let starts = ["activating", "start"];
    assert_eq!(lab(starts, true), "");
    // One that was there before these were asked is not theirs: they cannot register.
    assert_eq!(lab(starts, false), "m2 w1");
    assert_eq!(lab(["activating", "auto-restart"], false), "m2 w1");
    assert_eq!(lab(["active", "running"], false), "");
    assert_eq!(lab(["failed", "failed"], true), "m2 w1");
    assert_eq!(lab(["inactive", "dead"], true), "m2 w1");
}

#[test]
fn a_node_of_another_address_is_another_machine() {
    let lab = |ready| {
        Lab::new(THREE).with("m1", member).with("m1", move |facts| {
            facts.node.nodes = vec![node("m2", ready, "10.0.0.77")];
        })
    };
    insta::assert_snapshot!(lab(true).refusal(), @r"
    m2: another machine runs as a node under its name, m2
      that one is at 10.0.0.77, m2 at 10.0.0.2
      → give m2 another hostname, or set  node_name:  in the inventory
    ");
    // It may be one that is off for a moment, and its data would go; the others are no worse for it.
    let topology = lab(false).topology();
    assert!(topology.forget.is_empty() && !topology.specs.contains_key("m2"));
    insta::assert_snapshot!(topology.unfit["m2"], @r"
    m2: the cluster has a node under its name, m2, of a machine that is down now
      that one is at 10.0.0.77, m2 at 10.0.0.2
      → if that machine will come back:  give m2 another hostname, or set  node_name:  in the inventory
      → if it was m2 before it was set up anew:
        kubectl delete node m2
    ");
    let second = |facts: &mut Facts| {
        let address = "10.0.0.77/24".parse().expect("a network");
        facts.addresses.push(("eth1".into(), address));
    };
    assert_eq!(forgotten(&lab(false).with("m2", second).topology()), ["m2"]);
}

#[test]
fn nodes_that_the_inventory_does_not_name_are_noted_and_left_alone() {
    let lab = running()
        .with("w1", agent("https://10.0.0.1:6443"))
        .with("m1", |facts| {
            facts.node.nodes = vec![
                node("m1", true, "10.0.0.1"),
                node("w1", true, "10.0.0.11"),
                node("renamed", true, "10.0.0.2"),
                node("gone", false, "10.0.0.50"),
            ];
        });
    let topology = lab.topology();
    assert_eq!(
        topology.notes,
        [
            "node gone is in the cluster and not in the inventory; towline leaves it alone. To remove it: \
         kubectl drain gone --ignore-daemonsets && kubectl delete node gone"
        ]
    );
    assert_eq!(topology.forget, []);
}
