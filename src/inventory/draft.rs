//! An inventory in the making, before it is a text that the reader takes.

use serde_json::{Map, Value, json};

use super::typed;
use crate::problem::{Code, Problem};

/// An inventory in the making: its blocks as they will stand in the file.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// The block `cluster`.
    pub cluster: Map<String, Value>,
    /// The block `ssh` at the top.
    pub ssh: Map<String, Value>,
    /// The block `groups`.
    pub groups: Map<String, Value>,
    /// The block `hosts`.
    pub hosts: Map<String, Value>,
}

impl Draft {
    /// The same with every `${` in a value as itself: what was typed as a flag names no variable here.
    #[must_use]
    pub fn literal(mut self) -> Self {
        for block in [
            &mut self.cluster,
            &mut self.ssh,
            &mut self.groups,
            &mut self.hosts,
        ] {
            block.values_mut().for_each(literal);
        }
        self
    }

    /// The file's text; blocks without content are left out.
    ///
    /// # Errors
    /// A value that YAML cannot hold.
    pub fn text(&self) -> Result<String, Problem> {
        let mut document = Map::new();
        for (key, value) in [
            ("cluster", &self.cluster),
            ("ssh", &self.ssh),
            ("groups", &self.groups),
            ("hosts", &self.hosts),
        ] {
            if !value.is_empty() {
                document.insert(key.into(), json!(value));
            }
        }
        serde_yaml::to_string(&document)
            .map_err(|error| Problem::new(Code::INTERNAL, error.to_string()))
    }
}

fn literal(value: &mut Value) {
    match value {
        Value::String(text) => *text = typed::literal(text),
        Value::Array(items) => items.iter_mut().for_each(literal),
        Value::Object(keys) => keys.values_mut().for_each(literal),
        _ => {}
    }
}
