//! Connections over SSH for the hosts of an inventory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::cli::{Environment, InventoryArguments};
use crate::error::Problem;
use crate::inventory::{Host, Inventory};
use crate::run::event::Events;
use crate::run::gather::Unreached;
use crate::run::trace::Traced;
use crate::run::{Connected, Connector, Outcome};
use crate::ssh::{self, Keys, KnownHosts, Policy, Question, Remote, Target, Trust};
use crate::ui::ask;

/// Connects over SSH. Every key file is read once, whatever the number of hosts.
pub(super) struct Ssh {
    keys: BTreeMap<Vec<PathBuf>, Arc<Keys>>,
    policy: Policy,
    home: PathBuf,
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
        arguments: &InventoryArguments,
        environment: &Environment,
        trace: Option<Events>,
    ) -> Result<Self, Problem> {
        let mut keys = BTreeMap::new();
        for host in &inventory.hosts {
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
        let policy = if arguments.accept_new_host_keys {
            Policy::AcceptNew
        } else if ask::possible() {
            Policy::Ask(Arc::new(|question: Question| {
                ask::trust_host_key(
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
            trace,
        })
    }
}

impl Connector for Ssh {
    fn connect<'a>(&'a self, host: &'a Host) -> Connected<'a> {
        Box::pin(async move {
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
                Ok(session) => {
                    let remote: Arc<dyn Remote> = Arc::new(session);
                    Ok(match &self.trace {
                        None => remote,
                        Some(events) => Arc::new(Traced {
                            host: host.name.clone(),
                            remote,
                            events: events.clone(),
                        }),
                    })
                }
                Err(error) => Err(failed(error.problem())),
            }
        })
    }
}
