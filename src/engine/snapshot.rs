//! Snapshots of a cluster's data: taken, listed, fetched, deleted.

use std::path::PathBuf;
use std::time::Duration;

use super::context::Context;
use super::refusal::Refusal;
use super::told::Conclusion;
use crate::distribution::{self, Snapshots};
use crate::facts::{Datastore, Facts};
use crate::inventory::{Host, Inventory};
use crate::problem::{Code, Problem, problem};
use crate::run::Event;
use crate::run::event::{Planned, PlannedChange, PlannedState, SnapshotRow};
use crate::run::gather::Gathered;
use crate::run::report::Report;
use crate::shell::{LOCKED, Reply, Script, acting, calling, quote};

mod fetch;
mod list;

use fetch::is_free;
pub use fetch::{SnapshotRecord, beside};
use list::{keeper, saved};

/// How long a server may take over a snapshot, and over the hash of one.
const PATIENCE: Duration = Duration::from_mins(10);

/// The snapshots of a cluster.
pub struct SnapshotStore<'a> {
    context: &'a Context,
    snapshots: &'static Snapshots,
    gathered: Gathered,
}

/// A server that takes part.
struct Keeper<'a> {
    host: &'a Host,
    facts: &'a Facts,
    /// Where it keeps its snapshots.
    folder: String,
}

impl<'a> SnapshotStore<'a> {
    /// Asks the hosts of a cluster.
    ///
    /// # Errors
    /// Its data is not saved by towline.
    pub async fn of(context: &'a Context) -> Result<Self, Refusal> {
        snapshots(&context.inventory)?;
        Self::asked(context, context.gather().await?)
    }

    /// The same of hosts that were asked already.
    ///
    /// # Errors
    /// Its data is not saved by towline.
    pub fn asked(context: &'a Context, gathered: Gathered) -> Result<Self, Refusal> {
        Ok(Self {
            context,
            snapshots: snapshots(&context.inventory)?,
            gathered,
        })
    }

    /// The servers that were reached and may be used, in the order of the inventory.
    fn keepers(&self) -> Vec<Keeper<'_>> {
        let servers = self.context.inventory.servers();
        let selected = servers.filter(|host| self.context.selected.contains(&host.name));
        let reached = selected.filter_map(|host| {
            let facts = self.gathered.facts.get(&host.name)?;
            match (self.snapshots.folder)(facts) {
                Ok(folder) => Some(Keeper {
                    host,
                    facts,
                    folder,
                }),
                Err(why) => {
                    self.note(format!("{}: its snapshots are not known: {why}", host.name));
                    None
                }
            }
        });
        reached.collect()
    }

    fn note(&self, text: String) {
        self.context.events.send(Event::Note { text });
    }

    /// A script of these functions for a server.
    fn script(&self, keeper: &Keeper<'_>, call: &str) -> String {
        format!(
            "folder={}\ndata={}\n{}{call}\n",
            quote(&keeper.folder),
            quote(keeper.facts.node.data_dir.as_str()),
            self.snapshots.script
        )
    }

    async fn ask(
        &self,
        keeper: &Keeper<'_>,
        script: &Script,
        what: &str,
    ) -> Result<Reply, Problem> {
        let host = &keeper.host.name;
        let failed = || problem!(Code::SNAPSHOT_FAILED, host = host, "{what}");
        let reply = self.gathered.ask(host, script).await;
        let reply = reply.map_err(|why| failed().because(why))?;
        match reply.status {
            0 => Ok(reply),
            locked if locked.unsigned_abs() == LOCKED => Err(Problem::new(
                Code::RUN_LOCKED,
                "another run of towline acts on this host",
            )
            .of(host)
            .next("when it has ended, run the same command again")),
            _ => {
                let said = reply.stderr.lines().map(str::trim);
                let said: Vec<_> = said.filter(|line| !line.is_empty()).collect();
                let last = &said[said.len().saturating_sub(5)..];
                Err(last
                    .iter()
                    .fold(failed(), |problem, line| problem.because(line.to_string())))
            }
        }
    }

    /// Lists them.
    ///
    /// # Errors
    /// None of the servers was reached.
    pub async fn list(&self) -> Result<Conclusion, Refusal> {
        if self.keepers().is_empty() {
            return Err(self.no_server());
        }
        let snapshots = self.all().await;
        self.context.events.send(Event::Snapshots { snapshots });
        Ok(self.conclusion(self.gathered.unreached.is_empty()))
    }

    /// Takes one, and fetches it to a file where one is wanted.
    ///
    /// # Errors
    /// No server can take one.
    pub async fn save(
        &self,
        name: &str,
        fetches: bool,
        target: Option<PathBuf>,
        is_preview: bool,
    ) -> Result<Conclusion, Refusal> {
        let keepers = self.keepers();
        let mut able = keepers.iter().filter(|keeper| keeper.facts.serves());
        let via = able.find(|keeper| keeper.facts.node.datastore.is_some());
        let Some(via) = via else {
            return Err(self.no_server());
        };
        let is_etcd = via.facts.node.datastore == Some(Datastore::Etcd);
        if let Some(path) = &target {
            is_free(path)?;
        }
        if is_preview {
            let how = if is_etcd {
                "take a snapshot of etcd"
            } else {
                "stop the server for some seconds and copy its sqlite"
            };
            let what = format!("{how}: {}/{name}-…", via.folder);
            let to = target.as_ref().map_or_else(
                || "the current folder".to_owned(),
                |path| path.display().to_string(),
            );
            let fetched = fetches.then(|| format!("fetch it to {to}"));
            let changes = [Some(what), fetched].into_iter().flatten();
            return Ok(self.planned("a snapshot of its data", vec![(via, changes.collect())]));
        }
        let node = self.context.situation(&self.gathered);
        let node = node.node_name(via.host, via.facts);
        let call = format!(
            "name={}\nnode={}\n{}",
            quote(name),
            quote(&node),
            if is_etcd { "save_etcd" } else { "save_sqlite" }
        );
        let call = self.script(via, &call);
        // What stops the server keeps other runs away.
        let script = if is_etcd {
            calling(&call, PATIENCE)
        } else {
            acting(&call, PATIENCE)
        };
        let done = async {
            let reply = self.ask(via, &script, "no snapshot was taken").await?;
            for line in reply.stderr.lines().filter(|line| !line.trim().is_empty()) {
                self.note(format!("{}: {}", via.host.name, line.trim()));
            }
            let row = saved(via, &reply).ok_or_else(|| {
                problem!(
                    Code::SNAPSHOT_FAILED,
                    host = &via.host.name,
                    "its answer about the snapshot cannot be used"
                )
            })?;
            self.context.events.send(Event::SnapshotSaved {
                host: via.host.name.clone(),
                snapshot: row.snapshot.clone(),
                bytes: row.bytes.unwrap_or_default(),
            });
            if fetches {
                self.bring(via, &row, target).await?;
            }
            Ok(())
        };
        Ok(self.ended(done.await))
    }

    /// Fetches one, by default the latest.
    ///
    /// # Errors
    /// There is none of this name.
    pub async fn fetch(
        &self,
        name: Option<&str>,
        target: Option<PathBuf>,
    ) -> Result<Conclusion, Refusal> {
        if let Some(path) = &target {
            is_free(path)?;
        }
        let (keepers, all) = (self.keepers(), self.all().await);
        let mut here = all.iter().filter(|row| row.failure.is_none());
        let row = here.find(|row| {
            name.is_none_or(|name| row.snapshot == name) && keeper(&keepers, row).is_some()
        });
        let Some((row, via)) = row.and_then(|row| Some((row, keeper(&keepers, row)?))) else {
            return Err(unknown(name.unwrap_or_default(), &all));
        };
        Ok(self.ended(self.bring(via, row, target).await))
    }

    /// Deletes some.
    ///
    /// # Errors
    /// There is none of one of these names.
    pub async fn delete(&self, names: &[String], is_preview: bool) -> Result<Conclusion, Refusal> {
        let (keepers, all) = (self.keepers(), self.all().await);
        let found = names.iter().map(|name| {
            let mut rows = all.iter().filter(|row| row.snapshot == *name);
            let found = rows.find_map(|row| Some((name, keeper(&keepers, row)?)));
            found.ok_or_else(|| unknown(name, &all))
        });
        let found = found.collect::<Result<Vec<_>, _>>()?;
        if is_preview {
            let lines = found
                .into_iter()
                .map(|(name, via)| (via, vec![format!("delete {}/{name}", via.folder)]));
            return Ok(self.planned("snapshots are deleted", lines.collect()));
        }
        for (name, via) in found {
            let call = format!("file={}\nremove", quote(name));
            let script = calling(&self.script(via, &call), PATIENCE);
            if let Err(problem) = self
                .ask(via, &script, &format!("{name} was not deleted"))
                .await
            {
                return Ok(self.ended(Err(problem)));
            }
            self.context.events.send(Event::SnapshotDeleted {
                host: via.host.name.clone(),
                snapshot: name.clone(),
            });
        }
        Ok(self.ended(Ok(())))
    }

    fn no_server(&self) -> Refusal {
        let unreached = self.gathered.unreached.keys();
        let unreached: Vec<_> = unreached.map(String::as_str).collect();
        let problem = Problem::new(
            Code::SNAPSHOT_UNAVAILABLE,
            "no server of the cluster runs and was reached",
        );
        let problem = match &*unreached {
            [] => problem,
            names => problem.because(format!("not reached: {}", names.join(", "))),
        };
        problem
            .next("to see in what state the hosts are")
            .command("towline plan -i FILE")
            .into()
    }

    fn planned(&self, about: &str, lines: Vec<(&Keeper<'_>, Vec<String>)>) -> Conclusion {
        let steps = lines.into_iter().map(|(via, changes)| Planned {
            stage: "snapshots".to_owned(),
            host: via.host.name.clone(),
            step: "snapshot".to_owned(),
            state: PlannedState::Change,
            changes: changes
                .into_iter()
                .map(|what| PlannedChange { what, diff: None })
                .collect(),
            problem: None,
        });
        self.context.events.send(Event::Plan {
            about: format!("{}: {about}", self.context.inventory.cluster.name),
            steps: steps.collect(),
            unknown: Vec::new(),
        });
        self.conclusion(true)
    }

    fn ended(&self, done: Result<(), Problem>) -> Conclusion {
        let is_good = done.is_ok();
        if let Err(problem) = done {
            self.context.events.send(Event::Trouble { problem });
        }
        self.conclusion(is_good)
    }

    fn conclusion(&self, is_good: bool) -> Conclusion {
        (Report::without_hosts(self.context.begun, is_good), None)
    }
}

/// How the data of a cluster is saved and put back.
///
/// # Errors
/// It is not, by towline.
pub fn snapshots(inventory: &Inventory) -> Result<&'static Snapshots, Problem> {
    let distribution = distribution::of(inventory);
    let product = distribution.rules.product().name;
    if let Some(datastore) = &inventory.cluster.datastore_endpoint {
        return Err(problem!(
            Code::SNAPSHOT_UNAVAILABLE,
            "the data of this cluster is in {}",
            datastore.shown()
        )
        .next("it is saved there, and put back, with the tools of that datastore"));
    }
    distribution.snapshots.ok_or_else(|| {
        problem!(
            Code::SNAPSHOT_UNAVAILABLE,
            "towline does not save or restore the data of {product} yet"
        )
        .next(format!(
            "{product} does, on a controller as root; {product} restore puts it back"
        ))
        .on_host(format!("{product} backup --save-path /root"))
    })
}

/// What is said of a name that no server has.
fn unknown(name: &str, all: &[SnapshotRow]) -> Refusal {
    let elsewhere = all.iter().find(|row| row.snapshot == name);
    let elsewhere = elsewhere.and_then(|row| row.location.as_ref().or(row.failure.as_ref()));
    let problem = match name {
        "" => Problem::new(Code::SNAPSHOT_UNKNOWN, "no server has a snapshot"),
        name => problem!(Code::SNAPSHOT_UNKNOWN, "no server has the snapshot {name}"),
    };
    let problem = elsewhere.map_or(problem.clone(), |why| problem.because(why));
    problem
        .next("to list them")
        .command("towline snapshot list -i FILE")
        .into()
}
