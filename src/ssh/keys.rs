//! The private keys of this side: read once per run, shared by all connections.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{PrivateKey, PublicKey, decode_secret_key};

use crate::problem::{Code, Problem, problem};
use crate::shell::quote;

/// The key files that are tried after the agent, under `~/.ssh`.
const USUAL: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

fn open(mode: u32) -> String {
    format!("others than its owner may use the file (mode {mode:04o})")
}

/// What to do about a public key that was named as the key.
pub(super) fn private_beside(path: &Path) -> String {
    let beside = path.with_extension("");
    if path.extension().is_some_and(|extension| extension == "pub") && beside.is_file() {
        return format!("name the private key beside it: {}", beside.display());
    }
    "name the private key beside it".to_owned()
}

/// A private key and the file it came from.
#[derive(Clone)]
pub(super) struct FileKey {
    pub path: PathBuf,
    pub key: Arc<PrivateKey>,
}

/// A key file that needs a passphrase, which only an agent can be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Protected {
    pub path: PathBuf,
    /// Its public half, when the file tells: the agent may hold it.
    pub public: Option<PublicKey>,
}

/// The keys to offer: configured ones first, then the agent's, then the usual ones.
pub struct Keys {
    pub(super) configured: Vec<FileKey>,
    /// Configured keys that only the agent can use; its keys of these are offered first.
    pub(super) preferred: Vec<PublicKey>,
    pub(super) agent: Option<PathBuf>,
    pub(super) usual: Vec<FileKey>,
    pub(super) protected: Vec<Protected>,
    /// Configured public keys, which only an agent can have the private half of.
    pub(super) halves: Vec<Protected>,
    /// Usual keys that could not be read, as sentences.
    pub(super) unusable: Vec<String>,
}

/// A configured key that cannot be used. Found before any host is contacted.
pub(super) fn unusable(path: &Path, reason: impl fmt::Display) -> Problem {
    let path = path.display();
    problem!(Code::SSH_KEY_UNUSABLE, "the SSH key {path} cannot be used").because(reason)
}

enum Content {
    Private(Arc<PrivateKey>),
    Protected(Option<PublicKey>),
    Public(PublicKey),
    /// A private key that others than its owner may read, with its mode.
    Open(u32),
}

impl Keys {
    /// Reads the configured keys and the usual ones of `home`. `agent` is the socket of an agent
    /// (the value of `SSH_AUTH_SOCK`); it is contacted by each connection. A configured key may
    /// also be a public one whose private half the agent holds.
    ///
    /// Fails on a configured key that cannot be read. A key with a passphrase is left to the agent.
    pub async fn load(
        configured: &[PathBuf],
        agent: Option<PathBuf>,
        home: &Path,
    ) -> Result<Self, Problem> {
        let mut keys = Self {
            configured: Vec::new(),
            preferred: Vec::new(),
            agent,
            usual: Vec::new(),
            protected: Vec::new(),
            halves: Vec::new(),
            unusable: Vec::new(),
        };
        for path in configured {
            match read(path).await {
                Ok(Content::Private(key)) => keys.configured.push(FileKey::new(path, key)),
                Ok(Content::Public(_)) if keys.agent.is_none() => {
                    return Err(unusable(path, "it is a public key, and no agent is named that could hold its private half")
                        .next(private_beside(path)));
                }
                Ok(Content::Public(public)) => {
                    keys.preferred.push(public.clone());
                    keys.halves.push(Protected {
                        path: path.clone(),
                        public: Some(public),
                    });
                }
                Ok(Content::Protected(public)) => {
                    keys.preferred.extend(public.clone());
                    keys.protected.push(Protected {
                        path: path.clone(),
                        public,
                    });
                }
                Ok(Content::Open(mode)) => {
                    return Err(unusable(path, open(mode))
                        .command(format!("chmod 600 {}", quote(&path.to_string_lossy()))));
                }
                Err(error) => {
                    return Err(unusable(path, error)
                        .next("name a private key in the format of OpenSSH or PEM, or leave the key out to use the agent's and the usual ones"));
                }
            }
        }
        for path in USUAL.map(|name| home.join(".ssh").join(name)) {
            if configured.contains(&path) {
                continue;
            }
            match read(&path).await {
                Ok(Content::Private(key)) => keys.usual.push(FileKey::new(&path, key)),
                Ok(Content::Protected(public)) => keys.protected.push(Protected { path, public }),
                Ok(Content::Public(_)) => {}
                Ok(Content::Open(mode)) => keys.unusable.push(format!(
                    "{} was not offered: {}",
                    path.display(),
                    open(mode)
                )),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => keys
                    .unusable
                    .push(format!("{} cannot be used: {error}", path.display())),
            }
        }
        Ok(keys)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = |keys: &[FileKey]| keys.iter().map(|key| key.path.clone()).collect::<Vec<_>>();
        f.debug_struct("Keys")
            .field("configured", &paths(&self.configured))
            .field("agent", &self.agent)
            .field("usual", &paths(&self.usual))
            .field("protected", &self.protected)
            .finish_non_exhaustive()
    }
}

impl FileKey {
    fn new(path: &Path, key: Arc<PrivateKey>) -> Self {
        Self {
            path: path.to_owned(),
            key,
        }
    }
}
async fn read(path: &Path) -> io::Result<Content> {
    let text = tokio::fs::read(path).await?;
    let text = String::from_utf8_lossy(&text);
    if let Ok(public) = PublicKey::from_openssh(text.trim()) {
        return Ok(Content::Public(public));
    }
    if !text.contains("-----BEGIN ") && !text.starts_with("PuTTY-User-Key-File-") {
        return Err(io::Error::other("this is no private key"));
    }
    // As ssh does, which leaves alone what belongs to another user: who may read that is not ours.
    let file = tokio::fs::metadata(path).await?;
    if file.uid() == rustix::process::getuid().as_raw() && file.mode() & 0o077 != 0 {
        return Ok(Content::Open(file.mode() & 0o7777));
    }
    match decode_secret_key(&text, None) {
        Ok(key) if !key.is_encrypted() => Ok(Content::Private(Arc::new(key))),
        Ok(key) => Ok(Content::Protected(Some(key.public_key().clone()))),
        Err(error) => {
            let inside = PrivateKey::from_openssh(text.as_bytes()).ok();
            let protected = inside.as_ref().is_some_and(PrivateKey::is_encrypted)
                || matches!(error, russh::keys::Error::KeyIsEncrypted)
                || text.contains("ENCRYPTED")
                || text.contains("\nEncryption: aes");
            if !protected {
                return Err(io::Error::other(format!("it cannot be decoded: {error}")));
            }
            match inside {
                Some(key) => Ok(Content::Protected(Some(key.public_key().clone()))),
                None => Ok(Content::Protected(beside(path).await)),
            }
        }
    }
}

/// The public key that lies beside a private one, `id_rsa.pub` beside `id_rsa`.
async fn beside(path: &Path) -> Option<PublicKey> {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    let text = tokio::fs::read_to_string(name).await.ok()?;
    PublicKey::from_openssh(text.trim()).ok()
}
