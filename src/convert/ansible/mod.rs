//! Ansible's inventories, of the roles and playbooks that make clusters with them.

use std::path::Path;

use serde_json::Value;

use super::making::because_of;
use super::{ConvertError, Converted, Judge, Source};
use crate::inventory;
use crate::problem::{Code, problem};

mod arguments;
mod cluster;
mod graph;
mod hosts;
mod ini;
mod pattern;
mod roles;
mod template;
mod values;
mod work;
mod yaml;

use graph::{Graph, Scope};
use work::AnsibleConversion;

/// Whom a file of variables is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VarsFolder {
    /// A group: it stands in `group_vars`.
    Group,
    /// A host: it stands in `host_vars`.
    Host,
}

/// A file of variables beside the inventory.
#[derive(Debug, Clone)]
pub struct Beside {
    /// Whom it is for.
    pub kind: VarsFolder,
    /// The group's or host's name.
    pub name: String,
    /// What it holds.
    pub source: Source,
}

/// Makes an inventory of Ansible's one and the files of variables beside it.
///
/// # Errors
/// A file is broken, or no host can be a server.
pub fn convert(
    source: &Source,
    beside: &[Beside],
    judge: Judge<'_>,
) -> Result<Converted, ConvertError> {
    if graph::is_vaulted(&source.text) {
        return Err(problem!(
            Code::SOURCE_ENCRYPTED,
            "{} is encrypted with ansible-vault",
            source.name
        )
        .next("write what  ansible-vault view  shows to a file, and convert that")
        .into());
    }
    let mut graph = if is_yaml(source) {
        yaml::read(source)?
    } else {
        ini::read(source)?
    };
    dynamic(&mut graph);
    for file in beside {
        read_beside(&mut graph, file)?;
    }
    let groups = graph.groups_of_hosts()?;
    let variables = graph.variables_of_hosts(&groups);
    let mut work = AnsibleConversion::new(&graph, &groups, &variables);
    if let Err(problem) = work.roles(&source.name) {
        return Err(because_of(problem, work.making.left_out).into());
    }
    work.hosts();
    work.cluster();
    work.finish()
        .finish(&source.name, "from-ansible", true, judge)
}

/// Whether a file is YAML: its name says it, else its first line.
fn is_yaml(source: &Source) -> bool {
    match Path::new(&*source.name)
        .extension()
        .and_then(|kind| kind.to_str())
    {
        Some("yml" | "yaml" | "json") => return true,
        Some("ini" | "cfg") => return false,
        _ => {}
    }
    let lines = source.text.lines().map(str::trim);
    let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    lines.next().is_some_and(|line| {
        let line = line.split(" #").next().unwrap_or(line).trim_end();
        line == "---" || line.starts_with('{') || (line.ends_with(':') && !line.contains(' '))
    })
}

/// kubespray's groups that it makes by itself.
fn dynamic(graph: &mut Graph) {
    let parts = [
        "kube_control_plane",
        "kube-master",
        "kube_node",
        "kube-node",
        "calico_rr",
    ];
    for name in ["k8s_cluster", "k8s-cluster"] {
        let parts: Vec<usize> = parts
            .iter()
            .filter_map(|part| graph.find_group(part))
            .collect();
        if parts.len() > 1 && graph.find_group(name).is_none() {
            let at = graph.groups[parts[0]].at.clone();
            let group = graph.group(name, &at);
            for part in parts {
                graph.child(group, part);
            }
        }
    }
}

/// Takes a file of `group_vars` or `host_vars`.
fn read_beside(graph: &mut Graph, file: &Beside) -> Result<(), ConvertError> {
    let source = &file.source;
    if graph::is_vaulted(&source.text) {
        graph.leave(&source.at(1), "this file is encrypted with ansible-vault");
        return Ok(());
    }
    let (scope, what) = match file.kind {
        VarsFolder::Group => (graph.find_group(&file.name).map(Scope::Group), "group"),
        VarsFolder::Host => (graph.find_host(&file.name).map(Scope::Host), "host"),
    };
    let documents = match inventory::documents(&source.text, Path::new(&*source.name)) {
        Ok(documents) => documents,
        // Ansible does not even look into it.
        Err(_) if scope.is_none() => {
            graph.leave(&source.at(1), format!("there is no {what} {}", file.name));
            return Ok(());
        }
        Err(errors) => return Err(errors.into()),
    };
    for document in documents {
        if document.entries().is_empty() {
            let at = source.at(document.span.line);
            graph.leave(&at, "this is not a map of variables");
        }
        if scope.is_none() {
            for entry in document.entries() {
                let name = &file.name;
                let what = format!("`{}`: there is no {what} {name}", entry.key);
                graph.leave(&source.at(entry.at.line), what);
            }
        }
        let scope = scope.unwrap_or(Scope::Nothing);
        yaml::variables(graph, source, &document, scope, true);
    }
    Ok(())
}

/// A value that is the same for what Ansible and k3s call nothing.
fn is_nothing(value: &Value) -> bool {
    matches!(value, Value::Null) || value.as_str().is_some_and(|text| text.trim().is_empty())
}
