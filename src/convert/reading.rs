//! A tree of which it is known what was taken, so that the rest can be listed.

use std::cell::RefCell;
use std::collections::BTreeSet;

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
        for entry in node.entries() {
            let path = if path.is_empty() {
                entry.key.clone()
            } else {
                format!("{path}.{}", entry.key)
            };
            if self.taken.borrow().contains(&entry.at.offset) {
                continue;
            }
            if self.is_part_taken(&entry.value) {
                self.rest(&entry.value, &path, why, making);
            } else {
                making.leave(&self.at(entry), format!("`{path}` {}", why(&path)));
            }
        }
        for (index, item) in node.items().iter().enumerate() {
            let path = format!("{path}[{index}]");
            if item.entries().is_empty() || self.is_part_taken(item) {
                self.rest(item, &path, why, making);
            } else {
                making.leave(
                    &self.source.at(item.span.line),
                    format!("`{path}` {}", why(&path)),
                );
            }
        }
    }

    fn is_part_taken(&self, node: &YamlNode) -> bool {
        node.entries().iter().any(|entry| {
            self.taken.borrow().contains(&entry.at.offset) || self.is_part_taken(&entry.value)
        }) || node.items().iter().any(|item| self.is_part_taken(item))
    }
}
