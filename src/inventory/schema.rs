//! The JSON schema of the inventory, for editors: `towline schema inventory`.

use serde_json::{Map, Value, json};

use super::Dialect;
use super::keys::{INVENTORY, OBJECTS};
use super::language::{Kind, Object};

/// The JSON schema of an inventory (draft 7, which editors know best).
pub fn schema(distributions: &[&Dialect]) -> Value {
    let definitions: Map<String, Value> = OBJECTS
        .iter()
        .skip(1)
        .map(|object| (object.name.to_owned(), definition(object, distributions)))
        .collect();
    let mut schema = definition(&INVENTORY, distributions);
    if let Value::Object(map) = &mut schema {
        map.insert(
            "$schema".to_owned(),
            json!("http://json-schema.org/draft-07/schema#"),
        );
        map.insert("type".to_owned(), json!("object"));
        map.insert("required".to_owned(), json!(["hosts"]));
        map.insert("definitions".to_owned(), Value::Object(definitions));
    }
    schema
}

/// One map with known keys.
fn definition(object: &Object, distributions: &[&Dialect]) -> Value {
    let properties: Map<String, Value> = object
        .keys()
        .map(|key| {
            let mut property = kind(key.kind, distributions);
            property.insert("description".to_owned(), json!(key.about));
            property.insert("examples".to_owned(), json!([yaml(key.example)]));
            if let Some(default) = key.default {
                property.insert("default".to_owned(), yaml(default));
            }
            (key.name.to_owned(), Value::Object(property))
        })
        .collect();
    json!({
        "title": object.name,
        "description": object.about,
        // A key with nothing behind it says nothing.
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": properties,
    })
}

/// A kind of value in the terms of the schema.
fn kind(kind: Kind, distributions: &[&Dialect]) -> Map<String, Value> {
    let text = json!({"type": "string", "minLength": 1});
    let texts = json!({"type": "array", "items": text});
    let variable = json!({"type": "string", "pattern": "\\$\\{"});
    let value = match kind {
        Kind::Text(_) | Kind::Ranged(_) => text,
        Kind::Secret(_) => {
            let source = json!({
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": false,
                "properties": {
                    "command": {"type": "array", "items": text, "minItems": 1},
                    "file": text,
                    "env": text,
                },
            });
            json!({"anyOf": [text, source]})
        }
        Kind::Whole(least, most) => {
            let number = json!({"type": "integer", "minimum": least, "maximum": most});
            json!({"anyOf": [number, variable]})
        }
        Kind::Choice(words) => {
            json!({"anyOf": [{"type": "string", "enum": words}, variable]})
        }
        Kind::Distribution => {
            let names: Vec<_> = distributions.iter().map(|dialect| dialect.name).collect();
            json!({"anyOf": [{"type": "string", "enum": names}, variable]})
        }
        Kind::RoleName => {
            let mut words = Vec::new();
            for word in distributions
                .iter()
                .flat_map(|dialect| dialect.role_words())
            {
                if !words.contains(&word) {
                    words.push(word);
                }
            }
            json!({"anyOf": [{"type": "string", "enum": words}, variable]})
        }
        Kind::Texts(_) => json!({"type": ["array", "null"], "items": text}),
        Kind::TextOrTexts(_) => json!({"anyOf": [text, texts]}),
        Kind::TextsOrObjects(_, object) => {
            json!({"type": ["array", "null"], "items": {"anyOf": [text, reference(object)]}})
        }
        Kind::Labels(_) => {
            json!({"type": ["object", "null"], "additionalProperties": {"type": "string"}})
        }
        Kind::Flag => json!({"anyOf": [{"type": "boolean"}, variable]}),
        Kind::Values(_) => {
            let value = json!({"type": ["string", "number", "boolean", "object"]});
            json!({"type": ["object", "null"], "additionalProperties": value})
        }
        Kind::Config => json!({"type": ["object", "null"], "additionalProperties": true}),
        // Draft 7 ignores what stands beside a bare reference.
        Kind::Object(object) => json!({"allOf": [reference(object)]}),
        Kind::ObjectOrFile(object) => json!({"anyOf": [reference(object), text]}),
        Kind::Document => json!({"anyOf": [{"type": "object"}, text]}),
        Kind::Objects(object) => {
            json!({"type": ["object", "null"], "additionalProperties": reference(object)})
        }
    };
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn reference(object: &Object) -> Value {
    json!({"$ref": format!("#/definitions/{}", object.name)})
}

/// A default or example of the table as JSON.
fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|_| json!(text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::inventory::reader::Reader;
    use crate::inventory::source::{Source, Sources};
    use crate::inventory::{Overrides, Surroundings, WITHOUT_RULES, node, parse, shape, yaml};
    use crate::vars::names_a_secret;

    /// Says everything that can be said, except what excludes something else.
    const EVERYTHING: &str = "
cluster: {channel: stable, manifests: [{url: https://example.org/a.yaml, sha256: 3f4c0a3e96a5d5c0a0a0c5e1b6d9f2c47a8b1e0d5c3f2a1b0e9d8c7b6a594837, file_name: a.yaml}], token: abcdef, binary: {source: path, path: Cargo.toml}}
ssh: {port: 22}
groups: {some: {role: server}}
hosts: {alpha: {group: some, files: {/etc/motd: {content: x}}}}
";

    #[test]
    fn the_schema_and_the_reader_know_the_same_keys() {
        let text = |value: &Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        let schema = schema(&WITHOUT_RULES);
        let mut described: BTreeSet<String> = text(&schema["properties"]).into_iter().collect();
        // What stands in registries goes to k3s as it is.
        let is_read = |name: &&String| !name.starts_with("Regist") && *name != "Mirror";
        let definitions = schema["definitions"].as_object().unwrap();
        for name in definitions.keys().filter(is_read) {
            described.extend(text(&definitions[name]["properties"]));
        }
        node::asked::start();
        parse(EVERYTHING, Path::new("x.yaml"), None, &Overrides::default()).unwrap();
        let mirror = EVERYTHING.replace("source: path, path: Cargo.toml", "source: push");
        parse(&mirror, Path::new("x.yaml"), None, &Overrides::default()).unwrap();
        let mut read = node::asked::stop();
        read.remove("some");
        assert_eq!(read, described);
    }

    #[test]
    fn every_example_and_default_has_the_shape_of_its_key() {
        for object in OBJECTS {
            for key in object.keys() {
                for value in [Some(key.example), key.default].into_iter().flatten() {
                    let source = format!("{}: {value}\n", key.name);
                    let sources = Sources(vec![Source::new(Path::new("x"), &source)]);
                    let overrides = Overrides::default();
                    let surroundings = Surroundings {
                        distributions: &WITHOUT_RULES,
                        home: None,
                        overrides: &overrides,
                        variables: |_| None,
                        commands: None,
                    };
                    let mut reader = Reader::new(&sources, &[], surroundings);
                    let node = yaml::parse(&source, 0, &mut reader.mistakes).unwrap();
                    shape::object(&node, "", object, &mut reader);
                    assert_eq!(reader.mistakes.into_sorted(), Vec::new(), "{source}");
                }
            }
        }
    }

    #[test]
    fn a_key_is_secret_where_its_name_says_so() {
        let keys = OBJECTS.iter().flat_map(|object| object.own);
        // Of a map, the keys in it say which values are.
        for key in keys.filter(|key| !matches!(key.kind, Kind::Object(_))) {
            let is_secret = matches!(key.kind, Kind::Secret(_));
            assert_eq!(is_secret, names_a_secret(key.name), "{}", key.name);
        }
    }

    #[test]
    fn no_other_name_of_a_key_is_a_key_itself() {
        for object in OBJECTS {
            for also in object.keys().flat_map(|key| key.also) {
                assert!(object.key(also).is_none(), "{} {also}", object.name);
            }
        }
    }

    #[test]
    fn the_schema_describes_a_host() {
        let host = &schema(&WITHOUT_RULES)["definitions"]["Host"];
        assert_eq!(host["additionalProperties"], json!(false));
        assert_eq!(
            host["properties"]["role"]["anyOf"][0]["enum"],
            json!(["server", "agent"])
        );
        assert_eq!(
            host["properties"]["ssh"]["allOf"][0]["$ref"],
            json!("#/definitions/Ssh")
        );
        assert_eq!(
            schema(&WITHOUT_RULES)["definitions"]["Ssh"]["properties"]["port"]["default"],
            json!(22)
        );
    }
}
