//! From hosts of a cluster to bare machines.

use std::sync::Arc;
use std::time::Instant;

use crate::cluster::{self, Reset, Situation};
use crate::error::Problem;
use crate::plan::{self, Judged, Plan};
use crate::run::gather::Gathered;
use crate::run::report::{Report, RunState};
use crate::run::{Event, Interrupt, Outcome, planned};
use crate::ui::{Format, Ui};

use super::context::Context;
use super::deploy;
use super::plan::report as plan_report;
use super::refusal::Refusal;
use super::told::Ended;

/// Removes what the survey finds, or tells what it would remove. What is found is asked about first,
/// unless that `is_agreed` already.
pub async fn go(
    context: &Context,
    is_preview: bool,
    is_agreed: bool,
    ui: &Ui,
    begun: Instant,
) -> Result<Ended, Refusal> {
    let gathered = context.gather().await?;
    let mut survey = context
        .or_asked_for_the_end(Survey::of(context, gathered))
        .await?;
    // No question follows: with -q a run tells its failures and its end.
    let shown = is_preview || !is_agreed || ui.verbosity >= 0;
    survey.tell(context, shown || ui.format == Format::Json);
    while survey.is_needed() && !is_preview && !is_agreed {
        confirm(context, ui).await?;
        let agreed = survey.reset.clone();
        // A person may have thought for a while: the connections may be gone as well.
        let gathered = context.gather().await?;
        survey = context
            .or_asked_for_the_end(Survey::of(context, gathered))
            .await?;
        if survey.reset == agreed {
            break;
        }
        context.events.send(Event::Note {
            text: "the hosts are no longer as they were when they were looked at".into(),
        });
        survey.tell(context, true);
    }
    if is_preview {
        let steps = planned(&survey.judged);
        let run_state = survey.run_state(context);
        let report = plan_report(context, &survey.gathered, run_state, steps, begun);
        return Ok((report, None));
    }
    let mut unreached = survey.gathered.unreached.keys();
    if !survey.is_needed() && !unreached.any(|host| context.selected.contains(host)) {
        context.events.send(Event::Note {
            text: "nothing of k3s is here".into(),
        });
    }
    Ok((survey.run(context, begun).await, None))
}

/// Asks a person, who has the plan on the screen by then.
async fn confirm(context: &Context, ui: &Ui) -> Result<(), Refusal> {
    let name = &context.inventory.cluster.name;
    context.events.told().await;
    let agreed = tokio::task::block_in_place(|| ui.confirm_reset(name));
    // A question does not end by a polite kill, and a name that is typed after it does not count.
    match agreed.filter(|_| *context.interrupt.borrow() == Interrupt::None) {
        Some(true) => Ok(()),
        Some(false) => {
            let what = format!("what was typed is not the cluster's name, {name}");
            Err(Problem::new(what).into())
        }
        None => Err(Refusal::Interrupted),
    }
}

/// What the hosts are, and what follows.
struct Survey {
    gathered: Gathered,
    reset: Reset,
    plan: Plan,
    judged: Arc<Judged>,
}

impl Survey {
    async fn of(context: &Context, gathered: Gathered) -> Result<Self, Refusal> {
        let situation = Situation {
            inventory: &context.inventory,
            reach: &gathered.reach,
            selected: &context.selected,
            fresh: &context.fresh,
            adopt: false,
            keep: false,
        };
        let reset = cluster::reset(&situation).map_err(Refusal::Problems)?;
        let plan = plan::reset(&situation, &reset, &context.book)?;
        let judged = Arc::new(context.runner(&gathered).judge(&plan).await);
        Ok(Self {
            gathered,
            reset,
            plan,
            judged,
        })
    }

    /// Whether anything of k3s is on a host or in the cluster.
    fn is_needed(&self) -> bool {
        !planned(&self.judged).is_empty()
    }

    /// Tells what was found and what follows; the plan itself only when it is `shown`.
    fn tell(&self, context: &Context, shown: bool) {
        for text in &self.reset.notes {
            context.events.send(Event::Note { text: text.clone() });
        }
        for (host, problem) in &self.reset.unfit {
            context.events.send(Event::Unreached {
                host: host.clone(),
                problem: problem.clone(),
            });
        }
        let all = context.inventory.hosts.iter().map(|host| &host.name);
        let unknown = all.filter(|host| {
            self.reset.unfit.contains_key(*host)
                || (self.gathered.unreached.contains_key(*host) && context.selected.contains(*host))
        });
        let unknown: Vec<String> = unknown.cloned().collect();
        let hosts = self.reset.waves.iter().flat_map(|wave| &wave.hosts);
        let names: Vec<_> = hosts.map(String::as_str).collect();
        if shown {
            context.events.send(Event::Plan {
                about: format!(
                    "{}: k3s and its data are removed from {}",
                    context.inventory.cluster.name,
                    names.join(", ")
                ),
                steps: planned(&self.judged),
                unknown,
            });
        }
    }

    /// What is known of the hosts before anything is done.
    fn run_state(&self, context: &Context) -> RunState {
        let mut run_state = RunState::of(&self.gathered, |host| context.selected.contains(host));
        for (host, problem) in &self.reset.unfit {
            run_state.end(host, Outcome::Failed, Some(problem.clone()));
        }
        run_state
    }

    async fn run(&self, context: &Context, begun: Instant) -> Report {
        let mut run_state = self.run_state(context);
        let runner = context.runner(&self.gathered);
        let last = self.plan.stages.len().saturating_sub(1);
        let plan = (&self.plan, &self.judged);
        let ended = deploy::stages(context, &runner, plan, last, &mut run_state).await;
        let trouble = ended.is_err();
        if let Err(reason) = ended {
            for host in &context.selected {
                let owed = self.plan.steps_of(host).any(|(stage, _, _)| {
                    !run_state.has_passed(host, stage) && !self.judged.is_converged(stage, host)
                });
                if owed {
                    runner.cancel(host, reason.clone(), &mut run_state);
                }
            }
            let problem = Problem::new("the reset ended early").because(reason);
            context.events.send(Event::Trouble { problem });
        }
        let rows = context.rows(&self.gathered).into_iter();
        run_state.report(rows, begun.elapsed(), trouble)
    }
}
