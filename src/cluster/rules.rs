//! What the rules must know of a distribution. They ask it here; each distribution answers, in a room
//! that sees this one.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde_json::Value;

use super::{Choice, Folders, Network, NodeRole, Registration, Setting, Situation, Topology};
use crate::facts::Facts;
use crate::inventory::{DataDir, Host, Inventory};
use crate::problem::Problem;
use crate::vars::Secret;

/// What the rules must know of a distribution of Kubernetes.
pub trait Rules: fmt::Debug + Sync {
    /// Its names and numbers.
    fn product(&self) -> &'static Product;

    /// What it is told on a host, wherever it is told there.
    fn told(&self, facts: &Facts) -> Told;

    /// What the inventory says of a host's addresses in the distribution's own settings.
    ///
    /// # Errors
    /// What is said is no address, in a sentence without the host's name.
    fn wanted<'a>(
        &self,
        inventory: &'a Inventory,
        host: &'a Host,
    ) -> Result<WantedAddresses<'a>, String>;

    /// Which of two versions was released first; `None` where one of them is no version.
    fn version_order(&self, one: &str, other: &str) -> Option<Ordering>;

    /// What is known to go wrong on the way from one version to another: why it cannot be gone, and what the user
    /// should look at first.
    fn breakers(&self, from: &str, to: &str) -> (Vec<Problem>, Vec<String>);

    /// Whether a server of this version votes in etcd as soon as it is let in: where several are let in
    /// together, or one that is not reached, the quorum is lost.
    fn votes_at_once(&self, version: &str) -> bool;

    /// How the user writes a setting: in an inventory, or on a command line.
    fn line(&self, setting: &Setting<'_>, in_inventory: bool) -> String;

    /// What a token tells of its cluster.
    fn token<'a>(&self, token: &'a str) -> Token<'a>;

    /// The secrets in a host's settings.
    fn secrets(&self, facts: &Facts) -> Vec<Secret>;

    /// The families of the pods' network, whether each is IPv6, where they were said.
    fn families(&self, situation: &Situation<'_>) -> Option<Vec<bool>>;

    /// Whether a node reaches others in a way of its own, whatever their addresses are.
    fn has_own_way(&self, situation: &Situation<'_>, host: &Host, facts: &Facts) -> bool;

    /// Why the cluster cannot be as the inventory says, and what the user should know: settings that the
    /// distribution does not have, that its servers would not share, tokens of several clusters.
    fn refusals(&self, basis: &Basis<'_>) -> (Vec<Problem>, Vec<String>);

    /// What each host is told, given its role and addresses, or why it is left as it is.
    fn configure(
        &self,
        basis: &Basis<'_>,
        hosts: &[Assignment<'_>],
    ) -> Vec<Result<HostConfig, Problem>>;

    /// What a running cluster has, would get otherwise, and cannot change.
    fn unchangeable(&self, situation: &Situation<'_>, topology: &Topology) -> Vec<Problem>;

    /// What of the pods' network it brings, and what the user should know of one that is not there yet.
    fn network(&self, situation: &Situation<'_>, topology: &Topology) -> (Network, Option<String>);

    /// The networks of pods and services, as the inventory says them or by default: `ipv6` says that the nodes' first
    /// addresses are of IPv6.
    fn ranges(&self, inventory: &Inventory, ipv6: bool) -> Vec<String>;

    /// What playbooks and templates see under its name on a host.
    fn variables(
        &self,
        situation: &Situation<'_>,
        topology: &Topology,
        host: &Host,
        facts: &Facts,
        version: Option<&str>,
    ) -> Value;

    /// What of it a reset takes from a host, and what it leaves there.
    fn folders(&self, facts: &Facts) -> Belongings;
}

/// A distribution's names and numbers.
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name.
    pub name: &'static str,
    /// The port of a server's API.
    pub api_port: u16,
    /// The port of a server at which others join.
    pub join_port: u16,
    /// A server's systemd unit, without `.service`.
    pub server_unit: &'static str,
    /// An agent's.
    pub agent_unit: &'static str,
    /// Whether hosts are told where they join by an address of the inventory.
    pub joins_at_an_address: bool,
    /// Whether a member of etcd that is reset leaves it before it stops; else it goes with its node.
    pub leaves_etcd: bool,
    /// Shell text that listens at `$address` and `$port` until it is ended, by which a server that joins is
    /// tried beforehand: whether the others reach it.
    pub listen: Option<&'static str>,
    /// What a release needs in its data folder when it is first run, in MiB.
    pub unpacked_mib: u64,
    /// What a server's data needs besides on its first day, in MiB.
    pub server_mib: u64,
    /// The same of an agent.
    pub agent_mib: u64,
}

/// The addresses of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// What its siblings reach it at; on one of its interfaces.
    pub node_ip: IpAddr,
    /// Its address of the other family, where the network of the pods has two.
    pub second: Option<IpAddr>,
    /// What the world reaches it at, when that is another one.
    pub external: Option<IpAddr>,
}

impl Addresses {
    /// The node's own, comma separated.
    pub fn node_ips(&self) -> String {
        match self.second {
            Some(second) => format!("{},{second}", self.node_ip),
            None => self.node_ip.to_string(),
        }
    }

    /// The node's own.
    pub fn own(&self) -> impl Iterator<Item = IpAddr> + use<> {
        [Some(self.node_ip), self.second].into_iter().flatten()
    }
}

/// What a distribution is told on a host.
pub struct Told {
    /// Why it cannot be read, as what is wrong with which file.
    pub unreadable: Option<String>,
    /// The name of the node.
    pub node_name: Option<String>,
    /// Whether the node's name gets a suffix that nothing tells.
    pub is_suffixed: bool,
    /// The node's first address.
    pub node_ip: Option<IpAddr>,
    /// Where the host joins, or joined: `https://10.0.0.1:6443`.
    pub server: Option<String>,
    /// The token that it joins with.
    pub token: Option<String>,
    /// The labels and taints that its node registers with.
    pub registration: Registration,
    /// The URL of the datastore outside the cluster that it has its data in. It holds a password.
    pub datastore: Option<String>,
    /// The folder of the data, where anything is told there.
    ///
    /// # Errors
    /// A sentence, when it is no folder that towline works with.
    pub data_dir: Result<Option<DataDir>, String>,
}

/// What the inventory says of a host's addresses in the distribution's own settings.
#[derive(Debug, Default)]
pub struct WantedAddresses<'a> {
    /// The node's addresses; none where they are not said.
    pub addresses: Vec<IpAddr>,
    /// The interface that they are on, and the key that says so.
    pub interface: Option<(&'a str, &'static str)>,
}

/// What a token tells of its cluster.
pub struct Token<'a> {
    /// SHA-256 of the cluster CA's certificate file, 64 hex digits.
    pub ca_hash: Option<&'a str>,
    /// What of it is secret.
    pub password: &'a str,
}

/// What is decided before hosts get their settings.
#[derive(Debug)]
pub struct Basis<'a> {
    /// The inventory, and what the hosts said.
    pub situation: &'a Situation<'a>,
    /// By which network the hosts reach each other.
    pub choice: &'a Choice,
    /// The addresses of the hosts that can be used.
    pub addresses: &'a BTreeMap<String, Addresses>,
    /// Addresses that servers of this cluster are known under.
    pub servers: &'a [String],
    /// The version of the distribution.
    pub version: &'a str,
    /// Whether the cluster is to run on embedded etcd.
    pub etcd: bool,
}

/// A host with its role in the cluster.
#[derive(Debug)]
pub struct Assignment<'a> {
    /// The host.
    pub host: &'a Host,
    /// What it said.
    pub facts: &'a Facts,
    /// The addresses of its node.
    pub addresses: Addresses,
    /// What it does in the cluster.
    pub role: NodeRole,
    /// Address of a server to join through.
    pub via: Option<IpAddr>,
    /// The labels and taints that its files say.
    pub registration: Registration,
}

/// What a host is told.
pub struct HostConfig {
    /// What the distribution's templates make its files of. What only a running server knows is
    /// [`LATER`](super::LATER). It holds secrets.
    pub config: BTreeMap<String, Value>,
    /// Whether what something else set up on the host does already what this says.
    pub effective: bool,
    /// Whether a kubelet runs there, which registers a node.
    pub has_node: bool,
    /// The kubelet's folder, where it is not the usual one.
    pub kubelet: Option<DataDir>,
    /// What the host keeps though no line names it; of a list, with its other elements.
    pub kept: BTreeMap<String, Value>,
    /// Things that the user should know.
    pub notes: Vec<String>,
}

/// What a reset takes from a host, and what it leaves.
#[derive(Debug)]
pub struct Belongings {
    /// The folders that go.
    pub folders: Folders,
    /// What else is named and stays: each path with the setting that names it.
    pub left: Vec<String>,
    /// Why it cannot be told.
    pub unread: Option<String>,
}
