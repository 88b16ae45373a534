//! Where the cluster stands, and who leads.

use super::*;
use crate::facts::Member;
use crate::facts::PortAnswer;

fn new(leader: &str) -> ClusterState {
    ClusterState::New {
        leader: leader.into(),
    }
}

fn waits(topology: &Topology, host: &str) -> bool {
    topology.waiting.contains_key(host) && !topology.specs.contains_key(host)
}

#[test]
fn a_new_cluster_is_led_by_the_first_server_and_nobody_else_knows_a_token_yet() {
    let topology = Lab::new(THREE).topology();
    assert_eq!(topology.state, new("m1"));
    let leader = &topology.specs["m1"];
    assert_eq!((leader.role, leader.voter), (NodeRole::Leader, true));
    assert_eq!(text(leader, "token"), "new-server");
    assert_eq!(text(leader, "agent-token"), "new-agent");
    assert_eq!(leader.config["cluster-init"], true);
    for joiner in ["m2", "m3"] {
        let spec = &topology.specs[joiner];
        assert_eq!((spec.role, text(spec, "token")), (NodeRole::Joining, LATER));
        assert_eq!(text(spec, "server"), "https://10.0.0.1:6443");
    }
    assert_eq!(text(&topology.specs["w1"], "token"), LATER);
    assert!(!topology.specs["w1"].config.contains_key("agent-token"));
}

#[test]
fn a_single_server_keeps_its_data_in_sqlite_unless_told_otherwise() {
    for (inventory, etcd) in [
        (ONE.to_owned(), false),
        (format!("cluster: {{datastore: etcd}}{ONE}"), true),
    ] {
        let spec = Lab::new(&inventory).topology().specs["m1"].clone();
        assert_eq!(spec.config.contains_key("cluster-init"), etcd);
        assert_eq!(spec.voter, etcd);
    }
}

#[test]
fn a_leader_that_was_cut_off_after_its_config_goes_on_with_its_own_token() {
    let lab = Lab::new(THREE).with("m2", |facts| {
        facts.node.config = Some(Secret::new(
            "token: from-the-first-try\ncluster-init: true\n",
        ));
    });
    let topology = lab.topology();
    assert_eq!(topology.state, new("m2"));
    assert_eq!(text(&topology.specs["m2"], "token"), "from-the-first-try");
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
        let topology = lab.topology();
        assert_eq!(topology.state, ClusterState::Unknown, "{reason}");
        assert!(topology.specs.is_empty(), "{reason}");
        assert!(
            waits(&topology, "w1") && topology.waiting["w1"].contains(reason),
            "{topology:?}"
        );
    }
}

#[test]
fn a_server_whose_disk_did_not_come_up_keeps_the_others_from_making_a_cluster() {
    let missing = |facts: &mut Facts| {
        facts.node.owns_node = true;
        facts.node.server_unit = unit("failed", "failed");
        facts.node.config = Some(Secret::new("data-dir: /data/k3s\n"));
    };
    let lab = Lab::new(THREE).with("m3", missing);
    for lab in [lab.only(&["m1", "m2"]), Lab::new(THREE).with("m3", missing)] {
        let topology = lab.topology();
        assert_eq!(topology.state, ClusterState::Unknown);
        assert_eq!(
            topology.waiting["m1"],
            "a cluster is only made when no server misses its data, and m3 has none in /data/k3s"
        );
    }
}

#[test]
fn a_server_with_the_ca_of_a_cluster_that_is_gone_is_refused() {
    let half_removed = |facts: &mut Facts| facts.node.ca_hash = Some(HASH.into());
    insta::assert_snapshot!(Lab::new(THREE).with("m2", half_removed).refusal(), @r"
    m2: there is a cluster's CA in /var/lib/rancher/k3s, and nothing else of that cluster
      m1 is to make a new cluster, which m2 could not join
      → towline reset -i lab.yaml --limit m2
    ");
    // The first server may have been cut off after it made its own; the user's own is on all.
    let own = Lab::new(THREE).with("m1", half_removed);
    assert_eq!(own.topology().state, new("m1"));
    assert_eq!(own.with("m2", half_removed).topology().state, new("m1"));
}

#[test]
fn agents_wait_for_a_server_that_is_starting() {
    fn starting(facts: &mut Facts) {
        stopped(facts);
        facts.node.server_unit = unit("activating", "start");
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
        facts.node.server_unit.sub = "auto-restart".into();
    };
    assert!(!lab(starting).topology().no_server);
    assert!(lab(stopped).topology().no_server && lab(in_vain).topology().no_server);
}

#[test]
fn an_unfit_server_that_holds_nothing_does_not_keep_the_others_from_making_a_cluster() {
    let topology = Lab::new(THREE)
        .with("m2", |facts| facts.systemd = false)
        .topology();
    assert_eq!(topology.state, new("m1"));
    assert!(topology.unfit.contains_key("m2") && !topology.specs.contains_key("m2"));
}

#[test]
fn a_running_cluster_answers_through_its_first_healthy_member() {
    let topology = running().with("m1", stopped).topology();
    assert_eq!(topology.state, ClusterState::Running { via: "m2".into() });
    let parts: Vec<_> = topology.specs.values().map(|spec| spec.role).collect();
    assert_eq!(
        parts,
        [
            NodeRole::Member,
            NodeRole::Member,
            NodeRole::Member,
            NodeRole::Agent
        ]
    );
}

#[test]
fn nothing_joins_through_a_server_that_cannot_be_used_as_it_is() {
    let lab = Lab::new(THREE)
        .with("m1", member)
        .with("m1", |facts| facts.addresses.clear());
    let topology = lab.topology();
    assert_eq!(topology.state, ClusterState::Unknown);
    assert!(waits(&topology, "m2") && waits(&topology, "w1"));
}

#[test]
fn servers_that_are_all_down_start_together_and_what_joins_is_planned_after_them() {
    let lab = Lab::new(THREE).with("m1", stopped).with("m2", stopped);
    let topology = lab.topology();
    assert_eq!(topology.state, ClusterState::Down);
    assert_eq!(topology.specs["m3"].role, NodeRole::Joining);
    let topology = lab.only(&["m3", "w1"]).topology();
    assert!(
        waits(&topology, "m3") && waits(&topology, "w1"),
        "nothing starts the members: {topology:?}"
    );
}

#[test]
fn no_placeholder_is_ever_left_to_be_written() {
    let unreached = |lab: Lab| lab.without("m1").without("m2").without("m3");
    let joined = agent("https://192.0.2.7:6443");
    let topology = unreached(Lab::new(THREE).with("w1", &joined)).topology();
    let spec = &topology.specs["w1"];
    assert_eq!(text(spec, "server"), "https://192.0.2.7:6443");
    assert_eq!(text(spec, "token"), format!("K10{HASH}::node:secret-two"));
    // One that lost its token cannot be given another without a server.
    let lost = unreached(Lab::new(THREE).with("w1", &joined).with("w1", |facts| {
        facts.node.config = Some(Secret::new("server: https://10.0.0.1:6443\n"));
    }));
    assert!(waits(&lost.topology(), "w1"));
}

#[test]
fn a_cluster_elsewhere_is_joined_by_its_address_with_what_was_given() {
    let lab = Lab::new(
        "cluster: {server_url: 'https://k8s.example.org:6443', token: given-one, agent_token: given-two}\n\
         hosts:\n  m1: {address: 10.0.0.1, role: server}\n  w1: {address: 10.0.0.11, role: agent}\n",
    );
    let topology = lab.topology();
    assert_eq!(topology.state, ClusterState::Elsewhere);
    for (host, token) in [("m1", "given-one"), ("w1", "given-two")] {
        let spec = &topology.specs[host];
        assert_eq!(text(spec, "server"), "https://k8s.example.org:6443");
        assert_eq!(text(spec, "token"), token);
    }
    assert_eq!(topology.specs["m1"].role, NodeRole::Joining);
}

#[test]
fn healthy_servers_are_not_restarted_when_one_more_would_cost_the_quorum() {
    let voters = |facts: &mut Facts| {
        facts.node.nodes = [("m1", "10.0.0.1"), ("m2", "10.0.0.2"), ("m3", "10.0.0.3")]
            .map(|(name, address)| ClusterNode {
                voter: Some(true),
                ..node(name, true, address)
            })
            .into();
    };
    let quorum_at_risk = |lab: Lab| lab.with("m1", voters).topology().quorum_at_risk;
    assert_eq!(quorum_at_risk(running()), None, "all are up");
    assert_eq!(
        quorum_at_risk(running().with("m3", stopped)),
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
            quorum_at_risk(lab).as_deref(),
            Some(
                "1 of 3 servers down (m3): no other server is restarted now, since etcd would lose quorum"
            )
        );
    }
}

#[test]
fn a_server_that_etcd_does_not_know_any_more_joins() {
    let member = |node: &str| Member {
        id: String::new(),
        address: None,
        node: node.into(),
        is_learner: false,
        answers: None,
    };
    let role = |members: &[&str]| {
        let members: Vec<_> = members.iter().map(|node| member(node)).collect();
        let lab = running().with("m1", |facts| facts.node.members = members);
        let topology = lab.topology();
        assert!(topology.forget.is_empty());
        topology.specs["m3"].clone()
    };
    let removed = role(&["m1", "m2"]);
    assert_eq!(removed.role, NodeRole::Joining);
    assert_eq!(text(&removed, "server"), "https://10.0.0.1:6443");
    assert_eq!(role(&["m1", "m2", "m3"]).role, NodeRole::Member);
    assert_eq!(
        role(&["m1", "m2", ""]).role,
        NodeRole::Member,
        "it may be that one"
    );
    assert_eq!(role(&[]).role, NodeRole::Member, "etcd did not say");
    // The API of the first one answers for a while, and its etcd does not.
    let lab = running().with("m2", |facts| {
        facts.node.members = ["m2", "m3"].map(member).into();
    });
    let topology = lab.topology();
    assert_eq!(topology.state, ClusterState::Running { via: "m2".into() });
    assert_eq!(topology.specs["m1"].role, NodeRole::Joining);
}

#[test]
fn one_server_of_three_is_known_to_wait_for_another() {
    let down = || running().with("m1", stopped).with("m2", stopped);
    let wiped = |facts: &mut Facts| *facts = bare("m3", "10.0.0.3");
    let lab = down().without("m2").with("m3", wiped);
    let told = "the cluster does not answer: etcd needs more than half of its members, 2 of m1, m2, m3, and only m1 was reached with its data; switch on m2, then run the same command again; m3 has no data and joins when the cluster answers";
    let topology = lab.topology();
    assert!(
        topology.notes.contains(&told.to_owned()),
        "{:?}",
        topology.notes
    );
    let few = topology.outnumbered.expect("too few");
    assert_eq!(
        few.awaited,
        [("m2".to_owned(), "https://10.0.0.2:2380".to_owned())]
    );
    assert_eq!(down().with("m3", wiped).topology().outnumbered, None);
}

#[test]
fn servers_with_a_database_outside_join_nothing_and_have_no_quorum() {
    let inventory =
        format!("cluster: {{datastore_endpoint: 'postgres://u:hunter2@10.0.0.9/k3s'}}{THREE}");
    let fresh = Lab::new(&inventory).topology();
    for (host, role) in [("m1", NodeRole::Leader), ("m2", NodeRole::Joining)] {
        let spec = &fresh.specs[host];
        assert!(spec.role == role && !spec.voter);
        assert_eq!(text(spec, "token"), "new-server");
        assert_eq!(
            text(spec, "datastore-endpoint"),
            "postgres://u:hunter2@10.0.0.9/k3s"
        );
        assert!(!spec.config.contains_key("server") && !spec.config.contains_key("cluster-init"));
    }
    assert!(!fresh.specs["w1"].config.contains_key("datastore-endpoint"));
    let note = "the database k3s of PostgreSQL at 10.0.0.9:5432: its servers have no quorum";
    assert!(
        fresh.notes.iter().any(|said| said.contains(note)),
        "{:?}",
        fresh.notes
    );
    assert!(!fresh.notes.concat().contains("hunter2"));

    let external = |facts: &mut Facts| {
        member(facts);
        facts.node.datastore = Some(Datastore::External);
    };
    let grown = Lab::new(&inventory)
        .with("m2", external)
        .without("m1")
        .topology();
    assert_eq!(grown.quorum_at_risk, None);
    assert_eq!(text(&grown.specs["m3"], "token"), "secret-one");
    assert_eq!(text(&grown.specs["w1"], "server"), "https://10.0.0.2:6443");
}

#[test]
fn hosts_join_at_the_address_in_front_of_the_servers() {
    let answer = |answer| {
        move |facts: &mut Facts| {
            facts.services = [("10.0.0.100:6443".into(), answer)].into();
        }
    };
    let said =
        format!("cluster: {{registration_address: 10.0.0.100, endpoint: k8s.example.org}}{THREE}");
    let fresh = Lab::new(&said)
        .with("w1", answer(PortAnswer::Silent))
        .topology();
    assert!(!fresh.specs["m1"].config.contains_key("server"));
    for host in ["m2", "w1"] {
        assert_eq!(
            text(&fresh.specs[host], "server"),
            "https://10.0.0.100:6443"
        );
    }
    let names = fresh.specs["m2"].config["tls-san"].to_string();
    assert!(
        names.contains("10.0.0.100") && names.contains("k8s.example.org"),
        "{names}"
    );
    let lost = Lab::new(&said)
        .with("m1", member)
        .with("w1", answer(PortAnswer::Silent));
    assert!(
        lost.refusal()
            .starts_with("w1: nothing answers at 10.0.0.100:6443")
    );

    let endpoint = format!("cluster: {{endpoint: 10.0.0.100}}{THREE}");
    let lab = Lab::new(&endpoint).with("m1", member);
    let joined = lab.with("w1", answer(PortAnswer::Open)).topology();
    assert_eq!(
        text(&joined.specs["w1"], "server"),
        "https://10.0.0.100:6443"
    );
    // m2 was told nothing, as behind a router that does not lead back.
    assert_eq!(text(&joined.specs["m2"], "server"), "https://10.0.0.1:6443");
    assert!(
        joined
            .notes
            .iter()
            .any(|note| note.starts_with("m2: it does not reach the endpoint"))
    );

    let own = format!("cluster: {{endpoint: 10.0.0.1}}{THREE}");
    let own = Lab::new(&own).topology();
    assert_eq!(text(&own.specs["w1"], "server"), "https://10.0.0.1:6443");
}
