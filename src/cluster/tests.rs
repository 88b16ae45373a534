//! The rules as tables: an inventory, what the hosts said, what follows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{ClusterState, LATER, NodeRole, NodeSpec, Situation, Topology, topology};
use crate::distribution::k3s::K3s;
use crate::facts::{ClusterNode, Datastore, DropIn, Facts, OperatingSystem, Unit};
use crate::inventory::{self, Inventory, Overrides};
use crate::problem::Problem;
use crate::vars::Secret;

mod addresses;
mod choices;
mod clusters;
mod growing;
mod labels;
mod needs;
mod reaching;
mod refused;
pub(crate) mod resets;
mod restores;
mod states;
mod upgrades;
mod versions;

/// The hash of the cluster's CA.
pub(crate) const HASH: &str = "568b7ee2f0a8a54b8e8c5d0f6f0f4d2dbd4cbd0bd9a2f6d7d0c7b1a2e3f4a5b6";
pub(crate) const VERSION: &str = "v1.36.3+k3s1";

pub(crate) const THREE: &str = "
hosts:
  m1: {address: 10.0.0.1, role: server}
  m2: {address: 10.0.0.2, role: server}
  m3: {address: 10.0.0.3, role: server}
  w1: {address: 10.0.0.11, role: agent}
";

pub(crate) const ONE: &str = "
hosts:
  m1: {address: 10.0.0.1, role: server}
  w1: {address: 10.0.0.11, role: agent}
";

/// A situation in the making: every host bare and reached, all of them selected.
pub(crate) struct Lab {
    pub(crate) inventory: Inventory,
    pub(crate) facts: BTreeMap<String, Facts>,
    pub(crate) selected: BTreeSet<String>,
    pub(crate) generated: [Secret; 2],
    pub(crate) adopt: bool,
    pub(crate) keep: bool,
}

impl Lab {
    pub(crate) fn new(inventory: &str) -> Self {
        let inventory = inventory::parse(
            inventory,
            Path::new("lab.yaml"),
            None,
            &Overrides::default(),
        )
        .unwrap_or_else(|errors| panic!("{}", errors.render(false, 100)));
        let facts = inventory
            .hosts
            .iter()
            .map(|host| (host.name.clone(), bare(&host.name, &host.address)));
        Self {
            facts: facts.collect(),
            selected: inventory
                .hosts
                .iter()
                .map(|host| host.name.clone())
                .collect(),
            generated: ["new-server", "new-agent"].map(Secret::new),
            adopt: false,
            keep: false,
            inventory,
        }
    }

    pub(crate) fn with(mut self, host: &str, change: impl FnOnce(&mut Facts)) -> Self {
        change(self.facts.get_mut(host).expect("it is reached"));
        self
    }

    pub(crate) fn without(mut self, host: &str) -> Self {
        self.facts.remove(host);
        self
    }

    pub(crate) fn only(mut self, hosts: &[&str]) -> Self {
        self.selected = hosts.iter().map(|host| (*host).to_owned()).collect();
        self
    }

    pub(crate) fn situation(&self) -> Situation<'_> {
        Situation {
            rules: &K3s,
            inventory: &self.inventory,
            facts: &self.facts,
            selected: &self.selected,
            generated: &self.generated,
            adopt: self.adopt,
            keep: self.keep,
            restores: false,
        }
    }

    pub(crate) fn try_shape(&self) -> Result<Topology, Vec<Problem>> {
        topology(&self.situation(), VERSION)
    }

    pub(crate) fn topology(&self) -> Topology {
        self.try_shape()
            .unwrap_or_else(|problems| panic!("{problems:?}"))
    }

    pub(crate) fn refusal(&self) -> String {
        let problems = self.try_shape().expect_err("it is refused");
        problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect()
    }
}

/// A machine with nothing but its operating system.
pub(crate) fn bare(name: &str, address: &str) -> Facts {
    let address = if address.contains(':') {
        format!("{address}/64")
    } else if address.parse::<std::net::IpAddr>().is_ok() {
        format!("{address}/24")
    } else {
        "10.0.2.15/24".into()
    };
    Facts {
        hostname: name.to_uppercase(),
        machine_id: format!("id-{name}"),
        architecture: "x86_64".into(),
        os: OperatingSystem {
            id: "debian".into(),
            name: "Debian 12".into(),
            ..OperatingSystem::default()
        },
        systemd: true,
        cgroup: 2,
        addresses: vec![("eth0".into(), address.parse().expect("a network"))],
        default_interface: "eth0".into(),
        ..Facts::default()
    }
}

pub(crate) fn unit(active: &str, sub: &str) -> Unit {
    Unit {
        load: "loaded".into(),
        active: active.into(),
        sub: sub.into(),
        path: "/etc/systemd/system/k3s.service".into(),
        ..Unit::default()
    }
}

/// A server with data that is READY and answers.
pub(crate) fn member(facts: &mut Facts) {
    let k3s = &mut facts.node;
    k3s.datastore = Some(Datastore::Etcd);
    k3s.joined = true;
    k3s.owns_node = true;
    k3s.ca_hash = Some(HASH.into());
    k3s.server_token = Some(Secret::new(&format!("K10{HASH}::server:secret-one")));
    k3s.agent_token = Some(Secret::new(&format!("K10{HASH}::node:secret-two")));
    k3s.version = Some(VERSION.into());
    k3s.server_unit = unit("active", "running");
    k3s.api_ready = true;
    k3s.config = Some(Secret::new(
        "cluster-init: true\ntoken: secret-one\nagent-token: secret-two\n",
    ));
}

/// A server with data that does not run.
pub(crate) fn stopped(facts: &mut Facts) {
    member(facts);
    facts.node.server_unit = unit("inactive", "dead");
    facts.node.api_ready = false;
}

/// An agent that has joined through `server`.
pub(crate) fn agent(server: &'static str) -> impl Fn(&mut Facts) {
    move |facts| {
        let k3s = &mut facts.node;
        k3s.joined = true;
        k3s.owns_node = true;
        k3s.version = Some(VERSION.into());
        k3s.agent_unit = unit("active", "running");
        k3s.agent_ca_hash = Some(HASH.into());
        k3s.config = Some(Secret::new(&format!(
            "server: {server}\ntoken: K10{HASH}::node:secret-two\n"
        )));
    }
}

pub(crate) fn node(name: &str, ready: bool, address: &str) -> ClusterNode {
    ClusterNode {
        name: name.into(),
        ready,
        lacks_network: false,
        voter: None,
        internal_ip: address.parse().ok(),
        version: VERSION.into(),
        uid: "5cc9fb3e-4d5b-4c2c-9d0f-7a0d7e4a9a3b".into(),
        pods: Vec::new(),
        is_young: false,
        labels: BTreeMap::new(),
        taints: BTreeMap::new(),
    }
}

/// The names of the nodes that are forgotten.
pub(crate) fn forgotten(topology: &Topology) -> Vec<&str> {
    topology.forget.iter().map(|node| &*node.name).collect()
}

pub(crate) fn running() -> Lab {
    Lab::new(THREE)
        .with("m1", member)
        .with("m2", member)
        .with("m3", member)
}

pub(crate) fn text<'a>(spec: &'a NodeSpec, key: &str) -> &'a str {
    spec.config
        .get(key)
        .and_then(|value| value.as_str())
        .unwrap_or("-")
}
