//! `towline inventory show`: what the inventory says of every host, and where.

use std::path::PathBuf;

use super::load;
use crate::cli::Environment;
use crate::engine::Refusal;
use crate::inventory::similar;
use crate::problem::{Code, problem};
use crate::run::Event;
use crate::ui::Ui;

pub(super) fn run(
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
            let problem = problem!(Code::HOST_UNKNOWN, "the inventory has no host {name}");
            let problem = match similar(name, names) {
                Some(meant) => problem.next("did you mean").flag(format!("--host {meant}")),
                None => problem.next("without --host, all hosts are shown"),
            };
            return Err(problem.into());
        }
    }
    ui.show(Event::Shown {
        cluster: inventory.cluster.name,
        hosts,
    });
    Ok(())
}
