//! k0s's answers to what the rules of a cluster must know.

use std::cmp::Ordering;

use serde_json::Value;

use super::adopt::{adoption, left_alone};
use super::config::{API_PORT, HostOfK0s, JOIN_PORT, SPEC, balances};
use super::dialect::DIALECT;
use super::keys::spec;
use super::told::{kubelet_argument, own_flags, own_yaml, running, server};
use super::{external, fixed, flags, registries, variables};
use crate::cluster::rules::{
    Assignment, Basis, Belongings, HostConfig, Product, Token, Told, WantedAddresses,
};
use crate::cluster::{
    Claims, Folders, Network, NodeRole, Registration, Rules, Setting, Situation, Topology,
    agents_elsewhere, differing, to_move,
};
use crate::distribution::version::Version;
use crate::distribution::{Settings, external as outside, manifests, servers};
use crate::facts::Facts;
use crate::inventory::{DataDir, Host, Inventory, external_datastore};
use crate::problem::{Code, Problem, problem};
use crate::vars::{Secret, secrets_among};

/// k0s.
#[derive(Debug)]
pub struct K0s;

const PRODUCT: Product = Product {
    name: DIALECT.name,
    api_port: API_PORT,
    join_port: JOIN_PORT,
    server_unit: "k0scontroller",
    agent_unit: "k0sworker",
    joins_at_an_address: false,
    leaves_etcd: true,
    // A proxy to nowhere, which answers every request with a refusal.
    listen: Some(
        "/usr/local/bin/k0s kubectl --kubeconfig=/dev/null --server=https://127.0.0.1:1 proxy \
         --address=\"$address\" --port=\"$port\" --reject-paths=.",
    ),
    // The parts that its binary carries: 200 MiB for k0s 1.36.
    unpacked_mib: 250,
    server_mib: 300,
    agent_mib: 50,
};

/// Flags that all controllers have to share: k0s does not compare them, and the leader's hold.
pub(super) const SHARED: [&str; 4] = [
    "disable-components",
    "enable-dynamic-config",
    "feature-gates",
    "kube-controller-manager-extra-args",
];

const DUAL_STACK: &str = "/network/dualStack/enabled";

impl Rules for K0s {
    fn product(&self) -> &'static Product {
        &PRODUCT
    }

    fn told(&self, facts: &Facts) -> Told {
        let flags = own_flags(facts);
        let yaml = own_yaml(facts);
        let words = |key| flags.get(key).map(flags::words).unwrap_or_default();
        let text = |path: &str| {
            let told = yaml.as_ref().ok().and_then(|yaml| yaml.pointer(path));
            told.and_then(Value::as_str).map(str::to_owned)
        };
        // Of a controller, the address that the other members of etcd know.
        let running = running(facts);
        let peer = running.as_ref().and_then(|spec| {
            let peer = spec.pointer("/storage/etcd/peerAddress");
            peer.or_else(|| spec.pointer("/api/address"))
        });
        let peer = peer.and_then(Value::as_str).map(str::to_owned);
        let node_ip = peer
            .or_else(|| text("/spec/storage/etcd/peerAddress"))
            .or_else(|| text("/spec/api/address"))
            .or_else(|| kubelet_argument(&flags, "node-ip"));
        Told {
            unreadable: yaml
                .as_ref()
                .err()
                .map(|why| format!("/etc/k0s/k0s.yaml {why}")),
            node_name: kubelet_argument(&flags, "hostname-override"),
            is_suffixed: false,
            node_ip: node_ip.and_then(|list| list.split(',').next()?.parse().ok()),
            server: server(facts),
            // Tokens come and go.
            token: None,
            registration: Registration::read(&words("labels"), &words("taints")),
            datastore: external::told(facts),
            data_dir: folder(&flags, "data-dir"),
        }
    }

    fn wanted<'a>(
        &self,
        inventory: &'a Inventory,
        host: &'a Host,
    ) -> Result<WantedAddresses<'a>, String> {
        let arguments = inventory.configured(host, "kubelet-extra-args");
        let flags: Settings = arguments
            .map(|value| ("kubelet-extra-args".to_owned(), value.clone()))
            .into_iter()
            .collect();
        let told = kubelet_argument(&flags, "node-ip");
        let read = |text: &str| text.split(',').map(str::parse).collect::<Result<_, _>>();
        Ok(WantedAddresses {
            addresses: match told {
                Some(text) => read(&text).map_err(|_error| {
                    format!("kubelet-extra-args: --node-ip is no address: {text}")
                })?,
                None => Vec::new(),
            },
            interface: None,
        })
    }

    fn version_order(&self, one: &str, other: &str) -> Option<Ordering> {
        Version::order_of(one, other)
    }

    fn breakers(&self, _: &str, _: &str) -> (Vec<Problem>, Vec<String>) {
        let problem = Problem::new(
            Code::UPGRADE_REFUSED,
            "towline does not upgrade clusters of k0s yet",
        );
        (vec![problem], Vec::new())
    }

    fn votes_at_once(&self, version: &str) -> bool {
        // Learners came with 1.36.1, and with 1.35.5 on the branch before.
        let is_before = |other| Version::order_of(version, other) == Some(Ordering::Less);
        is_before("v1.35.5") || (is_before("v1.36.1") && !is_before("v1.36.0"))
    }

    fn line(&self, setting: &Setting<'_>, in_inventory: bool) -> String {
        let (key, value) = match setting {
            Setting::DataDir(folder) => ("data-dir", (*folder).to_owned()),
            Setting::Interface(name) => ("interface", (*name).to_owned()),
            Setting::Addresses(list) => ("kubelet-extra-args", format!("--node-ip={list}")),
        };
        if in_inventory {
            format!("{key}: {value}")
        } else {
            format!("--{key} {value}")
        }
    }

    fn token<'a>(&self, token: &'a str) -> Token<'a> {
        Token {
            ca_hash: None,
            password: token,
        }
    }

    fn secrets(&self, facts: &Facts) -> Vec<Secret> {
        let yaml: Option<Settings> = own_yaml(facts)
            .ok()
            .and_then(|yaml| serde_json::from_value(yaml).ok());
        let endpoint = external::told(facts).map(|endpoint| Secret::new(&endpoint));
        let secrets = yaml.iter().flat_map(secrets_among);
        secrets.chain(endpoint).collect()
    }

    fn families(&self, situation: &Situation<'_>) -> Option<Vec<bool>> {
        let both = spec(situation.inventory, DUAL_STACK);
        (both == Some(&Value::Bool(true))).then(|| vec![false, true])
    }

    fn has_own_way(&self, _: &Situation<'_>, _: &Host, _: &Facts) -> bool {
        false
    }

    fn refusals(&self, basis: &Basis<'_>) -> (Vec<Problem>, Vec<String>) {
        let situation = basis.situation;
        let unequal = |one: &Settings, other: &Settings| {
            let differs = |key: &&str| one.get(*key) != other.get(*key);
            SHARED.into_iter().filter(differs).collect()
        };
        let because = "k0s does not compare them: those of the controller that leads would hold";
        let differing_servers = servers::unequal(situation, unequal, because);
        let mut problems: Vec<_> = differing_servers.into_iter().collect();
        let authorities: Claims = situation
            .servers()
            .filter_map(|(host, facts)| Some((host.name.clone(), facts.node.ca_hash.clone()?)))
            .collect();
        if let Some((first, other)) = differing(&authorities) {
            let problem = problem!(
                Code::TWO_CLUSTERS,
                "two cluster CAs: {first} has one, {other} another"
            )
            .because("these controllers belong to different clusters");
            problems.push(to_move(problem, other));
        }
        // Workers know the API, not where controllers join.
        let (join, api) = (format!(":{JOIN_PORT}"), format!(":{API_PORT}"));
        let urls: Vec<_> = basis
            .servers
            .iter()
            .map(|url| url.replace(&join, &api))
            .collect();
        problems.extend(agents_elsewhere(situation, authorities.first(), &urls));
        problems.extend(outside::moved(situation));
        problems.extend(outside::unreached(situation));
        let notes = balances(situation.inventory).then(|| {
            "with several controllers, workers reach them by a balancer of their own; to do without:  config: {spec: {network: {nodeLocalLoadBalancing: {enabled: false}}}}".to_owned()
        });
        let dynamic = situation
            .inventory
            .cluster
            .config
            .get("enable-dynamic-config");
        let dynamic = (dynamic == Some(&Value::Bool(true))).then(|| {
            "with enable-dynamic-config the cluster holds its configuration itself: of `spec`, changes to api, storage and the like count alone; the rest is changed by  kubectl -n kube-system edit clusterconfig k0s".to_owned()
        });
        let stays = manifests::note(situation);
        let notes = notes.into_iter().chain(dynamic).chain(stays);
        let notes = notes.chain(outside::note(situation));
        let notes = notes.chain(external::note(situation.inventory)).collect();
        (problems, notes)
    }

    fn configure(
        &self,
        basis: &Basis<'_>,
        hosts: &[Assignment<'_>],
    ) -> Vec<Result<HostConfig, Problem>> {
        hosts.iter().map(|host| configure(basis, host)).collect()
    }

    fn unchangeable(&self, situation: &Situation<'_>, topology: &Topology) -> Vec<Problem> {
        situation
            .servers()
            .filter_map(|(host, facts)| {
                let spec = topology.specs.get(&host.name)?;
                let spec = (spec.role == NodeRole::Member).then_some(spec)?;
                fixed::changed(host, facts, spec.config.get(SPEC)?)
            })
            .collect()
    }

    fn network(&self, situation: &Situation<'_>, _: &Topology) -> (Network, Option<String>) {
        let provider = spec(situation.inventory, "/network/provider");
        let itself = provider.is_none_or(|provider| provider != "custom");
        let network = Network {
            itself,
            policies: true,
        };
        let note = (!itself).then(|| "network.provider is custom: nodes are not Ready until a network plug-in (CNI) is installed in the cluster; towline does not wait for it".to_owned());
        (network, note)
    }

    fn ranges(&self, inventory: &Inventory, _: bool) -> Vec<String> {
        let range = |(path, default): (&str, &str)| {
            let said = spec(inventory, path).and_then(Value::as_str);
            said.unwrap_or(default).to_owned()
        };
        let both = spec(inventory, DUAL_STACK) == Some(&Value::Bool(true));
        let others = fixed::OTHER_RANGES.into_iter().filter(|_| both);
        fixed::RANGES.into_iter().chain(others).map(range).collect()
    }

    fn variables(
        &self,
        situation: &Situation<'_>,
        topology: &Topology,
        host: &Host,
        facts: &Facts,
        version: Option<&str>,
    ) -> Value {
        variables::variables(situation, topology, host, facts, version)
    }

    fn folders(&self, facts: &Facts) -> Belongings {
        let flags = own_flags(facts);
        let (data, kubelet) = (
            folder(&flags, "data-dir"),
            folder(&flags, "kubelet-root-dir"),
        );
        let unread = data.clone().err().or(kubelet.clone().err());
        let usual = if facts.has_data() {
            facts.node.data_dir.clone()
        } else {
            DIALECT.data_dir()
        };
        let data = data.ok().flatten().unwrap_or(usual);
        // The kubelet's is in it, where no flag says otherwise.
        let own = || format!("{data}/kubelet").parse().ok();
        let kubelet = kubelet.ok().flatten().or_else(own);
        let outside = external::told(facts).and_then(|endpoint| external_datastore(&endpoint));
        let outside = outside
            .map(|datastore| format!("the cluster's data in {} (spec.storage)", datastore.shown()));
        Belongings {
            folders: Folders { data, kubelet },
            left: outside.into_iter().collect(),
            unread,
        }
    }
}

/// A folder that a flag names.
fn folder(flags: &Settings, flag: &str) -> Result<Option<DataDir>, String> {
    let Some(text) = flags.get(flag).and_then(Value::as_str) else {
        return Ok(None);
    };
    let folder = text.parse::<DataDir>();
    folder
        .map(Some)
        .map_err(|why| format!("--{flag} is {text}: {why}"))
}

/// What one host is told.
fn configure(basis: &Basis<'_>, assignment: &Assignment<'_>) -> Result<HostConfig, Problem> {
    let (host, facts) = (assignment.host, assignment.facts);
    let subject = HostOfK0s {
        situation: basis.situation,
        host,
        facts,
        addresses: assignment.addresses,
        role: assignment.role,
        via: assignment.via,
        registration: &assignment.registration,
    };
    let settings = subject.settings();
    let adopted = match &facts.node.foreign {
        Some(foreign) if !basis.situation.adopt => return Err(left_alone(host, foreign)),
        Some(foreign) => Some(adoption(&subject, foreign, &settings)?),
        None => None,
    };
    let has_node = subject.has_node();
    let flags = subject.flags();
    let is_older = Version::order_of(basis.version, "v1.35.0") == Some(Ordering::Less);
    let is_allowed = flags.get("ignore-pre-flight-checks") == Some(&Value::Bool(true));
    if facts.cgroup == 1 && has_node && !is_older && !is_allowed {
        return Err(problem!(
            Code::CGROUP_V1,
            host = &host.name,
            "its kernel runs cgroup v1, and k0s {} refuses that for a node",
            basis.version
        )
        .next("boot it with systemd.unified_cgroup_hierarchy=1, or let k0s and its kubelet run on it, for controllers (config) and workers (agent_config)")
        .inventory("ignore-pre-flight-checks: true")
        .next("and for the kubelets")
        .inventory("cluster: {config: {spec: {workerProfiles: [{name: default, values: {failCgroupV1: false}}]}}}"));
    }
    if has_node && let Some(problem) = registries::refused(host, facts, basis.version) {
        return Err(problem);
    }
    let kubelet = folder(&flags, "kubelet-root-dir");
    Ok(HostConfig {
        effective: adopted.as_ref().is_some_and(|adopted| adopted.effective),
        has_node,
        kubelet: kubelet.ok().flatten(),
        kept: Settings::new(),
        notes: adopted.map(|adopted| adopted.notes).unwrap_or_default(),
        config: settings,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;

    #[test]
    fn the_ranges_of_both_families_are_let_through() {
        let ranges = |network: &str| {
            let config = format!("config: {{spec: {{network: {network}}}}}");
            let text = format!(
                "cluster: {{distribution: k0s, {config}}}\nhosts: {{m1: {{address: 10.0.0.1, role: single}}}}\n"
            );
            K0s.ranges(&read(&text).expect("an inventory"), false)
        };
        assert_eq!(ranges("{}"), ["10.244.0.0/16", "10.96.0.0/12"]);
        assert_eq!(
            ranges("{dualStack: {enabled: true, IPv6podCIDR: 'fd42::/108'}}"),
            ["10.244.0.0/16", "10.96.0.0/12", "fd42::/108", "fd01::/108"]
        );
    }
}
