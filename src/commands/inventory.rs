//! `towline inventory`: what can be said of an inventory without its hosts.

use std::path::PathBuf;
use std::time::Instant;

use super::{Refusal, surroundings};
use crate::cli::{Environment, InventoryCommand};
use crate::cluster::remarks;
use crate::error::ExitCode;
use crate::inventory::{self, Overrides, Role};
use crate::run::Event;
use crate::run::report::Report;
use crate::ui::Ui;

mod from_vagrant;

pub(super) async fn run(what: InventoryCommand, environment: &Environment, ui: &Ui) -> ExitCode {
    let begun = Instant::now();
    let done = match what {
        InventoryCommand::Check { inventory } => check(&inventory, environment, ui),
        InventoryCommand::FromVagrant {
            folder,
            output_file,
            k3s_version,
        } => {
            let wanted = from_vagrant::Wanted {
                folder: folder.unwrap_or_else(|| PathBuf::from(".")),
                file: output_file,
                version: k3s_version,
            };
            from_vagrant::run(wanted, environment, ui).await
        }
    };
    if let Err(refusal) = done {
        return refusal.tell(ui);
    }
    let report = Report::without_hosts(begun, true);
    ui.show(Event::Finished { report });
    ExitCode::Success
}

fn check(files: &[PathBuf], environment: &Environment, ui: &Ui) -> Result<(), Refusal> {
    let overrides = Overrides::default();
    let inventory = inventory::load(files, surroundings(environment, &overrides), remarks)
        .map_err(|errors| Refusal::Input(Box::new(errors)))?;
    for text in inventory.warnings {
        ui.show(Event::Note { text });
    }
    let servers = inventory.hosts.iter();
    let servers = servers.filter(|host| host.role.value == Role::Server);
    let servers = servers.count();
    ui.show(Event::Checked {
        files: files.iter().map(|file| inventory::name(file)).collect(),
        cluster: inventory.cluster.name,
        servers,
        agents: inventory.hosts.len() - servers,
    });
    Ok(())
}
