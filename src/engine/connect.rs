//! Connections over SSH for the hosts of an inventory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};

use super::refusal::Refusal;
use super::ssh_config::Bastions;
use super::surroundings::can_ask;
use crate::cli::Environment;
use crate::inventory::{Host, Inventory};
use crate::problem::{Code, Problem, problem};
use crate::run::event::Events;
use crate::run::gather::Unreached;
use crate::run::trace::Traced;
use crate::run::{Connected, Connector, Interrupt, Outcome};
use crate::ssh::{
    self, BecomePassword, ConfigFiles, HostKeyTrust, Identities, Keys, Local, Policy, Remote,
    Route, Target,
};
use crate::ui::Ui;
use crate::ui::ask::NewHost;

mod host_keys;
mod passwords;
mod room;
mod target;

pub use host_keys::Waypoint;
use passwords::{Passphrases, become_passwords};
pub use room::room_for;
use target::{configured, identities, is_strict, known_hosts, login, no_bastion, target};

/// How hosts are worked on, whatever inventory they stand in.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Maximum number of hosts at once.
    pub parallel: u16,
    /// Trust hosts that are not known yet.
    pub accept_new_host_keys: bool,
    /// Ask the user for sudo's password.
    pub ask_become_pass: bool,
    /// Ask for the password to log in with.
    pub ask_pass: bool,
    /// Folder with playbooks and templates of the user's own.
    pub overrides: Option<PathBuf>,
    /// The host that is this machine itself.
    pub local: Option<String>,
    /// Which of ssh's configuration holds.
    pub ssh_config: ConfigFiles,
}

/// Connects over SSH. Every key file is read once, whatever the number of hosts.
pub struct Ssh {
    keys: BTreeMap<Identities, Arc<Keys>>,
    /// The agent of hosts that name none.
    agent: Option<PathBuf>,
    /// What stands before hosts.
    bastions: Bastions,
    /// The connections to those, by the way to them.
    open: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Bastion>>>>,
    /// So many of them were opened.
    opened: AtomicUsize,
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

/// A host that others are reached through.
#[derive(Default)]
enum Bastion {
    /// It was not connected to, or is not known yet.
    #[default]
    New,
    /// One connection carries all hosts behind it.
    Open(Arc<ssh::Session>),
    /// There is no connection to it, which was told with this host.
    Failed(String),
}

impl Ssh {
    /// Reads the keys that the inventory names.
    ///
    /// # Errors
    /// A key that is named and cannot be read, or has another passphrase than the given one; the user
    /// left the question for one.
    pub async fn new(
        inventory: &Inventory,
        bastions: Bastions,
        options: &RunOptions,
        environment: &Environment,
        ui: &Ui,
        interrupt: &watch::Receiver<Interrupt>,
        trace: Option<Events>,
    ) -> Result<Self, Refusal> {
        let asks = can_ask(&inventory.files).then_some(ui);
        let mut passphrases = Passphrases::new(asks, interrupt);
        let mut ssh = Self {
            keys: BTreeMap::new(),
            agent: environment.agent.clone(),
            bastions,
            open: Mutex::default(),
            opened: AtomicUsize::new(0),
            become_passwords: become_passwords(inventory),
            accepts_new: options.accept_new_host_keys,
            asks: asks.filter(|_| !options.accept_new_host_keys).cloned(),
            met: Mutex::default(),
            home: environment.home.clone(),
            local: options.local.clone(),
            trace,
        };
        for host in inventory
            .hosts
            .iter()
            .chain(ssh.bastions.values().flatten())
        {
            let identities = identities(host, ssh.agent.as_ref());
            if ssh.local.as_ref() == Some(&host.name) || ssh.keys.contains_key(&identities) {
                continue;
            }
            let keys = Keys::load(&identities, &ssh.home).await;
            let mut keys = keys.map_err(|problem| {
                problem.because(format!("it is named by {}", host.ssh.key.origin))
            })?;
            passphrases.unlock(&mut keys, host).await?;
            ssh.keys.insert(identities, Arc::new(keys));
        }
        Ok(ssh)
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

    /// Connections that were opened to hosts that others are reached through.
    pub fn bastion_connections(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    fn met(&self) -> MutexGuard<'_, BTreeMap<String, FirstLook>> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is done about the key of a host that is not known.
    fn policy(&self, host: &Host) -> Policy {
        match self.met().get(&host.name) {
            // It holds for every connection of this run.
            Some(FirstLook::Answered(policy)) => return policy.clone(),
            _ if self.accepts_new => return Policy::AcceptNew,
            _ => {}
        }
        match configured(host, "stricthostkeychecking") {
            // A changed key is refused all the same.
            Some("accept-new" | "no" | "off" | "false") => Policy::AcceptNew,
            _ => Policy::Refuse,
        }
    }

    async fn session(&self, host: &Host) -> Result<ssh::Session, Opened> {
        let hops = self.hops(host);
        let route = self.way(hops, host).await?;
        self.connected(hops, host, &route).await
    }

    /// The one connection to a host that others are reached through.
    async fn bastion(
        &self,
        before: &[Host],
        hop: &Host,
        route: &Route,
        behind: &Host,
    ) -> Result<Arc<ssh::Session>, Opened> {
        let way = before.iter().chain([hop]).map(login);
        let way = format!(
            "{:?} {:?}",
            way.collect::<Vec<_>>(),
            identities(hop, self.agent.as_ref())
        );
        let entry = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(open.entry(way).or_default())
        };
        let mut bastion = entry.lock().await;
        match &*bastion {
            Bastion::Open(session) if !session.is_closed() => return Ok(Arc::clone(session)),
            Bastion::Failed(told) => {
                let problem = no_bastion(behind, hop).because(format!("see {told}"));
                return Err(Opened::Failed(unreachable(problem)));
            }
            Bastion::New | Bastion::Open(_) => {}
        }
        match self.connected(before, hop, route).await {
            Ok(session) => {
                self.opened.fetch_add(1, Ordering::Relaxed);
                let session = Arc::new(session);
                *bastion = Bastion::Open(Arc::clone(&session));
                Ok(session)
            }
            Err(Opened::Failed(failed)) => {
                *bastion = Bastion::Failed(behind.name.clone());
                let Problem {
                    what, why, next, ..
                } = failed.problem;
                let problem = no_bastion(behind, hop).because(format!("{}: {what}", hop.name));
                let mut problem = why.into_iter().fold(problem, Problem::because);
                problem.next = next;
                Err(Opened::Failed(unreachable(problem)))
            }
            unknown => unknown.map(Arc::new),
        }
    }

    async fn connected(
        &self,
        before: &[Host],
        host: &Host,
        route: &Route,
    ) -> Result<ssh::Session, Opened> {
        let Some(keys) = self.keys.get(&identities(host, self.agent.as_ref())) else {
            let problem = problem!(Code::INTERNAL, host = &host.name, "its keys were not read");
            return Err(Opened::Failed(unreachable(problem)));
        };
        let trust = HostKeyTrust {
            known_hosts: known_hosts(host, &self.home),
            policy: self.policy(host),
            pinned: host.ssh.host_key.value.clone(),
        };
        let is_asked = self.asks.is_some() && !is_strict(host);
        let target = Target {
            become_password: self.become_passwords.get(&host.name).cloned(),
            ..target(host, before)
        };
        ssh::connect(&target, route, &trust, keys)
            .await
            .map_err(|error| match error.shown_key {
                Some(shown) if is_asked && error.is_unknown => Opened::Unknown(
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

    /// Whether the keys of a host and of those before it are known. A file that cannot be read is told
    /// by the connection itself.
    async fn is_known(&self, host: &Host) -> bool {
        for one in self.hops(host).iter().chain([host]) {
            let is_pinned = !one.ssh.host_key.value.is_empty();
            let known_hosts = known_hosts(one, &self.home);
            if !is_pinned && !known_hosts.knows(&target(one, &[])).await.unwrap_or(true) {
                return false;
            }
        }
        true
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
            if self.is_known(host).await {
                return None;
            }
            let _permit = limit.acquire().await;
            let met = match self.session(host).await {
                Ok(session) => FirstLook::Connected(Arc::new(session)),
                Err(Opened::Unknown(shown, _)) => return Some(shown),
                Err(Opened::Failed(failed)) => FirstLook::Failed(failed),
            };
            self.met().insert(host.name.clone(), met);
            None
        });
        let looked = futures::future::join_all(looks).await;
        let mut unknown: Vec<NewHost> = Vec::new();
        for host in looked.into_iter().flatten() {
            // One that stands before several hosts was met with each of them.
            if !unknown.contains(&host) {
                unknown.push(host);
            }
        }
        unknown
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

impl Connector for Ssh {
    fn connect<'a>(&'a self, host: &'a Host) -> Connected<'a> {
        Box::pin(async move {
            if self.local.as_ref() == Some(&host.name) {
                return Ok(self.traced(host, Arc::new(Local::default())));
            }
            let met = {
                let mut met = self.met();
                match met.get(&host.name) {
                    Some(FirstLook::Failed(_) | FirstLook::Connected(_)) => met.remove(&host.name),
                    Some(FirstLook::Answered(_)) | None => None,
                }
            };
            match met {
                Some(FirstLook::Failed(failed)) => return Err(failed),
                Some(FirstLook::Connected(session)) => return Ok(self.traced(host, session)),
                Some(FirstLook::Answered(_)) | None => {}
            }
            match self.session(host).await {
                Ok(session) => Ok(self.traced(host, Arc::new(session))),
                Err(Opened::Unknown(_, failed) | Opened::Failed(failed)) => Err(failed),
            }
        })
    }
}
