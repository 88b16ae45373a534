//! What a run knows before a host is asked, and the asking.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

use super::connect::{RunOptions, Ssh, room_for};
use super::refusal::Refusal;
use super::ssh_config::{config_files, configure};
use super::surroundings::surroundings;
use super::{interrupt, overrides, secrets};
use crate::artifacts::Proxy;
use crate::cli::{Environment, InventoryArguments};
use crate::cluster::Situation;
use crate::distribution;
use crate::inventory::{self, Inventory, Overrides, Surroundings};
use crate::playbook::{Assets, Book};
use crate::run::event::Events;
use crate::run::gather::{self, Gathered};
use crate::run::{Event, Interrupt, Runner};
use crate::ssh::ExchangeCounts;
use crate::ui::Ui;
use crate::vars::{Redactor, Secret};

/// Everything that is known before a host is asked.
pub struct Context {
    /// What the hosts are to become.
    pub inventory: Inventory,
    /// The names of the hosts that the run is limited to; all of them without `--limit`.
    pub selected: BTreeSet<String>,
    /// When the run began.
    pub begun: Instant,
    /// Where all that is told goes.
    pub events: Events,
    /// Whether Ctrl-C was pressed.
    pub interrupt: watch::Receiver<Interrupt>,
    /// `--parallel`: hosts that are worked on at once.
    pub limit: Arc<Semaphore>,
    /// What tells this run from all others where two of them meet.
    run: Arc<str>,
    pub(super) connector: Arc<Ssh>,
    /// The playbooks and templates.
    pub book: Book,
    /// Secrets for a cluster that has none yet.
    pub generated: Vec<Secret>,
    /// The folder of the download cache.
    pub cache: std::path::PathBuf,
    /// Through which downloads go.
    pub proxy: Option<Proxy>,
    /// Hides the secrets of this run in every text.
    pub redactor: Redactor,
}

impl Context {
    /// Reads the inventory, the playbooks and the keys. No connection is opened.
    pub async fn new(
        InventoryArguments {
            files,
            hosts: arguments,
        }: &InventoryArguments,
        environment: &Environment,
        ui: &Ui,
        events: Events,
    ) -> Result<Self, Refusal> {
        let overrides = Overrides {
            ssh_user: arguments.ssh_user.clone(),
            ssh_port: arguments.ssh_port,
            ssh_key: arguments.ssh_key.clone(),
            known_hosts: arguments.known_hosts.clone(),
            bastion: arguments.ssh.bastion.clone(),
            ask_become_pass: arguments.ask_become_pass,
            ask_pass: arguments.ask_pass,
        };
        let surroundings = Surroundings {
            commands: Some(secrets::printed),
            ..surroundings(environment, &overrides)
        };
        let inventory = inventory::load(&files.inventory, surroundings)
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
            ask_become_pass: arguments.ask_become_pass,
            ask_pass: arguments.ask_pass,
            overrides: arguments.overrides.clone(),
            local: None,
            ssh_config: config_files(&arguments.ssh),
        };
        Self::of(inventory, selected, &options, environment, ui, events).await
    }

    /// The same for an inventory that is in memory.
    pub async fn of(
        mut inventory: Inventory,
        selected: BTreeSet<String>,
        options: &RunOptions,
        environment: &Environment,
        ui: &Ui,
        events: Events,
    ) -> Result<Self, Refusal> {
        room_for(inventory.hosts.len(), options.parallel)?;
        let files = options.ssh_config.clone();
        let bastions = configure(&mut inventory, files, environment).await?;
        let interrupt = interrupt::watch(events.clone());
        let asked = [
            (options.ask_pass, &secrets::LOGIN),
            (options.ask_become_pass, &secrets::SUDO),
        ];
        for (_, password) in asked.into_iter().filter(|(is_asked, _)| *is_asked) {
            let local = options.local.as_deref();
            secrets::ask(password, &mut inventory, local, ui, &interrupt).await?;
        }
        let generated = (distribution::of(&inventory).generate)();
        for secret in inventory.secrets().iter().chain(&generated) {
            ui.redactor.learn(secret);
        }
        for text in &inventory.warnings {
            events.send(Event::Note { text: text.clone() });
        }
        let mut assets = Assets::of(distribution::of(&inventory));
        if let Some(folder) = &options.overrides {
            overrides::read(folder, &mut assets)?;
        }
        Ok(Self {
            connector: Arc::new(
                Ssh::new(
                    &inventory,
                    bastions,
                    options,
                    environment,
                    ui,
                    &interrupt,
                    (ui.traffic() > 0 || ui.shows_commands).then(|| events.clone()),
                )
                .await?,
            ),
            book: Book::read(&assets).map_err(|problem| match &options.overrides {
                Some(folder) => problem.because(format!("--overrides is {}", folder.display())),
                None => problem,
            })?,
            selected,
            begun: Instant::now(),
            interrupt,
            events,
            limit: Arc::new(Semaphore::new(usize::from(options.parallel))),
            run: format!("{:032x}", rand::random::<u128>()).into(),
            generated,
            cache: environment.cache.clone(),
            proxy: environment.proxy.clone().map(|address| Proxy {
                address,
                except: environment.no_proxy.clone().unwrap_or_default(),
            }),
            redactor: ui.redactor.clone(),
            inventory,
        })
    }

    /// The same run for an inventory that says more of the same hosts: they are connected already.
    #[must_use]
    pub fn with(self, mut inventory: Inventory) -> Self {
        for host in &mut inventory.hosts {
            if let Some(known) = self.inventory.host(&host.name) {
                host.address.clone_from(&known.address);
                host.ssh = known.ssh.clone();
            }
        }
        Self { inventory, ..self }
    }

    /// Asks all hosts.
    pub async fn gather(&self) -> Result<Gathered, Refusal> {
        // A host behind another one is seen only when that one is trusted.
        loop {
            let look = async { Ok(self.connector.look(&self.inventory, &self.limit).await) };
            let unknown = self.or_interrupted(look).await?;
            if unknown.is_empty() {
                break;
            }
            // What was said before is not said in the middle of a question.
            self.events.told().await;
            self.connector.ask(unknown, self.interrupt.clone()).await;
        }
        let connector = Arc::clone(&self.connector);
        let gathered = gather::gather(
            &self.inventory,
            connector,
            &self.limit,
            &self.events,
            &self.redactor,
        );
        self.or_interrupted(async { Ok(gathered.await) }).await
    }

    /// Nothing is changed by asking, so the first Ctrl-C ends it at once.
    pub async fn or_interrupted<T>(
        &self,
        asking: impl Future<Output = Result<T, Refusal>>,
    ) -> Result<T, Refusal> {
        tokio::select! {
            asked = asking => asked,
            () = interrupt::until(Interrupt::Finish, self.interrupt.clone()) => Err(Refusal::Interrupted),
        }
    }

    /// What the rules decide from.
    pub fn situation<'a>(&'a self, gathered: &'a Gathered) -> Situation<'a> {
        Situation {
            rules: distribution::of(&self.inventory).rules,
            inventory: &self.inventory,
            facts: &gathered.facts,
            selected: &self.selected,
            generated: &self.generated,
            adopt: false,
            keep: false,
            restores: false,
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
    pub fn rows(&self, gathered: &Gathered) -> Vec<(String, String, bool, ExchangeCounts)> {
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
}
