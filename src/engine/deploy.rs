//! From a survey to a cluster: its stages, planned again where more is known by then, and its kubeconfig.

use std::sync::Arc;
use std::time::Instant;

use crate::cluster::ClusterState;
use crate::error::Problem;
use crate::plan::{Judged, Plan};
use crate::run::report::RunState;
use crate::run::{Event, Interrupt, Outcome, Runner};

use super::context::{Context, Survey};
use super::kubeconfig::Target;
use super::refusal::Refusal;
use super::told::Ended;
use super::{interrupt, kubeconfig};

/// A new cluster is two plans, and so is one that is down and has wiped hosts; more than a few mean
/// that what is done does not last.
const PLANS: usize = 4;

/// Makes the hosts what the plan says, plans again where more is known by then, and fetches the
/// kubeconfig where one is wanted.
pub async fn go(
    context: &Context,
    mut survey: Survey,
    begun: Instant,
    kubeconfig: Option<&Target>,
) -> Result<Ended, Refusal> {
    let mut run_state = RunState::of(&survey.gathered, |_| true);
    for text in &survey.topology.notes {
        context.events.send(Event::Note { text: text.clone() });
    }
    let mut trouble = false;
    let mut plans = 0;
    context.bring(&survey).await?;
    loop {
        unfit(context, &survey, &mut run_state);
        let runner = context.runner(&survey.gathered);
        let last = survey
            .plan
            .replan_after
            .unwrap_or(survey.plan.stages.len().saturating_sub(1));
        let ended = stages(
            context,
            &runner,
            (&survey.plan, &survey.judged),
            last,
            &mut run_state,
        )
        .await;
        if let Err(reason) = ended {
            cancel_rest(context, &survey, &runner, &mut run_state, &reason);
            trouble = true;
            break;
        }
        if survey.plan.replan_after.is_none() {
            break;
        }
        let reason = match &survey.topology.state {
            ClusterState::New { leader } if context.inventory.hosts.len() == 1 => {
                format!("{leader} is the first server of a new cluster")
            }
            ClusterState::New { leader } => {
                format!("{leader} leads the new cluster; the others can join now")
            }
            _ => "the servers answer again; the rest is planned with what they know".to_owned(),
        };
        context.events.send(Event::Replanning { reason });
        match planned_again(context, &survey).await {
            Ok(again) => survey = again,
            Err(refusal) => {
                for problem in refusal.problems() {
                    context.events.send(Event::Trouble { problem });
                }
                let reason = "with what the hosts say now, the rest cannot be done";
                cancel_rest(context, &survey, &runner, &mut run_state, reason);
                trouble = true;
                break;
            }
        }
        run_state.replan();
        lost(context, &survey, &mut run_state);
        plans += 1;
        if plans == PLANS {
            let problem = Problem::new("what was just done has to be done again: something else changes the hosts, or k3s undoes it")
                .next("run the same command again; if it ends like this once more, look at the servers' journals");
            context.events.send(Event::Trouble { problem });
            let reason = "what was done does not last";
            cancel_rest(context, &survey, &runner, &mut run_state, reason);
            trouble = true;
            break;
        }
    }
    for (host, reason) in &survey.topology.waiting {
        context
            .runner(&survey.gathered)
            .cancel(host, reason.clone(), &mut run_state);
    }
    let mut next = None;
    let has_cluster = !matches!(
        survey.topology.state,
        ClusterState::Elsewhere | ClusterState::Unknown
    );
    if let Some(target) = kubeconfig.filter(|_| !trouble && has_cluster) {
        match kubeconfig::fetch(context, &survey.gathered, target).await {
            Ok(commands) => next = Some(commands),
            Err(problem) => {
                trouble = true;
                context.events.send(Event::Trouble { problem });
            }
        }
    }
    // All together, and last: what was started has had some time to end by then.
    let runner = context.runner(&survey.gathered);
    tokio::select! {
        () = runner.look_again(&mut run_state) => {}
        () = interrupt::asked_for(Interrupt::Drop, context.interrupt.clone()) => {}
    }
    let rows = context.rows(&survey.gathered).into_iter();
    let report = run_state.report(rows, begun.elapsed(), trouble);
    if report.count(Outcome::Failed)
        + report.count(Outcome::Unreachable)
        + report.count(Outcome::Cancelled)
        > 0
    {
        let is_asked = *context.interrupt.borrow() != Interrupt::None;
        let when = if is_asked {
            "Run the same command again"
        } else {
            "When what is said above is repaired, run the same command again"
        };
        next = Some(format!("\n{when}: it goes on where this one stopped."));
    }
    Ok((report, next))
}

/// The rest, planned with what the hosts say now. What was done stands, so a refusal is the end of a
/// run and not of nothing.
async fn planned_again(context: &Context, survey: &Survey) -> Result<Survey, Refusal> {
    let survey = context.again(survey.gathered.clone()).await?;
    context.bring(&survey).await?;
    Ok(survey)
}

/// Carries a plan out up to its stage `last`. The first Ctrl-C lets running steps end, the second drops
/// the connections.
///
/// # Errors
/// Why it ended early.
pub async fn stages(
    context: &Context,
    runner: &Runner,
    (plan, judged): (&Plan, &Arc<Judged>),
    last: usize,
    run_state: &mut RunState,
) -> Result<(), String> {
    let announce = async {
        interrupt::asked_for(Interrupt::Finish, context.interrupt.clone()).await;
        let text = "finishing the running steps; press Ctrl-C again to disconnect now".into();
        context.events.send(Event::Note { text });
        interrupt::asked_for(Interrupt::Drop, context.interrupt.clone()).await;
    };
    tokio::select! {
        ended = runner.stages(plan, judged, last, run_state) => ended,
        () = announce => Err("the connections were dropped".to_owned()),
    }
}

/// Hosts that cannot be used as they are leave before the first stage.
fn unfit(context: &Context, survey: &Survey, run_state: &mut RunState) {
    for (host, problem) in &survey.topology.unfit {
        if context.selected.contains(host) {
            leaves(context, run_state, host, Outcome::Failed, problem);
        }
    }
}

/// Hosts that no longer answer when they are asked again leave the run.
fn lost(context: &Context, survey: &Survey, run_state: &mut RunState) {
    for (host, unreached) in &survey.gathered.unreached {
        leaves(
            context,
            run_state,
            host,
            unreached.outcome,
            &unreached.problem,
        );
    }
}

/// Tells why a host leaves the run before its next stage.
fn leaves(
    context: &Context,
    run_state: &mut RunState,
    host: &str,
    outcome: Outcome,
    problem: &Problem,
) {
    if run_state.is_in(host) {
        context.events.send(Event::Unreached {
            host: host.to_owned(),
            problem: problem.clone(),
        });
        run_state.end(host, outcome, Some(problem.clone()));
    }
}

/// Hosts with stages still to come are cancelled; what they have done stands.
fn cancel_rest(
    context: &Context,
    survey: &Survey,
    runner: &Runner,
    run_state: &mut RunState,
    reason: &str,
) {
    for host in &context.inventory.hosts {
        let owed = |stage: usize| {
            !run_state.has_passed(&host.name, stage)
                && !survey.judged.is_converged(stage, &host.name)
        };
        let has_more = survey
            .plan
            .steps_of(&host.name)
            .any(|(stage, _, _)| owed(stage))
            || matches!(
                survey.topology.state,
                ClusterState::New { .. } | ClusterState::Down
            );
        if has_more && context.selected.contains(&host.name) {
            runner.cancel(&host.name, reason.to_owned(), run_state);
        }
    }
    let problem = Problem::new("the deploy ended early").because(reason);
    context.events.send(Event::Trouble { problem });
}
