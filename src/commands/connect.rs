//! Connections over SSH for the hosts of an inventory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::road::Ways;
use crate::cli::Environment;
use crate::error::Problem;
use crate::inventory::{Host, Inventory};
use crate::run::event::Events;
use crate::run::gather::Unreached;
use crate::run::trace::Traced;
use crate::run::{Connected, Connector, Outcome};
use crate::ssh::{self, Keys, KnownHosts, Local, Policy, Question, Remote, Target, Trust};
use crate::ui::{Ui, ask};

/// Connects over SSH. Every key file is read once, whatever the number of hosts.
pub(super) struct Ssh {
    keys: BTreeMap<Vec<PathBuf>, Arc<Keys>>,
    policy: Policy,
    home: PathBuf,
    /// The host that is this machine itself.
    local: Option<String>,
    /// Where traffic is told, when a person wants to see it.
    trace: Option<Events>,
}

impl Ssh {
    /// Reads the keys that the inventory names.
    ///
    /// # Errors
    /// A key that is named and cannot be read.
    pub async fn new(
        inventory: &Inventory,
        ways: &Ways,
        environment: &Environment,
        ui: &Ui,
        trace: Option<Events>,
    ) -> Result<Self, Problem> {
        let mut keys = BTreeMap::new();
        for host in &inventory.hosts {
            if ways.local.as_ref() == Some(&host.name) {
                continue;
            }
            let paths = &host.ssh.keys.value;
            if keys.contains_key(paths) {
                continue;
            }
            let loaded = Keys::load(paths, environment.agent.clone(), &environment.home)
                .await
                .map_err(|error| {
                    error
                        .problem()
                        .because(format!("it is named by {}", host.ssh.keys.origin))
                })?;
            keys.insert(paths.clone(), Arc::new(loaded));
        }
        let policy = if ways.accept_new_host_keys {
            Policy::AcceptNew
        } else if ask::possible() {
            let ui = ui.clone();
            Policy::Ask(Arc::new(move |question: Question| {
                ui.trust_host_key(
                    &question.host,
                    &question.address,
                    &question.key_type,
                    &question.fingerprint,
                )
            }))
        } else {
            Policy::Refuse
        };
        Ok(Self {
            keys,
            policy,
            home: environment.home.clone(),
            local: ways.local.clone(),
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
}

impl Connector for Ssh {
    fn connect<'a>(&'a self, host: &'a Host) -> Connected<'a> {
        Box::pin(async move {
            if self.local.as_ref() == Some(&host.name) {
                return Ok(self.traced(host, Arc::new(Local::default())));
            }
            let failed = |problem| Unreached {
                outcome: Outcome::Unreachable,
                problem,
            };
            let Some(keys) = self.keys.get(&host.ssh.keys.value) else {
                return Err(failed(Problem::new(format!(
                    "{}: its keys were not read",
                    host.name
                ))));
            };
            let target = Target {
                name: host.name.clone(),
                address: host.address.clone(),
                port: host.ssh.port.value,
                user: host.ssh.user.value.clone(),
                connect_timeout: Duration::from_secs(host.ssh.connect_timeout_seconds.value),
                alive_interval: Duration::from_secs(15),
            };
            let given = host
                .ssh
                .known_hosts
                .as_ref()
                .map(|setting| setting.value.clone());
            let trust = Trust {
                known_hosts: KnownHosts::new(given, &self.home),
                policy: self.policy.clone(),
            };
            match ssh::connect(&target, &trust, keys).await {
                Ok(session) => Ok(self.traced(host, Arc::new(session))),
                Err(error) => Err(failed(error.problem())),
            }
        })
    }
}
