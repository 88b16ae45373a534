//! Several files of one inventory, laid over each other in the order in which they were named.

use super::language::{ANY, Kind};
use super::node::{YamlEntry, YamlNode, YamlValue};
use super::range::Pattern;
use super::reader::Reader;
use super::secret;
use crate::vars::names_a_secret;

/// Lays what a later file says over what earlier ones say. Maps are joined key by key; what else the
/// later file says stands in place of the earlier. There, `null` takes away what was said before, if
/// anything was, and nothing at all leaves it; in a `config`, both mean that k3s does not get the key,
/// as in one file.
pub(super) fn lay(base: &mut YamlNode, above: YamlNode, kind: Kind, reader: &mut Reader<'_>) {
    let YamlValue::Map(entries) = above.tree else {
        *base = above;
        return;
    };
    if !matches!(base.tree, YamlValue::Map(_)) {
        *base = YamlNode {
            tree: YamlValue::Map(Vec::new()),
            ..above
        };
    }
    if let YamlValue::Map(before) = &mut base.tree {
        for entry in entries {
            add(before, entry, kind, reader);
        }
    }
}

fn add(before: &mut Vec<YamlEntry>, entry: YamlEntry, kind: Kind, reader: &mut Reader<'_>) {
    let at = before.iter().position(|known| known.key == entry.key);
    if matches!(entry.value.tree, YamlValue::Null) && !matches!(kind, Kind::Config) {
        let is_written = !reader.sources.written(entry.value.span).is_empty();
        match at {
            Some(at) if is_written => {
                before.remove(at);
            }
            None if !is_written => before.push(entry),
            None if matches!(kind, Kind::Objects(_)) => {
                of_a_range(before, &entry, reader);
            }
            _ => {}
        }
        return;
    }
    let inner = match kind {
        Kind::Object(object) | Kind::ObjectOrFile(object) => object
            .key(&entry.key)
            .map_or(Kind::Text(ANY), |key| key.kind),
        Kind::Objects(object) => Kind::Object(object),
        Kind::Config => Kind::Config,
        _ => Kind::Text(ANY),
    };
    let are_maps = |known: &YamlEntry| {
        let nodes = [&known.value, &entry.value];
        nodes
            .iter()
            .all(|node| matches!(node.tree, YamlValue::Map(_)))
    };
    // Where a secret is, is one value.
    let is_secret = matches!(inner, Kind::Secret(_))
        || names_a_secret(&entry.key) && secret::is_source(&entry.value);
    match at {
        Some(at) if are_maps(&before[at]) && !is_secret => {
            lay(&mut before[at].value, entry.value, inner, reader);
        }
        _ => {
            // What is new is laid over nothing, so that `null` means the same in it.
            let mut value = YamlNode {
                tree: YamlValue::Null,
                ..entry.value
            };
            lay(&mut value, entry.value, inner, reader);
            let entry = YamlEntry { value, ..entry };
            match at {
                Some(at) => before[at] = entry,
                None => before.push(entry),
            }
        }
    }
}

/// Notes that hosts which another name stands for, too, are to be taken away.
fn of_a_range(before: &[YamlEntry], entry: &YamlEntry, reader: &mut Reader<'_>) {
    let names = |key: &str| Pattern::parse(key).map_or_else(|_| Vec::new(), |key| key.expand());
    let taken = names(&entry.key);
    for known in before {
        if let Some(name) = names(&known.key).iter().find(|name| taken.contains(name)) {
            let (key, line) = (&known.key, reader.sources.line(known.at, entry.at));
            let message =
                format!("{name} comes from `{key}` in {line} and cannot be taken out alone");
            let help = format!("write `{key}: null`, and name the hosts here that are left");
            reader.mistakes.help(entry.at, message, help);
        }
    }
}
