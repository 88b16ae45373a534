//! What templates and playbooks may know about a host.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::cluster::{Folders, Part, Place, Shape, Situation, kubelet};
use crate::distribution::Supply;
use crate::distribution::k3s::settings::{subcommand, unit};
use crate::facts::Facts;
use crate::inventory::Host;

/// The context of one host: `host`, `cluster`, `facts` and `k3s`.
///
/// Of what hosts answered, only parsed values get here: flags, addresses, checked names.
pub(super) fn context(
    situation: &Situation<'_>,
    shape: &Shape,
    host: &Host,
    facts: &Facts,
    binary: &Supply,
) -> Value {
    let cluster = &situation.inventory.cluster;
    let place = shape.places.get(&host.name);
    let (unit, command) = (unit(host.role.value), subcommand(host.role.value));
    let folders = Folders {
        data: facts.k3s.data_dir.clone(),
        kubelet: place.and_then(|place| kubelet(&place.config)),
    };
    json!({
        "host": {"name": host.name, "address": host.address, "role": host.role.value.to_string()},
        "cluster": {"name": cluster.name},
        "facts": {
            "architecture": facts.architecture,
            "ipv6": facts.ipv6,
            "ufw": facts.ufw,
            "cgroup": facts.cgroup,
            "debian": facts.os.is_debian_family(),
        },
        "k3s": {
            "unit": unit,
            "command": command,
            "version": binary.version,
            "node_name": place.map_or("", |place| &place.node_name),
            "voter": place.is_some_and(|place| place.voter).to_string(),
            "flannel": shape.network.flannel.to_string(),
            "awaits_network": (!shape.network.flannel && shape.network.policies).to_string(),
            "unserved": shape.unserved.to_string(),
            "config": place.map(|place| json!(place.config)).unwrap_or_default(),
            "sources": sources(situation, &shape.siblings),
            "forget": shape.forget.iter().map(|node| json!({"name": node.name, "uid": node.uid})).collect::<Vec<_>>(),
            "foreign": facts.k3s.foreign.is_some(),
            "effective": place.is_some_and(|place| place.effective).to_string(),
            "removed": is_removed(place, facts),
            "data_dir": facts.k3s.data_dir.as_str(),
        },
        "folders": {"data": folders.data.as_str(), "kubelet": folders.kubelet()},
    })
}

/// Whether a server joins that has data of a membership which it lost.
fn is_removed(place: Option<&Place>, facts: &Facts) -> bool {
    let joins = place.is_some_and(|place| place.part == Part::Joining);
    joins && facts.k3s.datastore.is_some()
}

/// What a firewall has to let in: nodes, pods and services.
pub(super) fn sources(situation: &Situation<'_>, siblings: &[IpAddr]) -> Vec<String> {
    let config = &situation.inventory.cluster.config;
    let network = |key: &str, default: &str| {
        let configured = match config.get(key) {
            Some(Value::String(nets)) => vec![nets.as_str()],
            Some(Value::Array(nets)) => nets.iter().filter_map(Value::as_str).collect(),
            _ => vec![default],
        };
        configured
            .into_iter()
            .flat_map(|nets| nets.split(','))
            .map(|net| net.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let mut sources: Vec<_> = siblings.iter().map(ToString::to_string).collect();
    sources.extend(network("cluster-cidr", "10.42.0.0/16"));
    sources.extend(network("service-cidr", "10.43.0.0/16"));
    sources
}
