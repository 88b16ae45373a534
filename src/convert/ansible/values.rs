//! Values of YAML as Ansible takes them.

use serde_json::{Map, Value};

use crate::inventory::{YamlNode, YamlValue};

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

/// A value as a text, when it is one word of any kind.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Whether a value is what Ansible takes for true, or for false.
pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => number.as_i64().map(|number| number != 0),
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "1" | "y" | "t" => Some(true),
            "no" | "false" | "off" | "0" | "n" | "f" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// The texts of a list, of one text with commas, or of a map as `key=value`.
pub(super) fn list(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        Value::String(words) => Some(
            words
                .split([',', ' '])
                .map(str::trim)
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
        ),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| Some(format!("{key}={}", text(value)?)))
            .collect(),
        Value::Null => Some(Vec::new()),
        one => Some(vec![text(one)?]),
    }
}
