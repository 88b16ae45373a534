//! `towline ready`: waits until all nodes of a cluster are Ready.

use crate::cli::{Environment, ReadyArguments};
use crate::engine::{Refusal, interrupt, ready, told};
use crate::problem::ExitCode;
use crate::run::Interrupt;
use crate::run::event::Events;
use crate::ui::Ui;

pub(super) async fn run(arguments: &ReadyArguments, environment: &Environment, ui: Ui) -> ExitCode {
    let path = environment.usual_kubeconfig(arguments.kubeconfig.as_deref());
    told(&ui, async |events: Events| {
        let interrupt = interrupt::watch(events.clone());
        tokio::select! {
            ended = ready(arguments, &path, &events) => ended,
            () = interrupt::until(Interrupt::Finish, interrupt) => Err(Refusal::Interrupted),
        }
    })
    .await
}
