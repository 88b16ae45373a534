//! What a host is, as it said itself: typed data from the answer to one read-only script.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::artifacts::Architecture;
use crate::inventory::DataDir;
pub use crate::inventory::Datastore;
use crate::shell::Reply;
use crate::vars::Secret;

mod members;
mod other;
mod parse;
mod questions;
mod reach;
mod voters;

pub use members::members_told;
pub use other::OtherKubernetes;
pub(crate) use parse::is_node_name;
pub use questions::turn_told;
pub use reach::{
    Around, AskedService, PortAnswer, port_probe, port_told, reach_probe, reach_told, services_told,
};
pub use voters::{ClusterNode, Member, Voter};

/// The commands that towline's own scripts need on a host.
const TOOLS: [&str; 6] = ["flock", "timeout", "base64", "sha256sum", "ip", "systemctl"];

/// What a distribution asks of a host, and how its answer is read where that is its own.
///
/// The shell texts change nothing. They answer by the functions of `tools.sh`, and find the folder of
/// the distribution's data in `$data`.
#[derive(Debug)]
pub struct Questions {
    /// Shell text that asks for the node of a host. It answers with the keys that become
    /// [`NodeFacts`], and on a server that is READY calls `nodes`, which lists the
    /// cluster's, and its own `members`.
    pub node: &'static str,
    /// Shell functions: `kubectl`, which asks this server's API; `members`, which tells the members of
    /// etcd; and `peers`, which asks them whether they answer.
    pub cluster: &'static str,
    /// The version in the key `version`.
    pub version: fn(&str) -> Option<String>,
    /// The members in an answer of `members` and `peers`.
    pub members: fn(&Reply) -> Vec<Member>,
    /// The cgroup controllers that it needs.
    pub controllers: &'static [&'static str],
    /// Its units.
    pub units: &'static [&'static str],
}

/// What one host said about itself. Nothing in it is trusted: it is text and numbers that were
/// checked for their form when they were parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Default))]
pub struct Facts {
    /// The kernel's hostname.
    pub hostname: String,
    /// Content of `/etc/machine-id`; empty when there is none.
    pub machine_id: String,
    /// Changes with every boot.
    pub boot_id: String,
    /// Time since boot.
    pub uptime: Duration,
    /// Seconds since 1970 by the host's clock.
    pub clock: u64,
    /// As `uname -m` says it: `x86_64`, `aarch64`.
    pub architecture: String,
    /// As `uname -r` says it.
    pub kernel: String,
    /// Memory in KiB.
    pub memory_kib: u64,
    /// The operating system.
    pub os: OperatingSystem,
    /// Whether systemd is the init system.
    pub systemd: bool,
    /// Version of the cgroup hierarchy, 1 or 2.
    pub cgroup: u8,
    /// The cgroup controllers that the distribution needs and that the kernel does not offer.
    pub missing_controllers: Vec<String>,
    /// The file with the kernel's command line, on a machine like a Raspberry Pi.
    pub cmdline: Option<String>,
    /// Whether the kernel speaks IPv6.
    pub ipv6: bool,
    /// Commands that towline needs on a host and did not find.
    pub missing: Vec<String>,
    /// Whether the firewall `ufw` is active.
    pub ufw: bool,
    /// Another Kubernetes than the inventory's, where one runs.
    pub kubernetes: Option<OtherKubernetes>,
    /// Global addresses with the interface they are on.
    pub addresses: Vec<(String, IpNet)>,
    /// The address that towline connected to. The host did not say it.
    pub reached_at: Option<IpAddr>,
    /// Whether the host reaches others at these addresses; those that it was asked for.
    pub reaches: BTreeMap<IpAddr, bool>,
    /// What services answered this host that it was asked about, each by `HOST:PORT`.
    pub services: BTreeMap<String, PortAnswer>,
    /// Interfaces on which the kernel takes its default route of IPv6 from a router's advertisements.
    pub advertised: Vec<String>,
    /// Interface of the default route; empty when there is none.
    pub default_interface: String,
    /// The file system of the distribution's data.
    pub disk: Disk,
    /// What its node of a cluster is, and what runs of it.
    pub node: NodeFacts,
}

/// The file system that the distribution's data is on, or will be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disk {
    /// Room in KiB, where it is known.
    pub free_kib: Option<u64>,
    /// Files and folders that can still be made, where the file system has such a number.
    pub free_inodes: Option<u64>,
    /// Whether nothing can be written to it.
    pub read_only: bool,
}

/// Which operating system a host runs, from `/etc/os-release`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OperatingSystem {
    /// `debian`, `ubuntu`, …
    pub id: String,
    /// Systems that it is like, space separated.
    pub like: String,
    /// Its version, `12`.
    pub version: String,
    /// Its name for people.
    pub name: String,
}

impl OperatingSystem {
    /// Whether packages come by apt.
    pub fn is_debian_family(&self) -> bool {
        std::iter::once(self.id.as_str())
            .chain(self.like.split_whitespace())
            .any(|id| id == "debian" || id == "ubuntu")
    }
}

/// What of a Kubernetes distribution was found on a host: its files, its units, and what the cluster says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Default))]
pub struct NodeFacts {
    /// The folder whose content the rest is about.
    pub data_dir: DataDir,
    /// Content of its file of configuration. It may hold tokens.
    pub config: Option<Secret>,
    /// Files of configuration that are read after it, in their order.
    pub drop_ins: Vec<DropIn>,
    /// towline's manifests on this server: below their folder, `001/cni.yaml`.
    pub manifests: Vec<String>,
    /// The datastore that this server has data in.
    pub datastore: Option<Datastore>,
    /// Whether a kubelet of this host has ever been given its certificate.
    pub joined: bool,
    /// The name of the node that its kubelet's certificate is for.
    pub node_name: Option<String>,
    /// Whether the host has what its node is known to be its own by: a node password, or a kubelet's
    /// credentials.
    pub owns_node: bool,
    /// When the data of etcd changed last: seconds since 1970 by the host's clock.
    pub data_changed: Option<u64>,
    /// A restore that this server has begun and that has not ended: what tells it from others, and the hash of its
    /// snapshot.
    pub restored: Option<(String, String)>,
    /// SHA-256 of the cluster CA's certificate file, 64 hex digits.
    pub ca_hash: Option<String>,
    /// The same of the copy that the host's kubelet got when it joined: agents have only this one.
    pub agent_ca_hash: Option<String>,
    /// Content of `server/token`: the full form.
    pub server_token: Option<Secret>,
    /// Content of `server/agent-token`, unless it is only a link to the server's.
    pub agent_token: Option<Secret>,
    /// Version of the binary in place.
    pub version: Option<String>,
    /// A unit of it that something else wrote: its installer, or one written by hand.
    pub foreign: Option<ForeignUnit>,
    /// State of the server's unit.
    pub server_unit: Unit,
    /// State of the agent's unit.
    pub agent_unit: Unit,
    /// The admin's kubeconfig, of a server that is READY.
    pub kubeconfig: Option<Secret>,
    /// Whether this server's API says that it is ready.
    pub api_ready: bool,
    /// The nodes of the cluster, as this server's API lists them.
    pub nodes: Vec<ClusterNode>,
    /// The members of etcd, as this server's etcd lists them with the agreement of more than half of
    /// them; empty when that could not be had.
    pub members: Vec<Member>,
}

impl NodeFacts {
    /// Whether one of its units runs, or is about to start.
    pub fn is_up(&self) -> bool {
        self.server_unit.is_up() || self.agent_unit.is_up()
    }

    /// Who votes in etcd.
    pub fn voters(&self) -> Vec<Voter> {
        voters::voters(&self.nodes, &self.members)
    }
}

/// A further file of configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    /// Its name.
    pub name: String,
    /// Its content. It may hold tokens.
    pub text: Secret,
}

/// A unit of the distribution that towline did not write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignUnit {
    /// Its name, without `.service`.
    pub unit: String,
    /// Its text. It may hold tokens.
    pub text: Secret,
    /// The text of the files with its environment, one after the other. It may hold tokens.
    pub environment: Secret,
}

/// What systemd says about a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unit {
    /// `loaded`, `not-found`, …
    pub load: String,
    /// `active`, `activating`, `inactive`, `failed`, …
    pub active: String,
    /// `running`, `start`, `auto-restart`, …
    pub sub: String,
    /// The unit file; empty when there is none.
    pub path: String,
    /// How often systemd has started it again since something else started it.
    pub restarts: u32,
    /// When it was READY last, as a time since the host was started.
    pub ready_at: Duration,
}

impl Unit {
    /// Whether the unit has told systemd READY and still runs.
    pub fn is_ready(&self) -> bool {
        self.active == "active" && self.sub == "running"
    }

    /// Whether it runs, or systemd is about to start it: READY or not, or between two attempts.
    pub fn is_up(&self) -> bool {
        !matches!(self.active.as_str(), "" | "inactive" | "failed")
    }

    /// Whether there is such a unit at all.
    pub fn exists(&self) -> bool {
        self.load == "loaded"
    }
}

impl Facts {
    /// Whether this is a server that is READY and whose API answers.
    pub fn serves(&self) -> bool {
        self.node.server_unit.is_ready() && self.node.api_ready
    }

    /// Whether it has ever had data in its folder.
    pub fn has_data(&self) -> bool {
        self.node.datastore.is_some() || self.node.joined || self.node.ca_hash.is_some()
    }

    /// Whether `address` is on one of the host's interfaces.
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|(_, net)| net.addr() == address)
    }

    /// The address that the default route goes out from: IPv4 before IPv6.
    pub fn default_address(&self) -> Option<IpAddr> {
        self.address_on(&self.default_interface)
    }

    /// The interface that has an address.
    pub fn interface_of(&self, address: IpAddr) -> Option<&str> {
        let mut all = self.addresses.iter();
        let (interface, _) = all.find(|(_, net)| net.addr() == address)?;
        Some(interface)
    }

    /// The first address on an interface: IPv4 before IPv6.
    pub fn address_on(&self, interface: &str) -> Option<IpAddr> {
        let own = self.addresses.iter().filter(|(name, _)| name == interface);
        let mut own: Vec<_> = own.map(|(_, net)| net.addr()).collect();
        own.sort_by_key(IpAddr::is_ipv6);
        own.first().copied()
    }

    /// The interface that has an address, when it is not that of the default route.
    pub fn off_the_default_route(&self, address: IpAddr) -> Option<&str> {
        let interface = self.interface_of(address);
        interface.filter(|interface| *interface != self.default_interface)
    }

    /// The other addresses of the host: those on the interface of this one first, then those on the
    /// interface of the default route.
    pub fn beside(&self, address: IpAddr) -> impl Iterator<Item = IpAddr> {
        let own = self.interface_of(address).unwrap_or_default();
        let on = move |wanted: &str| {
            let wanted = wanted.to_owned();
            self.addresses
                .iter()
                .filter(move |(interface, _)| *interface == wanted)
                .map(|(_, net)| net.addr())
        };
        on(own).chain(on(&self.default_interface))
    }

    /// The architecture that binaries for this host are made for.
    pub fn release_architecture(&self) -> Option<Architecture> {
        Architecture::from_uname(&self.architecture)
    }

    /// Every secret in these facts.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        [&self.node.server_token, &self.node.agent_token]
            .into_iter()
            .flatten()
    }
}
