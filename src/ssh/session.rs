//! Connecting to a host, and the connection as the runner sees it.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use russh::client::{Config, Handle};
use russh::keys::{Algorithm, HashAlg};
use russh::{Disconnect, Preferred, cipher};
use tokio::net::TcpStream;
use tracing::debug_span;

use crate::shell::{Script, quote};
use crate::ssh::authentication::{Failed, authenticate};
use crate::ssh::client::{Client, Shared, Wire, words};
use crate::ssh::exchange::{self, Input, Request};
use crate::ssh::fault::{ConnectError, ConnectionPhase, Fault};
use crate::ssh::host_key::HostKeyTrust;
use crate::ssh::keys::Keys;
use crate::ssh::target::Target;
use crate::ssh::{Answer, ExchangeCounts, Remote, Upload, UploadProgress, logged};

/// How often a connection that ends before the banner is tried again: sshd drops some of many
/// that come at once (`MaxStartups`).
const RETRIES: u32 = 3;
/// An agent may wait for a touch or a confirmation, so authentication gets at least this.
const LEAST_FOR_AUTHENTICATION: Duration = Duration::from_mins(1);
/// After this long without an answer from one address the next one is tried as well.
const NEXT_ADDRESS: Duration = Duration::from_millis(300);
/// Unanswered keep-alives before a connection counts as dead.
const UNANSWERED: usize = 3;

/// A connection to a host, logged in.
pub struct Session {
    handle: Handle<Client>,
    shared: Arc<Shared>,
    user: String,
    peer: IpAddr,
    exchanges: AtomicU32,
}

/// Connects and logs in. A connection that ends before the host's banner is tried up to three
/// times more.
pub async fn connect(
    target: &Target,
    trust: &HostKeyTrust,
    keys: &Keys,
) -> Result<Session, ConnectError> {
    let mut retries = 0;
    loop {
        let shared = Arc::new(Shared::new());
        match attempt(target, trust, keys, &shared).await {
            Ok(session) => return Ok(session),
            Err(Fault::NoBanner { closed: true, .. }) if retries < RETRIES => {
                retries += 1;
                tracing::debug!(
                    retries,
                    "the connection ended before a banner; it is tried again"
                );
                let pause = rand::random_range(200..800) * u64::from(retries);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            Err(fault) => return Err(ConnectError::new(target, fault)),
        }
    }
}

async fn attempt(
    target: &Target,
    trust: &HostKeyTrust,
    keys: &Keys,
    shared: &Arc<Shared>,
) -> Result<Session, Fault> {
    tracing::debug!(target.address, target.port, "connecting");
    let limit = target.connect_timeout;
    let addresses = resolve(target).await?;
    let stream = reach(&addresses, limit).await?;
    // Without this every small exchange waits for a delayed acknowledgement (40 ms).
    stream.set_nodelay(true).map_err(|error| Fault::Tcp {
        reason: error.to_string(),
    })?;
    let peer = stream.peer_addr().map_err(|error| Fault::Tcp {
        reason: error.to_string(),
    })?;
    let wire = Wire {
        stream,
        shared: Arc::clone(shared),
        greeted: false,
    };
    let client = Client {
        target: target.clone(),
        trust: trust.clone(),
        shared: Arc::clone(shared),
    };
    tracing::debug!(%peer, "TCP is connected");
    let config = Arc::new(config(target, trust).await?);
    let connecting = russh::client::connect_stream(config, wire, client);
    let Ok(connected) = tokio::time::timeout(limit, connecting).await else {
        let phase = if shared.has_banner() {
            ConnectionPhase::KeyExchange
        } else {
            ConnectionPhase::Banner
        };
        return Err(Fault::TimedOut { phase, limit });
    };
    let mut handle = connected.map_err(|error| not_connected(&error, shared))?;
    tracing::debug!("keys are exchanged");
    let limit = limit.max(LEAST_FOR_AUTHENTICATION);
    let authenticated =
        tokio::time::timeout(limit, authenticate(&mut handle, shared, &target.user, keys)).await;
    match authenticated {
        Ok(Ok(())) => {
            tracing::debug!(user = target.user, "logged in");
            Ok(Session {
                handle,
                shared: Arc::clone(shared),
                user: target.user.clone(),
                peer: peer.ip(),
                exchanges: AtomicU32::new(0),
            })
        }
        Ok(Err(Failed::Denied(denied))) => Err(Fault::Authentication(denied)),
        Ok(Err(Failed::Lost(reason))) => Err(Fault::Lost {
            phase: ConnectionPhase::Authentication,
            reason,
        }),
        Err(_) => Err(Fault::TimedOut {
            phase: ConnectionPhase::Authentication,
            limit,
        }),
    }
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, Fault> {
    let address = target.bare_address();
    if let Ok(address) = address.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    let limit = target.connect_timeout;
    let unresolved = |reason: String| Fault::Unresolved { reason };
    match tokio::time::timeout(limit, tokio::net::lookup_host((address, target.port))).await {
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.collect();
            if found.is_empty() {
                return Err(unresolved("the name has no address".to_owned()));
            }
            Ok(found)
        }
        Ok(Err(error)) => {
            let text = error.to_string();
            let reason = text
                .strip_prefix("failed to lookup address information: ")
                .unwrap_or(&text);
            Err(unresolved(reason.to_owned()))
        }
        Err(_) => Err(Fault::TimedOut {
            phase: ConnectionPhase::Name,
            limit,
        }),
    }
}

/// Connects to whichever address answers first, in their order, each with a small delay.
async fn reach(addresses: &[SocketAddr], limit: Duration) -> Result<TcpStream, Fault> {
    let attempts = addresses.iter().zip(0_u32..).map(|(&address, turn)| {
        Box::pin(async move {
            tokio::time::sleep(NEXT_ADDRESS * turn).await;
            TcpStream::connect(address).await
        })
    });
    match tokio::time::timeout(limit, futures::future::select_ok(attempts)).await {
        Ok(Ok((stream, _others))) => Ok(stream),
        Ok(Err(error)) => Err(match error.kind() {
            io::ErrorKind::ConnectionRefused => Fault::PortClosed,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Fault::NoRoute {
                reason: error.to_string(),
            },
            _ => Fault::Tcp {
                reason: error.to_string(),
            },
        }),
        Err(_) => Err(Fault::TimedOut {
            phase: ConnectionPhase::Tcp,
            limit,
        }),
    }
}

fn not_connected(error: &russh::Error, shared: &Shared) -> Fault {
    if let Some(refused) = shared.refused() {
        return Fault::HostKey(refused);
    }
    if shared.has_banner() {
        return Fault::KeyExchange {
            reason: words(error),
        };
    }
    Fault::NoBanner {
        said: shared.greeting(),
        closed: matches!(
            error,
            russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_)
        ),
        reason: words(error),
    }
}

async fn config(target: &Target, trust: &HostKeyTrust) -> Result<Config, Fault> {
    let records = trust.known_hosts.read().await.map_err(Fault::KnownHosts)?;
    let known = records.known_types(target.bare_address(), target.port);
    Ok(Config {
        preferred: Preferred {
            key: Cow::Owned(host_key_order(&known)),
            // GCM is a fifth faster than ChaCha20 and half again faster than CTR with a MAC.
            cipher: Cow::Borrowed(&[
                cipher::AES_256_GCM,
                cipher::AES_128_GCM,
                cipher::CHACHA20_POLY1305,
                cipher::AES_256_CTR,
                cipher::AES_192_CTR,
                cipher::AES_128_CTR,
            ]),
            ..Preferred::DEFAULT
        },
        window_size: 8 * 1024 * 1024,
        channel_buffer_size: 1024,
        keepalive_interval: Some(target.alive_interval),
        keepalive_max: UNANSWERED,
        inactivity_timeout: None,
        nodelay: true,
        ..Config::default()
    })
}

/// The types of host keys in the order they are asked for: known ones first, SHA-1 never.
fn host_key_order(known: &[Algorithm]) -> Vec<Algorithm> {
    let usual: Vec<Algorithm> = Preferred::DEFAULT
        .key
        .iter()
        .filter(|algorithm| **algorithm != Algorithm::Rsa { hash: None })
        .cloned()
        .collect();
    let mut order = Vec::new();
    for algorithm in known {
        match algorithm {
            Algorithm::Rsa { .. } => order.extend(
                [HashAlg::Sha512, HashAlg::Sha256].map(|hash| Algorithm::Rsa { hash: Some(hash) }),
            ),
            other if usual.contains(other) => order.push(other.clone()),
            _ => {}
        }
    }
    for algorithm in usual {
        if !order.contains(&algorithm) {
            order.push(algorithm);
        }
    }
    order
}

impl Session {
    /// Says goodbye and waits a moment for the connection to end.
    pub async fn close(&self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "", "en");
        let ended = async {
            if goodbye.await.is_ok() {
                while !self.handle.is_closed() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        let _late = tokio::time::timeout(Duration::from_millis(500), ended).await;
    }

    /// Whether the connection has ended.
    #[cfg(test)]
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    fn as_root(&self) -> &'static str {
        if self.user == "root" {
            "exec /bin/sh"
        } else {
            "exec sudo -n -- /bin/sh"
        }
    }

    fn exchange<'a>(&'a self, order: Request<'a>) -> Answer<'a> {
        let span = match &order.input {
            Input::Bytes(bytes) => debug_span!("exchange", bytes = bytes.len()),
            Input::File(path, _) => debug_span!("exchange", file = %path.display()),
        };
        let exchange = exchange::exchange(&self.handle, &self.shared, &self.exchanges, order);
        Box::pin(logged(span, exchange))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("user", &self.user)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

impl Remote for Session {
    fn run<'a>(&'a self, script: &'a Script) -> Answer<'a> {
        self.exchange(Request {
            command: self.as_root().to_owned(),
            input: Input::Bytes(wrap(&script.text).into_bytes()),
            limit: script.timeout,
        })
    }

    fn put<'a>(&'a self, upload: &'a Upload, progress: UploadProgress<'a>) -> Answer<'a> {
        self.exchange(Request {
            command: format!("{} -c {}", self.as_root(), quote(&upload.receive.text)),
            input: Input::File(&upload.source, progress),
            limit: upload.receive.timeout,
        })
    }

    fn counts(&self) -> ExchangeCounts {
        ExchangeCounts {
            connections: 1,
            exchanges: self.exchanges.load(Ordering::Relaxed),
        }
    }

    fn peer(&self) -> Option<IpAddr> {
        Some(self.peer)
    }
}

/// The script as one compound command: the shell reads the whole of it before it runs any of it,
/// so a connection that breaks on the way runs nothing, and no command in it can read the rest of
/// it. The shell then ends with its status without waiting for the end of the input.
pub(super) fn wrap(text: &str) -> String {
    format!("{{ :\n{text}\n}} </dev/null; exit $?\n")
}

#[cfg(test)]
#[path = "tests/session.rs"]
mod tests;
