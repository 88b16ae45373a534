//! `towline deploy`: from an inventory to a cluster.

use std::time::Instant;

use crate::cli::{DeployArguments, Environment};
use crate::engine::{Context, Target, deploy, told};
use crate::error::ExitCode;
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
        deploy::go(&context, survey, begun, Some(&target)).await
    })
    .await
}
