//! `towline deploy`: from an inventory to a cluster.

use crate::cli::{DeployArguments, Environment};
use crate::engine::{Context, Deploy, KubeconfigTarget, execute, file, told};
use crate::problem::ExitCode;
use crate::run::Event;
use crate::run::event::Events;
use crate::ui::Ui;

pub(super) async fn run(arguments: DeployArguments, environment: &Environment, ui: Ui) -> ExitCode {
    told(&ui, async |events: Events| {
        let mut context = Context::new(&arguments.inventory, environment, &ui, events).await?;
        context.fetch_manifests().await?;
        let deploy = Deploy {
            adopt: arguments.adopt,
            reset_config: false,
            kubeconfig: Some(KubeconfigTarget::new(&arguments.kubeconfig, environment)),
        };
        let survey = context.survey(&deploy).await?;
        let (mut report, next) = execute(&context, &deploy, survey).await?;
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
