//! `--save-inventory`: the inventory that stands for what was typed, as a file.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::AdHocInventory;
use crate::cli::Environment;
use crate::engine::{Context, Deployment, Refusal, Survey, file, surroundings};
use crate::inventory::{self, Inventory, Overrides};
use crate::problem::{Code, Problem, problem};
use crate::run::Event;

const HEADER: &str = "# Written by towline: what was typed, as an inventory. Change it, then  towline deploy -i THIS_FILE\n";

/// Writes the inventory before the first change: the same line or a deploy goes on from there, whatever
/// happens. Into one that is there, the hosts that it lacks are added and everything else stays as it is.
///
/// # Errors
/// A file that is there and is not the inventory of the same cluster, and what the file system refuses.
pub fn before(
    file: Option<&Path>,
    adhoc: &mut AdHocInventory,
    survey: &Survey<Deployment>,
    context: &Context,
    environment: &Environment,
) -> Result<(), Refusal> {
    let Some(file) = file else {
        return Ok(());
    };
    if let Some(kept) = survey.decision.rules.topology.kept.get(&adhoc.target) {
        let left_out = adhoc.keep(kept)?;
        if !left_out.is_empty() {
            let text = format!(
                "{} leaves out what may be secret: {}; write it by hand, or a deploy takes it away",
                file.display(),
                left_out.join(", ")
            );
            context.events.send(Event::Note { text });
        }
    }
    Ok(file::write(file, &new_text(file, adhoc, environment)?)?)
}

fn new_text(
    file: &Path,
    adhoc: &AdHocInventory,
    environment: &Environment,
) -> Result<String, Problem> {
    let fresh = format!("{HEADER}{}", adhoc.draft.clone().literal().text()?);
    let before = match fs::read_to_string(file) {
        Ok(before) => before,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(fresh),
        Err(error) => {
            return Err(
                problem!(Code::FILE_UNREADABLE, "{} cannot be read", file.display()).because(error),
            );
        }
    };
    if before == fresh || before.trim().is_empty() {
        return Ok(fresh);
    }
    let old = read(file, &before, environment)?;
    let is_there = |address: &str| old.hosts.iter().any(|host| host.address == address);
    let known = adhoc.read_server().unwrap_or(&adhoc.target);
    if !adhoc.address(known).is_some_and(is_there) {
        return Err(problem!(
            Code::FILE_EXISTS,
            "{} is there, and is an inventory without {known}",
            file.display()
        )
        .because("nothing is written over another cluster's inventory")
        .next("choose another file")
        .flag("--save-inventory FILE"));
    }
    let mut text = before;
    for name in adhoc.names_of_hosts() {
        if adhoc.address(name).is_some_and(is_there) {
            continue;
        }
        text =
            with_host(&text, &adhoc.host_lines(name)?).ok_or_else(|| by_hand(file, adhoc, name))?;
        let overrides = Overrides::default();
        text = inventory::edit::allowing_two_servers(text, |text| {
            inventory::load_text(text, file, surroundings(environment, &overrides))
        });
        if read(file, &text, environment).is_err() {
            return Err(by_hand(file, adhoc, name));
        }
    }
    Ok(text)
}

fn read(file: &Path, text: &str, environment: &Environment) -> Result<Inventory, Problem> {
    let overrides = Overrides::default();
    inventory::load_text(text, file, surroundings(environment, &overrides)).map_err(|_| {
        problem!(
            Code::FILE_EXISTS,
            "{} is there, and is no inventory that can be read",
            file.display()
        )
        .next("choose another file")
        .flag("--save-inventory FILE")
    })
}

fn by_hand(file: &Path, adhoc: &AdHocInventory, name: &str) -> Problem {
    let lines = adhoc.host_lines(name).unwrap_or_default();
    problem!(
        Code::EDIT_BY_HAND,
        "{name} cannot be added to {}",
        file.display()
    )
    .because("its hosts are written in a form that is not extended by itself")
    .next("add by hand below `hosts`")
    .inventory(lines.trim_end())
}

/// The text with more lines at the end of the block `hosts:`; comments and order stay.
pub fn with_host(text: &str, entry: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let hosts = lines.iter().position(|line| line.trim_end() == "hosts:")?;
    let is_inside = |line: &&str| line.is_empty() || line.starts_with([' ', '#', '\t']);
    let block = lines[hosts + 1..].iter().take_while(|line| is_inside(line));
    let end = hosts + 1 + block.count();
    // What stands before the next key belongs to it.
    let last = (hosts + 1..end)
        .rev()
        .find(|at| lines[*at].starts_with(' ') && !lines[*at].trim().is_empty())?;
    let indentation = lines[hosts + 1..=last]
        .iter()
        .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(|line| line.len() - line.trim_start().len())?;
    let mut all: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let entry = entry.lines().map(|line| " ".repeat(indentation) + line);
    all.splice(last + 1..=last, entry);
    Some(all.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inventory_that_names_the_home_is_read() {
        let environment = Environment {
            home: "/home/x".into(),
            ..Environment::read()
        };
        let text = "cluster: {name: a}\nssh: {key: ~/.ssh/id}\nhosts: {a: {address: 10.0.0.1, role: server}}\n";
        assert!(read(Path::new("a.yaml"), text, &environment).is_ok());
    }

    #[test]
    fn a_host_is_added_below_the_others_and_comments_stay() {
        let text = "# mine\ncluster: {name: a}\nhosts:\n    a: {address: 10.0.0.1, role: server} # first\n\n# ways\nssh: {user: u}\n";
        assert_eq!(
            with_host(text, "b:\n  role: agent\n").as_deref(),
            Some(
                "# mine\ncluster: {name: a}\nhosts:\n    a: {address: 10.0.0.1, role: server} # first\n    b:\n      role: agent\n\n# ways\nssh: {user: u}\n"
            )
        );
        assert_eq!(with_host("hosts: {a: {role: server}}\n", "b: {}"), None);
    }
}
