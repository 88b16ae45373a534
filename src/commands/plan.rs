//! `towline plan`: what a deploy would change.

use crate::cli::{Environment, PlanArguments};
use crate::distribution;
use crate::engine::{Context, Deploy, Deployment, Survey, preview, told};
use crate::problem::ExitCode;
use crate::run::Event;
use crate::run::event::Events;
use crate::ui::Ui;

pub(super) async fn run(arguments: PlanArguments, environment: &Environment, ui: Ui) -> ExitCode {
    told(&ui, async |events: Events| {
        let mut context = Context::new(&arguments.inventory, environment, &ui, events).await?;
        context.fetch_manifests().await?;
        let deploy = Deploy {
            adopt: true,
            ..Deploy::default()
        };
        let survey = context.survey(&deploy).await?;
        if !arguments.adopt {
            foreign(&context, &survey);
        }
        Ok(preview(&context, &deploy, &survey))
    })
    .await
}

/// Names the hosts that the plan takes over and a deploy would not.
fn foreign(context: &Context, survey: &Survey<Deployment>) {
    for host in &context.inventory.hosts {
        let facts = survey.gathered.facts.get(&host.name);
        let is_foreign = facts.is_some_and(|facts| facts.node.foreign.is_some());
        if is_foreign
            && survey
                .decision
                .rules
                .topology
                .specs
                .contains_key(&host.name)
        {
            let text = format!(
                "{}: something else set up {} here; deploy takes it over only with --adopt",
                host.name,
                distribution::of(&context.inventory).rules.product().name
            );
            context.events.send(Event::Note { text });
        }
    }
}
