//! `towline plan`: what a deploy would change.

use crate::cli::{Environment, InventoryArguments};
use crate::cluster::Stage;
use crate::error::ExitCode;
use crate::run::event::{Events, PlannedState};
use crate::run::{Event, planned};
use crate::ui::Ui;

use super::road::{Road, Survey, unfit};
use super::{Refusal, deploy};

pub(super) async fn run(
    arguments: InventoryArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    deploy::told(&ui, async |events: Events| {
        let road = Road::new(&arguments, true, environment, &ui, events).await?;
        let survey = road.survey().await?;
        tell(&road, &survey).map(|code| (code, None))
    })
    .await
}

/// Tells what a survey found and what would follow from it.
pub(super) fn tell(road: &Road, survey: &Survey) -> Result<ExitCode, Refusal> {
    for host in &road.inventory.hosts {
        let facts = survey
            .gathered
            .reach
            .get(&host.name)
            .and_then(|reach| reach.facts());
        let is_foreign = facts.is_some_and(|facts| facts.k3s.foreign.is_some());
        if is_foreign && survey.shape.places.contains_key(&host.name) {
            let text = format!(
                "{}: something else set up k3s here; deploy takes it over only with --adopt",
                host.name
            );
            road.events.send(Event::Note { text });
        }
    }
    for text in &survey.shape.notes {
        road.events.send(Event::Note { text: text.clone() });
    }
    for (host, problem) in unfit(survey) {
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
    let steps = planned(&survey.judged);
    let bad = !survey.gathered.unreached.is_empty()
        || !survey.shape.unfit.is_empty()
        || !survey.shape.waiting.is_empty()
        || steps.iter().any(|step| step.state == PlannedState::Failed);
    road.events.send(Event::Plan {
        about: about(road, survey),
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
