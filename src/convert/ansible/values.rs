//! Values of YAML as Ansible takes them.

use serde_json::Value;

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
