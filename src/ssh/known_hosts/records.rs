//! The lines of `known_hosts` files, and what they say of a host.

use std::collections::BTreeSet;
use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_key::Fingerprint;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey};
use sha1::Sha1;
use wildmatch::WildMatch;

use super::{DEFAULT_PORT, KnownHostVerdict, KnownHostsLine, entry_name, fingerprint};

/// Longer lines are no host keys; also bounds how deep a key can nest.
const LONGEST_LINE: usize = 16 * 1024;

/// The usable lines of `known_hosts` files.
#[derive(Debug, Clone, Default)]
pub struct Records(Vec<Record>);

#[derive(Debug, Clone)]
pub(super) struct Record {
    place: KnownHostsLine,
    entry: Entry,
}

impl Record {
    fn key(&self) -> &PublicKey {
        self.entry.public_key()
    }
}

impl Records {
    /// Takes in the lines of a file. A line that is no host key is skipped: one bad line must not
    /// make the others unknown.
    pub fn add(&mut self, file: &Path, content: &[u8]) {
        for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
            if let Some(entry) = parse(line) {
                let place = KnownHostsLine {
                    file: file.to_owned(),
                    line: index + 1,
                };
                self.0.push(Record { place, entry });
            }
        }
    }

    /// What is known about this key on this host. As with OpenSSH, a host on another port than 22
    /// about which nothing is said is also known by a key of its bare name.
    pub fn verdict(&self, host: &str, port: u16, key: &PublicKey) -> KnownHostVerdict {
        let verdict = self.look_up(&entry_name(host, port), key);
        if verdict != KnownHostVerdict::Unknown || port == DEFAULT_PORT {
            return verdict;
        }
        match self.look_up(&entry_name(host, DEFAULT_PORT), key) {
            fallback @ (KnownHostVerdict::Known | KnownHostVerdict::Revoked(_)) => fallback,
            _ => KnownHostVerdict::Unknown,
        }
    }

    /// The types of the keys known for a host, in the order of the files. A client asks for these
    /// first, or a host with several keys would seem to have changed.
    pub fn known_types(&self, host: &str, port: u16) -> Vec<Algorithm> {
        let mut types = Vec::new();
        for name in [entry_name(host, port), entry_name(host, DEFAULT_PORT)] {
            for record in self.plain(&name) {
                let algorithm = record.key().algorithm();
                if !types.contains(&algorithm) {
                    types.push(algorithm);
                }
            }
            if !types.is_empty() {
                break;
            }
        }
        types
    }

    /// The fingerprints of the certificate authorities of a host.
    pub fn authorities(&self, host: &str, port: u16) -> Vec<Fingerprint> {
        let names = [entry_name(host, port), entry_name(host, DEFAULT_PORT)];
        let records = names
            .iter()
            .flat_map(|name| self.marked(name, &Marker::CertAuthority));
        let keys = records.map(|record| record.key().fingerprint(HashAlg::Sha256));
        keys.collect()
    }

    /// That the key of a host certificate, or the one that signed it, is revoked.
    pub fn revoked(
        &self,
        host: &str,
        port: u16,
        certificate: &Certificate,
    ) -> Option<KnownHostVerdict> {
        let names = [entry_name(host, port), entry_name(host, DEFAULT_PORT)];
        let place = |key| names.iter().find_map(|name| self.revocation(name, key));
        let authority = certificate.signature_key();
        let revoked = place(certificate.public_key()).map(KnownHostVerdict::Revoked);
        revoked.or_else(|| {
            Some(KnownHostVerdict::RevokedAuthority {
                place: place(authority)?,
                authority: authority.fingerprint(HashAlg::Sha256).to_string(),
            })
        })
    }

    fn revocation(&self, name: &str, key: &KeyData) -> Option<KnownHostsLine> {
        let mut revoked = self.marked(name, &Marker::Revoked);
        let record = revoked.find(|record| record.key().key_data() == key)?;
        Some(record.place.clone())
    }

    fn look_up(&self, name: &str, key: &PublicKey) -> KnownHostVerdict {
        let same = |record: &&Record| record.key().key_data() == key.key_data();
        if let Some(place) = self.revocation(name, key.key_data()) {
            return KnownHostVerdict::Revoked(place);
        }
        let plain: Vec<&Record> = self.plain(name).collect();
        let Some(first) = plain.first() else {
            return KnownHostVerdict::Unknown;
        };
        if plain.iter().any(same) {
            return KnownHostVerdict::Known;
        }
        let of_type = |record: &&&Record| record.key().algorithm() == key.algorithm();
        if let Some(record) = plain.iter().find(of_type) {
            return KnownHostVerdict::Changed {
                place: record.place.clone(),
                known: fingerprint(record.key()),
            };
        }
        let types = plain
            .iter()
            .map(|record| record.key().algorithm().to_string());
        let types: BTreeSet<String> = types.collect();
        KnownHostVerdict::OtherType {
            types: types.into_iter().collect(),
            place: first.place.clone(),
        }
    }

    fn matching<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Record> {
        self.0
            .iter()
            .filter(move |record| matches(record.entry.host_patterns(), name))
    }

    fn marked<'a>(&'a self, name: &'a str, marker: &'a Marker) -> impl Iterator<Item = &'a Record> {
        self.matching(name)
            .filter(move |record| record.entry.marker() == Some(marker))
    }

    /// Lines without a marker: a certificate authority's key says nothing about a plain key.
    pub(super) fn plain<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Record> {
        self.matching(name)
            .filter(|record| record.entry.marker().is_none())
    }
}

/// Comments, empty lines and lines that are no host key are `None`.
pub(in crate::ssh) fn parse(line: &[u8]) -> Option<Entry> {
    if line.len() > LONGEST_LINE {
        return None;
    }
    // A comment may be of any encoding.
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_ascii_whitespace();
    let first = words.next().filter(|word| !word.starts_with('#'))?;
    let wanted = if first.starts_with('@') { 3 } else { 2 };
    let mut plain = first.to_owned();
    for _ in 0..wanted {
        plain.push(' ');
        plain.push_str(words.next()?);
    }
    plain.parse().ok()
}

/// Whether patterns match a name as it stands in `known_hosts` files, in lower case.
pub(in crate::ssh) fn matches(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            Hmac::<Sha1>::new_from_slice(salt).is_ok_and(|mut mac| {
                mac.update(name.as_bytes());
                mac.verify_slice(hash).is_ok()
            })
        }
        HostPatterns::Patterns(patterns) => {
            let mut found = false;
            for pattern in patterns {
                let pattern = pattern.to_lowercase();
                match pattern.strip_prefix('!') {
                    Some(excluded) if WildMatch::new(excluded).matches(name) => return false,
                    Some(_) => {}
                    None => found |= WildMatch::new(&pattern).matches(name),
                }
            }
            found
        }
    }
}

#[cfg(test)]
#[path = "../tests/records.rs"]
mod tests;
