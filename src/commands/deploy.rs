//! `towline deploy`: from an inventory to a cluster.

use std::time::Instant;

use crate::cli::{DeployArguments, Environment};
use crate::engine::{Context, Target, deploy, file, told};
use crate::error::ExitCode;
use crate::run::Event;
use crate::run::event::Events;
use crate::ui::Ui;

pub(super) async fn run(arguments: DeployArguments, environment: &Environment, ui: Ui) -> ExitCode {
    told(&ui, async |events: Events| {
        let begun = Instant::now();
        let context = Context::new(
            &arguments.inventory,
            arguments.adopt,
            environment,
            &ui,
            events,
        )
        .await?;
        let survey = context.survey().await?;
        let target = Target::new(&arguments.kubeconfig, environment);
        let (mut report, next) = deploy::go(&context, survey, begun, Some(&target)).await?;
        if let Some(Some(file)) = &arguments.timing
            && let Err(problem) = file::write(file, &ui.timeline(&report))
        {
            report.trouble = true;
            context.events.send(Event::Trouble { problem });
        }
        Ok((report, next))
    })
    .await
}
