//! Where the cluster stands, and who leads.

use super::*;
use crate::facts::Member;

fn new(leader: &str) -> Stage {
    Stage::New {
        leader: leader.into(),
    }
}

fn waits(shape: &Shape, host: &str) -> bool {
    shape.waiting.contains_key(host) && !shape.places.contains_key(host)
}

#[test]
fn a_new_cluster_is_led_by_the_first_server_and_nobody_else_knows_a_token_yet() {
    let shape = Lab::new(THREE).shape();
    assert_eq!(shape.stage, new("m1"));
    let leader = &shape.places["m1"];
    assert_eq!((leader.part, leader.voter), (Part::Leader, true));
    assert_eq!(text(leader, "token"), "fresh-server");
    assert_eq!(text(leader, "agent-token"), "fresh-agent");
    assert_eq!(leader.config["cluster-init"], true);
    for joiner in ["m2", "m3"] {
        let place = &shape.places[joiner];
        assert_eq!((place.part, text(place, "token")), (Part::Joining, LATER));
        assert_eq!(text(place, "server"), "https://10.0.0.1:6443");
    }
    assert_eq!(text(&shape.places["w1"], "token"), LATER);
    assert!(!shape.places["w1"].config.contains_key("agent-token"));
}

#[test]
fn a_single_server_keeps_its_data_in_sqlite_unless_told_otherwise() {
    for (inventory, etcd) in [
        (ONE.to_owned(), false),
        (format!("cluster: {{datastore: etcd}}{ONE}"), true),
    ] {
        let place = Lab::new(&inventory).shape().places["m1"].clone();
        assert_eq!(place.config.contains_key("cluster-init"), etcd);
        assert_eq!(place.voter, etcd);
    }
}

#[test]
fn a_leader_that_was_cut_off_after_its_config_goes_on_with_its_own_token() {
    let lab = Lab::new(THREE).with("m2", |facts| {
        facts.k3s.config = Some(Secret::new(
            "token: from-the-first-try\ncluster-init: true\n",
        ));
    });
    let shape = lab.shape();
    assert_eq!(shape.stage, new("m2"));
    assert_eq!(text(&shape.places["m2"], "token"), "from-the-first-try");
}

#[test]
fn a_cluster_is_not_made_while_a_server_may_hold_its_data_or_the_leader_may_not_be_changed() {
    let no_systemd = |facts: &mut Facts| facts.systemd = false;
    for (lab, reason) in [
        (Lab::new(THREE).without("m2"), "m2 was not"),
        (Lab::new(THREE).with("m1", no_systemd), "m1, cannot be used"),
        (
            Lab::new(THREE).only(&["m2", "w1"]),
            "m1, is outside --limit",
        ),
    ] {
        let shape = lab.shape();
        assert_eq!(shape.stage, Stage::Unknown, "{reason}");
        assert!(shape.places.is_empty(), "{reason}");
        assert!(
            waits(&shape, "w1") && shape.waiting["w1"].contains(reason),
            "{shape:?}"
        );
    }
}

#[test]
fn a_server_whose_disk_did_not_come_up_keeps_the_others_from_making_a_cluster() {
    let missing = |facts: &mut Facts| {
        facts.k3s.node_password = true;
        facts.k3s.server_unit = unit("failed", "failed");
        facts.k3s.config = Some(Secret::new("data-dir: /data/k3s\n"));
    };
    let lab = Lab::new(THREE).with("m3", missing);
    for lab in [lab.only(&["m1", "m2"]), Lab::new(THREE).with("m3", missing)] {
        let shape = lab.shape();
        assert_eq!(shape.stage, Stage::Unknown);
        assert_eq!(
            shape.waiting["m1"],
            "a cluster is only made when no server misses its data, and m3 has none in /data/k3s"
        );
    }
}

#[test]
fn a_server_with_the_ca_of_a_cluster_that_is_gone_is_refused() {
    let half_removed = |facts: &mut Facts| facts.k3s.ca_hash = Some(HASH.into());
    insta::assert_snapshot!(Lab::new(THREE).with("m2", half_removed).refusal(), @r"
    m2: there is a cluster's CA in /var/lib/rancher/k3s, and nothing else of that cluster
      m1 is to make a new cluster, which m2 could not join
      → towline reset -i lab.yaml --limit m2
    ");
    // The first server may have been cut off after it made its own; a person's own is on all.
    let own = Lab::new(THREE).with("m1", half_removed);
    assert_eq!(own.shape().stage, new("m1"));
    assert_eq!(own.with("m2", half_removed).shape().stage, new("m1"));
}

#[test]
fn agents_wait_for_a_server_that_is_starting() {
    fn starting(facts: &mut Facts) {
        stopped(facts);
        facts.k3s.server_unit = unit("activating", "start");
    }
    let lab = |m1: fn(&mut Facts)| {
        let joined = agent("https://10.0.0.1:6443");
        Lab::new(ONE)
            .with("m1", m1)
            .with("w1", joined)
            .only(&["w1"])
    };
    let in_vain = |facts: &mut Facts| {
        starting(facts);
        facts.k3s.server_unit.sub = "auto-restart".into();
    };
    assert!(!lab(starting).shape().unserved);
    assert!(lab(stopped).shape().unserved && lab(in_vain).shape().unserved);
}

#[test]
fn an_unfit_server_that_holds_nothing_does_not_keep_the_others_from_making_a_cluster() {
    let shape = Lab::new(THREE)
        .with("m2", |facts| facts.systemd = false)
        .shape();
    assert_eq!(shape.stage, new("m1"));
    assert!(shape.unfit.contains_key("m2") && !shape.places.contains_key("m2"));
}

#[test]
fn a_running_cluster_answers_through_its_first_healthy_member() {
    let shape = running().with("m1", stopped).shape();
    assert_eq!(shape.stage, Stage::Running { via: "m2".into() });
    let parts: Vec<_> = shape.places.values().map(|place| place.part).collect();
    assert_eq!(
        parts,
        [Part::Member, Part::Member, Part::Member, Part::Agent]
    );
}

#[test]
fn nothing_joins_through_a_server_that_cannot_be_used_as_it_is() {
    let lab = Lab::new(THREE)
        .with("m1", member)
        .with("m1", |facts| facts.addresses.clear());
    let shape = lab.shape();
    assert_eq!(shape.stage, Stage::Unknown);
    assert!(waits(&shape, "m2") && waits(&shape, "w1"));
}

#[test]
fn servers_that_are_all_down_start_together_and_what_joins_is_planned_after_them() {
    let lab = Lab::new(THREE).with("m1", stopped).with("m2", stopped);
    let shape = lab.shape();
    assert_eq!(shape.stage, Stage::Down);
    assert_eq!(shape.places["m3"].part, Part::Joining);
    let shape = lab.only(&["m3", "w1"]).shape();
    assert!(
        waits(&shape, "m3") && waits(&shape, "w1"),
        "nobody starts the members: {shape:?}"
    );
}

#[test]
fn no_placeholder_is_ever_left_to_be_written() {
    let unreached = |lab: Lab| lab.without("m1").without("m2").without("m3");
    let joined = agent("https://192.0.2.7:6443");
    let shape = unreached(Lab::new(THREE).with("w1", &joined)).shape();
    let place = &shape.places["w1"];
    assert_eq!(text(place, "server"), "https://192.0.2.7:6443");
    assert_eq!(text(place, "token"), format!("K10{HASH}::node:secret-two"));
    // One that lost its token cannot be given another without a server.
    let lost = unreached(Lab::new(THREE).with("w1", &joined).with("w1", |facts| {
        facts.k3s.config = Some(Secret::new("server: https://10.0.0.1:6443\n"));
    }));
    assert!(waits(&lost.shape(), "w1"));
}

#[test]
fn a_cluster_elsewhere_is_joined_by_its_address_with_what_was_given() {
    let lab = Lab::new(
        "cluster: {server_url: 'https://k8s.example.org:6443', token: given-one, agent_token: given-two}\n\
         hosts:\n  m1: {address: 10.0.0.1, role: server}\n  w1: {address: 10.0.0.11, role: agent}\n",
    );
    let shape = lab.shape();
    assert_eq!(shape.stage, Stage::Elsewhere);
    for (host, token) in [("m1", "given-one"), ("w1", "given-two")] {
        let place = &shape.places[host];
        assert_eq!(text(place, "server"), "https://k8s.example.org:6443");
        assert_eq!(text(place, "token"), token);
    }
    assert_eq!(shape.places["m1"].part, Part::Joining);
}

#[test]
fn fresh_tokens_are_random_and_never_shown() {
    let (one, other) = (Fresh::generate(), Fresh::generate());
    assert_eq!(one.server.expose().len(), 32);
    assert!(one.server != other.server && one.server != one.agent);
    let shown = format!("{one:?} {:?}", Lab::new(THREE).shape());
    assert!(
        !shown.contains(one.server.expose()) && !shown.contains("fresh-"),
        "{shown}"
    );
}

#[test]
fn healthy_servers_are_not_restarted_when_one_more_would_cost_the_quorum() {
    let voters = |facts: &mut Facts| {
        facts.k3s.nodes = [("m1", "10.0.0.1"), ("m2", "10.0.0.2"), ("m3", "10.0.0.3")]
            .map(|(name, address)| Node {
                voter: Some(true),
                ..node(name, true, address)
            })
            .into();
    };
    let fragile = |lab: Lab| lab.with("m1", voters).shape().fragile;
    assert_eq!(fragile(running()), None, "all are up");
    assert_eq!(
        fragile(running().with("m3", stopped)),
        None,
        "this run starts it first"
    );
    let costly = [
        running().without("m3"),
        running().with("m3", stopped).only(&["m1", "m2"]),
        // Wiped: it joins again when the servers of the cluster have had their turn.
        running().with("m3", |facts| *facts = bare("m3", "10.0.0.3")),
    ];
    for lab in costly {
        assert_eq!(
            fragile(lab).as_deref(),
            Some(
                "1 of 3 servers down (m3): no other server is restarted now, since etcd would lose quorum"
            )
        );
    }
}

#[test]
fn a_server_that_etcd_does_not_know_any_more_joins() {
    let member = |node: &str| Member {
        node: node.into(),
        is_learner: false,
        answers: None,
    };
    let part = |members: &[&str]| {
        let members: Vec<_> = members.iter().map(|node| member(node)).collect();
        let lab = running().with("m1", |facts| facts.k3s.members = members);
        let shape = lab.shape();
        assert!(shape.forget.is_empty());
        shape.places["m3"].clone()
    };
    let removed = part(&["m1", "m2"]);
    assert_eq!(removed.part, Part::Joining);
    assert_eq!(text(&removed, "server"), "https://10.0.0.1:6443");
    assert_eq!(part(&["m1", "m2", "m3"]).part, Part::Member);
    assert_eq!(
        part(&["m1", "m2", ""]).part,
        Part::Member,
        "it may be that one"
    );
    assert_eq!(part(&[]).part, Part::Member, "etcd did not say");
    // The API of the first one answers for a while, and its etcd does not.
    let lab = running().with("m2", |facts| {
        facts.k3s.members = ["m2", "m3"].map(member).into();
    });
    let shape = lab.shape();
    assert_eq!(shape.stage, Stage::Running { via: "m2".into() });
    assert_eq!(shape.places["m1"].part, Part::Joining);
}

#[test]
fn one_server_of_three_is_known_to_wait_for_another() {
    let down = || running().with("m1", stopped).with("m2", stopped);
    let wiped = |facts: &mut Facts| *facts = bare("m3", "10.0.0.3");
    let lab = down().without("m2").with("m3", wiped);
    let told = "the cluster does not answer: etcd needs more than half of its members, 2 of m1, m2, m3, and only m1 was reached with its data; switch on m2, then run the same command again; m3 has no data and joins when the cluster answers";
    let shape = lab.shape();
    assert!(shape.notes.contains(&told.to_owned()), "{:?}", shape.notes);
    let few = shape.outnumbered.expect("too few");
    assert_eq!(
        few.awaited,
        [("m2".to_owned(), "https://10.0.0.2:2380".to_owned())]
    );
    assert_eq!(down().with("m3", wiped).shape().outnumbered, None);
}
