//! Secrets that an inventory does not hold itself but says where they are: `{command: […]}`,
//! `{file: …}` or `{env: …}` in the place of the text.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Inventory;
use super::keys::{INVENTORY, SSH};
use super::language::Kind;
use super::mistake::Mistakes;
use super::node::{Filled, Span, YamlNode, YamlValue};
use super::reader::Reader;
use super::variable::is_name;
use crate::vars::{MASK, Origin, names_a_secret};

/// Runs a command in a folder and gives what it prints, or says why not, in one line.
pub type CommandRunner = fn(&[String], &Path) -> Result<String, String>;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum SecretSource {
    /// In what a command of this machine prints.
    Command(Vec<String>),
    /// In a file.
    File(String),
    /// In a variable of the environment.
    Env(String),
}

/// A secret to be read.
pub(super) struct Wanted {
    source: SecretSource,
    span: Span,
    /// Whether it is for logging in, which only some hosts need.
    is_for_login: bool,
}

impl SecretSource {
    fn of(node: &YamlNode) -> Option<Self> {
        let [entry] = node.entries() else {
            return None;
        };
        let text = entry.value.text().filter(|text| !text.is_empty());
        match &*entry.key {
            "command" => {
                let words = entry.value.items().iter();
                let words: Option<Vec<String>> =
                    words.map(|word| word.text().map(str::to_owned)).collect();
                let is_one = |words: &Vec<String>| !words.first().is_none_or(String::is_empty);
                words.filter(is_one).map(Self::Command)
            }
            "file" => text.map(|text| Self::File(text.to_owned())),
            "env" => text
                .filter(|name| is_name(name))
                .map(|name| Self::Env(name.to_owned())),
            _ => None,
        }
    }
}

/// Whether a value says where a secret is.
pub(super) fn is_source(node: &YamlNode) -> bool {
    SecretSource::of(node).is_some()
}

/// Notes what is wrong with a secret that is neither text nor says where it is.
pub(super) fn shape(node: &YamlNode, path: &str, mistakes: &mut Mistakes) {
    if is_source(node) {
        return;
    }
    let (message, help) = match node.entries() {
        [] => (
            format!("`{path}` must be text, and this is {}", node.kind()),
            "write it in quotes".to_owned(),
        ),
        [one] if one.key == "command" && one.value.text().is_some() => {
            let words = one.value.text().unwrap_or_default().split_whitespace();
            let words = words.collect::<Vec<_>>().join(", ");
            (
                format!("`{path}.command` must be a list, and this is text"),
                format!("write [{words}]"),
            )
        }
        _ => (
            format!("`{path}` must be text, or say where the secret is"),
            "write one of {command: [pass, show, NAME]}, {file: PATH} and {env: NAME}".to_owned(),
        ),
    };
    mistakes.help(node.span, message, help);
}

/// Takes out of a tree where its secrets are; in their place stands a text that is none.
pub(super) fn take(root: &mut YamlNode) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    walk(root, Kind::Object(&INVENTORY), &mut |node, is_for_login| {
        if let Some(source) = SecretSource::of(node) {
            let span = node.span;
            wanted.push(Wanted {
                source,
                span,
                is_for_login,
            });
            put(node, MASK);
        }
    });
    wanted
}

fn put(node: &mut YamlNode, text: &str) {
    node.tree = YamlValue::Text(text.to_owned());
    node.filled = Filled::Quoted;
}

/// Visits the values of all keys that hold secrets.
fn walk(node: &mut YamlNode, kind: Kind, visit: &mut impl FnMut(&mut YamlNode, bool)) {
    match &mut node.tree {
        YamlValue::List(items) => {
            for item in items {
                walk(item, kind, visit);
            }
        }
        YamlValue::Map(entries) => {
            for entry in entries {
                let inner = kind.within(&entry.key);
                let is_for_login = matches!(kind, Kind::Object(object) if object.name == SSH.name);
                let is_secret = matches!(inner, Kind::Secret(_))
                    || matches!(kind, Kind::Config) && names_a_secret(&entry.key)
                    || matches!(kind, Kind::Values(_));
                if is_secret {
                    visit(&mut entry.value, is_for_login);
                }
                walk(&mut entry.value, inner, visit);
            }
        }
        _ => {}
    }
}

/// Reads the secrets that this inventory needs, each once, and puts them where they belong.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &mut YamlNode,
    wanted: Vec<Wanted>,
    inventory: &Inventory,
    run: CommandRunner,
) {
    let mut known: BTreeMap<(SecretSource, PathBuf), Option<String>> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for Wanted {
        source,
        span,
        is_for_login,
    } in wanted
    {
        if is_for_login && !is_needed(reader, span, inventory) {
            continue;
        }
        let file = reader.files.get(span.file);
        let folder = file.and_then(|file| file.parent()).unwrap_or(Path::new(""));
        let key = (source, folder.to_owned());
        let text = if let Some(text) = known.get(&key) {
            text.clone()
        } else {
            let text = one(reader, &key.0, folder, span, run);
            known.insert(key, text.clone());
            text
        };
        if let Some(text) = text {
            reader.secret(&text);
            found.insert((span.file, span.offset), text);
        }
    }
    walk(root, Kind::Object(&INVENTORY), &mut |node, _| {
        if node.text() == Some(MASK)
            && let Some(text) = found.get(&(node.span.file, node.span.offset))
        {
            put(node, text);
        }
    });
}

/// Whether a host needs the secret for logging in that stands here: root needs no password of sudo. Where the
/// inventory names no user, OpenSSH's configuration may.
fn is_needed(reader: &Reader<'_>, span: Span, inventory: &Inventory) -> bool {
    let name = reader.sources.name(span);
    inventory.hosts.iter().any(|host| {
        let ssh = &host.ssh;
        let is_root = ssh.user.value == "root" && ssh.user.origin != Origin::Default;
        let become_password = ssh.become_password.as_ref().filter(|_| !is_root);
        let secrets = [
            become_password,
            ssh.passphrase.as_ref(),
            ssh.password.as_ref(),
        ];
        secrets.into_iter().flatten().any(|secret| {
            matches!(&secret.origin, Origin::Inventory { file, line, column, .. }
                if *file == name && (*line, *column) == (span.line, span.column))
        })
    })
}

/// One secret, or nothing when it could not be read, which is a mistake by then.
fn one(
    reader: &mut Reader<'_>,
    source: &SecretSource,
    folder: &Path,
    span: Span,
    run: CommandRunner,
) -> Option<String> {
    let (text, from) = match source {
        SecretSource::File(written) => (reader.secret_file(written, span)?, format!("`{written}`")),
        SecretSource::Env(name) => {
            let value = (reader.surroundings.variables)(name).map(OsString::into_string);
            let Some(Ok(value)) = value else {
                let message = match value {
                    None => format!("`{name}` is not set in the environment"),
                    Some(_) => format!("what the environment has for `{name}` is no text in UTF-8"),
                };
                let help = format!("set it:  export {name}=…");
                reader.mistakes.help(span, message, help);
                return None;
            };
            (value, format!("`{name}`"))
        }
        SecretSource::Command(words) => {
            let mut words = words.clone();
            let shown = format!("`{}`", words.join(" "));
            if words[0].contains('/') {
                let program = reader.path(&words[0], span)?;
                let program = std::path::absolute(&program).unwrap_or(program);
                words[0] = program.to_string_lossy().into_owned();
            }
            let folder = if folder == Path::new("") {
                Path::new(".")
            } else {
                folder
            };
            match run(&words, folder) {
                Ok(text) => (text, shown),
                Err(why) => {
                    reader.mistakes.add(span, format!("{shown} {why}"));
                    return None;
                }
            }
        }
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.trim().is_empty() {
        let message = format!("the secret is empty: nothing is in {from}");
        reader.mistakes.add(span, message);
        return None;
    }
    Some(text.to_owned())
}

#[cfg(test)]
#[path = "tests/secret.rs"]
mod tests;
