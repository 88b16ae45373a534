//! `towline trust`: the keys of all hosts, shown and recorded.

use crate::cli::{Environment, TrustArguments};
use crate::engine::{Context, fingerprints, told, trust};
use crate::problem::ExitCode;
use crate::run::event::Events;
use crate::ui::Ui;

pub(super) async fn run(arguments: TrustArguments, environment: &Environment, ui: Ui) -> ExitCode {
    told(&ui, async |events: Events| {
        let file = arguments.fingerprints.as_deref();
        let listed = file.map(fingerprints).transpose()?;
        let context = Context::new(&arguments.inventory, environment, &ui, events).await?;
        trust(&context, file.zip(listed.as_ref())).await
    })
    .await
}
