//! `towline deploy`: from an inventory to a cluster.

use std::convert::Infallible;
use std::time::Instant;

use crate::cli::{DeployArguments, Environment};
use crate::cluster::ClusterState;
use crate::error::{ExitCode, Problem};
use crate::run::event::Events;
use crate::run::report::{Report, RunState};
use crate::run::{Event, Interrupt, Outcome, Runner};
use crate::ui::Ui;

use super::kubeconfig::Target;
use super::road::{Road, Survey};
use super::{Refusal, interrupt, kubeconfig};

/// A new cluster is two plans, and so is one that is down and has wiped hosts; more than a few mean
/// that what is done does not last.
const PLANS: usize = 4;

pub(super) async fn run(arguments: DeployArguments, environment: &Environment, ui: Ui) -> ExitCode {
    told(&ui, async |events: Events| {
        let begun = Instant::now();
        let road = Road::new(
            &arguments.inventory,
            arguments.adopt,
            environment,
            &ui,
            events,
        )
        .await?;
        let survey = road.survey().await?;
        let target = Target::new(&arguments.kubeconfig, environment);
        go(&road, survey, begun, Some(&target)).await
    })
    .await
}

/// What came of a command's work, and what to type next.
pub(super) type Ended = (Report, Option<String>);

/// Does a command's work while its events are told, ends them with what came of it, then says what
/// to type next.
pub(super) async fn told(
    ui: &Ui,
    work: impl AsyncFnOnce(Events) -> Result<Ended, Refusal>,
) -> ExitCode {
    let (events, receiver) = Events::channel();
    let teller = tokio::spawn(ui.clone().tell(receiver));
    let ended = work(events.clone()).await.map(|(report, next)| {
        let code = report.exit_code();
        events.send(Event::Finished { report });
        (code, next)
    });
    drop(events);
    // All senders are gone now; what they said is told before anything else.
    let _ = teller.await;
    match ended {
        Ok((code, next)) => {
            if let Some(next) = next.filter(|_| ui.format == crate::ui::Format::Plain) {
                ui.out(&next);
            }
            code
        }
        Err(refusal) => refusal.tell(ui),
    }
}

/// Makes the hosts what the plan says, plans again where more is known by then, and fetches the
/// kubeconfig where one is wanted.
pub(super) async fn go(
    road: &Road,
    mut survey: Survey,
    begun: Instant,
    kubeconfig: Option<&Target>,
) -> Result<Ended, Refusal> {
    let mut run_state = RunState::default();
    for (host, (begun, time)) in &survey.gathered.times {
        run_state.connected(host, *begun, *time);
    }
    for (host, unreached) in &survey.gathered.unreached {
        run_state.end(host, unreached.outcome, Some(unreached.problem.clone()));
    }
    for text in &survey.topology.notes {
        road.events.send(Event::Note { text: text.clone() });
    }
    let mut trouble = false;
    let mut plans = 0;
    road.bring(&survey).await?;
    loop {
        unfit(road, &survey, &mut run_state);
        let runner = road.runner(&survey.gathered);
        let last = survey
            .plan
            .replan_after
            .unwrap_or(survey.plan.stages.len().saturating_sub(1));
        let ended = tokio::select! {
            ended = runner.stages(&survey.plan, &survey.judged, last, &mut run_state) => ended,
            never = announce(road) => match never {},
            () = interrupt::asked_for(Interrupt::Drop, road.interrupt.clone()) => Err("the connections were dropped".to_owned()),
        };
        if let Err(reason) = ended {
            cancel_rest(road, &survey, &runner, &mut run_state, &reason);
            trouble = true;
            break;
        }
        if survey.plan.replan_after.is_none() {
            break;
        }
        let reason = match &survey.topology.state {
            ClusterState::New { leader } if road.inventory.hosts.len() == 1 => {
                format!("{leader} is the first server of a new cluster")
            }
            ClusterState::New { leader } => {
                format!("{leader} leads the new cluster; the others can join now")
            }
            _ => "the servers answer again; the rest is planned with what they know".to_owned(),
        };
        road.events.send(Event::Replanning { reason });
        match planned_again(road, &survey).await {
            Ok(again) => survey = again,
            Err(refusal) => {
                for problem in refusal.problems() {
                    road.events.send(Event::Trouble { problem });
                }
                let reason = "with what the hosts say now, the rest cannot be done";
                cancel_rest(road, &survey, &runner, &mut run_state, reason);
                trouble = true;
                break;
            }
        }
        run_state.replan();
        lost(road, &survey, &mut run_state);
        plans += 1;
        if plans == PLANS {
            let problem = Problem::new("what was just done has to be done again: something else changes the hosts, or k3s undoes it")
                .next("run the same command again; if it ends like this once more, look at the servers' journals");
            road.events.send(Event::Trouble { problem });
            let reason = "what was done does not last";
            cancel_rest(road, &survey, &runner, &mut run_state, reason);
            trouble = true;
            break;
        }
    }
    for (host, reason) in &survey.topology.waiting {
        road.runner(&survey.gathered)
            .cancel(host, reason.clone(), &mut run_state);
    }
    let mut next = None;
    let has_cluster = !matches!(
        survey.topology.state,
        ClusterState::Elsewhere | ClusterState::Unknown
    );
    if let Some(target) = kubeconfig.filter(|_| !trouble && has_cluster) {
        match kubeconfig::fetch(road, &survey.gathered, target).await {
            Ok(commands) => next = Some(commands),
            Err(problem) => {
                trouble = true;
                road.events.send(Event::Trouble { problem });
            }
        }
    }
    // All together, and last: what was started has had some time to end by then.
    let runner = road.runner(&survey.gathered);
    tokio::select! {
        () = runner.look_again(&mut run_state) => {}
        () = interrupt::asked_for(Interrupt::Drop, road.interrupt.clone()) => {}
    }
    let rows = road.rows(&survey.gathered).into_iter();
    let report = run_state.report(rows, begun.elapsed(), trouble);
    if report.count(Outcome::Failed)
        + report.count(Outcome::Unreachable)
        + report.count(Outcome::Cancelled)
        > 0
    {
        let is_asked = *road.interrupt.borrow() != Interrupt::None;
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
async fn planned_again(road: &Road, survey: &Survey) -> Result<Survey, Refusal> {
    let survey = road.again(survey.gathered.clone()).await?;
    road.bring(&survey).await?;
    Ok(survey)
}

/// Tells a person who interrupts the run that this was heard, and what a second Ctrl-C does.
pub(super) async fn announce(road: &Road) -> Infallible {
    interrupt::asked_for(Interrupt::Finish, road.interrupt.clone()).await;
    road.events.send(Event::Note {
        text: "finishing the running steps; press Ctrl-C again to disconnect now".into(),
    });
    std::future::pending().await
}

/// Hosts that cannot be used as they are leave before the first stage.
fn unfit(road: &Road, survey: &Survey, run_state: &mut RunState) {
    for (host, problem) in &survey.topology.unfit {
        if run_state.is_in(host) && road.selected.contains(host) {
            road.events.send(Event::Unreached {
                host: host.clone(),
                problem: problem.clone(),
            });
            run_state.end(host, Outcome::Failed, Some(problem.clone()));
        }
    }
}

/// Hosts that no longer answer when they are asked again leave the run.
fn lost(road: &Road, survey: &Survey, run_state: &mut RunState) {
    for (host, unreached) in &survey.gathered.unreached {
        if run_state.is_in(host) {
            let problem = unreached.problem.clone();
            road.events.send(Event::Unreached {
                host: host.clone(),
                problem: problem.clone(),
            });
            run_state.end(host, unreached.outcome, Some(problem));
        }
    }
}

/// Hosts with stages still to come are cancelled; what they have done stands.
fn cancel_rest(
    road: &Road,
    survey: &Survey,
    runner: &Runner,
    run_state: &mut RunState,
    reason: &str,
) {
    for host in &road.inventory.hosts {
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
        if has_more && road.selected.contains(&host.name) {
            runner.cancel(&host.name, reason.to_owned(), run_state);
        }
    }
    let problem = Problem::new("the deploy ended early").because(reason);
    road.events.send(Event::Trouble { problem });
}
