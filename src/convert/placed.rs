//! A draft that knows where the source says each of its values.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Place;
use crate::inventory::{Draft, YamlNode, YamlValue};

/// A value, and where a source says it.
#[derive(Debug, Clone)]
pub(super) struct Located<T> {
    pub value: T,
    pub at: Place,
}

impl<T> Located<T> {
    pub fn new(value: T, at: &Place) -> Self {
        let at = at.clone();
        Self { value, at }
    }

    /// The same as a value of a file.
    pub fn into_value(self) -> Located<Value>
    where
        T: Into<Value>,
    {
        Located {
            value: self.value.into(),
            at: self.at,
        }
    }
}

/// Something that a host, a group or all may be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SettingKey {
    Ssh(&'static str),
    Label(String),
    Taint(String),
    Config(String),
}

impl SettingKey {
    /// The block of a host that it stands in, and its name there.
    pub fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::Ssh(key) => ("ssh", key),
            Self::Label(key) => ("labels", key),
            Self::Taint(taint) => ("taints", taint),
            Self::Config(key) => ("config", key),
        }
    }
}

/// A path in a draft: its block, then keys.
pub(super) type KeyPath = Vec<String>;

/// A draft, and where the source says each of its values.
#[derive(Debug, Default)]
pub(super) struct PlacedDraft {
    pub draft: Draft,
    pub places: BTreeMap<KeyPath, Place>,
}

impl PlacedDraft {
    /// Writes a value.
    pub fn put<K: AsRef<str>>(&mut self, path: &[K], said: Located<Value>) {
        let path: KeyPath = path.iter().map(|key| key.as_ref().to_owned()).collect();
        if let [above @ .., last] = &path[..]
            && let Some(map) = self.map(above)
        {
            map.insert(last.clone(), said.value);
            self.places.insert(path, said.at);
        }
    }

    /// Writes a setting of a host or group.
    pub fn set(&mut self, of: &[&str], key: &SettingKey, said: Located<Value>) {
        let (block, name) = key.parts();
        if block != "taints" {
            return self.put(&[of, &[block, name]].concat(), said);
        }
        let path = [of, &[block]].concat();
        let taints = self
            .map(of)
            .map(|map| map.entry(block).or_insert_with(|| json!([])));
        if let Some(Value::Array(taints)) = taints {
            taints.push(said.value);
        }
        let path = path.into_iter().map(str::to_owned).collect();
        self.places.entry(path).or_insert(said.at);
    }

    /// The map at a path; what is missing on the way is made.
    fn map<K: AsRef<str>>(&mut self, path: &[K]) -> Option<&mut Map<String, Value>> {
        let (block, keys) = path.split_first()?;
        let mut map = match block.as_ref() {
            "cluster" => &mut self.draft.cluster,
            "ssh" => &mut self.draft.ssh,
            "groups" => &mut self.draft.groups,
            _ => &mut self.draft.hosts,
        };
        for key in keys {
            map = map
                .entry(key.as_ref())
                .or_insert_with(|| json!({}))
                .as_object_mut()?;
        }
        Some(map)
    }

    /// The draft as the reader can judge it where a variable of the environment is not set: a value
    /// that needs one is missing, and an address is another one.
    pub fn without_unset_variables(&self) -> Draft {
        fn is_unset(value: &Value) -> bool {
            let parts = value.as_str().unwrap_or("").replace("$${", "");
            let mut variables = parts.split("${").skip(1);
            variables.any(|variable| !variable.split('}').next().unwrap_or("").contains(":-"))
        }
        fn clean(map: &mut Map<String, Value>, count: &mut usize) {
            if let Some(address) = map.get_mut("address").filter(|value| is_unset(value)) {
                *count += 1;
                *address = format!("unset-{count}.invalid").into();
            }
            map.retain(|_, value| !is_unset(value));
            for value in map.values_mut() {
                match value {
                    Value::Object(map) => clean(map, count),
                    Value::Array(items) => {
                        for item in items.iter_mut().filter(|item| is_unset(item)) {
                            *item = "unset.invalid".into();
                        }
                    }
                    _ => {}
                }
            }
        }
        let (mut draft, mut count) = (self.draft.clone(), 0);
        for block in [
            &mut draft.cluster,
            &mut draft.ssh,
            &mut draft.groups,
            &mut draft.hosts,
        ] {
            clean(block, &mut count);
        }
        draft
    }

    /// Takes out the value that a path leads to, as small a part as can stand alone; a host whose
    /// name or address cannot be goes as a whole.
    pub fn take(&mut self, path: &[String]) -> Option<(KeyPath, Place)> {
        if let [of @ .., key, item] = path
            && let Ok(item) = item.parse::<usize>()
            && let place = self.places.get(&path[..path.len() - 1])?.clone()
            && let Some(Value::Array(items)) = self.map(of)?.get_mut(key)
            && items.len() > 1
        {
            items.remove(item);
            return Some((path[..path.len() - 1].to_vec(), place));
        }
        let is_host = path[0] == "hosts"
            && path
                .get(2)
                .is_none_or(|key| key == "address" || key == "role");
        let mut end = if is_host {
            path.len().min(2)
        } else {
            path.len()
        };
        // A second mistake about a value that is gone is none about the host that had it.
        while end > 2 && !self.places.contains_key(&path[..end]) {
            end -= 1;
        }
        if end == 2 && path[0] == "hosts" && !is_host {
            return None;
        }
        let (path, place) = (path[..end].to_vec(), self.places.get(&path[..end])?.clone());
        let [above @ .., last] = &path[..] else {
            return None;
        };
        self.map(above)?.shift_remove(last)?;
        self.places.retain(|known, _| !known.starts_with(&path));
        if let [over @ .., block] = above
            && !over.is_empty()
            && !self.places.contains_key(above)
            && self.map(above)?.is_empty()
        {
            // What is empty now says nothing.
            self.map(over)?.shift_remove(block);
        }
        Some((path, place))
    }
}

/// The path of the key, value or item that begins at a place, or that the line of it belongs to.
pub(super) fn path_at(tree: &YamlNode, line: u64, column: u64) -> Option<KeyPath> {
    fn search(node: &YamlNode, path: &mut KeyPath, is_here: &dyn Fn(u64, u64) -> bool) -> bool {
        for entry in node.entries() {
            path.push(entry.key.clone());
            let span = entry.value.span;
            let is_leaf = !matches!(entry.value.tree, YamlValue::Map(_));
            // A list begins where its first item does, and the item is the smaller part.
            if is_here(entry.at.line, entry.at.column)
                || search(&entry.value, path, is_here)
                || (is_leaf && is_here(span.line, span.column))
            {
                return true;
            }
            path.pop();
        }
        for (index, item) in node.items().iter().enumerate() {
            path.push(index.to_string());
            if is_here(item.span.line, item.span.column) || search(item, path, is_here) {
                return true;
            }
            path.pop();
        }
        false
    }
    let mut path = Vec::new();
    let exact = |at: u64, column_at: u64| (at, column_at) == (line, column);
    let same_line = |at: u64, _: u64| at == line;
    (line > 0 && (search(tree, &mut path, &exact) || search(tree, &mut path, &same_line)))
        .then_some(path)
}
