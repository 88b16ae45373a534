//! Members of etcd: which of them are up, and whether one more may stop.

use std::net::IpAddr;

use super::{ClusterState, NodeRole, Situation, Topology};
use crate::facts::{Datastore, NodeFacts, Voter};
use crate::inventory::Host;
use crate::kubernetes::kubeconfig::server_url;

/// The port at which members of etcd reach each other.
pub const PEER_PORT: u16 = 2380;

/// The host of the inventory that is the node of this name, or the server at this address.
pub fn host_of<'a>(
    situation: &Situation<'a>,
    node: &str,
    address: Option<IpAddr>,
) -> Option<&'a Host> {
    situation.inventory.hosts.iter().find(|host| {
        let Some(facts) = situation.facts.get(&host.name) else {
            let private = host.private_address.as_ref().map(|setting| setting.value);
            let named = host
                .node_name
                .as_ref()
                .map_or(&host.name, |name| &name.value);
            return named.to_lowercase() == node
                || (address.is_some()
                    && (private == address || host.address.parse().ok() == address));
        };
        situation.node_name(host, facts) == node || address.is_some_and(|ip| facts.has_address(ip))
    })
}

/// The voters of etcd as a server tells them, each with whether it is known to be up. Where etcd did
/// not say, the host itself is believed first, since the cluster calls a node Ready for 40 s after
/// its power failed; one that was not reached is taken for down.
pub(super) fn voters(situation: &Situation<'_>, told: &NodeFacts) -> Vec<(String, bool)> {
    let runs = |voter: &Voter| {
        host_of(situation, &voter.name, voter.address).is_none_or(|host| {
            situation
                .facts
                .get(&host.name)
                .is_some_and(|facts| facts.node.server_unit.is_ready())
        })
    };
    let voters = told.voters().into_iter();
    voters
        .map(|voter| {
            let up = voter.is_up() && (voter.answers.is_some() || runs(&voter));
            (voter.name, up)
        })
        .collect()
}

/// The servers that run in a cluster that is down, and what the user should know of them.
pub(super) fn api_unresponsive(situation: &Situation<'_>, topology: &mut Topology) {
    if topology.state != ClusterState::Down {
        return;
    }
    let members = topology.specs.iter();
    let members: Vec<_> = members
        .filter(|(_, spec)| spec.role == NodeRole::Member)
        .map(|(name, _)| name.clone())
        .collect();
    for name in &members {
        let facts = situation.facts.get(name);
        if facts.is_some_and(|facts| facts.node.server_unit.is_ready()) {
            topology.api_unresponsive.insert(name.clone());
        }
    }
    let product = situation.rules.product().name;
    if topology.api_unresponsive.len() < members.len() {
        topology.notes.extend(topology.api_unresponsive.iter().map(|name| {
            format!("{name}: {product} runs here, and its API does not answer; it is looked at again when the servers that are down have been started")
        }));
    }
}

/// What is known at once of a cluster that does not answer, when the servers whose data was reached are
/// not more than half of the inventory's: they cannot answer alone, if the others were members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outnumbered {
    /// How many of which servers are needed, in a sentence.
    pub needed: String,
    /// What is left to do, each in a sentence.
    pub left: Vec<String>,
    /// Servers that were not reached: the name, and where its etcd serves other members.
    pub awaited: Vec<(String, String)>,
}

impl Outnumbered {
    /// All of it, for one who reads it before anything is waited for.
    pub(super) fn note(&self) -> String {
        let left = self.left.iter().map(|left| format!("; {left}"));
        format!(
            "the cluster does not answer: {}{}",
            self.needed,
            left.collect::<String>()
        )
    }
}

pub(super) fn outnumbered(situation: &Situation<'_>, topology: &Topology) -> Option<Outnumbered> {
    if topology.state != ClusterState::Down {
        return None;
    }
    let servers: Vec<_> = situation.inventory.servers().collect();
    let (mut there, mut off, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for host in &servers {
        match situation.facts.get(&host.name) {
            Some(facts) if facts.node.datastore == Some(Datastore::Etcd) => there.push(&*host.name),
            Some(_) => bare.push(&*host.name),
            None => off.push(*host),
        }
    }
    let needed = servers.len() / 2 + 1;
    if there.is_empty() || there.len() >= needed {
        return None;
    }
    let all: Vec<_> = servers.iter().map(|host| &*host.name).collect();
    let mut left = Vec::new();
    if !off.is_empty() {
        let names: Vec<_> = off.iter().map(|host| &*host.name).collect();
        left.push(format!(
            "switch on {}, then run the same command again",
            names.join(" or ")
        ));
    }
    if !bare.is_empty() {
        let one = if bare.len() == 1 {
            "has no data and joins"
        } else {
            "have no data and join"
        };
        left.push(format!(
            "{} {one} when the cluster answers",
            bare.join(", ")
        ));
    }
    let awaited = off.iter().map(|host| {
        let private = host
            .private_address
            .as_ref()
            .map(|private| private.value.to_string());
        let address = private.unwrap_or_else(|| host.address.clone());
        (host.name.clone(), server_url(&address, PEER_PORT))
    });
    Some(Outnumbered {
        needed: format!(
            "etcd needs more than half of its members, {needed} of {}, and only {} was reached with its data",
            all.join(", "),
            there.join(", ")
        ),
        left,
        awaited: awaited.collect(),
    })
}

/// Why no healthy member may be restarted: others are down that this run cannot start, and without
/// one more etcd would have no quorum. Members that this run starts go first and do not count;
/// those that join again come later and do.
pub(super) fn quorum_at_risk(situation: &Situation<'_>, topology: &Topology) -> Option<String> {
    let ClusterState::Running { via } = &topology.state else {
        return None;
    };
    let facts = situation.facts.get(via)?;
    let voters = voters(situation, &facts.node);
    let is_started = |name: &str| {
        let mut specs = topology.specs.values();
        specs.any(|spec| spec.role == NodeRole::Member && spec.node_name == name)
    };
    let down: Vec<&str> = voters
        .iter()
        .filter(|(name, up)| !up && !is_started(name))
        .map(|(name, _)| name.as_str())
        .collect();
    let up = voters.len() - down.len();
    let quorum = voters.len() / 2 + 1;
    (!down.is_empty() && up.saturating_sub(1) < quorum).then(|| {
        format!(
            "{} of {} servers down ({}): no other server is restarted now, since etcd would lose quorum",
            down.len(),
            voters.len(),
            down.join(", ")
        )
    })
}
