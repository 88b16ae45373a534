//! Whether a host key that was shown is taken: what is known decides, then the policy.

use std::time::{SystemTime, UNIX_EPOCH};

use russh::keys::{Algorithm, PublicKey, PublicKeyOrCertificate};

use crate::problem::Problem;
use crate::ssh::fault::ConnectError;
use crate::ssh::host_certificate::doubt;
use crate::ssh::known_hosts::{KnownHostVerdict, KnownHosts, ShownHostKey, fingerprint};
use crate::ssh::target::Target;

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
    /// The only keys that are taken, where there are any: fingerprints, or lines of public keys.
    pub pinned: Vec<String>,
}

impl HostKeyTrust {
    /// The types of the pinned keys, as far as they are told.
    pub(super) fn pinned_types(&self) -> Vec<Algorithm> {
        let keys = self.pinned.iter();
        let keys = keys.filter_map(|text| PublicKey::from_openssh(text).ok());
        keys.map(|key| key.algorithm()).collect()
    }

    fn is_pinned(&self, key: &PublicKey) -> bool {
        self.pinned
            .iter()
            .any(|text| match PublicKey::from_openssh(text) {
                Ok(pinned) => pinned.key_data() == key.key_data(),
                Err(_) => text.trim_end_matches('=') == fingerprint(key),
            })
    }
}

/// Takes the key, which is told, or says why not. A certificate that does not vouch for the host leaves its plain key
/// to be judged, as with OpenSSH.
pub(super) async fn judge(
    trust: &HostKeyTrust,
    host: &Target,
    shown: &PublicKeyOrCertificate,
) -> Result<ShownHostKey, ConnectError> {
    let (certificate, key) = (shown.certificate(), &shown.public_key());
    let shown = ShownHostKey::of(key);
    if !trust.pinned.is_empty() {
        if trust.is_pinned(key) {
            return Ok(shown);
        }
        let problem = host.not_pinned(&shown, &trust.pinned);
        return Err(ConnectError {
            shown_key: Some(shown),
            ..problem.into()
        });
    }
    let (known_hosts, policy) = (&trust.known_hosts, &trust.policy);
    let (name, port) = host.known_as();
    let of_host = |problem: Problem| problem.of(&host.name);
    let records = known_hosts.read().await.map_err(of_host)?;
    let revoked = certificate.and_then(|one| records.revoked(name, port, one));
    let mut doubts = Vec::new();
    if let Some(certificate) = certificate
        && revoked.is_none()
    {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_secs());
        match doubt(certificate, name, &records.authorities(name, port), now) {
            None => return Ok(shown),
            Some(why) => doubts.push(format!("its certificate does not vouch for it: {why}")),
        }
    }
    let verdict = revoked.unwrap_or_else(|| records.verdict(name, port, key));
    let is_accepted = match policy {
        Policy::AcceptNew => true,
        Policy::Accept(seen) => *seen == shown.fingerprint,
        Policy::Refuse | Policy::Decline => false,
    };
    let is_declined = *policy == Policy::Decline;
    let is_unknown = verdict == KnownHostVerdict::Unknown;
    if verdict == KnownHostVerdict::Known {
        return Ok(shown);
    }
    if is_unknown && is_accepted {
        let learned = known_hosts.learn(name, port, key).await;
        learned.map_err(of_host)?;
        return Ok(shown);
    }
    let problem = host.refused(&shown, verdict, known_hosts.own_file(), is_declined);
    let problem = doubts.into_iter().fold(problem, Problem::because);
    Err(ConnectError {
        shown_key: Some(shown),
        is_unknown: is_unknown && !is_declined,
        ..problem.into()
    })
}
