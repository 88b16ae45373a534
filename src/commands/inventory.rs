//! `towline inventory`: what can be said of an inventory without its hosts.

use std::path::PathBuf;
use std::time::Instant;

use crate::adhoc::init;
use crate::cli::{Environment, InventoryCommand};
use crate::engine::{Refusal, surroundings};
use crate::inventory::{self, Inventory, Overrides};
use crate::problem::ExitCode;
use crate::run::Event;
use crate::run::report::Report;
use crate::ui::Ui;
use crate::vagrant;

mod check;
mod convert;
mod show;

pub(super) async fn run(what: InventoryCommand, environment: &Environment, ui: &Ui) -> ExitCode {
    let begun = Instant::now();
    let done = match what {
        InventoryCommand::Check { files } => check::run(&files.inventory, environment, ui),
        InventoryCommand::FromAnsible { what } => {
            convert::run(&what, convert::SourceTool::Ansible, environment, ui)
        }
        InventoryCommand::FromK0sctl { what } => {
            convert::run(&what, convert::SourceTool::K0sctl, environment, ui)
        }
        InventoryCommand::FromK3sup { what, servers } => convert::run(
            &what,
            convert::SourceTool::K3sup { servers },
            environment,
            ui,
        ),
        InventoryCommand::FromVagrant {
            folder,
            output_file,
            k3s_version,
        } => {
            let wanted = vagrant::VagrantRequest {
                folder: folder.unwrap_or_else(|| PathBuf::from(".")),
                file: output_file,
                version: k3s_version,
            };
            vagrant::run(wanted, environment, ui).await
        }
        InventoryCommand::Init(arguments) => init::run(arguments, environment, ui).await,
        InventoryCommand::Show { files, ssh, host } => {
            show::run(&files.inventory, &ssh, host.as_deref(), environment, ui).await
        }
    };
    if let Err(refusal) = done {
        return refusal.tell(ui);
    }
    let report = Report::without_hosts(begun, true);
    ui.show(Event::Finished { report });
    ExitCode::Success
}

fn load(
    files: &[PathBuf],
    overrides: &Overrides,
    environment: &Environment,
    ui: &Ui,
) -> Result<Inventory, Refusal> {
    let inventory = inventory::load(files, surroundings(environment, overrides))
        .map_err(|errors| Refusal::Input(Box::new(errors)))?;
    for secret in inventory.secrets() {
        ui.redactor.learn(&secret);
    }
    Ok(inventory)
}
