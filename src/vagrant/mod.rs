//! Vagrant's machines as an inventory: `towline inventory from-vagrant`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::Environment;
use crate::engine::{Refusal, file as files, surroundings};
use crate::inventory::Overrides;
use crate::problem::{Code, Problem, problem};
use crate::run::Event;
use crate::run::event::LeftOut;
use crate::shell::{Script, quote};
use crate::ssh::{
    self, AddressFamily, Exit, HostKeyTrust, Identities, Keys, KnownHosts, Policy, Remote as _,
    Route, Session, Target,
};
use crate::ui::Ui;

mod answers;
mod network;
mod record;
mod text;

use answers::{Machine, VagrantLogin};
use network::Seen;
use record::KeyRecord;
use text::VagrantHost;

/// Vagrant starts in a second or two; a provider on a busy machine answers late.
const VAGRANT_LIMIT: Duration = Duration::from_mins(2);

/// Where the pinned keys are, beside the inventory.
const KNOWN_HOSTS: &str = ".vagrant/towline_known_hosts";

/// What is wanted.
pub struct VagrantRequest {
    /// Where `vagrant` is run.
    pub folder: PathBuf,
    /// Where the inventory goes, when not into that folder.
    pub file: Option<PathBuf>,
    /// The version of k3s.
    pub version: Option<String>,
}

/// A machine that was connected to.
struct MetMachine {
    name: String,
    way: VagrantLogin,
    /// The type and the base64 of its host key.
    key: String,
    seen: Seen,
}

/// Writes the inventory, or renews the one that is there.
pub async fn run(
    wanted: VagrantRequest,
    environment: &Environment,
    ui: &Ui,
) -> Result<(), Refusal> {
    let named = wanted.folder.strip_prefix(".").unwrap_or(&wanted.folder);
    let file = wanted.file.unwrap_or_else(|| named.join("inventory.yaml"));
    // What is there is read first: nothing takes long before a refusal.
    let overrides = Overrides::default();
    let before = text::Before::read(&file, surroundings(environment, &overrides))?;
    let machines = machines(&wanted.folder).await?;
    let options = options(&wanted.folder, &machines).await?;
    let met = meet_all(options, environment).await?;
    let hosts = hosts(&met, environment).await?;

    let record = beside(&file, KNOWN_HOSTS);
    let known = KeyRecord::of(&text_of(&record)?);
    let mut left_out = Vec::new();
    for machine in machines.iter().filter(|machine| !machine.runs) {
        let name = &machine.name;
        let lines = if before.has(name) {
            "its lines stay as they are"
        } else {
            "it is not in the inventory"
        };
        left_out.push(LeftOut {
            place: name.clone(),
            what: format!("{}, so {lines}; vagrant up {}", machine.state, quote(name)),
        });
    }
    let gone: Vec<&str> = known
        .names()
        .into_iter()
        .filter(|name| machines.iter().all(|machine| machine.name != *name))
        .collect();
    let name = files::cluster_name(&wanted.folder);
    let mut made = before.with(&hosts, &gone, wanted.version.as_deref(), &name)?;

    let lines = known.with(&met, &hosts, &machines);
    for met in &met {
        if known.has_another(&met.name, &met.key) {
            made.changes
                .get_or_insert_default()
                .push(format!("{}: its host key has changed", met.name));
        }
    }
    if let Some(folder) = record.parent() {
        fs::create_dir_all(folder).map_err(|error| unwritten(&record, &error))?;
    }
    files::write(&record, &lines)?;
    if made.is_new {
        files::write(&file, &made.text)?;
    }
    ui.show(Event::Written {
        file: Some(file.display().to_string()),
        text: made.text,
        hosts: made.hosts,
        changes: made.changes,
        left_out,
    });
    Ok(())
}

fn unwritten(file: &Path, error: &std::io::Error) -> Problem {
    problem!(
        Code::FILE_UNWRITABLE,
        "{} cannot be written",
        file.display()
    )
    .because(error)
}

/// The text of a file, empty where there is none.
fn text_of(file: &Path) -> Result<String, Problem> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(|error| {
            problem!(Code::FILE_UNREADABLE, "{} cannot be read", file.display())
                .because(error.to_string())
        }),
    }
}

fn temporary() -> Result<tempfile::TempDir, Problem> {
    tempfile::tempdir().map_err(|error| {
        Problem::new(Code::FILE_UNWRITABLE, "no temporary folder can be made").because(error)
    })
}

/// A path beside a file.
fn beside(file: &Path, path: &str) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(path)
}

async fn vagrant(folder: &Path, arguments: &[&str]) -> Result<ssh::CommandOutput, Problem> {
    let line = format!("vagrant {}", arguments.join(" "));
    match ssh::program("vagrant", arguments, folder, VAGRANT_LIMIT).await {
        Ok(output) if output.exit == Exit::Code(0) => Ok(output),
        Ok(output) => {
            // Where Vagrant itself has a fault, these are the first lines of many.
            let words = answers::complaint(&output.stdout).unwrap_or(output.stderr);
            let words: Vec<&str> = words.trim().lines().take(12).collect();
            let problem = problem!(
                Code::VAGRANT_FAILED,
                "{line} failed in {}",
                folder.display()
            )
            .because(output.exit.to_string())
            .because(words.join("\n"));
            Err(if arguments == ["status", "--machine-readable"] {
                problem
                    .next("where the Vagrantfile is in another folder")
                    .command("towline inventory from-vagrant FOLDER")
            } else {
                problem.command("vagrant status")
            })
        }
        Err(error) if error.kind() == ErrorKind::NotFound && folder.is_dir() => Err(Problem::new(
            Code::VAGRANT_MISSING,
            "there is no program vagrant in the PATH",
        )
        .next("install Vagrant and a provider, such as VirtualBox or libvirt")),
        Err(_) if !folder.is_dir() => Err(problem!(
            Code::VAGRANT_FAILED,
            "there is no folder {}",
            folder.display()
        )),
        Err(error) => Err(problem!(
            Code::VAGRANT_FAILED,
            "{line} cannot be run in {}",
            folder.display()
        )
        .because(error)),
    }
}

async fn machines(folder: &Path) -> Result<Vec<Machine>, Problem> {
    let answer = vagrant(folder, &["status", "--machine-readable"]).await?;
    let machines = answers::machines(&answer.stdout);
    if machines.iter().any(|machine| machine.runs) {
        return Ok(machines);
    }
    let states = machines
        .iter()
        .map(|machine| format!("{} is in the state: {}", machine.name, machine.state));
    let problem = problem!(
        Code::VAGRANT_NOT_RUNNING,
        "no machine of Vagrant runs in {}",
        folder.display()
    );
    Err(states.fold(problem, Problem::because).command("vagrant up"))
}

/// How the machines that run are reached.
async fn options(
    folder: &Path,
    machines: &[Machine],
) -> Result<Vec<(String, VagrantLogin)>, Problem> {
    let running: Vec<&str> = machines
        .iter()
        .filter(|machine| machine.runs)
        .map(|machine| &*machine.name)
        .collect();
    let arguments = [&["ssh-config"], &running[..]].concat();
    let mut options = answers::options(&vagrant(folder, &arguments).await?.stdout);
    let way = |name: &str| match options.remove(name) {
        Some(way) if way.proxy.is_some() => {
            let proxy = way.proxy.unwrap_or_default();
            Err(problem!(
                Code::VAGRANT_UNREACHABLE,
                host = name,
                "Vagrant reaches it through another program"
            )
            .because(format!("ProxyCommand {proxy}"))
            .next("run towline on the machine on which the virtual machines run"))
        }
        Some(way) if !way.address.is_empty() && way.port > 0 => Ok((name.to_owned(), way)),
        _ => Err(problem!(
            Code::VAGRANT_UNREACHABLE,
            host = name,
            "vagrant ssh-config gives no address and port"
        )
        .command(format!("vagrant reload {}", quote(name)))),
    };
    running.into_iter().map(way).collect()
}

/// Connects to all of them as Vagrant does.
async fn meet_all(
    options: Vec<(String, VagrantLogin)>,
    environment: &Environment,
) -> Result<Vec<MetMachine>, Refusal> {
    let met = options.into_iter();
    let met = met.map(|(name, way)| meet(name, way, environment));
    let met = futures::future::join_all(met).await;
    let (met, failed): (Vec<_>, Vec<_>) = met.into_iter().partition(Result::is_ok);
    if failed.is_empty() {
        return Ok(met.into_iter().flatten().collect());
    }
    let problems = failed.into_iter().filter_map(Result::err);
    Err(Refusal::Problems(problems.collect()))
}

/// Takes the key that the machine shows where Vagrant reaches it, which Vagrant itself does at every
/// connection, and asks for its addresses.
async fn meet(
    name: String,
    way: VagrantLogin,
    environment: &Environment,
) -> Result<MetMachine, Problem> {
    let folder = temporary()?;
    let file = folder.path().join("known_hosts");
    let limit = Duration::from_secs(20);
    let session = connect(&name, &way, &file, Policy::AcceptNew, limit, environment).await?;
    let answer = session.run(&Script::new(network::QUESTION)).await;
    session.close().await;
    if answer.exit != Exit::Code(0) {
        return Err(problem!(
            Code::VAGRANT_UNREACHABLE,
            host = &name,
            "it did not report its addresses"
        )
        .because(answer.exit.to_string())
        .because(answer.stderr.trim())
        .command(format!("vagrant ssh {} -c 'sudo ip addr'", quote(&name))));
    }
    let line = fs::read_to_string(&file).map_err(|error| unwritten(&file, &error))?;
    let key: Vec<&str> = line.split_whitespace().skip(1).take(2).collect();
    Ok(MetMachine {
        key: key.join(" "),
        seen: network::seen(&answer.stdout),
        name,
        way,
    })
}

/// Connects to a machine whose host key is in a file, or comes into it.
async fn connect(
    name: &str,
    way: &VagrantLogin,
    known_hosts: &Path,
    policy: Policy,
    limit: Duration,
    environment: &Environment,
) -> Result<Session, Problem> {
    let identities = Identities {
        files: way.keys.clone(),
        ..Identities::default()
    };
    let keys = Keys::load(&identities, &environment.home).await?;
    let trust = HostKeyTrust {
        known_hosts: KnownHosts::new(&[known_hosts.to_owned()], &environment.home),
        policy,
        pinned: Vec::new(),
    };
    let target = Target {
        name: name.to_owned(),
        address: way.address.clone(),
        port: way.port,
        user: way.user.clone(),
        connect_timeout: limit,
        password: None,
        become_password: None,
        alive_interval: Duration::from_secs(15),
        alive_count: 3,
        family: AddressFamily::Any,
        key_alias: None,
        through: Vec::new(),
    };
    let session = ssh::connect(&target, &Route::Direct, &trust, &keys).await;
    session.map_err(|error| *error.problem)
}

/// The machines as they stand in the inventory: by their own address where that leads to them from here, too.
async fn hosts(met: &[MetMachine], environment: &Environment) -> Result<Vec<VagrantHost>, Problem> {
    let seen: Vec<_> = met
        .iter()
        .map(|met| (&*met.way.address, &met.seen))
        .collect();
    let private = network::private(&seen);
    if private.is_none() && met.len() > 1 {
        let have = met.iter().map(|met| {
            let have = met.seen.addresses.iter();
            let have = have.map(|(interface, net)| format!("{net} on {interface}"));
            format!("{} has {}", met.name, have.collect::<Vec<_>>().join(", "))
        });
        let problem = Problem::new(
            Code::VAGRANT_NETWORK,
            "the machines share no network on which each has an address of its own",
        );
        return Err(have.fold(problem, Problem::because)
            .next("give each machine a line  vm.network \"private_network\", ip: \"192.168.56.11\"  in the Vagrantfile, with its own address, and  vagrant reload"));
    }
    let hosts = met.iter().enumerate().map(|(index, met)| {
        let private = private.as_ref().map(|all| all[index]);
        async move {
            let own = private.map(|own| own.to_string());
            let mut login = met.way.clone();
            if let Some(own) = own {
                let is_vagrants = own == login.address && login.port == 22;
                if is_vagrants || leads_to(met, &own, environment).await? {
                    (login.address, login.port) = (own, 22);
                }
            }
            Ok(VagrantHost {
                name: met.name.clone(),
                login,
                private,
            })
        }
    });
    futures::future::try_join_all(hosts).await
}

/// Whether the machine answers here at an address of its own, with the key that it has shown.
async fn leads_to(
    met: &MetMachine,
    address: &str,
    environment: &Environment,
) -> Result<bool, Problem> {
    let folder = temporary()?;
    let file = folder.path().join("known_hosts");
    fs::write(&file, format!("{address} {}\n", met.key))
        .map_err(|error| unwritten(&file, &error))?;
    let way = VagrantLogin {
        address: address.to_owned(),
        port: 22,
        ..met.way.clone()
    };
    let limit = Duration::from_secs(5);
    match connect(&met.name, &way, &file, Policy::Refuse, limit, environment).await {
        Ok(session) => {
            session.close().await;
            Ok(true)
        }
        Err(_) => Ok(false),
    }
}
