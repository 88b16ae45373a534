//! `towline inventory show`: what the inventory says of every host, and where.

use std::path::PathBuf;

use super::load;
use crate::cli::{Environment, SshConfiguration};
use crate::engine::{Refusal, config_files, configure};
use crate::inventory::{Overrides, similar};
use crate::problem::{Code, problem};
use crate::run::Event;
use crate::ui::Ui;

pub(super) async fn run(
    files: &[PathBuf],
    ssh: &SshConfiguration,
    host: Option<&str>,
    environment: &Environment,
    ui: &Ui,
) -> Result<(), Refusal> {
    let overrides = Overrides {
        bastion: ssh.bastion.clone(),
        ..Overrides::default()
    };
    let mut inventory = load(files, &overrides, environment, ui)?;
    configure(&mut inventory, config_files(ssh), environment).await?;
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
    for text in inventory.warnings {
        ui.show(Event::Note { text });
    }
    ui.show(Event::Shown {
        cluster: inventory.cluster.name,
        hosts,
    });
    Ok(())
}
