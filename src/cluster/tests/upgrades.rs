//! Upgrades: which are refused, and what the others do.

use std::time::Duration;

use super::super::upgrade::running;
use super::*;
use crate::cluster::{self, Drain, MaxUnavailable, UpgradePolicy};

const BEFORE: &str = "v1.35.8+k3s1";
const M1: &str = "https://10.0.0.1:6443";

/// A host that runs this version.
fn of(version: &'static str) -> impl Fn(&mut Facts) {
    move |facts| facts.node.version = Some(version.into())
}

/// Nodes as a server lists them, each with its version.
fn nodes(listed: &'static [(&'static str, &'static str, &'static str)]) -> impl Fn(&mut Facts) {
    move |facts| {
        let listed = listed.iter().map(|(name, address, version)| ClusterNode {
            voter: name.starts_with('m').then_some(true),
            version: (*version).into(),
            ..node(name, true, address)
        });
        facts.node.nodes = listed.collect();
    }
}

/// Three servers and an agent, all of which run the version before.
fn before() -> Lab {
    let listed = nodes(&[
        ("m1", "10.0.0.1", BEFORE),
        ("m2", "10.0.0.2", BEFORE),
        ("m3", "10.0.0.3", BEFORE),
        ("w1", "10.0.0.11", BEFORE),
    ]);
    let servers = ["m1", "m2", "m3"].into_iter();
    let lab = servers.fold(Lab::new(THREE), |lab, host| {
        lab.with(host, member)
            .with(host, of(BEFORE))
            .with(host, |facts| {
                listed(facts);
            })
    });
    lab.with("w1", agent(M1)).with("w1", of(BEFORE))
}

/// What an upgrade comes to: what is done to each host, and what is noted; or why it is refused.
fn upgrade(lab: &Lab, drain: Drain) -> Result<(Vec<String>, Vec<String>), String> {
    let policy = UpgradePolicy {
        drain,
        drain_timeout: Duration::from_mins(2),
        max_unavailable: MaxUnavailable::Percent(10),
        snapshot: true,
    };
    let mut topology = lab.topology();
    let order = cluster::upgrade(&lab.situation(), &mut topology, VERSION, policy);
    let order = order.map_err(|problems| {
        let told = problems.iter().map(|problem| format!("{problem}\n"));
        told.collect::<String>()
    })?;
    let hosts = order.hosts.iter().map(|(name, host)| {
        let replaces = if host.replaces { " replaced" } else { "" };
        let drains = if host.drains { " drained" } else { "" };
        format!("{name} from {}{replaces}{drains}", host.from)
    });
    let saved = [("snapshot", order.snapshot), ("copy", order.copy)];
    let saved = saved.iter().filter(|(_, is_so)| *is_so);
    let hosts = hosts.chain(saved.map(|(name, _)| (*name).to_owned()));
    Ok((hosts.collect(), topology.notes))
}

fn refusal(lab: &Lab) -> String {
    upgrade(lab, Drain::Minor).expect_err("it is refused")
}

#[test]
fn another_minor_version_moves_the_pods_first_and_a_snapshot_is_taken() {
    let (hosts, notes) = upgrade(&before(), Drain::Minor).expect("an upgrade");
    assert_eq!(
        hosts,
        [
            "m1 from v1.35.8+k3s1 replaced drained",
            "m2 from v1.35.8+k3s1 replaced drained",
            "m3 from v1.35.8+k3s1 replaced drained",
            "w1 from v1.35.8+k3s1 replaced drained",
            "snapshot",
        ]
    );
    let arithmetic =
        "etcd has 3 members, and 3 vote: while one server restarts 2 vote, and 2 are needed";
    assert!(notes.iter().any(|note| note == arithmetic), "{notes:?}");
    let (hosts, _) = upgrade(&before(), Drain::Never).expect("an upgrade");
    assert_eq!(hosts[0], "m1 from v1.35.8+k3s1 replaced");
}

#[test]
fn what_was_interrupted_goes_on_where_it_was() {
    // m1 is done; the binary of m2 was replaced, and it was not restarted.
    let listed = nodes(&[
        ("m1", "10.0.0.1", VERSION),
        ("m2", "10.0.0.2", BEFORE),
        ("m3", "10.0.0.3", BEFORE),
        ("w1", "10.0.0.11", BEFORE),
    ]);
    let mut lab = before().with("m1", of(VERSION)).with("m2", of(VERSION));
    for host in ["m1", "m2", "m3"] {
        lab = lab.with(host, &listed);
    }
    let (hosts, _) = upgrade(&lab, Drain::Minor).expect("an upgrade");
    assert_eq!(
        hosts[..2],
        [
            "m2 from v1.35.8+k3s1 drained",
            "m3 from v1.35.8+k3s1 replaced drained",
        ]
    );
    let facts = lab.facts.clone();
    let wanted = cluster::wanted_version(&K3s, &lab.inventory, &facts, &lab.selected);
    let told = wanted.expect_err("a deploy does not go on with it");
    assert!(
        told[0].why.contains(&format!("m2 runs {BEFORE}")),
        "{told:?}"
    );
}

#[test]
fn a_node_that_is_alone_is_not_drained_and_its_sqlite_is_copied() {
    let lab = Lab::new("hosts: {m1: {address: 10.0.0.1, role: server}}")
        .with("m1", member)
        .with("m1", of(BEFORE))
        .with("m1", nodes(&[("m1", "10.0.0.1", BEFORE)]))
        .with("m1", |facts| {
            facts.node.datastore = Some(Datastore::Sqlite);
            facts.node.config = Some(Secret::new("token: secret-one\nagent-token: secret-two\n"));
        });
    let (hosts, _) = upgrade(&lab, Drain::Always).expect("an upgrade");
    assert_eq!(hosts, ["m1 from v1.35.8+k3s1 replaced", "copy"]);
}

#[test]
fn a_host_that_is_not_in_the_cluster_is_left_to_the_next_deploy() {
    let mut lab = before();
    lab.facts.insert("w1".into(), bare("w1", "10.0.0.11"));
    let (hosts, notes) = upgrade(&lab, Drain::Minor).expect("an upgrade");
    assert!(
        hosts.iter().all(|host| !host.starts_with("w1")),
        "{hosts:?}"
    );
    let left = "not in the cluster yet, so left to the next deploy: w1";
    assert!(notes.iter().any(|note| note == left), "{notes:?}");
}

#[test]
fn an_upgrade_that_cannot_be_safe_is_refused() {
    insta::assert_snapshot!(refusal(&Lab::new(THREE)), @r"
    there is no cluster yet
      → to make the cluster run:
        towline deploy -i lab.yaml
    ");
    insta::assert_snapshot!(refusal(&before().with("m2", stopped).with("m2", of(BEFORE))), @r"
    m2: it does not run, or is not READY
      servers are upgraded one by one, while all others are well
      → on the host, these show why; bring it back first:
        systemctl status k3s --no-pager; journalctl -u k3s -n 50 --no-pager
    ");
    insta::assert_snapshot!(refusal(&before().without("m3")), @r"
    m3: this server was not reached, and agents are never newer than a server
      → bring it back, or take it out of the cluster:
        towline reset -i lab.yaml --limit m3
    ");
    insta::assert_snapshot!(refusal(&before().only(&["w1"])), @r"
    agents are never newer than a server, and --limit leaves servers out
      m1 runs v1.35.8+k3s1
      m2 runs v1.35.8+k3s1
      m3 runs v1.35.8+k3s1
      → upgrade the servers first, or leave out --limit
    ");
    insta::assert_snapshot!(refusal(&before().with("w1", of("v1.36.4+k3s1")).with("m1", nodes(&[("w1", "10.0.0.11", "v1.36.4+k3s1")]))), @r"
    v1.36.3+k3s1 is older than what runs
      w1 runs v1.36.4+k3s1
      Kubernetes does not go back to an older version
      → name a version that no host is newer than
    ");
}

#[test]
fn what_runs_is_what_the_kubelet_says_as_far_as_it_says_it() {
    let (old, new) = ("v1.36.2+k0s.0", "v1.36.3+k0s.2");
    for (said, binary, runs) in [
        // Replaced, and not started yet.
        ("v1.36.2+k0s", new, "v1.36.2+k0s"),
        ("v1.36.3+k0s", new, new),
        ("v1.36.3", new, new),
        ("v1.36.2", old, old),
        ("v1.36.20", old, "v1.36.20"),
        ("v1.36.3+k3s1", "v1.36.3+k3s1", "v1.36.3+k3s1"),
    ] {
        let node = ClusterNode {
            version: said.into(),
            ..node("m1", true, "10.0.0.1")
        };
        assert_eq!(running(Some(&node), binary, new), runs, "{said}");
    }
    assert_eq!(running(None, old, new), old);
}
