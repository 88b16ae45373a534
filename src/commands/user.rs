//! `towline user`: the people and programs that use a cluster.

use crate::cli::{AdminArguments, Environment, UserCommand};
use crate::engine::{Refusal, told, users};
use crate::problem::ExitCode;
use crate::run::event::Events;
use crate::ui::Ui;

pub(super) async fn run(what: UserCommand, environment: &Environment, ui: Ui) -> ExitCode {
    told(&ui, async |events: Events| {
        let cluster = |admin: &AdminArguments| {
            let path = environment.usual_kubeconfig(admin.kubeconfig.as_deref());
            users::of(&path, admin.context.as_deref()).map_err(Refusal::from)
        };
        match &what {
            UserCommand::Create(wanted) => {
                users::create(cluster(&wanted.admin)?, wanted, &events).await
            }
            UserCommand::List { admin } => users::list(cluster(admin)?, &events).await,
            UserCommand::Delete { name, admin } => {
                users::delete(cluster(admin)?, name, &events).await
            }
        }
    })
    .await
}
