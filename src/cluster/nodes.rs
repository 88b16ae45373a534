//! Nodes that the cluster knows and their machines are not: wiped, or not in the inventory.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::members::host_of;
use super::{ClusterState, NodeRole, Situation, Topology};
use crate::facts::{ClusterNode, Facts, NodeFacts};
use crate::problem::{Code, Problem, problem};

/// A unit that is READY between two of its ends: so often started again by systemd, and so short a time ago,
/// that it is likely to end again. What a join may take is less.
pub(super) fn dying(situation: &Situation<'_>, host: &str, facts: &Facts) -> Option<String> {
    const RESTARTS: u32 = 3;
    const SHORT: Duration = Duration::from_mins(1);
    let product = situation.rules.product();
    let units = [
        (product.server_unit, &facts.node.server_unit),
        (product.agent_unit, &facts.node.agent_unit),
    ];
    let (name, unit) = units
        .into_iter()
        .find(|(_, unit)| unit.is_ready() && unit.restarts >= RESTARTS)?;
    let ready = facts
        .uptime
        .checked_sub(unit.ready_at)
        .filter(|time| *time < SHORT)?;
    Some(format!(
        "{host}: {name} became READY {} s ago, and systemd had to start it again {} times: it may end again. On the host, \
         this shows why it ended:  journalctl -u {name} --no-pager -n 200",
        ready.as_secs(),
        unit.restarts
    ))
}

/// Which nodes have to be forgotten before their machines join again.
pub(super) fn forget(
    situation: &Situation<'_>,
    topology: &mut Topology,
) -> Result<(), Vec<Problem>> {
    let ClusterState::Running { via } = &topology.state else {
        return Ok(());
    };
    let Some(facts) = situation.facts.get(via) else {
        return Ok(());
    };
    let (mut problems, mut strangers) = (Vec::new(), BTreeMap::new());
    // A snapshot brings the nodes of machines back that are no longer those; the others keep theirs.
    let restores = topology.restore.is_some();
    for (name, spec) in &topology.specs {
        let own = situation.facts.get(name);
        let is_bare = own.is_some_and(|own| !own.node.owns_node);
        let is_new = match spec.role {
            NodeRole::Joining => !restores || is_bare,
            NodeRole::Agent => is_bare,
            NodeRole::Leader | NodeRole::Member => false,
        };
        let Some(node) = facts
            .node
            .nodes
            .iter()
            .find(|node| is_new && node.name == spec.node_name)
        else {
            continue;
        };
        let is_own = |ip| ip == spec.node_ip || own.is_some_and(|own| own.has_address(ip));
        if let Some(other) = node.internal_ip.filter(|ip| !restores && !is_own(*ip)) {
            let problem = stranger(name, node, other, spec.node_ip);
            if node.is_alive() {
                problems.push(problem);
            } else {
                strangers.insert(name.clone(), problem);
            }
        } else if !own.is_some_and(|own| may_be_its_own(&own.node, node)) {
            topology.forget.push(node.clone());
        }
    }
    topology
        .specs
        .retain(|name, _| !strangers.contains_key(name));
    topology.unfit.extend(strangers);
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(())
}

/// Whether a node may be that of the very machine that has no sign of having joined. Hosts are asked
/// one by one: a machine whose unit is up may have registered after it was asked and before the server
/// was. An older node is not its own, unless its unit is READY.
fn may_be_its_own(own: &NodeFacts, node: &ClusterNode) -> bool {
    let units = [&own.server_unit, &own.agent_unit];
    units
        .iter()
        .any(|unit| unit.is_ready() || (unit.is_up() && node.is_young))
}

/// A node of this host's name that belongs to a machine at another address.
fn stranger(host: &str, node: &ClusterNode, other: IpAddr, own: IpAddr) -> Problem {
    let name = &node.name;
    let rename = format!("give {host} another hostname, or set  node_name:  in the inventory");
    let addresses = format!("that one is at {other}, {host} at {own}");
    if node.is_alive() {
        return problem!(
            Code::NODE_NAME_TAKEN,
            host = host,
            "another machine runs as a node under its name, {name}"
        )
        .because(addresses)
        .next(rename);
    }
    problem!(
        Code::NODE_NAME_TAKEN,
        host = host,
        "the cluster has a node under its name, {name}, of a machine that is down now"
    )
    .because(addresses)
    .next(format!("if that machine will come back:  {rename}"))
    .next(format!("if it was {host} before it was set up anew"))
    .command(format!("kubectl delete node {name}"))
}

/// Nodes that are in the cluster and not in the inventory.
pub(super) fn left(situation: &Situation<'_>, topology: &Topology) -> Vec<String> {
    let (ClusterState::Running { via }, true) = (&topology.state, situation.inventory.whole) else {
        return Vec::new();
    };
    let Some(facts) = situation.facts.get(via) else {
        return Vec::new();
    };
    let nodes = facts.node.nodes.iter();
    let others = nodes.filter(|node| host_of(situation, &node.name, node.internal_ip).is_none());
    let renamed = facts.node.nodes.iter().filter_map(|node| {
        let (host, now) = named_anew(situation, node, &facts.node.nodes)?;
        let then = if node.voter.is_some() {
            format!("its member of etcd is still this machine's, so leave it; to go back, on {host}:  hostnamectl set-hostname {} && systemctl restart {}", node.name, situation.rules.product().server_unit)
        } else {
            format!("to remove it:  kubectl delete node {}", node.name)
        };
        Some(format!(
            "node {} is {host} under its old name, and its node is {now} now; {then}",
            node.name
        ))
    });
    others
        .map(|node| match node.voter {
            Some(_) => format!(
                "node {} is a server of the cluster and not in the inventory; towline leaves it alone",
                node.name
            ),
            None => format!(
                "node {} is in the cluster and not in the inventory; towline leaves it alone. To remove it: kubectl drain {0} --ignore-daemonsets && kubectl delete node {0}",
                node.name
            ),
        })
        .chain(renamed)
        .collect()
}

/// The host that a node was, and the name of its node now: its hostname was changed, and it
/// has started since.
fn named_anew<'a>(
    situation: &Situation<'a>,
    node: &ClusterNode,
    nodes: &[ClusterNode],
) -> Option<(&'a str, String)> {
    // Behind a NAT that is the same on every machine, an address says nothing of whose node it is.
    let has = |facts: &Facts| node.internal_ip.is_some_and(|ip| facts.has_address(ip));
    let is_anothers = situation
        .reached()
        .any(|(host, facts)| facts.node.joined && situation.node_name(host, facts) == node.name);
    if is_anothers || situation.reached().filter(|(_, facts)| has(facts)).count() > 1 {
        return None;
    }
    let mut hosts = situation.reached();
    hosts.find_map(|(host, facts)| {
        let now = situation.node_name(host, facts);
        let is_its_own = facts.node.joined && has(facts);
        let is_there = nodes.iter().any(|other| other.name == now);
        (is_its_own && is_there && now != node.name).then_some((&*host.name, now))
    })
}
