//! `docs/events.md`, made of the schema.

use std::fmt::Write as _;

use serde_json::Value;

use crate::run::schema;

/// What stands before the tables of `docs/events.md`.
const INTRODUCTION: &str = "\
# Events

With `--output json` every command prints one JSON object a line on standard output, and nothing
else. Its key `event` says what it is; `towline schema events` prints all of this as a JSON schema.
The last one is `finished`, with exit status 0 or 1, or `refused` with status 2 (or 1, when it was interrupted):
then nothing was changed. A mistake in the command line itself is `refused`, too. Not so are `schema`,
`completions`, `version` and `--help`, which print what they are asked for. Times are seconds. Programs
should pass over events and keys that they do not know: there will be more.
";

/// The text of `docs/events.md`.
fn document() -> String {
    let schema = schema();
    let mut text = String::from(INTRODUCTION);
    for event in list(&schema["oneOf"]) {
        let name = event["properties"]["event"]["const"].as_str();
        let _ = write!(
            text,
            "\n## `{}`\n\n{}\n",
            name.unwrap_or_default(),
            about(event)
        );
        fields(&mut text, event);
    }
    text.push_str("\n## What they hold\n");
    for (name, value) in schema["$defs"].as_object().into_iter().flatten() {
        let _ = write!(text, "\n### {name}\n\n{}\n", about(value));
        let words = list(&value["oneOf"]);
        if words.is_empty() {
            fields(&mut text, value);
            continue;
        }
        text.push_str("\n| word | |\n|---|---|\n");
        for word in words {
            let _ = writeln!(
                text,
                "| `{}` | {} |",
                word["const"].as_str().unwrap_or_default(),
                about(word)
            );
        }
    }
    text
}

/// The table of an object's fields, unless it has none.
fn fields(text: &mut String, object: &Value) {
    let fields = object["properties"].as_object().into_iter().flatten();
    let fields: Vec<_> = fields.filter(|(name, _)| *name != "event").collect();
    if fields.is_empty() {
        return;
    }
    text.push_str("\n| field | value | |\n|---|---|---|\n");
    for (name, value) in fields {
        let _ = writeln!(text, "| `{name}` | {} | {} |", kind(value), about(value));
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A description in one line, with links of the code as code.
fn about(value: &Value) -> String {
    let text = value["description"].as_str().unwrap_or_default();
    let text = text.replace('\n', " ").replace('|', "\\|");
    text.replace("[`", "`").replace("`]", "`")
}

/// A kind of value in words.
fn kind(value: &Value) -> String {
    if let Some(name) = value["$ref"].as_str() {
        return name.rsplit('/').next().unwrap_or(name).to_owned();
    }
    if let [one, _] = list(&value["anyOf"]) {
        return format!("{} or null", kind(one));
    }
    let of = |word: &Value| match word.as_str() {
        Some("string") => "text".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => format!("list of {}", kind(&value["items"])),
        other => other.unwrap_or("anything").to_owned(),
    };
    match &value["type"] {
        Value::Array(words) => words.iter().map(of).collect::<Vec<_>>().join(" or "),
        word => of(word),
    }
}

#[test]
fn the_documentation_on_disk_is_made_of_the_schema() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(file, document()).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == document(),
        "docs/events.md is not what the events are now; renew it with: \
         UPDATE_DOCS=1 cargo test --lib document"
    );
}

#[test]
fn every_event_and_every_field_is_explained() {
    let schema = schema();
    let definitions = schema["$defs"].as_object().into_iter().flatten();
    let objects = list(&schema["oneOf"])
        .iter()
        .chain(definitions.map(|(_, value)| value));
    for object in objects {
        assert!(!about(object).is_empty(), "{object}");
        for (name, field) in object["properties"].as_object().into_iter().flatten() {
            assert!(
                name == "event" || !about(field).is_empty() || field["$ref"].is_string(),
                "{name} in {object}"
            );
            assert!(
                name == "event" || kind(field) != "anything",
                "{name} in {object}"
            );
        }
    }
}
