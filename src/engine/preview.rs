//! What an operation would do, told before anything is done, or in its place.

use super::context::Context;
use super::operation::{Operation, Survey};
use super::told::Conclusion;
use crate::problem::{Code, Problem};
use crate::run::state::RunState;
use crate::run::{Event, Outcome, planned};

/// Tells what a survey found and what would follow from it, and ends there. A host with a step that
/// cannot be done has failed, and whatever would change, the others were only read.
pub fn preview<O: Operation>(context: &Context, _: &O, survey: &Survey<O::Rules>) -> Conclusion {
    findings(context, survey);
    let mut run_state = state::<O>(context, survey);
    for (host, reason) in &survey.decision.waiting {
        context.events.send(Event::Cancelled {
            host: host.clone(),
            reason: reason.clone(),
        });
        let problem = Problem::new(Code::HOST_CANCELLED, reason.clone());
        run_state.end(host, Outcome::Cancelled, Some(problem));
    }
    plan(context, survey, &run_state);
    for step in planned(&survey.judged) {
        if step.problem.is_some() {
            run_state.end(&step.host, Outcome::Failed, step.problem);
        }
    }
    let rows = context.rows(&survey.gathered).into_iter();
    let rows = rows.map(|(host, role, _, counts)| (host, role, false, counts));
    let mut report = run_state.report(rows, context.begun.elapsed(), false);
    report.bastion_connections = context.connector.bastion_connections();
    (report, None)
}

/// Tells what a survey found.
pub fn findings<Rules>(context: &Context, survey: &Survey<Rules>) {
    for text in &survey.decision.notes {
        context.events.send(Event::Note { text: text.clone() });
    }
    let unfit = survey.decision.unfit.iter();
    for (host, problem) in unfit.filter(|(host, _)| context.selected.contains(*host)) {
        context.events.send(Event::Unreached {
            host: host.clone(),
            problem: problem.clone(),
        });
    }
}

/// Tells the plan.
pub fn plan<Rules>(context: &Context, survey: &Survey<Rules>, run_state: &RunState) {
    let hosts = context.inventory.hosts.iter().map(|host| &host.name);
    let unknown = hosts.filter(|host| !run_state.is_in(host) && context.selected.contains(*host));
    context.events.send(Event::Plan {
        about: survey.decision.about.clone(),
        unknown: unknown.cloned().collect(),
        steps: planned(&survey.judged),
    });
}

/// What is known of the hosts before anything is done.
pub fn state<O: Operation>(context: &Context, survey: &Survey<O::Rules>) -> RunState {
    let is_counted = |host: &str| O::NEEDS_ALL_HOSTS || context.selected.contains(host);
    let mut run_state = RunState::of(&survey.gathered, is_counted);
    let unfit = survey.decision.unfit.iter();
    for (host, problem) in unfit.filter(|(host, _)| context.selected.contains(*host)) {
        run_state.end(host, Outcome::Failed, Some(problem.clone()));
    }
    run_state
}
