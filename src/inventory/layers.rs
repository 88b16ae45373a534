//! Layered settings: defaults, the file's `ssh`, a host's groups in order, the host, the command
//! line. What comes later wins, and every setting keeps the place that decided it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::node::{Entry, Node, Tree};
use super::reader::Reader;
use super::{Role, Ssh, kubernetes, shape, syntax};
use crate::vars::{Origin, Setting};

/// One place that says something about a host, and the path to it.
pub(super) struct Layer<'a> {
    /// What it says.
    pub node: &'a Node,
    /// Its path in the inventory.
    pub path: String,
}

/// A host's role. It must be said somewhere.
pub(super) fn role(
    reader: &mut Reader<'_>,
    entry: &Entry,
    layers: &[Layer<'_>],
) -> Option<Setting<Role>> {
    let mut said = false;
    let mut role = None;
    for layer in layers {
        let Some(entry) = layer.node.entry("role") else {
            continue;
        };
        said = true;
        let value = match entry.value.text() {
            Some("server") => Role::Server,
            Some("agent") => Role::Agent,
            _ => continue,
        };
        role = Some(reader.setting(value, format!("{}.role", layer.path), entry.value.span));
    }
    // What is neither a map nor nothing is a mistake of its own.
    if !said && matches!(entry.value.tree, Tree::Map(_) | Tree::Null) {
        let message = format!("`{}` has no role", entry.key);
        let help = "add `role: server` or `role: agent`, here or in its group";
        reader.mistakes.help(entry.at, message, help);
    }
    role
}

/// The interface by which its siblings reach a host.
pub(super) fn interface(
    reader: &Reader<'_>,
    root: &Node,
    layers: &[Layer<'_>],
) -> Option<Setting<String>> {
    let cluster = root.get("cluster").map(|node| (node, "cluster"));
    let own = layers.iter().map(|layer| (layer.node, &*layer.path));
    let mut said = cluster.into_iter().chain(own).filter_map(|(node, path)| {
        let name = node.get("interface")?;
        let path = format!("{path}.interface");
        Some(reader.setting(name.text()?.to_owned(), path, name.span))
    });
    said.next_back()
}

/// A host's labels.
pub(super) fn labels(
    reader: &Reader<'_>,
    layers: &[Layer<'_>],
) -> BTreeMap<String, Setting<String>> {
    by_key(layers, "labels")
        .filter_map(|(entry, path)| {
            let text = entry.value.text()?.to_owned();
            Some((
                entry.key.clone(),
                reader.setting(text, path, entry.value.span),
            ))
        })
        .collect()
}

/// A host's config.
pub(super) fn config(
    reader: &Reader<'_>,
    layers: &[Layer<'_>],
) -> BTreeMap<String, Setting<serde_json::Value>> {
    by_key(layers, "config")
        .map(|(entry, path)| {
            let value = kubernetes::json(&entry.value);
            (
                entry.key.clone(),
                reader.setting(value, path, entry.value.span),
            )
        })
        .collect()
}

/// The entries of a map in all layers, the nearest last, each with its path.
fn by_key<'a>(layers: &'a [Layer<'a>], key: &str) -> impl Iterator<Item = (&'a Entry, String)> {
    layers
        .iter()
        .filter_map(move |layer| Some((layer.node.get(key)?, format!("{}.{key}", layer.path))))
        .flat_map(|(node, path)| {
            let joined = move |entry: &'a Entry| (entry, shape::join(&path, &entry.key));
            node.entries().iter().map(joined)
        })
}

/// A host's taints, the nearest last.
pub(super) fn taints(reader: &Reader<'_>, layers: &[Layer<'_>]) -> Vec<Setting<String>> {
    let mut taints: Vec<Setting<String>> = Vec::new();
    for layer in layers {
        let path = format!("{}.taints", layer.path);
        for (text, span) in layer
            .node
            .get("taints")
            .map(Node::texts)
            .unwrap_or_default()
        {
            if !taints.iter().any(|taint| taint.value == text) {
                taints.push(reader.setting(text.to_owned(), path.clone(), span));
            }
        }
    }
    taints
}

/// How to reach a host: the file's `ssh`, its groups', its own, the command line's.
pub(super) fn ssh(reader: &mut Reader<'_>, root: &Node, layers: &[Layer<'_>]) -> Ssh {
    let top = root.get("ssh").map(|node| (node, "ssh".to_owned()));
    let below = layers
        .iter()
        .filter_map(|layer| Some((layer.node.get("ssh")?, format!("{}.ssh", layer.path))));
    let blocks: Vec<(&Node, String)> = top.into_iter().chain(below).collect();
    let last = |key: &str| {
        blocks
            .iter()
            .rev()
            .find_map(|(node, path)| Some((node.get(key)?, format!("{path}.{key}"))))
    };
    for (node, _) in &blocks {
        reader.text(node, "user", syntax::user);
    }
    let flags = reader.surroundings.overrides;
    let user = last("user")
        .and_then(|(node, path)| Some(reader.setting(node.text()?.to_owned(), path, node.span)));
    let port =
        last("port").and_then(|(node, path)| Some(reader.setting(node.whole()?, path, node.span)));
    let timeout = last("connect_timeout_seconds")
        .and_then(|(node, path)| Some(reader.setting(node.whole()?, path, node.span)));
    let keys = last("key").map(|(node, path)| {
        let texts = node.texts().into_iter();
        let keys: Vec<PathBuf> = texts
            .filter_map(|(text, span)| reader.path(text, span))
            .collect();
        reader.setting(keys, path, node.span)
    });
    let known_hosts = last("known_hosts").and_then(|(node, path)| {
        let file = reader.path(node.text()?, node.span)?;
        Some(reader.setting(file, path, node.span))
    });
    let keys_of_flag = Some(flags.ssh_key.clone()).filter(|keys| !keys.is_empty());
    Ssh {
        user: flag("ssh-user", flags.ssh_user.clone())
            .or(user)
            .unwrap_or_else(|| Setting::default("root".to_owned())),
        port: flag("ssh-port", flags.ssh_port)
            .or(port)
            .unwrap_or(Setting::default(22)),
        keys: flag("ssh-key", keys_of_flag)
            .or(keys)
            .unwrap_or_else(|| Setting::default(Vec::new())),
        known_hosts: flag("known-hosts", flags.known_hosts.clone()).or(known_hosts),
        connect_timeout_seconds: timeout.unwrap_or(Setting::default(10)),
    }
}

/// What the command line says.
fn flag<T>(name: &'static str, value: Option<T>) -> Option<Setting<T>> {
    value.map(|value| Setting {
        value,
        origin: Origin::Flag(name),
    })
}
