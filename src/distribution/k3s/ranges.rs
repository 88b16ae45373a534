//! The networks of pods and services against each other and against the hosts.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::effective::effective_config;
use super::network::{InvalidNetwork, KEYS, MANAGER, Networks};
use super::settings::words;
use crate::cluster::{Addresses, Situation};
use crate::inventory::{Inventory, Remark};
use crate::problem::{Code, Problem, problem};

/// What decides about the networks.
const READ: [&str; 4] = [KEYS[0], KEYS[1], KEYS[2], MANAGER];

/// What k3s is told of the networks: by a server that has data, which is what the cluster has, or
/// else by the inventory. `None` where no server is in the inventory.
fn told(situation: &Situation<'_>) -> Option<(BTreeMap<&'static str, Value>, bool)> {
    let has_data = situation
        .servers()
        .find(|(_, facts)| facts.node.datastore.is_some());
    if let Some((_, facts)) = has_data {
        let all = effective_config(facts).ok()?;
        let own = READ
            .iter()
            .filter_map(|key| Some((*key, all.get(*key)?.clone())));
        return Some((own.collect(), true));
    }
    let host = situation.inventory.servers().next()?;
    let named = READ.iter().filter_map(|key| {
        let value = situation.inventory.configured(host, key)?;
        Some((*key, value.clone()))
    });
    Some((named.collect(), false))
}

/// The networks of pods and services by what the inventory says of the cluster.
pub(super) fn of_inventory(inventory: &Inventory, ipv6: bool) -> Vec<String> {
    let said = |key: &str| inventory.cluster.config.get(key);
    // What is wrong with them is told elsewhere.
    let networks = Networks::read(said, ipv6).or_else(|_| Networks::read(|_| None, ipv6));
    let networks = networks.into_iter();
    let all = networks.flat_map(|networks| [networks.pods, networks.services].concat());
    all.map(|range| range.to_string()).collect()
}

/// What k3s does not start with, for an inventory of which no host was asked yet.
pub(super) fn remarks(inventory: &Inventory) -> Vec<Remark> {
    let Some(host) = inventory.servers().next() else {
        return Vec::new();
    };
    let read = Networks::read(|key| inventory.configured(host, key), false);
    let fault = read.err().filter(|fault| fault.is_fatal);
    let remark = |fault: InvalidNetwork| Remark {
        section: "config",
        key: fault.key.to_owned(),
        origin: host
            .config
            .get(fault.key)
            .map(|setting| setting.origin.clone()),
        message: format!("`{}`: {}", fault.key, fault.what),
        help: Some(fault.help),
    };
    fault.map(remark).into_iter().collect()
}

/// The families of the pods' network, whether each is IPv6, where they were said. Otherwise k3s takes
/// that of the node's address.
pub(super) fn families(situation: &Situation<'_>) -> Option<Vec<bool>> {
    let (told, _) = told(situation)?;
    let mut said = KEYS.iter().map(|key| words(told.get(key)));
    if said.all(|words| words.is_empty()) {
        return None;
    }
    let networks = Networks::read(|key| told.get(key), false).ok()?;
    let families = networks.pods.iter().map(|range| range.addr().is_ipv6());
    Some(families.collect())
}

/// What is wrong with the networks of a cluster that is made now, and hosts that cannot join because
/// their addresses are in them.
pub(super) fn faults(
    situation: &Situation<'_>,
    known: &BTreeMap<String, Addresses>,
) -> Vec<Problem> {
    let Some((told, runs)) = told(situation) else {
        return Vec::new();
    };
    let ipv6 = known
        .values()
        .next()
        .is_some_and(|own| own.node_ip.is_ipv6());
    let networks = match Networks::read(|key| told.get(key), ipv6) {
        Ok(networks) => networks,
        // What runs with it is not refused for it.
        Err(_) if runs => return Vec::new(),
        Err(fault) => return vec![of(&fault)],
    };
    let mut taken: BTreeMap<&str, (String, Vec<String>)> = BTreeMap::new();
    for (host, facts) in situation.reached() {
        let Some(own) = known.get(&host.name).filter(|_| !facts.node.joined) else {
            continue;
        };
        let public = host.address.parse::<IpAddr>().ok();
        let all = [Some(own.node_ip), own.second, own.external, public];
        let inside = all
            .into_iter()
            .flatten()
            .find_map(|address| Some((address, networks.taken(address)?)));
        if let Some((address, (key, range))) = inside {
            let entry = taken.entry(key).or_insert((range.to_string(), Vec::new()));
            entry.1.push(format!("{} has {address}", host.name));
        }
    }
    let problems = taken.into_iter().map(|(key, (range, hosts))| {
        let problem = problem!(Code::NETWORK_OVERLAP, "{key} is {range}, and hosts have addresses in it: {}",
            hosts.join(", "))
        .because("an address in it is looked for inside the cluster, and the host is not reached");
        if runs {
            problem.next("the cluster keeps its networks: give the host another address, as  private_address: …")
        } else {
            problem.next("choose a range that is free in your network, under `config` of `cluster`, for example").inventory(format!("{key}: {}", example(key, &networks)))
        }
    });
    problems.collect()
}

fn of(fault: &InvalidNetwork) -> Problem {
    problem!(Code::NETWORK_RANGE, "config.{}: {}", fault.key, fault.what).next(fault.help.clone())
}

/// Ranges that are not those that are taken.
fn example(key: &str, networks: &Networks) -> &'static str {
    let ipv6 = networks.pods.iter().all(|range| range.addr().is_ipv6());
    match (key, ipv6) {
        ("cluster-cidr", false) => "172.30.0.0/16",
        ("cluster-cidr", true) => "fd72:30::/56",
        (_, false) => "172.31.0.0/16",
        (_, true) => "fd72:31::/112",
    }
}
