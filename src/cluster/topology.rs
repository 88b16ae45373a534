//! From a situation to the place of every host in it.

use std::collections::{BTreeMap, BTreeSet};

use super::address::{addresses, claimed, is_vouched_for};
use super::check::{moved, other_data_dir, other_role, shared, unfit};
use super::choose::Choice;
use super::labels::{labels, registration};
use super::members::{Outnumbered, api_unresponsive, outnumbered, quorum_at_risk};
use super::needs::{lacking_controllers, no_room, other_kubernetes};
use super::nodes::{dying, forget, left};
use super::restore::under_way;
use super::rules::Addresses;
use super::rules::{Assignment, Basis};
use super::state::{leftovers, state};
use super::{
    ClusterState, Folders, LATER, Network, NodeRole, NodeSpec, Situation, Topology, reach,
};
use crate::facts::{Datastore, Facts, Member};
use crate::inventory::{self, Host, Role};
use crate::kubernetes::kubeconfig::server_url;
use crate::problem::Problem;

/// Decides what every host is to the others and what follows for it.
///
/// # Errors
/// What makes the whole of it unsafe: two clusters, two hosts with one name or address, a server
/// that cannot join. Nothing may be changed then.
pub fn topology(situation: &Situation<'_>, version: &str) -> Result<Topology, Vec<Problem>> {
    let choice = Choice::of(situation);
    let mut unfit_hosts = BTreeMap::new();
    let mut known = BTreeMap::new();
    for (host, facts) in situation.reached() {
        let verdict = match unfit(situation, host, facts)
            .or_else(|| other_role(situation, host, facts))
            .or_else(|| other_data_dir(situation, host, facts))
            // One beside which it runs already is left as it is.
            .or_else(|| other_kubernetes(situation, host, facts).filter(|_| !facts.node.is_up()))
            .or_else(|| lacking_controllers(situation, host, facts))
            .or_else(|| no_room(situation, host, facts, version))
        {
            Some(problem) => Err(problem),
            None => addresses(situation, &choice, host, facts).and_then(|addresses| {
                match moved(situation, host, facts, addresses.node_ip) {
                    Some(problem) => Err(problem),
                    None => Ok(addresses),
                }
            }),
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
    problems.extend(choice.problem.clone());
    notes.extend(choice.note.clone());
    let (unreached, reached_otherwise) = reach::unreached(situation, &known);
    problems.extend(unreached);
    notes.extend(reached_otherwise);
    problems.extend(reach::lost(situation));
    let servers = server_urls(situation, &known);
    let basis = Basis {
        situation,
        choice: &choice,
        addresses: &known,
        servers: &servers,
        version,
        etcd: wants_etcd(situation),
    };
    let (refusals, doubts) = situation.rules.refusals(&basis);
    problems.extend(refusals);
    notes.extend(doubts);
    if !problems.is_empty() {
        return Err(problems);
    }
    let (state, reason) = state(situation, &known);
    let leftovers = leftovers(situation, &state);
    if !leftovers.is_empty() {
        return Err(leftovers);
    }
    let siblings = situation.reached().flat_map(|(host, facts)| {
        let own = known.get(&host.name).into_iter().flat_map(Addresses::own);
        own.filter(move |address| is_vouched_for(situation, host, facts, *address))
    });
    let mut topology = Topology {
        state,
        specs: BTreeMap::new(),
        siblings: siblings.collect(),
        unfit: unfit_hosts,
        waiting: BTreeMap::new(),
        quorum_at_risk: None,
        api_unresponsive: BTreeSet::new(),
        outnumbered: None,
        no_server: false,
        forget: Vec::new(),
        labels: Vec::new(),
        joins_one_by_one: situation.rules.votes_at_once(version),
        upgrade: None,
        restore: under_way(situation),
        network: Network {
            itself: true,
            policies: true,
        },
        kept: BTreeMap::new(),
        notes: Vec::new(),
    };
    specify(&basis, &reason, &mut topology);
    let unchangeable = situation.rules.unchangeable(situation, &topology);
    if !unchangeable.is_empty() {
        return Err(unchangeable);
    }
    let (network, note) = situation.rules.network(situation, &topology);
    topology.network = network;
    topology.notes.extend(note);
    hold_back(situation, &mut topology);
    api_unresponsive(situation, &mut topology);
    topology.outnumbered = outnumbered(situation, &topology);
    topology
        .notes
        .extend(topology.outnumbered.as_ref().map(Outnumbered::note));
    topology.no_server = no_server(situation, &topology);
    forget(situation, &mut topology)?;
    let (marks, elsewhere) = labels(situation, &topology);
    topology.labels = marks;
    topology.notes.extend(elsewhere);
    topology.quorum_at_risk = quorum_at_risk(situation, &topology);
    topology.notes.extend(topology.quorum_at_risk.clone());
    notes.append(&mut topology.notes);
    notes.extend(left(situation, &topology));
    notes.extend(claimed(situation, &known));
    topology.notes = notes;
    Ok(topology)
}

/// Gives every host that takes part its role, and by the distribution's rules what it is told.
fn specify(basis: &Basis<'_>, reason: &str, topology: &mut Topology) {
    let (situation, known) = (basis.situation, basis.addresses);
    let via_name = match &topology.state {
        ClusterState::New { leader } => Some(leader.clone()),
        ClusterState::Running { via } => Some(via.clone()),
        ClusterState::Down => situation
            .servers()
            .find(|(host, facts)| facts.node.datastore.is_some() && known.contains_key(&host.name))
            .map(|(host, _)| host.name.clone()),
        ClusterState::Elsewhere | ClusterState::Unknown => None,
    };
    let via = via_name
        .as_ref()
        .and_then(|name| known.get(name))
        .map(|addresses| addresses.node_ip);
    let server = via_name
        .as_ref()
        .and_then(|name| situation.inventory.host(name));
    let mut assigned = Vec::new();
    for (host, facts) in situation.reached() {
        let Some(addresses) = known
            .get(&host.name)
            .filter(|_| situation.selected.contains(&host.name))
        else {
            continue;
        };
        let role = match (host.role.value, &topology.state) {
            (Role::Server, _) if is_removed(situation, &topology.state, host, facts) => {
                NodeRole::Joining
            }
            (Role::Server, _) if facts.node.datastore.is_some() => NodeRole::Member,
            (Role::Server, ClusterState::New { leader }) if *leader == host.name => {
                NodeRole::Leader
            }
            (Role::Server, _) => NodeRole::Joining,
            (Role::Agent, _) => NodeRole::Agent,
        };
        let settled = role == NodeRole::Member || (role == NodeRole::Agent && facts.node.joined);
        if topology.state == ClusterState::Unknown && !settled {
            topology
                .waiting
                .insert(host.name.clone(), reason.to_owned());
            continue;
        }
        assigned.push(Assignment {
            host,
            facts,
            addresses: *addresses,
            role,
            via: via
                .zip(server)
                .map(|(via, server)| reach::joins_at(facts, server, via)),
            registration: registration(situation, &topology.state, role, (host, facts)),
        });
    }
    let configs = situation.rules.configure(basis, &assigned);
    for (assignment, config) in assigned.iter().zip(configs) {
        let (host, facts, role) = (assignment.host, assignment.facts, assignment.role);
        let told = match config {
            Ok(told) => told,
            Err(problem) => {
                topology.unfit.insert(host.name.clone(), problem);
                continue;
            }
        };
        if !told.kept.is_empty() {
            topology.kept.insert(host.name.clone(), told.kept);
        }
        topology.notes.extend(told.notes);
        topology.notes.extend(dying(situation, &host.name, facts));
        let runs_etcd = match role {
            NodeRole::Member => facts.node.datastore == Some(Datastore::Etcd) || basis.etcd,
            NodeRole::Leader => basis.etcd,
            NodeRole::Joining => situation.inventory.cluster.datastore_endpoint.is_none(),
            NodeRole::Agent => false,
        };
        topology.specs.insert(
            host.name.clone(),
            NodeSpec {
                role,
                has_node: told.has_node,
                node_name: situation.node_name(host, facts),
                node_ip: assignment.addresses.node_ip,
                effective: told.effective,
                folders: Folders {
                    data: facts.node.data_dir.clone(),
                    kubelet: told.kubelet,
                },
                config: told.config,
                voter: runs_etcd,
            },
        );
    }
}

/// Whether a server has data of etcd and is no member any more, as when its node was deleted: it
/// goes on running, and only a start makes it join again.
pub(super) fn is_removed(
    situation: &Situation<'_>,
    state: &ClusterState,
    host: &Host,
    facts: &Facts,
) -> bool {
    let ClusterState::Running { via } = state else {
        return false;
    };
    let told = situation.facts.get(via);
    let members = told.map_or(&[][..], |told| &told.node.members);
    let name = situation.node_name(host, facts);
    // One without a name has just been let in, and may be this one.
    let is_it = |member: &Member| member.node == name || member.node.is_empty();
    let is_missing = !members.is_empty() && !members.iter().any(is_it);
    facts.node.datastore == Some(Datastore::Etcd) && *via != host.name && is_missing
}

/// Whether no server of the cluster runs, is starting, or is started now.
fn no_server(situation: &Situation<'_>, topology: &Topology) -> bool {
    let answers = situation.servers().any(|(_, facts)| {
        facts.node.server_unit.is_up() && facts.node.server_unit.sub != "auto-restart"
    });
    let starts = topology
        .specs
        .values()
        .any(|spec| matches!(spec.role, NodeRole::Leader | NodeRole::Member));
    !answers && !starts && topology.state != ClusterState::Elsewhere
}

/// Takes hosts back that could only be given placeholders, or would join a cluster that nothing in
/// this run starts.
fn hold_back(situation: &Situation<'_>, topology: &mut Topology) {
    let starts = match &topology.state {
        ClusterState::New { leader } if !topology.specs.contains_key(leader) => {
            let reason = format!("the first server, {leader}, cannot be used as it is");
            let hosts = std::mem::take(&mut topology.specs).into_keys();
            topology
                .waiting
                .extend(hosts.map(|host| (host, reason.clone())));
            topology.state = ClusterState::Unknown;
            return;
        }
        ClusterState::New { .. } => return,
        ClusterState::Down => topology
            .specs
            .values()
            .any(|spec| spec.role == NodeRole::Member),
        _ => false,
    };
    if starts {
        return;
    }
    let is_down = topology.state == ClusterState::Down;
    let held: Vec<(String, &str)> = topology
        .specs
        .iter()
        .filter_map(|(name, spec)| {
            let facts = situation.facts.get(name)?;
            let settled = match spec.role {
                NodeRole::Member => true,
                NodeRole::Agent => facts.node.joined,
                NodeRole::Leader | NodeRole::Joining => false,
            };
            let later = spec.config.values().any(|value| value == LATER);
            if later {
                Some((name.clone(), "no server that it could join is known"))
            } else if is_down && !settled {
                Some((
                    name.clone(),
                    "no server of the cluster is READY, and none is started now",
                ))
            } else {
                None
            }
        })
        .collect();
    for (name, reason) in held {
        topology.specs.remove(&name);
        topology.waiting.insert(name, reason.to_owned());
    }
}

/// Whether the cluster is to run on embedded etcd: said so, or more than one server.
fn wants_etcd(situation: &Situation<'_>) -> bool {
    let inventory = situation.inventory;
    if inventory.cluster.datastore_endpoint.is_some() {
        return false;
    }
    match inventory.cluster.datastore {
        Some(datastore) => datastore == inventory::Datastore::Etcd,
        None => inventory.servers().count() > 1,
    }
}

/// The addresses under which agents may know a server of this cluster.
fn server_urls(situation: &Situation<'_>, known: &BTreeMap<String, Addresses>) -> Vec<String> {
    let cluster = &situation.inventory.cluster;
    let port = situation.rules.product().join_port;
    let mut urls: Vec<_> = cluster.server_url.iter().cloned().collect();
    urls.extend(
        cluster
            .endpoint
            .iter()
            .chain(&cluster.registration_address)
            .chain(&cluster.tls_sans)
            .map(|name| server_url(name, port)),
    );
    for host in situation.inventory.servers() {
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
        urls.extend(all.map(|address| server_url(&address, port)));
    }
    // Servers that were not reached now are known to the cluster by their nodes.
    let nodes = situation.servers().flat_map(|(_, facts)| &facts.node.nodes);
    urls.extend(
        nodes
            .filter(|node| node.voter.is_some())
            .filter_map(|node| Some(server_url(&node.internal_ip?.to_string(), port))),
    );
    urls
}
