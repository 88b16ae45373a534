//! Taking machines out of a cluster, or a cluster apart: who goes when, who lets them go, and what is
//! refused.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::address::{addresses, is_vouched_for};
use super::authority::other_clusters;
use super::check::{lacks_commands, no_systemd};
use super::choose::Choice;
use super::members::{host_of, voters};
use super::needs::other_kubernetes;
use super::successor::{Successor, successors};
use super::{Folders, Situation};
use crate::facts::{ClusterNode, Datastore, Facts};
use crate::inventory::Host;
use crate::problem::{Code, Problem, problem};
use crate::shell::quote;

/// What a reset does, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResetOrder {
    /// The server that drains and deletes nodes, where one is READY.
    pub via: Option<String>,
    /// Hosts that go together; each group when the one before it has gone.
    pub waves: Vec<Wave>,
    /// Whether no server stays: then it no longer matters what etcd and the API think.
    pub whole: bool,
    /// Hosts that cannot be reset as they are, with the words for it.
    pub unfit: BTreeMap<String, Problem>,
    /// What the firewall may have been asked to let in: the addresses of all nodes.
    pub siblings: Vec<IpAddr>,
    /// Where the distribution and its kubelet have their data.
    pub folders: BTreeMap<String, Folders>,
    /// Hosts that stay and name a server that goes.
    pub successors: Vec<Successor>,
    /// Things that the user should know.
    pub notes: Vec<String>,
}

/// Hosts that go together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wave {
    /// What they are, for people.
    pub name: String,
    /// The hosts.
    pub hosts: Vec<String>,
    /// Nodes whose pods are moved away first.
    pub drain: Vec<String>,
    /// Nodes that are deleted when they are stopped.
    pub nodes: Vec<String>,
    /// What its hosts are called in the cluster, whether they have a node or not.
    pub names: Vec<String>,
    /// Whether the rest must not go on when this fails: etcd would lose its quorum.
    pub careful: bool,
}

/// A host that goes.
struct Going<'a> {
    host: &'a Host,
    facts: &'a Facts,
    node: Option<&'a ClusterNode>,
}

impl Going<'_> {
    fn runs(&self) -> bool {
        self.facts.node.server_unit.is_ready() || self.facts.node.agent_unit.is_ready()
    }

    /// The host, in a wave that drains and deletes its node.
    fn leaves(&self, situation: &Situation<'_>, wave: &mut Wave, whole: bool) {
        if self.facts.node.joined || self.facts.node.datastore.is_some() {
            wave.names.push(situation.node_name(self.host, self.facts));
        }
        let Some(node) = self.node else { return };
        if !whole && self.runs() && node.is_alive() {
            wave.drain.push(node.name.clone());
        }
        wave.nodes.push(node.name.clone());
    }
}

/// Decides how the selected hosts are reset.
///
/// # Errors
/// The hosts belong to different clusters; the servers that stay would lose their quorum, or agents
/// that stay their servers.
pub fn reset(situation: &Situation<'_>) -> Result<ResetOrder, Vec<Problem>> {
    if let Some(problem) = other_clusters(situation) {
        return Err(vec![problem]);
    }
    let mut plan = ResetOrder::default();
    let selected = |host: &Host| situation.selected.contains(&host.name);
    let mut left: BTreeMap<Vec<String>, Vec<&str>> = BTreeMap::new();
    let choice = Choice::of(situation);
    let product = situation.rules.product().name;
    for (host, facts) in situation.reached() {
        if let Ok(addresses) = addresses(situation, &choice, host, facts) {
            let own = addresses.own();
            let own = own.filter(|address| is_vouched_for(situation, host, facts, *address));
            plan.siblings.extend(own);
        }
        if !selected(host) {
            continue;
        }
        let told = situation.rules.folders(facts);
        if let Some(why) = told.unread {
            plan.notes.push(format!(
                "{}: {why}; what {product} has elsewhere than in {} stays",
                host.name, told.folders.data
            ));
        }
        if !told.left.is_empty() {
            left.entry(told.left).or_default().push(&host.name);
        }
        plan.folders.insert(host.name.clone(), told.folders);
        if let Some(problem) = unfit(situation, host, facts) {
            plan.unfit.insert(host.name.clone(), problem);
        }
    }
    for (paths, hosts) in left {
        plan.notes.push(format!(
            "{}: left as it is: {}",
            hosts.join(", "),
            paths.join(", ")
        ));
    }
    let live: Vec<_> = situation
        .reached()
        .filter(|(host, facts)| facts.serves() && !plan.unfit.contains_key(&host.name))
        .collect();
    // One that stays, else the one that goes last.
    let via = live
        .iter()
        .find(|(host, _)| !selected(host))
        .or(live.last())
        .copied();
    plan.via = via.map(|(host, _)| host.name.clone());
    let nodes = via.map_or(&[][..], |(_, facts)| &facts.node.nodes);
    let going: Vec<_> = situation
        .reached()
        .filter(|(host, _)| selected(host) && !plan.unfit.contains_key(&host.name))
        .map(|(host, facts)| {
            // A machine of the same name somewhere else is not this one.
            let node = nodes.iter().find(|node| {
                node.name == situation.node_name(host, facts)
                    && node.internal_ip.is_none_or(|ip| facts.has_address(ip))
            });
            Going { host, facts, node }
        })
        .collect();
    let stay = staying(situation, nodes);
    plan.whole = stay.is_empty();
    let had_server = going.iter().any(|one| is_server(one.host, one.facts));
    let has_node = |one: &Going<'_>| one.facts.node.joined || one.facts.node.datastore.is_some();
    if plan.whole && had_server && going.iter().any(has_node) {
        orphans(situation)?;
    }
    if via.is_none() && !plan.whole && going.iter().any(has_node) {
        let names: Vec<_> = going
            .iter()
            .map(|one| quote(&situation.node_name(one.host, one.facts)))
            .collect();
        plan.notes.push(format!(
            "no server of the cluster is READY: its nodes cannot be drained and deleted, the hosts are reset all the same. When one is: kubectl delete node {}",
            names.join(" ")
        ));
    }
    let voters = via.map_or_else(Vec::new, |(_, facts)| voters(situation, &facts.node));
    waves(situation, &mut plan, going, &voters, &stay)?;
    plan.successors = successors(situation);
    Ok(plan)
}

/// Agents first, then servers one by one while the others keep quorum, then the others together.
fn waves(
    situation: &Situation<'_>,
    plan: &mut ResetOrder,
    going: Vec<Going<'_>>,
    voters: &[(String, bool)],
    stay: &[String],
) -> Result<(), Vec<Problem>> {
    let (mut servers, agents): (Vec<_>, Vec<_>) = going
        .into_iter()
        .partition(|one| is_server(one.host, one.facts));
    let mut wave = Wave {
        name: "agents".into(),
        ..Wave::default()
    };
    for one in &agents {
        wave.hosts.push(one.host.name.clone());
        one.leaves(situation, &mut wave, plan.whole);
    }
    plan.waves.extend((!wave.hosts.is_empty()).then_some(wave));
    // One that is down costs no vote that counts; the one that deletes the others goes last.
    servers.sort_by_key(|one| (plan.via.as_ref() == Some(&one.host.name), one.runs()));
    let mut quorum = Membership::of(situation, voters);
    let now = (quorum.members, quorum.up);
    let mut rest = Wave {
        name: "servers".into(),
        ..Wave::default()
    };
    let mut lost = Vec::new();
    for one in servers {
        let name = one.host.name.clone();
        let is_via = plan.via.as_ref() == Some(&name);
        let node_name = situation.node_name(one.host, one.facts);
        let voter = voters.iter().find(|(voter, _)| *voter == node_name);
        let (member, up) = match (&plan.via, voter) {
            (Some(_), None) => (false, false),
            (Some(_), Some((_, up))) => (true, *up),
            (None, _) => {
                let has_data = one.facts.node.datastore == Some(Datastore::Etcd);
                (has_data, has_data)
            }
        };
        let leaves_etcd = member && situation.rules.product().leaves_etcd;
        let keeps = quorum.without(up, leaves_etcd && plan.via.is_some() && !is_via);
        // The cluster keeps more of such a server than its node, which it may not have.
        let is_known = leaves_etcd
            || situation.rules.product().leaves_etcd
                && one.facts.node.datastore == Some(Datastore::External);
        let deleted = plan.via.is_some() && !is_via && (one.node.is_some() || is_known);
        if plan.whole && !(deleted && keeps && rest.hosts.is_empty()) {
            rest.hosts.push(name);
            continue;
        }
        if !keeps {
            lost.push(name);
            continue;
        }
        quorum.leave(up, member && deleted);
        let mut wave = Wave {
            name: name.clone(),
            hosts: vec![name],
            careful: !plan.whole,
            ..Wave::default()
        };
        if deleted {
            one.leaves(situation, &mut wave, plan.whole);
        } else if is_via {
            plan.notes.push(format!(
                "{0} is the only server that is READY and reached, and cannot delete its own node. Afterwards: kubectl delete node {1}",
                wave.name,
                quote(&node_name)
            ));
        }
        plan.waves.push(wave);
    }
    plan.waves.extend((!rest.hosts.is_empty()).then_some(rest));
    if lost.is_empty() {
        return Ok(());
    }
    Err(vec![
        problem!(Code::NO_QUORUM, "without {}, the servers that stay ({}) would lose their quorum",
            lost.join(", "),
            stay.join(", "))
        .because(format!("etcd has {} members, {} of them up", now.0, now.1))
        .because(if situation.rules.product().leaves_etcd {
            "a server that runs leaves etcd before it is stopped, and more than half of the members that stay have to be up then"
        } else {
            "a server is stopped before its member is removed, and more than half of the members have to be up then"
        })
        .next("deploy another server first, or reset fewer servers at once")
        .next("without --limit, the whole cluster is reset"),
    ])
}

/// How many members etcd has, and how many of them are up.
struct Membership {
    members: usize,
    up: usize,
}

impl Membership {
    fn of(situation: &Situation<'_>, voters: &[(String, bool)]) -> Self {
        if !voters.is_empty() {
            return Self {
                members: voters.len(),
                up: voters.iter().filter(|(_, up)| *up).count(),
            };
        }
        // No server can be asked: what has data is taken for a member that may come back, what was not
        // reached for one that is down.
        let hosts = situation.inventory.hosts.iter();
        let members = hosts.filter(|host| match situation.facts.get(&host.name) {
            Some(facts) => facts.node.datastore == Some(Datastore::Etcd),
            None => host.is_server(),
        });
        let has_data = |facts: &Facts| facts.node.datastore == Some(Datastore::Etcd);
        Self {
            members: members.count(),
            up: situation
                .reached()
                .filter(|(_, facts)| has_data(facts))
                .count(),
        }
    }

    /// Whether more than half of the members are up when one more is stopped, which counts no more where
    /// it was removed before.
    fn without(&self, up: bool, removed: bool) -> bool {
        let members = self.members - usize::from(removed && self.members > 0);
        // One that is down takes no vote along.
        !up || self.up.saturating_sub(1) > members / 2
    }

    fn leave(&mut self, up: bool, removed: bool) {
        self.up -= usize::from(up && self.up > 0);
        self.members -= usize::from(removed && self.members > 0);
    }
}

/// The servers that stay, by name: outside the limit with data or not reached, or known to the
/// cluster alone.
fn staying(situation: &Situation<'_>, nodes: &[ClusterNode]) -> Vec<String> {
    let hosts = situation.inventory.hosts.iter();
    let outside = hosts.filter(|host| !situation.selected.contains(&host.name));
    let mut stay: Vec<_> = outside
        .filter(|host| match situation.facts.get(&host.name) {
            Some(facts) => facts.node.datastore.is_some(),
            None => host.is_server(),
        })
        .map(|host| host.name.clone())
        .collect();
    let unknown = nodes.iter().filter(|node| {
        node.voter.is_some() && host_of(situation, &node.name, node.internal_ip).is_none()
    });
    stay.extend(unknown.map(|node| node.name.clone()));
    stay
}

/// Agents that stay need a server.
fn orphans(situation: &Situation<'_>) -> Result<(), Vec<Problem>> {
    let hosts = situation.inventory.hosts.iter();
    let left: Vec<_> = hosts
        .filter(|host| !situation.selected.contains(&host.name))
        .filter(|host| {
            situation
                .facts
                .get(&host.name)
                .is_none_or(|facts| facts.node.joined)
        })
        .map(|host| host.name.as_str())
        .collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(vec![
        problem!(
            Code::NO_SERVER_LEFT,
            "no server would be left, and {} would have none to belong to",
            left.join(", ")
        )
        .because("--limit names all servers and not all agents")
        .next("name them as well, or leave out --limit: the whole cluster is reset then"),
    ])
}

/// What a host is by what is on it, and by the inventory when there is nothing.
fn is_server(host: &Host, facts: &Facts) -> bool {
    let node = &facts.node;
    let server = node.datastore.is_some() || node.server_unit.exists();
    server || (host.is_server() && !node.agent_unit.exists())
}

/// Why a host cannot be reset as it is.
fn unfit(situation: &Situation<'_>, host: &Host, facts: &Facts) -> Option<Problem> {
    no_systemd(host, facts)
        .or_else(|| lacks_commands(host, facts))
        .or_else(|| other_kubernetes(situation, host, facts))
}
