//! From the rules of a reset to a plan. Pure.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::context::{ClusterContext, FoldersContext, sources};
use super::{Guard, Lane, MemberStop, Order, Plan, Stage, Step};
use crate::cluster::{Folders, ResetOrder, Situation, Successor, Wave};
use crate::facts::is_node_name;
use crate::playbook::{Book, NamedTask};
use crate::problem::Problem;

/// What a template knows where nodes and hosts leave.
#[derive(Serialize, JsonSchema)]
pub(super) struct LeavingContext<'a> {
    cluster: ClusterContext<'a>,
    reset: Leaving<'a>,
    folders: FoldersContext<'a>,
}

#[derive(Serialize, JsonSchema)]
struct Leaving<'a> {
    /// Names of the nodes whose pods are moved
    drain: &'a [String],
    /// Names of the nodes that are deleted
    nodes: &'a [String],
    /// Names of the hosts that leave, whether they have a node or not
    names: &'a [String],
    /// What the servers that leave are called in leases
    holders: Vec<&'a str>,
    /// Whether the whole cluster goes
    whole: bool,
}

/// What a template knows on a host that stays.
#[derive(Serialize, JsonSchema)]
pub(super) struct StayingContext<'a> {
    reset: Staying<'a>,
}

#[derive(Serialize, JsonSchema)]
struct Staying<'a> {
    /// Where the host finds a server that goes: `https://10.0.0.1:6443`
    from: &'a str,
    /// Where it is to find one that stays
    to: &'a str,
    /// Folder of the distribution's data on the host
    data_dir: &'a str,
}

/// Builds the plan of a reset: for every wave its nodes are drained, its hosts stopped, its nodes
/// deleted, and the distribution removed from its hosts.
///
/// # Errors
/// A playbook that does not fit.
pub fn reset(situation: &Situation<'_>, reset: &ResetOrder, book: &Book) -> Result<Plan, Problem> {
    let sources = sources(situation, &reset.siblings);
    let mut stages = Vec::new();
    let stay = |one: &Successor| {
        let context = json!(StayingContext {
            reset: Staying {
                from: &one.from,
                to: &one.to,
                data_dir: one.data_dir.as_str(),
            },
        });
        Ok(Lane {
            host: one.host.clone(),
            steps: steps(book, "reset-stay", &context)?,
        })
    };
    let lanes = reset.successors.iter().map(stay);
    let lanes = lanes.collect::<Result<Vec<_>, Problem>>()?;
    if !lanes.is_empty() {
        stages.push(Stage {
            name: "hosts that stay: server".into(),
            order: Order::Parallel,
            lanes,
            held: std::collections::BTreeMap::new(),
        });
    }
    for wave in &reset.waves {
        let context = |host: &String| {
            let usual = || Folders::usual(situation.inventory.cluster.distribution.data_dir());
            let folders = reset.folders.get(host).cloned().unwrap_or_else(usual);
            json!(LeavingContext {
                cluster: ClusterContext {
                    sources: &sources,
                    ..ClusterContext::of(situation)
                },
                reset: Leaving {
                    drain: &wave.drain,
                    nodes: &wave.nodes,
                    names: &wave.names,
                    holders: holders(situation, wave),
                    whole: reset.whole,
                },
                folders: FoldersContext {
                    data: folders.data.as_str(),
                    kubelet: folders.kubelet(),
                },
            })
        };
        let lanes = |playbook: &str, hosts: &[String]| {
            let lane = |host: &String| {
                let mut steps = steps(book, playbook, &context(host))?;
                if wave.careful && playbook == "reset-stop" {
                    // The first step of a member that leaves by itself removes it; the next ones stop it.
                    let removes = situation.rules.product().leaves_etcd;
                    for (nth, step) in steps.iter_mut().enumerate() {
                        step.guard = guard(situation, host, removes && nth == 0);
                    }
                }
                Ok(Lane {
                    host: host.clone(),
                    steps,
                })
            };
            hosts.iter().map(lane).collect::<Result<Vec<_>, Problem>>()
        };
        let via: Vec<_> = reset.via.iter().cloned().collect();
        let mut add = |what: &str, order, lanes: Vec<Lane>| {
            stages.push(Stage {
                name: format!("{}: {what}", wave.name),
                order,
                lanes,
                held: std::collections::BTreeMap::new(),
            });
        };
        let order = order(wave);
        if !wave.drain.is_empty() {
            add("drain", order, lanes("drain", &via)?);
        }
        add("stop", order, lanes("reset-stop", &wave.hosts)?);
        let delete = lanes("reset-delete", &via)?;
        if delete.iter().any(|lane| !lane.steps.is_empty()) {
            add("delete nodes", order, delete);
        }
        add(
            &format!("remove {}", situation.rules.product().name),
            Order::Parallel,
            lanes("reset-host", &wave.hosts)?,
        );
    }
    Ok(Plan {
        stages,
        replan_after: None,
        stops: false,
    })
}

fn order(wave: &Wave) -> Order {
    if wave.careful {
        Order::Essential
    } else {
        Order::Parallel
    }
}

pub(super) fn steps(book: &Book, playbook: &str, context: &Value) -> Result<Vec<Step>, Problem> {
    let tasks = book.tasks(&book.own(playbook), context, None)?.into_iter();
    let step = |NamedTask { name, task, .. }| Step {
        name,
        task,
        guard: None,
        reached: None,
        delegated_to: None,
        recovery: Vec::new(),
    };
    Ok(tasks.map(step).collect())
}

/// What the servers of a wave are called in leases: k3s takes the kernel's hostname.
fn holders<'a>(situation: &Situation<'a>, wave: &Wave) -> Vec<&'a str> {
    let reached = wave
        .hosts
        .iter()
        .filter_map(|host| situation.facts.get(host));
    reached
        .filter(|facts| facts.node.datastore.is_some())
        .map(|facts| facts.hostname.as_str())
        .filter(|name| is_node_name(&name.to_ascii_lowercase()))
        .collect()
}

/// What is asked before a server that leaves is stopped.
fn guard(situation: &Situation<'_>, name: &str, removes: bool) -> Option<Guard> {
    let host = situation.inventory.host(name)?;
    let facts = situation.facts.get(name)?;
    let stop = if removes {
        MemberStop::Removal
    } else {
        MemberStop::Stop
    };
    Guard::new(situation, name, situation.node_name(host, facts), stop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{self, tests::Lab};
    use crate::distribution::k3s::DISTRIBUTION;
    use crate::playbook::Assets;
    use crate::task::Task;

    /// The steps of a reset of these servers by a distribution that tells etcd itself who leaves, before it
    /// stops; of each whether it is guarded.
    fn steps(lab: &Lab) -> Vec<String> {
        let mut assets = Assets::of(&DISTRIBUTION);
        let stop = "- name: leave etcd\n  when: not reset.whole\n  command: {unless: 'false', run: etcd leave, description: leave}\n\
                    - name: stop\n  command: {unless: 'false', run: stop, description: stop}\n";
        assets.set_playbook("k3s/reset-stop.yml".into(), stop.into());
        let situation = lab.situation();
        let decided = cluster::reset(&situation).expect("a reset");
        let book = Book::read(&assets).expect("playbooks");
        let plan = super::reset(&situation, &decided, &book).expect("a plan");
        let stages = plan.stages.iter();
        let stages = stages.filter(|stage| stage.name.ends_with(": stop"));
        let lanes =
            stages.flat_map(|stage| stage.lanes.iter().map(move |lane| (stage.order, lane)));
        let steps =
            lanes.flat_map(|(order, lane)| lane.steps.iter().map(move |step| (order, lane, step)));
        steps
            .map(|(order, lane, step)| {
                assert!(matches!(step.task, Task::ShellCommand(_)));
                let guard = step.guard.as_ref().map_or("", |_| ", guarded");
                format!("{}: {} ({order:?}{guard})", lane.host, step.name)
            })
            .collect()
    }

    #[test]
    fn a_member_of_etcd_can_leave_it_before_it_stops() {
        let lab = cluster::tests::resets::whole();
        assert_eq!(
            steps(&lab.only(&["m2"])),
            [
                "m2: leave etcd (Essential, guarded)",
                "m2: stop (Essential, guarded)",
            ]
        );
        let all = steps(&cluster::tests::resets::whole());
        assert!(all.iter().all(|step| step.contains(": stop (")), "{all:?}");
    }
}
