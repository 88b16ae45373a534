//! What the rooms above know of a Kubernetes distribution, as data, and the list of distributions.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::artifacts::Releases;
use crate::cluster::{Rules, Situation};
use crate::facts::{Facts, Questions};
use crate::inventory::{Dialect, Inventory, Role};
use crate::shell::Script;
use crate::task::Journal;
use crate::vars::Secret;

/// Texts by their path.
pub type Texts = &'static [(&'static str, &'static str)];

/// The texts of a folder of `playbooks/` or `templates/`.
macro_rules! embedded {
    ($kind:literal / $folder:literal: $($name:literal),* $(,)?) => {
        &[$((
            concat!($folder, "/", $name),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $kind, "/", $folder, "/", $name)),
        )),*]
    };
}
pub(crate) use embedded;

mod causes;
mod external;
mod journal;
pub mod k0s;
pub mod k3s;
mod manifests;
mod servers;
mod version;

/// What is known of a distribution.
#[derive(Debug)]
pub struct Distribution {
    /// What inventories say in its words.
    pub dialect: &'static Dialect,
    /// What the rules of its clusters must know.
    pub rules: &'static dyn Rules,
    /// What hosts are asked of it.
    pub questions: Questions,
    /// Secrets for a cluster that has none. They are made once a run, before any plan.
    pub generate: fn() -> Vec<Secret>,
    /// Its releases.
    pub releases: Releases,
    /// Its playbooks, by their path in `playbooks/`. `site.yml` in its folder has the stages.
    pub playbooks: Texts,
    /// Its templates, by their path in `templates/`.
    pub templates: Texts,
    /// How the journals of its units are read.
    pub journal: Journal,
    /// The token by which hosts of a role join this server's cluster.
    pub token: fn(&Facts, Role) -> JoinToken,
    /// The command of a host that asks a cluster's API.
    pub kubectl: &'static str,
    /// What has the admin's kubeconfig written anew, as advice.
    pub renew_kubeconfig: &'static str,
    /// How its own flags are typed.
    pub flags: Flags,
    /// How the data of its clusters is saved; none where that is not done here.
    pub snapshots: Option<&'static Snapshots>,
}

/// How a distribution saves the data of its clusters.
#[derive(Debug)]
pub struct Snapshots {
    /// Shell functions that a server is asked by, with `$folder` and `$data` set: `list`, `records`; `save_etcd` and
    /// `save_sqlite` with `$name` and `$node`; `digest` and `remove` with `$file`.
    pub script: &'static str,
    /// The folder that a server keeps its snapshots in, or why that cannot be told.
    pub folder: fn(&Facts) -> Result<String, String>,
    /// What `records` says of the cluster's snapshots, wherever they are.
    pub records: fn(&str) -> Vec<RecordedSnapshot>,
    /// What tells whether a token is the one that a snapshot needs; the token cannot be found by it.
    pub token_fingerprint: fn(&str) -> String,
    /// The token of agents, where they have one of their own and it is known.
    pub agent_token: fn(&Situation<'_>) -> Option<Secret>,
}

/// What a cluster says of a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub struct RecordedSnapshot {
    /// Its name.
    pub name: String,
    /// The node that took it.
    pub node: String,
    /// Its size in bytes.
    pub bytes: Option<u64>,
    /// When it was taken (RFC 3339).
    pub taken: Option<String>,
    /// Why there is none.
    pub failure: Option<String>,
    /// Where it is, if not on a server.
    pub elsewhere: Option<String>,
}

/// What a typed line must know of a distribution's own flags.
#[derive(Debug)]
pub struct Flags {
    /// The settings that flags mean, or what is wrong with them.
    pub settings: fn(&str) -> Result<Settings, String>,
    /// Flags that are typed otherwise, and how.
    pub elsewhere: &'static [(&'static str, &'static str)],
    /// Takes the settings out that have a place of their own in an inventory.
    pub placed: fn(&mut Settings) -> PlacedFlags,
    /// What `disable` of a server names for `--no-extras`.
    pub extras: &'static [&'static str],
    /// Whether hosts of a role have this setting.
    pub is_known: fn(&str, Role) -> bool,
    /// Settings that all servers of a cluster must share.
    pub shared: &'static [&'static str],
    /// Whether two values of a setting mean the same.
    pub is_same: fn(&str, Option<&Value>, Option<&Value>) -> bool,
    /// What the servers of a cluster share, as this one has it, or why that cannot be read.
    pub shared_on: fn(&Facts) -> Result<Settings, String>,
    /// The word of an inventory for what this server is.
    pub role_on: fn(&Facts) -> &'static str,
    /// Names in a server's certificate beside its own.
    pub certificate_names: fn(&Facts) -> Vec<String>,
}

/// What flags say that has a place of its own in an inventory.
#[derive(Debug, Default)]
pub struct PlacedFlags {
    /// Keys of `cluster`.
    pub cluster: Map<String, Value>,
    /// Keys of the host.
    pub host: Map<String, Value>,
}

/// The token by which others join a server's cluster.
#[derive(Debug)]
pub enum JoinToken {
    /// The cluster keeps it.
    Kept(Secret),
    /// It is made by this script on the server, and is what the script prints.
    Made(Script),
    /// There is none, for this reason.
    Missing(String),
}

/// Settings of a distribution by their key.
pub type Settings = BTreeMap<String, Value>;

/// The distribution where none is named.
pub static DEFAULT: &Distribution = &k3s::DISTRIBUTION;

/// Every distribution.
pub static ALL: [&Distribution; 2] = [&k3s::DISTRIBUTION, &k0s::DISTRIBUTION];

/// The words of each.
pub static DIALECTS: [&Dialect; 2] = [&k3s::DIALECT, &k0s::DIALECT];

/// The distribution of an inventory.
pub fn of(inventory: &Inventory) -> &'static Distribution {
    named(inventory.cluster.distribution.name)
}

/// The distribution of that name.
pub fn named(name: &str) -> &'static Distribution {
    let mut all = ALL.into_iter();
    all.find(|one| one.dialect.name == name).unwrap_or(DEFAULT)
}
