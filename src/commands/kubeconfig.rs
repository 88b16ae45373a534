//! `towline kubeconfig` and `towline get-config`: the cluster's kubeconfig, tried from here.

use std::time::Instant;

use crate::adhoc::{self, AdHocInventory};
use crate::cli::{Environment, GetConfigArguments, KubeconfigArguments};
use crate::engine::{Context, Target, kubeconfig, told};
use crate::error::ExitCode;
use crate::run::event::Events;
use crate::ui::Ui;

pub(super) async fn run(
    arguments: KubeconfigArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    told(&ui, async |events: Events| {
        let begun = Instant::now();
        let context = Context::new(&arguments.inventory, false, environment, &ui, events).await?;
        let gathered = context.gather().await?;
        let target = Target::new(&arguments.kubeconfig, environment);
        Ok(kubeconfig::only(&context, &gathered, &target, begun).await)
    })
    .await
}

/// `towline get-config`: the same of a server that is named by its address.
pub(super) async fn of_host(
    arguments: GetConfigArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    told(&ui, async |events: Events| {
        let begun = Instant::now();
        let adhoc = AdHocInventory::server(
            &arguments.address,
            &arguments.login,
            &arguments.destination.context,
        )?;
        let context =
            adhoc::context(&adhoc, &arguments.login, None, environment, &ui, events).await?;
        let gathered = context.gather().await?;
        let target = Target::from(&arguments.destination);
        Ok(kubeconfig::only(&context, &gathered, &target, begun).await)
    })
    .await
}
