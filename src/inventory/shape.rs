//! Checks a tree against the language: unknown keys, wrong types, words outside a choice.

use super::belongings;
use super::keys::{FILE, OBJECTS};
use super::kubernetes;
use super::language::{ANY, Check, Key, Kind, Object, join};
use super::mistake::Mistakes;
use super::node::{Span, YamlEntry, YamlNode, YamlValue};
use super::reader::Reader;
use super::secret;
use super::words::{listed, one_of, or, plain, similar};

/// Notes everything in the tree that does not have the shape of this object.
pub(super) fn object(node: &YamlNode, path: &str, wanted: &Object, reader: &mut Reader<'_>) {
    for entry in map(node, path, &mut reader.mistakes) {
        let inner = join(path, &entry.key);
        match wanted.key(&entry.key).map(|key| key.kind) {
            Some(Kind::Config) => {
                if !matches!(entry.value.tree, YamlValue::Null) {
                    map(&entry.value, &inner, &mut reader.mistakes);
                }
                kubernetes::config(&entry.value, wanted.name != "Host", reader);
            }
            Some(kind) => value(entry, &inner, kind, reader),
            None => unknown(entry, path, wanted, &mut reader.mistakes),
        }
    }
}

/// One value against its kind.
fn value(entry: &YamlEntry, path: &str, kind: Kind, reader: &mut Reader<'_>) {
    let (node, mistakes) = (&entry.value, &mut reader.mistakes);
    let empty = matches!(node.tree, YamlValue::Null);
    match kind {
        Kind::Object(_)
        | Kind::ObjectOrFile(_)
        | Kind::Objects(_)
        | Kind::Labels(_)
        | Kind::Values(_)
        | Kind::Config
        | Kind::Texts(_)
        | Kind::TextsOrObjects(..)
            if empty => {}
        _ if empty => mistakes.add(entry.at, format!("`{path}` has no value")),
        Kind::ObjectOrFile(_) | Kind::Document if node.text().is_some() => {}
        Kind::Document => drop(map(node, path, mistakes)),
        Kind::Object(wanted) | Kind::ObjectOrFile(wanted) => object(node, path, wanted, reader),
        Kind::Objects(wanted) => {
            for entry in map(node, path, mistakes) {
                let inner = join(path, &entry.key);
                if wanted.name == FILE.name {
                    let is_path = belongings::path(&entry.key);
                    reader.mistakes.check(entry.at, is_path);
                }
                match &entry.value.tree {
                    // A host or group of which nothing is said yet.
                    YamlValue::Null => {}
                    YamlValue::Text(_) if wanted.key(&entry.key).is_some() => reader.mistakes.help(
                        entry.at,
                        format!(
                            "`{}` is a key, where a name in `{path}` is expected",
                            entry.key
                        ),
                        "indent it below the name that it belongs to",
                    ),
                    YamlValue::Text(address) if wanted.name == "Host" => reader.mistakes.help(
                        entry.value.span,
                        format!("`{inner}` must be a map of keys and values, and this is text"),
                        format!("write {{address: {address}, role: server}}"),
                    ),
                    _ => object(&entry.value, &inner, wanted, reader),
                }
            }
        }
        Kind::Labels(check) => {
            for entry in map(node, path, mistakes) {
                text(&entry.value, &join(path, &entry.key), ANY, mistakes);
            }
            check(node, mistakes);
        }
        Kind::Values(check) => {
            for entry in map(node, path, mistakes) {
                let is_scalar = match entry.value.tree {
                    YamlValue::Text(_) | YamlValue::Flag(_) | YamlValue::Whole(_) => true,
                    _ => secret::is_source(&entry.value),
                };
                if !is_scalar {
                    let inner = join(path, &entry.key);
                    wrong(&entry.value, &inner, "text or a number", mistakes);
                }
            }
            check(node, mistakes);
        }
        Kind::Flag if node.flag().is_some() => {}
        Kind::Flag => wrong(node, path, "true or false", mistakes),
        // What stands in one is checked with its place.
        Kind::Config => {}
        Kind::Text(check) => text(node, path, check, mistakes),
        Kind::Ranged(_) => text(node, path, ANY, mistakes),
        Kind::Secret(check) => match node.text() {
            Some(text) => mistakes.check(node.span, check(text)),
            None => secret::shape(node, path, mistakes),
        },
        Kind::Texts(check) => match &node.tree {
            YamlValue::List(items) => {
                for item in items {
                    text(item, path, check, mistakes);
                }
            }
            YamlValue::Text(word) => mistakes.help(
                node.span,
                format!("`{path}` must be a list, and this is text"),
                format!("write [{word}]"),
            ),
            _ => wrong(node, path, "a list", mistakes),
        },
        Kind::TextsOrObjects(check, wanted) => match &node.tree {
            YamlValue::List(items) => {
                for item in items {
                    if matches!(item.tree, YamlValue::Map(_)) {
                        object(item, path, wanted, reader);
                    } else {
                        text(item, path, check, &mut reader.mistakes);
                    }
                }
            }
            YamlValue::Text(word) => mistakes.help(
                node.span,
                format!("`{path}` must be a list, and this is text"),
                format!("write [{word}]"),
            ),
            _ => wrong(node, path, "a list", mistakes),
        },
        Kind::TextOrTexts(check) => match &node.tree {
            YamlValue::List(items) => {
                for item in items {
                    text(item, path, check, mistakes);
                }
            }
            _ => text(node, path, check, mistakes),
        },
        Kind::Whole(least, most) => match &node.tree {
            _ if node
                .whole::<i64>()
                .is_some_and(|number| (least..=most).contains(&number)) => {}
            _ if matches!(node.tree, YamlValue::Whole(_)) || node.whole::<i128>().is_some() => {
                mistakes.add(
                    node.span,
                    format!("`{path}` must be a number from {least} to {most}"),
                );
            }
            YamlValue::Text(text) if text.parse::<i64>().is_ok() => mistakes.help(
                node.span,
                format!("`{path}` must be a number, and this is text"),
                format!("write {text} without quotes"),
            ),
            _ => wrong(node, path, "a whole number", mistakes),
        },
        Kind::Choice(words) => match node.text() {
            Some(word) if words.contains(&word) => {}
            Some(word) => {
                let message = format!("`{path}` cannot be `{word}`");
                mistakes.help(node.span, message, one_of(word, words));
            }
            None => wrong(node, path, &or(words), mistakes),
        },
        Kind::RoleName => {
            let words = reader.dialect.role_words();
            match node.text() {
                Some(word) if words.contains(&word) => {}
                Some(word) => {
                    let message = format!("`{path}` cannot be `{word}`");
                    mistakes.help(node.span, message, one_of(word, &words));
                }
                None => wrong(node, path, &or(&words), mistakes),
            }
        }
        Kind::Distribution => {
            let distributions = reader.surroundings.distributions.iter();
            let names: Vec<_> = distributions.map(|dialect| dialect.name).collect();
            match node.text() {
                Some(word) if names.contains(&word) => {}
                Some(word) => {
                    let message = format!("unsupported distribution `{word}`");
                    mistakes.help(node.span, message, format!("write {}", or(&names)));
                }
                None => wrong(node, path, &or(&names), mistakes),
            }
        }
    }
}

/// The entries of a map, or the mistake that this is none.
fn map<'a>(node: &'a YamlNode, path: &str, mistakes: &mut Mistakes) -> &'a [YamlEntry] {
    match &node.tree {
        YamlValue::Map(entries) => entries,
        YamlValue::Null if path.is_empty() => {
            let start = Span {
                line: 1,
                column: 1,
                ..Span::default()
            };
            mistakes.help(
                start,
                "the file is empty",
                "an inventory has at least the key `hosts`",
            );
            &[]
        }
        _ if path.is_empty() => {
            let found = node.kind();
            let message =
                format!("an inventory is a map with the key `hosts`, and this is {found}");
            mistakes.add(node.span, message);
            &[]
        }
        _ => {
            wrong(node, path, "a map of keys and values", mistakes);
            &[]
        }
    }
}

/// That a value is text, and passes a check.
fn text(node: &YamlNode, path: &str, check: Check, mistakes: &mut Mistakes) {
    if let YamlValue::Text(text) = &node.tree {
        mistakes.check(node.span, check(text));
        return;
    }
    let message = format!("`{path}` must be text, and this is {}", node.kind());
    match node.tree {
        YamlValue::Flag(_) | YamlValue::Whole(_) | YamlValue::Fraction(_) => {
            mistakes.help(node.span, message, "write it in quotes");
        }
        _ => mistakes.add(node.span, message),
    }
}

/// A wrong type.
fn wrong(node: &YamlNode, path: &str, wanted: &str, mistakes: &mut Mistakes) {
    mistakes.add(
        node.span,
        format!("`{path}` must be {wanted}, and this is {}", node.kind()),
    );
}

/// An unknown key, with the one that was probably meant.
fn unknown(entry: &YamlEntry, path: &str, wanted: &Object, mistakes: &mut Mistakes) {
    let key = &entry.key;
    let message = if path.is_empty() {
        format!("unknown key `{key}`")
    } else {
        format!("unknown key `{key}` in `{path}`")
    };
    let names: Vec<&str> = wanted.keys().map(|key| key.name).collect();
    let help = if let Some(meant) = meant(key, wanted) {
        format!("did you mean `{meant}`?")
    } else if let Some(section) = section_of(key, wanted) {
        format!("`{key}` belongs under `{section}`")
    } else {
        format!("the keys here are {}", listed(&names, "and"))
    };
    mistakes.help(entry.at, message, help);
}

/// The key of this object that was probably meant.
fn meant(word: &str, wanted: &Object) -> Option<&'static str> {
    let similar = || similar(word, wanted.keys().map(|key| key.name));
    named(wanted, word).map(|key| key.name).or_else(similar)
}

/// The section below this object, or else elsewhere, whose key this is.
fn section_of(word: &str, wanted: &Object) -> Option<String> {
    let below = wanted.keys().find_map(|key| match key.kind {
        Kind::Object(inner) if named(inner, word).is_some() => Some(key.name.to_owned()),
        _ => None,
    });
    below.or_else(|| {
        OBJECTS
            .iter()
            .find(|object| named(object, word).is_some())
            .and_then(|object| match object.name {
                "Inventory" => None,
                "Host" | "Group" => Some("hosts.<name>".to_owned())
                    .filter(|_| wanted.name == "Inventory" || wanted.name == "Cluster"),
                "Binary" => Some("cluster.binary".to_owned()),
                name => Some(name.to_ascii_lowercase()),
            })
    })
}

/// The key of an object that has this or another name like it.
fn named(object: &Object, word: &str) -> Option<&'static Key> {
    let word = plain(word);
    let mut keys = object.keys();
    keys.find(|key| plain(key.name) == word || key.also.iter().any(|also| plain(also) == word))
}
