//! What a host's config.yaml says, and what it does not depend on.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn who_joins_a_running_cluster_gets_the_token_of_its_role_with_the_hash_of_the_ca() {
    let lab = Lab::new(THREE).with("m1", member);
    let topology = lab.topology();
    for (host, token) in [
        ("m2", format!("K10{HASH}::server:secret-one")),
        ("w1", format!("K10{HASH}::node:secret-two")),
    ] {
        assert_eq!(text(&topology.specs[host], "token"), token);
        assert_eq!(
            text(&topology.specs[host], "server"),
            "https://10.0.0.1:6443"
        );
    }
    assert_eq!(text(&topology.specs["m2"], "agent-token"), "secret-two");
}

#[test]
fn agents_of_a_cluster_without_an_agent_token_use_the_servers() {
    let lab = Lab::new(THREE).with("m1", member).with("m1", |facts| {
        facts.node.agent_token = None;
        facts.node.config = Some(Secret::new("token: secret-one\n"));
    });
    let spec = &lab.topology().specs["w1"];
    assert_eq!(text(spec, "token"), format!("K10{HASH}::server:secret-one"));
}

#[test]
fn a_member_keeps_what_mattered_at_its_first_start_and_follows_the_inventory_in_the_rest() {
    let lab = Lab::new(
        "cluster: {tls_sans: [k8s.example.org], config: {disable: [traefik]}}\n\
         hosts:\n  m1: {address: 10.0.0.1, role: server, labels: {disk: hdd}}\n",
    )
    .with("m1", member)
    .with("m1", |facts| {
        facts.node.config = Some(Secret::new(
            "token: secret-one\nserver: https://10.0.0.9:6443\ncluster-init: true\n\
             node-label: [disk=ssd]\nnode-taint+: a=b:NoSchedule\ndisable: [metrics-server]\nold: 1\n",
        ));
    });
    let topology = lab.topology();
    let config = serde_json::to_string_pretty(&topology.specs["m1"].config).expect("JSON");
    insta::assert_snapshot!(config, @r#"
    {
      "cluster-init": true,
      "disable": [
        "traefik"
      ],
      "node-ip": "10.0.0.1",
      "node-label": [
        "disk=hdd"
      ],
      "server": "https://10.0.0.9:6443",
      "tls-san": [
        "k8s.example.org",
        "10.0.0.1"
      ],
      "token": "secret-one"
    }
    "#);
}

#[test]
fn labels_and_taints_follow_the_inventory_once_a_server_can_be_asked() {
    let inventory = "hosts:\n  m1: {address: 10.0.0.1, role: server, labels: {disk: ssd}, taints: ['a=c:NoSchedule', 'b:NoExecute']}\n";
    let told = |is: fn(&mut Facts), keep: bool| {
        let mut lab = Lab::new(inventory).with("m1", is).with("m1", |facts| {
            facts.node.config = Some(Secret::new(
                "token: secret-one\nnode-label: [disk=hdd, zone=a]\nnode-taint+: 'a=b:NoSchedule'\n",
            ));
        });
        lab.keep = keep;
        let config = lab.topology().specs["m1"].config.clone();
        format!("{} {}", config["node-label"], config["node-taint"])
    };
    assert_eq!(
        told(member, false),
        r#"["disk=ssd"] ["a=c:NoSchedule","b:NoExecute"]"#
    );
    assert_eq!(
        told(member, true),
        r#"["disk=ssd","zone=a"] ["a=c:NoSchedule","b:NoExecute"]"#
    );
    let as_it_joined = r#"["disk=hdd","zone=a"] ["a=b:NoSchedule"]"#;
    assert_eq!(told(stopped, false), as_it_joined);
}

#[test]
fn a_node_keeps_the_name_it_joined_with() {
    let named = |facts: &mut Facts| {
        facts.node.config = Some(Secret::new("token: secret-one\nnode-name: Old-Name\n"));
    };
    let topology = Lab::new(ONE)
        .with("m1", member)
        .with("m1", named)
        .topology();
    assert_eq!(topology.specs["m1"].node_name, "old-name");
    assert_eq!(text(&topology.specs["m1"], "node-name"), "old-name");
    // A machine that has not joined takes the name of the inventory, or its own.
    let topology = Lab::new(ONE)
        .with("m1", |facts| facts.hostname = "Alpha".into())
        .topology();
    assert_eq!(topology.specs["m1"].node_name, "alpha");
}

#[test]
fn an_agent_keeps_its_server_while_it_is_one_of_the_clusters_and_gets_another_otherwise() {
    for (server, kept) in [
        ("https://10.0.0.3:6443", true),
        ("https://10.0.0.77:6443", false),
        ("https://evil.example:6443", false),
    ] {
        let topology = running().with("w1", agent(server)).topology();
        let expected = if kept {
            server
        } else {
            "https://10.0.0.1:6443"
        };
        assert_eq!(text(&topology.specs["w1"], "server"), expected);
    }
    // A server that was not reached now is known by its node.
    let lab = running()
        .without("m3")
        .with("w1", agent("https://172.16.0.3:6443"))
        .with("m1", |facts| {
            let mut third = node("m3", true, "172.16.0.3");
            third.voter = Some(true);
            facts.node.nodes = vec![third];
        });
    assert_eq!(
        text(&lab.topology().specs["w1"], "server"),
        "https://172.16.0.3:6443"
    );
}

#[test]
fn an_agents_token_stands_in_any_form_that_this_cluster_takes() {
    let other = "0".repeat(64);
    let right = format!("K10{HASH}::node:secret-two");
    for (token, kept) in [
        (right.clone(), true),
        ("secret-two".to_owned(), true),
        (format!("K10{HASH}::server:secret-one"), true),
        (format!("K10{other}::node:secret-two"), false),
        ("secret-three".to_owned(), false),
    ] {
        let lab = running()
            .with("w1", agent("https://10.0.0.1:6443"))
            .with("w1", |facts| {
                facts.node.config = Some(Secret::new(&format!(
                    "server: https://10.0.0.1:6443\ntoken: '{token}'\n"
                )));
            });
        let expected = if kept { &token } else { &right };
        assert_eq!(text(&lab.topology().specs["w1"], "token"), expected);
    }
}

#[test]
fn a_token_of_digits_is_a_token() {
    let lab = Lab::new(THREE).with("m1", |facts| {
        facts.node.config = Some(Secret::new("token: 12345678\n"));
    });
    assert_eq!(text(&lab.topology().specs["m1"], "token"), "12345678");
}

#[test]
fn every_secret_of_a_config_is_known_to_be_masked() {
    let lab = Lab::new(
        "cluster: {config: {etcd-s3-secret-key: bucket-secret}}\nhosts:\n  m1: {address: 10.0.0.1, role: server}\n",
    );
    let own = |facts: &mut Facts| {
        facts.node.config = Some(Secret::new(
            "etcd-s3-access-key: old-key\ntoken: first-one\nnode-ip: 10.0.0.1\n",
        ));
    };
    let lab = lab.with("m1", own);
    let exposed = |secrets: Vec<Secret>| {
        secrets
            .iter()
            .map(|secret| secret.expose().to_owned())
            .collect::<BTreeSet<_>>()
    };
    let ours = exposed(secrets(&lab.topology()));
    assert!(
        ["bucket-secret", "first-one", "new-agent"]
            .iter()
            .all(|secret| ours.contains(*secret)),
        "{ours:?}"
    );
    let theirs = exposed(K3s.secrets(&lab.facts["m1"]));
    assert_eq!(theirs, ["first-one", "old-key"].map(str::to_owned).into());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Neither who is asked first nor who else is there or down shows in a member's config.
    #[test]
    fn a_members_config_depends_on_no_other_host(
        down in proptest::sample::subsequence(vec!["m1", "m3", "m4"], 0..=2),
        others in proptest::sample::subsequence(vec!["m1", "m3", "m4", "w1"], 0..=4).prop_shuffle(),
    ) {
        let host = |name: &str| match name {
            "w1" => "  w1: {address: 10.0.0.11, role: agent}\n".to_owned(),
            name => format!("  {name}: {{address: 10.0.0.{}, role: server}}\n", &name[1..]),
        };
        let own = |facts: &mut Facts| {
            member(facts);
            facts.node.config = Some(Secret::new("server: https://10.0.0.4:6443\ntoken: secret-one\n"));
        };
        let head = "cluster: {datastore: etcd, allow_two_servers: true, tls_sans: [a.example], config: {disable: [traefik]}}\nhosts:\n";
        let alone = Lab::new(&format!("{head}{}", host("m2"))).with("m2", own).topology();
        let all: String = others.iter().map(|name| host(name)).collect();
        let mut lab = Lab::new(&format!("{head}{all}{}", host("m2"))).with("m2", own);
        for name in others.iter().filter(|name| **name != "w1") {
            lab = lab.with(name, if down.contains(name) { stopped } else { member });
        }
        prop_assert_eq!(&lab.topology().specs["m2"].config, &alone.specs["m2"].config);
    }
}
