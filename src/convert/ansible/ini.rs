//! Ansible's INI: sections of hosts, of children and of variables. It is a dialect of its own, for
//! which no library stands: a host's line is split as a shell splits it, and a value is a Python
//! literal where it looks like one.

use std::path::Path;

use serde_json::Value;

use super::graph::{ALL, Graph, Scope, invalid};
use super::pattern;
use crate::convert::reading;
use crate::convert::{ConvertError, Place, Source};
use crate::problem::Problem;

/// The name of a section and its kind.
fn section(line: &str) -> Option<(&str, &str)> {
    let (inside, rest) = line.strip_prefix('[')?.split_once(']')?;
    let rest = rest.trim_start();
    if !(rest.is_empty() || rest.starts_with(['#', ';'])) {
        return None;
    }
    let (name, kind) = inside.split_once(':').unwrap_or((inside, "hosts"));
    let is_word =
        !name.is_empty() && !name.contains(char::is_whitespace) && !kind.contains([' ', ':']);
    is_word.then_some((name, kind))
}

/// Reads a file.
pub(super) fn read(source: &Source) -> Result<Graph, ConvertError> {
    let mut graph = Graph::new(source.at(1));
    let (mut group, mut kind) = (0, "hosts");
    for (number, line) in (1..).zip(source.text.lines()) {
        let line = line.trim();
        let at = source.at(number);
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with('[')
            && let Some((name, of)) = section(line)
        {
            let name = if name == "ungrouped" { ALL } else { name };
            group = graph.group(name, &at);
            kind = of;
            if !["hosts", "children", "vars"].contains(&kind) {
                let what = format!(
                    "`[{name}:{kind}]`: the part after the colon must be hosts, children or vars"
                );
                return Err(invalid(&at, &what).into());
            }
        } else if kind == "hosts" {
            host(&mut graph, line, group, &at)?;
        } else if kind == "children" {
            let name = line.split(['#', ';']).next().unwrap_or(line).trim();
            let child = graph.group(name, &at);
            if child == group {
                return Err(invalid(&at, &format!("the group {name} is below itself")).into());
            }
            graph.child(group, child);
        } else if let Some((name, value)) = line.split_once('=') {
            let value = value_of(value.trim(), true);
            graph.variable(name.trim(), value, Scope::Group(group), &at);
        } else {
            graph.leave(&at, "this line is not `name=value`");
        }
    }
    Ok(graph)
}

/// A host's line: its name, then variables.
fn host(graph: &mut Graph, line: &str, group: usize, at: &Place) -> Result<(), Problem> {
    let words = shlex::split(line).ok_or_else(|| invalid(at, "a quote is not closed"))?;
    let Some((name, settings)) = words.split_first() else {
        return Ok(());
    };
    let (names, port) = pattern::hosts(name).map_err(|what| invalid(at, &what))?;
    let mut variables = Vec::new();
    if let Some(port) = port {
        variables.push(("ansible_port".to_owned(), Value::from(port)));
    }
    for setting in settings {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| invalid(at, "after the host's name, every word is `name=value`"))?;
        variables.push((name.to_owned(), value_of(value, false)));
    }
    for name in names {
        let host = graph.host(&name, group, at)?;
        for (name, value) in &variables {
            graph.variable(name, value.clone(), Scope::Host(host), at);
        }
    }
    Ok(())
}

/// A value: what Python reads as a literal is one, anything else is text. Lists and dicts of Python
/// are read as YAML's, which has both kinds of quotes.
fn value_of(text: &str, quoted: bool) -> Value {
    match text {
        "True" => return Value::Bool(true),
        "False" => return Value::Bool(false),
        "None" => return Value::Null,
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>()
        && number.to_string() == text
    {
        return number.into();
    }
    for quote in ['"', '\''] {
        let inside = text
            .strip_prefix(quote)
            .and_then(|text| text.strip_suffix(quote));
        if quoted && let Some(inside) = inside.filter(|inside| !inside.contains(quote)) {
            return inside.into();
        }
    }
    if (text.starts_with('{') && !text.starts_with("{{")) || text.starts_with('[') {
        let documents = crate::inventory::documents(text, Path::new(""));
        if let Some(node) = documents
            .ok()
            .as_ref()
            .and_then(|documents| documents.first())
        {
            return reading::value(node, text);
        }
    }
    text.into()
}
