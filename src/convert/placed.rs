//! A draft that knows where the source says each of its values.

use serde_json::{Value, json};

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

/// The values of a draft in their order, and where the source says each of them. Hosts and groups
/// have an empty map before what they are told.
#[derive(Debug, Default)]
pub(super) struct PlacedDraft(Vec<(KeyPath, Located<Value>)>);

impl PlacedDraft {
    /// Writes a value.
    pub fn put<K: AsRef<str>>(&mut self, path: &[K], said: Located<Value>) {
        let path = path.iter().map(|key| key.as_ref().to_owned());
        self.0.push((path.collect(), said));
    }

    /// Writes a setting of a host or group, whose taints are one list.
    pub fn set(&mut self, of: &[&str], key: &SettingKey, said: Located<Value>) {
        let (block, name) = key.parts();
        if block != "taints" {
            return self.put(&[of, &[block, name]].concat(), said);
        }
        let path = [of, &[block]].concat();
        if let Some((last, before)) = self.0.last_mut()
            && *last == path
            && let Value::Array(taints) = &mut before.value
        {
            taints.push(said.value);
        } else {
            self.put(&path, Located::new(json!([said.value]), &said.at));
        }
    }

    /// The draft, in which every value is as the source says it.
    pub fn draft(&self) -> Draft {
        self.draft_of(|value, _| Some(value.clone()))
    }

    /// The draft as the reader can judge it where a variable of the environment is not set: a value
    /// that needs one is missing, and an address is another one.
    pub fn without_unset_variables(&self) -> Draft {
        fn is_unset(value: &Value) -> bool {
            let parts = value.as_str().unwrap_or("").replace("$${", "");
            let mut variables = parts.split("${").skip(1);
            variables.any(|variable| !variable.split('}').next().unwrap_or("").contains(":-"))
        }
        self.draft_of(|value, path| match value {
            Value::Array(items) => {
                let mut items = items.clone();
                for item in items.iter_mut().filter(|item| is_unset(item)) {
                    *item = "unset.invalid".into();
                }
                Some(items.into())
            }
            value if !is_unset(value) => Some(value.clone()),
            _ => match path {
                [_, host, key] if key == "address" => Some(format!("unset-{host}.invalid").into()),
                _ => None,
            },
        })
    }

    fn draft_of(&self, value: impl Fn(&Value, &[String]) -> Option<Value>) -> Draft {
        let mut draft = Draft::default();
        for (path, said) in &self.0 {
            let Some(value) = value(&said.value, path) else {
                continue;
            };
            let [block, above @ .., last] = &path[..] else {
                continue;
            };
            let mut map = Some(match &**block {
                "cluster" => &mut draft.cluster,
                "ssh" => &mut draft.ssh,
                "groups" => &mut draft.groups,
                _ => &mut draft.hosts,
            });
            for key in above {
                map = map.and_then(|map| {
                    let below = map.entry(key).or_insert_with(|| json!({}));
                    below.as_object_mut()
                });
            }
            map.map(|map| map.insert(last.clone(), value));
        }
        draft
    }

    /// Takes out the value that a path leads to, as small a part as can stand alone; a host whose
    /// name or address cannot be goes as a whole.
    pub fn take(&mut self, path: &[String]) -> Option<(KeyPath, Place)> {
        if let Some((item, list)) = path.split_last()
            && let Ok(item) = item.parse::<usize>()
            && let Some((_, said)) = self.0.iter_mut().find(|(known, _)| known == list)
            && let Value::Array(items) = &mut said.value
            && items.len() > 1
        {
            items.remove(item);
            return Some((list.to_vec(), said.at.clone()));
        }
        let of_host = path[0] == "hosts";
        let is_host = of_host
            && path
                .get(2)
                .is_none_or(|key| key == "address" || key == "role");
        let longest = if is_host {
            path.len().min(2)
        } else {
            path.len()
        };
        let mut parts = (2..=longest).rev().map(|end| &path[..end]);
        let (path, said) = parts.find_map(|part| self.0.iter().find(|(known, _)| known == part))?;
        // A second mistake about a value that is gone is none about the host that had it.
        if path.len() == 2 && !is_host && (of_host || path[0] == "groups") {
            return None;
        }
        let taken = (path.clone(), said.at.clone());
        self.0.retain(|(known, _)| !known.starts_with(&taken.0));
        Some(taken)
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
