//! Ansible's YAML: groups with `hosts`, `vars` and `children`; and files of variables.

use std::collections::BTreeMap;
use std::path::Path;

use super::graph::{Graph, Scope, Variable, invalid};
use super::pattern;
use crate::convert::reading;
use crate::convert::{ConvertError, Source};
use crate::inventory::{self, YamlEntry, YamlNode, YamlValue};
use crate::problem::{Code, Problem, problem};

/// Reads an inventory.
pub(super) fn read(source: &Source) -> Result<Graph, ConvertError> {
    let documents = inventory::documents(&source.text, Path::new(&*source.name))?;
    let mut graph = Graph::new(source.at(1));
    let Some(root) = documents.first() else {
        return Ok(graph);
    };
    if !matches!(root.tree, YamlValue::Map(_)) {
        return Err(problem!(
            Code::SOURCE_INVALID,
            "{} is not an Ansible inventory",
            source.name
        )
        .because("it is not a map of groups")
        .into());
    }
    for entry in root.entries() {
        group(&mut graph, source, entry)?;
    }
    for more in &documents[1..] {
        let at = source.at(more.span.line);
        graph.leave(
            &at,
            "a second document starts here; Ansible reads the first",
        );
    }
    Ok(graph)
}

/// Reads a group and all below it. How deep they stand is limited by the reader of YAML.
fn group(graph: &mut Graph, source: &Source, entry: &YamlEntry) -> Result<usize, Problem> {
    let at = source.at(entry.at.line);
    let this = graph.group(&entry.key, &at);
    for part in entry.value.entries() {
        match part.key.as_str() {
            "hosts" => {
                let one = part.value.text();
                let texts = one.map(|text| (text, &part.value)).into_iter();
                let entries = part.value.entries().iter();
                for (name, at, of) in texts
                    .map(|(text, value)| (text, value.span.line, None))
                    .chain(entries.map(|entry| (&*entry.key, entry.at.line, Some(&entry.value))))
                {
                    host(graph, source, (name, at), of, this)?;
                }
            }
            "vars" => variables(graph, source, &part.value, Scope::Group(this), false),
            "children" => {
                if let Some(name) = part.value.text() {
                    let child = graph.group(name, &source.at(part.value.span.line));
                    graph.child(this, child);
                }
                for child in part.value.entries() {
                    let child = group(graph, source, child)?;
                    graph.child(this, child);
                }
            }
            other => {
                let name = &entry.key;
                let what = format!(
                    "unknown key `{other}` in group {name}: expected hosts, vars or children"
                );
                graph.leave(&source.at(part.at.line), what);
            }
        }
    }
    Ok(this)
}

fn host(
    graph: &mut Graph,
    source: &Source,
    (name, line): (&str, u64),
    of: Option<&YamlNode>,
    group: usize,
) -> Result<(), Problem> {
    let at = source.at(line);
    let (names, port) = pattern::hosts(name).map_err(|what| invalid(&at, &what))?;
    for name in names {
        let host = graph.host(&name, group, &at)?;
        let scope = Scope::Host(host);
        if let Some(port) = port {
            graph.variable("ansible_port", port.into(), scope, &at);
        }
        if let Some(of) = of {
            variables(graph, source, of, scope, false);
        }
    }
    Ok(())
}

/// Takes a map of variables.
pub(super) fn variables(
    graph: &mut Graph,
    source: &Source,
    node: &YamlNode,
    scope: Scope,
    beside: bool,
) {
    for entry in node.entries() {
        graph.variables.push(Variable {
            name: entry.key.clone(),
            value: reading::value(&entry.value, &source.text),
            at: source.at(entry.at.line),
            lines: lines(&entry.value, 0),
            scope,
            beside,
        });
    }
}

/// The lines of the keys of a map that begins below so many lines.
pub(super) fn lines(node: &YamlNode, above: u64) -> BTreeMap<String, u64> {
    let entries = node.entries().iter();
    entries
        .map(|entry| (entry.key.clone(), above + entry.at.line))
        .collect()
}
