//! From files to an [`Inventory`], or to everything that is wrong with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::cluster::NOTHING;
use super::keys::{CLUSTER, INVENTORY, REGISTRIES};
use super::language::{Kind, join};
use super::layers::Layer;
use super::mask::{Guarded, masked};
use super::mistake::Mistakes;
use super::node::{Span, YamlNode, YamlValue};
use super::reader::Reader;
use super::source::{STANDARD_INPUT, Source, Sources};
use super::variable::Filling;
use super::{
    Cluster, InputErrors, Inventory, Surroundings, check, foreign, hosts, overlay, registries,
    secret, shape, yaml,
};
use crate::vars::Sourced;

/// Reads an inventory's files, each laid over the ones before it; `-` is standard input. Opens no
/// connection.
///
/// All mistakes are found at once, unless a file cannot be read or is no YAML at all. The rules of the
/// distribution look at an inventory that has none.
pub fn load(files: &[PathBuf], surroundings: Surroundings<'_>) -> Result<Inventory, InputErrors> {
    let mut mistakes = Mistakes::default();
    let mut sources = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let is_again = file == Path::new(STANDARD_INPUT) && files[..index].contains(file);
        let (source, wrong) = if is_again {
            let message = "cannot be read twice".to_owned();
            (Source::new(file, ""), Some((in_file(index), message)))
        } else {
            Source::read(file, index)
        };
        sources.push(source);
        if let Some((span, message)) = wrong {
            mistakes.unreadable(span, message, None);
        }
    }
    let sources = Sources(sources);
    if mistakes.len() > 0 {
        let files = sources.0.iter();
        let files = files.map(|source| Guarded::new(&source.text, None));
        return Err(InputErrors::new(&sources, mistakes, files.collect()));
    }
    read(&sources, files, surroundings)
}

/// Reads an inventory from memory. `file` is its name in messages and the start of relative paths; files
/// that it names (a token's) are read.
pub fn load_text(
    source: &str,
    file: &Path,
    surroundings: Surroundings<'_>,
) -> Result<Inventory, InputErrors> {
    let sources = Sources(vec![Source::new(file, source)]);
    read(&sources, &[file.to_owned()], surroundings)
}

fn in_file(file: usize) -> Span {
    Span {
        file,
        ..Span::default()
    }
}

fn read(
    sources: &Sources,
    files: &[PathBuf],
    surroundings: Surroundings<'_>,
) -> Result<Inventory, InputErrors> {
    let mut reader = Reader::new(sources, files, surroundings);
    let trees = sources.0.iter().enumerate();
    let mut trees: Vec<Option<YamlNode>> = trees
        .map(|(index, source)| yaml::parse(&source.text, index, &mut reader.mistakes))
        .collect();
    let mut filling = Filling {
        sources,
        lookup: surroundings.variables,
        secrets: &mut reader.secrets,
        mistakes: &mut reader.mistakes,
    };
    let before = filling.mistakes.len();
    for tree in trees.iter_mut().flatten() {
        filling.fill(tree);
    }
    let is_filled = reader.mistakes.len() == before;
    // Of a value that is not known nothing can be said.
    let root = joined(&trees, &mut reader).filter(|_| is_filled);
    let inventory = root.and_then(|root| with_secrets(&mut reader, root));
    inventory.ok_or_else(|| {
        if let Some(recognised) = foreign::recognised(sources, files, &trees) {
            reader.mistakes = recognised;
        }
        let files = sources.0.iter().zip(&trees);
        let files = files.map(|(source, tree)| Guarded::new(&source.text, tree.as_ref()));
        let mut files: Vec<Guarded> = files.collect();
        if let Some(first) = files.first_mut() {
            first.also(reader.secrets);
        }
        InputErrors::new(sources, reader.mistakes, files)
    })
}

/// The one tree that the files' trees are together; none when one of them is missing.
fn joined(trees: &[Option<YamlNode>], reader: &mut Reader<'_>) -> Option<YamlNode> {
    let trees: Option<Vec<&YamlNode>> = trees.iter().map(Option::as_ref).collect();
    let mut trees = trees?.into_iter();
    let mut root = trees.next()?.clone();
    for tree in trees {
        match (&tree.tree, &root.tree) {
            (YamlValue::Null, _) => {}
            (YamlValue::Map(_), YamlValue::Map(_) | YamlValue::Null) => {
                overlay::lay(&mut root, tree.clone(), Kind::Object(&INVENTORY), reader);
            }
            (YamlValue::Map(_), _) => {}
            _ => shape::object(tree, "", &INVENTORY, reader),
        }
    }
    Some(root)
}

/// Reads the cluster's settings.
fn cluster(reader: &mut Reader<'_>, root: &YamlNode) -> Cluster {
    let layer = Layer {
        node: root.get("cluster").unwrap_or(&NOTHING),
        path: "cluster".to_owned(),
        object: &CLUSTER,
    };
    block_of(reader, layer.node, "cluster");
    for block in ["groups", "hosts"] {
        let entries = root.get(block).map(YamlNode::entries);
        for entry in entries.unwrap_or_default() {
            block_of(reader, &entry.value, &join(block, &entry.key));
        }
    }
    Cluster {
        binary_sha256: binary_sha256(layer.node),
        ..Cluster::read(reader, &[layer])
    }
}

/// Notes keys of a block for which the distribution has no use, and what is wrong in a file of registries.
fn block_of(reader: &mut Reader<'_>, node: &YamlNode, path: &str) {
    for (key, instead) in reader.dialect.lacks {
        if let Some(entry) = node.entry(key) {
            let message = format!("{} has no `{path}.{key}`", reader.dialect.name);
            reader.mistakes.help(entry.at, message, *instead);
        }
    }
    if let Some(file) = node.get("registries").filter(|node| node.text().is_some()) {
        registries::in_file(reader, file, |inner, tree, _| {
            shape::object(tree, "registries", &REGISTRIES, inner);
            Some(())
        });
    }
}

fn binary_sha256(node: &YamlNode) -> BTreeMap<String, String> {
    let hashes = node.get("binary").and_then(|binary| binary.get("sha256"));
    let hashes = hashes.map(YamlNode::entries).unwrap_or_default().iter();
    let pinned = hashes.map(|entry| (entry.key.clone(), entry.value.text().unwrap_or_default()));
    pinned
        .map(|(architecture, hash)| (architecture, hash.to_ascii_lowercase()))
        .collect()
}

/// What is said under `cluster`, by its path.
fn said(reader: &Reader<'_>, root: &YamlNode) -> BTreeMap<String, Sourced<Value>> {
    let mut said = BTreeMap::new();
    let entries = |node: &YamlNode, path: &str| -> Vec<(String, YamlNode)> {
        let entries = node.entries().iter();
        entries
            .map(|entry| (join(path, &entry.key), entry.value.clone()))
            .collect()
    };
    let cluster = root.get("cluster").map(|node| entries(node, "cluster"));
    for (path, node) in cluster.unwrap_or_default() {
        let inner = match node.tree {
            YamlValue::Map(_) => entries(&node, &path),
            _ => vec![(path, node)],
        };
        for (path, node) in inner {
            let value = masked(&path, node.json());
            said.insert(path.clone(), reader.setting(value, path, node.span));
        }
    }
    said
}

/// The inventory that a tree describes, or nothing but mistakes. Its secrets are read where it has no
/// mistake without them.
fn with_secrets(reader: &mut Reader<'_>, mut root: YamlNode) -> Option<Inventory> {
    let known = reader.secrets.clone();
    let sources = secret::take(&mut root);
    let inventory = whole(reader, &root)?;
    let Some(run) = reader.surroundings.commands.filter(|_| !sources.is_empty()) else {
        return Some(inventory);
    };
    reader.secrets = known;
    secret::read(reader, &mut root, sources, &inventory, run);
    whole(reader, &root)
}

/// The inventory that a tree describes, or nothing but mistakes.
fn whole(reader: &mut Reader<'_>, root: &YamlNode) -> Option<Inventory> {
    if let Some(node) = root.get("cluster")
        && let Some(name) = node.get("distribution").and_then(YamlNode::text)
    {
        let mut all = reader.surroundings.distributions.iter();
        reader.dialect = all.find(|one| one.name == name).unwrap_or(&reader.dialect);
    }
    shape::object(root, "", &INVENTORY, reader);
    if !matches!(root.tree, YamlValue::Map(_)) {
        return None;
    }
    let cluster = cluster(reader, root);
    let hosts = hosts::hosts(reader, root);
    check::across(reader, root, &hosts);
    if reader.mistakes.len() > 0 {
        return None;
    }
    let inventory = Inventory {
        files: reader.files.to_vec(),
        cluster,
        said: said(reader, root),
        hosts: hosts.placed.into_iter().map(|placed| placed.host).collect(),
        whole: true,
        secret_values: std::mem::take(&mut reader.secrets),
        warnings: std::mem::take(&mut reader.warnings),
    };
    let remarks = (reader.dialect.remarks)(&inventory);
    if remarks.is_empty() {
        return Some(inventory);
    }
    for remark in remarks {
        reader.mistakes.remark(root, reader.sources, remark);
    }
    None
}
