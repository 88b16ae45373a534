//! Taking over a host on which something else set up k3s: its installer, another tool, a person.
//!
//! What k3s is told there moves from flags and variables into config.yaml. What all servers must
//! share may not change on the way; the rest may, and is told.

use serde_json::Value;

use super::config::Config;
use super::force::in_force;
use crate::distribution::k3s::settings::{
    MUST_BE_EQUAL, matters_only_at_first_start, shared_default,
};
use crate::error::Problem;
use crate::facts::{Facts, Foreign};
use crate::inventory::{Host, Role};

/// Why a host that something else set up is left alone.
pub(super) fn left_alone(host: &Host, foreign: &Foreign) -> Problem {
    Problem::new(format!(
        "{}: k3s was set up here by something else, and is left as it is",
        host.name
    ))
    .because(format!(
        "the unit {} is not towline's; what k3s is told there would move into config.yaml",
        foreign.unit
    ))
    .next("towline plan  shows what taking it over would change;  towline deploy --adopt  does it, server by server")
}

/// What a host that is taken over loses, as a sentence.
///
/// # Errors
/// What it must not lose.
pub(super) fn adoption(
    host: &Host,
    facts: &Facts,
    config: &Config,
) -> Result<Option<String>, Problem> {
    let name = &host.name;
    let all = in_force(facts).map_err(|why| {
        Problem::new(format!("{name}: what k3s is told here cannot be read"))
            .because(why)
            .next("move it into /etc/rancher/k3s/config.yaml by hand, restart k3s, then try again")
    })?;
    for (key, supported) in [
        ("config", Some("/etc/rancher/k3s/config.yaml")),
        ("datastore-endpoint", None),
    ] {
        let value = all.get(key).and_then(Value::as_str);
        let same = value.map(|value| value.trim_end_matches('/')) == supported;
        if all.contains_key(key) && !same {
            return Err(Problem::new(format!(
                "{name}: k3s is told --{key} here, which towline does not support yet"
            ))
            .next("leave this host out of the inventory"));
        }
    }
    let mut differing = Vec::new();
    if host.role.value == Role::Server {
        for key in MUST_BE_EQUAL {
            if !same_setting(key, all.get(key), config.get(key)) {
                differing.push(match all.get(key) {
                    Some(value) => format!("{key}: {value}"),
                    None => {
                        format!("{key}: ...   # not set on the host, and the inventory sets it")
                    }
                });
            }
        }
    }
    if !differing.is_empty() {
        let mut problem = Problem::new(format!(
            "{name}: taking it over would change what all servers of its cluster share"
        ));
        problem = problem.because("k3s does not start with other values than the cluster's");
        return Err(problem.next(format!(
            "make the inventory say what the host does, under  config:  of  cluster:\n{}",
            differing.join("\n")
        )));
    }
    let lost: Vec<_> = all
        .keys()
        .map(|key| key.trim_end_matches('+'))
        .filter(|key| {
            !config.contains_key(*key)
                && !matters_only_at_first_start(key)
                && !MUST_BE_EQUAL.contains(key)
                && !["config", "data-dir", "tls-san"].contains(key)
        })
        .collect();
    Ok((!lost.is_empty()).then(|| {
        format!(
            "{name}: in force now and gone when it is taken over: {}; to keep them, put them under config: in the inventory",
            lost.join(", ")
        )
    }))
}

/// Whether two values mean the same to k3s: a list and its words with commas, any order, the default
/// and nothing at all.
pub fn same_setting(key: &str, one: Option<&Value>, other: Option<&Value>) -> bool {
    plain(key, one) == plain(key, other)
}

/// A value in the one form that all its spellings share.
fn plain(key: &str, value: Option<&Value>) -> String {
    let mut words: Vec<String> = match value {
        None | Some(Value::Null | Value::Bool(false)) => Vec::new(),
        Some(Value::Array(items)) => items.iter().map(word).collect(),
        Some(one) => vec![word(one)],
    };
    words = words
        .iter()
        .flat_map(|word| word.split(','))
        .map(|word| word.trim().to_owned())
        .filter(|word| !word.is_empty() && word != "false")
        .collect();
    words.sort();
    words.dedup();
    match (words.is_empty(), shared_default(key)) {
        (true, Some(default)) => default.to_owned(),
        _ => words.join(","),
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The keys that two configurations of servers have different values for, where all must have the
/// same.
pub(super) fn unequal<'a>(
    one: &'a Config,
    other: &'a Config,
) -> impl Iterator<Item = &'static str> {
    MUST_BE_EQUAL
        .into_iter()
        .filter(|key| !same_setting(key, one.get(*key), other.get(*key)))
}
