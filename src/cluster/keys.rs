//! The keys of `config:` against the flags that k3s has.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Situation;
use super::force::in_force;
use crate::distribution::k3s::flags::{are_right_for, flannel_backend, instead, is_known};
use crate::distribution::k3s::network::words;
use crate::error::Problem;
use crate::inventory::Role;

/// What the inventory says that k3s would not take: mistakes, and for a version that the tables are
/// not made for, notes.
pub(super) fn unknown(situation: &Situation<'_>, version: &str) -> (Vec<Problem>, Vec<String>) {
    let inventory = situation.inventory;
    let cluster = &inventory.cluster;
    let mut all: BTreeMap<(String, Role), String> = BTreeMap::new();
    let has = |role: Role| inventory.hosts.iter().any(|host| host.role.value == role);
    for (config, role, place) in [
        (&cluster.config, Role::Server, "cluster.config"),
        (&cluster.agent_config, Role::Agent, "cluster.agent_config"),
    ] {
        for key in config.keys().filter(|_| has(role)) {
            all.insert((key.clone(), role), format!("{place}.{key}"));
        }
    }
    for host in &inventory.hosts {
        for (key, setting) in &host.config {
            all.entry((key.clone(), host.role.value))
                .or_insert_with(|| setting.origin.to_string());
        }
    }
    let (mut problems, mut notes) = (Vec::new(), Vec::new());
    for ((key, role), place) in all {
        let plain = key.trim_end_matches('+');
        if is_known(plain, role) {
            continue;
        }
        let does = match role {
            Role::Server => "a server drops it, with one warning in its journal",
            Role::Agent => "an agent refuses to start with it",
        };
        let meant = instead(plain, role);
        if are_right_for(version) {
            let problem = Problem::new(format!("{place}: `{plain}` is no flag of k3s {role}"))
                .because(format!("k3s {version} does not know it: {does}"));
            problems.push(match meant {
                Some(meant) => problem.next(meant),
                None => problem.next(format!("k3s {role} --help  lists the flags")),
            });
        } else {
            let meant = meant.map(|meant| format!("; {meant}")).unwrap_or_default();
            notes.push(format!(
                "{place}: `{plain}` is no flag of k3s {role} that towline knows, and if k3s {version} does not know it, {does}{meant}"
            ));
        }
    }
    problems.extend(backend(situation));
    (problems, notes)
}

/// A backend that k3s does not have. A cluster that runs with it is told so when it is upgraded.
fn backend(situation: &Situation<'_>) -> Option<Problem> {
    let key = "flannel-backend";
    let inventory = situation.inventory;
    let mut servers = inventory.hosts.iter();
    let value = servers
        .by_ref()
        .filter(|host| host.role.value == Role::Server)
        .find_map(|host| inventory.configured(host, key))?;
    let value = words(Some(value)).join(",");
    let instead = flannel_backend(&value)?;
    let has = situation
        .servers()
        .filter(|(_, facts)| facts.k3s.datastore.is_some())
        .find_map(|(_, facts)| in_force(facts).ok()?.get(key).cloned());
    if has.as_ref().and_then(Value::as_str) == Some(&value) {
        return None;
    }
    Some(Problem::new(format!("config.{key}: k3s has no backend `{value}`")).next(instead))
}
