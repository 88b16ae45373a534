//! From a survey to hosts that are as it was decided: the question, the stages, planned again where
//! more is known by then, and what follows.

use super::context::Context;
use super::interrupt;
use super::operation::{Operation, Question, Survey};
use super::preview::{findings, plan, state};
use super::refusal::Refusal;
use super::told::Conclusion;
use crate::problem::{Code, Problem, problem};
use crate::run::state::RunState;
use crate::run::{Event, Interrupt, Outcome, Runner, planned};
use crate::ui::Format;

/// A new cluster is two plans, and so is one that is down and has wiped hosts; more than a few mean
/// that what is done does not last.
const PLANS: usize = 4;

/// Does what a survey decided. What it says is told first.
pub async fn execute<O: Operation>(
    context: &Context,
    operation: &O,
    survey: Survey<O::Rules>,
) -> Result<Conclusion, Refusal> {
    findings(context, &survey);
    let mut survey = match operation.question() {
        None => survey,
        Some(question) => agreed(context, operation, survey, &question).await?,
    };
    let mut run_state = state::<O>(context, &survey);
    context.bring(&survey.decision.fetches).await?;
    let ended = stages(context, operation, &mut survey, &mut run_state).await;
    let runner = context.runner(&survey.gathered);
    if let Err(reason) = &ended {
        cancel_rest(context, &survey, &runner, &mut run_state, reason);
        let problem = problem!(Code::RUN_INCOMPLETE, "the {} ended early", O::NAME).because(reason);
        context.events.send(Event::Trouble { problem });
    }
    for (host, reason) in &survey.decision.waiting {
        runner.cancel(host, reason.clone(), &mut run_state);
    }
    let mut trouble = ended.is_err();
    let mut next = None;
    if !trouble {
        match operation.follow(context, &survey).await {
            Ok(follows) => next = follows,
            Err(problem) => {
                trouble = true;
                context.events.send(Event::Trouble { problem });
            }
        }
    }
    // All together, and last: what was started has had some time to end by then.
    tokio::select! {
        () = runner.look_again(&mut run_state) => {}
        () = interrupt::until(Interrupt::Drop, context.interrupt.clone()) => {}
    }
    let rows = context.rows(&survey.gathered).into_iter();
    let mut report = run_state.report(rows, context.begun.elapsed(), trouble);
    report.bastion_connections = context.connector.bastion_connections();
    let unfinished = [Outcome::Failed, Outcome::Unreachable, Outcome::Cancelled];
    if unfinished.iter().any(|outcome| report.count(*outcome) > 0) {
        let when = match *context.interrupt.borrow() {
            Interrupt::None => "After fixing the errors above, run the same command again",
            _ => "Run the same command again",
        };
        next = Some(format!("\n{when}; it continues where this run stopped."));
    }
    Ok((report, next))
}

/// The survey that was agreed to. The hosts are asked again after the answer, which may have taken a
/// while: the connections may be gone as well.
async fn agreed<O: Operation>(
    context: &Context,
    operation: &O,
    mut survey: Survey<O::Rules>,
    question: &Question<'_>,
) -> Result<Survey<O::Rules>, Refusal> {
    let ui = question.ui;
    // Where no question follows, a run with -q tells its failures and its end.
    if !question.is_answered || ui.verbosity >= 0 || ui.format == Format::Json {
        plan(context, &survey, &state::<O>(context, &survey));
    }
    while !question.is_answered && !planned(&survey.judged).is_empty() {
        let name = &context.inventory.cluster.name;
        context.events.told().await;
        let typed = tokio::task::block_in_place(|| ui.confirm(name));
        // A question does not end by a polite kill, and a name that is typed after it does not count.
        match typed.filter(|_| *context.interrupt.borrow() == Interrupt::None) {
            Some(true) => {}
            Some(false) => {
                let what = format!("what was typed is not the cluster's name, {name}");
                return Err(Problem::new(Code::UNCONFIRMED, what).into());
            }
            None => return Err(Refusal::Interrupted),
        }
        let again = context.survey(operation).await?;
        if again.decision.rules == survey.decision.rules {
            return Ok(again);
        }
        survey = again;
        context.events.send(Event::Note {
            text: "the hosts are no longer as they were when they were looked at".into(),
        });
        findings(context, &survey);
        plan(context, &survey, &state::<O>(context, &survey));
    }
    Ok(survey)
}

/// Carries out the stages of a plan, and of those that follow from it.
///
/// # Errors
/// Why it ended early.
async fn stages<O: Operation>(
    context: &Context,
    operation: &O,
    survey: &mut Survey<O::Rules>,
    run_state: &mut RunState,
) -> Result<(), String> {
    for _ in 0..PLANS {
        let plan = &survey.decision.plan;
        let last = plan.replan_after;
        let up_to = last.unwrap_or(plan.stages.len().saturating_sub(1));
        let runner = context.runner(&survey.gathered);
        tokio::select! {
            ended = runner.stages(plan, &survey.judged, up_to, run_state) => ended?,
            () = dropped(context) => return Err("the connections were dropped".to_owned()),
        }
        if last.is_none() {
            return Ok(());
        }
        context.events.send(Event::Replanning {
            reason: survey.decision.again.clone(),
        });
        let again = async {
            let again = context.again(operation, survey.gathered.clone()).await?;
            context.bring(&again.decision.fetches).await?;
            Ok::<_, Refusal>(again)
        };
        // What was done stands, so a refusal is the end of a run and not of nothing.
        *survey = again.await.map_err(|refusal| {
            for problem in refusal.problems() {
                context.events.send(Event::Trouble { problem });
            }
            "with what the hosts say now, the rest cannot be done".to_owned()
        })?;
        run_state.replan();
        leave(context, survey, run_state);
    }
    let problem = problem!(
        Code::NO_CONVERGENCE,
        "no convergence after {PLANS} plans: the same changes keep coming back"
    )
    .because("something else changes the hosts, or undoes what is done")
    .next(
        "run the same command again; if it ends like this once more, look at the servers' journals",
    );
    context.events.send(Event::Trouble { problem });
    Err("what was done does not last".to_owned())
}

/// Ends when the connections are to be dropped: at the second Ctrl-C. The first lets running steps end.
async fn dropped(context: &Context) {
    interrupt::until(Interrupt::Finish, context.interrupt.clone()).await;
    let text = "finishing the running steps; press Ctrl-C again to disconnect now".into();
    context.events.send(Event::Note { text });
    interrupt::until(Interrupt::Drop, context.interrupt.clone()).await;
}

/// Hosts that no longer answer when they are asked again, or cannot be used as they are by then, leave
/// the run before its next stage.
fn leave<Rules>(context: &Context, survey: &Survey<Rules>, run_state: &mut RunState) {
    let lost = survey.gathered.unreached.iter();
    let lost = lost.map(|(host, unreached)| (host, unreached.outcome, &unreached.problem));
    let unfit = survey.decision.unfit.iter();
    let unfit = unfit.filter(|(host, _)| context.selected.contains(*host));
    let unfit = unfit.map(|(host, problem)| (host, Outcome::Failed, problem));
    for (host, outcome, problem) in lost.chain(unfit) {
        if run_state.is_in(host) {
            context.events.send(Event::Unreached {
                host: host.clone(),
                problem: problem.clone(),
            });
            run_state.end(host, outcome, Some(problem.clone()));
        }
    }
}

/// Hosts with stages still to come are cancelled; what they have done stands.
fn cancel_rest<Rules>(
    context: &Context,
    survey: &Survey<Rules>,
    runner: &Runner,
    run_state: &mut RunState,
    reason: &str,
) {
    let plan = &survey.decision.plan;
    let hosts = context.inventory.hosts.iter().map(|host| &host.name);
    for host in hosts.filter(|host| context.selected.contains(*host)) {
        let mut steps = plan.steps_of(host);
        let has_more = steps.any(|(stage, _, _)| {
            !run_state.has_passed(host, stage) && !survey.judged.is_converged(stage, host)
        });
        if has_more || plan.replan_after.is_some() {
            runner.cancel(host, reason.to_owned(), run_state);
        }
    }
}
