//! What an inventory says in the words of its Kubernetes distribution.

use serde::Serialize;

use super::mistake::Remark;
use super::{DataDir, Inventory, Role};

/// What the reader must know of a distribution, as data.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The word of `cluster.distribution`.
    pub name: &'static str,
    /// What its versions end in, as that of the first build for a version of Kubernetes: `+k3s1`.
    pub first_build: &'static str,
    /// What hosts can be.
    pub roles: &'static [RoleWord],
    /// Keys of `cluster` that it has no use for, and what there is instead.
    pub lacks: &'static [(&'static str, &'static str)],
    /// What it calls its own manifests in the cluster, where others go into the same folder.
    pub manifests: &'static [&'static str],
    /// The key of its configuration that names the folder of its data.
    pub data_dir_key: &'static str,
    /// The folder of its data where that key is not set.
    pub data_dir: &'static str,
    /// Where a running cluster has its token, as the end of a sentence.
    pub token: &'static str,
    /// Where a running cluster has its agents' token, as the end of a sentence.
    pub agent_token: &'static str,
    /// The folder of a host for certificates and keys that come with its registries.
    pub registry_files: &'static str,
    /// How a key of its configuration is spelled.
    pub spelling: fn(&str) -> String,
    /// Keys of its configuration that towline sets or that have their own place in an inventory, and
    /// what to do instead. A `+` behind a key adds to what is set already.
    pub reserved: &'static [(&'static [&'static str], &'static str)],
    /// Keys of its configuration that differ from host to host.
    pub per_host: &'static [&'static str],
    /// What is wrong with an inventory in which the language finds no mistake.
    pub remarks: fn(&Inventory) -> Vec<Remark>,
}

/// A word for what a host is.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct RoleWord {
    /// The word.
    pub word: &'static str,
    /// What that is.
    pub role: Role,
    /// Settings of the distribution that it stands for.
    pub settings: &'static [(&'static str, bool)],
}

impl Dialect {
    /// Its words for what a host is.
    pub fn role_words(&self) -> Vec<&'static str> {
        self.roles.iter().map(|role| role.word).collect()
    }

    /// What that word says a host is.
    pub fn role(&self, word: &str) -> Option<Role> {
        let mut roles = self.roles.iter();
        roles.find_map(|role| (role.word == word).then_some(role.role))
    }

    /// What there is instead of a key of `cluster` that it has no use for.
    pub fn in_place_of(&self, key: &str) -> Option<&'static str> {
        let mut lacks = self.lacks.iter();
        lacks.find_map(|(lacking, instead)| (*lacking == key).then_some(*instead))
    }

    /// What its versions have before the number of the build: `+k3s`.
    pub(super) fn build(&self) -> &'static str {
        let is_digit = |letter: char| letter.is_ascii_digit();
        self.first_build.trim_end_matches(is_digit)
    }

    /// The folder of its data where nothing else is set.
    pub fn data_dir(&self) -> DataDir {
        DataDir::new(self.data_dir)
    }

    /// Whether one of its clusters takes this key from its author, and what to do instead.
    pub(super) fn instead(&self, key: &str, is_shared: bool) -> Option<&'static str> {
        let plain = key.trim_end_matches('+');
        let is_reserved = |keys: &[&str]| keys.contains(&key) || keys.contains(&plain);
        let mut reserved = self.reserved.iter();
        let found = reserved.find(|(keys, _)| is_reserved(keys));
        let per_host = (is_shared && self.per_host.contains(&plain)).then_some(
            "every host has its own; say it in the host's `config`, or with `private_address`",
        );
        found.map(|(_, instead)| *instead).or(per_host)
    }
}
