//! What k3s is told on a host, wherever it is told: by the environment of its unit, config.yaml,
//! config.yaml.d, and the flags of its unit, of which the later win.

use serde_json::Value;

use super::flags::is_list;
use super::settings::{DATA_DIR, MUST_BE_EQUAL, matters_only_at_first_start, words};
use super::unit::{environment, flags, unit_variables};
use crate::distribution::Settings;
use crate::facts::Facts;
use crate::inventory::DataDir;
use crate::vars::Secret;

/// The value of a key, when it is one word; a token of digits is a
/// number for YAML and text for k3s.
pub(super) fn configured(own: &Settings, key: &str) -> Option<String> {
    match own.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What a host is told: by its own config.yaml, and where something else set k3s up, by all that
/// this left. What cannot be read makes the host unfit before anything is decided from it.
pub(super) fn observed(facts: &Facts) -> Settings {
    let read = match facts.node.foreign {
        Some(_) => effective_config(facts),
        None => own_config(facts),
    };
    read.unwrap_or_default()
}

/// No config.yaml is longer; a longer one was cut off on its way here.
const LONGEST_CONFIG: usize = 200_000;

/// A host's own config.yaml as its keys.
///
/// # Errors
/// Why it cannot be read, without any of its content.
pub(super) fn own_config(facts: &Facts) -> Result<Settings, String> {
    read_config(facts.node.config.as_ref().map_or("", Secret::expose))
}

/// The text of a config.yaml as its keys.
fn read_config(text: &str) -> Result<Settings, String> {
    if text.len() > LONGEST_CONFIG {
        return Err(format!("is longer than {LONGEST_CONFIG} bytes"));
    }
    if text.contains('\u{fffd}') {
        return Err("is not text in UTF-8".into());
    }
    if text.is_empty() {
        return Ok(Settings::new());
    }
    match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Object(keys)) => {
            let unusable = keys.iter().find(|(key, value)| !is_usable(key, value));
            match unusable.map(|(key, _)| key.clone()) {
                Some(key) => Err(format!("has a value for {key} that k3s does not take")),
                None => Ok(keys.into_iter().collect()),
            }
        }
        Ok(Value::Null) => Ok(Settings::new()),
        Ok(_) => Err("is YAML, but no keys with values".into()),
        Err(error) => Err(match error.location() {
            Some(place) => format!("is not YAML, line {}", place.line()),
            None => "is not YAML".into(),
        }),
    }
}

/// Whether a value that is kept from a host's own config.yaml has the form that k3s takes.
fn is_usable(key: &str, value: &Value) -> bool {
    let is_word = |value: &Value| match value {
        Value::String(text) => text.len() <= 4096 && !text.contains(char::is_control),
        Value::Number(_) => true,
        _ => false,
    };
    match key.trim_end_matches('+') {
        "cluster-init" => value.is_boolean() || value == "true" || value == "false",
        "node-label" | "node-taint" => match value {
            Value::Array(items) => items.len() <= 1000 && items.iter().all(is_word),
            other => is_word(other),
        },
        key if matters_only_at_first_start(key) || key == "node-name" => is_word(value),
        _ => true,
    }
}

/// All that k3s is told on a host.
///
/// # Errors
/// Where it stands and why it cannot be read, without any of its content.
pub(super) fn effective_config(facts: &Facts) -> Result<Settings, String> {
    let mut variables = Settings::new();
    if let Some(foreign) = &facts.node.foreign {
        variables = unit_variables(foreign)?;
        variables.extend(environment(foreign)?);
    }
    layers(facts, variables, config_yaml(facts)?, unit_flags(facts)?)
}

/// All that k3s would be told on a host with this config.yaml and towline's own unit, which reads the
/// same variables and has no flags.
///
/// # Errors
/// As [`effective_config`].
pub(super) fn told(facts: &Facts, config: &Settings) -> Result<Settings, String> {
    let foreign = facts.node.foreign.as_ref();
    let variables = foreign.map_or(Ok(Settings::new()), environment)?;
    layers(facts, variables, config.clone(), Settings::new())
}

/// What of it is gone when towline writes config.yaml and its own unit.
///
/// # Errors
/// As [`effective_config`].
pub(super) fn replaced(facts: &Facts) -> Result<Settings, String> {
    let foreign = facts.node.foreign.as_ref();
    let mut own = foreign.map_or(Ok(Settings::new()), unit_variables)?;
    for (key, value) in config_yaml(facts)? {
        add(&mut own, key, value);
    }
    for (key, value) in unit_flags(facts)? {
        add_flag(&mut own, key, value);
    }
    Ok(own)
}

fn config_yaml(facts: &Facts) -> Result<Settings, String> {
    own_config(facts).map_err(|why| format!("/etc/rancher/k3s/config.yaml {why}"))
}

fn unit_flags(facts: &Facts) -> Result<Settings, String> {
    let Some(foreign) = &facts.node.foreign else {
        return Ok(Settings::new());
    };
    flags(foreign).map_err(|why| format!("the unit {}: {why}", foreign.unit))
}

fn layers(
    facts: &Facts,
    mut all: Settings,
    config: Settings,
    flags: Settings,
) -> Result<Settings, String> {
    for (key, value) in config {
        add(&mut all, key, value);
    }
    for drop_in in &facts.node.drop_ins {
        let read = read_config(drop_in.text.expose());
        let keys = read.map_err(|why| format!("config.yaml.d/{} {why}", drop_in.name))?;
        for (key, value) in keys {
            add(&mut all, key, value);
        }
    }
    for (key, value) in flags {
        add_flag(&mut all, key, value);
    }
    for key in ["node-ip", "node-external-ip"] {
        if let Some(Value::Array(addresses)) = all.get(key) {
            let words: Vec<_> = addresses.iter().filter_map(Value::as_str).collect();
            let joined = Value::String(words.join(","));
            all.insert(key.to_owned(), joined);
        }
    }
    Ok(all)
}

/// Of a file: a key takes the place of an earlier one, `key+` adds to it.
fn add(all: &mut Settings, key: String, value: Value) {
    match key.strip_suffix('+') {
        Some(key) => append(all, key, value),
        None => drop(all.insert(key, value)),
    }
}

/// Of a unit: k3s puts what its files say before the flags, so a list becomes longer and anything else
/// has its last value (k3s: pkg/configfilearg/parser.go).
fn add_flag(all: &mut Settings, key: String, value: Value) {
    if is_list(&key) {
        append(all, &key, value);
    } else {
        all.insert(key, value);
    }
}

/// The folder of k3s's data as k3s is told on a host; nothing is known of it when no file there
/// tells k3s anything.
///
/// # Errors
/// A sentence, when it is no folder that towline works with.
pub(super) fn configured_data_dir(facts: &Facts) -> Result<Option<DataDir>, String> {
    if facts.node.config.is_none() && facts.node.foreign.is_none() {
        return Ok(None);
    }
    // What cannot be read is said where everything that k3s is told is looked at.
    let Ok(all) = effective_config(facts) else {
        return Ok(None);
    };
    let Some(told) = all.get("data-dir").and_then(Value::as_str) else {
        return Ok(DATA_DIR.parse().ok());
    };
    let read = told.parse().map(Some);
    read.map_err(|why| format!("k3s is configured with data-dir `{told}`, and {why}"))
}

pub(super) fn append(all: &mut Settings, key: &str, value: Value) {
    let list = |value: Value| match value {
        Value::Array(items) => items,
        one => vec![one],
    };
    let mut items = all.remove(key).map(list).unwrap_or_default();
    items.extend(list(value));
    all.insert(key.to_owned(), Value::Array(items));
}

/// The settings of a server that all servers of its cluster must share, for one that joins it.
///
/// # Errors
/// Where it stands and why it cannot be read.
pub fn shared_settings(facts: &Facts) -> Result<Settings, String> {
    let mut all = effective_config(facts)?;
    all.retain(|key, value| MUST_BE_EQUAL.contains(&key.as_str()) && *value != false);
    Ok(all)
}

/// The names in the certificate of a server that are not its own addresses: those of its cluster.
pub fn certificate_names(facts: &Facts) -> Vec<String> {
    let all = effective_config(facts).unwrap_or_default();
    let is_own = |name: &str| name.parse().is_ok_and(|ip| facts.has_address(ip));
    let mut names = words(all.get("tls-san"));
    names.retain(|name| !is_own(name));
    names
}
