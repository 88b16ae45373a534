//! What playbooks and templates may know of k3s on a host.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::settings::{subcommand, unit, words};
use super::{documents, environment, external};
use crate::cluster::{NodeRole, NodeSpec, Situation, Topology};
use crate::distribution::manifests;
use crate::facts::{Datastore, Facts};
use crate::inventory::Host;

/// What templates see under `k3s`.
#[derive(Serialize, JsonSchema)]
pub(super) struct Variables<'a> {
    /// The systemd unit: `k3s` or `k3s-agent`
    unit: &'a str,
    /// The subcommand of k3s: `server` or `agent`
    command: &'a str,
    /// The version of k3s that is wanted; none for a binary of your own
    version: Option<&'a str>,
    /// Whether the host has a node: not with `disable-agent`
    has_node: bool,
    /// The node's name
    node_name: &'a str,
    /// Whether the node has to be a voting member of etcd
    voter: bool,
    /// Whether k3s brings the pods' network
    flannel: bool,
    /// Whether a network plug-in comes by the inventory's manifests, so that it is waited for
    plug_in: bool,
    /// Whether the unit becomes READY only with a network plug-in that neither k3s nor the inventory brings
    awaits_network: bool,
    /// Whether no server of the cluster runs or is started now
    no_server: bool,
    /// The content of k3s's config.yaml, with secrets
    config: Value,
    /// Nodes of wiped machines, each with `name` and `uid`
    forget: Vec<Value>,
    /// Whether something other than towline has written the unit
    foreign: bool,
    /// Whether k3s already does what its new files say
    effective: bool,
    /// Whether a server joins that has data of a membership which it lost
    removed: bool,
    /// The folder, beside the data in sqlite, that it is copied to before it moves to etcd or k3s is upgraded
    copy: Option<&'a str>,
    /// Files for the datastore outside the cluster, each with `path` and `content`
    datastore_files: Vec<Value>,
    /// Folder of k3s's data
    data_dir: &'a str,
    /// Variables of k3s's process, each with `name` and `value`
    environment: Vec<Value>,
    /// The content of k3s's registries.yaml, with secrets; none where it says nothing
    registries: Option<Value>,
    /// Files that k3s is told of, each with `path` and `text`; the text is empty where it says nothing
    documents: Vec<Value>,
    /// Certificates and keys that belong to it, each with `path` and `content`
    registry_files: Vec<Value>,
    /// The manifests of a server, each with `path`, below towline's folder, and `content`
    manifests: Vec<Value>,
    /// Manifests on the server that the inventory does not have any more, each with `path`, and `name`, which the
    /// cluster knows it by
    left: Vec<Value>,
    /// Paths of manifests on the server that have another place in the order now
    moved: Vec<&'a str>,
}

/// The variables of one host.
pub(super) fn variables(
    situation: &Situation<'_>,
    topology: &Topology,
    host: &Host,
    facts: &Facts,
    version: Option<&str>,
) -> Value {
    let spec = topology.specs.get(&host.name);
    let network = &topology.network;
    let forget = topology.forget.iter();
    let registries = host.registries.as_ref().map(|setting| &setting.value);
    let shared = || {
        let is_shared = situation.inventory.cluster.embedded_registry;
        is_shared.then(|| json!({"mirrors": {"*": {}}}))
    };
    let files = registries.map(|registries| &registries.files);
    let (manifests, left, moved) = if host.is_server() {
        // k3s goes by the whole path, and knows it by its name alone.
        manifests::of_server(situation.inventory, facts, str::to_owned)
    } else {
        Default::default()
    };
    let has_manifests = !situation.inventory.cluster.manifests.is_empty();
    let joins = spec.is_some_and(|spec| spec.role == NodeRole::Joining);
    let node_ips = spec.map(|spec| words(spec.config.get("node-ip")));
    let node_ips = node_ips.into_iter().flatten();
    let node_ips: Vec<IpAddr> = node_ips.filter_map(|ip| ip.parse().ok()).collect();
    json!(Variables {
        unit: unit(host.role.value),
        command: subcommand(host.role.value),
        version,
        has_node: spec.is_some_and(|spec| spec.has_node),
        node_name: spec.map_or("", |spec| &spec.node_name),
        voter: spec.is_some_and(|spec| spec.voter),
        flannel: network.itself,
        plug_in: !network.itself && has_manifests,
        awaits_network: !network.itself && !has_manifests && network.policies,
        no_server: topology.no_server,
        config: spec.map(|spec| json!(spec.config)).unwrap_or_default(),
        forget: forget
            .map(|node| json!({"name": node.name, "uid": node.uid}))
            .collect(),
        foreign: facts.node.foreign.is_some(),
        effective: spec.is_some_and(|spec| spec.effective),
        removed: joins && facts.node.datastore == Some(Datastore::Etcd),
        copy: copy(topology, spec, host, facts),
        datastore_files: if host.is_server() {
            external::brought(situation)
        } else {
            Vec::new()
        },
        data_dir: facts.node.data_dir.as_str(),
        environment: environment::variables(situation, host, facts, &node_ips),
        documents: documents::files(&situation.inventory.cluster, host),
        registries: registries
            .map(|registries| json!(registries.content))
            .or_else(shared),
        registry_files: files
            .into_iter()
            .flatten()
            .map(|(path, content)| json!({"path": path, "content": content}))
            .collect(),
        manifests,
        left,
        moved,
    })
}

fn copy(
    topology: &Topology,
    spec: Option<&NodeSpec>,
    host: &Host,
    facts: &Facts,
) -> Option<&'static str> {
    if facts.node.datastore != Some(Datastore::Sqlite) {
        return None;
    }
    if spec.is_some_and(|spec| spec.config.contains_key("cluster-init")) {
        return Some("before-etcd");
    }
    let upgrade = topology.upgrade.as_ref()?;
    let is_upgraded = upgrade.copy && upgrade.hosts.contains_key(&host.name);
    is_upgraded.then_some("before-upgrade")
}

/// The variables with their words, as a JSON schema.
#[cfg(test)]
pub fn variables_schema() -> Value {
    schemars::schema_for!(Variables<'_>).to_value()
}
