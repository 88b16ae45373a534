//! The keys of `config:` against the flags that k3s has.

use std::collections::BTreeMap;

use serde_json::Value;

use super::effective::effective_config;
use super::flags::{are_right_for, flannel_backend, instead, is_known};
use super::settings::{shared_default, words};
use crate::cluster::Situation;
use crate::inventory::{Inventory, Remark, Role, VersionChoice};
use crate::problem::{Code, Problem, problem};
use crate::vars::Origin;

/// What no version of k3s takes that the tables are made for, where the inventory names the version.
pub(super) fn remarks(inventory: &Inventory) -> Vec<Remark> {
    match &inventory.cluster.version {
        VersionChoice::Exact(version) if are_right_for(version) => found(inventory)
            .into_iter()
            .map(|unknown| unknown.remark(version))
            .collect(),
        _ => Vec::new(),
    }
}

/// A key that is no flag of a role.
struct Unknown {
    key: String,
    role: Role,
    /// Where a group or host says it.
    origin: Option<Origin>,
}

impl Unknown {
    fn section(&self) -> &'static str {
        match self.role {
            Role::Server => "config",
            Role::Agent => "agent_config",
        }
    }

    /// Where it stands, for people.
    fn place(&self) -> String {
        let shared = || format!("cluster.{}.{}", self.section(), self.key);
        self.origin.as_ref().map_or_else(shared, Origin::to_string)
    }

    fn plain(&self) -> &str {
        self.key.trim_end_matches('+')
    }

    fn does(&self) -> &'static str {
        match self.role {
            Role::Server => "a server drops it, with one warning in its journal",
            Role::Agent => "an agent refuses to start with it",
        }
    }

    /// What to do about it.
    fn help(&self) -> String {
        let role = self.role;
        instead(self.plain(), role).unwrap_or_else(|| format!("k3s {role} --help  lists the flags"))
    }

    fn what(&self) -> String {
        format!("`{}` is no flag of k3s {}", self.plain(), self.role)
    }

    fn why(&self, version: &str) -> String {
        format!("k3s {version} does not know it: {}", self.does())
    }

    fn remark(self, version: &str) -> Remark {
        Remark {
            section: self.section(),
            message: format!("{}; {}", self.what(), self.why(version)),
            help: Some(self.help()),
            origin: self.origin,
            key: self.key,
        }
    }
}

/// The keys of an inventory that are no flags of the role that they are for.
fn found(inventory: &Inventory) -> Vec<Unknown> {
    let cluster = &inventory.cluster;
    let mut all: BTreeMap<(String, Role), Option<Origin>> = BTreeMap::new();
    let has = |role: Role| inventory.hosts.iter().any(|host| host.role.value == role);
    for (config, role) in [
        (&cluster.config, Role::Server),
        (&cluster.agent_config, Role::Agent),
    ] {
        for key in config.keys().filter(|_| has(role)) {
            all.insert((key.clone(), role), None);
        }
    }
    for host in &inventory.hosts {
        for (key, setting) in &host.config {
            all.entry((key.clone(), host.role.value))
                .or_insert_with(|| Some(setting.origin.clone()));
        }
    }
    let all = all.into_iter();
    all.map(|((key, role), origin)| Unknown { key, role, origin })
        .filter(|unknown| !is_known(unknown.plain(), unknown.role))
        .collect()
}

/// What the inventory says that k3s would not take: mistakes, and for a version that the tables are
/// not made for, notes.
pub(super) fn unknown(situation: &Situation<'_>, version: &str) -> (Vec<Problem>, Vec<String>) {
    let (mut problems, mut notes) = (Vec::new(), Vec::new());
    for unknown in found(situation.inventory) {
        let place = unknown.place();
        if are_right_for(version) {
            let problem = problem!(Code::SETTING_INVALID, "{place}: {}", unknown.what());
            problems.push(problem.because(unknown.why(version)).next(unknown.help()));
        } else {
            let meant = instead(unknown.plain(), unknown.role);
            let meant = meant.map(|meant| format!("; {meant}")).unwrap_or_default();
            notes.push(format!(
                "{place}: {} that towline knows, and if k3s {version} does not know it, {}{meant}",
                unknown.what(),
                unknown.does()
            ));
        }
    }
    problems.extend(backend(situation));
    problems.extend(ranges(situation));
    (problems, notes)
}

/// The networks' ranges as arguments of a part of k3s, which it gets from k3s itself, and the key that
/// says them to all parts.
const RANGES: [(&str, &str, &str); 4] = [
    (
        "kube-apiserver-arg",
        "service-cluster-ip-range",
        "service-cidr",
    ),
    (
        "kube-controller-manager-arg",
        "cluster-cidr",
        "cluster-cidr",
    ),
    (
        "kube-controller-manager-arg",
        "service-cluster-ip-range",
        "service-cidr",
    ),
    ("kube-proxy-arg", "cluster-cidr", "cluster-cidr"),
];

/// Ranges that one part of k3s would have and the others not: k3s ends when that part meets them.
fn ranges(situation: &Situation<'_>) -> Vec<Problem> {
    let inventory = situation.inventory;
    let said = |key: &str, argument: &str, own: &str| {
        let mut hosts = inventory.hosts.iter();
        hosts.find_map(|host| {
            let told = words(inventory.configured(host, key));
            let mut told = told.iter().map(|word| word.trim_start_matches('-'));
            let value = told.find_map(|word| word.strip_prefix(argument)?.strip_prefix('='))?;
            let mut ranges = words(inventory.configured(host, own));
            if ranges.is_empty() {
                ranges.extend(shared_default(own).map(str::to_owned));
            }
            (!ranges.iter().any(|range| range == value)).then(|| value.to_owned())
        })
    };
    let problem = |(key, argument, own): (&str, &str, &str)| {
        let value = said(key, argument, own)?;
        Some(
            problem!(Code::SETTING_INVALID, "config.{key}: {argument} is given to it by k3s")
                .because("with another range than the rest of k3s has, k3s ends when this part of it begins to work")
                .next("for a new cluster (a running one keeps its ranges)").inventory(format!("{own}: {value}")),
        )
    };
    RANGES.into_iter().filter_map(problem).collect()
}

/// A backend that k3s does not have. A cluster that runs with it is told so when it is upgraded.
fn backend(situation: &Situation<'_>) -> Option<Problem> {
    let key = "flannel-backend";
    let inventory = situation.inventory;
    let mut servers = inventory.servers();
    let value = servers.find_map(|host| inventory.configured(host, key))?;
    let value = words(Some(value)).join(",");
    let instead = flannel_backend(&value)?;
    let has = situation
        .servers()
        .filter(|(_, facts)| facts.node.datastore.is_some())
        .find_map(|(_, facts)| effective_config(facts).ok()?.get(key).cloned());
    if has.as_ref().and_then(Value::as_str) == Some(&value) {
        return None;
    }
    Some(
        problem!(
            Code::SETTING_INVALID,
            "config.{key}: k3s has no backend `{value}`"
        )
        .next(instead),
    )
}
