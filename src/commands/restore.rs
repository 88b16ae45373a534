//! `towline snapshot restore` and `towline recover`: to the cluster of a snapshot, or of the data that one server still has.

use super::reset::unasked;
use crate::cli::{
    Environment, InventoryArguments, KubeconfigFile, RecoverArguments, RestoreArguments,
};
use crate::cluster;
use crate::engine::snapshot::snapshots;
use crate::engine::{
    Context, Deploy, KubeconfigTarget, ReadSnapshot, Refusal, Restore, RestoreSource, can_ask,
    execute, preview, told,
};
use crate::problem::{Code, ExitCode, Problem};
use crate::run::event::Events;
use crate::shell::quote;
use crate::ui::Ui;

/// What both are told.
struct BeginArguments {
    inventory: InventoryArguments,
    kubeconfig: KubeconfigFile,
    yes: bool,
    plan: bool,
}

pub(super) async fn run(
    arguments: RestoreArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    let wanted = BeginArguments {
        inventory: arguments.cluster.into(),
        kubeconfig: arguments.kubeconfig,
        yes: arguments.yes,
        plan: arguments.plan,
    };
    let file = arguments.file;
    let behind = format!(" {}", quote(&file.to_string_lossy()));
    let refused = refused(
        &wanted,
        ("towline snapshot restore", &behind),
        "a restore replaces all that a cluster holds",
    );
    if let Some(problem) = refused {
        return Refusal::from(problem).tell(&ui);
    }
    let source = match ReadSnapshot::read(&file) {
        Ok(read) => RestoreSource::Snapshot(Box::new(read)),
        Err(problem) => return Refusal::from(problem).tell(&ui),
    };
    begin::<false>(wanted, source, environment, ui).await
}

pub(super) async fn recover(
    arguments: RecoverArguments,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    let wanted = BeginArguments {
        inventory: arguments.inventory,
        kubeconfig: arguments.kubeconfig,
        yes: arguments.yes,
        plan: arguments.plan,
    };
    let from = arguments.from.as_deref().map(quote);
    let behind = from.map_or_else(String::new, |from| format!(" --from {from}"));
    let refused = refused(
        &wanted,
        ("towline recover", &behind),
        "a recovery gives up what lost servers had",
    );
    if let Some(problem) = refused {
        return Refusal::from(problem).tell(&ui);
    }
    let source = RestoreSource::Survivor(arguments.from);
    begin::<true>(wanted, source, environment, ui).await
}

/// Why it is not even looked at.
fn refused(
    wanted: &BeginArguments,
    (command, behind): (&str, &str),
    what: &str,
) -> Option<Problem> {
    if wanted.inventory.hosts.limit.is_some() {
        let whole = "this is done to a whole cluster";
        return Some(Problem::new(Code::COMMAND_LINE, whole).next("leave out --limit"));
    }
    let files = &wanted.inventory.files.inventory;
    let is_asked = !wanted.plan && !wanted.yes;
    (is_asked && !can_ask(files)).then(|| {
        let line = format!("{command} {}{behind}", cluster::in_flags(files));
        unasked(what, files, &line)
    })
}

async fn begin<const RECOVERS: bool>(
    wanted: BeginArguments,
    source: RestoreSource,
    environment: &Environment,
    ui: Ui,
) -> ExitCode {
    told(&ui, async |events: Events| {
        let mut context = Context::new(&wanted.inventory, environment, &ui, events).await?;
        snapshots(&context.inventory)?;
        context.fetch_manifests().await?;
        let restore = Restore::<RECOVERS> {
            ui: &ui,
            is_agreed: wanted.yes,
            deploy: Deploy {
                kubeconfig: Some(KubeconfigTarget::new(&wanted.kubeconfig, environment)),
                ..Deploy::default()
            },
            source,
            id: format!("{:032x}", rand::random::<u128>()),
        };
        let survey = context.survey(&restore).await?;
        if wanted.plan {
            return Ok(preview(&context, &restore, &survey));
        }
        execute(&context, &restore, survey).await
    })
    .await
}
