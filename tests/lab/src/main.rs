//! The lab as a command for people: machines to try towline on.

use std::fmt::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use towline_lab::{Distribution, Lab, Options, find_release, image, list, say, sweep, take_down};

/// Real machines on this machine: Debian with systemd and OpenSSH, up in seconds.
#[derive(Parser)]
#[command(name = "towline-lab")]
struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Start machines: 3+1 is three servers and one agent
    Up {
        /// Servers, or servers+agents
        #[arg(value_parser = parse_size)]
        size: (u8, u8),
        /// Write an inventory for towline to this file
        #[arg(long)]
        inventory: Option<PathBuf>,
        /// What the machines and the inventory are made ready for
        #[arg(long, value_enum, default_value_t)]
        distribution: Distribution,
        /// Machines only: look for nothing to install
        #[arg(long)]
        bare: bool,
        /// The shape that `VirtualBox` gives: 10.0.2.15 on the default route of every machine, until it is cut
        #[arg(long)]
        virtualbox: bool,
        /// Seconds between two tries of the stand-in to promote an etcd learner (k3s itself: 15, k0s: 10)
        #[arg(long, default_value_t = 2)]
        promote_seconds: u32,
    },
    /// Show the labs and their machines
    List,
    /// Open a shell on a machine, or run a command there
    Ssh {
        machine: String,
        #[command(flatten)]
        lab: Which,
        /// Who logs in: root, admin (sudo without a password), asker (sudo asks for "ask-me")
        #[arg(long, default_value = "root")]
        user: String,
        /// What to run instead of a shell
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Print an inventory for towline
    Inventory {
        #[command(flatten)]
        lab: Which,
    },
    /// Pull a machine's power cord
    Cut {
        machine: String,
        #[command(flatten)]
        lab: Which,
    },
    /// Power a machine on again
    Boot {
        machine: String,
        #[command(flatten)]
        lab: Which,
    },
    /// Give a machine a new disk, so new host keys; it stays off
    Wipe {
        machine: String,
        #[command(flatten)]
        lab: Which,
    },
    /// Put a machine's present host keys into `known_hosts`, after a wipe
    Trust {
        machine: String,
        #[command(flatten)]
        lab: Which,
    },
    /// Remove a lab, or all that `up` started
    Down {
        /// The lab's id
        id: Option<String>,
    },
    /// Say which k3s the machines run; the stand-in is built when it is needed
    K3s,
    /// Say which k0s the machines run; the stand-in is built when it is needed
    K0s,
    /// Print the folder of the machines' image, which is made when it is needed
    Image,
    /// Remove what dead test runs left
    Sweep,
}

#[derive(clap::Args)]
struct Which {
    /// The lab's id; not needed where there is one lab
    #[arg(long = "lab")]
    id: Option<String>,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::progress(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Up {
            size: (servers, agents),
            inventory,
            distribution,
            bare,
            virtualbox,
            promote_seconds,
        } => {
            let options = Options {
                servers,
                agents,
                distribution,
                release: !bare,
                promote_seconds: Some(promote_seconds),
            };
            up(&options, inventory.as_ref(), virtualbox)
        }
        Verb::List => show_all(),
        Verb::Ssh {
            machine,
            lab,
            user,
            command,
        } => {
            let lab = lab.open()?;
            let machine = lab.find(&machine)?;
            if !machine.is_on() {
                bail!("{} is off; boot it first", machine.name());
            }
            let error = machine
                .ssh_command()
                .arg(machine.target(&user))
                .args(command)
                .exec();
            Err(error).context("start ssh")
        }
        Verb::Inventory { lab } => {
            say::result(lab.open()?.inventory().trim_end());
            Ok(())
        }
        Verb::Cut { machine, lab } => lab.open()?.find(&machine)?.cut(),
        Verb::Boot { machine, lab } => lab.open()?.find(&machine)?.boot(),
        Verb::Wipe { machine, lab } => {
            lab.open()?.find(&machine)?.wipe()?;
            say::progress(&format!(
                "{machine} has a new disk and new host keys. Next: boot {machine}, trust {machine}"
            ));
            Ok(())
        }
        Verb::Trust { machine, lab } => lab.open()?.trust(&machine),
        Verb::Down { id } => down(id.as_deref()),
        Verb::K3s => which(Distribution::K3s),
        Verb::K0s => which(Distribution::K0s),
        Verb::Image => {
            say::result(&image()?.to_string_lossy());
            Ok(())
        }
        Verb::Sweep => {
            let swept = sweep()?;
            say::result(&if swept.is_empty() {
                "nothing to sweep".to_owned()
            } else {
                format!("swept {}", swept.join(", "))
            });
            Ok(())
        }
    }
}

fn which(distribution: Distribution) -> Result<()> {
    say::result(&find_release(distribution)?.to_string());
    Ok(())
}

fn up(options: &Options, inventory: Option<&PathBuf>, virtualbox: bool) -> Result<()> {
    let began = Instant::now();
    let lab = Lab::up(options)?;
    if virtualbox {
        lab.behind_virtualbox()?;
    }
    let mut text = table(&lab);
    let _ = write!(
        text,
        "\nlab {} is up after {:.1} s. Next:\n",
        lab.id(),
        began.elapsed().as_secs_f32()
    );
    if let Some(path) = inventory {
        std::fs::write(path, lab.inventory())
            .with_context(|| format!("write the inventory to {}", path.display()))?;
        let _ = writeln!(text, "  towline deploy -i {}", path.display());
    }
    lab.keep()?;
    let _ = write!(
        text,
        "  towline-lab ssh m1\n  towline-lab cut m1 | boot m1 | wipe m1\n  towline-lab down"
    );
    say::result(&text);
    Ok(())
}

fn table(lab: &Lab) -> String {
    lab.machines()
        .iter()
        .fold(String::new(), |mut text, machine| {
            let (name, address) = (machine.name(), machine.address().to_string());
            let address6 = machine.address6().to_string();
            let power = if machine.is_on() { "on" } else { "off" };
            let _ = writeln!(
                text,
                "  {name:<4} {address:<15} {address6:<15} {:<7} {power}",
                machine.role().as_str()
            );
            text
        })
}

fn show_all() -> Result<()> {
    let labs = list()?;
    if labs.is_empty() {
        say::result("no labs; start one: towline-lab up 3+1");
    }
    for listed in labs {
        let owner = match (listed.kept, listed.owned) {
            (true, _) => "kept",
            (false, true) => "belongs to a running process",
            (false, false) => "its owner is gone: towline-lab sweep",
        };
        let machines = Lab::attach(&listed.directory)
            .map(|lab| table(&lab))
            .unwrap_or_default();
        say::result(&format!(
            "{} ({owner}) {}\n{}",
            listed.id,
            listed.directory.display(),
            machines.trim_end()
        ));
    }
    Ok(())
}

fn down(id: Option<&str>) -> Result<()> {
    let ids = if let Some(id) = id {
        vec![id.to_owned()]
    } else {
        sweep()?;
        list()?
            .into_iter()
            .filter(|lab| lab.kept)
            .map(|lab| lab.id)
            .collect()
    };
    for id in &ids {
        take_down(id)?;
    }
    say::result(&if ids.is_empty() {
        "no lab to take down".to_owned()
    } else {
        format!("down: {}", ids.join(", "))
    });
    Ok(())
}

impl Which {
    /// The named lab, or the only one there is; kept ones go before those of running tests.
    fn open(&self) -> Result<Lab> {
        if let Some(id) = &self.id {
            return Lab::attach(id);
        }
        let (kept, others): (Vec<_>, Vec<_>) = list()?.into_iter().partition(|lab| lab.kept);
        let candidates = if kept.is_empty() { others } else { kept };
        match candidates.as_slice() {
            [] => bail!("there is no lab; start one: towline-lab up 3+1"),
            [only] => Lab::attach(&only.directory),
            several => {
                let ids: Vec<&str> = several.iter().map(|lab| lab.id.as_str()).collect();
                bail!(
                    "there are several labs: choose one by --lab {}",
                    ids.join(" | --lab ")
                )
            }
        }
    }
}

/// `3`, or `3+1`.
fn parse_size(text: &str) -> Result<(u8, u8), String> {
    let (servers, agents) = text.split_once('+').unwrap_or((text, "0"));
    match (servers.parse(), agents.parse()) {
        (Ok(servers), Ok(agents)) => Ok((servers, agents)),
        _ => Err("expected servers, or servers+agents, such as 1 or 3+1".to_owned()),
    }
}
