//! Taking over a host on which something else set up k3s: its installer, another tool, or a command by hand.
//!
//! What k3s is told there moves from flags and variables into config.yaml. What all servers must
//! share may not change on the way, and what the inventory does not name needs a line in it.

use std::net::IpAddr;

use serde_json::Value;

use super::effective::{append, effective_config, replaced, told};
use super::keep::{self, unnamed};
use super::registration::is_registration;
use super::settings::{MUST_BE_EQUAL, same_setting};
use super::unit::besides;
use crate::distribution::Settings;
use crate::facts::{Facts, ForeignUnit};
use crate::inventory::{Host, Role};
use crate::problem::{Code, Problem, problem};
use crate::vars::names_a_secret;

/// Why a host that something else set up is left alone.
pub(super) fn left_alone(host: &Host, foreign: &ForeignUnit) -> Problem {
    problem!(
        Code::SET_UP_ELSEWHERE,
        host = &host.name,
        "k3s was set up here by something else, and is left as it is"
    )
    .because(format!(
        "the unit {} was not written by towline; its k3s flags would move to config.yaml",
        foreign.unit
    ))
    .next("to see what taking it over would change")
    .command("towline plan")
    .next("to take it over, server by server")
    .command("towline deploy --adopt")
}

/// Whether a host can be taken over; `config` is what its config.yaml would say, `named` what of it
/// the inventory does.
///
/// # Errors
/// What it must not lose.
pub(super) fn adoption(
    host: &Host,
    facts: &Facts,
    config: &Settings,
    named: &Settings,
) -> Result<(), Problem> {
    let name = &host.name;
    let all = effective_config(facts).map_err(|why| unreadable(name, why))?;
    let file = all.get("config").and_then(Value::as_str);
    if file.is_some_and(|file| file.trim_end_matches('/') != "/etc/rancher/k3s/config.yaml") {
        return Err(problem!(
            Code::ADOPTION_UNSUPPORTED,
            host = name,
            "k3s runs with --config, which towline does not support yet"
        )
        .next("leave this host out of the inventory"));
    }
    // Both are secrets.
    let datastore = |settings: &Settings| settings.get("datastore-endpoint").cloned();
    if datastore(&all) != datastore(config) {
        return Err(problem!(
            Code::SETTING_FIXED,
            host = name,
            "it keeps its cluster in another database than the one that `cluster.datastore_endpoint` names"
        )
        .because("k3s does not move data from one database to another: it would start with nothing")
        .next("write the same endpoint as on this host, letter by letter; it is in its unit, the variables of its unit, or /etc/rancher/k3s/config.yaml"));
    }
    let besides = facts.node.foreign.as_ref().map_or(Ok(Vec::new()), besides);
    let besides = besides.map_err(|why| unreadable(name, why))?;
    if let (false, Some(foreign)) = (besides.is_empty(), &facts.node.foreign) {
        let unit = &foreign.unit;
        return Err(problem!(Code::ADOPTION_UNSUPPORTED, host = name, "the unit {unit} gives k3s variables that towline's unit would not: {}",
            besides.join(", "))
        .because("towline writes the unit anew, and its unit has variables from files only")
        .next(format!(
            "move the variables into this file, which towline's unit reads:\n/etc/systemd/system/{unit}.service.env"
        )));
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
    let lost = replaced(facts).and_then(|own| {
        // What stands in config.yaml.d, too, is in force as it says.
        let own = own.keys().map(|key| key.trim_end_matches('+'));
        let own = own.filter_map(|key| Some((key.to_owned(), all.get(key)?.clone())));
        let own = own.collect();
        let after = told(facts, config)?;
        Ok(unnamed(&own, named, |key| after.get(key)))
    });
    let mut lost = lost.map_err(|why| unreadable(name, why))?;
    if host.role.value == Role::Server {
        lost.retain(|key, _| !MUST_BE_EQUAL.contains(&key.as_str()));
    }
    let lines = (!lost.is_empty()).then(|| needs_lines(host, &lost, config));
    if differing.is_empty() {
        return lines.map_or(Ok(()), Err);
    }
    let mut problem = problem!(
        Code::ADOPTION_CHANGES_SETTINGS,
        host = name,
        "taking it over would change what all servers of its cluster share"
    )
    .because("k3s does not start with other values than the cluster's")
    .next("make the inventory say what the host does, under `config` of `cluster`")
    .inventory(differing.join("\n"));
    if let Some(lines) = lines {
        problem = problem.because(lines.what);
        problem.next.extend(lines.next);
    }
    Err(problem)
}

/// Whether k3s, which something else set up here, does already what `config` and towline's unit tell it,
/// so that no restart is owed; `registered` is its node's address in the cluster.
pub(super) fn effective(facts: &Facts, registered: Option<IpAddr>, config: &Settings) -> bool {
    let (Ok(mut before), Ok(after)) = (effective_config(facts), told(facts, config)) else {
        return false;
    };
    if let Some(address) = registered {
        let address = Value::String(address.to_string());
        // k3s's certificate has the address of its own node, and names that it was told of.
        if after.contains_key("tls-san") {
            append(&mut before, "tls-san", address.clone());
        }
        before.entry("node-ip".to_owned()).or_insert(address);
    }
    // Where the files and the data are does not change: that was refused before.
    let keys = before.keys().chain(after.keys());
    // Labels and taints are given by the cluster's API.
    let mut keys =
        keys.filter(|key| !["config", "data-dir"].contains(&key.as_str()) && !is_registration(key));
    facts.node.foreign.is_some()
        && keys.all(|key| same_setting(key, before.get(key), after.get(key)))
}

fn unreadable(name: &str, why: String) -> Problem {
    problem!(
        Code::NODE_CONFIG_UNREADABLE,
        host = name,
        "the settings of k3s cannot be read"
    )
    .because(why)
    .next("move it into /etc/rancher/k3s/config.yaml by hand, restart k3s, then try again")
}

/// The lines that the inventory lacks.
fn needs_lines(host: &Host, lost: &Settings, config: &Settings) -> Problem {
    let name = &host.name;
    let problem = problem!(
        Code::ADOPTION_CHANGES_SETTINGS,
        host = name,
        "these settings of k3s are missing from the inventory and would be lost: {}",
        lost.keys().cloned().collect::<Vec<_>>().join(", ")
    )
    .because("an inventory is the whole truth of its cluster");
    let (names, rest): (Settings, Settings) = lost
        .clone()
        .into_iter()
        .partition(|(key, _)| key == "tls-san");
    let mut problem = problem;
    if let Some(names) = names.get("tls-san") {
        problem = problem
            .next("add to `tls_sans` under `cluster`")
            .inventory(names.to_string());
    }
    if rest.is_empty() {
        return problem;
    }
    let lines = rest.iter().map(|(key, value)| {
        if names_a_secret(key) {
            return format!("{key}: …   # a secret; it stands on the host");
        }
        let mut whole = config.clone();
        keep::add(&mut whole, &Settings::from([(key.clone(), value.clone())]));
        format!("{key}: {}", whole[key])
    });
    let lines: Vec<_> = lines.collect();
    problem
        .next(format!(
            "write under `config` of {name}, or once for all hosts that share it"
        ))
        .inventory(lines.join("\n"))
        .next("what may go is written as")
        .inventory("KEY: null")
}
