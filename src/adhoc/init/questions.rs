//! The questions for a new inventory.

use std::path::Path;

use super::{InitAnswers, distinct, enough, numbered, written};
use crate::cli::{Environment, InitArguments};
use crate::problem::Problem;
use crate::ui::Ui;

/// The addresses in a line.
fn listed(line: &str) -> Vec<String> {
    let words = line.split([',', ' ', '\t']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Asks for what the flags do not say; also whether the machines are to be asked for their names.
/// Nothing when a question was left without an answer.
pub(super) fn ask(
    ui: &Ui,
    arguments: &InitArguments,
    name: &str,
    key: Option<String>,
    environment: &Environment,
) -> Option<(InitAnswers, bool)> {
    let words = |checked: Result<(), Problem>| {
        checked.map_err(|problem| match problem.next.first() {
            Some(next) => format!("{}: {}", problem.what, next.text),
            None => problem.what,
        })
    };
    let are_addresses = |line: &str| match listed(line) {
        none if none.is_empty() => Err("type one address at least".to_owned()),
        all => words(distinct(&all)),
    };
    let question = "Addresses of the machines, with spaces between them";
    let all = listed(&ui.ask_line(question, "", &are_addresses)?);
    let is_available = match &*all {
        [_] => false,
        [_, _] => {
            ui.out(
                "Two machines: one server and one agent. High availability takes three servers.",
            );
            false
        }
        _ => ui.ask_yes_or_no("High availability, with three servers or more?")?,
    };
    let are_servers = |line: &str| {
        let servers = listed(line);
        if let Some(other) = servers.iter().find(|address| !all.contains(address)) {
            return Err(format!("{other} is not one of the machines"));
        }
        words(distinct(&servers).and_then(|()| enough(&servers)))?;
        match servers.len() {
            1 if is_available => Err("high availability takes three servers or more".to_owned()),
            2.. if !is_available => Err("without high availability there is one server".to_owned()),
            _ => Ok(()),
        }
    };
    let usual = all[..if is_available { 3 } else { 1 }].join(" ");
    let servers = if all.len() == usual.split(' ').count() {
        all.clone()
    } else {
        let question = if is_available {
            "Which of them are servers"
        } else {
            "Which of them is the server"
        };
        listed(&ui.ask_line(question, &usual, &are_servers)?)
    };
    let user = match &arguments.user {
        Some(user) => user.clone(),
        None => ui.ask_line("User to log in as", "root", &is_something)?,
    };
    let key = if key.is_some() {
        key
    } else {
        let question = "Private key file (Enter: what ssh would use)";
        let adhoc = ui.ask_line(question, "", &|_| Ok(()))?;
        let adhoc = adhoc.trim();
        (!adhoc.is_empty()).then(|| match adhoc.strip_prefix("~/") {
            Some(_) => adhoc.to_owned(),
            None => written(Path::new(adhoc), &environment.home),
        })
    };
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => ui.ask_line("Name of the cluster", name, &is_something)?,
    };
    let names = ui.ask_yes_or_no("Log in to the machines and take their own names?")?;
    let wanted = InitAnswers {
        name: name.trim().to_owned(),
        user: user.trim().to_owned(),
        key,
        hosts: numbered(&all, &servers),
    };
    Some((wanted, names))
}

fn is_something(line: &str) -> Result<(), String> {
    if line.trim().is_empty() {
        return Err("this cannot be empty".to_owned());
    }
    Ok(())
}
