//! A file server over HTTP that can misbehave on demand, in the layout of k3s's or k0s's releases and channels.
//!
//! ```text
//! /v1.36.3%2Bk3s1/k3s                   the binary ("+" is understood, too)
//! /v1.36.3%2Bk3s1/sha256sum-amd64.txt   its checksum
//! /channels/stable                      302 to …/tag/v1.36.3%2Bk3s1, as k3s's channel server answers
//!
//! /v1.36.3%2Bk0s.2/k0s-v1.36.3+k0s.2-amd64, /v1.36.3%2Bk0s.2/sha256sums.txt, /stable.txt   the same of k0s
//! ```

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::release::{Release, sha256};

mod answer;

/// The channels that name the version of a mirror of one release.
const CHANNELS: [&str; 2] = ["stable", "latest"];

/// What goes wrong with one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Announces the whole length, sends this many bytes, and closes.
    Truncate(u64),
    /// Sends everything, with one bit of the last byte turned.
    Corrupt,
    /// Announces the whole length, sends this many bytes, and keeps silent until the mirror is dropped.
    Stall(u64),
    /// Answers with this status and nothing else.
    Status(u16),
}

/// A running server; dropping it ends it and all its connections.
#[derive(Debug)]
pub struct Mirror {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    /// What [`Mirror::release`] laid out.
    release: Option<TempDir>,
}

#[derive(Debug, Default)]
struct Shared {
    directory: PathBuf,
    address: String,
    state: Mutex<State>,
    stopped: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    requests: HashMap<String, usize>,
    faults: HashMap<String, Fault>,
    channels: HashMap<String, String>,
}

impl Mirror {
    /// Serves the files of a folder on a free port of 127.0.0.1.
    pub fn serve(directory: &Path) -> Result<Self> {
        Self::serve_on(Ipv4Addr::LOCALHOST.into(), directory)
    }

    /// Serves the files of a folder on a free port of an address of this host, such as [`crate::Lab::gateway`], where
    /// the machines reach it.
    pub fn serve_on(address: IpAddr, directory: &Path) -> Result<Self> {
        let listener =
            TcpListener::bind((address, 0)).with_context(|| format!("serve files on {address}"))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            directory: directory.to_owned(),
            address: format!("http://{address}"),
            ..Shared::default()
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
            release: None,
        })
    }

    /// Serves a binary as the release of its version, with its checksum, which the channels `stable` and `latest`
    /// name.
    pub fn release(release: &Release) -> Result<Self> {
        Self::release_on(Ipv4Addr::LOCALHOST.into(), release)
    }

    /// The same on another address of this host.
    pub fn release_on(address: IpAddr, release: &Release) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let mut mirror = Self::serve_on(address, directory.path())?;
        mirror.release = Some(directory);
        mirror.publish(release)?;
        Ok(mirror)
    }

    /// Serves another release beside those that are there, and lets both channels name it: what happens when a new
    /// version comes out. An older one is served by [`Mirror::add`].
    pub fn publish(&self, release: &Release) -> Result<()> {
        self.add(release)?;
        for channel in CHANNELS {
            let file = self.shared.directory.join(format!("{channel}.txt"));
            fs::write(file, format!("{}\n", release.version))?;
            self.channel(channel, &release.version);
        }
        Ok(())
    }

    /// Serves another release beside those that are there, and leaves the channels alone.
    pub fn add(&self, release: &Release) -> Result<()> {
        let asset = release.asset();
        let folder = self.shared.directory.join(&release.version);
        fs::create_dir(&folder)?;
        std::os::unix::fs::symlink(&release.path, folder.join(&asset))?;
        let sum = sha256(&release.path)?;
        let separator = release.distribution.checksum_separator();
        fs::write(
            folder.join(release.distribution.checksums()),
            format!("{sum}{separator}{asset}\n"),
        )?;
        Ok(())
    }

    /// `http://127.0.0.1:<port>`, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.shared.address
    }

    /// Lets `/channels/<name>` lead to this version.
    pub fn channel(&self, name: &str, version: &str) {
        self.shared
            .state()
            .channels
            .insert(name.to_owned(), version.to_owned());
    }

    /// How often this path was asked for, by GET or HEAD. Paths are decoded: `/v1.36.3+k3s1/k3s`.
    pub fn requests(&self, path: &str) -> usize {
        self.shared
            .state()
            .requests
            .get(path)
            .copied()
            .unwrap_or_default()
    }

    /// Lets a path, which needs no file, go wrong from now on.
    pub fn break_path(&self, path: &str, fault: Fault) {
        self.shared.state().faults.insert(path.to_owned(), fault);
    }

    /// Lets a path work again.
    pub fn heal(&self, path: &str) {
        self.shared.state().faults.remove(path);
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // The acceptor waits for a connection, so it gets one; where the address has gone with its lab, it waits on
        // until the process ends.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok();
        if let Some(acceptor) = self.acceptor.take().filter(|_| woken) {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        if shared.stopped.load(Ordering::Relaxed) {
            return;
        }
        let Ok(connection) = connection else { continue };
        let shared = Arc::clone(shared);
        // A client that hangs up is no concern of the server's.
        thread::spawn(move || drop(answer::answer(&connection, &shared)));
    }
}

#[cfg(test)]
mod tests;
