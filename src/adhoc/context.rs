//! The context of a run on hosts that were typed.

use std::path::Path;

use super::AdHocInventory;
use crate::cli::{Environment, Login};
use crate::engine::{Context, Refusal, RunOptions};
use crate::run::Event;
use crate::run::event::Events;
use crate::ui::Ui;

impl AdHocInventory {
    /// Says what is to be said of the line that was typed, and reads keys and playbooks.
    pub async fn context(
        &self,
        login: &Login,
        overrides: Option<&Path>,
        environment: &Environment,
        ui: &Ui,
        events: Events,
    ) -> Result<Context, Refusal> {
        for text in &self.notes {
            events.send(Event::Note { text: text.clone() });
        }
        let options = RunOptions {
            parallel: 8,
            accept_new_host_keys: login.accept_new_host_keys,
            overrides: overrides.map(Path::to_owned),
            local: self.local.clone(),
        };
        let inventory = self.inventory(environment)?;
        let selected = [self.target.clone()].into();
        Context::of(inventory, selected, &options, environment, ui, events).await
    }
}
