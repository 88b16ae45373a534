//! A task as a playbook writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Problem;

/// A task as a playbook writes it: exactly one kind.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Entry {
    pub name: String,
    pub when: Option<String>,
    pub for_each: Option<Value>,
    pub absent: Option<AbsentEntry>,
    pub binary: Option<BinaryEntry>,
    pub command: Option<CommandEntry>,
    pub file: Option<FileEntry>,
    pub kernel: Option<KernelEntry>,
    pub link: Option<LinkEntry>,
    pub node: Option<NodeEntry>,
    pub package: Option<BTreeMap<String, String>>,
    pub service: Option<ServiceEntry>,
    pub wait: Option<WaitEntry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AbsentEntry {
    pub paths: Vec<String>,
    #[serde(default)]
    pub links_to: Vec<String>,
    #[serde(default)]
    pub parents: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BinaryEntry {
    pub path: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CommandEntry {
    pub unless: String,
    pub run: String,
    pub description: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileEntry {
    pub path: String,
    pub template: String,
    pub mode: String,
    #[serde(default)]
    pub effective: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KernelEntry {
    #[serde(default)]
    pub modules: BTreeMap<String, String>,
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkEntry {
    pub path: String,
    pub target: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeEntry {
    pub name: String,
    #[serde(default)]
    pub voter: String,
    pub flannel: String,
    pub unit: String,
    pub diagnose: Option<String>,
    #[serde(default)]
    pub agent: bool,
    #[serde(default)]
    pub no_server: String,
    pub kubeconfig: String,
    pub timeout: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceEntry {
    pub unit: String,
    pub newer_than: Vec<String>,
    pub diagnose: Option<String>,
    pub kubeconfig: Option<String>,
    #[serde(default)]
    pub awaits_network: String,
    pub timeout: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitEntry {
    pub until: String,
    pub description: String,
    pub timeout: u64,
}

impl Entry {
    /// Whether it has a name and exactly one kind.
    ///
    /// # Errors
    /// What is missing or too much, with the file.
    pub fn check(&self, file: &str) -> Result<(), Problem> {
        let kinds = [
            self.absent.is_some(),
            self.binary.is_some(),
            self.command.is_some(),
            self.file.is_some(),
            self.kernel.is_some(),
            self.link.is_some(),
            self.node.is_some(),
            self.package.is_some(),
            self.service.is_some(),
            self.wait.is_some(),
        ];
        let count = kinds.into_iter().filter(|given| *given).count();
        if count == 1 && !self.name.is_empty() {
            return Ok(());
        }
        if self.name.is_empty() {
            return Err(Problem::new(format!("{file}: a task has no name"))
                .next("give every task a  name:  that says what is to be so"));
        }
        Err(Problem::new(format!("{file}: the task “{}” has {count} kinds and needs one", self.name))
            .because("a task has a name and exactly one of absent, binary, command, file, kernel, link, node, package, service, wait"))
    }
}
