//! Secrets that an inventory does not hold itself: what commands of this machine print, and what the
//! user types.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;

use super::refusal::Refusal;
use super::surroundings::can_ask;
use crate::inventory::{Host, Inventory, Ssh};
use crate::problem::{Code, Problem};
use crate::run::Interrupt;
use crate::ssh::{Exit, program};
use crate::ui::Ui;
use crate::vars::{Origin, Secret, Sourced};

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

/// A password that is asked for once, for all hosts that may want it.
pub(super) struct AskedPassword {
    /// The flag, without its dashes.
    flag: &'static str,
    question: &'static str,
    /// What the inventory says instead.
    instead: &'static str,
    place: fn(&mut Ssh) -> &mut Option<Sourced<Secret>>,
    is_for: fn(&Host) -> bool,
}

/// The password to log in with.
pub(super) const LOGIN: AskedPassword = AskedPassword {
    flag: "ask-pass",
    question: "Password to log in: ",
    instead: "ssh: {password: {command: [pass, show, login]}}",
    place: |ssh| &mut ssh.password,
    is_for: |_| true,
};

/// The password that sudo wants.
pub(super) const SUDO: AskedPassword = AskedPassword {
    flag: "ask-become-pass",
    question: "Password for sudo: ",
    instead: "ssh: {become_password: {command: [pass, show, sudo]}}",
    place: |ssh| &mut ssh.become_password,
    is_for: |host| host.ssh.user.value != "root",
};

/// Asks the user once for a password.
pub(super) async fn ask(
    password: &AskedPassword,
    inventory: &mut Inventory,
    local: Option<&str>,
    ui: &Ui,
    interrupt: &watch::Receiver<Interrupt>,
) -> Result<(), Refusal> {
    let is_asked = can_ask(&inventory.files);
    let hosts = inventory.hosts.iter_mut();
    let hosts = hosts.filter(|host| (password.is_for)(host) && local != Some(&host.name));
    let hosts: Vec<_> = hosts.collect();
    if hosts.is_empty() {
        return Ok(());
    }
    if !is_asked {
        let what = format!("--{}: there is no terminal to ask on", password.flag);
        return Err(Problem::new(Code::FLAG_UNFIT, what)
            .next("say where the password is")
            .inventory(password.instead)
            .into());
    }
    let (ui, interrupt, question) = (ui.clone(), interrupt.clone(), password.question);
    let asked = tokio::task::spawn_blocking(move || {
        let interrupted = || *interrupt.borrow() != Interrupt::None;
        ui.ask_secret(question, &interrupted)
    });
    let Some(value) = asked.await.unwrap_or_default() else {
        return Err(Refusal::Interrupted);
    };
    for host in hosts {
        *(password.place)(&mut host.ssh) = Some(Sourced {
            value: value.clone(),
            origin: Origin::Flag(password.flag),
        });
    }
    Ok(())
}
