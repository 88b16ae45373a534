//! What sudo is told on the hosts, and the passphrases of keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use crate::engine::refusal::Refusal;
use crate::inventory::{Host, Inventory};
use crate::problem::{Code, problem};
use crate::run::Interrupt;
use crate::ssh::{BecomePassword, Keys};
use crate::ui::Ui;
use crate::vars::Secret;

/// A passphrase may be typed wrong so often.
const ATTEMPTS: usize = 3;

/// The passwords of the hosts that have one. Hosts with the same user and password share it: it may be one
/// account.
pub fn become_passwords(inventory: &Inventory) -> BTreeMap<String, Arc<BecomePassword>> {
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

/// The passphrases of keys: each is asked for once, whatever the number of hosts.
pub struct Passphrases<'a> {
    /// Where the user is asked.
    asks: Option<&'a Ui>,
    interrupt: &'a watch::Receiver<Interrupt>,
    /// What was typed; nothing where the user typed none.
    typed: BTreeMap<PathBuf, Option<Secret>>,
}

impl<'a> Passphrases<'a> {
    /// None is known yet.
    pub const fn new(asks: Option<&'a Ui>, interrupt: &'a watch::Receiver<Interrupt>) -> Self {
        Self {
            asks,
            interrupt,
            typed: BTreeMap::new(),
        }
    }

    /// Makes the keys of a host usable that have a passphrase, unless the agent holds them.
    pub async fn unlock(&mut self, keys: &mut Keys, host: &Host) -> Result<(), Refusal> {
        for (path, is_named) in keys.locked().await {
            if let Some(passphrase) = &host.ssh.passphrase {
                // It need not be that of the usual keys.
                if !keys.unlock(&path, &passphrase.value).await && is_named {
                    return Err(problem!(
                        Code::SSH_KEY_UNUSABLE,
                        "the SSH key {} has another passphrase",
                        path.display()
                    )
                    .because(format!("it is given by {}", passphrase.origin))
                    .into());
                }
            } else if let Some(typed) = self.typed.get(&path) {
                if let Some(passphrase) = typed {
                    keys.unlock(&path, passphrase).await;
                }
            } else {
                let typed = self.ask(keys, &path).await?;
                self.typed.insert(path, typed);
            }
        }
        Ok(())
    }

    async fn ask(&self, keys: &mut Keys, path: &Path) -> Result<Option<Secret>, Refusal> {
        let Some(ui) = self.asks else {
            return Ok(None);
        };
        let mut question = format!("Passphrase for {}: ", path.display());
        for _ in 0..ATTEMPTS {
            let (ui, interrupt, asked) = (ui.clone(), self.interrupt.clone(), question.clone());
            let typed = tokio::task::spawn_blocking(move || {
                ui.ask_secret(&asked, &|| *interrupt.borrow() != Interrupt::None)
            });
            let Some(passphrase) = typed.await.unwrap_or_default() else {
                return Err(Refusal::Interrupted);
            };
            // As with ssh, nothing typed means to go on without this key.
            if passphrase.expose().is_empty() {
                return Ok(None);
            }
            if keys.unlock(path, &passphrase).await {
                return Ok(Some(passphrase));
            }
            question = format!("That is not it. Passphrase for {}: ", path.display());
        }
        Ok(None)
    }
}
