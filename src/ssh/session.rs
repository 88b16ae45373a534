//! Connecting to a host, and the connection as the runner sees it.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::Disconnect;
use russh::client::Handle;
use tracing::debug_span;

use crate::problem::Problem;
use crate::shell::{Script, on_one_line, quote};
use crate::ssh::authentication::{Tried, authenticate};
use crate::ssh::client::{Client, Duplex, Shared, Wire, words};
use crate::ssh::exchange::{self, BecomePassword, Door, Input, Request, Sink, as_root};
use crate::ssh::fault::ConnectError;
use crate::ssh::host_key::HostKeyTrust;
use crate::ssh::keys::Keys;
use crate::ssh::known_hosts::ShownHostKey;
use crate::ssh::negotiation::config;
use crate::ssh::route::{self, Ending, Opening, Route, Tunnel, within};
use crate::ssh::target::Target;
use crate::ssh::{
    Answer, CommandOutput, ExchangeCounts, Exit, Remote, RemoteFile, Upload, UploadProgress, logged,
};

/// How often a connection that ends before the banner is tried again: sshd drops some of many
/// that come at once (`MaxStartups`).
const RETRIES: u32 = 3;
/// How many connections the keys of a full agent may take, each as many as the host lets it try.
const ROUNDS: u32 = 3;
/// An agent may wait for a touch or a confirmation, so authentication gets at least this.
const LEAST_FOR_AUTHENTICATION: Duration = Duration::from_mins(1);

/// How long a file that is fetched may not come on; in all it may take longer, by its size.
const LEAST_FOR_A_FILE: Duration = Duration::from_mins(1);

/// A connection to a host, logged in.
pub struct Session {
    handle: Handle<Client>,
    shared: Arc<Shared>,
    /// Its name in the inventory.
    host: String,
    user: String,
    become_password: Option<Arc<BecomePassword>>,
    peer: Option<IpAddr>,
    /// The host that the connection goes through: its connection lasts as long.
    bastion: Option<Arc<dyn Tunnel>>,
    connections: u32,
    exchanges: AtomicU32,
    /// The host behind it that was first told of its loss.
    loss_told: OnceLock<String>,
}

/// Connects and logs in. A connection that ends before the host's banner is tried up to three
/// times more; one that the host ends after too many keys is made anew for the others.
pub async fn connect(
    target: &Target,
    route: &Route,
    trust: &HostKeyTrust,
    keys: &Keys,
) -> Result<Session, ConnectError> {
    let mut rounds = 1;
    let mut tried = Tried::default();
    loop {
        match log_in(target, route, trust, keys, &mut tried).await {
            Err(error) if error.has_more && rounds < ROUNDS => {
                rounds += 1;
                tracing::debug!(
                    rounds,
                    "too many keys for one connection; the others are tried"
                );
            }
            result => {
                return result.map(|session| Session {
                    connections: rounds,
                    ..session
                });
            }
        }
    }
}

async fn log_in(
    target: &Target,
    route: &Route,
    trust: &HostKeyTrust,
    keys: &Keys,
    tried: &mut Tried,
) -> Result<Session, ConnectError> {
    let (mut handle, peer, shared) = reach(target, route, trust).await?;
    let limit = target.connect_timeout.max(LEAST_FOR_AUTHENTICATION);
    let authenticated = authenticate(&mut handle, &shared, target, keys, tried);
    within(limit, authenticated, |limit| {
        unfinished(target, "authentication", limit)
    })
    .await??;
    tracing::debug!(user = target.user, "logged in");
    Ok(Session {
        handle,
        shared,
        host: target.name.clone(),
        user: target.user.clone(),
        become_password: target.become_password.clone(),
        peer,
        bastion: match route {
            Route::Through(bastion) => Some(Arc::clone(bastion)),
            Route::Direct | Route::Command(_) => None,
        },
        connections: 1,
        exchanges: AtomicU32::new(0),
        loss_told: OnceLock::new(),
    })
}

/// Connects only as far as the host's key, which is told where it is taken.
pub async fn look(
    target: &Target,
    route: &Route,
    trust: &HostKeyTrust,
) -> Result<ShownHostKey, ConnectError> {
    let (handle, _, shared) = reach(target, route, trust).await?;
    goodbye(&handle).await;
    shared.judged().unwrap_or_else(|| {
        let why = format!("{} showed no key", target.place());
        Err(target.broken(&why).into())
    })
}

/// A connection on which keys are exchanged, the address that it goes to, and what it tells.
type Greeted = (Handle<Client>, Option<IpAddr>, Arc<Shared>);

async fn reach(
    target: &Target,
    route: &Route,
    trust: &HostKeyTrust,
) -> Result<Greeted, ConnectError> {
    let mut retries = 0;
    loop {
        match attempt(target, route, trust).await {
            Err(error) if error.is_dropped && retries < RETRIES => {
                retries += 1;
                tracing::debug!(
                    retries,
                    "the connection ended before a banner; it is tried again"
                );
                let pause = rand::random_range(200..800) * u64::from(retries);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            result => return result,
        }
    }
}

async fn attempt(
    target: &Target,
    route: &Route,
    trust: &HostKeyTrust,
) -> Result<Greeted, ConnectError> {
    tracing::debug!(target.address, target.port, "connecting");
    let shared = &Arc::new(Shared::new());
    let limit = target.connect_timeout;
    let (stream, peer) = route::open(target, route, shared).await?;
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
    tracing::debug!(?peer, "the way is open");
    let config = Arc::new(config(target, trust).await?);
    let connecting = russh::client::connect_stream(config, wire, client);
    let connected = within(limit, connecting, |limit| {
        if shared.has_banner() {
            unfinished(target, "the key exchange", limit)
        } else {
            target.no_banner(shared.greeting().as_deref(), &format!(" within {limit}"))
        }
    });
    let handle = match connected.await? {
        Ok(handle) => handle,
        Err(error) => return Err(not_connected(target, &error, shared).await),
    };
    tracing::debug!("keys are exchanged");
    Ok((handle, peer, Arc::clone(shared)))
}

fn unfinished(target: &Target, part: &str, limit: &str) -> Problem {
    let place = target.place();
    target.broken(&format!("{place} did not finish {part} within {limit}"))
}

async fn not_connected(target: &Target, error: &russh::Error, shared: &Shared) -> ConnectError {
    let reason = words(error);
    if let Some(Err(refused)) = shared.judged() {
        return refused;
    }
    if shared.has_banner() {
        let why = format!("the key exchange with {} failed: {reason}", target.place());
        return target.broken(&why).into();
    }
    let problem = target.no_banner(shared.greeting().as_deref(), &format!(": {reason}"));
    let complaint = shared.complaint().await;
    let complaint = complaint.map(|said| format!("ProxyCommand said: {said}"));
    let problem = complaint.into_iter().fold(problem, Problem::because);
    ConnectError {
        is_dropped: matches!(
            error,
            russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_)
        ),
        ..problem.into()
    }
}

async fn goodbye(handle: &Handle<Client>) {
    let goodbye = handle.disconnect(Disconnect::ByApplication, "", "en");
    let ended = async {
        if goodbye.await.is_ok() {
            while !handle.is_closed() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let _late = tokio::time::timeout(Duration::from_millis(500), ended).await;
}

impl Session {
    /// Says goodbye and waits a moment for the connection to end.
    pub async fn close(&self) {
        goodbye(&self.handle).await;
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Runs `/bin/sh` with these arguments as root.
    async fn as_root(
        &self,
        arguments: &str,
        input: Input<'_>,
        sink: Option<Sink>,
        limit: Duration,
    ) -> CommandOutput {
        let password = self.become_password.as_ref();
        let password = password.filter(|_| self.user != "root");
        let door = password.map(|password| Door::new(password, &self.host));
        let order = Request {
            command: as_root(&self.user, door.as_ref(), arguments),
            door,
            input,
            sink,
            limit,
        };
        let asked = exchange::exchange(&self.handle, &self.shared, &self.exchanges, order);
        let mut output = asked.await;
        if let (Exit::Lost(reason), Some(bastion)) = (&mut output.exit, &self.bastion)
            && let Some(why) = bastion.ended(&self.host).await
        {
            *reason = why;
        }
        output
    }
}

impl Tunnel for Session {
    fn open<'a>(&'a self, host: &'a str, port: u16) -> Opening<'a> {
        Box::pin(async move {
            let handle = &self.handle;
            let opened = handle.channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0);
            match opened.await {
                Ok(channel) => Ok(Box::new(channel.into_stream()) as Box<dyn Duplex>),
                Err(russh::Error::ChannelOpenFailure(failure)) => {
                    let said = self.shared.channel_refusal(&failure);
                    Err(format!("{} answered: {said}", self.host))
                }
                Err(error) => Err(format!("{}: {}", self.host, words(&error))),
            }
        })
    }

    fn ended<'a>(&'a self, behind: &'a str) -> Ending<'a> {
        Box::pin(async move {
            if !self.handle.is_closed() {
                return None;
            }
            let name = &self.host;
            let told = self.loss_told.get_or_init(|| behind.to_owned());
            if told != behind {
                return Some(format!("its bastion {name} was lost; see {told}"));
            }
            let why = self.shared.farewell().await;
            Some(format!("its bastion {name} was lost: {why}"))
        })
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
        let bytes = wrap(&script.text).into_bytes();
        let span = debug_span!("exchange", bytes = bytes.len());
        let input = Input::Bytes(Some(bytes));
        Box::pin(logged(span, self.as_root("", input, None, script.timeout)))
    }

    fn put<'a>(&'a self, upload: &'a Upload, progress: UploadProgress<'a>) -> Answer<'a> {
        let span = debug_span!("exchange", file = %upload.source.display());
        let exchange = async move {
            let input = match Input::of(&upload.source, progress).await {
                Ok(input) => input,
                Err(error) => return CommandOutput::unreadable(&upload.source, &error),
            };
            let arguments = on_one_line(&upload.receive.text);
            let limit = upload.receive.timeout;
            self.as_root(&arguments, input, None, limit).await
        };
        Box::pin(logged(span, exchange))
    }

    fn get<'a>(&'a self, wanted: &'a RemoteFile, into: std::fs::File) -> Answer<'a> {
        let span = debug_span!("exchange", path = wanted.path, bytes = wanted.size);
        let mark = format!("towline_{:032x}\n", rand::random::<u128>());
        let text = format!(
            "printf %s\\\\n {}; exec head -c {} {}",
            mark.trim(),
            wanted.size,
            quote(&wanted.path)
        );
        let input = Input::Bytes(Some(wrap(&text).into_bytes()));
        let sink = Some(Sink::new(into, &mark, wanted.size));
        Box::pin(logged(
            span,
            self.as_root("", input, sink, LEAST_FOR_A_FILE),
        ))
    }

    fn counts(&self) -> ExchangeCounts {
        ExchangeCounts {
            connections: self.connections,
            exchanges: self.exchanges.load(Ordering::Relaxed),
        }
    }

    fn peer(&self) -> Option<IpAddr> {
        self.peer
    }

    fn tunnel(&self) -> Option<&dyn Tunnel> {
        Some(self)
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
