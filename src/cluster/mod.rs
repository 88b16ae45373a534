//! The rules of a cluster: who leads, who joins, who waits, and what is refused. Pure functions of
//! the inventory and of what the hosts said.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use serde_json::Value;

use crate::facts::{ClusterNode, Facts};
use crate::inventory::{DataDir, Host, Inventory};
use crate::problem::Problem;
pub use crate::vars::LATER;
use crate::vars::{Secret, secrets_among};

mod address;
mod authority;
mod check;
mod choose;
mod labels;
mod members;
mod needs;
mod nodes;
mod reach;
mod reset;
mod restore;
pub mod rules;
mod state;
mod successor;
mod topology;
mod upgrade;
mod version;

#[cfg(test)]
pub(crate) mod tests;

pub use authority::{Claims, agents_elsewhere, differing, is_agent, to_move};
pub use check::{in_flags, node_name};
pub use choose::{Choice, is_inside, is_same_everywhere, own};
pub use labels::{NodeMarks, Registration};
pub use members::{Outnumbered, PEER_PORT, host_of};
pub use reach::{registration, to_ask};
pub use reset::{ResetOrder, Wave, reset};
pub use restore::{LocalSnapshot, RestoreFrom, RestoreOrder, RestorePhase, restore};
pub use rules::{Addresses, Rules};
pub use successor::Successor;
pub use topology::topology;
pub use upgrade::{CORDONED, Drain, MaxUnavailable, UpgradeOrder, UpgradePolicy, upgrade};
pub use version::{WantedVersion, wanted_version};

/// Everything that the rules decide from.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What the rules must know of the distribution.
    pub rules: &'a dyn Rules,
    /// What the user wants.
    pub inventory: &'a Inventory,
    /// What the hosts said that were reached, by name.
    pub facts: &'a BTreeMap<String, Facts>,
    /// The hosts that may be changed; the others are only observed.
    pub selected: &'a BTreeSet<String>,
    /// The secrets that the distribution has generated, for a cluster that has none yet.
    pub generated: &'a [Secret],
    /// Whether hosts that something else set up are taken over.
    pub adopt: bool,
    /// Whether a host keeps the settings of its own that the inventory does not name: an
    /// inventory of a file is the whole truth of its cluster, and a typed line is not.
    pub keep: bool,
    /// Whether a cluster that is made begins with the data of one that was.
    pub restores: bool,
}

impl<'a> Situation<'a> {
    /// The hosts that were reached, in the order of the inventory.
    pub fn reached(&self) -> impl Iterator<Item = (&'a Host, &'a Facts)> {
        let facts = self.facts;
        let hosts = self.inventory.hosts.iter();
        hosts.filter_map(move |host| Some((host, facts.get(&host.name)?)))
    }

    /// The name of a host's node: the one that it joined with, else the one that it will join with.
    pub fn node_name(&self, host: &Host, facts: &Facts) -> String {
        node_name(self.rules, host, facts)
    }

    /// Whether a server may be changed, or only agents.
    pub fn changes_servers(&self) -> bool {
        let mut servers = self.inventory.servers();
        servers.any(|host| self.selected.contains(&host.name))
    }

    /// The servers that were reached, in the order of the inventory.
    pub fn servers(&self) -> impl Iterator<Item = (&'a Host, &'a Facts)> {
        self.reached().filter(|(host, _)| host.is_server())
    }
}

/// What the hosts of an inventory are to each other, and what follows for each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// Where the cluster stands.
    pub state: ClusterState,
    /// The hosts that take part and may be changed, by name.
    pub specs: BTreeMap<String, NodeSpec>,
    /// The addresses at which the nodes talk to each other, of the hosts that were reached: those that
    /// the inventory names or towline connected to.
    pub siblings: Vec<IpAddr>,
    /// Hosts that cannot be used as they are, with the words for it.
    pub unfit: BTreeMap<String, Problem>,
    /// Hosts that cannot join now, with the reason. Their operating system is still prepared.
    pub waiting: BTreeMap<String, String>,
    /// Why no healthy member may be restarted now: another one is down, and etcd would lose quorum.
    pub quorum_at_risk: Option<String>,
    /// Servers of a cluster that is down and that run: only their API did not answer, and they are
    /// not restarted together with others.
    pub api_unresponsive: BTreeSet<String>,
    /// What is known of a cluster that is down whose data was reached on too few servers.
    pub outnumbered: Option<Outnumbered>,
    /// Whether no server of the cluster runs or is starting, and none is started now.
    pub no_server: bool,
    /// Nodes whose machines were wiped and come back under their names; forgotten before they join.
    pub forget: Vec<ClusterNode>,
    /// Nodes that run and whose labels or taints are to change.
    pub labels: Vec<NodeMarks>,
    /// Whether servers join one by one whatever the inventory says.
    pub joins_one_by_one: bool,
    /// What is done besides to bring a cluster that runs to another version.
    pub upgrade: Option<UpgradeOrder>,
    /// A restore that is under way.
    pub restore: Option<RestoreOrder>,
    /// What of the pods' network the distribution brings.
    pub network: Network,
    /// What hosts keep though no line names it; of a list, with its other elements.
    pub kept: BTreeMap<String, BTreeMap<String, Value>>,
    /// Things that the user should know and that towline does not change.
    pub notes: Vec<String>,
}

impl Topology {
    /// The server that answers for the cluster: one that is READY, or the one that makes it.
    pub fn answering_server(&self) -> Option<&str> {
        match &self.state {
            ClusterState::New { leader: name } | ClusterState::Running { via: name } => Some(name),
            ClusterState::Down | ClusterState::Elsewhere | ClusterState::Unknown => None,
        }
    }
}

/// What of the pods' network a distribution brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The network itself; otherwise it comes by a plug-in (CNI) that is installed in the cluster.
    pub itself: bool,
    /// The network policies, which wait for whatever network there is.
    pub policies: bool,
}

/// A setting that the user may have to write.
#[derive(Debug)]
pub enum Setting<'a> {
    /// The folder of the data.
    DataDir(&'a str),
    /// The interface by which nodes reach each other.
    Interface(&'a str),
    /// A node's addresses.
    Addresses(&'a str),
}

/// Where a distribution and its kubelet have their data on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// The distribution's.
    pub data: DataDir,
    /// The kubelet's, with the volumes of the pods, where it is not the usual one.
    pub kubelet: Option<DataDir>,
}

impl Folders {
    /// Where a kubelet keeps what it has unless it is told otherwise.
    pub const KUBELET: &str = "/var/lib/kubelet";

    /// This folder, and the usual one of the kubelet.
    pub const fn usual(data: DataDir) -> Self {
        Self {
            data,
            kubelet: None,
        }
    }

    /// The kubelet's folder.
    pub fn kubelet(&self) -> &str {
        self.kubelet.as_ref().map_or(Self::KUBELET, DataDir::as_str)
    }
}

/// Where the cluster stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterState {
    /// There is none; this host is to make it.
    New {
        /// Name of the first server.
        leader: String,
    },
    /// It runs; this server answers for it.
    Running {
        /// Name of a healthy server.
        via: String,
    },
    /// It has data, and no server of it is READY.
    Down,
    /// Its servers are not in the inventory.
    Elsewhere,
    /// It cannot be told or made now.
    Unknown,
}

/// What a host does in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeRole {
    /// Makes the cluster.
    Leader,
    /// A server with data of its own.
    Member,
    /// A server that joins.
    Joining,
    /// An agent.
    Agent,
}

/// One host's place in the cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeSpec {
    /// What it does.
    pub role: NodeRole,
    /// Whether it has a node; a server of the control plane alone has none.
    pub has_node: bool,
    /// The name of its node, and of its member of etcd.
    pub node_name: String,
    /// The address its siblings reach it at.
    pub node_ip: IpAddr,
    /// What the distribution's templates make its files of. It holds secrets.
    pub config: BTreeMap<String, Value>,
    /// Whether what something else set up here does already what this says.
    pub effective: bool,
    /// Where it and its kubelet have their data.
    pub folders: Folders,
    /// Whether its node has to be a voting member of etcd.
    pub voter: bool,
}

impl fmt::Debug for NodeSpec {
    /// The keys of the config without their values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeSpec")
            .field("role", &self.role)
            .field("has_node", &self.has_node)
            .field("node_name", &self.node_name)
            .field("node_ip", &self.node_ip)
            .field("config", &self.config.keys())
            .field("effective", &self.effective)
            .field("folders", &self.folders)
            .field("voter", &self.voter)
            .finish()
    }
}

/// Every secret that the specs hold, so that it can be masked.
pub fn secrets(topology: &Topology) -> Vec<Secret> {
    let mut secrets: Vec<_> = topology
        .specs
        .values()
        .flat_map(|spec| secrets_among(&spec.config))
        .collect();
    secrets.retain(|secret| secret.expose() != LATER);
    secrets
}
