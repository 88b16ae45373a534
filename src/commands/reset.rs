//! `towline reset`: from hosts of a cluster to bare machines.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::cli::{Environment, InventoryArguments, ResetArguments};
use crate::cluster::{self, Reset, Situation};
use crate::error::{ExitCode, Problem};
use crate::inventory::STANDARD_INPUT;
use crate::plan::{self, Judged, Plan};
use crate::run::event::Events;
use crate::run::gather::Gathered;
use crate::run::report::{Report, RunState};
use crate::run::{Event, Interrupt, Outcome, planned};
use crate::shell::quote;
use crate::ui::{Format, Ui};

use super::road::Road;
use super::{Refusal, can_ask, deploy, interrupt};

pub(super) async fn run(arguments: ResetArguments, environment: &Environment, ui: Ui) -> ExitCode {
    if !arguments.plan && !arguments.yes && !can_ask(&arguments.inventory.files.inventory) {
        return Refusal::from(unasked(&arguments)).tell(&ui);
    }
    deploy::told(&ui, async |events: Events| {
        let begun = Instant::now();
        let road = Road::new(&arguments.inventory, false, environment, &ui, events).await?;
        let gathered = road.gather().await?;
        let mut survey = road
            .or_asked_for_the_end(Survey::of(&road, gathered))
            .await?;
        // No question follows: with -q a run tells its failures and its end.
        let shown = arguments.plan || !arguments.yes || ui.verbosity >= 0;
        survey.tell(&road, shown || ui.format == Format::Json);
        while survey.is_needed() && !arguments.plan && !arguments.yes {
            confirm(&road, &ui).await?;
            let agreed = survey.reset.clone();
            // A person may have thought for a while: the connections may be gone as well.
            let gathered = road.gather().await?;
            survey = road
                .or_asked_for_the_end(Survey::of(&road, gathered))
                .await?;
            if survey.reset == agreed {
                break;
            }
            road.events.send(Event::Note {
                text: "the hosts are no longer as they were when they were looked at".into(),
            });
            survey.tell(&road, true);
        }
        if arguments.plan {
            let steps = planned(&survey.judged);
            let run_state = survey.run_state(&road);
            let report = super::plan::report(&road, &survey.gathered, run_state, steps, begun);
            return Ok((report, None));
        }
        let mut unreached = survey.gathered.unreached.keys();
        if !survey.is_needed() && !unreached.any(|host| road.selected.contains(host)) {
            road.events.send(Event::Note {
                text: "nothing of k3s is here".into(),
            });
        }
        Ok((survey.run(&road, begun).await, None))
    })
    .await
}

/// Asks a person, who has the plan on the screen by then.
async fn confirm(road: &Road, ui: &Ui) -> Result<(), Refusal> {
    let name = &road.inventory.cluster.name;
    road.events.told().await;
    let typed = tokio::task::block_in_place(|| ui.confirm_reset(name));
    // A question does not end by a polite kill, and a name that is typed after it does not count.
    match typed.filter(|_| *road.interrupt.borrow() == Interrupt::None) {
        Some(true) => Ok(()),
        Some(false) => {
            let what = format!("what was typed is not the cluster's name, {name}");
            Err(Problem::new(what).into())
        }
        None => Err(Refusal::Interrupted),
    }
}

/// Without a terminal, or with an inventory in its place, a person cannot be asked.
fn unasked(arguments: &ResetArguments) -> Problem {
    let InventoryArguments { files, hosts } = &arguments.inventory;
    let inventory = &files.inventory;
    let mut line = format!("towline reset {}", cluster::in_flags(inventory));
    if let Some(limit) = &hosts.limit {
        line = format!("{line} --limit {}", quote(limit));
    }
    let why = if inventory
        .iter()
        .any(|file| file == Path::new(STANDARD_INPUT))
    {
        "standard input, where the answer would be typed, is the inventory"
    } else {
        "there is no terminal to ask on"
    };
    Problem::new(format!(
        "a reset removes a cluster with its data, and {why}"
    ))
    .next(format!("to see what it would do:  {line} --plan"))
    .next(format!("to do it:  {line} --yes"))
}

/// What the hosts are, and what follows.
struct Survey {
    gathered: Gathered,
    reset: Reset,
    plan: Plan,
    judged: Arc<Judged>,
}

impl Survey {
    async fn of(road: &Road, gathered: Gathered) -> Result<Self, Refusal> {
        let situation = Situation {
            inventory: &road.inventory,
            reach: &gathered.reach,
            selected: &road.selected,
            fresh: &road.fresh,
            adopt: false,
            keep: false,
        };
        let reset = cluster::reset(&situation).map_err(Refusal::Problems)?;
        let plan = plan::reset(&situation, &reset, &road.book)?;
        let judged = Arc::new(road.runner(&gathered).judge(&plan).await);
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
    fn tell(&self, road: &Road, shown: bool) {
        for text in &self.reset.notes {
            road.events.send(Event::Note { text: text.clone() });
        }
        for (host, problem) in &self.reset.unfit {
            road.events.send(Event::Unreached {
                host: host.clone(),
                problem: problem.clone(),
            });
        }
        let all = road.inventory.hosts.iter().map(|host| &host.name);
        let unknown = all.filter(|host| {
            self.reset.unfit.contains_key(*host)
                || (self.gathered.unreached.contains_key(*host) && road.selected.contains(*host))
        });
        let unknown: Vec<String> = unknown.cloned().collect();
        let hosts = self.reset.waves.iter().flat_map(|wave| &wave.hosts);
        let names: Vec<_> = hosts.map(String::as_str).collect();
        if shown {
            road.events.send(Event::Plan {
                about: format!(
                    "{}: k3s and its data are removed from {}",
                    road.inventory.cluster.name,
                    names.join(", ")
                ),
                steps: planned(&self.judged),
                unknown,
            });
        }
    }

    /// What is known of the hosts before anything is done.
    fn run_state(&self, road: &Road) -> RunState {
        let mut run_state = RunState::default();
        for (host, (begun, time)) in &self.gathered.times {
            run_state.connected(host, *begun, *time);
        }
        for (host, unreached) in &self.gathered.unreached {
            if road.selected.contains(host) {
                run_state.end(host, unreached.outcome, Some(unreached.problem.clone()));
            }
        }
        for (host, problem) in &self.reset.unfit {
            run_state.end(host, Outcome::Failed, Some(problem.clone()));
        }
        run_state
    }

    async fn run(&self, road: &Road, begun: Instant) -> Report {
        let mut run_state = self.run_state(road);
        let runner = road.runner(&self.gathered);
        let last = self.plan.stages.len().saturating_sub(1);
        let ended = tokio::select! {
            ended = runner.stages(&self.plan, &self.judged, last, &mut run_state) => ended,
            never = deploy::announce(road) => match never {},
            () = interrupt::asked_for(Interrupt::Drop, road.interrupt.clone()) => Err("the connections were dropped".to_owned()),
        };
        let trouble = ended.is_err();
        if let Err(reason) = ended {
            for host in &road.selected {
                let owed = self.plan.steps_of(host).any(|(stage, _, _)| {
                    !run_state.has_passed(host, stage) && !self.judged.is_converged(stage, host)
                });
                if owed {
                    runner.cancel(host, reason.clone(), &mut run_state);
                }
            }
            let problem = Problem::new("the reset ended early").because(reason);
            road.events.send(Event::Trouble { problem });
        }
        let rows = road.rows(&self.gathered).into_iter();
        run_state.report(rows, begun.elapsed(), trouble)
    }
}
