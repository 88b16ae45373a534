//! `towline inventory check`: whether an inventory is right, as far as it tells without its hosts.

use std::path::PathBuf;

use super::load;
use crate::cli::Environment;
use crate::engine::Refusal;
use crate::inventory::{self, Overrides};
use crate::run::Event;
use crate::ui::Ui;

pub(super) fn run(files: &[PathBuf], environment: &Environment, ui: &Ui) -> Result<(), Refusal> {
    let inventory = load(files, &Overrides::default(), environment, ui)?;
    let servers = inventory.servers().count();
    for text in inventory.warnings {
        ui.show(Event::Note { text });
    }
    ui.show(Event::Checked {
        files: files.iter().map(|file| inventory::name(file)).collect(),
        cluster: inventory.cluster.name,
        servers,
        agents: inventory.hosts.len() - servers,
    });
    Ok(())
}
