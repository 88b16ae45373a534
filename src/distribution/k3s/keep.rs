//! What of a host's own settings the inventory does not name. A typed line keeps it, and taking a
//! host over needs a line for it; an inventory's deploy on a host that towline wrote takes it away.

use serde_json::Value;

use super::settings::{elements, matters_only_at_first_start, same_setting, words};
use crate::distribution::Settings;

/// Lists that are sets of words: one more does not take another's place.
const SETS: [&str; 5] = [
    "airgap-extra-registry",
    "disable",
    "node-external-dns",
    "node-internal-dns",
    "tls-san",
];

/// Keys that have rules of their own: how a host came into its cluster, what its node is called, and
/// where its data is.
fn is_settled(key: &str) -> bool {
    matters_only_at_first_start(key)
        || [
            "node-name",
            "config",
            "data-dir",
            "cluster-reset",
            "cluster-reset-restore-path",
        ]
        .contains(&key)
}

/// The settings of a host that the inventory does not name (`named` is what it does) and that would
/// not be so any more: whole keys, and of a list the elements. `after` is what k3s would be told.
pub(super) fn unnamed<'a>(
    own: &Settings,
    named: &Settings,
    after: impl Fn(&str) -> Option<&'a Value>,
) -> Settings {
    let mut rest = Settings::new();
    for (key, value) in own {
        let key = key.trim_end_matches('+');
        if is_settled(key) || value.is_null() {
            continue;
        }
        let said = named.get(key).or_else(|| named.get(&format!("{key}+")));
        let Some(of) = identity(key) else {
            if said.is_none() && !same_setting(key, Some(value), after(key)) {
                rest.insert(key.to_owned(), value.clone());
            }
            continue;
        };
        // It was named to have it gone.
        if said.is_some_and(|said| said.is_null() || *said == Value::Array(Vec::new())) {
            continue;
        }
        let said = said.map(|said| parts(key, said)).unwrap_or_default();
        let there = after(key)
            .map(|after| parts(key, after))
            .unwrap_or_default();
        let mut words = parts(key, value);
        words.retain(|word| !there.contains(word) && !said.iter().any(|said| of(said) == of(word)));
        if !words.is_empty() {
            rest.insert(key.to_owned(), words.into());
        }
    }
    rest
}

/// By what the elements of a list are told apart, if one can be kept beside others.
fn identity(key: &str) -> Option<fn(&str) -> &str> {
    if SETS.contains(&key) {
        Some(|word| word)
    } else if key.ends_with("-arg") {
        // `name=value`: the name is another program's flag.
        Some(|word| {
            let name = word.split_once('=').map_or(word, |(name, _)| name);
            name.trim_start_matches('-').trim_end_matches('+')
        })
    } else {
        None
    }
}

/// Adds what is kept to a configuration.
pub(super) fn add(config: &mut Settings, kept: &Settings) {
    for (key, value) in kept {
        let both = match config.remove(key) {
            Some(other) if identity(key).is_some() => {
                let mut both = parts(key, value);
                both.extend(parts(key, &other));
                both.into()
            }
            _ => value.clone(),
        };
        config.insert(key.clone(), both);
    }
}

/// Gives lists with kept elements the order that they have on the host: another order is no change that
/// k3s is restarted for.
pub(super) fn order(config: &mut Settings, kept: &Settings, own: &Settings) {
    for key in kept.keys() {
        let own = own.get(key).map(|own| parts(key, own)).unwrap_or_default();
        if let Some(Value::Array(items)) = config.get_mut(key) {
            let position = |item: &Value| own.iter().position(|own| item == own.as_str());
            items.sort_by_key(|item| position(item).unwrap_or(own.len()));
        }
    }
}

/// The elements of a list; what is passed on to another program may hold commas of its own.
fn parts(key: &str, value: &Value) -> Vec<String> {
    if SETS.contains(&key) {
        words(Some(value))
    } else {
        elements(value)
    }
}

/// The settings for people: keys, and of lists what they hold.
pub(super) fn names(kept: &Settings) -> String {
    let name = |(key, value): (&String, &Value)| match (identity(key), value) {
        (Some(of), value) => {
            let words = parts(key, value);
            let words: Vec<&str> = words.iter().map(|word| of(word)).collect();
            format!("{key} ({})", words.join(", "))
        }
        (None, _) => key.clone(),
    };
    kept.iter().map(name).collect::<Vec<_>>().join(", ")
}
