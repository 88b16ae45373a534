//! The context of a run on hosts that were typed.

use std::path::Path;

use super::AdHocInventory;
use crate::cli::{Environment, Login};
use crate::engine::{Context, Refusal, RunOptions};
use crate::run::Event;
use crate::run::event::Events;
use crate::ui::Ui;

pub fn tell(adhoc: &AdHocInventory, events: &Events) {
    for text in &adhoc.notes {
        events.send(Event::Note { text: text.clone() });
    }
}

pub async fn context(
    adhoc: &AdHocInventory,
    login: &Login,
    overrides: Option<&Path>,
    environment: &Environment,
    ui: &Ui,
    events: Events,
) -> Result<Context, Refusal> {
    let (inventory, selected) = adhoc.inventory(environment)?;
    let options = options(adhoc, login, overrides);
    Context::of(inventory, selected, &options, environment, ui, events).await
}

/// How the hosts that were typed are worked on.
fn options(adhoc: &AdHocInventory, login: &Login, overrides: Option<&Path>) -> RunOptions {
    RunOptions {
        parallel: 8,
        accept_new_host_keys: login.accept_new_host_keys,
        overrides: overrides.map(Path::to_owned),
        local: adhoc.local.clone(),
        adopt: false,
    }
}
