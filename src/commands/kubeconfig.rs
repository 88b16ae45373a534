//! `towline kubeconfig` and `towline get-config`: the cluster's kubeconfig, tried from here.

use crate::adhoc::AdHocInventory;
use crate::cli::{Environment, GetConfigArguments, KubeconfigArguments};
use crate::engine::{Context, KubeconfigTarget, kubeconfig, told};
use crate::problem::ExitCode;
use crate::run::event::Events;
use crate::ui::Ui;

pub(super) async fn run(
    arguments: KubeconfigArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    told(&ui, async |events: Events| {
        let context = Context::new(&arguments.inventory, environment, &ui, events).await?;
        let target = KubeconfigTarget::new(&arguments.kubeconfig, environment);
        kubeconfig::only(&context, &target).await
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
        let adhoc = AdHocInventory::kubeconfig_of(&arguments)?;
        let context = adhoc.context(&arguments.login, None, environment, &ui, events);
        let context = context.await?;
        let target = KubeconfigTarget::from(&arguments.destination);
        kubeconfig::only(&context, &target).await
    })
    .await
}
