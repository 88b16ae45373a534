//! The language of playbooks: stages and tasks as data, read strictly.
//!
//! `playbooks/` and `templates/` are embedded in the binary; a file of the same name in the user's
//! own folder overrides the embedded one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::distribution::Supply;
use crate::distribution::k3s::{causes, journal};
use crate::error::Problem;
use crate::task::{self, Task};

mod assets;
mod entry;
mod template;
/// How the journal of a unit is read that runs the node of this name.
fn diagnose(what: Option<&str>, node: &str) -> Result<Option<task::service::Diagnose>, Problem> {
    match what {
        None => Ok(None),
        Some("k3s") => Ok(Some(task::service::Diagnose {
            cause: causes::diagnose,
            relevant: journal::relevant,
            last_words: journal::last_words,
            warning: journal::SKIPS,
            notes: journal::skipped,
            seeks_leader: journal::seeks_leader,
            node: node.to_owned(),
        })),
        Some(other) => Err(Problem::new(format!(
            "diagnose: {other} is not known; there is  diagnose: k3s"
        ))),
    }
}

#[cfg(test)]
mod tests;

pub use assets::Assets;
use entry::Entry;
use template::Templates;

/// A stage of the road: which hosts, in what order, by which playbook.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageEntry {
    /// Its name, for people.
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
    CleanupServer,
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
const RESET: [&str; 5] = [
    "reset-drain",
    "reset-stop",
    "reset-delete",
    "reset-host",
    "reset-stay",
];

/// The playbooks, read and checked, with their templates.
#[derive(Debug)]
pub struct Book {
    /// The stages in order.
    pub stages: Vec<StageEntry>,
    playbooks: BTreeMap<String, Vec<Entry>>,
    templates: Templates,
}

impl Book {
    /// Reads all playbooks and templates.
    ///
    /// # Errors
    /// A mistake in any of them, with file, line and column.
    pub fn read(assets: &Assets) -> Result<Self, Problem> {
        let stages: Vec<StageEntry> = yaml("playbooks/site.yml", assets.playbook("site")?)?;
        let mut playbooks = BTreeMap::new();
        let named = stages.iter().map(|stage| stage.playbook.as_str());
        for name in named.chain(RESET) {
            let file = format!("playbooks/{name}.yml");
            let entries: Vec<Entry> = yaml(&file, assets.playbook(name)?)?;
            for entry in &entries {
                entry.check(&file)?;
            }
            playbooks.insert(name.to_owned(), entries);
        }
        Ok(Self {
            stages,
            playbooks,
            templates: Templates::read(assets)?,
        })
    }

    /// The tasks of a playbook for one host, by name, in order. `binary` is what it uploads, if it
    /// does.
    ///
    /// # Errors
    /// A template or expression that does not fit the context, with its place.
    pub fn tasks<'a>(
        &self,
        playbook: &str,
        context: &Value,
        binary: impl Into<Option<&'a Supply>>,
    ) -> Result<Vec<(String, Task)>, Problem> {
        let binary = binary.into();
        let mut tasks = Vec::new();
        for entry in self.playbooks.get(playbook).into_iter().flatten() {
            if let Some(when) = &entry.when
                && !self
                    .templates
                    .holds(when, context)
                    .map_err(|problem| placed(problem, playbook, entry))?
            {
                continue;
            }
            let items = match &entry.for_each {
                None => vec![None],
                Some(Value::Array(items)) => items.iter().cloned().map(Some).collect(),
                Some(expression) => {
                    let text = expression.as_str().unwrap_or_default();
                    self.templates
                        .list(text, context)
                        .map_err(|problem| placed(problem, playbook, entry))?
                        .into_iter()
                        .map(Some)
                        .collect()
                }
            };
            for item in items {
                let mut context = context.clone();
                if let (Some(item), Some(context)) = (item, context.as_object_mut()) {
                    context.insert("item".into(), item);
                }
                let task = self
                    .templates
                    .render_all(entry, &context)
                    .and_then(|rendered: Entry| {
                        let name = rendered.name.clone();
                        Ok((name, self.task(rendered, &context, binary)?))
                    })
                    .map_err(|problem| placed(problem, playbook, entry))?;
                tasks.push(task);
            }
        }
        Ok(tasks)
    }

    fn task(
        &self,
        entry: Entry,
        context: &Value,
        binary: Option<&Supply>,
    ) -> Result<Task, Problem> {
        if let Some(kind) = entry.absent {
            return Ok(Task::Absent(task::Absent {
                paths: kind.paths,
                links_to: kind.links_to,
                parents: kind.parents,
            }));
        }
        if let Some(kind) = entry.file {
            let mode = u32::from_str_radix(&kind.mode, 8)
                .map_err(|_| Problem::new(format!("mode: {} is not octal", kind.mode)))?;
            return Ok(Task::File(task::File {
                path: kind.path,
                content: self.templates.render(&kind.template, context)?,
                mode,
                effective: flag("effective", &kind.effective)?,
            }));
        }
        let node = context.pointer("/k3s/node_name");
        let node = node.and_then(Value::as_str).unwrap_or_default();
        if let Some(kind) = entry.service {
            let awaits_network = flag("awaits_network", &kind.awaits_network)?;
            let own = kind.kubeconfig.map(|kubeconfig| task::Own {
                node: node.to_owned(),
                kubeconfig,
                awaits_network,
            });
            return Ok(Task::Service(task::Service {
                unit: kind.unit,
                newer_than: kind.newer_than,
                diagnose: diagnose(kind.diagnose.as_deref(), node)?,
                own,
                quorum: None,
                timeout: Duration::from_secs(kind.timeout),
            }));
        }
        if let Some(kind) = entry.node {
            return Ok(Task::Node(task::Node {
                name: kind.name,
                voter: flag("voter", &kind.voter)?,
                flannel: flag("flannel", &kind.flannel)?,
                unit: task::Service {
                    unit: kind.unit,
                    newer_than: Vec::new(),
                    diagnose: diagnose(kind.diagnose.as_deref(), node)?,
                    own: None,
                    quorum: None,
                    timeout: Duration::from_secs(kind.timeout),
                },
                agent: kind.agent,
                no_server: flag("no_server", &kind.no_server)?,
                kubeconfig: kind.kubeconfig,
                timeout: Duration::from_secs(kind.timeout),
            }));
        }
        if let Some(kind) = entry.binary {
            let binary = binary.ok_or_else(|| Problem::new("no binary is sent here"))?;
            return Ok(Task::Binary(task::Binary {
                path: kind.path,
                source: binary.path.clone(),
                sha256: binary.sha256.clone(),
                size: binary.size,
                download: binary.download.clone().map(|download| task::Download {
                    url: download.url,
                    proxy: download.proxy,
                }),
                description: format!("k3s {}", binary.version.as_deref().unwrap_or_default()),
            }));
        }
        if let Some(kind) = entry.link {
            return Ok(Task::Link(task::Link {
                path: kind.path,
                target: kind.target,
            }));
        }
        if let Some(kind) = entry.kernel {
            return Ok(Task::Kernel(task::Kernel {
                modules: kind.modules,
                sysctls: kind.sysctls,
            }));
        }
        if let Some(packages) = entry.package {
            return Ok(Task::Package(task::Package { packages }));
        }
        if let Some(kind) = entry.wait {
            return Ok(Task::Wait(task::Wait {
                until: kind.until,
                description: kind.description,
                timeout: Duration::from_secs(kind.timeout),
            }));
        }
        match entry.command {
            Some(kind) => Ok(Task::Command(task::Command {
                unless: kind.unless,
                run: kind.run,
                description: kind.description,
            })),
            None => Err(Problem::new(format!("task {} has no kind", entry.name))),
        }
    }
}

/// What a template made of a value that is true or false.
fn flag(name: &str, text: &str) -> Result<bool, Problem> {
    match text {
        "" | "false" => Ok(false),
        "true" => Ok(true),
        other => Err(Problem::new(format!(
            "{name}: {other} is neither true nor false"
        ))),
    }
}

fn placed(problem: Problem, playbook: &str, entry: &Entry) -> Problem {
    problem.because(format!(
        "in playbooks/{playbook}.yml, task “{}”",
        entry.name
    ))
}

fn yaml<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, Problem> {
    serde_yaml::from_str(text).map_err(|error| {
        Problem::new(format!("{file} is not a playbook that towline understands"))
            .because(error.to_string().replace("<input>", file))
    })
}
