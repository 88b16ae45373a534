//! Which host keys are known: reading, matching and extending `known_hosts` files as OpenSSH does.
//!
//! russh has a helper for this; it takes revoked keys, ignores patterns and negations, and calls a
//! known host with a key of another type unknown. So the matching is done here.

mod records;

use std::io;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_key::known_hosts::HostPatterns;
use russh::keys::{HashAlg, PublicKey};
use sha1::Sha1;
use tokio::io::AsyncWriteExt;

use crate::problem::{Code, Problem, problem};
use crate::shell::quote;
use crate::ssh::target::Target;

pub use records::Records;
pub(super) use records::{matches, parse};

/// The port that `known_hosts` files do not mention.
const DEFAULT_PORT: u16 = 22;
/// The file of the machine, read when the user's own is in force.
const SYSTEM_FILE: &str = "/etc/ssh/ssh_known_hosts";

/// One writer at a time in this process, so that no two hosts are learned twice or torn.
static LEARNING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A line of a `known_hosts` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHostsLine {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: usize,
}

/// The key that a host showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownHostKey {
    /// Its type, for example `ssh-ed25519`.
    pub key_type: String,
    /// Its fingerprint, `SHA256:…`.
    pub fingerprint: String,
}

impl ShownHostKey {
    pub(super) fn of(key: &PublicKey) -> Self {
        Self {
            key_type: key.algorithm().to_string(),
            fingerprint: fingerprint(key),
        }
    }
}

/// What the files say about a key that a host showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownHostVerdict {
    /// It is the host's key.
    Known,
    /// Nothing is said about this host.
    Unknown,
    /// The host is known, with keys of other types only. A machine between could show a key
    /// of a new type, so this is no new host.
    OtherType {
        /// The types that are known, for example `ssh-ed25519`.
        types: Vec<String>,
        /// Where the first of them stands.
        place: KnownHostsLine,
    },
    /// The host is known with another key of this type.
    Changed {
        /// Where the other key stands.
        place: KnownHostsLine,
        /// Fingerprint of the other key, `SHA256:…`.
        known: String,
    },
    /// The key was revoked for this host.
    Revoked(KnownHostsLine),
    /// The key that signed its certificate was revoked for this host.
    RevokedAuthority {
        /// Where it is revoked.
        place: KnownHostsLine,
        /// Fingerprint of the key, `SHA256:…`.
        authority: String,
    },
}

/// The `known_hosts` files that are in force; new keys are added to the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownHosts {
    files: Vec<PathBuf>,
    hashed: bool,
}

impl KnownHosts {
    /// Only these files, of which there is at least one; or where none is given, the user's
    /// `~/.ssh/known_hosts` and the machine's `/etc/ssh/ssh_known_hosts`. A file that does not exist is
    /// an empty one.
    pub fn new(given: &[PathBuf], home: &Path) -> Self {
        let usual = || vec![home.join(".ssh/known_hosts"), PathBuf::from(SYSTEM_FILE)];
        Self {
            files: match given {
                [] => usual(),
                given => given.to_vec(),
            },
            hashed: false,
        }
    }

    /// The same, and the names of new hosts are hashed.
    #[must_use]
    pub fn hashed(self, hashed: bool) -> Self {
        Self { hashed, ..self }
    }

    /// The file that is extended when a key is accepted.
    pub fn own_file(&self) -> &Path {
        &self.files[0]
    }

    /// Reads the files. Fails when one exists and cannot be read: its hosts would seem unknown.
    pub async fn read(&self) -> Result<Records, Problem> {
        let mut records = Records::default();
        for file in &self.files {
            match tokio::fs::read(file).await {
                Ok(content) => records.add(file, &content),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(unusable(file, "read", &error)),
            }
        }
        Ok(records)
    }

    /// Whether a key of the host at this very port is known, whichever.
    pub async fn knows(&self, target: &Target) -> Result<bool, Problem> {
        let records = self.read().await?;
        let (host, port) = target.known_as();
        let name = entry_name(host, port);
        Ok(records.plain(&name).next().is_some())
    }

    /// Adds a host's key at the end of the first file, which is created (mode 0600, its directory
    /// 0700) if it does not exist. A key that became known meanwhile is not added twice. Fails
    /// when the file cannot be written or the host's name has no place in such a file.
    pub async fn learn(&self, host: &str, port: u16, key: &PublicKey) -> Result<(), Problem> {
        let _one_at_a_time = LEARNING.lock().await;
        let failed = |error: io::Error| unusable(self.own_file(), "written", &error);
        match self.read().await?.verdict(host, port, key) {
            KnownHostVerdict::Known => return Ok(()),
            KnownHostVerdict::Unknown => {}
            _ => {
                return Err(failed(io::Error::other(
                    "another key of this host was added meanwhile",
                )));
            }
        }
        let line = line(host, port, key, self.hashed).map_err(failed)?;
        append(self.own_file(), &line).await.map_err(failed)
    }
}

/// A file that cannot be read or extended.
fn unusable(file: &Path, tried: &str, error: &io::Error) -> Problem {
    problem!(
        Code::KNOWN_HOSTS_UNREADABLE,
        "the host key cannot be checked"
    )
    .because(format!("{} cannot be {tried}: {error}", file.display()))
    .command(format!("ls -l {}", quote(&file.to_string_lossy())))
}

/// The name of a host in `known_hosts` files: `host`, or `[host]:port` for a port other than 22.
pub fn entry_name(host: &str, port: u16) -> String {
    let host = host.to_lowercase();
    if port == DEFAULT_PORT {
        host
    } else {
        format!("[{host}]:{port}")
    }
}

/// The fingerprint of a key as OpenSSH shows it, `SHA256:…`.
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

pub(super) fn line(host: &str, port: u16, key: &PublicKey, hashed: bool) -> io::Result<String> {
    let mut name = entry_name(host, port);
    let harmless = |c: char| c.is_alphanumeric() || "._-:%[]".contains(c);
    if host.is_empty() || !name.chars().all(harmless) {
        let message = format!("{name:?} is no name of a host");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    if hashed {
        let salt: [u8; 20] = rand::random();
        let mut mac = Hmac::<Sha1>::new_from_slice(&salt).map_err(io::Error::other)?;
        mac.update(name.as_bytes());
        let (salt, hash) = (salt.to_vec(), mac.finalize().into_bytes().into());
        name = HostPatterns::HashedName { salt, hash }.to_string();
    }
    let key = PublicKey::from(key.key_data().clone());
    let key = key.to_openssh().map_err(io::Error::other)?;
    Ok(format!("{name} {key}\n"))
}

async fn append(file: &Path, line: &str) -> io::Result<()> {
    if let Some(directory) = file.parent().filter(|path| !path.as_os_str().is_empty()) {
        tokio::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .await?;
    }
    // A last line without its newline would swallow the new one.
    let torn = match tokio::fs::read(file).await {
        Ok(content) => content.last().is_some_and(|&last| last != b'\n'),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    let line = if torn {
        format!("\n{line}")
    } else {
        line.to_owned()
    };
    let mut options = tokio::fs::OpenOptions::new();
    let mut file = options
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)
        .await?;
    file.write_all(line.as_bytes()).await?;
    file.flush().await
}

#[cfg(test)]
#[path = "tests/known_hosts.rs"]
mod tests;
