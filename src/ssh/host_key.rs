//! Whether a host key that was shown is taken: what is known decides, then the policy.

use std::path::PathBuf;

use russh::keys::PublicKey;

use crate::ssh::known_hosts::{
    FileError, KnownHostVerdict, KnownHosts, KnownHostsLine, fingerprint,
};

/// What to do about a host that is not known yet. A key that changed, was revoked or is of a new
/// type is refused under every policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Policy {
    /// Refuse it.
    Refuse,
    /// Take its key and remember it.
    AcceptNew,
    /// Take the key with this fingerprint, which the user has seen, and remember it.
    Accept(String),
    /// Refuse it: the user has seen its key and said no.
    Decline,
}

/// How far hosts are trusted.
#[derive(Debug, Clone)]
pub struct HostKeyTrust {
    /// The keys that are known.
    pub known_hosts: KnownHosts,
    /// What to do about a host that is not among them.
    pub policy: Policy,
}

/// The key that a host showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownHostKey {
    /// Its type, for example `ssh-ed25519`.
    pub key_type: String,
    /// Its fingerprint, `SHA256:…`.
    pub fingerprint: String,
}

/// Why a host key was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeyRefusal {
    /// The host is not known, and no user has taken this key.
    Unknown {
        /// The `known_hosts` file that its key would be added to.
        file: PathBuf,
    },
    /// The host is not known, and the user said no.
    Declined,
    /// The host is known with keys of other types only.
    OtherType {
        /// The types that are known.
        types: Vec<String>,
        /// Where the first of them stands.
        place: KnownHostsLine,
    },
    /// The host is known with another key of this type.
    Changed {
        /// Where the other key stands.
        place: KnownHostsLine,
        /// Its fingerprint.
        known: String,
    },
    /// The key was revoked.
    Revoked(KnownHostsLine),
    /// The `known_hosts` file could not be read or extended.
    File(FileError),
}

/// A key that was not taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedHostKey {
    /// The key.
    pub shown: ShownHostKey,
    /// Why it was not taken.
    pub refusal: HostKeyRefusal,
}

/// The host that shows a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shower<'a> {
    pub address: &'a str,
    pub port: u16,
}

/// Takes the key or says why not.
pub(super) async fn judge(
    trust: &HostKeyTrust,
    host: Shower<'_>,
    key: &PublicKey,
) -> Result<(), RefusedHostKey> {
    let shown = ShownHostKey {
        key_type: key.algorithm().to_string(),
        fingerprint: fingerprint(key),
    };
    let taken = match known(trust, host, key).await {
        Some(known) => known,
        None => match &trust.policy {
            Policy::AcceptNew => learn(trust, host, key).await,
            Policy::Accept(seen) if *seen == shown.fingerprint => learn(trust, host, key).await,
            Policy::Decline => Err(HostKeyRefusal::Declined),
            Policy::Refuse | Policy::Accept(_) => Err(HostKeyRefusal::Unknown {
                file: trust.known_hosts.own_file().to_owned(),
            }),
        },
    };
    taken.map_err(|refusal| RefusedHostKey { shown, refusal })
}

/// `None` is a host about which nothing is known.
async fn known(
    trust: &HostKeyTrust,
    host: Shower<'_>,
    key: &PublicKey,
) -> Option<Result<(), HostKeyRefusal>> {
    let records = match trust.known_hosts.read().await {
        Ok(records) => records,
        Err(error) => return Some(Err(HostKeyRefusal::File(error))),
    };
    match records.verdict(host.address, host.port, key) {
        KnownHostVerdict::Known => Some(Ok(())),
        KnownHostVerdict::Unknown => None,
        KnownHostVerdict::OtherType { types, place } => {
            Some(Err(HostKeyRefusal::OtherType { types, place }))
        }
        KnownHostVerdict::Changed { place, known } => {
            Some(Err(HostKeyRefusal::Changed { place, known }))
        }
        KnownHostVerdict::Revoked(place) => Some(Err(HostKeyRefusal::Revoked(place))),
    }
}

async fn learn(
    trust: &HostKeyTrust,
    host: Shower<'_>,
    key: &PublicKey,
) -> Result<(), HostKeyRefusal> {
    let learned = trust.known_hosts.learn(host.address, host.port, key).await;
    learned.map_err(HostKeyRefusal::File)
}
