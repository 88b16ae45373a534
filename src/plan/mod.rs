//! From the topology of a cluster to a plan: stages of lanes of steps. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::artifacts::{Architecture, BinaryArtifact};
use crate::cluster::{ClusterState, NodeRole, Situation, Topology};
use crate::facts::Datastore;
use crate::inventory::{Host, Join};
use crate::playbook::{Book, NamedTask, Selector, Strategy};
use crate::problem::{Advice, AdviceKind, Problem};
use crate::task::{Quorum, Task};

mod context;
mod guard;
mod judge;
mod reached;
mod reset;
mod restore;

pub use guard::{Guard, MemberStop};
pub use judge::{Judged, JudgedStep, judge};
pub use reached::PeerCheck;
pub use reset::reset;
pub use restore::restore;

/// What is to be done, in order.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The stages; each begins when the one before it has ended.
    pub stages: Vec<Stage>,
    /// The stage after which the hosts have to be asked again and the rest planned anew, because
    /// only a running server knows what the rest depends on.
    pub replan_after: Option<usize>,
    /// Whether nothing follows a stage in which a host fails.
    pub stops: bool,
}

/// A barrier: every lane of it ends before the next stage begins.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its name, as plans and reports show it.
    pub name: String,
    /// In what order its lanes go.
    pub order: Order,
    /// One per host.
    pub lanes: Vec<Lane>,
    /// Hosts of it that must not be changed now, with the reason; a lane with nothing to do is not
    /// touched by it.
    pub held: BTreeMap<String, String>,
}

/// In what order the lanes of a stage go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// All together.
    Parallel,
    /// All together, and without one that succeeds nothing after this stage can be done.
    Essential,
    /// One by one; a failure ends it.
    Serial,
    /// So many at once.
    Batches(usize),
    /// So many at once; after a failure no further one begins.
    Rolling(usize),
}

/// One host's steps in a stage.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Name of the host.
    pub host: String,
    /// What is to be so, in order.
    pub steps: Vec<Step>,
}

/// One task with its name.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name, as plans and reports show it.
    pub name: String,
    /// The task.
    pub task: Task,
    /// What is asked before its task stops something.
    pub guard: Option<Guard>,
    /// Who has to reach the host before its task starts something there.
    pub reached: Option<PeerCheck>,
    /// The host that is asked and does it, where it is another one than the lane's. Where it stands in a plan it is to be
    /// done: that host is not asked beforehand, for all lanes there may be.
    pub delegated_to: Option<String>,
    /// What to do where it fails, beside what it says itself.
    pub recovery: Vec<Advice>,
}

impl Plan {
    /// The steps of a host over all stages, as (stage, step) indices with the step.
    pub fn steps_of<'a>(&'a self, host: &'a str) -> impl Iterator<Item = (usize, usize, &'a Step)> {
        self.stages
            .iter()
            .enumerate()
            .flat_map(move |(stage, content)| {
                let lanes = content.lanes.iter().filter(move |lane| lane.host == host);
                lanes.flat_map(move |lane| {
                    lane.steps
                        .iter()
                        .enumerate()
                        .map(move |(index, step)| (stage, index, step))
                })
            })
    }
}

/// Builds the plan.
///
/// `binaries` holds the distribution's binary by architecture.
///
/// # Errors
/// A playbook or template that does not fit.
pub fn build(
    situation: &Situation<'_>,
    topology: &Topology,
    book: &Book,
    binaries: &BTreeMap<Architecture, BinaryArtifact>,
) -> Result<Plan, Problem> {
    let mut plan = Plan {
        stages: Vec::new(),
        replan_after: None,
        stops: topology.upgrade.is_some(),
    };
    for stage in &book.stages {
        let mut lanes = Vec::new();
        for host in &situation.inventory.hosts {
            if !takes_part(stage.hosts, &host.name, topology) {
                continue;
            }
            let Some(facts) = situation.facts.get(&host.name) else {
                continue;
            };
            let Some(binary) = facts
                .release_architecture()
                .and_then(|name| binaries.get(&name))
            else {
                continue;
            };
            let context: Value = context::context(situation, topology, host, facts, binary);
            let tasks = book.tasks(&stage.playbook, &context, binary)?;
            // One that joins, or makes the cluster, is no member yet.
            let spec = topology.specs.get(&host.name);
            let guard = spec
                .filter(|_| stage.hosts == Selector::Members)
                .and_then(|spec| {
                    Guard::new(
                        situation,
                        &host.name,
                        spec.node_name.clone(),
                        MemberStop::Restart,
                    )
                });
            let reached = (stage.hosts == Selector::Joining)
                .then(|| PeerCheck::new(situation, topology, &host.name))
                .flatten();
            let steps: Vec<_> = tasks
                .into_iter()
                .map(
                    |NamedTask {
                         name,
                         mut task,
                         is_delegated,
                     }| {
                        if let (Task::Service(service), Some(few)) =
                            (&mut task, &topology.outnumbered)
                        {
                            service.quorum = Some(Quorum {
                                needed: few.needed.clone(),
                                left: few.left.clone(),
                                awaited: few.awaited.clone(),
                            });
                        }
                        let starts = matches!(task, Task::Service(_));
                        Step {
                            name,
                            task,
                            guard: guard.clone(),
                            reached: reached.clone().filter(|_| starts),
                            delegated_to: topology
                                .answering_server()
                                .filter(|_| is_delegated)
                                .map(str::to_owned),
                            recovery: if starts {
                                recovery(situation, topology, &host.name)
                            } else {
                                Vec::new()
                            },
                        }
                    },
                )
                .collect();
            if !steps.is_empty() {
                lanes.push(Lane {
                    host: host.name.clone(),
                    steps,
                });
            }
        }
        if lanes.is_empty() {
            continue;
        }
        let mut order = order(stage.strategy, situation, topology);
        if let (Order::Batches(_), Some(upgrade)) = (order, &topology.upgrade) {
            order = Order::Rolling(upgrade.at_once);
        }
        if stage.hosts == Selector::Members {
            // Those that are down come first: restarting a healthy one beside them costs quorum.
            lanes.sort_by_key(|lane| is_ready(situation, &lane.host));
            let is_silent = |lane: &Lane| topology.api_unresponsive.contains(&lane.host);
            if lanes.iter().all(is_silent) {
                order = Order::Serial;
            } else {
                lanes.retain(|lane| !is_silent(lane));
            }
        }
        let learns = match topology.state {
            ClusterState::New { .. } => stage.hosts == Selector::Leader,
            ClusterState::Down => stage.hosts == Selector::Members,
            _ => false,
        };
        let held = match &topology.quorum_at_risk {
            Some(reason) if stage.hosts == Selector::Members => lanes
                .iter()
                .filter(|lane| is_ready(situation, &lane.host))
                .map(|lane| (lane.host.clone(), reason.clone()))
                .collect(),
            _ => BTreeMap::new(),
        };
        plan.stages.push(Stage {
            name: stage.stage.clone(),
            order,
            lanes,
            held,
        });
        if learns {
            plan.replan_after = Some(plan.stages.len() - 1);
        }
    }
    Ok(plan)
}

/// How a host whose upgrade has failed gets its old release back: it was kept where the new one took its place.
fn recovery(situation: &Situation<'_>, topology: &Topology, host: &str) -> Vec<Advice> {
    let upgrade = topology.upgrade.as_ref();
    let Some(upgrade) = upgrade.and_then(|upgrade| upgrade.hosts.get(host)) else {
        return Vec::new();
    };
    let product = situation.rules.product();
    let is_server = situation.inventory.host(host).is_some_and(Host::is_server);
    let unit = if is_server {
        product.server_unit
    } else {
        product.agent_unit
    };
    let binary = format!("/usr/local/bin/{}", product.name);
    vec![
        Advice::new(
            AdviceKind::Words,
            format!(
                "no other host is upgraded after it; to put {} back on it, as root",
                upgrade.from
            ),
        ),
        Advice::new(
            AdviceKind::CommandOnHost,
            format!("mv {binary}.previous {binary} && systemctl restart {unit}"),
        ),
    ]
}

fn is_ready(situation: &Situation<'_>, host: &str) -> bool {
    let facts = situation.facts.get(host);
    facts.is_some_and(|facts| facts.node.server_unit.is_ready())
}

fn takes_part(selector: Selector, host: &str, topology: &Topology) -> bool {
    let role = topology.specs.get(host).map(|spec| spec.role);
    match selector {
        Selector::All => role.is_some() || topology.waiting.contains_key(host),
        Selector::Leader => role == Some(NodeRole::Leader),
        Selector::Members => role == Some(NodeRole::Member),
        Selector::Joining => role == Some(NodeRole::Joining),
        Selector::Agents => role == Some(NodeRole::Agent),
        Selector::AnsweringServer => topology.answering_server() == Some(host),
    }
}

/// Whether servers join a server that keeps its data in sqlite still.
fn joins_sqlite(situation: &Situation<'_>, topology: &Topology) -> bool {
    let mut specs = topology.specs.values();
    let mut facts = situation.facts.values();
    specs.any(|spec| spec.role == NodeRole::Joining)
        && facts.any(|facts| facts.node.datastore == Some(Datastore::Sqlite))
}

fn order(strategy: Strategy, situation: &Situation<'_>, topology: &Topology) -> Order {
    let cluster = &situation.inventory.cluster;
    match strategy {
        // One alone never gets quorum, so members that are all down start together.
        Strategy::Members if topology.state == ClusterState::Down => Order::Essential,
        Strategy::Leader => Order::Essential,
        // No server can join one whose data has not moved to etcd.
        Strategy::Members if joins_sqlite(situation, topology) => Order::Essential,
        Strategy::Members => Order::Serial,
        Strategy::Join if cluster.join == Join::Serial || topology.joins_one_by_one => {
            Order::Serial
        }
        Strategy::Parallel | Strategy::Join => Order::Parallel,
        Strategy::Batches => Order::Batches(cluster.agent_batch),
    }
}
