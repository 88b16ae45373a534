//! k3s's answers to what the rules of a cluster must know.

use std::cmp::Ordering;
use std::net::IpAddr;

use serde_json::Value;

use super::adopt::{adoption, effective, left_alone};
use super::cgroup::cgroup_v1;
use super::config::Subject;
use super::dialect::DIALECT;
use super::effective::{configured, configured_data_dir, effective_config, observed, own_config};
use super::settings::same_setting;
use super::token::{ca_hash, token_password};
use super::tokens::{Tokens, tokens};
use super::{
    fixed, flannel, folders, keep, keys, ranges, registration, servers, settings, variables,
};
use crate::cluster::rules::{
    Assignment, Basis, Belongings, HostConfig, Product, Token, Told, WantedAddresses,
};
use crate::cluster::{Network, NodeRole, Rules, Setting, Situation, Topology, own};
use crate::distribution::version::Version;
use crate::distribution::{external, manifests};
use crate::facts::Facts;
use crate::inventory::{Host, Inventory, Role};
use crate::problem::Problem;
use crate::vars::{Secret, secrets_among};

/// k3s.
#[derive(Debug)]
pub struct K3s;

pub(super) const PRODUCT: Product = Product {
    name: DIALECT.name,
    api_port: settings::API_PORT,
    join_port: settings::API_PORT,
    server_unit: settings::unit(Role::Server),
    agent_unit: settings::unit(Role::Agent),
    joins_at_an_address: true,
    leaves_etcd: false,
    listen: None,
    // Also when it is only asked for its version: 220 MiB for k3s 1.36.
    unpacked_mib: 250,
    // With etcd's log: 166 MiB.
    server_mib: 200,
    // 36 MiB.
    agent_mib: 50,
};

impl Rules for K3s {
    fn product(&self) -> &'static Product {
        &PRODUCT
    }

    fn told(&self, facts: &Facts) -> Told {
        let own = observed(facts);
        let word = |key| configured(&own, key);
        let first = |list: String| list.split(',').next()?.trim().parse::<IpAddr>().ok();
        let unreadable = own_config(facts).err();
        Told {
            unreadable: unreadable.map(|why| format!("/etc/rancher/k3s/config.yaml {why}")),
            node_name: word("node-name"),
            is_suffixed: own.get("with-node-id") == Some(&true.into()),
            node_ip: word("node-ip").and_then(first),
            server: word("server"),
            token: word("token"),
            registration: registration::told(&own),
            datastore: word("datastore-endpoint"),
            data_dir: configured_data_dir(facts),
        }
    }

    fn wanted<'a>(
        &self,
        inventory: &'a Inventory,
        host: &'a Host,
    ) -> Result<WantedAddresses<'a>, String> {
        let key = "flannel-iface";
        let interface = inventory.configured(host, key).and_then(Value::as_str);
        let addresses = host.config.get("node-ip");
        let text = addresses.and_then(|setting| setting.value.as_str());
        let read = text.map(|text| text.split(',').map(|one| one.trim().parse()).collect());
        let addresses = match read {
            Some(Ok(addresses)) => addresses,
            Some(Err(_)) => {
                let text = text.unwrap_or_default();
                return Err(format!("config.node-ip is no address: {text}"));
            }
            None => Vec::new(),
        };
        Ok(WantedAddresses {
            addresses,
            // flannel's interface is the node's, too.
            interface: interface.map(|interface| (interface, key)),
        })
    }

    fn version_order(&self, one: &str, other: &str) -> Option<Ordering> {
        Version::order_of(one, other)
    }

    fn breakers(&self, from: &str, to: &str) -> (Vec<Problem>, Vec<String>) {
        super::breakers::between(from, to)
    }

    fn votes_at_once(&self, _: &str) -> bool {
        false
    }

    fn line(&self, setting: &Setting<'_>, in_inventory: bool) -> String {
        let (key, value) = match setting {
            Setting::DataDir(folder) => ("data-dir", (*folder).to_owned()),
            Setting::Interface(name) => ("flannel-iface", (*name).to_owned()),
            Setting::Addresses(list) => ("node-ip", format!("\"{list}\"")),
        };
        if in_inventory {
            format!("{key}: {value}")
        } else {
            format!("--extra-args '--{key} {value}'")
        }
    }

    fn token<'a>(&self, token: &'a str) -> Token<'a> {
        Token {
            ca_hash: ca_hash(token),
            password: token_password(token),
        }
    }

    fn secrets(&self, facts: &Facts) -> Vec<Secret> {
        let told = [own_config(facts), effective_config(facts)];
        told.iter().flatten().flat_map(secrets_among).collect()
    }

    fn families(&self, situation: &Situation<'_>) -> Option<Vec<bool>> {
        ranges::families(situation)
    }

    fn has_own_way(&self, situation: &Situation<'_>, host: &Host, facts: &Facts) -> bool {
        flannel::has_way(situation, host, facts)
    }

    fn refusals(&self, basis: &Basis<'_>) -> (Vec<Problem>, Vec<String>) {
        let situation = basis.situation;
        let mut problems = Vec::new();
        problems.extend(servers::sqlite_with_more_servers(situation));
        problems.extend(external::moved(situation));
        problems.extend(external::unreached(situation));
        problems.extend(servers::unequal_servers(situation));
        problems.extend(ranges::faults(situation, basis.addresses));
        let (unknown, mut notes) = keys::unknown(situation, basis.version);
        notes.extend(external::note(situation));
        notes.extend(manifests::note(situation));
        problems.extend(unknown);
        problems.extend(tokens(situation, basis.servers).err().into_iter().flatten());
        (problems, notes)
    }

    fn configure(
        &self,
        basis: &Basis<'_>,
        hosts: &[Assignment<'_>],
    ) -> Vec<Result<HostConfig, Problem>> {
        match tokens(basis.situation, basis.servers) {
            Ok(tokens) => hosts
                .iter()
                .map(|host| configure(basis, host, &tokens))
                .collect(),
            // What `refusals` has told already.
            Err(problems) => problems.into_iter().map(Err).collect(),
        }
    }

    fn unchangeable(&self, situation: &Situation<'_>, topology: &Topology) -> Vec<Problem> {
        fixed::changed(situation, topology)
    }

    fn network(&self, situation: &Situation<'_>, topology: &Topology) -> (Network, Option<String>) {
        let network = flannel::network(situation, topology);
        let note = flannel::note(situation, topology, network);
        (network, note)
    }

    fn ranges(&self, inventory: &Inventory, ipv6: bool) -> Vec<String> {
        ranges::of_inventory(inventory, ipv6)
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
        folders::folders(facts)
    }
}

/// What one host is told.
fn configure(
    basis: &Basis<'_>,
    assignment: &Assignment<'_>,
    tokens: &Tokens,
) -> Result<HostConfig, Problem> {
    let (situation, host, facts) = (basis.situation, assignment.host, assignment.facts);
    let subject = Subject {
        situation,
        host,
        facts,
        addresses: assignment.addresses,
        choice: basis.choice,
        role: assignment.role,
        tokens,
        via: assignment.via,
        registration: &assignment.registration,
        servers: basis.servers,
        etcd: basis.etcd,
    };
    let config = subject.config();
    if let Some(foreign) = &facts.node.foreign {
        if !situation.adopt {
            return Err(left_alone(host, foreign));
        }
        adoption(host, facts, &config, &subject.named())?;
    }
    if let Some(problem) = cgroup_v1(host, facts, &config, basis.version) {
        return Err(problem);
    }
    let mut notes = Vec::new();
    let mut kept = subject.kept_settings();
    if !kept.is_empty() {
        notes.push(format!(
            "{}: its config.yaml says more than the line, and keeps it: {}; --reset-config takes it away, and so does an inventory without it",
            host.name,
            keep::names(&kept)
        ));
        // The certificate's names are those of the cluster and the server's own.
        for (key, value) in kept.iter_mut().filter(|(key, _)| *key != "tls-san") {
            if let Some(whole) = config.get(key) {
                value.clone_from(whole);
            }
        }
    }
    if matches!(assignment.role, NodeRole::Joining | NodeRole::Agent) && !facts.has_data() {
        notes.extend(crate::cluster::registration(situation, host, facts).err());
    }
    notes.extend(flannel::mended(basis.choice, host, facts, &config));
    if !facts.node.drop_ins.is_empty() {
        let files = facts.node.drop_ins.iter().map(|file| file.name.as_str());
        notes.push(format!(
            "{}: k3s also reads config.yaml.d ({}), and what stands there wins over the inventory",
            host.name,
            files.collect::<Vec<_>>().join(", ")
        ));
    }
    Ok(HostConfig {
        effective: effective(facts, own(situation, host, facts), &config),
        has_node: same_setting("disable-agent", config.get("disable-agent"), None),
        kubelet: folders::kubelet(&config),
        kept,
        notes,
        config,
    })
}
