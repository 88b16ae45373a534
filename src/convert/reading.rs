//! A tree of which it is known what was taken, so that the rest can be listed.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::making::Making;
use super::placed::Located;
use super::{Place, Source};
use crate::inventory::{YamlEntry, YamlNode, YamlValue};

/// Reads a tree and remembers what was taken.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    source: &'a Source,
    /// Where the keys stand that were taken.
    taken: RefCell<BTreeSet<usize>>,
}

impl<'a> Reading<'a> {
    pub fn new(source: &'a Source) -> Self {
        Self {
            source,
            taken: RefCell::default(),
        }
    }

    /// Where an entry stands.
    pub fn at(&self, entry: &YamlEntry) -> Place {
        self.source.at(entry.at.line)
    }

    /// The entry of a map, with all below it.
    pub fn take<'n>(&self, map: &'n YamlNode, key: &str) -> Option<&'n YamlEntry> {
        let entry = map.entries().iter().find(|entry| entry.key == key)?;
        self.taken.borrow_mut().insert(entry.at.offset);
        Some(entry).filter(|entry| !matches!(entry.value.tree, YamlValue::Null))
    }

    /// The entry of a map as one word of any kind.
    pub fn text(&self, map: &YamlNode, key: &str) -> Option<Located<String>> {
        let entry = map.entries().iter().find(|entry| entry.key == key)?;
        let value = match &entry.value.tree {
            YamlValue::Text(text) => text.clone(),
            YamlValue::Whole(number) => number.to_string(),
            YamlValue::Flag(flag) => flag.to_string(),
            _ => return None,
        };
        self.take(map, key)?;
        Some(Located {
            value,
            at: self.at(entry),
        })
    }

    /// A value with all below it.
    pub fn value(&self, node: &YamlNode) -> Value {
        value(node, &self.source.text)
    }

    /// What stands below keys, whose other entries are looked at one by one.
    pub fn below<'n>(node: &'n YamlNode, keys: &[&str]) -> Option<&'n YamlNode> {
        keys.iter().try_fold(node, |node, key| node.get(key))
    }

    /// Lists what was not taken, in parts as large as can be.
    pub fn rest(
        &self,
        node: &YamlNode,
        path: &str,
        why: &dyn Fn(&str) -> String,
        making: &mut Making,
    ) {
        let entries = node.entries().iter();
        let entries = entries.filter(|entry| !self.taken.borrow().contains(&entry.at.offset));
        let entries = entries.map(|entry| {
            let dot = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{}", entry.key);
            (path, &entry.value, entry.at.line, false)
        });
        let items = node.items().iter().enumerate().map(|(index, item)| {
            let path = format!("{path}[{index}]");
            (path, item, item.span.line, item.entries().is_empty())
        });
        for (path, part, line, is_plain) in entries.chain(items) {
            if is_plain || self.is_part_taken(part) {
                self.rest(part, &path, why, making);
            } else {
                let what = format!("`{path}` {}", why(&path));
                making.leave(&self.source.at(line), what);
            }
        }
    }

    fn is_part_taken(&self, node: &YamlNode) -> bool {
        node.entries().iter().any(|entry| {
            self.taken.borrow().contains(&entry.at.offset) || self.is_part_taken(&entry.value)
        }) || node.items().iter().any(|item| self.is_part_taken(item))
    }
}

/// A value. What YAML would write in another way than it stands there (`0644`, `1.10`) is text.
pub(super) fn value(node: &YamlNode, source: &str) -> Value {
    let end = node.span.offset + node.span.length;
    let written = source.get(node.span.offset..end).unwrap_or("").trim();
    match &node.tree {
        YamlValue::Null => Value::Null,
        YamlValue::Flag(flag) => Value::Bool(*flag),
        YamlValue::Whole(number) => match i64::try_from(*number) {
            Ok(number) if written.is_empty() || written == number.to_string() => number.into(),
            _ => written.into(),
        },
        YamlValue::Fraction(number) => {
            let number = serde_json::Number::from_f64(*number);
            match number.filter(|number| number.to_string() == written) {
                Some(number) => Value::Number(number),
                None => written.into(),
            }
        }
        YamlValue::Text(text) => match (text.as_str(), written == text) {
            ("yes" | "Yes" | "YES" | "on" | "On" | "ON", true) => Value::Bool(true),
            ("no" | "No" | "NO" | "off" | "Off" | "OFF", true) => Value::Bool(false),
            _ => Value::String(text.clone()),
        },
        YamlValue::List(items) => items.iter().map(|item| value(item, source)).collect(),
        YamlValue::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), value(&entry.value, source)))
            .collect::<Map<_, _>>()
            .into(),
    }
}
