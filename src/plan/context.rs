//! What templates and playbooks may know about a host.

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::cluster::{Folders, NodeRole, NodeSpec, Situation, Topology, kubelet};
use crate::distribution::Supply;
use crate::distribution::k3s::settings::{subcommand, unit};
use crate::facts::Facts;
use crate::inventory::Host;

/// The context of one host: `host`, `cluster`, `facts` and `k3s`.
///
/// Of what hosts answered, only parsed values get here: flags, addresses, checked names.
pub(super) fn context(
    situation: &Situation<'_>,
    topology: &Topology,
    host: &Host,
    facts: &Facts,
    binary: &Supply,
) -> Value {
    let cluster = &situation.inventory.cluster;
    let spec = topology.specs.get(&host.name);
    let (unit, command) = (unit(host.role.value), subcommand(host.role.value));
    let folders = Folders {
        data: facts.k3s.data_dir.clone(),
        kubelet: spec.and_then(|spec| kubelet(&spec.config)),
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
            "node_name": spec.map_or("", |spec| &spec.node_name),
            "voter": spec.is_some_and(|spec| spec.voter),
            "flannel": topology.network.flannel,
            "awaits_network": (!topology.network.flannel && topology.network.policies),
            "no_server": topology.no_server,
            "config": spec.map(|spec| json!(spec.config)).unwrap_or_default(),
            "sources": sources(situation, &topology.siblings),
            "forget": topology.forget.iter().map(|node| json!({"name": node.name, "uid": node.uid})).collect::<Vec<_>>(),
            "foreign": facts.k3s.foreign.is_some(),
            "effective": spec.is_some_and(|spec| spec.effective),
            "removed": is_removed(spec, facts),
            "data_dir": facts.k3s.data_dir.as_str(),
        },
        "folders": {"data": folders.data.as_str(), "kubelet": folders.kubelet()},
    })
}

/// Whether a server joins that has data of a membership which it lost.
fn is_removed(spec: Option<&NodeSpec>, facts: &Facts) -> bool {
    let joins = spec.is_some_and(|spec| spec.role == NodeRole::Joining);
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
