//! From a situation to the place of every host in it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::address::{Addresses, addresses};
use super::check::{node_name, shared, sqlite_with_more_servers, unfit};
use super::config::{Config, Subject};
use super::tokens::{Tokens, observed, tokens};
use super::{Part, Place, Shape, Situation, Stage};
use crate::error::Problem;
use crate::facts::{Datastore, Facts};
use crate::inventory::{self, Host, Role};
use crate::kubernetes::kubeconfig::server_url;

/// Decides what every host is to the others and what follows for it.
///
/// # Errors
/// What makes the whole of it unsafe: two clusters, two hosts with one name or address, a server
/// that cannot join. Nothing may be changed then.
pub fn shape(situation: &Situation<'_>, version: &str) -> Result<Shape, Vec<Problem>> {
    let mut unfit_hosts = BTreeMap::new();
    let mut known = BTreeMap::new();
    for (host, facts) in situation.reached() {
        let verdict =
            match unfit(host, facts).or_else(|| cgroup_v1(situation, host, facts, version)) {
                Some(problem) => Err(problem),
                None => addresses(host, facts),
            };
        match verdict {
            Ok(addresses) => drop(known.insert(host.name.clone(), addresses)),
            Err(problem) => drop(unfit_hosts.insert(host.name.clone(), problem)),
        }
    }
    let node_ips = known
        .iter()
        .map(|(name, addresses)| (name.clone(), addresses.node_ip))
        .collect();
    let (mut problems, mut notes) = shared(situation, &node_ips);
    problems.extend(sqlite_with_more_servers(situation));
    let tokens = match tokens(situation) {
        Ok(tokens) if problems.is_empty() => tokens,
        Ok(_) => return Err(problems),
        Err(more) => return Err(problems.into_iter().chain(more).collect()),
    };
    let (stage, reason) = stage(situation, &known);
    let mut shape = Shape {
        stage,
        places: BTreeMap::new(),
        siblings: known.values().map(|addresses| addresses.node_ip).collect(),
        unfit: unfit_hosts,
        waiting: BTreeMap::new(),
        forget: Vec::new(),
        forgetter: None,
        notes: Vec::new(),
    };
    place(situation, &tokens, &known, &reason, &mut shape);
    forget(situation, &mut shape)?;
    notes.append(&mut shape.notes);
    notes.extend(left(situation, &shape));
    shape.notes = notes;
    Ok(shape)
}

/// Where the cluster stands, and why it is unknown if it is.
fn stage(situation: &Situation<'_>, known: &BTreeMap<String, Addresses>) -> (Stage, String) {
    let servers: Vec<_> = situation
        .inventory
        .hosts
        .iter()
        .filter(|host| host.role.value == Role::Server)
        .collect();
    let with_data: Vec<_> = situation
        .servers()
        .filter(|(_, facts)| facts.k3s.datastore.is_some())
        .collect();
    let healthy = with_data
        .iter()
        .find(|(_, facts)| facts.k3s.server_unit.is_ready() && facts.k3s.api_ready);
    if let Some((host, _)) = healthy {
        return (
            Stage::Running {
                via: host.name.clone(),
            },
            String::new(),
        );
    }
    if !with_data.is_empty() {
        return (Stage::Down, String::new());
    }
    if situation.inventory.cluster.server_url.is_some() {
        return (Stage::Elsewhere, String::new());
    }
    let facts_of = |host: &Host| {
        situation
            .reach
            .get(&host.name)
            .and_then(|reach| reach.facts())
    };
    if let Some(missing) = servers.iter().find(|host| facts_of(host).is_none()) {
        // It may hold the data of a cluster that the others have lost.
        let reason = format!(
            "a cluster is only made when every server is reached, and {} was not",
            missing.name
        );
        return (Stage::Unknown, reason);
    }
    let began = |host: &&&Host| {
        let config = facts_of(host).map(observed).unwrap_or_default();
        config.contains_key("token") && !config.contains_key("server")
    };
    let Some(leader) = servers.iter().find(began).or(servers.first()) else {
        return (Stage::Unknown, "the inventory has no server".into());
    };
    let name = leader.name.clone();
    if !known.contains_key(&name) {
        return (
            Stage::Unknown,
            format!("the first server, {name}, cannot be used as it is"),
        );
    }
    if !situation.selected.contains(&name) {
        return (
            Stage::Unknown,
            format!("the first server, {name}, is outside --limit"),
        );
    }
    (Stage::New { leader: name }, String::new())
}

fn place(
    situation: &Situation<'_>,
    tokens: &Tokens,
    known: &BTreeMap<String, Addresses>,
    reason: &str,
    shape: &mut Shape,
) {
    let via_name = match &shape.stage {
        Stage::New { leader } => Some(leader.clone()),
        Stage::Running { via } => Some(via.clone()),
        Stage::Down => situation
            .servers()
            .find(|(host, facts)| facts.k3s.datastore.is_some() && known.contains_key(&host.name))
            .map(|(host, _)| host.name.clone()),
        Stage::Elsewhere | Stage::Unknown => None,
    };
    let via = via_name
        .as_ref()
        .and_then(|name| known.get(name))
        .map(|addresses| addresses.node_ip);
    let servers = server_urls(situation, known);
    let etcd = wants_etcd(situation);
    for (host, facts) in situation.reached() {
        let Some(addresses) = known
            .get(&host.name)
            .filter(|_| situation.selected.contains(&host.name))
        else {
            continue;
        };
        let part = match (host.role.value, &shape.stage) {
            (Role::Server, _) if facts.k3s.datastore.is_some() => Part::Member,
            (Role::Server, Stage::New { leader }) if *leader == host.name => Part::Leader,
            (Role::Server, _) => Part::Joining,
            (Role::Agent, _) => Part::Agent,
        };
        let settled = part == Part::Member || (part == Part::Agent && facts.k3s.joined);
        if shape.stage == Stage::Unknown && !settled {
            shape.waiting.insert(host.name.clone(), reason.to_owned());
            continue;
        }
        let subject = Subject {
            situation,
            host,
            facts,
            addresses: *addresses,
            part,
            tokens,
            via,
            servers: &servers,
            etcd,
        };
        shape.notes.extend(subject.registration_note());
        let runs_etcd = match part {
            Part::Member => facts.k3s.datastore == Some(Datastore::Etcd) || etcd,
            Part::Leader => etcd,
            Part::Joining => true,
            Part::Agent => false,
        };
        shape.places.insert(
            host.name.clone(),
            Place {
                part,
                node_name: node_name(host, facts),
                node_ip: addresses.node_ip,
                config: subject.config(),
                voter: runs_etcd,
            },
        );
    }
}

/// Whether the cluster is to run on embedded etcd: said so, or more than one server.
fn wants_etcd(situation: &Situation<'_>) -> bool {
    let inventory = situation.inventory;
    match inventory.cluster.datastore {
        Some(datastore) => datastore == inventory::Datastore::Etcd,
        None => {
            inventory
                .hosts
                .iter()
                .filter(|host| host.role.value == Role::Server)
                .count()
                > 1
        }
    }
}

/// The addresses under which agents may know a server of this cluster.
fn server_urls(situation: &Situation<'_>, known: &BTreeMap<String, Addresses>) -> Vec<String> {
    let cluster = &situation.inventory.cluster;
    let mut urls: Vec<_> = cluster.server_url.iter().cloned().collect();
    urls.extend(
        cluster
            .endpoint
            .iter()
            .chain(&cluster.tls_sans)
            .map(|name| server_url(name, 6443)),
    );
    for host in situation
        .inventory
        .hosts
        .iter()
        .filter(|host| host.role.value == Role::Server)
    {
        let own = known
            .get(&host.name)
            .map(|addresses| addresses.node_ip.to_string());
        let private = host
            .private_address
            .as_ref()
            .map(|address| address.value.to_string());
        let all = [Some(host.address.clone()), own, private]
            .into_iter()
            .flatten();
        urls.extend(all.map(|address| server_url(&address, 6443)));
    }
    urls
}

/// Which nodes have to be forgotten before their machines join again.
fn forget(situation: &Situation<'_>, shape: &mut Shape) -> Result<(), Vec<Problem>> {
    let Stage::Running { via } = &shape.stage else {
        return Ok(());
    };
    let Some(facts) = situation.reach.get(via).and_then(|reach| reach.facts()) else {
        return Ok(());
    };
    let mut problems = Vec::new();
    for (name, place) in &shape.places {
        let own = situation.reach.get(name).and_then(|reach| reach.facts());
        let is_new = match place.part {
            Part::Joining => true,
            Part::Agent => own.is_some_and(|own| !own.k3s.node_password),
            Part::Leader | Part::Member => false,
        };
        let Some(node) = facts
            .k3s
            .nodes
            .iter()
            .find(|node| is_new && node.name == place.node_name)
        else {
            continue;
        };
        let same_address = node.internal_ip == Some(place.node_ip);
        if node.ready && !same_address {
            let other = node
                .internal_ip
                .map_or_else(|| "an unknown address".to_owned(), |ip| ip.to_string());
            problems.push(
                Problem::new(format!(
                    "{name}: another machine is a Ready node under its name, {}",
                    place.node_name
                ))
                .because(format!(
                    "that one is at {other}, {name} at {}",
                    place.node_ip
                ))
                .next(format!(
                    "give {name} another hostname, or set  node_name:  in the inventory"
                )),
            );
        } else {
            shape.forget.push(node.name.clone());
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if !shape.forget.is_empty() {
        shape.forgetter = Some(via.clone());
    }
    Ok(())
}

/// Nodes that are in the cluster and not in the inventory.
fn left(situation: &Situation<'_>, shape: &Shape) -> Vec<String> {
    let Stage::Running { via } = &shape.stage else {
        return Vec::new();
    };
    let Some(facts) = situation.reach.get(via).and_then(|reach| reach.facts()) else {
        return Vec::new();
    };
    let is_ours = |name: &str, address: Option<IpAddr>| {
        situation.inventory.hosts.iter().any(|host| {
            let reached = situation
                .reach
                .get(&host.name)
                .and_then(|reach| reach.facts());
            let named = match (reached, &host.node_name) {
                (Some(facts), _) => node_name(host, facts) == name,
                (None, Some(own)) => own.value.to_lowercase() == name,
                (None, None) => host.name.to_lowercase() == name,
            };
            let private = host.private_address.as_ref().map(|address| address.value);
            named
                || (address.is_some()
                    && (private == address || host.address.parse().ok() == address))
        })
    };
    let others = facts
        .k3s
        .nodes
        .iter()
        .filter(|node| !is_ours(&node.name, node.internal_ip));
    others
        .map(|node| {
            format!(
                "node {} is in the cluster and not in the inventory; towline leaves it alone. To remove it: kubectl drain {0} --ignore-daemonsets && kubectl delete node {0}",
                node.name
            )
        })
        .collect()
}

/// The kubelet of Kubernetes 1.35 and later refuses to start on cgroup v1 unless told to.
fn cgroup_v1(
    situation: &Situation<'_>,
    host: &Host,
    facts: &Facts,
    version: &str,
) -> Option<Problem> {
    if facts.cgroup != 1 || facts.k3s.joined || !Situation::kubelet_refuses_cgroup_v1(version) {
        return None;
    }
    let cluster = &situation.inventory.cluster;
    let base: &Config = if host.role.value == Role::Server {
        &cluster.config
    } else {
        &cluster.agent_config
    };
    let arguments = host
        .config
        .get("kubelet-arg")
        .map(|setting| &setting.value)
        .or(base.get("kubelet-arg"));
    let told =
        arguments.is_some_and(|arguments| arguments.to_string().contains("fail-cgroupv1=false"));
    (!told).then(|| {
        Problem::new(format!("{}: its kernel runs cgroup v1, and the kubelet of {version} refuses that", host.name))
            .next("boot it with systemd.unified_cgroup_hierarchy=1, or set for servers (config) and agents (agent_config):\nkubelet-arg: [fail-cgroupv1=false]")
    })
}
