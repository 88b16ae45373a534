//! Reads the key `cluster`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::kubernetes::{self, Place};
use super::node::{Filled, Node, Span, Tree};
use super::reader::Reader;
use super::{Binary, Cluster, Datastore, Distribution, Join, Version, release, syntax};

/// What of the cluster is needed for the checks across keys.
#[derive(Debug)]
pub(super) struct ClusterPlaces {
    /// Where `server_url` stands.
    pub server_url: Option<Span>,
    /// Whether a token is named, even one that could not be read.
    pub names_token: bool,
    /// Whether an agents' token is named, even one that could not be read.
    pub names_agent_token: bool,
}

/// Reads the cluster's settings.
pub(super) fn cluster(reader: &mut Reader<'_>, root: &Node) -> (Cluster, ClusterPlaces) {
    let nothing = Node {
        tree: Tree::Null,
        span: Span::default(),
        filled: Filled::No,
    };
    let node = root.get("cluster").unwrap_or(&nothing);
    let names = |key: &str| node.entry(key).is_some();
    let places = ClusterPlaces {
        server_url: node.entry("server_url").map(|entry| entry.at),
        names_token: names("token") || names("token_file"),
        names_agent_token: names("agent_token") || names("agent_token_file"),
    };
    if let Some(node) = node
        .get("distribution")
        .filter(|node| node.text() == Some("k0s"))
    {
        let message = "k0s comes later; towline makes k3s clusters for now";
        reader.mistakes.help(node.span, message, "write k3s");
    }
    reader.text(node, "interface", syntax::interface);
    let cluster = Cluster {
        name: name(reader, node),
        distribution: Distribution::K3s,
        version: version(reader, node),
        endpoint: reader.text(node, "endpoint", syntax::address),
        tls_sans: tls_sans(reader, node),
        server_url: reader
            .text(node, "server_url", syntax::server_url)
            .map(|url| url.trim_end_matches('/').to_owned()),
        token: reader.token(node, "cluster", "token"),
        agent_token: reader.token(node, "cluster", "agent_token"),
        join: match node.get("join").and_then(Node::text) {
            Some("serial") => Join::Serial,
            _ => Join::Parallel,
        },
        datastore: match node.get("datastore").and_then(Node::text) {
            Some("etcd") => Some(Datastore::Etcd),
            Some("sqlite") => Some(Datastore::Sqlite),
            _ => None,
        },
        agent_batch: node.get("agent_batch").and_then(Node::whole).unwrap_or(50),
        binary: binary(reader, node),
        binary_sha256: binary_sha256(reader, node),
        config: config(reader, node, "config"),
        agent_config: config(reader, node, "agent_config"),
    };
    (cluster, places)
}

/// The cluster's name. Of several files none is the one that all sites share or the one of this site.
fn name(reader: &mut Reader<'_>, node: &Node) -> String {
    if let [_, .., last] = reader.files
        && node.entry("name").is_none()
    {
        let span = Span {
            file: reader.files.len() - 1,
            ..Span::default()
        };
        let help = format!(
            "add `cluster: {{name: {}}}` to this file",
            default_name(last)
        );
        let message = "an inventory of several files names its cluster";
        reader.mistakes.help(span, message, help);
    }
    let said = reader.text(node, "name", syntax::group_name);
    let file = reader.files.first().map_or(Path::new(""), PathBuf::as_path);
    said.unwrap_or_else(|| default_name(file))
}

/// The file's stem, made into a name.
fn default_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            c
        } else {
            '-'
        }
    };
    let name: String = stem.chars().map(plain).collect();
    let name = name.trim_matches(['-', '.', '_']);
    if syntax::group_name(name).is_ok() {
        name.to_owned()
    } else {
        "cluster".to_owned()
    }
}

fn version(reader: &mut Reader<'_>, node: &Node) -> Version {
    reader.exclusive(node, "cluster", "version", "channel");
    let version = reader.text(node, "version", release::version);
    let channel = reader.text(node, "channel", release::channel);
    match version {
        Some(version) => Version::Exact(version),
        None => Version::Channel(channel.unwrap_or_else(|| "stable".to_owned())),
    }
}

fn tls_sans(reader: &mut Reader<'_>, node: &Node) -> Vec<String> {
    let texts = node.get("tls_sans").map(Node::texts).unwrap_or_default();
    for (text, span) in &texts {
        reader.mistakes.check(*span, syntax::certificate_name(text));
    }
    texts.into_iter().map(|(text, _)| text.to_owned()).collect()
}

fn config(reader: &mut Reader<'_>, node: &Node, key: &str) -> BTreeMap<String, Value> {
    let Some(node) = node.get(key) else {
        return BTreeMap::new();
    };
    kubernetes::config(reader.sources, node, Place::Shared, &mut reader.mistakes);
    node.entries()
        .iter()
        .map(|entry| (entry.key.clone(), kubernetes::json(&entry.value)))
        .collect()
}

fn binary_sha256(reader: &mut Reader<'_>, node: &Node) -> BTreeMap<String, String> {
    let hashes = node.get("binary").and_then(|binary| binary.get("sha256"));
    let mut pinned = BTreeMap::new();
    for entry in hashes.map(Node::entries).unwrap_or_default() {
        if !release::ARCHITECTURES.contains(&&*entry.key) {
            let message = format!("`{}` is no architecture of k3s's releases", entry.key);
            let help = format!("they are {}", release::ARCHITECTURES.join(", "));
            reader.mistakes.help(entry.at, message, help);
        }
        let text = entry.value.text().unwrap_or_default();
        reader
            .mistakes
            .check(entry.value.span, release::sha256(text));
        pinned.insert(entry.key.clone(), text.to_ascii_lowercase());
    }
    pinned
}

fn binary(reader: &mut Reader<'_>, node: &Node) -> Binary {
    let download = Binary::Download {
        mirror: None,
        proxy: None,
    };
    let Some(node) = node
        .get("binary")
        .filter(|node| matches!(node.tree, Tree::Map(_)))
    else {
        return download;
    };
    let source = node
        .get("source")
        .and_then(Node::text)
        .unwrap_or("download");
    for (key, sources) in [
        ("mirror", &["download", "push"][..]),
        ("proxy", &["download"]),
        ("path", &["path"]),
    ] {
        if let Some(entry) = node.entry(key).filter(|_| !sources.contains(&source)) {
            reader.mistakes.help(
                entry.at,
                format!("`{key}` is not used with `source: {source}`"),
                format!("remove it, or write `source: {}`", sources[0]),
            );
        }
    }
    if source != "path" {
        let address = |mirror: String| mirror.trim_end_matches('/').to_owned();
        let mirror = reader.text(node, "mirror", release::mirror).map(address);
        if let Some(mirror) = mirror
            .as_ref()
            .filter(|mirror| mirror.starts_with("http://"))
            && node.get("sha256").is_none()
        {
            reader.warnings.push(format!(
                "{mirror} is not encrypted: anyone on the network path can replace k3s together with the list of its hashes; use https://, or pin the binary with  binary: {{sha256: {{amd64: …}}}}"
            ));
        }
        let proxy = reader.text(node, "proxy", release::proxy).map(address);
        return if source == "push" {
            Binary::Push { mirror }
        } else {
            Binary::Download { mirror, proxy }
        };
    }
    let Some(path) = node.entry("path") else {
        reader.mistakes.help(
            node.get("source").map_or(node.span, |source| source.span),
            "`source: path` needs a `path`",
            "add `path: ./k3s`",
        );
        return download;
    };
    let written = path.value.text().unwrap_or_default();
    let Some(file) = path
        .value
        .text()
        .and_then(|text| reader.path(text, path.value.span))
    else {
        return download;
    };
    if !file.is_file() {
        let message = format!("`{written}` is not a file on this machine");
        let help = format!("towline looks for {}", file.display());
        reader.mistakes.help(path.value.span, message, help);
    }
    Binary::Path(file)
}
