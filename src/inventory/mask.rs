//! Secrets of an inventory are not repeated on a screen, not even beside a mistake: a line that holds
//! one is not shown. What is secret, the name of its key says ([`names_a_secret`]).

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::Inventory;
use super::keys::INVENTORY;
use super::language::Kind;
use super::mistake::Mistake;
use super::node::YamlNode;
use super::secret::is_source;
use crate::vars::mask::{holes, password, passwords, users, without_passwords, without_users};
use crate::vars::{MASK, Secret, names_a_secret, secrets_among};

/// A file of an inventory, and which of its lines hold secrets.
#[derive(Clone, Default)]
pub(super) struct Guarded {
    text: Arc<str>,
    /// Whether each line holds one.
    hidden: Vec<bool>,
    /// What may not be repeated in a message.
    secrets: Vec<Secret>,
}

impl Guarded {
    /// A text, and the tree that it is, if it is one.
    pub fn new(text: &str, tree: Option<&YamlNode>) -> Self {
        let mut guarded = Self {
            text: text.into(),
            hidden: vec![false; text.matches('\n').count() + 1],
            secrets: Vec::new(),
        };
        let by_form = holes(text).into_iter().map(|hole| hole.range);
        for range in by_form.chain(passwords(text)).chain(defaults(text)) {
            guarded.hide(range);
        }
        if let Some(root) = tree {
            guarded.walk(root, Kind::Object(&INVENTORY), false);
            let users = users(text).into_iter();
            guarded
                .secrets
                .extend(users.map(|user| Secret::new(&text[user])));
        }
        guarded
    }

    /// What must not be repeated in a message, too.
    pub fn also(&mut self, secrets: Vec<Secret>) {
        self.secrets.extend(secrets);
    }

    /// The text, unless the line of this place holds a secret.
    pub fn shown(&self, offset: usize) -> Option<&Arc<str>> {
        let is_hidden = self.hidden.get(self.line(offset)).copied();
        (is_hidden == Some(false)).then_some(&self.text)
    }

    /// The number of a place's line, from 0.
    fn line(&self, offset: usize) -> usize {
        let before = self.text.bytes().take(offset);
        before.filter(|byte| *byte == b'\n').count()
    }

    /// Hides all lines of a part of the text.
    fn hide(&mut self, range: Range<usize>) {
        let (first, last) = (self.line(range.start), self.line(range.end));
        if let Some(lines) = self.hidden.get_mut(first..=last) {
            lines.fill(true);
        }
    }

    /// Hides the secrets of a tree: those that the language knows, and passwords before addresses.
    fn walk(&mut self, node: &YamlNode, kind: Kind, secret: bool) {
        let (start, end) = (node.span.offset, node.span.offset + node.span.length);
        if let Some(text) = node.text() {
            if secret {
                self.hide_words(text);
                self.secrets.push(Secret::new(text));
            }
            if secret || password(text).is_some() {
                self.hide(start..end);
                self.hide_block(start);
            }
        } else if secret {
            self.hide(start..end);
        }
        for item in node.items() {
            self.walk(item, kind, secret);
        }
        for entry in node.entries() {
            // What stands below `hosts` and `groups` is named by its author.
            let is_secret = !matches!(kind, Kind::Objects(_)) && names_a_secret(&entry.key);
            if is_secret && !secret && is_source(&entry.value) {
                continue;
            }
            self.walk(&entry.value, kind.within(&entry.key), secret || is_secret);
        }
    }

    /// Hides lines in which a word of a secret stands, also where it is none.
    fn hide_words(&mut self, secret: &str) {
        let words: Vec<&str> = secret.split_whitespace().collect();
        for (line, hidden) in self.text.split('\n').zip(&mut self.hidden) {
            *hidden |= words
                .iter()
                .any(|word| word.len() > 3 && line.contains(word));
        }
    }

    /// Hides a block, whose span may end with its indicator: all that is indented deeper.
    fn hide_block(&mut self, start: usize) {
        let is_block = self.text.get(start..);
        if !is_block.is_some_and(|text| text.starts_with(['|', '>', '&', '!'])) {
            return;
        }
        let indentation = |line: &str| line.len() - line.trim_start().len();
        let first = self.line(start);
        let mut lines = self.text.split('\n').zip(&mut self.hidden).skip(first);
        let Some((head, _)) = lines.next() else {
            return;
        };
        for (line, hidden) in lines {
            if indentation(line) <= indentation(head) && !line.trim().is_empty() {
                break;
            }
            *hidden = true;
        }
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
}

impl Inventory {
    /// Everything in it that must not be shown: the values of its secret keys, what the configs of k3s hold under names
    /// like `datastore-endpoint` or `etcd-s3-secret-key`, and what variables with such names hold.
    pub fn secrets(&self) -> Vec<Secret> {
        let cluster = &self.cluster;
        let shared = cluster.config.iter().chain(&cluster.agent_config);
        let own = self.hosts.iter().flat_map(|host| &host.config);
        let own = own.map(|(key, setting)| (key, &setting.value));
        let in_configs = secrets_among(shared.chain(own));
        let variables = self.hosts.iter().flat_map(|host| &host.environment);
        let variables = variables.map(|(name, setting)| (name, &setting.value));
        self.secret_values
            .iter()
            .cloned()
            .chain(in_configs)
            .chain(secrets_among(variables))
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
