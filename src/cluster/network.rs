//! What of the pods' network k3s brings, and what waits for a plug-in of one's own.

use serde_json::{Map, Value};

use super::adopt::same_setting;
use super::force::{effective_config, told};
use super::{ClusterState, Network, Situation, Topology};

/// What the cluster's servers are told, or would be; it is equal on all of them.
pub(super) fn network(situation: &Situation<'_>, topology: &Topology) -> Network {
    let all: Vec<Map<String, Value>> = situation
        .servers()
        .filter_map(|(host, facts)| match topology.specs.get(&host.name) {
            Some(spec) => told(facts, &spec.config).ok(),
            None => effective_config(facts).ok(),
        })
        .collect();
    Network {
        flannel: !all.iter().any(|told| {
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
pub(super) fn note(situation: &Situation<'_>, topology: &Topology) -> Option<String> {
    let lack = match &topology.state {
        ClusterState::New { .. } => true,
        ClusterState::Running { via } => {
            let facts = situation.reach.get(via).and_then(|reach| reach.facts());
            facts.is_some_and(|facts| facts.node.nodes.iter().any(|node| node.lacks_network))
        }
        _ => false,
    };
    if topology.network.flannel || !lack {
        return None;
    }
    let mut note = "flannel-backend is none: nodes are not Ready until a network plug-in (CNI) is installed in the cluster, which towline does not wait for".to_owned();
    if topology.network.policies {
        note.push_str(". k3s's network policies wait for it: until then k3s-agent stays activating, and k3s restarts every 15 minutes on each node; with  disable-network-policy: true  it does not");
    }
    Some(note)
}
