//! k0s: one binary that carries all parts of Kubernetes.

use super::{Distribution, Flags};
use crate::task::Journal;

mod adopt;
mod causes;
mod config;
mod dialect;
mod external;
mod fixed;
pub mod flags;
pub mod keys;
mod meaning;
mod questions;
mod registries;
mod release;
mod rules;
mod tokens;
mod told;
mod typed;
mod unit;
mod variables;

#[cfg(test)]
mod tests;

pub use dialect::DIALECT;
pub use rules::K0s;
#[cfg(test)]
pub use variables::variables_schema;

/// What is known of k0s.
pub static DISTRIBUTION: Distribution = Distribution {
    dialect: &DIALECT,
    rules: &K0s,
    questions: questions::QUESTIONS,
    generate: tokens::generate,
    releases: release::RELEASES,
    playbooks: embedded!("playbooks" / "k0s":
        "site.yml", "files.yml", "controller.yml", "manifests.yml", "admit.yml", "join.yml", "worker.yml", "admitted.yml",
        "reset-stop.yml", "reset-delete.yml", "reset-host.yml", "reset-stay.yml",
    ),
    templates: embedded!("templates" / "k0s": "addons.sh", "etcd.sh", "k0s.service", "k0s.yaml", "k0stoken", "mounts.sh", "ports.sh", "registries.sh", "registries.toml"),
    journal: Journal {
        cause: causes::diagnose,
        relevant: |journal| causes::WORDS.relevant(journal),
        last_words: |journal| causes::WORDS.last_words(journal),
        warning: None,
        seeks_leader: super::journal::seeks_leader,
    },
    kubectl: "/usr/local/bin/k0s kubectl",
    token: tokens::made,
    renew_kubeconfig: "systemctl restart k0scontroller",
    flags: Flags {
        settings: flags::typed,
        elsewhere: &[],
        placed: typed::placed,
        extras: &[],
        is_known: flags::is_known,
        shared: &rules::SHARED,
        is_same: |_, one, other| one == other,
        shared_on: typed::shared_on,
        role_on: typed::role_on,
        certificate_names: typed::certificate_names,
    },
    snapshots: None,
};
