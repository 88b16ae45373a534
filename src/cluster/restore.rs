//! The rules of a restore: which server begins with the snapshot, who is stopped before, and what is refused.

use std::path::PathBuf;

use super::state::first;
use super::upgrade::minor;
use super::{Folders, Situation};
use crate::facts::Datastore;
use crate::problem::{Code, Problem, problem};

/// A snapshot on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSnapshot {
    /// The file.
    pub path: PathBuf,
    /// The hash of what it holds.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// What it is a snapshot of.
    pub datastore: Datastore,
    /// The version that has taken it, where that is known.
    pub version: Option<String>,
}

/// A restore that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreOrder {
    /// What tells it from other ones.
    pub id: String,
    /// The server that begins with the snapshot, and the snapshot, until that is done.
    pub begins: Option<(String, LocalSnapshot)>,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestorePhase {
    /// Servers are stopped, and their data is put aside.
    Stop {
        /// The server that gets the snapshot first.
        first: String,
        /// Those that are stopped, with their folders.
        servers: Vec<(String, Folders)>,
    },
    /// No server has data: one begins with the snapshot, the others join it.
    Begin {
        /// The server that begins.
        first: String,
    },
    /// One has begun, and the others follow.
    Follow,
}

/// Decides what a restore does next.
///
/// # Errors
/// All that speaks against it. Nothing may be changed then.
pub fn restore(
    situation: &Situation<'_>,
    snapshot: &LocalSnapshot,
    version: &str,
) -> Result<RestorePhase, Vec<Problem>> {
    let problems = refused(situation, snapshot, version);
    if !problems.is_empty() {
        return Err(problems);
    }
    let begun = |sha256: &str| sha256 == snapshot.sha256;
    let is_begun = situation.servers().any(|(_, facts)| {
        let restored = facts.node.restored.as_ref();
        facts.node.datastore.is_some() && restored.is_some_and(|(_, sha256)| begun(sha256))
    });
    if is_begun {
        return Ok(RestorePhase::Follow);
    }
    let Some(first) = first(situation).map(|host| host.name.clone()) else {
        return Err(vec![Problem::new(
            Code::RESTORE_REFUSED,
            "the inventory has no server",
        )]);
    };
    let servers = situation
        .servers()
        .filter(|(_, facts)| facts.node.datastore.is_some() || facts.node.server_unit.is_up());
    let servers: Vec<_> = servers
        .map(|(host, facts)| {
            let folders = Folders::usual(facts.node.data_dir.clone());
            (host.name.clone(), folders)
        })
        .collect();
    Ok(if servers.is_empty() {
        RestorePhase::Begin { first }
    } else {
        RestorePhase::Stop { first, servers }
    })
}

/// What speaks against it.
fn refused(situation: &Situation<'_>, snapshot: &LocalSnapshot, version: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let product = situation.rules.product().name;
    for host in situation.inventory.servers() {
        let name = &host.name;
        let Some(facts) = situation.facts.get(name) else {
            problems.push(
                problem!(Code::RESTORE_REFUSED, host = name, "this server was not reached")
                    .because("when it comes back, it comes with the data that is to be replaced")
                    .next("bring it back; or take it out of the inventory, and erase its disk before it is started again"),
            );
            continue;
        };
        if facts.node.foreign.is_some() {
            problems.push(
                problem!(
                    Code::RESTORE_REFUSED,
                    host = name,
                    "{product} was not installed by towline here"
                )
                .next("take it over first")
                .command("towline deploy -i FILE --adopt"),
            );
        }
    }
    if let Some(taken_by) = &snapshot.version
        && let (Some(from), Some(to)) = (minor(taken_by), minor(version))
        && from > to
    {
        problems.push(
            problem!(
                Code::RESTORE_REFUSED,
                "the snapshot was taken by {taken_by}, and {version} is older"
            )
            .because("an older Kubernetes does not read what a newer one has stored")
            .next("let the inventory name that version, or a later one")
            .inventory(format!("cluster: {{version: {taken_by}}}")),
        );
    }
    if snapshot.datastore == Datastore::Sqlite && situation.inventory.servers().count() > 1 {
        problems.push(
            Problem::new(
                Code::RESTORE_REFUSED,
                "it is a snapshot of sqlite, which only a single server has",
            )
            .next("restore it with the first server alone in the inventory, then deploy with the others"),
        );
    }
    problems
}

/// A restore whose first server has begun, and which has not ended.
pub(super) fn under_way(situation: &Situation<'_>) -> Option<RestoreOrder> {
    let mut servers = situation.servers();
    servers.find_map(|(_, facts)| {
        facts.node.datastore?;
        let (id, _) = facts.node.restored.clone()?;
        Some(RestoreOrder { id, begins: None })
    })
}
