//! `towline inventory`: what can be said of an inventory without its hosts.

use std::path::PathBuf;
use std::time::Instant;

use crate::adhoc::init;
use crate::cli::{Environment, InventoryCommand};
use crate::distribution::remarks;
use crate::engine::{Refusal, surroundings};
use crate::inventory::{self, Inventory, Overrides, similar};
use crate::problem::{Code, ExitCode, problem};
use crate::run::Event;
use crate::run::report::Report;
use crate::ui::Ui;
use crate::vagrant;

mod convert;

pub(super) async fn run(what: InventoryCommand, environment: &Environment, ui: &Ui) -> ExitCode {
    let begun = Instant::now();
    let done = match what {
        InventoryCommand::Check { files } => check(&files.inventory, environment, ui),
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
        InventoryCommand::Show { files, host } => {
            show(&files.inventory, host.as_deref(), environment, ui)
        }
    };
    if let Err(refusal) = done {
        return refusal.tell(ui);
    }
    let report = Report::without_hosts(begun, true);
    ui.show(Event::Finished { report });
    ExitCode::Success
}

fn load(files: &[PathBuf], environment: &Environment, ui: &Ui) -> Result<Inventory, Refusal> {
    let overrides = Overrides::default();
    let inventory = inventory::load(files, surroundings(environment, &overrides), remarks)
        .map_err(|errors| Refusal::Input(Box::new(errors)))?;
    for secret in inventory.secrets() {
        ui.redactor.learn(&secret);
    }
    Ok(inventory)
}

fn show(
    files: &[PathBuf],
    host: Option<&str>,
    environment: &Environment,
    ui: &Ui,
) -> Result<(), Refusal> {
    let inventory = load(files, environment, ui)?;
    let mut hosts = inventory.shown();
    if let Some(name) = host {
        hosts.retain(|host| host.name == name);
        if hosts.is_empty() {
            let names = inventory.hosts.iter().map(|host| host.name.as_str());
            let next = match similar(name, names) {
                Some(meant) => format!("did you mean  --host {meant} ?"),
                None => "without --host, all hosts are shown".to_owned(),
            };
            let problem = problem!(Code::HOST_UNKNOWN, "the inventory has no host {name}");
            return Err(problem.next(next).into());
        }
    }
    ui.show(Event::Shown {
        cluster: inventory.cluster.name,
        hosts,
    });
    Ok(())
}

fn check(files: &[PathBuf], environment: &Environment, ui: &Ui) -> Result<(), Refusal> {
    let inventory = load(files, environment, ui)?;
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
