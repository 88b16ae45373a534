//! A home directory with a key, a server that lets this key in, and the way between them.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use russh::keys::ssh_key::LineEnding;
use russh::keys::{PrivateKey, PublicKey};

use super::server::{Act, Server, Setup, new_key, serve};
use crate::problem::{Code, Problem};
use crate::shell::Script;
use crate::ssh::fault::ConnectError;
use crate::ssh::{
    AddressFamily, Exit, HostKeyTrust, Identities, Keys, KnownHosts, Policy, Route, Session,
    Target, Upload, connect,
};

/// A home directory with a key, and a server that lets this key in.
pub(super) struct World {
    pub home: tempfile::TempDir,
    pub host_key: PrivateKey,
    pub server: Server,
    pub trust: HostKeyTrust,
}

pub(super) fn write_key(path: &Path, key: &PrivateKey) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, key.to_openssh(LineEnding::LF).unwrap()).unwrap();
    set_mode(path, 0o600);
}

pub(super) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

pub(super) async fn world_with(change: impl FnOnce(&mut Setup)) -> World {
    let home = tempfile::tempdir().unwrap();
    let (host_key, key) = (new_key(), new_key());
    write_key(&home.path().join(".ssh/id_ed25519"), &key);
    let accepts = key.public_key().clone();
    let mut setup = Setup::new(host_key.clone(), accepts, Act::Shell);
    change(&mut setup);
    let known_hosts = KnownHosts::new(&[home.path().join("known_hosts")], home.path());
    World {
        trust: HostKeyTrust {
            known_hosts,
            policy: Policy::AcceptNew,
            pinned: Vec::new(),
        },
        server: serve(setup).await,
        home,
        host_key,
    }
}

pub(super) async fn world(act: Act) -> World {
    world_with(|setup| setup.act = act).await
}

pub(in crate::ssh) fn target(address: SocketAddr) -> Target {
    Target {
        name: "m1".to_owned(),
        address: address.ip().to_string(),
        port: address.port(),
        user: "root".to_owned(),
        connect_timeout: Duration::from_secs(5),
        password: None,
        become_password: None,
        alive_interval: Duration::from_secs(15),
        alive_count: 3,
        family: AddressFamily::Any,
        key_alias: None,
        through: Vec::new(),
    }
}

/// Reads keys from these files, with an agent or without.
pub(super) async fn load_keys(
    files: &[PathBuf],
    agent: Option<PathBuf>,
    home: &Path,
) -> Result<Keys, Problem> {
    let identities = Identities {
        files: files.to_vec(),
        agent,
        ..Identities::default()
    };
    Keys::load(&identities, home).await
}

/// Connects over TCP.
pub(super) async fn direct(
    target: &Target,
    trust: &HostKeyTrust,
    keys: &Keys,
) -> Result<Session, ConnectError> {
    connect(target, &Route::Direct, trust, keys).await
}

impl World {
    pub fn target(&self) -> Target {
        target(self.server.address)
    }

    pub async fn keys(&self) -> Keys {
        Keys::load(&Identities::default(), self.home.path())
            .await
            .unwrap()
    }

    pub async fn try_connect(&self) -> Result<Session, ConnectError> {
        let keys = self.keys().await;
        direct(&self.target(), &self.trust, &keys).await
    }

    pub async fn connect(&self) -> Session {
        self.try_connect().await.unwrap()
    }

    pub async fn refused(&self) -> ConnectError {
        match self.try_connect().await {
            Ok(_) => panic!("connected"),
            Err(error) => error,
        }
    }

    /// The code of the problem, and why.
    pub async fn why(&self) -> (Code, Vec<String>) {
        let problem = self.refused().await.problem;
        (problem.code, problem.why)
    }

    pub fn known(&self, text: &str) {
        std::fs::write(self.home.path().join("known_hosts"), text).unwrap();
    }

    pub fn name(&self) -> String {
        format!("[127.0.0.1]:{}", self.server.address.port())
    }

    pub fn file(&self, bytes: usize) -> PathBuf {
        let path = self.home.path().join("content");
        let mut content = b"any content at all, of an odd length".repeat(bytes / 35 + 1);
        content.truncate(bytes);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn upload(&self, bytes: usize, receive: &str) -> Upload {
        Upload {
            source: self.file(bytes),
            receive: Script::new(receive),
        }
    }
}

pub(super) fn public(key: &PrivateKey) -> String {
    PublicKey::from(key.public_key().key_data().clone())
        .to_openssh()
        .unwrap()
}

pub(super) fn reason(exit: &Exit) -> &str {
    match exit {
        Exit::Lost(reason) => reason,
        other => panic!("{other:?}"),
    }
}
