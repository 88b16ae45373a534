//! The rules of an upgrade: which hosts get the new version, in what state the cluster has to be, and
//! whose pods are moved first. Pure.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use super::check::{named, reset_line};
use super::{ClusterState, NodeRole, Situation, Topology};
use crate::facts::{ClusterNode, Datastore};
use crate::inventory::Host;
use crate::problem::{Code, Problem, problem};

/// The label of a node that an upgrade has cordoned, so that a later run of it knows which ones it
/// uncordons.
pub const CORDONED: &str = "towline/cordoned";

/// When the pods of a node are moved before its host is upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// Always.
    Always,
    /// Never.
    Never,
    /// Only to another minor version of Kubernetes: its kubelet may start containers anew. Containers run on while a
    /// patch release is put in.
    Minor,
}

/// How an upgrade is to go.
#[derive(Debug, Clone, Copy)]
pub struct UpgradePolicy {
    /// Whether pods are moved first.
    pub drain: Drain,
    /// How long that may take for a node.
    pub drain_timeout: Duration,
    /// So many agents are upgraded at once: a number, or a percentage of all agents of the inventory.
    pub max_unavailable: MaxUnavailable,
    /// Whether the data is saved first.
    pub snapshot: bool,
}

/// A number of agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxUnavailable {
    /// So many.
    Count(usize),
    /// Of a hundred; rounded down, and at least one.
    Percent(usize),
}

/// What an upgrade does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeOrder {
    /// The hosts of which something is to be done for it, by name.
    pub hosts: BTreeMap<String, HostUpgrade>,
    /// So many agents are upgraded at once.
    pub at_once: usize,
    /// How long the pods of a node may take to move.
    pub drain_timeout: Duration,
    /// Whether a snapshot of etcd is taken first.
    pub snapshot: bool,
    /// Whether the server's data in sqlite is copied before it is restarted.
    pub copy: bool,
}

/// What an upgrade does to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostUpgrade {
    /// The version that runs there.
    pub from: String,
    /// Whether its binary is replaced.
    pub replaces: bool,
    /// Whether the pods of its node are moved first.
    pub drains: bool,
    /// Whether its node takes pods again afterwards.
    pub uncordons: bool,
}

/// Decides what an upgrade to `version` does. What has not joined yet is taken out of the topology, and waits.
///
/// # Errors
/// Everything that has to be otherwise first.
pub fn upgrade(
    situation: &Situation<'_>,
    topology: &mut Topology,
    version: &str,
    policy: UpgradePolicy,
) -> Result<UpgradeOrder, Vec<Problem>> {
    let via = match &topology.state {
        ClusterState::Running { via } => via.clone(),
        state => return Err(vec![not_running(situation, state)]),
    };
    let nodes = situation.facts.get(&via);
    let nodes = nodes.map_or(&[][..], |facts| &facts.node.nodes);
    let mut problems = skew(situation, topology, nodes, version);
    problems.extend(health(situation, nodes));
    let mut hosts = BTreeMap::new();
    let mut later = Vec::new();
    // The pods of a node that is alone have nowhere to go.
    let has_others = nodes.len() > 1;
    for (name, spec) in &topology.specs {
        let Some(facts) = situation.facts.get(name) else {
            continue;
        };
        if spec.role == NodeRole::Joining || (spec.role == NodeRole::Agent && !facts.node.joined) {
            later.push(name.clone());
            continue;
        }
        let node = nodes.iter().find(|node| node.name == spec.node_name);
        let binary = facts.node.version.as_deref().unwrap_or_default();
        let from = running(node, binary, version);
        let replaces = binary != version;
        let is_behind = replaces || from != version;
        let crosses = minor(from) != minor(version);
        let drains = match policy.drain {
            Drain::Always => true,
            Drain::Never => false,
            Drain::Minor => crosses,
        };
        let is_cordoned = node.is_some_and(|node| node.labels.contains_key(CORDONED));
        if is_behind || is_cordoned {
            let drains = drains && is_behind && node.is_some() && has_others;
            let from = from.to_owned();
            hosts.insert(
                name.clone(),
                HostUpgrade {
                    from,
                    replaces,
                    drains,
                    uncordons: drains || is_cordoned,
                },
            );
        }
    }
    if !later.is_empty() {
        topology.specs.retain(|name, _| !later.contains(name));
        topology.notes.push(format!(
            "not in the cluster yet, so left to the next deploy: {}",
            later.join(", ")
        ));
    }
    let oldest = hosts.values().map(|host| &*host.from);
    let oldest = oldest.min_by(|one, other| {
        let order = situation.rules.version_order(one, other);
        order.unwrap_or(Ordering::Equal)
    });
    if let Some(oldest) = oldest.filter(|oldest| *oldest != version) {
        let (refused, told) = situation.rules.breakers(oldest, version);
        problems.extend(refused);
        topology.notes.extend(told);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let restarts_servers = hosts.iter().any(|(name, host)| {
        host.from != version && situation.inventory.host(name).is_some_and(Host::is_server)
    });
    let has = |datastore| {
        let mut servers = situation.servers();
        servers.any(|(_, facts)| facts.node.datastore == Some(datastore))
    };
    let saves = policy.snapshot && restarts_servers;
    if saves && situation.inventory.cluster.datastore_endpoint.is_some() {
        topology.notes.push(
            "the datastore is not part of the cluster: back it up with its own tools first".into(),
        );
    }
    if restarts_servers {
        topology.notes.extend(quorum(nodes));
    }
    let agents = situation.inventory.hosts.iter();
    let agents = agents.filter(|host| !host.is_server()).count();
    Ok(UpgradeOrder {
        hosts,
        at_once: match policy.max_unavailable {
            MaxUnavailable::Count(count) => count,
            MaxUnavailable::Percent(percent) => (agents * percent / 100).max(1),
        },
        drain_timeout: policy.drain_timeout,
        snapshot: saves && has(Datastore::Etcd),
        copy: saves && has(Datastore::Sqlite),
    })
}

/// The version that a host runs: what its kubelet says, or where it has no node its binary. k0s's kubelet says
/// `v1.36.3+k0s` in every release, and in a build of one's own `v1.36.3`.
pub(super) fn running<'a>(
    node: Option<&'a ClusterNode>,
    binary: &'a str,
    version: &'a str,
) -> &'a str {
    let Some(said) = node.map(|node| &*node.version) else {
        return binary;
    };
    let is_same = |one: &&str| {
        let rest = one.strip_prefix(said);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '+']))
    };
    [version, binary].into_iter().find(is_same).unwrap_or(said)
}

/// The minor version of Kubernetes.
pub(super) fn minor(version: &str) -> Option<u64> {
    version.split('.').nth(1)?.parse().ok()
}

fn not_running(situation: &Situation<'_>, state: &ClusterState) -> Problem {
    let said = match state {
        ClusterState::New { .. } => "there is no cluster yet",
        ClusterState::Down => "no server of the cluster is READY",
        ClusterState::Elsewhere => "the servers of the cluster are not in the inventory",
        ClusterState::Running { .. } | ClusterState::Unknown => {
            "no server that answers for the cluster was reached"
        }
    };
    let problem = Problem::new(Code::UPGRADE_REFUSED, said);
    match state {
        ClusterState::Elsewhere => {
            problem.because("agents are never newer than servers, whose version is not known here")
        }
        _ => problem
            .next("to make the cluster run")
            .command(format!("towline deploy {}", named(situation.inventory))),
    }
}

/// Versions between which Kubernetes does not go: back, over a minor version, agents before servers.
fn skew(
    situation: &Situation<'_>,
    topology: &Topology,
    nodes: &[ClusterNode],
    version: &str,
) -> Vec<Problem> {
    let rules = situation.rules;
    let mut problems = Vec::new();
    let (mut newer, mut skipping, mut behind) = (Vec::new(), Vec::new(), Vec::new());
    let changes_agents = topology
        .specs
        .values()
        .any(|spec| spec.role == NodeRole::Agent);
    for (host, facts) in situation.reached() {
        let binary = facts.node.version.as_deref().unwrap_or_default();
        if !facts.node.joined && facts.node.datastore.is_none() {
            continue;
        }
        let name = situation.node_name(host, facts);
        let node = nodes.iter().find(|node| node.name == name);
        let runs = running(node, binary, version);
        let told = format!("{} runs {runs}", host.name);
        if rules.version_order(runs, version) == Some(Ordering::Greater) {
            newer.push(told);
        } else if host.is_server() {
            let minors = (minor(runs), minor(version));
            if let (Some(from), Some(to)) = minors
                && to > from + 1
            {
                skipping.push((from, told.clone()));
            }
            if runs != version && !situation.selected.contains(&host.name) && changes_agents {
                behind.push(told);
            }
        }
    }
    if !newer.is_empty() {
        let what = format!("{version} is older than what runs");
        let problem = newer
            .into_iter()
            .fold(Problem::new(Code::VERSION_OLDER, what), Problem::because);
        problems.push(
            problem
                .because("Kubernetes does not go back to an older version")
                .next("name a version that no host is newer than"),
        );
    }
    if let Some(from) = skipping.iter().map(|(from, _)| *from).min() {
        let what = format!("{version} is more than one minor version ahead");
        let told = skipping.into_iter().map(|(_, told)| told);
        let problem = told.fold(
            Problem::new(Code::MINOR_VERSION_SKIPPED, what),
            Problem::because,
        );
        problems.push(
            problem
                .because("Kubernetes goes from one minor version to the next")
                .next(format!(
                    "upgrade to the latest release of v1.{} first",
                    from + 1
                )),
        );
    }
    if !behind.is_empty() {
        let what = "agents are never newer than a server, and --limit leaves servers out";
        let problem = behind
            .into_iter()
            .fold(Problem::new(Code::UPGRADE_REFUSED, what), Problem::because);
        problems.push(problem.next("upgrade the servers first, or leave out --limit"));
    }
    problems
}

/// What is not as it has to be before servers are restarted one by one.
fn health(situation: &Situation<'_>, nodes: &[ClusterNode]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for host in situation.inventory.servers() {
        let Some(facts) = situation.facts.get(&host.name) else {
            problems.push(
                problem!(
                    Code::UPGRADE_REFUSED,
                    host = &host.name,
                    "this server was not reached, and agents are never newer than a server"
                )
                .next("bring it back, or take it out of the cluster")
                .command(reset_line(situation, &host.name)),
            );
            continue;
        };
        if facts.node.datastore.is_none() {
            continue;
        }
        let name = situation.node_name(host, facts);
        let node = nodes.iter().find(|node| node.name == name);
        let said = match node {
            Some(node) if !node.is_alive() => "its node is not Ready",
            Some(node) if node.voter == Some(false) => "it is no voting member of etcd",
            _ if !facts.node.server_unit.is_ready() => "it does not run, or is not READY",
            _ => continue,
        };
        problems.push(
            problem!(Code::UPGRADE_REFUSED, host = &host.name, "{said}")
                .because("servers are upgraded one by one, while all others are well")
                .next("on the host, these show why; bring it back first")
                .on_host(format!(
                    "systemctl status {0} --no-pager; journalctl -u {0} -n 50 --no-pager",
                    situation.rules.product().server_unit
                )),
        );
    }
    problems
}

/// The arithmetic of the quorum, in a sentence.
fn quorum(nodes: &[ClusterNode]) -> Option<String> {
    let voters = nodes.iter().filter(|node| node.voter == Some(true)).count();
    let needed = voters / 2 + 1;
    match voters {
        0 => None,
        1 | 2 => Some(format!(
            "etcd has {voters} of {voters} members voting and needs {needed}: while a server restarts, the API does not answer"
        )),
        _ => Some(format!(
            "etcd has {voters} members, and {voters} vote: while one server restarts {} vote, and {needed} are needed",
            voters - 1
        )),
    }
}
