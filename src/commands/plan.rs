//! `towline plan`: what a deploy would change.

use std::time::Instant;

use crate::cli::{Environment, PlanArguments};
use crate::cluster::ClusterState;
use crate::error::{ExitCode, Problem};
use crate::run::event::{Events, Planned, PlannedState};
use crate::run::gather::Gathered;
use crate::run::report::{Report, RunState};
use crate::run::{Event, Outcome, planned};
use crate::ui::Ui;

use super::deploy::{self, Ended};
use super::road::{Road, Survey, unfit};

pub(super) async fn run(arguments: PlanArguments, environment: &Environment, ui: Ui) -> ExitCode {
    deploy::told(&ui, async |events: Events| {
        let begun = Instant::now();
        let road = Road::new(&arguments.inventory, true, environment, &ui, events).await?;
        let survey = road.survey().await?;
        if !arguments.adopt {
            foreign(&road, &survey);
        }
        Ok(tell(&road, &survey, begun))
    })
    .await
}

/// Names the hosts that the plan takes over and a deploy would not.
fn foreign(road: &Road, survey: &Survey) {
    for host in &road.inventory.hosts {
        let facts = survey
            .gathered
            .reach
            .get(&host.name)
            .and_then(|reach| reach.facts());
        let is_foreign = facts.is_some_and(|facts| facts.k3s.foreign.is_some());
        if is_foreign && survey.topology.specs.contains_key(&host.name) {
            let text = format!(
                "{}: something else set up k3s here; deploy takes it over only with --adopt",
                host.name
            );
            road.events.send(Event::Note { text });
        }
    }
}

/// Tells what a survey found and what would follow from it.
pub(super) fn tell(road: &Road, survey: &Survey, begun: Instant) -> Ended {
    let mut run_state = RunState::default();
    for (host, unreached) in &survey.gathered.unreached {
        run_state.end(host, unreached.outcome, Some(unreached.problem.clone()));
    }
    for text in &survey.topology.notes {
        road.events.send(Event::Note { text: text.clone() });
    }
    for (host, problem) in unfit(survey) {
        road.events.send(Event::Unreached {
            host: host.clone(),
            problem: problem.clone(),
        });
        run_state.end(host, Outcome::Failed, Some(problem.clone()));
    }
    for (host, reason) in &survey.topology.waiting {
        road.events.send(Event::Cancelled {
            host: host.clone(),
            reason: reason.clone(),
        });
        let problem = Problem::new(reason.clone());
        run_state.end(host, Outcome::Cancelled, Some(problem));
    }
    let steps = planned(&survey.judged);
    let hosts = road.inventory.hosts.iter().map(|host| &host.name);
    let unknown = hosts.filter(|host| !run_state.is_in(host) && road.selected.contains(*host));
    road.events.send(Event::Plan {
        about: about(road, survey),
        unknown: unknown.cloned().collect(),
        steps: steps.clone(),
    });
    for (host, (begun, time)) in &survey.gathered.times {
        run_state.connected(host, *begun, *time);
    }
    (
        report(road, &survey.gathered, run_state, steps, begun),
        None,
    )
}

/// What came of a plan: a host with a step that cannot be done has failed, and whatever would
/// change, the others were only read.
pub(super) fn report(
    road: &Road,
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
    let rows = road.rows(gathered).into_iter();
    let rows = rows.map(|(host, role, _, counts)| (host, role, false, counts));
    run_state.report(rows, begun.elapsed(), false)
}

/// What a plan is about, as a sentence.
fn about(road: &Road, survey: &Survey) -> String {
    let (name, version) = (&road.inventory.cluster.name, &survey.version);
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
