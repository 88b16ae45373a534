//! What a running cluster has and a restart cannot change: compared with what its servers are told
//! now, and refused with the reason and the way.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::effective::{effective_config, told};
use super::network::{KEYS, Networks};
use super::settings::{MUST_BE_EQUAL, elements, same_setting, shared_default};
use crate::cluster::{NodeRole, Situation, Topology};
use crate::distribution::Settings;
use crate::facts::{Datastore, Facts};
use crate::inventory;
use crate::problem::{Code, Problem, problem};

/// A setting that stays.
struct Fixed {
    key: &'static str,
    because: &'static str,
    way: &'static str,
}

const NEW_CLUSTER: &str = "another one needs a new cluster:  towline reset , then  towline deploy";

const PODS: &str = "cluster-cidr";

const FIXED: [Fixed; 6] = [
    Fixed {
        key: PODS,
        because: "every node keeps the range of pods that it was given, and k3s ends soon after each start with ranges outside of it",
        way: NEW_CLUSTER,
    },
    Fixed {
        key: "service-cidr",
        because: "services keep their addresses, and the servers' certificates name one of them",
        way: NEW_CLUSTER,
    },
    Fixed {
        key: "cluster-dns",
        because: "the address of the kube-dns service cannot change, and running pods use it",
        way: NEW_CLUSTER,
    },
    Fixed {
        key: "cluster-domain",
        because: "running pods and certificates use the names of services",
        way: NEW_CLUSTER,
    },
    Fixed {
        key: "flannel-backend",
        because: "nodes with two backends do not reach each other's pods, and an agent learns of another one only when it starts",
        way: "by hand: change it in /etc/rancher/k3s/config.yaml of all servers, restart all nodes, servers first, then write it here (docs.k3s.io/networking/basic-network-options)",
    },
    Fixed {
        key: "secrets-encryption-provider",
        because: "the secrets in the datastore were encrypted by the other one",
        way: "k3s secrets-encrypt rotate-keys  changes it (docs.k3s.io/cli/secrets-encrypt); then write it here",
    },
];

/// Without it the secrets that are there could not be read.
const ENCRYPTION: Fixed = Fixed {
    key: "secrets-encryption",
    because: "the secrets in the datastore are encrypted, and servers without it cannot read them",
    way: "by hand:  k3s secrets-encrypt disable , and on from there by docs.k3s.io/cli/secrets-encrypt; then take it out of /etc/rancher/k3s/config.yaml of all servers",
};

/// What would change that cannot.
pub(super) fn changed(situation: &Situation<'_>, topology: &Topology) -> Vec<Problem> {
    let mut found: BTreeMap<(&str, String, String), Vec<&str>> = BTreeMap::new();
    let mut others = Vec::new();
    for (host, facts) in situation.servers() {
        let spec = topology.specs.get(&host.name);
        let Some(spec) = spec.filter(|spec| spec.role == NodeRole::Member) else {
            continue;
        };
        let (Ok(has), Ok(wants)) = (effective_config(facts), told(facts, &spec.config)) else {
            continue;
        };
        let mut differing = differing(&has, &wants, spec.node_ip);
        let mut nodes = facts.node.nodes.iter();
        let node = nodes.find(|node| node.name == spec.node_name);
        let pods = node.map_or(&[][..], |node| &node.pods);
        // A file may say what the cluster was not made with; then k3s dies of it, or has not read it.
        if outside(&has, pods, spec.node_ip).is_some() {
            differing.retain(|(key, _, _)| *key != PODS);
        }
        if let Some(range) = outside(&wants, pods, spec.node_ip)
            && !differing.iter().any(|(key, _, _)| *key == PODS)
        {
            others.push(of_another_range(&host.name, &range, pods));
        }
        for (key, has, wants) in differing {
            found.entry((key, has, wants)).or_default().push(&host.name);
        }
    }
    let mut problems: Vec<_> = found
        .into_iter()
        .map(|((key, has, wants), hosts)| problem(situation, key, &has, &wants, &hosts))
        .collect();
    problems.extend(others);
    problems.extend(datastore(situation));
    problems.extend(beside_members(situation, topology));
    problems
}

/// The pods' network that k3s is told, where a node has pod addresses that are not in it.
fn outside(told: &Settings, pods: &[IpNet], node_ip: IpAddr) -> Option<String> {
    let networks = networks(told, node_ip)?;
    let is_in = |range: &IpNet| networks.pods.iter().any(|all| all.contains(range));
    (!pods.iter().all(is_in)).then(|| networks.value(PODS))
}

/// A server is told the same as before, and it is not what its cluster was made with.
fn of_another_range(host: &str, range: &str, pods: &[IpNet]) -> Problem {
    let pods: Vec<_> = pods.iter().map(ToString::to_string).collect();
    let [fixed, ..] = FIXED;
    problem!(
        Code::SETTING_FIXED,
        host = host,
        "{PODS} is {range}, and its node has the pod addresses {}",
        pods.join(",")
    )
    .because(fixed.because)
    .next("on the host, this shows where it is said")
    .on_host(format!("grep -rn {PODS} /etc/rancher/k3s/"))
    .next("write the one back that the cluster was made with")
}

/// The keys of which a server has one value and would have another.
fn differing(
    has: &Settings,
    wants: &Settings,
    node_ip: IpAddr,
) -> Vec<(&'static str, String, String)> {
    let networks = (networks(has, node_ip), networks(wants, node_ip));
    let shown = |told: &Settings, key: &str| {
        let own = told.get(key).map(elements).unwrap_or_default();
        match shared_default(key) {
            Some(default) if own.is_empty() => default.to_owned(),
            _ => own.join(","),
        }
    };
    let is_on = |told: &Settings| !same_setting(ENCRYPTION.key, told.get(ENCRYPTION.key), None);
    let mut differing = Vec::new();
    for Fixed { key, .. } in FIXED {
        let (one, other) = match &networks {
            (Some(has), Some(wants)) if KEYS.contains(&key) => (has.value(key), wants.value(key)),
            _ if same_setting(key, has.get(key), wants.get(key)) => continue,
            _ => (shown(has, key), shown(wants, key)),
        };
        let is_free = key == "secrets-encryption-provider" && !is_on(has);
        if one != other && !is_free {
            differing.push((key, one, other));
        }
    }
    if is_on(has) && !is_on(wants) {
        differing.push((ENCRYPTION.key, "true".into(), "false".into()));
    }
    differing
}

fn networks(told: &Settings, node_ip: IpAddr) -> Option<Networks> {
    Networks::read(|key| told.get(key), node_ip.is_ipv6()).ok()
}

fn problem(
    situation: &Situation<'_>,
    key: &str,
    has: &str,
    wants: &str,
    hosts: &[&str],
) -> Problem {
    let all = FIXED.iter().chain([&ENCRYPTION]);
    let fixed = all.into_iter().find(|fixed| fixed.key == key);
    let (because, way) = fixed.map_or(("", ""), |fixed| (fixed.because, fixed.way));
    let problem = problem!(
        Code::SETTING_FIXED,
        "{}: {key} is {has} in this cluster, and would be {wants}",
        hosts.join(", ")
    )
    .because(because);
    let problem = if situation.inventory.whole {
        problem
            .next("let the inventory say what the cluster has, under `config` of `cluster`")
            .inventory(format!("{key}: {has}"))
    } else {
        problem
            .next("leave it out, so that it is kept, or say what it is")
            .flag(format!("--extra-args '--{key} {has}'"))
    };
    problem.next(way)
}

/// The data of embedded etcd does not go back into sqlite.
fn datastore(situation: &Situation<'_>) -> Option<Problem> {
    if situation.inventory.cluster.datastore != Some(inventory::Datastore::Sqlite) {
        return None;
    }
    let is_etcd = |facts: &Facts| facts.node.datastore == Some(Datastore::Etcd);
    let (host, _) = situation.servers().find(|(_, facts)| is_etcd(facts))?;
    Some(
        problem!(
            Code::SETTING_FIXED,
            host = &host.name,
            "it keeps its cluster in embedded etcd, and the inventory says  datastore: sqlite"
        )
        .because("k3s moves data from sqlite to etcd, and not back")
        .next("leave datastore out, or write")
        .inventory("cluster: {datastore: etcd}"),
    )
}

/// A server that joins beside members that are not changed now has to be told what they are.
fn beside_members(situation: &Situation<'_>, topology: &Topology) -> Vec<Problem> {
    let is_member = |facts: &Facts| facts.node.datastore.is_some();
    let Some((member, has)) = situation.servers().find_map(|(host, facts)| {
        let stays = is_member(facts) && !topology.specs.contains_key(&host.name);
        Some((&host.name, effective_config(facts).ok()?)).filter(|_| stays)
    }) else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    for (host, facts) in situation.servers() {
        let spec = topology.specs.get(&host.name);
        let Some(spec) = spec.filter(|spec| spec.role == NodeRole::Joining) else {
            continue;
        };
        let Ok(wants) = told(facts, &spec.config) else {
            continue;
        };
        let is_network = |key: &&str| KEYS.contains(key);
        let differ = MUST_BE_EQUAL.into_iter().filter(|key| {
            match (networks(&has, spec.node_ip), networks(&wants, spec.node_ip)) {
                (Some(has), Some(wants)) if is_network(key) => has.value(key) != wants.value(key),
                _ => !same_setting(key, has.get(*key), wants.get(*key)),
            }
        });
        let differ: Vec<_> = differ.collect();
        if !differ.is_empty() {
            problems.push(
                problem!(Code::SERVER_SETTINGS_DIFFER, "{} would join with other values than {member} has for {}",
                    host.name,
                    differ.join(", "))
                .because("all servers of a cluster must have the same: k3s refuses to start otherwise")
                .next("deploy to all servers, so that they are changed together, or say what the cluster has"),
            );
        }
    }
    problems
}
