//! `towline reset`: from hosts of a cluster to bare machines.

use std::path::{Path, PathBuf};

use crate::cli::{Environment, InventoryArguments, ResetArguments};
use crate::cluster;
use crate::engine::{Context, Refusal, Reset, can_ask, execute, preview, told};
use crate::inventory::STANDARD_INPUT;
use crate::problem::{Code, ExitCode, Problem, problem};
use crate::run::event::Events;
use crate::shell::quote;
use crate::ui::Ui;

pub(super) async fn run(arguments: ResetArguments, environment: &Environment, ui: Ui) -> ExitCode {
    if !arguments.plan && !arguments.yes && !can_ask(&arguments.inventory.files.inventory) {
        let InventoryArguments { files, hosts } = &arguments.inventory;
        let mut line = format!("towline reset {}", cluster::in_flags(&files.inventory));
        if let Some(limit) = &hosts.limit {
            line = format!("{line} --limit {}", quote(limit));
        }
        let what = "a reset removes a cluster with its data";
        return Refusal::from(unasked(what, &files.inventory, &line)).tell(&ui);
    }
    told(&ui, async |events: Events| {
        let context = Context::new(&arguments.inventory, environment, &ui, events).await?;
        let reset = Reset {
            ui: &ui,
            is_agreed: arguments.yes,
        };
        let survey = context.survey(&reset).await?;
        if arguments.plan {
            return Ok(preview(&context, &reset, &survey));
        }
        execute(&context, &reset, survey).await
    })
    .await
}

/// Without a terminal, or with the inventory on standard input, nothing can be asked: what it is about, and what is typed.
pub(super) fn unasked(what: &str, inventory: &[PathBuf], line: &str) -> Problem {
    let is_input = |file: &PathBuf| file == Path::new(STANDARD_INPUT);
    let why = if inventory.iter().any(is_input) {
        "standard input, where the answer would be typed, is the inventory"
    } else {
        "there is no terminal to ask on"
    };
    problem!(Code::UNCONFIRMED, "{what}, and {why}")
        .next("to see what it would do")
        .command(format!("{line} --plan"))
        .next("to do it")
        .command(format!("{line} --yes"))
}
