//! Whether a host key that was shown is taken: what is known decides, then the policy.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use russh::keys::PublicKey;
use tokio::sync::watch;

use crate::ssh::known_hosts::{FileError, KnownHosts, Place, Verdict, fingerprint};

/// One question at a time, whichever host it is about.
static QUESTION: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// What a person is asked about a host that is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The host's name in the inventory.
    pub host: String,
    /// The address it was reached at.
    pub address: String,
    /// The port it was reached at.
    pub port: u16,
    /// The type of its key, for example `ssh-ed25519`.
    pub key_type: String,
    /// The key's fingerprint, `SHA256:…`.
    pub fingerprint: String,
}

/// Asks a person; `true` takes the key. It may block: it runs on a thread of its own.
pub type Ask = Arc<dyn Fn(Question) -> bool + Send + Sync>;

/// What to do about a host that is not known yet. A key that changed, was revoked or is of a new
/// type is refused under every policy.
#[derive(Clone)]
pub enum Policy {
    /// Refuse it.
    Refuse,
    /// Take its key and remember it.
    AcceptNew,
    /// Ask; a key that is taken is remembered. Only one question is open at a time.
    Ask(Ask),
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refuse => "Refuse",
            Self::AcceptNew => "AcceptNew",
            Self::Ask(_) => "Ask",
        })
    }
}

/// How far hosts are trusted.
#[derive(Debug, Clone)]
pub struct Trust {
    /// The keys that are known.
    pub known_hosts: KnownHosts,
    /// What to do about a host that is not among them.
    pub policy: Policy,
}

/// The key that a host showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its type, for example `ssh-ed25519`.
    pub key_type: String,
    /// Its fingerprint, `SHA256:…`.
    pub fingerprint: String,
}

/// Why a host key was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The host is not known, and nobody could be asked.
    Unknown {
        /// The `known_hosts` file that its key would be added to.
        file: PathBuf,
    },
    /// The host is not known, and a person said no.
    Declined,
    /// The host is known with keys of other types only.
    OtherType {
        /// The types that are known.
        types: Vec<String>,
        /// Where the first of them stands.
        place: Place,
    },
    /// The host is known with another key of this type.
    Changed {
        /// Where the other key stands.
        place: Place,
        /// Its fingerprint.
        known: String,
    },
    /// The key was revoked.
    Revoked(Place),
    /// The `known_hosts` file could not be read or extended.
    File(FileError),
}

/// A key that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The key.
    pub shown: Shown,
    /// Why it was not taken.
    pub refusal: Refusal,
}

/// The host that shows a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shower<'a> {
    pub name: &'a str,
    pub address: &'a str,
    pub port: u16,
}

/// Takes the key or says why not. While a person is being asked, also while another host's
/// question is open, `asking` holds `true`.
pub(super) async fn judge(
    trust: &Trust,
    host: Shower<'_>,
    key: &PublicKey,
    asking: &watch::Sender<bool>,
) -> Result<(), Refused> {
    let shown = Shown {
        key_type: key.algorithm().to_string(),
        fingerprint: fingerprint(key),
    };
    let taken = match known(trust, host, key).await {
        Some(known) => known,
        None => match &trust.policy {
            Policy::Refuse => Err(Refusal::Unknown {
                file: trust.known_hosts.own_file().to_owned(),
            }),
            Policy::AcceptNew => learn(trust, host, key).await,
            Policy::Ask(ask) => {
                asking.send_replace(true);
                let answer = consult(trust, host, key, &shown, ask).await;
                asking.send_replace(false);
                answer
            }
        },
    };
    taken.map_err(|refusal| Refused { shown, refusal })
}

/// `None` is a host about which nothing is known.
async fn known(trust: &Trust, host: Shower<'_>, key: &PublicKey) -> Option<Result<(), Refusal>> {
    let records = match trust.known_hosts.read().await {
        Ok(records) => records,
        Err(error) => return Some(Err(Refusal::File(error))),
    };
    match records.verdict(host.address, host.port, key) {
        Verdict::Known => Some(Ok(())),
        Verdict::Unknown => None,
        Verdict::OtherType { types, place } => Some(Err(Refusal::OtherType { types, place })),
        Verdict::Changed { place, known } => Some(Err(Refusal::Changed { place, known })),
        Verdict::Revoked(place) => Some(Err(Refusal::Revoked(place))),
    }
}

async fn learn(trust: &Trust, host: Shower<'_>, key: &PublicKey) -> Result<(), Refusal> {
    let learned = trust.known_hosts.learn(host.address, host.port, key).await;
    learned.map_err(Refusal::File)
}

async fn consult(
    trust: &Trust,
    host: Shower<'_>,
    key: &PublicKey,
    shown: &Shown,
    ask: &Ask,
) -> Result<(), Refusal> {
    let _one_at_a_time = QUESTION.lock().await;
    // The question before this one may have been about the same host.
    if let Some(known) = known(trust, host, key).await {
        return known;
    }
    let question = Question {
        host: host.name.to_owned(),
        address: host.address.to_owned(),
        port: host.port,
        key_type: shown.key_type.clone(),
        fingerprint: shown.fingerprint.clone(),
    };
    let ask = Arc::clone(ask);
    match tokio::task::spawn_blocking(move || ask(question)).await {
        Ok(true) => learn(trust, host, key).await,
        Ok(false) | Err(_) => Err(Refusal::Declined),
    }
}
