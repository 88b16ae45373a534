//! flannel, the pods' network: what it has to be told of the hosts' network, and what waits for a plug-in of
//! one's own instead.

use std::net::IpAddr;

use serde_json::Value;

use super::effective::{effective_config, observed, told};
use super::settings::same_setting;
use crate::cluster::{
    Choice, ClusterState, Network, Situation, Topology, is_inside, is_same_everywhere,
};
use crate::distribution::Settings;
use crate::facts::Facts;
use crate::inventory::Host;

/// What is said of a node that runs, and gets the interface since pods do not reach it or from it.
pub(super) fn mended(
    choice: &Choice,
    host: &Host,
    facts: &Facts,
    config: &Settings,
) -> Option<String> {
    let usual = facts
        .default_address()
        .filter(|usual| choice.is_shared(*usual))?;
    let is_new =
        config.contains_key("flannel-iface") && !observed(facts).contains_key("flannel-iface");
    (facts.node.joined && host.interface.is_none() && is_new).then(|| {
        format!(
            "{}: flannel has {usual}, as other hosts have, so pods here and on other nodes do not reach each other: it gets flannel-iface, and k3s is restarted",
            host.name
        )
    })
}

/// The interface that flannel has to be told: it takes that of the default route by itself,
/// whatever the node's address is. A node that runs is not restarted for it, unless what it has
/// there leads nowhere.
pub(super) fn interface(
    (situation, choice): (&Situation<'_>, &Choice),
    host: &Host,
    facts: &Facts,
    node_ip: IpAddr,
) -> Option<String> {
    let own = observed(facts);
    let interface = facts.off_the_default_route(node_ip);
    let interface = interface.filter(|name| !is_inside(name))?;
    if has_way(situation, host, facts) || !has_flannel(situation) {
        return None;
    }
    let usual = facts.default_address();
    let is_needed = usual.is_some_and(|usual| {
        let (known, seen) = (is_same_everywhere(usual), choice.is_shared(usual));
        // What runs is changed only where it cannot work.
        if facts.node.joined {
            known && seen
        } else {
            known || seen
        }
    });
    let may_begin = !facts.node.joined && !is_elsewhere(situation, choice);
    let stands = own.contains_key("flannel-iface");
    let is_named = host.interface.is_some();
    // Which route is taken for IPv6 is not known.
    let is_known = node_ip.is_ipv4() || is_named;
    (is_known && (is_named || is_needed || may_begin || stands)).then(|| interface.to_owned())
}

/// Whether nodes that are there have flannel on another interface than their addresses, so that others
/// would not reach them by it on theirs.
fn is_elsewhere(situation: &Situation<'_>, choice: &Choice) -> bool {
    situation.reached().any(|(host, facts)| {
        let own = choice.known(&host.name);
        let is_off = own.is_some_and(|own| facts.off_the_default_route(own).is_some());
        facts.node.joined && is_off && !observed(facts).contains_key("flannel-iface")
    })
}

/// Whether nodes reach each other in a way of their own, whatever their addresses are.
pub(super) fn has_way(situation: &Situation<'_>, host: &Host, facts: &Facts) -> bool {
    let own = observed(facts);
    let says = |key: &&str| {
        let told = situation.inventory.configured(host, key).or(own.get(*key));
        !same_setting(key, told, None)
    };
    ["flannel-external-ip", "vpn-auth", "vpn-auth-file"]
        .iter()
        .any(says)
}

/// Whether the pods' network is flannel's.
fn has_flannel(situation: &Situation<'_>) -> bool {
    let inventory = situation.inventory;
    !inventory.servers().any(|host| {
        let told = inventory.configured(host, "flannel-backend").cloned();
        let told = told.or_else(|| {
            let facts = situation.facts.get(&host.name)?;
            observed(facts).get("flannel-backend").cloned()
        });
        told.as_ref().and_then(Value::as_str) == Some("none")
    })
}

/// What the cluster's servers are told, or would be; it is equal on all of them.
pub(super) fn network(situation: &Situation<'_>, topology: &Topology) -> Network {
    let all: Vec<Settings> = situation
        .servers()
        .filter_map(|(host, facts)| match topology.specs.get(&host.name) {
            Some(spec) => told(facts, &spec.config).ok(),
            None => effective_config(facts).ok(),
        })
        .collect();
    Network {
        itself: !all.iter().any(|told| {
            let backend = told.get("flannel-backend");
            backend.and_then(Value::as_str) == Some("none")
        }),
        policies: !all.iter().any(|told| {
            let key = "disable-network-policy";
            !same_setting(key, told.get(key), None)
        }),
    }
}

/// What the user should know of a cluster whose network is not there yet.
pub(super) fn note(
    situation: &Situation<'_>,
    topology: &Topology,
    network: Network,
) -> Option<String> {
    let lack = match &topology.state {
        ClusterState::New { .. } => true,
        ClusterState::Running { via } => {
            let facts = situation.facts.get(via);
            facts.is_some_and(|facts| facts.node.nodes.iter().any(|node| node.lacks_network))
        }
        _ => false,
    };
    let comes = !situation.inventory.cluster.manifests.is_empty();
    if network.itself || comes || !lack {
        return None;
    }
    let mut note = "flannel-backend is none: nodes are not Ready until a network plug-in (CNI) is installed in the cluster; towline does not wait for it".to_owned();
    if network.policies {
        note.push_str(". k3s's network policies wait for it: until then k3s-agent stays activating, and k3s restarts every 15 minutes on each node; with  disable-network-policy: true  it does not");
    }
    Some(note)
}
