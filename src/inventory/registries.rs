//! How the container runtime of a host reaches registries: the map in k3s's own form, or a file with it.
//!
//! The form is that of k3s's registries.yaml: <https://docs.k3s.io/installation/private-registry>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value};

use super::layers::FromNode;
use super::mistake::Complaint;
use super::node::{YamlNode, YamlValue};
use super::reader::Reader;
use super::source::{Source, Sources};
use super::syntax::{Checked, is_dns_name};
use super::yaml;
use crate::vars::secrets_among;

/// Registries, and what comes along with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Registries {
    /// `mirrors` and `configs`, as k3s has them. It may hold secrets.
    pub content: Map<String, Value>,
    /// Certificates and keys of this machine: the path on the host, and the text.
    #[serde(skip)]
    pub files: Vec<(String, String)>,
}

impl FromNode for Registries {
    fn from_node(reader: &mut Reader<'_>, node: &YamlNode) -> Option<Self> {
        match &node.tree {
            YamlValue::Map(_) => of(reader, node),
            YamlValue::Text(_) => in_file(reader, node, |inner, tree, _| of(inner, tree)),
            _ => None,
        }
    }
}

/// Reads the file that a value names, as a tree and as it is; what is wrong in it is a mistake of that value.
pub(super) fn in_file<T>(
    reader: &mut Reader<'_>,
    node: &YamlNode,
    read: impl FnOnce(&mut Reader<'_>, &YamlNode, &str) -> Option<T>,
) -> Option<T> {
    let text = reader.text_file(node)?;
    let file = reader.path(node.text()?, node.span)?;
    let sources = Sources(vec![Source::new(&file, &text)]);
    let files = [file];
    let mut inner = Reader::new(&sources, &files, reader.surroundings);
    inner.dialect = reader.dialect;
    let tree = yaml::parse(&text, 0, &mut inner.mistakes);
    let found = tree.and_then(|tree| read(&mut inner, &tree, &text));
    reader.secrets.append(&mut inner.secrets);
    for mistake in inner.mistakes.into_sorted() {
        let place = format!("{}:{}:{}", files[0].display(), mistake.line, mistake.column);
        let message = format!("{place}: {}", mistake.message);
        let help = mistake.help;
        reader
            .mistakes
            .check(node.span, Err(Complaint { message, help }));
    }
    found
}

/// The registries of a map; files of this machine that it names are read.
fn of(reader: &mut Reader<'_>, node: &YamlNode) -> Option<Registries> {
    let Value::Object(mut content) = node.json() else {
        return None;
    };
    let mut files = Vec::new();
    for entry in node
        .get("configs")
        .map(YamlNode::entries)
        .unwrap_or_default()
    {
        let auth = entry.value.get("auth");
        let said = |key| auth.and_then(|auth| auth.get(key)?.text());
        if let (Some(user), Some(password)) = (said("username"), said("password")) {
            // As it is shown to a registry.
            reader.secret(&STANDARD.encode(format!("{user}:{password}")));
        }
        lacking(reader, auth, "identity_token");
        let login = auth.map(YamlNode::entries);
        // In an inventory, the secret itself stands there by now.
        for part in login.unwrap_or_default() {
            if let YamlValue::Map(_) = part.value.tree {
                let message = format!("`{}` must be text in this file", part.key);
                let help = "write the map in the inventory, where it may say where the secret is";
                reader.mistakes.help(part.value.span, message, help);
            }
        }
        for (key, name) in [
            ("ca_file", "ca"),
            ("cert_file", "cert"),
            ("key_file", "key"),
        ] {
            let Some(file) = entry.value.get("tls").and_then(|tls| tls.get(key)) else {
                continue;
            };
            if file.text().is_none_or(|path| path.starts_with('/')) {
                continue;
            }
            let text = reader.text_file(file)?;
            let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".-".contains(letter);
            let registry = entry.key.replace(|letter| !is_plain(letter), "_");
            let path = format!("{}/{registry}-{name}.pem", reader.dialect.registry_files);
            if let Some(config) = content
                .get_mut("configs")
                .and_then(|all| all.get_mut(&entry.key))
            {
                config["tls"][key] = Value::from(&*path);
            }
            if key == "key_file" {
                reader.secret(&text);
            }
            files.push((path, text));
        }
    }
    let mirrors = node.get("mirrors").map(YamlNode::entries);
    for mirror in mirrors.unwrap_or_default() {
        lacking(reader, Some(&mirror.value), "rewrite");
    }
    // One may be written without the list that it has to be.
    let mirrors = content.get_mut("mirrors").and_then(Value::as_object_mut);
    for mirror in mirrors.into_iter().flat_map(Map::values_mut) {
        if let Some(one) = mirror.get_mut("endpoint").filter(|said| said.is_string()) {
            *one = Value::Array(vec![one.take()]);
        }
    }
    reader.secrets.extend(secrets_among(&content));
    Some(Registries { content, files })
}

/// Notes a key of which the distribution's container runtime knows nothing.
fn lacking(reader: &mut Reader<'_>, node: Option<&YamlNode>, key: &str) {
    if let Some(entry) = node.and_then(|node| node.entry(key))
        && let Some(instead) = reader.dialect.in_place_of(key)
    {
        let message = format!("{} has no `{key}` of `registries`", reader.dialect.name);
        reader.mistakes.help(entry.at, message, instead);
    }
}

/// A registry's address: `HOST`, `HOST:PORT`, or `*` for all.
pub(super) fn endpoint(text: &str) -> Checked {
    let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
    let host = rest.split('/').next().unwrap_or_default();
    let is_host = super::is_name(host.rsplit_once(':').map_or(host, |(host, _)| host))
        || is_dns_name(host)
        || host.starts_with('[');
    if ["http", "https"].contains(&scheme) && is_host {
        return Ok(());
    }
    Err(Complaint::with(
        format!(
            "`{}` is not the address of a registry",
            crate::vars::mask::without_passwords(text)
        ),
        "write a URL, such as https://mirror.example.org:5000",
    ))
}
