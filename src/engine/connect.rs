//! Connections over SSH for the hosts of an inventory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{Semaphore, watch};

use super::surroundings::can_ask;
use crate::cli::Environment;
use crate::inventory::{Host, Inventory};
use crate::problem::{Code, Problem, problem};
use crate::run::event::Events;
use crate::run::gather::Unreached;
use crate::run::trace::Traced;
use crate::run::{Connected, Connector, Interrupt, Outcome};
use crate::ssh::{
    self, BecomePassword, HostKeyTrust, Keys, KnownHosts, Local, Policy, Remote, Target,
};
use crate::ui::Ui;
use crate::ui::ask::NewHost;
use crate::vars::Secret;

/// How hosts are worked on, whatever inventory they stand in.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Maximum number of hosts at once.
    pub parallel: u16,
    /// Trust hosts that are not known yet.
    pub accept_new_host_keys: bool,
    /// Ask the user for sudo's password.
    pub ask_become_pass: bool,
    /// Folder with playbooks and templates of the user's own.
    pub overrides: Option<PathBuf>,
    /// The host that is this machine itself.
    pub local: Option<String>,
}

/// Connects over SSH. Every key file is read once, whatever the number of hosts.
pub struct Ssh {
    keys: BTreeMap<Vec<PathBuf>, Arc<Keys>>,
    /// What sudo is told, by the host's name.
    become_passwords: BTreeMap<String, Arc<BecomePassword>>,
    /// Whether hosts that are not known yet are trusted.
    accepts_new: bool,
    /// Where the user is asked about them.
    asks: Option<Ui>,
    /// What is known of hosts that were not known when the run began.
    met: Mutex<BTreeMap<String, FirstLook>>,
    home: PathBuf,
    /// The host that is this machine itself.
    local: Option<String>,
    /// Where traffic is told, with -v.
    trace: Option<Events>,
}

/// What came of the first look at a host that was not known.
enum FirstLook {
    /// The key that it showed, which the user trusts or not.
    Answered(Policy),
    /// A connection: its key is known after all.
    Connected(Arc<ssh::Session>),
    /// There was no connection; this is told in place of another attempt.
    Failed(Unreached),
}

impl Ssh {
    /// Reads the keys that the inventory names.
    ///
    /// # Errors
    /// A key that is named and cannot be read; more hosts than this machine lets a program have
    /// connections.
    pub async fn new(
        inventory: &Inventory,
        options: &RunOptions,
        environment: &Environment,
        ui: &Ui,
        trace: Option<Events>,
    ) -> Result<Self, Problem> {
        let mut keys = BTreeMap::new();
        for host in &inventory.hosts {
            if options.local.as_ref() == Some(&host.name) {
                continue;
            }
            let paths = &host.ssh.key.value;
            if keys.contains_key(paths) {
                continue;
            }
            let loaded = Keys::load(paths, environment.agent.clone(), &environment.home)
                .await
                .map_err(|problem| {
                    problem.because(format!("it is named by {}", host.ssh.key.origin))
                })?;
            keys.insert(paths.clone(), Arc::new(loaded));
        }
        room_for(inventory.hosts.len(), options.parallel)?;
        Ok(Self {
            keys,
            become_passwords: become_passwords(inventory),
            accepts_new: options.accept_new_host_keys,
            asks: (!options.accept_new_host_keys && can_ask(&inventory.files)).then(|| ui.clone()),
            met: Mutex::default(),
            home: environment.home.clone(),
            local: options.local.clone(),
            trace,
        })
    }
}

impl Ssh {
    fn traced(&self, host: &Host, remote: Arc<dyn Remote>) -> Arc<dyn Remote> {
        match &self.trace {
            None => remote,
            Some(events) => Arc::new(Traced {
                host: host.name.clone(),
                remote,
                events: events.clone(),
            }),
        }
    }

    fn met(&self) -> MutexGuard<'_, BTreeMap<String, FirstLook>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_hosts(&self, host: &Host) -> KnownHosts {
        let given = host.ssh.known_hosts.as_ref();
        KnownHosts::new(given.map(|setting| setting.value.clone()), &self.home)
    }

    async fn session(&self, host: &Host, policy: Policy) -> Result<ssh::Session, Opened> {
        let Some(keys) = self.keys.get(&host.ssh.key.value) else {
            let problem = problem!(Code::INTERNAL, host = &host.name, "its keys were not read");
            return Err(Opened::Failed(unreachable(problem)));
        };
        let trust = HostKeyTrust {
            known_hosts: self.known_hosts(host),
            policy,
        };
        let target = Target {
            become_password: self.become_passwords.get(&host.name).cloned(),
            ..target(host)
        };
        ssh::connect(&target, &trust, keys)
            .await
            .map_err(|error| match error.unknown_key {
                Some(shown) if self.asks.is_some() => Opened::Unknown(
                    NewHost {
                        name: host.name.clone(),
                        address: host.address.clone(),
                        kind: shown.key_type,
                        fingerprint: shown.fingerprint,
                    },
                    unreachable(*error.problem),
                ),
                _ => Opened::Failed(unreachable(*error.problem)),
            })
    }

    /// Looks at the keys of the hosts that are not known yet, where the user can be asked about
    /// them: in the order of the inventory.
    pub async fn look(&self, inventory: &Inventory, limit: &Semaphore) -> Vec<NewHost> {
        if self.asks.is_none() {
            return Vec::new();
        }
        let looks = inventory.hosts.iter().map(|host| async move {
            if self.local.as_ref() == Some(&host.name) || self.met().contains_key(&host.name) {
                return None;
            }
            // A file that cannot be read is told by the connection itself.
            if self
                .known_hosts(host)
                .knows(&target(host))
                .await
                .unwrap_or(true)
            {
                return None;
            }
            let _permit = limit.acquire().await;
            let met = match self.session(host, Policy::Refuse).await {
                Ok(session) => FirstLook::Connected(Arc::new(session)),
                Err(Opened::Unknown(shown, _)) => return Some(shown),
                Err(Opened::Failed(failed)) => FirstLook::Failed(failed),
            };
            self.met().insert(host.name.clone(), met);
            None
        });
        let looked = futures::future::join_all(looks).await;
        looked.into_iter().flatten().collect()
    }

    /// Asks the user about the keys of hosts that are not known yet. Ends at Ctrl-C, too.
    pub async fn ask(&self, hosts: Vec<NewHost>, interrupt: watch::Receiver<Interrupt>) {
        let Some(ui) = self.asks.clone().filter(|_| !hosts.is_empty()) else {
            return;
        };
        let asked = hosts.clone();
        let answers = tokio::task::spawn_blocking(move || {
            ui.trust_host_keys(&asked, &|| *interrupt.borrow() != Interrupt::None)
        });
        let trusted = answers.await.unwrap_or_default();
        self.met().extend(hosts.into_iter().map(|host| {
            let policy = if trusted.contains(&host.name) {
                Policy::Accept(host.fingerprint)
            } else {
                Policy::Decline
            };
            (host.name, FirstLook::Answered(policy))
        }));
    }
}

/// Makes room for one open connection a host, which lasts as long as the run, and for what is open
/// besides: several addresses of a host that are tried at once, the agent, files that are read.
fn room_for(hosts: usize, parallel: u16) -> Result<(), Problem> {
    let hosts = u64::try_from(hosts).unwrap_or(u64::MAX);
    let needed = hosts
        .saturating_add(4 * u64::from(parallel).min(hosts))
        .saturating_add(32);
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit {
        current: Some(needed),
        maximum: limit.maximum,
    };
    let why = match limit.maximum {
        Some(maximum) if maximum < needed => format!("the hard limit is {maximum}"),
        _ => match setrlimit(Resource::Nofile, raised) {
            Ok(()) => return Ok(()),
            Err(error) => error.to_string(),
        },
    };
    Err(problem!(
        Code::OPEN_FILES,
        "{hosts} hosts need {needed} open files here, and the limit cannot be raised so far"
    )
    .because(why)
    .because("every host has one connection for as long as the run lasts")
    .next("raise the limit of this shell, then run the same command again")
    .command(format!("sudo prlimit --pid $$ --nofile={needed}:{needed}")))
}

/// The passwords of the hosts that have one. Hosts with the same user and password share it: it may be one
/// account.
fn become_passwords(inventory: &Inventory) -> BTreeMap<String, Arc<BecomePassword>> {
    let mut shared: Vec<(&str, &Secret, Arc<BecomePassword>)> = Vec::new();
    let mut passwords = BTreeMap::new();
    for host in &inventory.hosts {
        let (user, password) = (&*host.ssh.user.value, &host.ssh.become_password);
        let Some(secret) = password.as_ref().map(|password| &password.value) else {
            continue;
        };
        let mut known = shared.iter();
        let known = known.find(|(name, other, _)| (*name, *other) == (user, secret));
        let password = if let Some((_, _, password)) = known {
            Arc::clone(password)
        } else {
            let password = Arc::new(BecomePassword::new(secret.clone()));
            shared.push((user, secret, Arc::clone(&password)));
            password
        };
        passwords.insert(host.name.clone(), password);
    }
    passwords
}

/// Why there is no connection.
enum Opened {
    /// The host shows this key, which is not known.
    Unknown(NewHost, Unreached),
    /// Anything else.
    Failed(Unreached),
}

fn unreachable(problem: Problem) -> Unreached {
    Unreached {
        outcome: Outcome::Unreachable,
        problem,
    }
}

fn target(host: &Host) -> Target {
    Target {
        name: host.name.clone(),
        address: host.address.clone(),
        port: host.ssh.port.value,
        user: host.ssh.user.value.clone(),
        connect_timeout: Duration::from_secs(host.ssh.connect_timeout_seconds.value),
        become_password: None,
        alive_interval: Duration::from_secs(15),
    }
}

impl Connector for Ssh {
    fn connect<'a>(&'a self, host: &'a Host) -> Connected<'a> {
        Box::pin(async move {
            if self.local.as_ref() == Some(&host.name) {
                return Ok(self.traced(host, Arc::new(Local::default())));
            }
            let met = self.met().remove(&host.name);
            let policy = match met {
                Some(FirstLook::Failed(failed)) => return Err(failed),
                Some(FirstLook::Connected(session)) => return Ok(self.traced(host, session)),
                Some(FirstLook::Answered(policy)) => {
                    // It holds for every connection of this run.
                    let again = FirstLook::Answered(policy.clone());
                    self.met().insert(host.name.clone(), again);
                    policy
                }
                None if self.accepts_new => Policy::AcceptNew,
                None => Policy::Refuse,
            };
            match self.session(host, policy).await {
                Ok(session) => Ok(self.traced(host, Arc::new(session))),
                Err(Opened::Unknown(_, failed) | Opened::Failed(failed)) => Err(failed),
            }
        })
    }
}
