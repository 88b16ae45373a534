//! The road that every command takes: inventory, facts, plan; `deploy` goes on to run it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::artifacts::{blocking, sent};
use super::connect::Ssh;
use super::interrupt;
use super::refusal::Refusal;
use super::surroundings::surroundings;
use crate::artifacts::{Fetch, Proxy};
use crate::cli::{Environment, InventoryArguments};
use crate::cluster::{self, GeneratedTokens, Situation, Topology, Wanted};
use crate::distribution::k3s::release::RELEASES;
use crate::error::Problem;
use crate::inventory::{self, Binary, Host, Inventory, Overrides};
use crate::plan::{self, Judged, Plan};
use crate::playbook::{Assets, Book};
use crate::run::event::Events;
use crate::run::gather::{self, Gathered};
use crate::run::{Event, Interrupt, Runner};
use crate::ssh::Counts;
use crate::ui::Ui;

/// Everything that is known before a host is asked.
pub struct Context {
    pub inventory: Inventory,
    pub selected: BTreeSet<String>,
    pub events: Events,
    pub interrupt: watch::Receiver<Interrupt>,
    pub limit: Arc<Semaphore>,
    /// What tells this run from all others where two of them meet.
    run: Arc<str>,
    connector: Arc<Ssh>,
    pub book: Book,
    pub fresh: GeneratedTokens,
    adopt: bool,
    /// Whether the settings of a host that a typed line does not name are taken away.
    pub reset_config: bool,
    pub cache: std::path::PathBuf,
    pub proxy: Option<Proxy>,
    redactor: crate::vars::Redactor,
}

/// What the hosts are, and what follows.
pub struct Survey {
    pub gathered: Gathered,
    pub topology: Topology,
    pub version: String,
    pub plan: Plan,
    pub judged: Arc<Judged>,
    /// Binaries that hosts need from here and that may not be here yet.
    pub fetches: Vec<Fetch>,
}

/// How hosts are worked on, whatever inventory they stand in.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Maximum number of hosts at once.
    pub parallel: u16,
    /// Trust hosts that are not known yet.
    pub accept_new_host_keys: bool,
    /// Folder with playbooks and templates of the user's own.
    pub overrides: Option<PathBuf>,
    /// The host that is this machine itself.
    pub local: Option<String>,
    /// Take over hosts that something else set up.
    pub adopt: bool,
}

impl Context {
    /// Reads the inventory, the playbooks and the keys. No connection is opened.
    pub async fn new(
        InventoryArguments {
            files,
            hosts: arguments,
        }: &InventoryArguments,
        adopt: bool,
        environment: &Environment,
        ui: &Ui,
        events: Events,
    ) -> Result<Self, Refusal> {
        let overrides = Overrides {
            ssh_user: arguments.ssh_user.clone(),
            ssh_port: arguments.ssh_port,
            ssh_key: arguments.ssh_key.clone(),
            known_hosts: arguments.known_hosts.clone(),
        };
        let surroundings = surroundings(environment, &overrides);
        let inventory = inventory::load(&files.inventory, surroundings, cluster::remarks)
            .map_err(|errors| Refusal::Input(Box::new(errors)))?;
        let selected = match &arguments.limit {
            Some(pattern) => inventory.limit(pattern)?,
            None => inventory
                .hosts
                .iter()
                .map(|host| host.name.clone())
                .collect(),
        };
        let options = RunOptions {
            parallel: arguments.parallel,
            accept_new_host_keys: arguments.accept_new_host_keys,
            overrides: arguments.overrides.clone(),
            local: None,
            adopt,
        };
        Self::of(inventory, selected, &options, environment, ui, events).await
    }

    /// The same for an inventory that is in memory.
    pub async fn of(
        inventory: Inventory,
        selected: BTreeSet<String>,
        options: &RunOptions,
        environment: &Environment,
        ui: &Ui,
        events: Events,
    ) -> Result<Self, Refusal> {
        let fresh = GeneratedTokens::generate();
        for secret in inventory
            .secrets()
            .iter()
            .chain([&fresh.server, &fresh.agent])
        {
            ui.redactor.learn(secret);
        }
        for text in &inventory.warnings {
            events.send(Event::Note { text: text.clone() });
        }
        let mut assets = Assets::default();
        if let Some(folder) = &options.overrides {
            read_overrides(folder, &mut assets)?;
        }
        Ok(Self {
            connector: Arc::new(
                Ssh::new(
                    &inventory,
                    options,
                    environment,
                    ui,
                    (ui.traffic() > 0 || ui.shows_commands).then(|| events.clone()),
                )
                .await?,
            ),
            book: Book::read(&assets).map_err(|problem| match &options.overrides {
                Some(folder) => problem.because(format!("--overrides is {}", folder.display())),
                None => problem,
            })?,
            selected,
            interrupt: interrupt::watch(events.clone()),
            events,
            limit: Arc::new(Semaphore::new(usize::from(options.parallel))),
            run: format!("{:032x}", rand::random::<u128>()).into(),
            fresh,
            adopt: options.adopt,
            reset_config: false,
            cache: environment.cache.clone(),
            proxy: environment.proxy.clone().map(|address| Proxy {
                address,
                except: environment.no_proxy.clone().unwrap_or_default(),
            }),
            redactor: ui.redactor.clone(),
            inventory,
        })
    }

    /// Asks all hosts and decides what follows, unless a person asks for the end.
    pub async fn survey(&self) -> Result<Survey, Refusal> {
        self.or_asked_for_the_end(async { self.decide(self.gather().await?).await })
            .await
    }

    /// Asks all hosts.
    pub async fn gather(&self) -> Result<Gathered, Refusal> {
        let look = async { Ok(self.connector.look(&self.inventory, &self.limit).await) };
        let unknown = self.or_asked_for_the_end(look).await?;
        // What was said before is not said in the middle of a question.
        self.events.told().await;
        self.connector.ask(unknown, self.interrupt.clone()).await;
        let connector = Arc::clone(&self.connector);
        let gathered = gather::gather(
            &self.inventory,
            connector,
            &self.limit,
            &self.events,
            &self.redactor,
        );
        self.or_asked_for_the_end(async { Ok(gathered.await) })
            .await
    }

    /// Nothing is changed by asking, so the first Ctrl-C ends it at once.
    pub async fn or_asked_for_the_end<T>(
        &self,
        asking: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        tokio::select! {
            asked = asking => asked,
            () = interrupt::asked_for(Interrupt::Finish, self.interrupt.clone()) => Err(Refusal::Interrupted),
        }
    }

    /// Asks the connected hosts again and decides anew.
    pub async fn again(&self, mut gathered: Gathered) -> Result<Survey, Refusal> {
        gather::refresh(&self.inventory, &mut gathered, &self.redactor).await;
        self.decide(gathered).await
    }

    /// Decides what follows from what the hosts said.
    pub async fn decide(&self, mut gathered: Gathered) -> Result<Survey, Refusal> {
        let wanted = cluster::to_ask(&self.situation(&gathered));
        gather::ask_around(&wanted, &mut gathered, &self.limit).await;
        let version =
            match cluster::wanted_version(&self.inventory, &gathered.reach, &self.selected)
                .map_err(Refusal::Problems)?
            {
                Wanted::Exact(version) => version,
                Wanted::Channel(channel) => self.resolve(channel).await?,
            };
        let situation = self.situation(&gathered);
        let topology = cluster::topology(&situation, &version).map_err(Refusal::Problems)?;
        for secret in cluster::secrets(&topology) {
            self.redactor.learn_from_host(&secret);
        }
        let (binaries, mut fetches) = self.binaries(&situation, &topology, &version).await?;
        let plan = plan::build(&situation, &topology, &self.book, &binaries)?;
        let judged = Arc::new(self.runner(&gathered).judge(&plan).await);
        let sent = sent(&judged);
        fetches.retain(|fetch| {
            let binary = binaries.get(&fetch.architecture);
            binary.is_some_and(|binary| sent.contains(&*binary.path))
        });
        Ok(Survey {
            gathered,
            topology,
            version,
            plan,
            judged,
            fetches,
        })
    }

    /// Whether a host is reached by a port that this machine or a router forwards, as several hosts behind
    /// one address are: its other ports may lead nowhere, or to another host.
    pub fn is_forwarded(&self, host: &Host) -> bool {
        let is_here = host
            .address
            .parse()
            .is_ok_and(|ip: IpAddr| ip.is_loopback());
        let mut others = self.inventory.hosts.iter();
        (is_here && host.ssh.port.value != 22)
            || others.any(|other| other.name != host.name && other.address == host.address)
    }

    /// What the rules decide from.
    fn situation<'a>(&'a self, gathered: &'a Gathered) -> Situation<'a> {
        Situation {
            inventory: &self.inventory,
            reach: &gathered.reach,
            selected: &self.selected,
            fresh: &self.fresh,
            adopt: self.adopt,
            keep: !self.inventory.whole && !self.reset_config,
        }
    }

    /// What runs a plan on the hosts that were reached.
    pub fn runner(&self, gathered: &Gathered) -> Runner {
        Runner {
            run: Arc::clone(&self.run),
            remotes: gathered.remotes.clone(),
            events: self.events.clone(),
            limit: Arc::clone(&self.limit),
            interrupt: self.interrupt.clone(),
            pause: Duration::from_millis(500),
        }
    }

    /// Every host with its role, whether it may be changed, and what was spent on it.
    pub fn rows(&self, gathered: &Gathered) -> Vec<(String, String, bool, Counts)> {
        let hosts = self.inventory.hosts.iter();
        hosts
            .map(|host| {
                let counts = gathered
                    .remotes
                    .get(&host.name)
                    .map(|remote| remote.counts())
                    .unwrap_or_default();
                (
                    host.name.clone(),
                    host.role.value.to_string(),
                    self.selected.contains(&host.name),
                    counts,
                )
            })
            .collect()
    }

    async fn resolve(&self, channel: String) -> Result<String, Refusal> {
        let mirror = match &self.inventory.cluster.binary {
            Binary::Download { mirror, .. } | Binary::Push { mirror } => mirror.clone(),
            Binary::Path(path) => {
                return Err(Problem::new(
                    "binary: {source: path} needs to know which version the file is",
                )
                .because(format!(
                    "the inventory names the file {} and no version",
                    path.display()
                ))
                .next("set  version: v1.36.3+k3s1  (as `k3s --version` says it) under cluster:")
                .into());
            }
        };
        let (proxy, name) = (self.proxy.clone(), channel.clone());
        let version =
            blocking(move || RELEASES.resolve(&name, mirror.as_deref(), proxy.as_ref())).await?;
        self.events.send(Event::Note {
            text: format!("channel {channel} is {version} today"),
        });
        Ok(version)
    }
}

/// Reads the user's own playbooks and templates.
fn read_overrides(folder: &Path, assets: &mut Assets) -> Result<(), Problem> {
    let unreadable = |path: &Path, error: &std::io::Error| {
        Problem::new(format!("{} cannot be read", path.display())).because(error.to_string())
    };
    let mut found = 0;
    for (kind, is_playbook) in [("playbooks", true), ("templates", false)] {
        let root = folder.join(kind);
        let mut folders = if root.is_dir() {
            vec![root.clone()]
        } else {
            Vec::new()
        };
        while let Some(current) = folders.pop() {
            for entry in
                std::fs::read_dir(&current).map_err(|error| unreadable(&current, &error))?
            {
                let path = entry.map_err(|error| unreadable(&current, &error))?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text =
                    std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
                let name = path
                    .strip_prefix(&root)
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .into_owned();
                found += 1;
                if is_playbook {
                    assets.set_playbook(name, text);
                } else {
                    assets.set_template(name, text);
                }
            }
        }
    }
    if found == 0 {
        return Err(Problem::new(format!(
            "{} has no playbooks/ and no templates/",
            folder.display()
        ))
        .next("name the folder that holds them"));
    }
    Ok(())
}
