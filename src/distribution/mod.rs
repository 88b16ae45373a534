//! What the rooms above know of a Kubernetes distribution, as data, and the list of distributions.

use crate::artifacts::Releases;
use crate::cluster::Rules;
use crate::facts::Questions;
use crate::inventory::{self, Inventory, Remark};
use crate::task::Journal;

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

pub mod k3s;

/// What is known of a distribution.
#[derive(Debug)]
pub struct Distribution {
    /// Its name.
    pub name: &'static str,
    /// What the rules of its clusters must know.
    pub rules: &'static dyn Rules,
    /// What hosts are asked of it.
    pub questions: Questions,
    /// Its releases.
    pub releases: Releases,
    /// Its playbooks, by their path in `playbooks/`. `site.yml` in its folder has the stages.
    pub playbooks: Texts,
    /// Its templates, by their path in `templates/`.
    pub templates: Texts,
    /// How the journals of its units are read.
    pub journal: Journal,
    /// The command of a host that asks a cluster's API.
    pub kubectl: &'static str,
    /// The port of a server's API.
    pub api_port: u16,
}

/// Every distribution.
pub static ALL: [&Distribution; 1] = [&k3s::DISTRIBUTION];

/// The distribution of an inventory.
pub fn of(inventory: &Inventory) -> &'static Distribution {
    match inventory.cluster.distribution {
        inventory::Distribution::K3s => &k3s::DISTRIBUTION,
    }
}

/// What is wrong with an inventory by the rules of its distribution, before any host is asked.
pub fn remarks(inventory: &Inventory) -> Vec<Remark> {
    of(inventory).rules.remarks(inventory)
}
