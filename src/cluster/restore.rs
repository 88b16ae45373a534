//! The rules of a restore: which server begins with the snapshot, who is stopped before, and what is refused.

use std::path::PathBuf;

use super::state::first;
use super::upgrade::minor;
use super::{Folders, Situation};
use crate::facts::{Datastore, Facts};
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
    /// The server that begins, until that is done, and with what: a snapshot, or its own data.
    pub begins: Option<(String, Option<LocalSnapshot>)>,
}

/// What a cluster begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreFrom<'a> {
    /// A snapshot.
    Snapshot(&'a LocalSnapshot),
    /// The data of a server: of this one, or of the only one that has any.
    Survivor(Option<&'a str>),
}

/// What stands in place of a snapshot's hash where there is none.
const OWN_DATA: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl<'a> RestoreFrom<'a> {
    /// The hash of what the cluster begins with.
    pub fn sha256(self) -> &'a str {
        match self {
            Self::Snapshot(snapshot) => &snapshot.sha256,
            Self::Survivor(_) => OWN_DATA,
        }
    }
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestorePhase {
    /// Servers are stopped, and their data is put aside.
    Stop {
        /// The server that begins.
        first: String,
        /// Those that are stopped, with their folders.
        servers: Vec<(String, Folders)>,
    },
    /// No other server has data: one begins, the others join it.
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
    from: RestoreFrom<'_>,
    version: &str,
) -> Result<RestorePhase, Vec<Problem>> {
    let mut problems = unusable(situation);
    if let RestoreFrom::Snapshot(snapshot) = from {
        problems.extend(unfit(situation, snapshot, version));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let begun = |sha256: &str| sha256 == from.sha256();
    let is_begun = situation.servers().any(|(_, facts)| {
        let restored = facts.node.restored.as_ref();
        facts.node.datastore.is_some() && restored.is_some_and(|(_, sha256)| begun(sha256))
    });
    if is_begun {
        return Ok(RestorePhase::Follow);
    }
    let first = match from {
        RestoreFrom::Snapshot(_) => first(situation).map(|host| host.name.clone()),
        RestoreFrom::Survivor(named) => Some(survivor(situation, named).map_err(|one| vec![one])?),
    };
    let Some(first) = first else {
        return Err(vec![Problem::new(
            Code::RESTORE_REFUSED,
            "the inventory has no server",
        )]);
    };
    let servers = situation.servers().filter(|(host, facts)| {
        let keeps = matches!(from, RestoreFrom::Survivor(_)) && host.name == first;
        (facts.node.datastore.is_some() && !keeps) || facts.node.server_unit.is_up()
    });
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

/// The server whose data the cluster goes on with, where most of them are lost.
fn survivor(situation: &Situation<'_>, named: Option<&str>) -> Result<String, Problem> {
    if let Some((host, _)) = situation.servers().find(|(_, facts)| facts.serves()) {
        return Err(problem!(
            Code::RESTORE_REFUSED,
            "{} is READY and answers: the cluster has not lost its quorum",
            host.name
        )
        .next("to bring its other servers back, or new ones in")
        .command("towline deploy -i FILE"));
    }
    let etcd = |facts: &Facts| facts.node.datastore == Some(Datastore::Etcd);
    let with_data: Vec<_> = situation
        .servers()
        .filter(|(_, facts)| etcd(facts))
        .collect();
    let known = |name: &str| with_data.iter().any(|(host, _)| host.name == name);
    match (named, &*with_data) {
        (Some(name), _) if known(name) => Ok(name.to_owned()),
        (Some(name), _) => Err(problem!(
            Code::RESTORE_REFUSED,
            host = name,
            "it is no server of the inventory that has data of etcd"
        )),
        (None, [(host, _)]) => Ok(host.name.clone()),
        (None, []) => Err(Problem::new(
            Code::RESTORE_REFUSED,
            "no server that was reached has data of etcd",
        )
        .next("a snapshot brings the cluster back, if there is one")
        .command("towline snapshot restore -i FILE SNAPSHOT")),
        (None, several) => {
            let problem = Problem::new(
                Code::RESTORE_REFUSED,
                "more than one server has data of etcd, and the cluster goes on with that of one",
            );
            let problem = several.iter().fold(problem, |problem, (host, facts)| {
                let age = facts
                    .node
                    .data_changed
                    .map(|at| facts.clock.saturating_sub(at));
                let age = age.map_or_else(
                    || "at an unknown time".to_owned(),
                    |age| format!("{age} s before it was asked"),
                );
                problem.because(format!("{}: its data changed last {age}", host.name))
            });
            Err(problem
                .next("name the one with the latest data")
                .flag("--from HOST"))
        }
    }
}

/// Servers with which neither can be done.
fn unusable(situation: &Situation<'_>) -> Vec<Problem> {
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
    problems
}

/// What speaks against a snapshot.
fn unfit(situation: &Situation<'_>, snapshot: &LocalSnapshot, version: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
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
