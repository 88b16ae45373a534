//! What playbooks and templates may know of k0s on a host.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::config::{AGENT_PORT, API_PORT, FLAGS, JOIN_PORT, SPEC, TOKEN};
use super::keys::spec;
use super::told::file;
use super::{external, flags, registries};
use crate::cluster::{NodeRole, PEER_PORT, Situation, Topology, host_of};
use crate::digest::sha256;
use crate::distribution::{Settings, manifests};
use crate::facts::{Facts, Member};
use crate::inventory::Host;

/// What templates see under `k0s`.
#[derive(Serialize, JsonSchema)]
pub(super) struct K0sVariables<'a> {
    /// The systemd unit: `k0scontroller` or `k0sworker`
    unit: &'a str,
    /// The subcommand of k0s: `controller` or `worker`
    command: &'a str,
    /// The words of its command line, as a unit writes them
    arguments: Vec<String>,
    /// What k0s.yaml says under `spec`, with secrets; on controllers
    spec: Value,
    /// The version of k0s that is wanted; none for a binary of your own
    version: Option<&'a str>,
    /// Whether the host has a node: not a `controller` alone
    has_node: bool,
    /// The node's name
    node_name: &'a str,
    /// Whether k0s brings the pods' network
    network: bool,
    /// Whether no controller of the cluster runs or is started now
    no_server: bool,
    /// Whether it makes the cluster
    founds: bool,
    /// Whether it joins the cluster
    joins: bool,
    /// What it joins with; empty where it has joined
    token: &'a str,
    /// The address that a host joins at: of a controller, or of the balancer that `spec.api.externalAddress` names
    server: String,
    /// What a joining host has to reach, each with `address`, `ports`, what it is (`what`), and what to do
    /// where it does not answer (`next`)
    peers: Vec<Value>,
    /// Members of etcd whose machines were wiped, each with `id` and `address`; on the controller that answers
    forget: Vec<Value>,
    /// Tokens of this run, each with `role`, `hosts`, `id`, `secret` and `usages`; on the controller that answers
    tokens: Vec<Value>,
    /// Whether something other than towline has written the unit
    foreign: bool,
    /// Whether k0s already does what its new files say
    effective: bool,
    /// Whether the wanted version runs from another place than `/usr/local/bin/k0s`, where nothing is
    elsewhere: bool,
    /// Folder of k0s's data
    data_dir: &'a str,
    /// Whether the cluster's data is in a datastore outside it
    external: bool,
    /// Files for that datastore, each with `path` and `content`
    datastore_files: Vec<Value>,
    /// Whether containerd is told of registries
    registries: bool,
    /// What it is told, with secrets, each file with `path` and `content`
    registry_files: Vec<Value>,
    /// Whether it is containerd 1, as up to k0s 1.35
    containerd_1: bool,
    /// The manifests of a controller, each with `path` and `content`; a `/` of the path is a `-` in the file's name
    manifests: Vec<Value>,
    /// The SHA-256 of all of them
    manifests_sha256: String,
    /// Manifests on the controller that the inventory does not have any more, each with `path` and `name`
    left: Vec<Value>,
    /// Paths of manifests on the controller that have another place in the order now
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
    let setting = |key: &str| spec.and_then(|spec| spec.config.get(key));
    let flags: Settings = setting(FLAGS)
        .and_then(|flags| serde_json::from_value(flags.clone()).ok())
        .unwrap_or_default();
    let mut line = flags::command_line(&flags);
    let is_server = host.is_server();
    if is_server {
        line.insert(0, "--config=/etc/k0s/k0s.yaml".to_owned());
    }
    let (manifests, left, moved) = if is_server {
        // k0s reads files of this end alone.
        manifests::of_server(situation.inventory, facts, |name| {
            let ended = name.rsplit_once('.').map_or(name, |(name, _)| name);
            format!("{ended}.yaml")
        })
    } else {
        Default::default()
    };
    let has_node = spec.is_some_and(|spec| spec.has_node);
    let registries = host.registries.as_ref().filter(|_| has_node);
    let token = setting(TOKEN).and_then(Value::as_str);
    json!(K0sVariables {
        unit: if is_server {
            "k0scontroller"
        } else {
            "k0sworker"
        },
        command: if is_server { "controller" } else { "worker" },
        arguments: line.iter().map(|word| quoted(word)).collect(),
        spec: setting(SPEC).cloned().unwrap_or_default(),
        version,
        has_node,
        node_name: spec.map_or("", |spec| &spec.node_name),
        network: topology.network.itself,
        no_server: topology.no_server,
        founds: spec.is_some_and(|spec| spec.role == NodeRole::Leader),
        joins: token.is_some(),
        token: token.unwrap_or_default(),
        server: external_address(situation)
            .map(str::to_owned)
            .or_else(|| answering_address(situation, topology))
            .unwrap_or_default(),
        peers: peers(situation, topology, host),
        forget: forget(topology, facts),
        tokens: tokens(situation, topology),
        foreign: facts.node.foreign.is_some(),
        effective: spec.is_some_and(|spec| spec.effective),
        elsewhere: file(facts, "program").is_some()
            && version.is_some()
            && facts.node.version.as_deref() == version,
        data_dir: facts.node.data_dir.as_str(),
        external: situation.inventory.cluster.datastore_endpoint.is_some(),
        datastore_files: if is_server {
            external::brought(situation)
        } else {
            Vec::new()
        },
        registries: registries.is_some(),
        registry_files: registries
            .map(|registries| registries::files(&registries.value))
            .unwrap_or_default(),
        containerd_1: version
            .or(facts.node.version.as_deref())
            .is_some_and(registries::has_containerd_1),
        manifests_sha256: sha256(json!(manifests).to_string()),
        manifests,
        left,
        moved,
    })
}

/// A word as systemd reads it back in the command of a unit.
fn quoted(word: &str) -> String {
    let word = word
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('%', "%%")
        .replace('$', "$$");
    if word.contains([' ', '\t', '\'', ';', '"']) {
        format!("\"{word}\"")
    } else {
        word
    }
}

fn answering_address(situation: &Situation<'_>, topology: &Topology) -> Option<String> {
    let name = topology.answering_server()?;
    let spec = topology
        .specs
        .get(name)
        .map(|spec| spec.node_ip.to_string());
    spec.or_else(|| {
        let told = situation.rules.told(situation.facts.get(name)?);
        told.node_ip.map(|ip| ip.to_string())
    })
}

/// What a joining host has to reach: for a controller the members of etcd and the one that it joins at, for
/// all of them the balancer that stands before the controllers, where there is one.
fn peers(situation: &Situation<'_>, topology: &Topology, host: &Host) -> Vec<Value> {
    let via = answering_address(situation, topology);
    let balancer = external_address(situation);
    let firewalls =
        "look at the firewalls of the two and between them, then run the same command again";
    let mut peers = Vec::new();
    if host.is_server() {
        let facts = topology
            .answering_server()
            .and_then(|name| situation.facts.get(name));
        let members = facts.map_or(&[][..], |facts| &facts.node.members);
        let members = members.iter().filter(|member| !is_stale(topology, member));
        let members: Vec<_> = members.collect();
        let (needed, lets_in) = lets_in(situation, &members);
        let others = members.iter().filter_map(|member| {
            let address = member.address?.to_string();
            let is_via = Some(&address) == via.as_ref();
            (!is_via).then_some((*member, address))
        });
        peers.extend(others.filter_map(|(member, address)| {
            let name = &member.node;
            let (what, next) = if !is_down(situation, member) {
                (format!("{name}, a member of etcd"), firewalls.to_owned())
            } else if lets_in {
                return None;
            } else {
                (
                    format!("{name}, a member of etcd that is down"),
                    format!("etcd lets another member in only while {needed} of its {} members are up: start {name}; if its machine is gone for good, on a controller that runs:  k0s etcd leave --peer-address {address}", members.len()),
                )
            };
            Some(json!({"address": address, "ports": PEER_PORT.to_string(), "what": what, "next": next}))
        }));
        let join = balancer.is_none().then(|| format!("{JOIN_PORT} "));
        let is_external = situation.inventory.cluster.datastore_endpoint.is_some();
        let peer = if is_external {
            String::new()
        } else {
            PEER_PORT.to_string()
        };
        let via = via.filter(|_| join.is_some() || !is_external);
        peers.extend(via.map(|via| {
            let ports = format!("{}{peer}", join.unwrap_or_default());
            json!({"address": via, "ports": ports.trim_end(), "what": "the controller that it joins at", "next": firewalls})
        }));
    } else if balancer.is_none() {
        peers.extend(via.map(|via| {
            let ports = API_PORT.to_string();
            json!({"address": via, "ports": ports, "what": "the controller that it joins at", "next": firewalls})
        }));
    }
    peers.extend(balancer.map(|balancer| {
        let join = if host.is_server() { format!("{JOIN_PORT} ") } else { String::new() };
        let agents = spec(situation.inventory, "/konnectivity/agentPort").and_then(Value::as_u64);
        let agents = agents.unwrap_or(AGENT_PORT.into());
        json!({
            "address": balancer,
            "ports": format!("{API_PORT} {join}{agents}"),
            "what": "spec.api.externalAddress",
            "next": format!("let that balancer forward the ports {API_PORT}, {JOIN_PORT} and {agents} to the controllers, then run the same command again; a name or address for clients alone is written under  tls_sans:"),
        })
    }));
    peers
}

/// The balancer that stands before the controllers, as the inventory says it.
fn external_address<'a>(situation: &Situation<'a>) -> Option<&'a str> {
    spec(situation.inventory, "/api/externalAddress").and_then(Value::as_str)
}

/// How many of these members have to be up for etcd to let another one in, and whether they are. It counts
/// the new one as down (etcd 3.6, `mayAddMember`; older ones let nothing in while any is down, and say so).
fn lets_in(situation: &Situation<'_>, members: &[&Member]) -> (usize, bool) {
    let voters = || members.iter().filter(|member| !member.is_learner);
    let up = voters()
        .filter(|member| !is_down(situation, member))
        .count();
    let with_new = voters().count() + 1;
    let needed = with_new / 2 + 1;
    (needed, up >= needed)
}

/// Whether a member of etcd is a host of the inventory that was not reached, or does not run.
fn is_down(situation: &Situation<'_>, member: &Member) -> bool {
    host_of(situation, &member.node, member.address).is_some_and(|host| {
        let facts = situation.facts.get(&host.name);
        !facts.is_some_and(|facts| facts.node.server_unit.is_up())
    })
}

/// Whether a member of etcd is a host that joins anew.
fn is_stale(topology: &Topology, member: &Member) -> bool {
    topology.specs.values().any(|spec| {
        let is_it = spec.node_name == member.node || Some(spec.node_ip) == member.address;
        spec.role == NodeRole::Joining && is_it
    })
}

fn forget(topology: &Topology, facts: &Facts) -> Vec<Value> {
    let members = facts.node.members.iter();
    let stale = members.filter(|member| is_stale(topology, member));
    stale
        .map(|member| {
            let address = member.address.map(|address| address.to_string());
            json!({"id": member.id, "address": address.unwrap_or_default()})
        })
        .collect()
}

/// The tokens that the hosts of this run join with.
fn tokens(situation: &Situation<'_>, topology: &Topology) -> Vec<Value> {
    let kinds = [
        (
            "worker",
            NodeRole::Agent,
            &["usage-bootstrap-authentication"][..],
        ),
        (
            "controller",
            NodeRole::Joining,
            &["usage-bootstrap-controller-join", "usage-controller-join"],
        ),
    ];
    let kinds = kinds.iter().zip(situation.generated);
    kinds
        .filter_map(|((role, of, usages), token)| {
            let (id, secret) = token.expose().split_once('.')?;
            let specs = topology.specs.iter();
            let hosts: Vec<_> = specs
                .filter(|(_, spec)| spec.role == *of && spec.config.contains_key(TOKEN))
                .map(|(name, _)| name.as_str())
                .collect();
            let shown = match hosts.as_slice() {
                [] => return None,
                [_, _, _, _, ..] => format!("{} hosts", hosts.len()),
                few => few.join(", "),
            };
            Some(
                json!({"role": role, "hosts": shown, "id": id, "secret": secret, "usages": usages}),
            )
        })
        .collect()
}

/// The variables with their words, as a JSON schema.
#[cfg(test)]
pub fn variables_schema() -> Value {
    schemars::schema_for!(K0sVariables<'_>).to_value()
}
