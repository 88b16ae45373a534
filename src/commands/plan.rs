//! `towline plan`: what a deploy would change.

use crate::cli::{Environment, InventoryArguments};
use crate::cluster::Stage;
use crate::error::ExitCode;
use crate::run::Event;
use crate::run::event::{Events, Planned, PlannedChange, PlannedState};
use crate::task::Verdict;
use crate::ui::Ui;

use super::Refusal;
use super::road::{Road, Survey, unfit};

pub(super) async fn run(
    arguments: InventoryArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    let (events, receiver) = Events::channel();
    let teller = tokio::spawn(ui.clone().tell(receiver));
    let result = plan(&arguments, environment, &ui, events).await;
    // All senders are gone now; what they said is told before anything else.
    let _ = teller.await;
    result.unwrap_or_else(|refusal| refusal.tell(&ui))
}

async fn plan(
    arguments: &InventoryArguments,
    environment: &Environment,
    ui: &Ui,
    events: Events,
) -> Result<ExitCode, Refusal> {
    let road = Road::new(arguments, environment, ui, events).await?;
    let survey = road.survey().await?;
    for text in &survey.shape.notes {
        road.events.send(Event::Note { text: text.clone() });
    }
    for (host, problem) in unfit(&survey) {
        road.events.send(Event::Unreached {
            host: host.clone(),
            problem: problem.clone(),
        });
    }
    for (host, reason) in &survey.shape.waiting {
        road.events.send(Event::Cancelled {
            host: host.clone(),
            reason: reason.clone(),
        });
    }
    let steps = planned(&survey);
    let bad = !survey.gathered.unreached.is_empty()
        || !survey.shape.unfit.is_empty()
        || !survey.shape.waiting.is_empty()
        || steps.iter().any(|step| step.state == PlannedState::Failed);
    road.events.send(Event::Plan {
        about: about(&road, &survey),
        steps,
    });
    Ok(if bad {
        ExitCode::Failed
    } else {
        ExitCode::Success
    })
}

/// What a plan is about, as a sentence.
fn about(road: &Road, survey: &Survey) -> String {
    let (name, version) = (&road.inventory.cluster.name, &survey.version);
    match &survey.shape.stage {
        Stage::New { leader } => {
            format!("{name}: a new cluster of k3s {version}, made by {leader}")
        }
        Stage::Running { .. } => format!("{name}: a cluster of k3s {version} that runs"),
        Stage::Down => format!("{name}: a cluster of k3s {version}, all of whose servers are down"),
        Stage::Elsewhere => format!("{name}: hosts that join a cluster of k3s {version} elsewhere"),
        Stage::Unknown => format!("{name}: k3s {version}; whether there is a cluster is not known"),
    }
}

/// The steps that are not as they should be.
pub(super) fn planned(survey: &Survey) -> Vec<Planned> {
    let mut steps = Vec::new();
    for (stage, _, lanes) in &survey.judged.stages {
        for (host, lane) in lanes {
            for step in lane {
                let change = |what: String| PlannedChange { what, diff: None };
                let (state, changes) = match &step.verdict {
                    Ok(Verdict::Converged) => continue,
                    Ok(Verdict::Drifted(remedy)) => {
                        let changes = remedy.changes.iter();
                        let changes = changes.map(|change| PlannedChange {
                            what: change.what.clone(),
                            diff: change.diff.clone(),
                        });
                        (PlannedState::Change, changes.collect())
                    }
                    Ok(Verdict::Pending(pending)) => (
                        PlannedState::Pending,
                        vec![change(format!("wait for {}", pending.until))],
                    ),
                    Ok(Verdict::Undecidable(why)) => {
                        (PlannedState::Unknown, vec![change(why.clone())])
                    }
                    Err(problem) => (PlannedState::Failed, vec![change(problem.to_string())]),
                };
                steps.push(Planned {
                    stage: stage.clone(),
                    host: host.clone(),
                    step: step.name.clone(),
                    state,
                    changes,
                });
            }
        }
    }
    steps
}
