//! Reads the key `cluster.manifests`: files of objects that the servers keep in the cluster.
//!
//! A file is read here, so that what is wrong with it is said with its place before a host is asked. What
//! it holds is looked at only as far as it takes to say that the cluster cannot take it: a kind may come by
//! an earlier manifest.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::cluster::NOTHING;
use super::layers::Layer;
use super::mistake::Complaint;
use super::node::{Span, YamlNode, YamlValue};
use super::reader::{Reader, looked_for, read_text};
use super::source::sentence;
use crate::vars::Secret;

/// A manifest may be this large. The API takes objects of 1.5 MiB, and the largest sets of definitions
/// have four times that.
pub const LARGEST_MANIFEST: u64 = 8 << 20;
/// More than this many files are a folder that was not meant.
const MOST: usize = 200;
/// How files end that are read.
const ENDS: [&str; 3] = ["yaml", "yml", "json"];

/// A file of objects that the servers keep in the cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Its name on the servers: `cni.yaml`.
    pub name: String,
    /// Where it comes from.
    pub source: ManifestSource,
}

/// Where a manifest comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum ManifestSource {
    /// What it holds. It may hold secrets.
    Text(String),
    /// A URL, with the SHA-256 of what is there.
    Url {
        /// Where it is.
        url: String,
        /// In lower-case hexadecimal digits.
        sha256: String,
    },
}

impl fmt::Debug for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Manifest({})", self.name)
    }
}

impl Manifest {
    /// What it holds; nothing of one that was not fetched.
    pub fn text(&self) -> &str {
        match &self.source {
            ManifestSource::Text(text) => text,
            ManifestSource::Url { .. } => "",
        }
    }

    /// By what k3s calls it in the cluster: its name up to the first period.
    pub fn stem(&self) -> &str {
        stem(&self.name)
    }

    /// Puts in what was fetched.
    ///
    /// # Errors
    /// The line and what is wrong there, where the cluster cannot take it.
    pub fn fill(&mut self, text: String) -> Result<Vec<Secret>, (u64, String)> {
        let secrets = look(&text)?;
        self.source = ManifestSource::Text(text);
        Ok(secrets)
    }
}

fn stem(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Whether a file of this name can be a manifest.
pub fn is_manifest_name(name: &str) -> bool {
    file_name(name).is_ok()
}

pub(super) fn url(text: &str) -> Result<(), Complaint> {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    if rest.is_some_and(|rest| !rest.is_empty()) && !text.contains(char::is_whitespace) {
        return Ok(());
    }
    Err(Complaint::with(
        "this is no URL",
        "write it with its scheme, https://",
    ))
}

/// k3s calls an `AddOn`, which is an object of the cluster, by the file's name up to the first period.
pub(super) fn file_name(name: &str) -> Result<(), Complaint> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let stem = stem(name).as_bytes();
    let is_label = stem.len() <= 63
        && stem.first().is_some_and(|byte| plain(*byte))
        && stem.last().is_some_and(|byte| plain(*byte))
        && stem.iter().all(|byte| plain(*byte) || *byte == b'-');
    let is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let ends = name.rsplit_once('.').map(|(_, end)| end);
    if is_label && is_plain && name.len() <= 200 && ends.is_some_and(|end| ENDS.contains(&end)) {
        return Ok(());
    }
    Err(Complaint::with(
        format!("`{name}` cannot be the name of a manifest"),
        "up to its first period it is the name of an object: lower-case letters, digits and dashes; it ends in .yaml, .yml or .json",
    ))
}

/// What of a document says whether it can be an object, and whether it holds secrets.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "apiVersion")]
    api_version: Option<String>,
    kind: Option<String>,
    items: Option<Vec<Head>>,
    data: Option<Value>,
    #[serde(rename = "stringData")]
    string_data: Option<Value>,
}

/// The values of its Secrets, or the line and what is wrong there.
fn look(text: &str) -> Result<Vec<Secret>, (u64, String)> {
    let mut secrets = Vec::new();
    for (line, document) in documents(text) {
        let options = serde_yaml::options! { with_snippet: false };
        let head: Head = serde_yaml::from_str_with_options(document, options).map_err(|error| {
            let at = error.location().map_or(1, |place| place.line());
            let said = error.without_snippet().to_string();
            let said = said.split(" at line ").next().unwrap_or_default();
            let said = said.split(": line ").next().unwrap_or_default();
            (line + at - 1, format!("this is no object in YAML: {said}"))
        })?;
        let (Some(_), Some(kind)) = (&head.api_version, &head.kind) else {
            let lacks = if head.kind.is_none() {
                "kind"
            } else {
                "apiVersion"
            };
            return Err((line, format!("this object has no {lacks}")));
        };
        if kind.ends_with("List") {
            secrets.extend(head.items.iter().flatten().flat_map(Head::secrets));
        }
        secrets.extend(head.secrets());
    }
    Ok(secrets)
}

impl Head {
    /// The values of a Secret.
    fn secrets(&self) -> Vec<Secret> {
        let is_secret = self.kind.as_deref() == Some("Secret");
        let all = [&self.data, &self.string_data].into_iter().flatten();
        let all = all.filter_map(|values| values.as_object().filter(|_| is_secret));
        let values = all.flat_map(Map::values).filter_map(Value::as_str);
        values.map(Secret::new).collect()
    }
}

/// The documents that say something, each with its first line: comments and blank lines are none.
fn documents(text: &str) -> Vec<(u64, &str)> {
    let mut documents = Vec::new();
    let (mut start, mut first, mut offset) = (0, 1, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        offset += line.len();
        if let Some(behind) = line.strip_prefix("---") {
            documents.push((first, &text[start..offset - line.len()]));
            // What stands behind the dashes belongs to the document.
            let is_bare = behind.trim().is_empty() || behind.trim_start().starts_with('#');
            (start, first) = if is_bare {
                (offset, number + 1)
            } else {
                (offset - behind.len(), number)
            };
        }
    }
    documents.push((first, &text[start..]));
    let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    documents.retain_mut(|(first, document)| {
        let skipped = document
            .split_inclusive('\n')
            .take_while(|line| !says(line));
        let (lines, bytes) = skipped.fold((0, 0), |(lines, bytes), line| {
            (lines + 1, bytes + line.len())
        });
        *first += lines;
        *document = &document[bytes..];
        !document.is_empty()
    });
    documents
}

/// Reads the list.
pub(super) fn read(reader: &mut Reader<'_>, layers: &[Layer<'_>]) -> Vec<Manifest> {
    let block = layers.last().map_or(&NOTHING, |layer| layer.node);
    let mut all: Vec<(Manifest, Span)> = Vec::new();
    for item in block.get("manifests").map_or(&[][..], YamlNode::items) {
        match &item.tree {
            YamlValue::Map(_) => all.extend(fetched(reader, item).map(|one| (one, item.span))),
            YamlValue::Text(written) => {
                let files = written_files(reader, written, item.span);
                all.extend(files.into_iter().map(|one| (one, item.span)));
            }
            _ => {}
        }
    }
    if let Some((_, span)) = all.get(MOST) {
        let message = format!(
            "these are {} manifests, and at most {MOST} are read",
            all.len()
        );
        reader.mistakes.add(*span, message);
    }
    let reserved = reader.dialect.manifests;
    for (index, (manifest, span)) in all.iter().enumerate() {
        let stem = manifest.stem();
        let twice = all[..index].iter().find(|(one, _)| one.stem() == stem);
        if let Some((first, _)) = twice {
            let message = format!(
                "`{}` and `{}` would be one manifest in the cluster, `{stem}`",
                first.name, manifest.name
            );
            let help = "up to its first period each name must be another one";
            reader.mistakes.help(*span, message, help);
        } else if reserved.contains(&stem) {
            let message = format!("`{stem}` is a manifest of {} itself", reader.dialect.name);
            let help = "give the file another name";
            reader.mistakes.help(*span, message, help);
        }
    }
    all.into_iter().map(|(manifest, _)| manifest).collect()
}

/// One that is fetched later.
fn fetched(reader: &mut Reader<'_>, item: &YamlNode) -> Option<Manifest> {
    let [url, sha256, named] =
        ["url", "sha256", "file_name"].map(|key| item.get(key).and_then(YamlNode::text));
    let (Some(url), Some(sha256)) = (url, sha256) else {
        let lacks = if url.is_none() { "url" } else { "sha256" };
        let message = format!("this manifest has no `{lacks}`");
        let help = "a URL is written with the hash of what is there: {url: https://…, sha256: …}";
        reader.mistakes.help(item.span, message, help);
        return None;
    };
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let name = named.unwrap_or(last);
    if let (Err(complaint), None) = (file_name(name), named) {
        let message = complaint.message;
        let help = "say its name: {file_name: NAME.yaml, url: …}".to_owned();
        let help = Some(help);
        reader
            .mistakes
            .check(item.span, Err(Complaint { message, help }));
        return None;
    }
    Some(Manifest {
        name: name.to_owned(),
        source: ManifestSource::Url {
            url: url.to_owned(),
            sha256: sha256.to_ascii_lowercase(),
        },
    })
}

/// The file of this name, or those in the folder.
fn written_files(reader: &mut Reader<'_>, written: &str, span: Span) -> Vec<Manifest> {
    let Some(path) = reader.path(written, span) else {
        return Vec::new();
    };
    let unreadable = |error: &std::io::Error| Complaint {
        message: format!("`{written}` cannot be read: {}", sentence(error)),
        help: looked_for(written, &path),
    };
    let files = match files(&path) {
        Ok(files) => files,
        Err(error) => {
            reader.mistakes.check(span, Err(unreadable(&error)));
            return Vec::new();
        }
    };
    if files.is_empty() {
        let message =
            format!("in `{written}` is no manifest: no file ends in .yaml, .yml or .json");
        reader.mistakes.add(span, message);
    }
    let mut manifests = Vec::new();
    for file in files {
        match one(&file) {
            Ok((manifest, secrets)) => {
                reader.secrets.extend(secrets);
                manifests.push(manifest);
            }
            Err(complaint) => reader.mistakes.check(span, Err(complaint)),
        }
    }
    manifests
}

/// The file itself, or the manifests of a folder by name. Those that begin with a period are none.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        let is_hidden = file
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let ends = file.extension().and_then(|end| end.to_str());
        if file.is_file() && !is_hidden && ends.is_some_and(|end| ENDS.contains(&end)) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// One file, and the values of its Secrets.
fn one(file: &Path) -> Result<(Manifest, Vec<Secret>), Complaint> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file_name(&name)?;
    let shown = file.display();
    let failed = |why: &str| Complaint::new(format!("`{shown}` cannot be read: {why}"));
    let text = read_text(file, LARGEST_MANIFEST, "it is too large for a manifest")
        .map_err(|error| failed(&sentence(&error)))?;
    let secrets = look(&text)
        .map_err(|(line, what)| Complaint::new(format!("{shown}, line {line}: {what}")))?;
    let manifest = Manifest {
        name: name.into_owned(),
        source: ManifestSource::Text(text),
    };
    Ok((manifest, secrets))
}

#[cfg(test)]
#[path = "tests/manifests.rs"]
mod tests;
