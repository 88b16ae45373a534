//! `towline install`: one machine becomes a server.

use std::time::Instant;

use crate::adhoc::{self, AdHocInventory, advice, save};
use crate::cli::{Environment, InstallArguments};
use crate::engine::{Target, deploy, kubeconfig, plan, told};
use crate::error::ExitCode;
use crate::run::event::Events;
use crate::ui::Ui;

pub(super) async fn run(
    arguments: InstallArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    told(&ui, async |events: Events| {
        let begun = Instant::now();
        let mut adhoc = AdHocInventory::install(&arguments)?;
        adhoc::tell(&adhoc, &events);
        let overrides = arguments.overrides.as_deref();
        let mut context = adhoc::context(
            &adhoc,
            &arguments.login,
            overrides,
            environment,
            &ui,
            events,
        )
        .await?;
        context.reset_config = arguments.reset_config;
        let target = Target::from(&arguments.destination);
        if arguments.skip_install {
            let gathered = context.gather().await?;
            return Ok(kubeconfig::only(&context, &gathered, &target, begun).await);
        }
        let survey = context.survey().await.map_err(advice::in_flags)?;
        if arguments.plan {
            return Ok(plan::tell(&context, &survey, begun));
        }
        let save = arguments.save_inventory.as_deref();
        save::before(save, &mut adhoc, &survey, &context)?;
        let (report, next) = deploy::go(&context, survey, begun, Some(&target)).await?;
        let next = match report.exit_code() {
            ExitCode::Success => next.map(|next| next + &advice::agents(&adhoc, &arguments.login)),
            _ => next,
        };
        Ok((report, advice::goes_on(save, next, None)))
    })
    .await
}
