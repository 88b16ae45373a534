//! `towline install`: one machine becomes a server.

use crate::adhoc::{AdHocInventory, advice, save};
use crate::cli::{Environment, InstallArguments};
use crate::engine::{Deploy, Target, execute, kubeconfig, preview, told};
use crate::problem::ExitCode;
use crate::run::event::Events;
use crate::ui::Ui;

pub(super) async fn run(
    arguments: InstallArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    told(&ui, async |events: Events| {
        let mut adhoc = AdHocInventory::install(&arguments)?;
        let (login, overrides) = (&arguments.login, arguments.overrides.as_deref());
        let context = adhoc.context(login, overrides, environment, &ui, events);
        let context = context.await?;
        let target = Target::from(&arguments.destination);
        if arguments.skip_install {
            return kubeconfig::only(&context, &target).await;
        }
        let deploy = Deploy {
            adopt: false,
            reset_config: arguments.reset_config,
            kubeconfig: Some(target),
        };
        let survey = context.survey(&deploy).await.map_err(advice::in_flags)?;
        if arguments.plan {
            return Ok(preview(&context, &deploy, &survey));
        }
        let save = arguments.save_inventory.as_deref();
        save::before(save, &mut adhoc, &survey, &context)?;
        let (report, next) = execute(&context, &deploy, survey).await?;
        let next = match report.exit_code() {
            ExitCode::Success => next.map(|next| next + &advice::agents(&adhoc, login)),
            _ => next,
        };
        Ok((report, advice::goes_on(save, next, None)))
    })
    .await
}
