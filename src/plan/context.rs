//! What templates and playbooks may know about a host.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::artifacts::BinaryArtifact;
use crate::cluster::{Folders, NodeRole, NodeSpec, Situation, Topology};
use crate::distribution::k3s::settings::{subcommand, unit};
use crate::facts::Facts;
use crate::inventory::Host;

/// What a template knows of a host, its cluster and its k3s.
///
/// Of what hosts answered, only parsed values get here: flags, addresses, checked names.
#[derive(Serialize, JsonSchema)]
struct Context<'a> {
    host: HostContext<'a>,
    cluster: ClusterContext<'a>,
    facts: FactsContext<'a>,
    k3s: K3sContext<'a>,
    folders: FoldersContext<'a>,
}

#[derive(Serialize, JsonSchema)]
struct HostContext<'a> {
    /// The host's name in the inventory
    name: &'a str,
    /// Its address
    address: &'a str,
    /// `server` or `agent`
    role: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ClusterContext<'a> {
    /// The cluster's name
    pub name: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct FactsContext<'a> {
    /// As `uname -m` says it: `x86_64`, `aarch64`
    architecture: &'a str,
    /// Whether the kernel speaks IPv6
    ipv6: bool,
    /// Whether the firewall `ufw` is active
    ufw: bool,
    /// Version of the cgroup hierarchy, 1 or 2
    cgroup: u8,
    /// Whether the system is of the Debian family
    debian: bool,
}

#[derive(Serialize, JsonSchema)]
struct K3sContext<'a> {
    /// The systemd unit: `k3s` or `k3s-agent`
    unit: &'a str,
    /// The subcommand of k3s: `server` or `agent`
    command: &'a str,
    /// The version of k3s that is wanted; none for a binary of your own
    version: Option<&'a str>,
    /// The node's name
    node_name: &'a str,
    /// Whether the node has to be a voting member of etcd
    voter: bool,
    /// Whether k3s brings the pods' network
    flannel: bool,
    /// Whether the unit becomes READY only with a network plug-in that k3s does not bring
    awaits_network: bool,
    /// Whether no server of the cluster runs or is started now
    no_server: bool,
    /// The content of k3s's config.yaml, with secrets
    config: Value,
    /// Addresses and networks that a firewall has to let in: nodes, pods, services
    sources: Vec<String>,
    /// Nodes of wiped machines, each with `name` and `uid`
    forget: Vec<Value>,
    /// Whether something other than towline has written the unit
    foreign: bool,
    /// Whether k3s already does what its new files say
    effective: bool,
    /// Whether a server joins that has data of a membership which it lost
    removed: bool,
    /// Folder of k3s's data
    data_dir: &'a str,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct FoldersContext<'a> {
    /// Folder of k3s's data
    pub data: &'a str,
    /// The kubelet's folder
    pub kubelet: &'a str,
}

/// The context of one host.
pub(super) fn context(
    situation: &Situation<'_>,
    topology: &Topology,
    host: &Host,
    facts: &Facts,
    binary: &BinaryArtifact,
) -> Value {
    let spec = topology.specs.get(&host.name);
    let network = &topology.network;
    let folders = spec.map_or_else(
        || Folders {
            data: facts.node.data_dir.clone(),
            kubelet: None,
        },
        |spec| spec.folders.clone(),
    );
    let forget = topology.forget.iter();
    json!(Context {
        host: HostContext {
            name: &host.name,
            address: &host.address,
            role: host.role.value.to_string(),
        },
        cluster: ClusterContext {
            name: &situation.inventory.cluster.name,
        },
        facts: FactsContext {
            architecture: &facts.architecture,
            ipv6: facts.ipv6,
            ufw: facts.ufw,
            cgroup: facts.cgroup,
            debian: facts.os.is_debian_family(),
        },
        k3s: K3sContext {
            unit: unit(host.role.value),
            command: subcommand(host.role.value),
            version: binary.version.as_deref(),
            node_name: spec.map_or("", |spec| &spec.node_name),
            voter: spec.is_some_and(|spec| spec.voter),
            flannel: network.itself,
            awaits_network: !network.itself && network.policies,
            no_server: topology.no_server,
            config: spec.map(|spec| json!(spec.config)).unwrap_or_default(),
            sources: sources(situation, &topology.siblings),
            forget: forget
                .map(|node| json!({"name": node.name, "uid": node.uid}))
                .collect(),
            foreign: facts.node.foreign.is_some(),
            effective: spec.is_some_and(|spec| spec.effective),
            removed: is_removed(spec, facts),
            data_dir: facts.node.data_dir.as_str(),
        },
        folders: FoldersContext {
            data: folders.data.as_str(),
            kubelet: folders.kubelet(),
        },
    })
}

/// Whether a server joins that has data of a membership which it lost.
fn is_removed(spec: Option<&NodeSpec>, facts: &Facts) -> bool {
    let joins = spec.is_some_and(|spec| spec.role == NodeRole::Joining);
    joins && facts.node.datastore.is_some()
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

#[cfg(test)]
mod tests {
    use super::super::reset::{LeavingContext, StayingContext};
    use super::*;

    /// A table of the page: every variable with its words.
    fn table(schema: &Value) -> String {
        let mut table = String::from("\n| variable | |\n|---|---|\n");
        for (room, held) in schema["properties"].as_object().expect("rooms") {
            let name = held["$ref"]
                .as_str()
                .and_then(|name| name.rsplit('/').next());
            let held = &schema["$defs"][name.expect("a struct")]["properties"];
            for (key, value) in held.as_object().expect("variables") {
                let words = value["description"]
                    .as_str()
                    .expect("words")
                    .replace('\n', " ");
                table.push_str(&format!("| `{room}.{key}` | {words} |\n"));
            }
        }
        table
    }

    #[test]
    fn the_page_about_playbooks_lists_every_variable() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/playbooks.md");
        let page = std::fs::read_to_string(file).expect("the page");
        let (mark, end) = ("<!-- variables: made of src/plan -->\n", "<!-- end -->\n");
        let (head, rest) = page.split_once(mark).expect("the beginning of the tables");
        let (found, tail) = rest.split_once(end).expect("their end");
        let deploy = table(&schemars::schema_for!(Context<'_>).to_value());
        let leaving = table(&schemars::schema_for!(LeavingContext<'_>).to_value());
        let staying = table(&schemars::schema_for!(StayingContext).to_value());
        let tables = format!(
            "{deploy}\nIn the playbooks of a reset:\n{leaving}\nIn `reset-stay`:\n{staying}\n"
        );
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(file, format!("{head}{mark}{tables}{end}{tail}")).expect("written");
        } else {
            let renew = "renew it with: UPDATE_DOCS=1 cargo test --lib plan::context";
            assert_eq!(found, tables, "{renew}");
        }
    }
}
