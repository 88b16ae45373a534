//! The inventory: the whole truth of a cluster, in one file or in several that lie over each other.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::vars::{Secret, Sourced};

mod belongings;
mod check;
mod cluster;
mod data_dir;
mod datastore;
mod dialect;
mod document;
mod draft;
pub mod edit;
mod foreign;
mod hosts;
mod keys;
mod kubernetes;
mod language;
mod layers;
mod limit;
mod load;
mod manifests;
mod mask;
mod mistake;
mod node;
mod overlay;
mod range;
mod reader;
mod registries;
mod release;
mod render;
mod schema;
mod secret;
mod shape;
mod show;
mod source;
mod syntax;
#[cfg(test)]
mod tests;
mod typed;
mod variable;
mod words;
mod yaml;

pub use belongings::own_files;
pub use check::canonical;
pub use data_dir::DataDir;
pub use datastore::{DatastoreProduct, ExternalDatastore, external_datastore, place};
pub use dialect::{Dialect, RoleWord};
pub use document::Document;
pub use draft::Draft;
pub use foreign::{documents, foreign};
pub use hosts::MOST_HOSTS;
pub use keys::{Cluster, Host, Ssh};
use layers::FromNode;
pub use load::{load, load_text};
pub use manifests::{LARGEST_MANIFEST, Manifest, ManifestSource, is_manifest_name};
pub use mistake::{Mistake, Remark};
pub use node::{YamlEntry, YamlNode, YamlValue};
pub use range::MOST_PER_NAME;
use reader::Reader;
pub use registries::Registries;
pub use render::InputErrors;
pub use schema::schema;
pub use secret::CommandRunner;
pub use show::{ShownHost, ShownSetting};
pub use source::{Place, STANDARD_INPUT, Source, name};
pub use syntax::{Hop, login_around, suggested_name};
#[cfg(test)]
pub use tests::{WITHOUT_RULES, parse};
pub use typed::{address, is_name, literal};
use variable::Lookup;
pub use variable::is_name as is_variable;
pub use words::similar;

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
    /// `--ask-pass`: no password to log in with of the inventory is needed.
    pub ask_pass: bool,
    /// `--ask-become-pass`: no password of the inventory is needed.
    pub ask_become_pass: bool,
    /// `--bastion`.
    pub bastion: Vec<String>,
}

/// What an inventory does not say itself.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The distributions that there are; where an inventory names none, it is the first.
    pub distributions: &'static [&'static Dialect],
    /// What `~` stands for.
    pub home: Option<&'a Path>,
    /// What the command line says.
    pub overrides: &'a Overrides,
    /// The variables of the environment.
    pub variables: Lookup,
    /// What runs the commands that print secrets, where secrets are needed: without it, none is read
    /// that the inventory does not hold itself.
    pub commands: Option<CommandRunner>,
}

/// A cluster and its hosts, checked: names and addresses are unique, every reference resolves.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The files it came from, as they were named: each lies over the ones before it.
    pub files: Vec<PathBuf>,
    /// What holds for the cluster as a whole.
    pub cluster: Cluster,
    /// What is said under `cluster`, by its path (`cluster.config.disable`), secrets masked.
    pub said: BTreeMap<String, Sourced<Value>>,
    /// The hosts in the order of the files, ranges expanded in place.
    pub hosts: Vec<Host>,
    /// Whether it is the whole truth of its cluster, as a file is; what a command line names is a
    /// part of one, and nodes beside it are no news.
    pub whole: bool,
    /// What must not be shown, whatever key it stands behind: the values of secret keys, and of
    /// variables whose names say so.
    pub secret_values: Vec<Secret>,
    /// Things that are allowed but unwise, as sentences (an even number of servers).
    pub warnings: Vec<String>,
}

impl Host {
    /// Whether it is to be a server.
    pub fn is_server(&self) -> bool {
        self.role.value == Role::Server
    }

    /// Its address, if it means the same elsewhere: the zone of a link-local one is an interface of this
    /// machine.
    pub fn name_for_others(&self) -> Option<&str> {
        Some(&*self.address).filter(|address| !address.contains('%'))
    }
}

impl Inventory {
    /// The host of this name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// The servers, in order.
    pub fn servers(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.is_server())
    }

    /// What a host's config.yaml is told for a key: by the host and its groups, else by the cluster.
    pub fn configured<'a>(&'a self, host: &'a Host, key: &str) -> Option<&'a Value> {
        let shared = match host.role.value {
            Role::Server => &self.cluster.config,
            Role::Agent => &self.cluster.agent_config,
        };
        let own = host.config.get(key).map(|setting| &setting.value);
        own.or(shared.get(key))
    }

    /// The folder that the distribution keeps its data in on a host.
    pub fn data_dir(&self, host: &Host) -> DataDir {
        let dialect = self.cluster.distribution;
        let configured = self.configured(host, dialect.data_dir_key);
        let configured = configured.and_then(Value::as_str);
        let folder = configured.and_then(|folder| folder.parse().ok());
        folder.unwrap_or_else(|| dialect.data_dir())
    }
}

/// The words of a choice, as an enum.
macro_rules! choice {
    ($(#[$about:meta])* $name:ident { $($(#[$word_about:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
        pub enum $name {
            $($(#[$word_about])* $variant,)*
        }

        impl $name {
            /// How the inventory writes them.
            pub(in crate::inventory) const WORDS: &[&str] = &[$($word),*];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)*
                })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl FromNode for $name {
            fn from_node(_: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
                match node.text()? {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

choice! {
    /// Where the servers keep the cluster's data.
    Datastore {
        /// Embedded etcd.
        #[default]
        Etcd = "etcd",
        /// sqlite: one server only.
        Sqlite = "sqlite",
        /// A database outside the cluster.
        External = "external",
    }
}

/// Which version of the distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionChoice {
    /// Exactly this one, for example `v1.36.3+k3s1`.
    Exact(String),
    /// Whatever this channel names when a new cluster is made, for example `stable`.
    Channel(String),
}

choice! {
    /// How servers after the first one join the cluster.
    Join {
        /// All together; etcd takes them one at a time (measured: 44 s instead of 60 s).
        #[default]
        Parallel = "parallel",
        /// One after the other.
        Serial = "serial",
    }
}

/// Where the distribution's binary comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BinarySource {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs the control plane and, with several servers, a member of etcd.
    Server,
    /// Runs workloads only.
    #[default]
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

impl FromNode for &'static RoleWord {
    fn from_node(reader: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        let word = node.text()?;
        reader.dialect.roles.iter().find(|role| role.word == word)
    }
}

impl FromNode for Role {
    fn from_node(reader: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        <&RoleWord>::from_node(reader, node).map(|word| word.role)
    }
}
