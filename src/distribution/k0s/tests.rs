//! What hosts of k0s are told, and what is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::{DISTRIBUTION, K0s};
use crate::cluster::tests::{bare, node, unit};
use crate::cluster::{LATER, NodeRole, Situation, Topology, reset, topology};
use crate::distribution::DIALECTS;
use crate::facts::{Datastore, DropIn, Facts, ForeignUnit, Member};
use crate::inventory::{Inventory, Overrides, Surroundings, load_text};
use crate::kubernetes::kubeconfig::tests::{credentials, source};
use crate::problem::Problem;
use crate::vars::Secret;

const VERSION: &str = "v1.36.3+k0s.2";

const FOUR: &str = "
cluster: {name: home, distribution: k0s, version: v1.36.3+k0s.2, endpoint: k8s.example.org, config: {spec: {network: {provider: calico}}}}
hosts:
  m1: {address: 10.0.0.1, role: server, labels: {disk: ssd}}
  m2: {address: 10.0.0.2, role: controller}
  m3: {address: 10.0.0.3, role: controller+worker, node_name: third}
  w1: {address: 10.0.0.11, role: worker, config: {profile: small, kubelet-extra-args: --max-pods=200}}
";

pub(super) fn read(text: &str) -> Result<Inventory, String> {
    let overrides = Overrides::default();
    let surroundings = Surroundings {
        distributions: &DIALECTS,
        home: None,
        overrides: &overrides,
        variables: |_| None,
        commands: None,
    };
    let read = load_text(text, Path::new("k0s.yaml"), surroundings);
    read.map_err(|errors| errors.render(false, 100))
}

pub(super) struct World {
    inventory: Inventory,
    facts: BTreeMap<String, Facts>,
}

impl World {
    pub(super) fn new(text: &str) -> Self {
        let inventory = read(text).unwrap_or_else(|errors| panic!("{errors}"));
        let hosts = inventory.hosts.iter();
        let facts = hosts.map(|host| {
            let mut facts = bare(&host.name, &host.address);
            facts.node.data_dir = super::DIALECT.data_dir();
            (host.name.clone(), facts)
        });
        Self {
            facts: facts.collect(),
            inventory,
        }
    }

    /// The same with a host that runs as a controller.
    pub(super) fn running(mut self, name: &str, change: impl FnOnce(&mut Facts)) -> Self {
        let facts = self.facts.get_mut(name).expect("a host");
        facts.node.server_unit = unit("active", "running");
        facts.node.datastore = Some(Datastore::Etcd);
        facts.node.version = Some(VERSION.into());
        facts.node.api_ready = true;
        facts.node.ca_hash = Some("ab".repeat(32));
        facts.node.kubeconfig = Some(Secret::new(&source(&credentials())));
        change(facts);
        self
    }

    fn decide<T>(&self, look: impl FnOnce(&Situation<'_>, Topology) -> T) -> T {
        self.decide_on(false, |situation, topology| {
            let topology = topology.unwrap_or_else(|problems| panic!("{problems:?}"));
            look(situation, topology)
        })
    }

    fn situation<'a>(&'a self, selected: &'a BTreeSet<String>) -> Situation<'a> {
        Situation {
            rules: &K0s,
            inventory: &self.inventory,
            facts: &self.facts,
            selected,
            generated: &[],
            adopt: false,
            keep: false,
            restores: false,
        }
    }

    /// What is decided of it, with or without `--adopt`.
    pub(super) fn decide_on<T>(
        &self,
        adopt: bool,
        look: impl FnOnce(&Situation<'_>, Result<Topology, Vec<Problem>>) -> T,
    ) -> T {
        let names: BTreeSet<_> = self.facts.keys().cloned().collect();
        let generated = ["worker.0123456789abcdef", "contro.0123456789abcdef"].map(Secret::new);
        let situation = Situation {
            generated: &generated,
            adopt,
            ..self.situation(&names)
        };
        look(&situation, topology(&situation, VERSION))
    }

    /// What templates see under `k0s` on a host.
    fn variables(&self, name: &str) -> Value {
        self.decide(|situation, topology| {
            let host = situation.inventory.host(name).expect("a host");
            let facts = &situation.facts[name];
            DISTRIBUTION
                .rules
                .variables(situation, &topology, host, facts, Some(VERSION))
        })
    }
}

#[test]
fn each_host_of_a_new_cluster_is_told_its_addresses_and_its_role() {
    let world = World::new(FOUR);
    let seen = ["m1", "m2", "m3", "w1"].map(|name| {
        let told = world.variables(name);
        json!([
            name,
            told["command"],
            told["arguments"],
            told["spec"],
            told["has_node"],
            told["founds"],
            told["token"]
        ])
    });
    insta::assert_snapshot!(serde_json::to_string_pretty(&seen).expect("JSON"));
    let notes = world.decide(|_, topology| topology.notes.join("\n"));
    assert!(notes.contains("a balancer of their own"), "{notes}");
}

#[test]
fn hosts_join_with_tokens_of_this_run_and_a_wiped_member_is_forgotten_first() {
    let member = |id: &str, node: &str, address: &str| Member {
        id: id.into(),
        address: address.parse().ok(),
        node: node.into(),
        is_learner: false,
        answers: None,
    };
    let world = World::new(FOUR).running("m2", |facts| {
        facts.node.members = vec![member("1", "m1", "10.0.0.1"), member("2", "m2", "10.0.0.2")];
    });
    let roles = world.decide(|_, topology| {
        let roles = topology.specs.iter();
        roles
            .map(|(name, spec)| (name.clone(), spec.role))
            .collect::<Vec<_>>()
    });
    let expected = [
        ("m1", NodeRole::Joining),
        ("m2", NodeRole::Member),
        ("m3", NodeRole::Joining),
        ("w1", NodeRole::Agent),
    ];
    assert_eq!(roles, expected.map(|(name, role)| (name.to_owned(), role)));
    let via = world.variables("m2");
    assert_eq!(via["forget"], json!([{"id": "1", "address": "10.0.0.1"}]));
    assert_eq!(
        via["tokens"],
        json!([
            {"role": "worker", "hosts": "w1", "id": "worker", "secret": "0123456789abcdef", "usages": ["usage-bootstrap-authentication"]},
            {"role": "controller", "hosts": "m1, m3", "id": "contro", "secret": "0123456789abcdef",
                "usages": ["usage-bootstrap-controller-join", "usage-controller-join"]},
        ])
    );
    let joins = world.variables("m1");
    assert!(
        joins["token"]
            .as_str()
            .is_some_and(|token| token.starts_with("H4sI"))
    );
    // The stale member is not waited for.
    assert_eq!(
        joins["peers"],
        json!([{
            "address": "10.0.0.2",
            "ports": "9443 2380",
            "what": "the controller that it joins at",
            "next": "look at the firewalls of the two and between them, then run the same command again",
        }])
    );
    assert_eq!(joins["founds"], json!(false));
    assert_ne!(joins["token"], json!(LATER));
    let worker = world.variables("w1");
    assert_ne!(worker["token"], joins["token"]);
    assert_eq!(worker["server"], json!("10.0.0.2"));
}

#[test]
fn a_member_that_is_down_is_named_where_etcd_would_let_no_other_in() {
    let member = |number: u8| Member {
        id: number.to_string(),
        address: format!("10.0.0.{number}").parse().ok(),
        node: format!("m{number}"),
        is_learner: false,
        answers: None,
    };
    let host = |number| format!("  m{number}: {{address: 10.0.0.{number}, role: controller}}\n");
    let seen = |members: u8, down: &str| {
        let hosts: String = (1..=members + 1).map(host).collect();
        let text = format!(
            "cluster: {{name: home, distribution: k0s, version: {VERSION}}}\nhosts:\n{hosts}"
        );
        let mut world = World::new(&text);
        for number in 2..=members {
            world = world.running(&format!("m{number}"), |facts| {
                facts.node.members = (1..=members).map(member).collect();
            });
        }
        world.facts.remove(down);
        let peers = world.variables(&format!("m{}", members + 1))["peers"].clone();
        let peers = peers.as_array().expect("a list").clone();
        peers
            .into_iter()
            .filter(|peer| peer["address"] == json!("10.0.0.1"))
            .collect::<Vec<_>>()
    };
    // Two of three are up, and three of four.
    let down = &seen(3, "m1")[0];
    assert_eq!(down["what"], json!("m1, a member of etcd that is down"));
    insta::assert_snapshot!(down["next"].as_str().expect("words"), @"etcd lets another member in only while 3 of its 3 members are up: start m1; if its machine is gone for good, on a controller that runs:  k0s etcd leave --peer-address 10.0.0.1");
    assert_eq!(seen(4, "m1"), [] as [Value; 0]);
}

#[test]
fn nothing_joins_a_first_controller_that_cannot_be_used() {
    let mut world = World::new(FOUR);
    let facts = world.facts.get_mut("m1").expect("a host");
    facts.node.foreign = Some(ForeignUnit {
        unit: "k0scontroller".into(),
        text: Secret::new("[Service]\nExecStart=/usr/local/bin/k0s controller\n"),
        environment: Secret::new(""),
    });
    world.decide(|_, topology| {
        assert!(topology.unfit.contains_key("m1"), "{:?}", topology.unfit);
        assert!(topology.specs.is_empty(), "{:?}", topology.specs);
        let reason = &topology.waiting["w1"];
        assert_eq!(reason, "the first server, m1, cannot be used as it is");
    });
}

#[test]
fn with_a_balancer_before_the_controllers_all_of_its_ports_are_tried() {
    let text = FOUR.replace(
        "config: {spec: {",
        "config: {spec: {api: {externalAddress: api.example.org}, ",
    );
    let world = World::new(&text).running("m2", |_| {});
    let ports = |name: &str| {
        let peers = world.variables(name)["peers"].clone();
        let peers = peers.as_array().expect("a list").iter();
        let words = |peer: &Value, key: &str| peer[key].as_str().expect("words").to_owned();
        peers
            .map(|peer| format!("{} {}", words(peer, "address"), words(peer, "ports")))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ports("m1"),
        ["10.0.0.2 2380", "api.example.org 6443 9443 8132"]
    );
    assert_eq!(ports("w1"), ["api.example.org 6443 8132"]);
    assert_eq!(world.variables("w1")["server"], json!("api.example.org"));
    let balances = world.decide(|_, topology| topology.notes.join("\n"));
    assert!(!balances.contains("a balancer of their own"), "{balances}");
}

#[test]
fn controllers_join_one_by_one_where_they_vote_at_once() {
    let at_once = [
        "v1.33.1+k0s.0",
        "v1.34.10+k0s.0",
        "v1.35.4+k0s.0",
        "v1.36.0+k0s.0",
    ];
    for version in at_once {
        assert!(DISTRIBUTION.rules.votes_at_once(version), "{version}");
    }
    for version in [
        "v1.35.5+k0s.0",
        "v1.35.7+k0s.0",
        "v1.36.1+k0s.0",
        VERSION,
        "v1.37.0+k0s.0",
    ] {
        assert!(!DISTRIBUTION.rules.votes_at_once(version), "{version}");
    }
}

#[test]
fn a_controller_that_is_no_node_is_up_unless_its_host_is_known_to_be_down() {
    let members = ["m1", "m2"].map(|name| Member {
        id: name.trim_start_matches('m').into(),
        address: format!("10.0.0.{}", &name[1..]).parse().ok(),
        node: name.into(),
        is_learner: false,
        answers: None,
    });
    let world = World::new(FOUR)
        .running("m2", |_| {})
        .running("m1", |facts| {
            facts.node.members = members.into();
            facts.node.nodes = vec![node("m1", true, "10.0.0.1")];
        });
    let down = |world: &World| {
        let notes = world.decide(|_, topology| topology.notes);
        let said = notes.into_iter().find(|note| note.contains("down"));
        said.unwrap_or_default()
    };
    assert_eq!(down(&world), "");
    let mut without = world;
    without.facts.remove("m2");
    assert_eq!(
        down(&without),
        "1 of 2 servers down (m2): no other server is restarted now, since etcd would lose quorum"
    );
}

#[test]
fn what_is_told_on_a_host_is_read_from_its_unit() {
    let mut facts = bare("w1", "10.0.0.11");
    let unit = "[Service]\nExecStart=/usr/local/bin/k0s worker \"--kubelet-extra-args=--node-ip=10.0.0.11 --hostname-override=w-1\" --data-dir=/srv/k0s $JOIN_FLAG\n";
    facts.node.drop_ins = [
        ("k0sworker.service", unit),
        ("kubelet.conf", "server: https://10.0.0.1:6443\n"),
    ]
    .map(|(name, text)| DropIn {
        name: name.into(),
        text: Secret::new(text),
    })
    .into();
    let told = DISTRIBUTION.rules.told(&facts);
    assert_eq!(told.node_name.as_deref(), Some("w-1"));
    assert_eq!(told.node_ip, "10.0.0.11".parse().ok());
    assert_eq!(told.server.as_deref(), Some("https://10.0.0.1:6443"));
    assert_eq!(
        told.data_dir.expect("a folder").expect("named").as_str(),
        "/srv/k0s"
    );
    let folders = DISTRIBUTION.rules.folders(&facts).folders;
    assert_eq!(folders.kubelet(), "/srv/k0s/kubelet");
}

#[test]
fn what_a_cluster_was_made_with_is_not_changed() {
    let world = World::new(FOUR).running("m1", |facts| {
        facts.node.config = Some(Secret::new("spec: {network: {provider: kuberouter}}\n"));
    });
    let names: BTreeSet<_> = world.facts.keys().cloned().collect();
    let refused = topology(&world.situation(&names), VERSION).expect_err("refused");
    insta::assert_snapshot!(refused[0], @r"
    m1: spec.network.provider is kuberouter in this cluster, and would be calico
      what runs in the cluster was made with it
      → let the inventory say what the cluster has:
        cluster: {config: {spec: {network: {provider: kuberouter}}}}
    ");
}

#[test]
fn a_worker_that_knows_only_a_controller_that_leaves_is_told_of_another_one() {
    let nodes = [("m1", "10.0.0.1"), ("m2", "10.0.0.2"), ("w1", "10.0.0.11")];
    let nodes = nodes.map(|(name, address)| node(name, true, address));
    let runs = |facts: &mut Facts| facts.node.nodes = nodes.clone().into();
    let mut world = World::new(FOUR).running("m1", runs).running("m2", runs);
    let worker = world.facts.get_mut("w1").expect("a host");
    worker.node.joined = true;
    worker.node.agent_unit = unit("active", "running");
    worker.node.drop_ins = vec![DropIn {
        name: "kubelet.conf".into(),
        text: Secret::new("server: https://10.0.0.1:6443\n"),
    }];
    let selected = ["m1".to_owned()].into();
    let order =
        reset(&world.situation(&selected)).unwrap_or_else(|problems| panic!("{problems:?}"));
    let told = order.successors.iter();
    let told: Vec<_> = told
        .map(|one| format!("{} {} -> {}", one.host, one.from, one.to))
        .collect();
    assert_eq!(told, ["w1 https://10.0.0.1:6443 -> https://10.0.0.2:6443"]);
}
