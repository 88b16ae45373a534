//! `towline snapshot restore`: from a snapshot on this machine to the cluster that it is of.

use super::reset::unasked;
use crate::cli::{Environment, InventoryArguments, RestoreArguments};
use crate::cluster;
use crate::engine::{
    Context, Deploy, KubeconfigTarget, Refusal, Restore, RestoreSource, can_ask, execute, preview,
    told,
};
use crate::problem::{Code, ExitCode, Problem};
use crate::run::event::Events;
use crate::shell::quote;
use crate::ui::Ui;

pub(super) async fn run(
    arguments: RestoreArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    let inventory: InventoryArguments = arguments.cluster.into();
    if inventory.hosts.limit.is_some() {
        let whole = "a restore is one of the whole cluster";
        let problem = Problem::new(Code::COMMAND_LINE, whole).next("leave out --limit");
        return Refusal::from(problem).tell(&ui);
    }
    let files = &inventory.files.inventory;
    if !arguments.plan && !arguments.yes && !can_ask(files) {
        let file = quote(&arguments.file.to_string_lossy()).clone();
        let files_named = cluster::in_flags(files);
        let line = format!("towline snapshot restore {files_named} {file}");
        let what = "a restore replaces all that a cluster holds";
        return Refusal::from(unasked(what, files, &line)).tell(&ui);
    }
    told(&ui, async |events: Events| {
        let source = RestoreSource::read(&arguments.file)?;
        let mut context = Context::new(&inventory, environment, &ui, events).await?;
        context.fetch_manifests().await?;
        let restore = Restore {
            ui: &ui,
            is_agreed: arguments.yes,
            deploy: Deploy {
                kubeconfig: Some(KubeconfigTarget::new(&arguments.kubeconfig, environment)),
                ..Deploy::default()
            },
            source,
            id: format!("{:032x}", rand::random::<u128>()),
        };
        let survey = context.survey(&restore).await?;
        if arguments.plan {
            return Ok(preview(&context, &restore, &survey));
        }
        execute(&context, &restore, survey).await
    })
    .await
}
