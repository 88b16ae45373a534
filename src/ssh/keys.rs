//! The private keys of this side: read once per run, shared by all connections.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Certificate, PrivateKey, PublicKey, decode_secret_key};

use crate::problem::{Code, Problem, problem};
use crate::shell::quote;
use crate::vars::Secret;

/// An agent that does not answer within this time is left out.
pub(super) const AGENT_TIMEOUT: Duration = Duration::from_secs(5);

/// The key files that are tried after the agent, under `~/.ssh`.
const USUAL: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// What to do about a public key that was named as the key.
pub(super) fn private_beside(path: &Path) -> String {
    let beside = path.with_extension("");
    if path.extension().is_some_and(|extension| extension == "pub") && beside.is_file() {
        return format!("name the private key beside it: {}", beside.display());
    }
    "name the private key beside it".to_owned()
}

/// Which keys a login is tried with.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identities {
    /// Files of private keys, tried first; also public ones, whose private half the agent holds.
    pub files: Vec<PathBuf>,
    /// Certificates of them, besides those that lie beside a key (`KEY-cert.pub`).
    pub certificates: Vec<PathBuf>,
    /// The socket of an agent; it is contacted by each connection.
    pub agent: Option<PathBuf>,
    /// Whether the agent's other keys and the usual ones are left alone.
    pub only: bool,
}

/// A private key and the file it came from.
#[derive(Clone)]
pub(super) struct FileKey {
    pub path: PathBuf,
    pub key: Arc<PrivateKey>,
    /// What certifies it.
    pub certificates: Vec<Certificate>,
}

/// A key file of which only an agent can make use.
#[derive(Debug)]
pub(super) struct AgentKey {
    pub path: PathBuf,
    /// Its public half, when the file tells: the agent may hold it.
    pub public: Option<PublicKey>,
    /// Whether the file holds nothing but that; else it needs a passphrase.
    pub is_public: bool,
    /// Whether it is one of the usual keys, which are only tried.
    pub is_usual: bool,
}

/// The keys to offer: configured ones first, then the agent's, then the usual ones.
pub struct Keys {
    pub(super) configured: Vec<FileKey>,
    pub(super) agent: Option<PathBuf>,
    /// What only the agent can use; its keys of these are offered first.
    pub(super) for_agent: Vec<AgentKey>,
    pub(super) usual: Vec<FileKey>,
    /// Certificates of keys that only the agent can use.
    pub(super) certificates: Vec<Certificate>,
    /// Whether the agent offers only keys of the files.
    pub(super) only: bool,
    /// Usual keys that could not be read, as sentences.
    pub(super) unusable: Vec<String>,
}

/// A key that cannot be used. A configured one is found before any host is contacted.
fn unusable(path: &Path, reason: impl fmt::Display) -> Problem {
    let path = path.display();
    problem!(Code::SSH_KEY_UNUSABLE, "the SSH key {path} cannot be used").because(reason)
}

impl Keys {
    /// Reads the named keys and the usual ones of `home`.
    ///
    /// Fails on a named file that cannot be read. A key with a passphrase is left to the agent.
    pub async fn load(identities: &Identities, home: &Path) -> Result<Self, Problem> {
        let configured = &identities.files;
        let mut keys = Self {
            configured: Vec::new(),
            agent: identities.agent.clone(),
            for_agent: Vec::new(),
            usual: Vec::new(),
            certificates: Vec::new(),
            only: identities.only,
            unusable: Vec::new(),
        };
        for path in configured {
            match read(path).await? {
                Content::Private(key) => keys.configured.push(key),
                Content::ForAgent(key) if key.is_public && keys.agent.is_none() => {
                    return Err(unusable(path, "it is a public key, and no agent is named that could hold its private half")
                        .next(private_beside(path)));
                }
                Content::ForAgent(key) => keys.for_agent.push(key),
            }
        }
        let usual = match (identities.only, &**configured) {
            (true, [_, ..]) => Vec::new(),
            _ => USUAL.map(|name| home.join(".ssh").join(name)).to_vec(),
        };
        for path in usual
            .iter()
            .filter(|path| !configured.contains(path) && path.try_exists().unwrap_or(true))
        {
            match read(path).await {
                Ok(Content::Private(key)) => keys.usual.push(key),
                Ok(Content::ForAgent(key)) if key.is_public => {}
                Ok(Content::ForAgent(key)) => keys.for_agent.push(AgentKey {
                    is_usual: true,
                    ..key
                }),
                Err(problem) => {
                    let why = problem.why.join("; ");
                    keys.unusable
                        .push(format!("{} was not offered: {why}", path.display()));
                }
            }
        }
        for path in &identities.certificates {
            keys.certify(certificate(path).await?);
        }
        Ok(keys)
    }

    /// Files of private keys that need a passphrase here, and whether they are named: those that the
    /// agent does not hold; the usual ones only where there is nothing else to offer.
    pub async fn locked(&self) -> Vec<(PathBuf, bool)> {
        let locked: Vec<_> = self.for_agent.iter().filter(|key| !key.is_public).collect();
        if locked.is_empty() {
            return Vec::new();
        }
        let held = match &self.agent {
            Some(socket) => held(socket).await,
            None => Vec::new(),
        };
        let has_others = !self.configured.is_empty() || !self.usual.is_empty() || !held.is_empty();
        let is_held = |key: &AgentKey| {
            let own = key.public.as_ref();
            own.is_some_and(|own| held.iter().any(|one| one.key_data() == own.key_data()))
        };
        let needed = locked.into_iter();
        let needed = needed.filter(|key| !(is_held(key) || key.is_usual && has_others));
        needed
            .map(|key| (key.path.clone(), !key.is_usual))
            .collect()
    }

    /// Makes a private key usable; `false` when the passphrase is another one.
    pub async fn unlock(&mut self, path: &Path, passphrase: &Secret) -> bool {
        let (file, passphrase) = (path.to_owned(), passphrase.clone());
        // Its derivation is made to take long.
        let decoded = tokio::task::spawn_blocking(move || {
            let text = std::fs::read_to_string(file).ok()?;
            decode_secret_key(&text, Some(passphrase.expose())).ok()
        });
        let Some(key) = decoded.await.unwrap_or_default() else {
            return false;
        };
        self.for_agent.retain(|one| one.path != path);
        let certificates = beside(path, &key).await;
        self.configured.push(FileKey {
            path: path.to_owned(),
            key: Arc::new(key),
            certificates,
        });
        true
    }

    /// Puts a certificate to its key, or to those of the agent.
    fn certify(&mut self, certificate: Certificate) {
        let mut files = self.configured.iter_mut().chain(&mut self.usual);
        let own = files.find(|file| file.key.public_key().key_data() == certificate.public_key());
        let certificates = match own {
            Some(file) => &mut file.certificates,
            None => &mut self.certificates,
        };
        if !certificates.contains(&certificate) {
            certificates.push(certificate);
        }
    }
}

/// The certificate that lies beside a key, if it is one of it.
async fn beside(path: &Path, key: &PrivateKey) -> Vec<Certificate> {
    let mut file = path.as_os_str().to_owned();
    file.push("-cert.pub");
    let found = certificate(Path::new(&file)).await.into_iter();
    let own = key.public_key().key_data();
    found.filter(|found| found.public_key() == own).collect()
}

/// The keys that an agent holds; none where it does not answer.
async fn held(socket: &Path) -> Vec<PublicKey> {
    let asked = async {
        let mut agent = AgentClient::connect_uds(socket).await?;
        agent.request_identities().await
    };
    let held = match tokio::time::timeout(AGENT_TIMEOUT, asked).await {
        Ok(Ok(identities)) => identities,
        Ok(Err(_)) | Err(_) => Vec::new(),
    };
    let keys = held.iter().map(AgentIdentity::public_key);
    keys.map(std::borrow::Cow::into_owned).collect()
}

async fn certificate(path: &Path) -> Result<Certificate, Problem> {
    let said = |why: &dyn fmt::Display| {
        let path = path.display();
        problem!(
            Code::SSH_KEY_UNUSABLE,
            "the SSH certificate {path} cannot be used"
        )
        .because(why)
        .command(format!("ssh-keygen -L -f {path}"))
    };
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|error| said(&error))?;
    Certificate::from_openssh(text.trim()).map_err(|error| said(&error))
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = |keys: &[FileKey]| keys.iter().map(|key| key.path.clone()).collect::<Vec<_>>();
        f.debug_struct("Keys")
            .field("configured", &paths(&self.configured))
            .field("agent", &self.agent)
            .field("usual", &paths(&self.usual))
            .field("for_agent", &self.for_agent)
            .finish_non_exhaustive()
    }
}

enum Content {
    Private(FileKey),
    ForAgent(AgentKey),
}

async fn read(path: &Path) -> Result<Content, Problem> {
    let undecoded = |reason: &dyn fmt::Display| {
        unusable(path, reason).next("name a private key in the format of OpenSSH or PEM, or leave the key out to use the agent's and the usual ones")
    };
    let unread = |error: io::Error| undecoded(&error);
    let for_agent = |public, is_public| {
        let path = path.to_owned();
        Content::ForAgent(AgentKey {
            path,
            public,
            is_public,
            is_usual: false,
        })
    };
    let text = tokio::fs::read(path).await.map_err(unread)?;
    let text = String::from_utf8_lossy(&text);
    if let Ok(public) = PublicKey::from_openssh(text.trim()) {
        return Ok(for_agent(Some(public), true));
    }
    if !text.contains("-----BEGIN ") && !text.starts_with("PuTTY-User-Key-File-") {
        return Err(undecoded(&"this is no private key"));
    }
    // As ssh does, which leaves alone what belongs to another user: who may read that is not ours.
    let file = tokio::fs::metadata(path).await.map_err(unread)?;
    if file.uid() == rustix::process::getuid().as_raw() && file.mode() & 0o077 != 0 {
        let mode = file.mode() & 0o7777;
        let why = format!("others than its owner may use the file (mode {mode:04o})");
        let chmod = format!("chmod 600 {}", quote(&path.to_string_lossy()));
        return Err(unusable(path, why).command(chmod));
    }
    let error = match decode_secret_key(&text, None) {
        Ok(key) if key.is_encrypted() => {
            return Ok(for_agent(Some(key.public_key().clone()), false));
        }
        Ok(key) => {
            return Ok(Content::Private(FileKey {
                path: path.to_owned(),
                certificates: beside(path, &key).await,
                key: Arc::new(key),
            }));
        }
        Err(error) => error,
    };
    let inside = PrivateKey::from_openssh(text.as_bytes()).ok();
    let is_protected = inside.as_ref().is_some_and(PrivateKey::is_encrypted)
        || matches!(error, russh::keys::Error::KeyIsEncrypted)
        || text.contains("ENCRYPTED")
        || text.contains("\nEncryption: aes");
    match inside {
        _ if !is_protected => Err(undecoded(&format!("it cannot be decoded: {error}"))),
        Some(key) => Ok(for_agent(Some(key.public_key().clone()), false)),
        None => {
            // The public key lies beside it, `id_rsa.pub` beside `id_rsa`.
            let beside = tokio::fs::read_to_string(path.with_added_extension("pub")).await;
            let public = beside
                .ok()
                .and_then(|text| PublicKey::from_openssh(text.trim()).ok());
            Ok(for_agent(public, false))
        }
    }
}
