//! Restores: what is done next, and what is refused.

use super::*;
use crate::cluster::{LocalSnapshot, RestoreFrom, RestorePhase, restore};

const ID: &str = "0123456789abcdef0123456789abcdef";

fn snapshot(datastore: Datastore, version: &str) -> LocalSnapshot {
    LocalSnapshot {
        path: "/home/one/early.db".into(),
        sha256: HASH.into(),
        bytes: 4128,
        datastore,
        version: Some(version.into()),
    }
}

/// What is done next, or what is refused.
fn next(lab: &Lab) -> String {
    next_of(lab, &snapshot(Datastore::Etcd, VERSION))
}

fn next_of(lab: &Lab, snapshot: &LocalSnapshot) -> String {
    told(lab, RestoreFrom::Snapshot(snapshot))
}

fn told(lab: &Lab, from: RestoreFrom<'_>) -> String {
    match restore(&lab.situation(), from, VERSION) {
        Ok(RestorePhase::Stop { first, servers }) => {
            let servers: Vec<_> = servers.iter().map(|(host, _)| &**host).collect();
            format!("stop {}; then {first} begins", servers.join(", "))
        }
        Ok(RestorePhase::Begin { first }) => format!("{first} begins"),
        Ok(RestorePhase::Follow) => "the others follow".into(),
        Err(problems) => problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect(),
    }
}

/// A server whose data was put aside.
fn emptied(facts: &mut Facts) {
    stopped(facts);
    facts.node.datastore = None;
}

/// One that has begun with a snapshot of this hash.
fn begun(sha256: &'static str) -> impl Fn(&mut Facts) {
    move |facts| {
        member(facts);
        facts.node.restored = Some((ID.into(), sha256.into()));
    }
}

#[test]
fn a_restore_stops_all_servers_then_one_begins_and_the_others_follow() {
    assert_eq!(next(&running()), "stop m1, m2, m3; then m1 begins");
    assert_eq!(next(&Lab::new(THREE)), "m1 begins");
    // Where a run was killed in between.
    let half = running().with("m1", emptied);
    assert_eq!(next(&half), "stop m2, m3; then m1 begins");
    let lab = ["m1", "m2", "m3"]
        .into_iter()
        .fold(Lab::new(THREE), |lab, host| lab.with(host, emptied));
    assert_eq!(next(&lab), "m1 begins");
    let lab = lab.with("m1", begun(HASH));
    assert_eq!(next(&lab), "the others follow");
    assert_eq!(
        lab.topology().restore.map(|order| order.id),
        Some(ID.into())
    );
    // Of another snapshot, or where the data of that restore is gone again.
    let other = lab.with("m1", begun("other"));
    assert_eq!(next(&other), "stop m1; then m1 begins");
    let gone = other.with("m1", begun(HASH)).with("m1", emptied);
    assert_eq!(next(&gone), "m1 begins");
    assert_eq!(gone.topology().restore, None);
}

#[test]
fn what_agents_join_with_is_in_the_snapshot_and_is_not_made_anew() {
    let lab = Lab::new(&format!("cluster: {{token: secret-one}}{THREE}"));
    let config = |restores| {
        let situation = Situation {
            restores,
            ..lab.situation()
        };
        let topology = topology(&situation, VERSION).expect("a topology");
        topology.specs["m1"].config.contains_key("agent-token")
    };
    assert!(config(false) && !config(true));
}

#[test]
fn what_would_not_bring_the_cluster_back_is_refused() {
    let lab = running().without("m2").with("m3", |facts| {
        facts.node.foreign = Some(crate::facts::ForeignUnit {
            unit: "k3s".into(),
            text: Secret::new(""),
            environment: Secret::new(""),
        });
    });
    insta::assert_snapshot!(next_of(&lab, &snapshot(Datastore::Sqlite, "v1.99.0+k3s1")), @r"
    m2: this server was not reached
      when it comes back, it comes with the data that is to be replaced
      → bring it back; or take it out of the inventory, and erase its disk before it is started again
    m3: k3s was not installed by towline here
      → take it over first:
        towline deploy -i FILE --adopt
    the snapshot was taken by v1.99.0+k3s1, and v1.36.3+k3s1 is older
      an older Kubernetes does not read what a newer one has stored
      → let the inventory name that version, or a later one:
        cluster: {version: v1.99.0+k3s1}
    it is a snapshot of sqlite, which only a single server has
      → restore it with the first server alone in the inventory, then deploy with the others
    ");
}

#[test]
fn a_restore_forgets_the_nodes_of_new_machines_wherever_they_were() {
    let listed = |facts: &mut Facts| {
        begun(HASH)(facts);
        facts.node.nodes = vec![
            node("m1", true, "10.0.0.1"),
            node("m2", true, "10.0.0.2"),
            node("m3", true, "10.9.9.9"),
        ];
    };
    let lab = Lab::new(THREE).with("m1", listed).with("m2", emptied);
    assert_eq!(forgotten(&lab.topology()), ["m3"]);
    // Without a restore, that is another machine's name.
    let lab = lab.with("m1", |facts| facts.node.restored = None);
    assert!(lab.try_shape().is_err());
}

#[test]
fn a_cluster_that_lost_its_quorum_goes_on_with_one_server_of_those_that_have_data() {
    let recover = |lab: &Lab, named| told(lab, RestoreFrom::Survivor(named));
    insta::assert_snapshot!(recover(&running(), None), @r"
    m1 is READY and answers: the cluster has not lost its quorum
      → to bring its other servers back, or new ones in:
        towline deploy -i FILE
    ");
    // m1 was replaced by an empty machine, m2 and m3 are left of five.
    let lab = Lab::new(THREE).with("m2", stopped).with("m3", |facts| {
        stopped(facts);
        facts.clock = 1000;
        facts.node.data_changed = Some(400);
        facts.node.server_unit = unit("activating", "start");
    });
    insta::assert_snapshot!(recover(&lab, None), @r"
    more than one server has data of etcd, and the cluster goes on with that of one
      m2: its data changed last at an unknown time
      m3: its data changed last 600 s before it was asked
      → name the one with the latest data:  --from HOST
    ");
    assert_eq!(recover(&lab, Some("m3")), "stop m2, m3; then m3 begins");
    assert!(recover(&lab, Some("m1")).starts_with("m1: it is no server"));
    let alone = lab.with("m2", emptied).with("m3", stopped);
    assert_eq!(recover(&alone, None), "m3 begins");
    let zeros = "0000000000000000000000000000000000000000000000000000000000000000";
    let begun = alone.with("m3", begun(zeros));
    assert_eq!(recover(&begun, None), "the others follow");
}
