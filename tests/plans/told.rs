//! What a scenario shows beside the plan's text, and what an upgrade makes of its situation.

use std::time::Duration;

use crate::cluster::{self, Drain, MaxUnavailable, Situation, Topology, UpgradePolicy};
use crate::facts::Facts;
use crate::plan::{Order, Plan};
use crate::problem::Problem;
use crate::task::Task;

/// The same host with this version.
pub(super) fn as_before(facts: &mut Facts, version: &str) {
    let node = &mut facts.node;
    node.version = node.version.take().map(|_| version.to_owned());
    for known in &mut node.nodes {
        known.version = version.to_owned();
    }
}

/// The topology of an upgrade, or why there is none.
pub(super) fn upgraded(
    situation: &Situation<'_>,
    topology: &Topology,
    version: &str,
) -> Result<Topology, Vec<Problem>> {
    let mut topology = topology.clone();
    let policy = UpgradePolicy {
        drain: Drain::Minor,
        drain_timeout: Duration::from_mins(2),
        max_unavailable: MaxUnavailable::Percent(50),
        snapshot: true,
    };
    topology.upgrade = Some(cluster::upgrade(situation, &mut topology, version, policy)?);
    Ok(topology)
}

/// The order of stages with lanes and the hosts that are held in them, since it is not in a plan's
/// text.
pub(super) fn orders(plan: &Plan) -> String {
    let mut text = String::new();
    for (index, stage) in plan.stages.iter().enumerate() {
        let hosts: Vec<_> = stage.lanes.iter().map(|lane| lane.host.as_str()).collect();
        let order = match stage.order {
            Order::Parallel => "together".to_owned(),
            Order::Essential => "together, and needed".to_owned(),
            Order::Serial => "one by one".to_owned(),
            Order::Batches(size) => format!("{size} at once"),
            Order::Rolling(size) => format!("{size} at once, up to a failure"),
        };
        let then = if plan.replan_after == Some(index) {
            "; then planned again"
        } else {
            ""
        };
        text.push_str(&format!(
            "{}: {} ({order}){then}\n",
            stage.name,
            hosts.join(", ")
        ));
        for (host, reason) in &stage.held {
            text.push_str(&format!("  {host} is not changed: {reason}\n"));
        }
    }
    text
}

/// What an active firewall is asked to let in, which is in no plan's text either.
pub(super) fn let_in(plan: &Plan) -> String {
    let steps = plan.stages.iter().flat_map(|stage| &stage.lanes);
    let asked = steps.flat_map(|lane| {
        lane.steps.iter().filter_map(|step| match &step.task {
            Task::ShellCommand(command) if command.description.contains("ufw") => {
                let lines = command.run.lines().map(str::trim);
                let lines: Vec<_> = lines
                    .filter(|line| line.starts_with("for ") || line.starts_with("ufw allow "))
                    .collect();
                Some(format!("{}: {}\n", lane.host, lines.join(" ")))
            }
            _ => None,
        })
    });
    asked.collect()
}
