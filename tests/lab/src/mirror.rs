//! A file server over HTTP that can misbehave on demand, in the layout of k3s's releases and channels.
//!
//! ```text
//! /v1.36.3%2Bk3s1/k3s                   the binary ("+" is understood, too)
//! /v1.36.3%2Bk3s1/sha256sum-amd64.txt   its checksum
//! /channels/stable                      302 to …/tag/v1.36.3%2Bk3s1, as k3s's channel server answers
//! ```

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::k3s::{K3s, asset_names, sha256, url_encoded};

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

    /// Serves a k3s as a release of its version, with its checksum, which the channels `stable` and `latest` name.
    pub fn release(k3s: &K3s) -> Result<Self> {
        Self::release_on(Ipv4Addr::LOCALHOST.into(), k3s)
    }

    /// The same on another address of this host.
    pub fn release_on(address: IpAddr, k3s: &K3s) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let (asset, architecture) = asset_names();
        let release = directory.path().join(&k3s.version);
        fs::create_dir(&release)?;
        std::os::unix::fs::symlink(&k3s.path, release.join(asset))?;
        let sum = sha256(&k3s.path)?;
        fs::write(
            release.join(format!("sha256sum-{architecture}.txt")),
            format!("{sum}  {asset}\n"),
        )?;
        let mut mirror = Self::serve_on(address, directory.path())?;
        mirror.release = Some(directory);
        mirror.channel("stable", &k3s.version);
        mirror.channel("latest", &k3s.version);
        Ok(mirror)
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
        // The acceptor waits for a connection, so it gets one.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
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
        thread::spawn(move || drop(answer(&connection, &shared)));
    }
}

/// One request, one answer, one connection.
fn answer(connection: &TcpStream, shared: &Shared) -> io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut lines = BufReader::new(connection.take(16 * 1024)).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let mut words = request.split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let with_body = match method {
        "GET" => true,
        "HEAD" => false,
        _ => return head(connection, 405, 0, ""),
    };
    let path = decoded(target.split('?').next().unwrap_or_default());
    let (fault, channel) = {
        let mut state = shared.state();
        *state.requests.entry(path.clone()).or_default() += 1;
        let channel = path
            .strip_prefix("/channels/")
            .and_then(|name| state.channels.get(name).cloned());
        (state.faults.get(&path).copied(), channel)
    };
    if let Some(Fault::Status(status)) = fault {
        return head(connection, status, 0, "");
    }
    if let Some(version) = channel {
        let location = format!(
            "Location: {}/tag/{}\r\n",
            shared.address,
            url_encoded(&version)
        );
        return head(connection, 302, 0, &location);
    }
    if path.starts_with("/tag/") {
        return head(connection, 200, 0, "");
    }
    let file = inside(&shared.directory, &path).and_then(|path| File::open(path).ok());
    let Some(mut file) =
        file.filter(|file| file.metadata().is_ok_and(|metadata| metadata.is_file()))
    else {
        return head(connection, 404, 0, "");
    };
    let length = file.metadata()?.len();
    head(connection, 200, length, "")?;
    if !with_body {
        return Ok(());
    }
    let mut connection = connection;
    match fault {
        Some(Fault::Truncate(bytes)) => drop(io::copy(&mut file.take(bytes), &mut connection)?),
        Some(Fault::Stall(bytes)) => {
            io::copy(&mut file.take(bytes), &mut connection)?;
            while !shared.stopped.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(50));
            }
        }
        Some(Fault::Corrupt) if length > 0 => {
            io::copy(&mut (&file).take(length - 1), &mut connection)?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            connection.write_all(&[last[0] ^ 1])?;
        }
        _ => drop(io::copy(&mut file, &mut connection)?),
    }
    Ok(())
}

fn head(mut connection: &TcpStream, status: u16, length: u64, fields: &str) -> io::Result<()> {
    let mut head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Length: {length}\r\n",
        reason(status)
    );
    let _ = write!(
        head,
        "Content-Type: application/octet-stream\r\n{fields}Connection: close\r\n\r\n"
    );
    connection.write_all(head.as_bytes())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        404 => "Not Found",
        405 => "Method Not Allowed",
        _ => "As Ordered",
    }
}

/// The path with its %-escapes resolved; what is no escape stays as it is.
fn decoded(target: &str) -> String {
    let mut bytes = Vec::with_capacity(target.len());
    let mut rest = target.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escape = tail
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The file of this path, if it does not lead out of the folder.
fn inside(directory: &Path, path: &str) -> Option<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    let plain = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| directory.join(relative))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k3s::Source;

    /// Status line, fields and body, as far as they come within a second.
    fn ask(mirror: &Mirror, request: &str) -> String {
        let mut connection = TcpStream::connect(mirror.address).unwrap();
        connection
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        write!(connection, "{request} HTTP/1.1\r\nHost: mirror\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn a_release_is_served_and_breaks_on_demand() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("binary");
        fs::write(&path, "0123456789").unwrap();
        let k3s = K3s {
            path,
            version: "v1.2.3+k3s1".to_owned(),
            source: Source::Named,
        };
        let mirror = Mirror::release(&k3s).unwrap();
        let (asset, architecture) = asset_names();
        let get = format!("GET /v1.2.3%2Bk3s1/{asset}");
        let decoded = format!("/v1.2.3+k3s1/{asset}");

        let whole = ask(&mirror, &get);
        assert!(
            whole.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n"),
            "{whole}"
        );
        assert!(whole.ends_with("\r\n\r\n0123456789"), "{whole}");
        assert!(ask(&mirror, &format!("HEAD {decoded}")).ends_with("\r\n\r\n"));
        assert_eq!(mirror.requests(&decoded), 2);

        let sums = ask(
            &mirror,
            &format!("GET /v1.2.3+k3s1/sha256sum-{architecture}.txt"),
        );
        let sum = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";
        assert!(
            sums.ends_with(&format!("\r\n\r\n{sum}  {asset}\n")),
            "{sums}"
        );

        for (fault, body) in [
            (Fault::Truncate(3), "012"),
            (Fault::Corrupt, "0123456788"),
            (Fault::Stall(4), "0123"),
            (Fault::Status(503), ""),
        ] {
            mirror.break_path(&decoded, fault);
            let answer = ask(&mirror, &get);
            assert!(
                answer.ends_with(&format!("\r\n\r\n{body}")),
                "{fault:?}: {answer}"
            );
        }
        mirror.heal(&decoded);
        assert!(ask(&mirror, &get).ends_with("\r\n\r\n0123456789"));
    }

    #[test]
    fn a_channel_leads_to_a_version_and_nothing_leads_out() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("served")).unwrap();
        fs::write(directory.path().join("secret"), "secret").unwrap();
        let mirror = Mirror::serve(&directory.path().join("served")).unwrap();
        mirror.channel("stable", "v1.2.3+k3s1");
        let answer = ask(&mirror, "GET /channels/stable");
        assert!(answer.starts_with("HTTP/1.1 302 Found\r\n"), "{answer}");
        assert!(
            answer.contains(&format!("Location: {}/tag/v1.2.3%2Bk3s1\r\n", mirror.url())),
            "{answer}"
        );
        for path in [
            "/channels/testing",
            "/../secret",
            "/%2e%2e/secret",
            "//../secret",
            "/",
            "/100%",
        ] {
            assert!(
                ask(&mirror, &format!("GET {path}")).starts_with("HTTP/1.1 404 "),
                "{path}"
            );
        }
        assert!(ask(&mirror, "POST /channels/stable").starts_with("HTTP/1.1 405 "));
    }
}
