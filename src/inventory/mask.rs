//! Secrets of an inventory are not repeated on a screen, not even beside a mistake.

use std::ops::Range;

use serde_json::Value;

use super::Inventory;
use super::mistake::Mistake;
use super::node::{Entry, Node, Tree};
use super::variable::is_name;
use crate::vars::mask::{holes, password, passwords, users, without_passwords, without_users};
use crate::vars::{MASK, Secret, names_a_secret, secrets_among};

/// A text in which secrets are replaced by `***`.
#[derive(Clone, Default)]
pub(super) struct Masked {
    text: String,
    /// What may not be repeated in a message.
    secrets: Vec<Secret>,
    /// What was replaced, in order and without overlap, and the length of what replaced it.
    holes: Vec<(Range<usize>, usize)>,
}

impl Masked {
    /// Masks what the tree knows to be secret.
    pub fn by_tree(source: &str, root: &Node) -> Self {
        let mut holes = Vec::new();
        let mut secrets = Vec::new();
        collect(source, root, &mut holes, &mut secrets);
        secrets.extend(
            users(source)
                .into_iter()
                .map(|hole| Secret::new(&source[hole])),
        );
        Self {
            secrets,
            ..Self::with(source, holes)
        }
    }

    /// What must not be repeated in a message, too.
    pub fn also(&mut self, secrets: Vec<Secret>) {
        self.secrets.extend(secrets);
    }

    /// Masks without knowing the structure.
    pub fn by_lines(source: &str) -> Self {
        let holes = holes(source).into_iter().map(|hole| hole.range);
        Self::with(source, holes.collect())
    }

    fn with(source: &str, mut holes: Vec<Range<usize>>) -> Self {
        holes.extend(users(source));
        holes.extend(passwords(source));
        holes.extend(defaults(source));
        for hole in &mut holes {
            let secret = source.get(hole.clone()).unwrap_or("");
            hole.start += secret.len() - secret.trim_start().len();
            hole.end = hole.start + secret.trim().len();
        }
        holes.retain(|hole| !hole.is_empty());
        holes.sort_by_key(|hole| hole.start);
        let mut united: Vec<Range<usize>> = Vec::new();
        for hole in holes {
            match united.last_mut() {
                Some(last) if hole.start <= last.end => last.end = last.end.max(hole.end),
                _ => united.push(hole),
            }
        }
        let mut text = String::with_capacity(source.len());
        let mut kept = 0;
        let mut replaced = Vec::with_capacity(united.len());
        for hole in united {
            text.push_str(&source[kept..hole.start]);
            let start = text.len();
            text.push_str(MASK);
            // Lines keep their numbers.
            text.extend(source[hole.clone()].matches('\n'));
            kept = hole.end;
            replaced.push((hole, text.len() - start));
        }
        text.push_str(&source[kept..]);
        Self {
            text,
            secrets: Vec::new(),
            holes: replaced,
        }
    }

    /// The text that may be shown.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes secrets out of a mistake: a secret may stand again where it is none.
    pub fn clean(&self, mistake: &mut Mistake) {
        for secret in self
            .secrets
            .iter()
            .map(Secret::expose)
            .filter(|secret| secret.len() > 3)
        {
            if mistake.message.contains(secret) {
                mistake.message = mistake.message.replace(secret, MASK);
                mistake.help = None;
            }
            if mistake
                .help
                .as_ref()
                .is_some_and(|help| help.contains(secret))
            {
                mistake.help = None;
            }
        }
        // It may come from a variable of the environment.
        mistake.message = without_passwords(&mistake.message);
        mistake.help = mistake.help.as_deref().map(without_passwords);
    }

    /// Where a place of the source stands in the masked text.
    pub fn place(&self, offset: usize) -> usize {
        let mut place = offset;
        for (hole, replaced) in self
            .holes
            .iter()
            .rev()
            .filter(|(hole, _)| offset > hole.start)
        {
            place = place.max(hole.end) - hole.len() + replaced;
        }
        place.min(self.text.len())
    }
}

impl Inventory {
    /// Everything in it that must not be shown: the tokens, what the configs of k3s hold under names
    /// like `datastore-endpoint` or `etcd-s3-secret-key`, and what variables with such names hold.
    pub fn secrets(&self) -> Vec<Secret> {
        let cluster = &self.cluster;
        let shared = cluster.config.iter().chain(&cluster.agent_config);
        let own = self.hosts.iter().flat_map(|host| &host.config);
        let own = own.map(|(key, setting)| (key, &setting.value));
        let secrets = secrets_among(shared.chain(own));
        let tokens = [&cluster.token, &cluster.agent_token];
        tokens
            .into_iter()
            .flatten()
            .chain(&self.filled)
            .cloned()
            .chain(secrets)
            .collect()
    }
}

/// A value behind a key, without what the keys say is secret.
pub(super) fn masked(key: &str, value: Value) -> Value {
    let last = key.rsplit('.').next().unwrap_or(key);
    match value {
        Value::Null | Value::Bool(_) => value,
        _ if names_a_secret(last) => Value::from(MASK),
        Value::Array(items) => items.into_iter().map(|item| masked("", item)).collect(),
        Value::Object(keys) => {
            let keys = keys.into_iter();
            keys.map(|(key, value)| {
                let value = masked(&key, value);
                (key, value)
            })
            .collect()
        }
        Value::String(text) => match text.split_once('=') {
            Some((key, _)) if names_a_secret(key) => Value::from(format!("{key}={MASK}")),
            _ => Value::from(without_passwords(&without_users(&text))),
        },
        Value::Number(_) => value,
    }
}

/// Finds the secret values of a tree.
fn collect(source: &str, node: &Node, holes: &mut Vec<Range<usize>>, secrets: &mut Vec<Secret>) {
    let start = node.span.offset;
    if let Some(text) = node.text()
        && let Some(part) = password(text)
        && let Some(written) = source.get(start..start + node.span.length)
        && let Some(at) = written.find(&text[part.clone()])
    {
        holes.push(start + at..start + at + part.len());
    }
    for item in node.items() {
        collect(source, item, holes, secrets);
    }
    for entry in node.entries() {
        if names_a_secret(&entry.key) {
            cover(source, entry, &entry.value, holes, secrets);
        } else {
            collect(source, &entry.value, holes, secrets);
        }
    }
}

/// What stands for variables with the name of a secret where they are not set.
fn defaults(source: &str) -> impl Iterator<Item = Range<usize>> {
    source.match_indices("${").filter_map(|(at, sign)| {
        let (name, rest) = source[at + sign.len()..].split_once(":-")?;
        let length = rest.find(['}', '\n'])?;
        let start = source.len() - rest.len();
        // Also where the name cannot be one: its mistake is shown with its line.
        let is_whole = !name.contains(['}', '\n']);
        (is_whole && names_a_secret(name)).then_some(start..start + length)
    })
}

/// Whether nothing but a variable's name stands here.
fn is_a_variable(written: &str) -> bool {
    let name = written.trim_matches(['"', '\'']);
    let name = name
        .strip_prefix("${")
        .and_then(|name| name.strip_suffix('}'));
    name.is_some_and(is_name)
}

/// Covers a value and everything in it.
fn cover(
    source: &str,
    entry: &Entry,
    node: &Node,
    holes: &mut Vec<Range<usize>>,
    secrets: &mut Vec<Secret>,
) {
    match &node.tree {
        Tree::List(items) => {
            for item in items {
                cover(source, entry, item, holes, secrets);
            }
        }
        Tree::Map(entries) => {
            for inner in entries {
                cover(source, entry, &inner.value, holes, secrets);
            }
        }
        _ => {
            secrets.extend(node.text().map(Secret::new));
            let start = node.span.offset;
            let mut end = start + node.span.length;
            // A block's span may end with its indicator: its text is all that is indented deeper.
            let key_indent = usize::try_from(entry.at.column)
                .unwrap_or(1)
                .saturating_sub(1);
            if source
                .get(start..)
                .is_some_and(|text| text.starts_with(['|', '>']))
            {
                let line_end = source[start..]
                    .find('\n')
                    .map_or(source.len(), |at| start + at + 1);
                end = end.max(line_end);
                for line in source.get(end..).unwrap_or("").split_inclusive('\n') {
                    let indent = line.len() - line.trim_start().len();
                    if indent <= key_indent && !line.trim().is_empty() {
                        break;
                    }
                    end += line.len();
                }
            }
            let written = source.get(start..end).unwrap_or_default().trim_end();
            if !is_a_variable(written) {
                holes.push(start..start + written.len());
            }
        }
    }
}
