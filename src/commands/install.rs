//! `towline install`: one machine becomes a server.

use crate::adhoc::{AdHocInventory, advice};
use crate::cli::{Environment, InstallArguments};
use crate::engine::{KubeconfigTarget, kubeconfig, told};
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
        let (node, target) = (
            &arguments.node,
            KubeconfigTarget::from(&arguments.destination),
        );
        let context = adhoc.context(
            &node.login,
            node.overrides.as_deref(),
            environment,
            &ui,
            events,
        );
        let context = context.await?;
        if arguments.skip_install {
            return kubeconfig::only(&context, &target).await;
        }
        let gathered = context.gather().await?;
        let (report, next) = adhoc
            .deploy(node, &context, gathered, Some(target), environment)
            .await?;
        if node.plan {
            return Ok((report, next));
        }
        let next = match report.exit_code() {
            ExitCode::Success => next.map(|next| next + &advice::agents(&adhoc, &node.login)),
            _ => next,
        };
        Ok((
            report,
            advice::goes_on(node.save_inventory.as_deref(), next, None),
        ))
    })
    .await
}
