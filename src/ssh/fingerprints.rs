//! Host keys that are known to be right, as a file lists them for scripts.

use russh::keys::ssh_key::Fingerprint;
use russh::keys::ssh_key::known_hosts::HostPatterns;
use russh::keys::{HashAlg, PublicKey};

use crate::ssh::known_hosts::{ShownHostKey, entry_name, matches, parse};
use crate::ssh::target::Target;

/// Fingerprints, each of the hosts that its line names; of any host where it names none.
#[derive(Debug, Clone)]
pub struct Fingerprints(Vec<(Option<HostPatterns>, String)>);

impl Fingerprints {
    /// Reads lines of `ssh-keygen -l`, of `ssh-keyscan` and `known_hosts`, of public keys, or of fingerprints
    /// alone; a host's name may stand before a fingerprint.
    ///
    /// # Errors
    /// The number of the first line that is none of these, from 1.
    pub fn read(text: &str) -> Result<Self, usize> {
        let lines = text.lines().enumerate();
        let lines = lines.filter(|(_, line)| {
            let line = line.trim_start();
            !line.is_empty() && !line.starts_with('#')
        });
        let read = lines.map(|(index, line)| fingerprint(line).ok_or(index + 1));
        read.collect::<Result<_, _>>().map(Self)
    }

    /// Whether a key is listed for this host: by its name in the inventory, or as `known_hosts` names it.
    pub fn has(&self, host: &Target, shown: &ShownHostKey) -> bool {
        let (known_as, port) = host.known_as();
        let names = [
            host.name.to_lowercase(),
            entry_name(known_as, port),
            entry_name(known_as, 22),
        ];
        self.0.iter().any(|(hosts, fingerprint)| {
            let is_of = |hosts| names.iter().any(|name| matches(hosts, name));
            *fingerprint == shown.fingerprint && hosts.as_ref().is_none_or(is_of)
        })
    }
}

fn fingerprint(line: &str) -> Option<(Option<HostPatterns>, String)> {
    let of = |key: &PublicKey| key.fingerprint(HashAlg::Sha256).to_string();
    if let Some(entry) = parse(line.as_bytes()) {
        // A key that signs others, or is revoked, is the key of no host.
        let is_plain = entry.marker().is_none();
        let hosts = entry.host_patterns().clone();
        return is_plain.then(|| (Some(hosts), of(entry.public_key())));
    }
    if let Ok(key) = PublicKey::from_openssh(line.trim()) {
        return Some((None, of(&key)));
    }
    let words: Vec<&str> = line.split_whitespace().take(3).collect();
    let place = words.iter().position(|word| word.starts_with("SHA256:"))?;
    let parsed: Fingerprint = words[place].trim_end_matches('=').parse().ok()?;
    let is_size = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let host = match words[..place] {
        [] => None,
        [size] if is_size(size) => None,
        [host] => Some(host),
        [host, size] if is_size(size) => Some(host),
        _ => return None,
    };
    let host = host.map(|host| vec![host.trim_end_matches(':').to_owned()]);
    Some((host.map(HostPatterns::Patterns), parsed.to_string()))
}

#[cfg(test)]
#[path = "tests/fingerprints.rs"]
mod tests;
