//! Which labels and taints of running nodes are changed, and which are left alone.

use super::*;

const LABELLED: &str = "hosts:
  m1: {address: 10.0.0.1, role: server}
  w1: {address: 10.0.0.11, role: agent, labels: {disk: ssd, example.org/rack: r1}, taints: ['gpu=yes:NoSchedule']}
";

/// What its config.yaml says that it joined with.
const JOINED: &str = "node-label: [disk=ssd, zone=paris, kubernetes.io/hostname=w1]\nnode-taint: ['gpu=yes:NoSchedule', 'old:NoSchedule']\n";

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// A server and an agent with these labels and taints, as the server lists it.
fn lab(labels: &[(&str, &str)], taints: &[(&str, &str)]) -> Lab {
    let own = ClusterNode {
        labels: pairs(labels),
        taints: pairs(taints),
        ..node("w1", true, "10.0.0.11")
    };
    let nodes = vec![node("m1", true, "10.0.0.1"), own];
    Lab::new(LABELLED)
        .with("m1", member)
        .with("m1", move |facts| facts.node.nodes.clone_from(&nodes))
        .with("w1", agent("https://10.0.0.1:6443"))
        .with("w1", |facts| {
            let config = facts.node.config.as_ref().expect("a config").expose();
            facts.node.config = Some(Secret::new(&format!("{config}\n{JOINED}")));
        })
}

/// The marks of w1, as words; none where nothing is to change.
fn marks(lab: &Lab) -> String {
    let topology = lab.topology();
    assert!(topology.unfit.is_empty(), "{:?}", topology.unfit);
    let words = topology.labels.iter().flat_map(|marks| {
        let all = marks.labels.iter().chain(&marks.taints);
        all.map(|(key, value)| match value {
            Some(value) => format!("{}: {key}={value}", marks.node),
            None => format!("{}: no {key}", marks.node),
        })
    });
    words.collect::<Vec<_>>().join("\n")
}

/// All of the inventory, and a person's own.
const RIGHT: [(&str, &str); 4] = [
    ("disk", "ssd"),
    ("example.org/rack", "r1"),
    ("owner", "me"),
    ("node.kubernetes.io/instance-type", "k3s"),
];

const TAINTED: [(&str, &str); 2] = [("gpu:NoSchedule", "yes"), ("gpu:NoExecute", "mine")];

#[test]
fn a_node_that_is_as_the_inventory_says_is_left_with_what_a_person_gave_it() {
    assert_eq!(marks(&lab(&RIGHT, &TAINTED)), "");
}

#[test]
fn keys_that_the_inventory_names_or_named_are_looked_at_and_no_others() {
    let changed = [("disk", "hdd"), ("zone", "paris"), ("owner", "me")];
    insta::assert_snapshot!(marks(&lab(&changed, &[("old:NoSchedule", "")])), @r"
    w1: disk=ssd
    w1: example.org/rack=r1
    w1: no zone
    w1: gpu:NoSchedule=yes
    w1: no old:NoSchedule
    ");
    // One of these alone is enough.
    let named = [&RIGHT[..], &[("zone", "paris")]].concat();
    assert_ne!(marks(&lab(&named, &TAINTED)), "");
    assert_ne!(marks(&lab(&RIGHT, &[("gpu:NoSchedule", "no")])), "");
}

#[test]
fn a_typed_line_takes_nothing_away_and_a_host_that_is_not_worked_on_keeps_what_it_has() {
    let changed = [("disk", "hdd"), ("zone", "paris")];
    let mut typed = lab(&changed, &TAINTED);
    typed.keep = true;
    insta::assert_snapshot!(marks(&typed), @r"
    w1: disk=ssd
    w1: example.org/rack=r1
    w1: gpu:NoSchedule=yes
    ");
    assert_eq!(marks(&lab(&changed, &[]).only(&["m1"])), "");
    let unreached = Lab::new(LABELLED).with("m1", member);
    assert_eq!(marks(&unreached), "");
}

#[test]
fn a_node_of_another_machine_or_of_one_that_has_not_joined_is_not_touched() {
    let lab = || lab(&[], &[]);
    assert_ne!(marks(&lab()), "");
    let elsewhere = lab().with("m1", |facts| {
        facts.node.nodes[1].internal_ip = "10.0.0.99".parse().ok();
    });
    assert_eq!(marks(&elsewhere), "");
    let without_uid = lab().with("m1", |facts| facts.node.nodes[1].uid.clear());
    assert_eq!(marks(&without_uid), "");
    let wiped = lab().with("w1", |facts| {
        (facts.node.joined, facts.node.owns_node) = (false, false);
    });
    assert_eq!(marks(&wiped), "");
}

#[test]
fn where_no_server_can_be_asked_the_user_is_told_what_to_type() {
    let inventory = "cluster: {server_url: 'https://10.0.0.1:6443', agent_token: secret-two}
hosts:
  w1: {address: 10.0.0.11, role: agent, labels: {disk: ssd}, taints: ['gpu=yes:NoSchedule']}
";
    let lab = Lab::new(inventory)
        .with("w1", agent("https://10.0.0.1:6443"))
        .with("w1", |facts| {
            let config = facts.node.config.as_ref().expect("a config").expose();
            facts.node.config = Some(Secret::new(&format!(
                "{config}\nnode-label: ['$(reboot)=x', disk=hdd]\n"
            )));
        });
    let topology = lab.topology();
    assert!(topology.unfit.is_empty(), "{:?}", topology.unfit);
    insta::assert_snapshot!(topology.notes.join("\n"), @"w1: its labels and taints differ from those it joined with, and no server of its cluster is in the inventory to change them:  kubectl label node w1 --overwrite disk=ssd  and  kubectl taint node w1 --overwrite gpu=yes:NoSchedule");
    assert_eq!(
        topology.specs["w1"].config["node-label"],
        serde_json::json!(["$(reboot)=x", "disk=hdd"])
    );
}
