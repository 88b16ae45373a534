//! Secrets that an inventory does not hold itself: what commands of this machine print, and what the
//! user types.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;

use super::refusal::Refusal;
use super::surroundings::can_ask;
use crate::inventory::Inventory;
use crate::problem::{Code, Problem};
use crate::run::Interrupt;
use crate::ssh::{Exit, program};
use crate::ui::Ui;
use crate::vars::{Origin, Sourced};

/// A command that prints a secret may take so long: it may wait for a touch or a passphrase.
const LIMIT: Duration = Duration::from_mins(2);

/// What a command prints, or why it does not, without a word of what it printed.
pub(super) fn printed(words: &[String], folder: &Path) -> Result<String, String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (name, arguments) = words.split_first().ok_or("is empty")?;
    // The runtime of this thread is not entered twice.
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(program(name, arguments, folder, LIMIT))
    };
    let output = std::thread::scope(|scope| scope.spawn(run).join());
    let output = output
        .map_err(|_| "could not be run".to_owned())?
        .map_err(|error| format!("could not be started: {error}"))?;
    match output.exit {
        Exit::Code(0) if output.stdout.contains('\u{fffd}') => {
            Err("printed something that is no text in UTF-8".to_owned())
        }
        Exit::Code(0) => Ok(output.stdout),
        exit => {
            let lines: Vec<_> = output.stderr.trim().lines().collect();
            let said = lines[lines.len().saturating_sub(3)..].join("; ");
            let said = if said.is_empty() {
                said
            } else {
                format!(": {said}")
            };
            Err(match exit {
                Exit::Lost(reason) => format!("gave {reason}{said}"),
                exit => format!("failed ({exit}){said}"),
            })
        }
    }
}

/// Asks the user once for the password that sudo wants, for all hosts that are not logged into as root.
pub(super) async fn ask(
    inventory: &mut Inventory,
    local: Option<&str>,
    ui: &Ui,
    interrupt: &watch::Receiver<Interrupt>,
) -> Result<(), Refusal> {
    let is_asked = can_ask(&inventory.files);
    let hosts = inventory.hosts.iter_mut();
    let hosts = hosts.filter(|host| host.ssh.user.value != "root" && local != Some(&host.name));
    let hosts: Vec<_> = hosts.collect();
    if hosts.is_empty() {
        return Ok(());
    }
    if !is_asked {
        return Err(Problem::new(
            Code::FLAG_UNFIT,
            "--ask-become-pass: there is no terminal to ask on",
        )
        .next("say where the password is")
        .inventory("ssh: {become_password: {command: [pass, show, sudo]}}")
        .into());
    }
    let (ui, interrupt) = (ui.clone(), interrupt.clone());
    let asked = tokio::task::spawn_blocking(move || {
        let interrupted = || *interrupt.borrow() != Interrupt::None;
        ui.ask_secret("Password for sudo: ", &interrupted)
    });
    let Some(password) = asked.await.unwrap_or_default() else {
        return Err(Refusal::Interrupted);
    };
    for host in hosts {
        host.ssh.become_password = Some(Sourced {
            value: password.clone(),
            origin: Origin::Flag("ask-become-pass"),
        });
    }
    Ok(())
}
