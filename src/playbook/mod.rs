//! The language of playbooks: stages and tasks as data, read strictly.
//!
//! `playbooks/` and `templates/` are embedded in the binary; a file of the same name in the user's
//! own folder overrides the embedded one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use serde_yaml::Location;

use crate::artifacts::BinaryArtifact;
use crate::distribution::Distribution;
use crate::problem::{Code, Problem, problem};
use crate::task::service::Diagnose;
use crate::task::{Service, Task};

mod assets;
mod entry;
mod template;

#[cfg(test)]
mod tests;

pub use assets::Assets;
use entry::{PlacedProblem, TaskEntry};
use template::Templates;

/// A stage of a deploy: which hosts, in what order, by which playbook.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageEntry {
    /// Its name, as plans and reports show it.
    pub stage: String,
    /// Which hosts take part.
    pub hosts: Selector,
    /// In what order.
    pub strategy: Strategy,
    /// Name of the playbook with its tasks.
    pub playbook: String,
}

/// Which hosts take part in a stage, as the cluster's rules sort them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selector {
    /// Every host.
    All,
    /// The server that makes a new cluster.
    Leader,
    /// Servers with data.
    Members,
    /// Servers that join.
    Joining,
    /// Agents.
    Agents,
    /// The server that lets wiped nodes go.
    AnsweringServer,
}

/// In what order the hosts of a stage go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// All together.
    Parallel,
    /// One host that everything after it depends on.
    Leader,
    /// One by one while the cluster runs, all together when all of it is down.
    Members,
    /// As `cluster.join` says.
    Join,
    /// So many at once as `cluster.agent_batch` says.
    Batches,
}

/// The playbooks of a reset. Which hosts they are for, and in what order, is no choice of a file.
const RESET: [&str; 4] = ["reset-stop", "reset-delete", "reset-host", "reset-stay"];

/// Those of a restore.
const RESTORE: [&str; 2] = ["restore-bring", "restore-stop"];

/// The playbook that moves the pods of nodes which leave, in any distribution.
const DRAIN: &str = "kubernetes/drain";

/// A task of a playbook for one host.
#[derive(Debug)]
pub struct NamedTask {
    /// Its name, as plans and reports show it.
    pub name: String,
    /// The task.
    pub task: Task,
    /// Whether the server that answers for the cluster does it, in the host's turn.
    pub is_delegated: bool,
}

/// The playbooks, read and checked, with their templates.
#[derive(Debug)]
pub struct Book {
    distribution: &'static Distribution,
    /// The stages in order.
    pub stages: Vec<StageEntry>,
    playbooks: BTreeMap<String, Vec<TaskEntry>>,
    templates: Templates,
}

impl Book {
    /// Reads all playbooks and templates.
    ///
    /// # Errors
    /// A mistake in any of them, with file, line and column.
    pub fn read(assets: &Assets) -> Result<Self, Problem> {
        let own = assets.distribution.rules.product().name;
        let site = format!("{own}/site");
        let stages: Vec<StageEntry> =
            yaml(&format!("playbooks/{site}.yml"), assets.playbook(&site)?)?;
        let mut playbooks = BTreeMap::new();
        let named = stages.iter().map(|stage| stage.playbook.clone());
        let reset = RESET.iter().map(|name| format!("{own}/{name}"));
        let drain = [DRAIN.to_owned()];
        let restore = assets.distribution.snapshots.map(|_| RESTORE);
        let restore = restore.into_iter().flatten();
        let restore = restore.map(|name| format!("{own}/{name}"));
        let named: BTreeSet<_> = named.chain(reset).chain(drain).chain(restore).collect();
        for name in named.clone() {
            let file = format!("playbooks/{name}.yml");
            let entries: Vec<TaskEntry> = yaml(&file, assets.playbook(&name)?)?;
            for entry in &entries {
                entry.check().map_err(|fault| placed(&file, entry, fault))?;
            }
            playbooks.insert(name, entries);
        }
        assets.all_are_used(&named)?;
        Ok(Self {
            distribution: assets.distribution,
            stages,
            playbooks,
            templates: Templates::read(assets)?,
        })
    }

    /// The name of a playbook of the distribution.
    pub fn own(&self, name: &str) -> String {
        if name == "drain" {
            return DRAIN.to_owned();
        }
        format!("{}/{name}", self.distribution.rules.product().name)
    }

    /// The tasks of a playbook for one host, in order. `binary` is what it uploads, if it
    /// does.
    ///
    /// # Errors
    /// A template or expression that does not fit the context, with its place.
    pub fn tasks<'a>(
        &self,
        playbook: &str,
        context: &Value,
        binary: impl Into<Option<&'a BinaryArtifact>>,
    ) -> Result<Vec<NamedTask>, Problem> {
        let binary = binary.into();
        let file = format!("playbooks/{playbook}.yml");
        let mut tasks = Vec::new();
        for entry in self.playbooks.get(playbook).into_iter().flatten() {
            let placed = |fault| placed(&file, entry, fault);
            for context in entry.contexts(&self.templates, context).map_err(placed)? {
                let (name, mut task) = entry.task(&self.templates, &context).map_err(placed)?;
                self.complete(&mut task, &context, binary)
                    .map_err(|(key, problem)| {
                        placed((entry.place(Some(key)), Box::new(problem)))
                    })?;
                if let Task::ShellCommand(command) = &mut task {
                    command.is_delegated = entry.is_delegated();
                }
                tasks.push(NamedTask {
                    name,
                    task,
                    is_delegated: entry.is_delegated(),
                });
            }
        }
        Ok(tasks)
    }

    /// Gives a task what it needs besides what its entry says; else the key that it lacks it for.
    fn complete(
        &self,
        task: &mut Task,
        context: &Value,
        binary: Option<&BinaryArtifact>,
    ) -> Result<(), (&'static str, Problem)> {
        match task {
            Task::File(file) => match (&file.template, &file.content) {
                (Some(template), None) => {
                    let content = self.templates.render(template, context);
                    file.content = Some(content.map_err(|problem| ("template", problem))?);
                }
                (None, Some(content)) if file.render => {
                    let content = self.templates.text(content, context);
                    let content = content.map_err(|fault| {
                        let what = format!("{}: {}", file.path, fault.what);
                        ("content", Problem { what, ..fault })
                    })?;
                    file.content = Some(content);
                }
                (None, Some(_)) => {}
                _ => {
                    let said = "a file has either a template or a content";
                    return Err(("path", Problem::new(Code::PLAYBOOK_INVALID, said)));
                }
            },
            Task::Binary(file) if file.snapshot => {
                let known = |key: &str| context["restore"][key].as_str().unwrap_or_default();
                file.source = known("source").into();
                known("sha256").clone_into(&mut file.sha256);
                file.size = context["restore"]["bytes"].as_u64();
                "the snapshot".clone_into(&mut file.description);
            }
            Task::Binary(file) => {
                let binary = binary.ok_or_else(|| {
                    (
                        "path",
                        Problem::new(Code::PLAYBOOK_INVALID, "no binary is sent here"),
                    )
                })?;
                file.source.clone_from(&binary.path);
                file.sha256.clone_from(&binary.sha256);
                file.size = binary.size;
                file.download.clone_from(&binary.download);
                file.description = format!(
                    "{} {}",
                    self.distribution.rules.product().name,
                    binary.version.as_deref().unwrap_or_default()
                );
            }
            Task::Service(service) => {
                let watched = self.watch(service, context);
                watched.map_err(|problem| ("diagnose", problem))?;
            }
            Task::NodeLabels(labels) => labels.kubectl = self.distribution.kubectl,
            Task::Addons(addons) => {
                let watched = self.watch(&mut addons.service, context);
                watched.map_err(|problem| ("service", problem))?;
            }
            Task::Node(node) => {
                let watched = self.watch(&mut node.service, context);
                watched.map_err(|problem| ("service", problem))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Tells a unit how the distribution's journal is read, and its API asked.
    fn watch(&self, service: &mut Service, context: &Value) -> Result<(), Problem> {
        let name = self.distribution.rules.product().name;
        service.kubectl = self.distribution.kubectl;
        if let Some(other) = service
            .journal
            .as_deref()
            .filter(|journal| *journal != name)
        {
            return Err(problem!(
                Code::PLAYBOOK_INVALID,
                "unknown diagnose `{other}`, expected {name}"
            ));
        }
        let node = context[name]["node_name"].as_str();
        service.diagnose = service.journal.is_some().then(|| Diagnose {
            journal: &self.distribution.journal,
            node: node.unwrap_or_default().to_owned(),
        });
        Ok(())
    }
}

fn placed(file: &str, entry: &TaskEntry, (at, problem): PlacedProblem) -> Problem {
    Problem {
        what: format!("{}: {}", place(file, at), problem.what),
        ..*problem
    }
    .because(format!("in the task “{}”", entry.name.value))
}

fn place(file: &str, at: Location) -> String {
    format!("{file}, line {}, column {}", at.line(), at.column())
}

fn yaml<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, Problem> {
    let options = serde_yaml::options! { strict_booleans: true, with_snippet: false };
    serde_yaml::from_str_with_options(text, options).map_err(|error| {
        let at = error.location().unwrap_or(Location::UNKNOWN);
        // The library repeats the place in its text.
        let said = error.without_snippet().to_string();
        let said = said.split(" at line ").next().unwrap_or(&said);
        let said = said.split(": line ").next().unwrap_or(said);
        problem!(Code::PLAYBOOK_INVALID, "{}: {said}", place(file, at))
    })
}
