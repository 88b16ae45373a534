//! The inventory: the whole truth of a cluster, in one file or in several that lie over each other.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::Value;

use crate::vars::{Origin, Secret, Setting};

mod check;
mod cluster;
mod data_dir;
mod document;
mod draft;
pub mod edit;
mod foreign;
mod hosts;
mod kubernetes;
mod language;
mod layers;
mod limit;
mod load;
mod mask;
mod mistake;
mod node;
mod overlay;
mod range;
mod reader;
mod release;
mod render;
mod schema;
mod shape;
mod show;
mod source;
mod syntax;
#[cfg(test)]
mod tests;
mod typed;
mod variable;
mod yaml;

pub use check::canonical;
pub use data_dir::DataDir;
pub use document::document;
pub use draft::Draft;
pub use foreign::{documents, foreign};
pub use hosts::MOST_HOSTS;
pub use load::{Surroundings, load, parse, parse_by};
pub use mistake::{Mistake, Remark, Rules};
pub use node::{Entry, Node, Span, Tree};
pub use range::MOST_PER_NAME;
pub use render::InputErrors;
pub use schema::schema;
pub use shape::similar;
pub use show::{ShownHost, ShownSetting};
pub use source::{STANDARD_INPUT, name};
pub use syntax::suggested_name;
pub use typed::{address, is_name, literal};
pub use variable::{Lookup, is_name as is_variable};

/// What the command line says about every host; it wins over the inventory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--ssh-user`.
    pub ssh_user: Option<String>,
    /// `--ssh-port`.
    pub ssh_port: Option<u16>,
    /// `--ssh-key`, as often as it is given.
    pub ssh_key: Vec<PathBuf>,
    /// `--known-hosts`.
    pub known_hosts: Option<PathBuf>,
}

/// A cluster and its hosts, checked: names and addresses are unique, every reference resolves.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The files it came from, as they were named: each lies over the ones before it.
    pub files: Vec<PathBuf>,
    /// What holds for the cluster as a whole.
    pub cluster: Cluster,
    /// What is said under `cluster`, by its path (`cluster.config.disable`), secrets masked.
    pub said: BTreeMap<String, Setting<Value>>,
    /// The hosts in the order of the files, ranges expanded in place.
    pub hosts: Vec<Host>,
    /// Whether it is the whole truth of its cluster, as a file is; what a command line names is a
    /// part of one, and nodes beside it are no news.
    pub whole: bool,
    /// What variables have filled in that must not be shown, whatever key it stands behind.
    pub filled: Vec<Secret>,
    /// Things that are allowed but unwise, as sentences (an even number of servers).
    pub warnings: Vec<String>,
}

impl Inventory {
    /// What a host's config.yaml is told for a key: by the host and its groups, else by the cluster.
    pub fn configured<'a>(&'a self, host: &'a Host, key: &str) -> Option<&'a Value> {
        let shared = match host.role.value {
            Role::Server => &self.cluster.config,
            Role::Agent => &self.cluster.agent_config,
        };
        let own = host.config.get(key).map(|setting| &setting.value);
        own.or(shared.get(key))
    }

    /// The folder that k3s keeps its data in on a host.
    pub fn data_dir(&self, host: &Host) -> DataDir {
        let told = self.configured(host, "data-dir").and_then(Value::as_str);
        told.and_then(|told| told.parse().ok()).unwrap_or_default()
    }
}

/// What holds for the cluster as a whole.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Name of the cluster; also the default name of the kubeconfig's context.
    pub name: String,
    /// Which Kubernetes distribution.
    pub distribution: Distribution,
    /// Which version of it.
    pub version: Version,
    /// The address clients use: an IP address or a DNS name, without scheme or port.
    pub endpoint: Option<String>,
    /// Further names and addresses for the API server's certificate.
    pub tls_sans: Vec<String>,
    /// Address of a server outside this inventory that agents (and servers) join, `https://…`.
    pub server_url: Option<String>,
    /// The token that servers join with; read from `token`, or from the file of `token_file`.
    pub token: Option<Secret>,
    /// The token that agents join with.
    pub agent_token: Option<Secret>,
    /// How servers after the first one join.
    pub join: Join,
    /// How many agents join at once.
    pub agent_batch: usize,
    /// Where the servers keep the cluster's data; `None` is embedded etcd for more than one server
    /// and sqlite for a single one.
    pub datastore: Option<Datastore>,
    /// Where the distribution's binary comes from.
    pub binary: Binary,
    /// The SHA-256 that it must have, in lower-case hexadecimal digits, by the architecture's name
    /// in releases.
    pub binary_sha256: BTreeMap<String, String>,
    /// Goes into every server's config.yaml as it is.
    pub config: BTreeMap<String, Value>,
    /// Goes into every agent's config.yaml as it is.
    pub agent_config: BTreeMap<String, Value>,
}

/// Where the servers keep the cluster's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datastore {
    /// Embedded etcd.
    Etcd,
    /// sqlite: one server only.
    Sqlite,
}

/// Which Kubernetes distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// k3s.
    K3s,
}

/// Which version of the distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// Exactly this one, for example `v1.36.3+k3s1`.
    Exact(String),
    /// Whatever this channel names when a new cluster is made, for example `stable`.
    Channel(String),
}

/// How servers after the first one join the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// All together; etcd takes them one at a time (measured: 44 s instead of 60 s).
    Parallel,
    /// One after the other.
    Serial,
}

/// Where the distribution's binary comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binary {
    /// Fetched by every host that can; for the others as with `Push`.
    Download {
        /// Base address in the layout of the project's releases; `None` is the project's own.
        mirror: Option<String>,
        /// The proxy through which hosts fetch, `http://host:port`.
        proxy: Option<String>,
    },
    /// Fetched once to this machine, checked, and uploaded to the hosts.
    Push {
        /// Base address in the layout of the project's releases; `None` is the project's own.
        mirror: Option<String>,
    },
    /// A file on this machine.
    Path(PathBuf),
}

/// What a host is in the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Runs the control plane and, with several servers, a member of etcd.
    Server,
    /// Runs workloads only.
    Agent,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Agent => "agent",
        })
    }
}

/// One machine, with every layered setting resolved: defaults, then groups in the order the host
/// names them, then the host itself.
#[derive(Debug, Clone)]
pub struct Host {
    /// towline's own name for it: the key in the inventory.
    pub name: String,
    /// The address this machine reaches it at: an IP address or a DNS name.
    pub address: String,
    /// The address its siblings reach it at, when that is another one.
    pub private_address: Option<Setting<IpAddr>>,
    /// The interface whose address its siblings reach it at, when it is named.
    pub interface: Option<Setting<String>>,
    /// What it is in the cluster.
    pub role: Setting<Role>,
    /// Its groups, in order.
    pub groups: Vec<String>,
    /// Node labels, given at the join.
    pub labels: BTreeMap<String, Setting<String>>,
    /// Node taints in the form `key=value:Effect`, given at the join.
    pub taints: Vec<Setting<String>>,
    /// The node's name, when it is not the host's own hostname.
    pub node_name: Option<Setting<String>>,
    /// Goes into this host's config.yaml, over what the cluster says.
    pub config: BTreeMap<String, Setting<Value>>,
    /// How to reach it.
    pub ssh: Ssh,
    /// Where the inventory names it.
    pub origin: Origin,
    /// Where its address stands, or its name, where that is the address.
    pub address_origin: Origin,
}

/// How to reach a host, resolved.
#[derive(Debug, Clone)]
pub struct Ssh {
    /// User to log in as.
    pub user: Setting<String>,
    /// Port of sshd.
    pub port: Setting<u16>,
    /// Private key files to offer, before the agent's and the usual ones; `~` expanded.
    pub keys: Setting<Vec<PathBuf>>,
    /// The `known_hosts` file to trust and, when a key is accepted, to extend; `None` is
    /// `~/.ssh/known_hosts`.
    pub known_hosts: Option<Setting<PathBuf>>,
    /// Seconds to wait for a connection.
    pub connect_timeout_seconds: Setting<u64>,
}
