//! `towline snapshot`: the data of a cluster, saved.

use super::restore;
use crate::cli::{Environment, SnapshotCommand};
use crate::engine::snapshot::SnapshotStore;
use crate::engine::{Context, told};
use crate::problem::ExitCode;
use crate::run::event::Events;
use crate::ui::Ui;

pub(super) async fn run(what: SnapshotCommand, environment: &Environment, ui: Ui) -> ExitCode {
    let inventory = match &what {
        SnapshotCommand::Save { inventory, .. } | SnapshotCommand::List { inventory } => {
            inventory.clone()
        }
        SnapshotCommand::Fetch { cluster, .. } | SnapshotCommand::Delete { cluster, .. } => {
            cluster.clone().into()
        }
        SnapshotCommand::Restore(arguments) => {
            return restore::run(arguments.clone(), environment, ui).await;
        }
    };
    told(&ui, async |events: Events| {
        let context = Context::new(&inventory, environment, &ui, events).await?;
        let store = SnapshotStore::of(&context).await?;
        match what {
            SnapshotCommand::Save {
                name,
                target,
                no_fetch,
                plan,
                ..
            } => store.save(&name, !no_fetch, target.output_file, plan).await,
            SnapshotCommand::Fetch { name, target, .. } => {
                store.fetch(name.as_deref(), target.output_file).await
            }
            SnapshotCommand::Delete { names, plan, .. } => store.delete(&names, plan).await,
            SnapshotCommand::List { .. } | SnapshotCommand::Restore(_) => store.list().await,
        }
    })
    .await
}
