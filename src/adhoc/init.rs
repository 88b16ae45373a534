//! An inventory of the machines that flags or answers name: `towline inventory init`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::cli::{Environment, InitArguments};
use crate::cluster::in_flags;
use crate::engine::{
    Context, Refusal, RunOptions, absolute, can_ask, file as files, interrupt, surroundings,
};
use crate::inventory::{self, Inventory, Overrides, canonical};
use crate::problem::{Code, Problem, problem};
use crate::run::event::Events;
use crate::run::{Event, Interrupt};
use crate::shell::quote;
use crate::ui::{Format, Ui};

mod questions;
mod text;

/// What the machines are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct InitAnswers {
    name: String,
    user: String,
    key: Option<String>,
    hosts: Vec<InitHost>,
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct InitHost {
    name: String,
    address: String,
    is_server: bool,
}

/// Writes the inventory, after asking what no flag says.
pub async fn run(
    arguments: InitArguments,
    environment: &Environment,
    ui: &Ui,
) -> Result<(), Refusal> {
    let file = arguments
        .output_file
        .clone()
        .unwrap_or_else(|| PathBuf::from("inventory.yaml"));
    is_free(&file)?;
    let has_flags = !arguments.servers.is_empty();
    if !has_flags && !can_ask(&[]) {
        return Err(Problem::new(Code::FLAG_MISSING, "there is no terminal to ask on, and --servers is not given")
            .command("towline inventory init --servers 10.0.0.1,10.0.0.2,10.0.0.3 --agents 10.0.0.4 --user ubuntu")
            .into());
    }
    let name = arguments.name.clone().unwrap_or_else(|| {
        let folder = file.parent().filter(|folder| *folder != Path::new(""));
        files::cluster_name(folder.unwrap_or(Path::new(".")))
    });
    let key = arguments.ssh_key.as_deref();
    let key = key.map(|key| written(key, &environment.home));
    let wanted = if has_flags {
        let trimmed = |addresses: &[String]| -> Vec<String> {
            let addresses = addresses.iter();
            addresses.map(|address| address.trim().to_owned()).collect()
        };
        let servers = trimmed(&arguments.servers);
        let all = [servers.clone(), trimmed(&arguments.agents)].concat();
        distinct(&all)?;
        enough(&servers)?;
        InitAnswers {
            name,
            user: arguments.user.unwrap_or_else(|| "root".to_owned()),
            key,
            hosts: numbered(&all, &servers),
        }
    } else {
        // Ctrl-C ends a question, and not this program in the middle of one.
        let watch = interrupt::watch(Events::channel().0);
        let asked =
            tokio::task::block_in_place(|| questions::ask(ui, &arguments, &name, key, environment));
        let asked = asked.filter(|_| *watch.borrow() == Interrupt::None);
        let (mut wanted, names) = asked.ok_or(Refusal::Interrupted)?;
        if names {
            take_names(&mut wanted, &file, environment, ui).await?;
        }
        // The answers may have taken a while.
        is_free(&file)?;
        wanted
    };
    let text = wanted.text(&file)?;
    let inventory = parsed(&text, &file, environment)?;
    files::write(&file, &text)?;
    ui.show(Event::Written {
        file: Some(file.display().to_string()),
        text,
        hosts: inventory.hosts.len(),
        changes: None,
        left_out: Vec::new(),
    });
    if ui.format == Format::Plain {
        let flags = in_flags(&[file]);
        ui.out(&format!(
            "\n  towline plan {flags}      shows what a deploy would do\n  towline deploy {flags}    makes the machines a cluster"
        ));
    }
    Ok(())
}

/// Nothing is written over a file that is there.
fn is_free(file: &Path) -> Result<(), Problem> {
    if !file.try_exists().unwrap_or(true) {
        return Ok(());
    }
    let shown = quote(&file.to_string_lossy());
    Err(
        problem!(Code::FILE_EXISTS, "{} already exists", file.display())
            .because("towline does not overwrite it")
            .next("to check the one that is there")
            .command(format!("towline inventory check -i {shown}"))
            .next("to write another one")
            .flag("-o FILE"),
    )
}

fn parsed(text: &str, file: &Path, environment: &Environment) -> Result<Inventory, Refusal> {
    let overrides = Overrides::default();
    inventory::load_text(text, file, surroundings(environment, &overrides)).map_err(|errors| {
        // This text was not written by hand: its lines tell nothing.
        let problems = errors.mistakes.into_iter().map(|mistake| {
            let help = mistake.help.into_iter();
            help.fold(
                Problem::new(Code::FLAG_VALUE, mistake.message),
                Problem::next,
            )
        });
        Refusal::Problems(problems.collect())
    })
}

/// A key's path as it is written: it holds in any folder.
fn written(key: &Path, home: &Path) -> String {
    let key = absolute(key.to_owned());
    match key.strip_prefix(home) {
        Ok(rest) => format!("~/{}", rest.display()),
        Err(_) => key.display().to_string(),
    }
}

/// That these are addresses, and each another one.
fn distinct(addresses: &[String]) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    for address in addresses {
        inventory::address(address)?;
        if !seen.insert(canonical(address)) {
            return Err(
                problem!(Code::FLAG_VALUE, "the address {address} is used twice")
                    .next("every machine has its own, and is a server or an agent"),
            );
        }
    }
    Ok(())
}

/// That so many servers make a cluster.
fn enough(servers: &[String]) -> Result<(), Problem> {
    match servers.len() {
        count if count % 2 == 1 => Ok(()),
        0 => Err(Problem::new(Code::SERVER_COUNT, "a cluster needs a server")),
        count => Err(problem!(
            Code::SERVER_COUNT,
            "{count} servers survive the loss of no more of them than {} would",
            count - 1
        )
        .next(format!(
            "make it {} or {} servers; any number of agents can join",
            count - 1,
            count + 1
        ))),
    }
}

/// The machines with names that only count them.
fn numbered(all: &[String], servers: &[String]) -> Vec<InitHost> {
    let mut counts = [0, 0];
    let machines = all.iter().map(|address| {
        let is_server = servers.contains(address);
        let (word, count) = if is_server {
            ("server", &mut counts[0])
        } else {
            ("agent", &mut counts[1])
        };
        *count += 1;
        InitHost {
            name: format!("{word}{count}"),
            address: address.clone(),
            is_server,
        }
    });
    let mut machines: Vec<InitHost> = machines.collect();
    machines.sort_by_key(|machine| !machine.is_server);
    machines
}

/// Gives the machines that can be reached the names that they have themselves, where these are good
/// for it.
async fn take_names(
    wanted: &mut InitAnswers,
    file: &Path,
    environment: &Environment,
    ui: &Ui,
) -> Result<(), Refusal> {
    let inventory = parsed(&wanted.text(file)?, file, environment)?;
    let (events, receiver) = Events::channel();
    let teller = tokio::spawn(ui.clone().tell(receiver));
    let hostnames = hostnames(inventory, environment, ui, events).await;
    // What was said is told before anything else.
    let _ = teller.await;
    wanted.take(&hostnames?);
    Ok(())
}

/// The hostnames of the machines that can be reached, by their names so far.
async fn hostnames(
    inventory: Inventory,
    environment: &Environment,
    ui: &Ui,
    events: Events,
) -> Result<BTreeMap<String, String>, Refusal> {
    let options = RunOptions {
        parallel: 32,
        ..RunOptions::default()
    };
    let all = inventory.hosts.iter().map(|host| host.name.clone());
    let selected = all.collect();
    let context = Context::of(inventory, selected, &options, environment, ui, events).await?;
    let gathered = context.gather().await?;
    for (host, unreached) in &gathered.unreached {
        context.events.send(Event::Unreached {
            host: host.clone(),
            problem: unreached.problem.clone(),
        });
    }
    let reached = gathered.facts.iter();
    Ok(reached
        .map(|(name, facts)| (name.clone(), facts.hostname.clone()))
        .collect())
}

impl InitAnswers {
    /// Takes these names, where they can be names and each is another one.
    fn take(&mut self, hostnames: &BTreeMap<String, String>) {
        let so_far = self.hosts.iter().map(|host| host.name.clone());
        let so_far: Vec<String> = so_far.collect();
        for host in &mut self.hosts {
            let Some(hostname) = hostnames.get(&host.name) else {
                continue;
            };
            let has = |name: &&String| name.eq_ignore_ascii_case(hostname);
            let is_shared = hostnames.values().filter(has).count() > 1;
            if !is_shared && !so_far.iter().any(|name| has(&name)) && inventory::is_name(hostname) {
                host.name.clone_from(hostname);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(name: &str) -> InitHost {
        InitHost {
            name: name.into(),
            address: format!("{name}.example.org"),
            is_server: true,
        }
    }

    #[test]
    fn a_name_of_its_own_is_taken_where_it_can_be_one() {
        let names = ["server1", "server2", "server3", "server4", "server5"];
        let mut wanted = InitAnswers {
            name: "a".into(),
            user: "root".into(),
            key: None,
            hosts: names.map(machine).into(),
        };
        let found = [
            ("server1", "alpha"),
            ("server2", "localhost"),
            ("server3", "LOCALHOST"),
            ("server4", "a;id"),
            ("server5", "server1"),
        ];
        let found = found.map(|(name, hostname)| (name.to_owned(), hostname.to_owned()));
        wanted.take(&found.into());
        let taken: Vec<_> = wanted.hosts.iter().map(|host| &*host.name).collect();
        assert_eq!(taken, ["alpha", "server2", "server3", "server4", "server5"]);
    }

    #[test]
    fn servers_come_first_and_every_role_is_counted() {
        let all = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(str::to_owned);
        let made = numbered(&all, &all[1..2]);
        let made: Vec<_> = made
            .iter()
            .map(|host| format!("{} {}", host.name, host.address))
            .collect();
        assert_eq!(
            made,
            ["server1 10.0.0.2", "agent1 10.0.0.1", "agent2 10.0.0.3"]
        );
    }
}
