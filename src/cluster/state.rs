//! Where a cluster stands: whether there is one, and through which server it answers.

use std::collections::BTreeMap;

use super::authority::authority;
use super::check::{missed_data, reset_line};
use super::rules::Addresses;
use super::{ClusterState, Situation};
use crate::inventory::Host;
use crate::problem::{Code, Problem, problem};

/// Where the cluster stands, and why it is unknown if it is.
pub(super) fn state(
    situation: &Situation<'_>,
    known: &BTreeMap<String, Addresses>,
) -> (ClusterState, String) {
    let servers: Vec<_> = situation.inventory.servers().collect();
    let with_data: Vec<_> = situation
        .servers()
        .filter(|(_, facts)| facts.node.datastore.is_some())
        .collect();
    let healthy: Vec<_> = with_data
        .iter()
        .filter(|(_, facts)| facts.serves())
        .collect();
    let usable = || {
        let usable = healthy.iter();
        usable.filter(|(host, _)| known.contains_key(&host.name))
    };
    // One whose etcd does not answer may have lost its membership.
    let told = usable().find(|(_, facts)| !facts.node.members.is_empty());
    if let Some(via) = told.or(usable().next()).map(|(host, _)| &host.name) {
        return (ClusterState::Running { via: via.clone() }, String::new());
    }
    if let Some((host, _)) = healthy.first() {
        let name = &host.name;
        return (
            ClusterState::Unknown,
            format!("{name}, the server that runs, cannot be used as it is"),
        );
    }
    if !with_data.is_empty() {
        return (ClusterState::Down, String::new());
    }
    if situation.inventory.cluster.server_url.is_some() {
        return (ClusterState::Elsewhere, String::new());
    }
    let missing = |host: &&&Host| !situation.facts.contains_key(&host.name);
    if let Some(missing) = servers.iter().find(missing) {
        // It may hold the data of a cluster that the others have lost.
        let reason = format!(
            "a cluster is only made when every server is reached, and {} was not",
            missing.name
        );
        return (ClusterState::Unknown, reason);
    }
    let missed = situation
        .servers()
        .find_map(|(host, facts)| Some((host, missed_data(situation, host, facts)?)));
    if let Some((host, folder)) = missed {
        let reason = format!(
            "a cluster is only made when no server misses its data, and {} has none in {folder}",
            host.name
        );
        return (ClusterState::Unknown, reason);
    }
    let Some(leader) = first(situation) else {
        return (ClusterState::Unknown, "the inventory has no server".into());
    };
    let name = leader.name.clone();
    if !known.contains_key(&name) {
        return (
            ClusterState::Unknown,
            format!("the first server, {name}, cannot be used as it is"),
        );
    }
    if !situation.selected.contains(&name) {
        return (
            ClusterState::Unknown,
            format!("the first server, {name}, is outside --limit"),
        );
    }
    (ClusterState::New { leader: name }, String::new())
}

/// The server that makes the cluster, or has made it.
pub(super) fn first<'a>(situation: &Situation<'a>) -> Option<&'a Host> {
    let began = |host: &&Host| {
        let facts = situation.facts.get(&host.name);
        let told = facts.map(|facts| situation.rules.told(facts));
        told.is_some_and(|told| told.token.is_some() && told.server.is_none())
    };
    let mut servers = situation.inventory.servers();
    let began = servers.find(began);
    began.or_else(|| situation.inventory.servers().next())
}

/// Servers and agents that have the CA of a cluster, when no server of the inventory has its data:
/// what is made now would be another one, and theirs would be in its way.
pub(super) fn leftovers(situation: &Situation<'_>, state: &ClusterState) -> Vec<Problem> {
    let ClusterState::New { leader } = state else {
        return Vec::new();
    };
    // What a snapshot brings back is the cluster that they are of.
    if situation.restores {
        return Vec::new();
    }
    // A CA of the user's own is on all of them.
    let own = situation.servers().find(|(host, _)| host.name == *leader);
    let own = own.and_then(|(_, facts)| facts.node.ca_hash.as_ref());
    let agents = situation.reached().filter(|(host, facts)| {
        let is_agent = !host.is_server() && facts.node.joined;
        let found = authority(situation, facts);
        let is_other = found.is_some() && found.as_ref() != own;
        is_agent && is_other && situation.selected.contains(&host.name)
    });
    let agents = agents.map(|(host, _)| {
        let name = &host.name;
        problem!(
            Code::OTHER_CLUSTER,
            host = name,
            "it is an agent of another cluster"
        )
        .because(format!(
            "{leader} is to make a new cluster, with a CA of its own"
        ))
        .next(format!(
            "if that cluster still runs: take {name} or {leader} out of this inventory"
        ))
        .next("if it is gone")
        .command(reset_line(situation, name))
    });
    let others = situation.servers().filter(|(_, facts)| {
        let found = facts.node.ca_hash.as_ref();
        found.is_some() && found != own
    });
    others
        .map(|(host, facts)| {
            let (name, folder) = (&host.name, &facts.node.data_dir);
            problem!(
                Code::CLUSTER_REMAINS,
                host = name,
                "there is a cluster's CA in {folder}, and nothing else of that cluster"
            )
            .because(format!(
                "{leader} is to make a new cluster, which {name} could not join"
            ))
            .command(reset_line(situation, name))
        })
        .chain(agents)
        .collect()
}
