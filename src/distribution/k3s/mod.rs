//! k3s: one binary that is a whole Kubernetes.

use super::{Distribution, Flags};
use crate::task::Journal;

mod adopt;
pub mod arguments;
mod breakers;
mod causes;
mod cgroup;
mod config;
mod dialect;
mod documents;
mod effective;
mod environment;
mod external;
mod fixed;
pub mod flags;
mod flannel;
mod folders;
mod journal;
mod keep;
mod keys;
pub mod network;
mod questions;
mod ranges;
mod registration;
mod release;
mod rules;
mod servers;
pub mod settings;
mod snapshots;
pub mod token;
mod tokens;
mod typed;
mod unit;
mod variables;

#[cfg(test)]
mod tests;

pub use dialect::DIALECT;
pub use rules::K3s;
#[cfg(test)]
pub use variables::variables_schema;

/// What is known of k3s.
pub static DISTRIBUTION: Distribution = Distribution {
    dialect: &DIALECT,
    rules: &K3s,
    questions: questions::QUESTIONS,
    generate: tokens::generate,
    releases: release::RELEASES,
    playbooks: embedded!("playbooks" / "k3s":
        "site.yml", "files.yml", "server.yml", "agent.yml", "forget.yml", "snapshot.yml", "restore-bring.yml", "restore-stop.yml", "restored.yml", "reset-stop.yml",
        "reset-delete.yml", "reset-host.yml", "reset-stay.yml",
    ),
    templates: embedded!("templates" / "k3s":
        "addons.sh", "config.yaml", "environment", "registries.yaml", "k3s.service", "killall.sh", "membership.sh", "restore.sh", "snapshot.sh", "uninstall.sh", "reset/mounts.sh",
    ),
    journal: Journal {
        cause: causes::diagnose,
        relevant: |journal| journal::WORDS.relevant(journal),
        last_words: |journal| journal::WORDS.last_words(journal),
        warning: Some((journal::SKIPS, journal::skipped)),
        seeks_leader: super::journal::seeks_leader,
    },
    kubectl: "/usr/local/bin/k3s kubectl",
    token: tokens::kept,
    renew_kubeconfig: "rm /etc/rancher/k3s/k3s.yaml && systemctl restart k3s",
    flags: Flags {
        settings: arguments::typed,
        elsewhere: &typed::ELSEWHERE,
        placed: typed::placed,
        extras: &["servicelb", "traefik"],
        is_known: flags::is_known,
        shared: &settings::MUST_BE_EQUAL,
        is_same: settings::same_setting,
        shared_on: effective::shared_settings,
        role_on: |_| "server",
        certificate_names: effective::certificate_names,
    },
    snapshots: Some(&snapshots::SNAPSHOTS),
};
