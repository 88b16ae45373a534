//! What a deploy would change, told.

use std::time::Instant;

use crate::cluster::ClusterState;
use crate::error::Problem;
use crate::run::event::{Planned, PlannedState};
use crate::run::gather::Gathered;
use crate::run::report::{Report, RunState};
use crate::run::{Event, Outcome, planned};

use super::context::{Context, Survey};
use super::told::Ended;

/// Tells what a survey found and what would follow from it.
pub fn tell(context: &Context, survey: &Survey, begun: Instant) -> Ended {
    let mut run_state = RunState::of(&survey.gathered, |_| true);
    for text in &survey.topology.notes {
        context.events.send(Event::Note { text: text.clone() });
    }
    for (host, problem) in &survey.topology.unfit {
        context.events.send(Event::Unreached {
            host: host.clone(),
            problem: problem.clone(),
        });
        run_state.end(host, Outcome::Failed, Some(problem.clone()));
    }
    for (host, reason) in &survey.topology.waiting {
        context.events.send(Event::Cancelled {
            host: host.clone(),
            reason: reason.clone(),
        });
        let problem = Problem::new(reason.clone());
        run_state.end(host, Outcome::Cancelled, Some(problem));
    }
    let steps = planned(&survey.judged);
    let hosts = context.inventory.hosts.iter().map(|host| &host.name);
    let unknown = hosts.filter(|host| !run_state.is_in(host) && context.selected.contains(*host));
    context.events.send(Event::Plan {
        about: about(context, survey),
        unknown: unknown.cloned().collect(),
        steps: steps.clone(),
    });
    (
        report(context, &survey.gathered, run_state, steps, begun),
        None,
    )
}

/// What came of a plan: a host with a step that cannot be done has failed, and whatever would
/// change, the others were only read.
pub fn report(
    context: &Context,
    gathered: &Gathered,
    mut run_state: RunState,
    steps: Vec<Planned>,
    begun: Instant,
) -> Report {
    for step in steps {
        if step.state == PlannedState::Failed {
            let what = step.changes.first().map(|change| change.what.clone());
            let problem = Problem::new(what.unwrap_or(step.step));
            run_state.end(&step.host, Outcome::Failed, Some(problem));
        }
    }
    let rows = context.rows(gathered).into_iter();
    let rows = rows.map(|(host, role, _, counts)| (host, role, false, counts));
    run_state.report(rows, begun.elapsed(), false)
}

/// What a plan is about, as a sentence.
fn about(context: &Context, survey: &Survey) -> String {
    let (name, version) = (&context.inventory.cluster.name, &survey.version);
    match &survey.topology.state {
        ClusterState::New { leader } => {
            format!("{name}: a new cluster of k3s {version}, made by {leader}")
        }
        ClusterState::Running { .. } => format!("{name}: a cluster of k3s {version} that runs"),
        ClusterState::Down => {
            format!("{name}: a cluster of k3s {version}, all of whose servers are down")
        }
        ClusterState::Elsewhere => {
            format!("{name}: hosts that join a cluster of k3s {version} elsewhere")
        }
        ClusterState::Unknown => {
            format!("{name}: k3s {version}; whether there is a cluster is not known")
        }
    }
}
