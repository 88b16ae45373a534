//! What happens on a connection besides the answers: the host key, the greeting, the farewell.

use std::io;
use std::pin::Pin;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId, ChannelOpenFailure};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use crate::ssh::fault::ConnectError;
use crate::ssh::host_key::{self, HostKeyTrust};
use crate::ssh::known_hosts::ShownHostKey;
use crate::ssh::target::Target;

/// How much of what a host says before its banner is kept.
const GREETING: usize = 2048;

/// What one connection's parts tell each other.
#[derive(Debug)]
pub(super) struct Shared {
    judged: Mutex<Option<Result<ShownHostKey, ConnectError>>>,
    farewell: watch::Sender<Option<String>>,
    channel_refusals: Mutex<Vec<(u32, String)>>,
    /// How many channels are open.
    pub open_channels: AtomicU32,
    greeting: Mutex<Greeting>,
    complaint: Mutex<String>,
    /// Held as long as there may be more of it.
    pub complaining: Arc<tokio::sync::Mutex<()>>,
}

/// Of so many refused channels the reasons are kept, until they are told.
const MOST_REFUSALS: usize = 1000;

#[derive(Debug, Default)]
struct Greeting {
    said: Vec<u8>,
    complete: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub fn new() -> Self {
        Self {
            judged: Mutex::default(),
            farewell: watch::Sender::new(None),
            channel_refusals: Mutex::default(),
            open_channels: AtomicU32::new(0),
            greeting: Mutex::default(),
            complaint: Mutex::default(),
            complaining: Arc::default(),
        }
    }

    /// The host key that was taken, or why it was not.
    pub fn judged(&self) -> Option<Result<ShownHostKey, ConnectError>> {
        lock(&self.judged).take()
    }

    /// Whether the host said that it speaks SSH.
    pub fn has_banner(&self) -> bool {
        lock(&self.greeting).complete
    }

    /// What the host said before (or instead of) its banner.
    pub fn greeting(&self) -> Option<String> {
        let greeting = lock(&self.greeting);
        let text = String::from_utf8_lossy(&greeting.said);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
        Some(brief(line))
    }

    /// Notes what the command that the connection goes through complains of.
    pub fn complained(&self, said: &[u8]) {
        let mut complaint = lock(&self.complaint);
        let room = GREETING.saturating_sub(complaint.len());
        let text = String::from_utf8_lossy(said);
        complaint.extend(text.chars().take(room));
    }

    /// The last line of it, which may come a moment after the connection has ended.
    pub async fn complaint(&self) -> Option<String> {
        let _late = tokio::time::timeout(Duration::from_millis(500), self.complaining.lock()).await;
        let complaint = lock(&self.complaint);
        let line = complaint
            .lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty())?;
        Some(brief(line))
    }

    /// Why the host opened no channel: its words, or else what its reason means. Several channels may
    /// be refused at once.
    pub fn channel_refusal(&self, reason: &ChannelOpenFailure) -> String {
        let mut refusals = lock(&self.channel_refusals);
        let mut codes = refusals.iter();
        let place = codes.position(|(code, _)| *code == reason.code());
        let said = place.map(|place| refusals.remove(place).1);
        // OpenSSH says `open failed` of what it does not allow.
        let said = said.filter(|said| !matches!(said.trim(), "" | "open failed"));
        said.unwrap_or_else(|| reason.description().to_lowercase())
            .trim()
            .to_owned()
    }

    /// Why the connection ended, as far as the host or the system said. It may come a moment
    /// after its effects.
    pub async fn farewell(&self) -> String {
        let mut farewell = self.farewell.subscribe();
        let said = tokio::time::timeout(
            Duration::from_millis(500),
            farewell.wait_for(Option::is_some),
        )
        .await;
        match said {
            Ok(Ok(reason)) => reason.clone().unwrap_or_default(),
            _ => "the connection ended".to_owned(),
        }
    }
}

/// The client's side of one connection.
pub(super) struct Client {
    pub target: Target,
    pub trust: HostKeyTrust,
    pub shared: Arc<Shared>,
}

/// A host opens no channel to this machine: russh would take each of them, and keep them all.
macro_rules! opens_none {
    ($($name:ident($($argument:ty),*);)*) => {$(
        async fn $name(
            &mut self,
            _channel: Channel<Msg>,
            $(_: $argument,)*
            _refused: ChannelOpenHandle,
            _session: &mut Session,
        ) -> Result<(), Self::Error> {
            Ok(())
        }
    )*};
}

impl Handler for Client {
    type Error = russh::Error;

    opens_none! {
        server_channel_open_session();
        server_channel_open_agent_forward();
        server_channel_open_x11(&str, u32);
        server_channel_open_direct_tcpip(&str, u32, &str, u32);
        server_channel_open_direct_streamlocal(&str);
        server_channel_open_forwarded_tcpip(&str, u32, &str, u32);
        server_channel_open_forwarded_streamlocal(&str);
    }

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let judged = host_key::judge(&self.trust, &self.target, shown).await;
        let is_taken = judged.is_ok();
        *lock(&self.shared.judged) = Some(judged);
        Ok(is_taken)
    }

    async fn channel_open_failure(
        &mut self,
        _channel: ChannelId,
        reason: ChannelOpenFailure,
        description: &str,
        _language: &str,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let refusal = (reason.code(), brief(description));
        let mut refusals = lock(&self.shared.channel_refusals);
        refusals.truncate(MOST_REFUSALS - 1);
        refusals.push(refusal);
        Ok(())
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        let (said, result) = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                let said = format!("the host hung up: {}", brief(&info.message));
                (said, Ok(()))
            }
            DisconnectReason::Error(error) => (words(&error), Err(error)),
        };
        self.shared.farewell.send_replace(Some(said));
        result
    }
}

/// As much of what a host said in one go as a line of an error has room for.
pub(super) fn brief(said: &str) -> String {
    let mut letters = said.trim().chars();
    let mut brief: String = letters.by_ref().take(200).collect();
    if letters.next().is_some() {
        brief.push('…');
    }
    brief
}

/// What a protocol error means, in words.
pub(super) fn words(error: &russh::Error) -> String {
    match error {
        russh::Error::Disconnect
        | russh::Error::HUP
        | russh::Error::SendError
        | russh::Error::RecvError => "the host closed the connection".to_owned(),
        russh::Error::KeepaliveTimeout => "the host no longer answers".to_owned(),
        russh::Error::IO(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof => "the host closed the connection".to_owned(),
            io::ErrorKind::ConnectionReset => "the host reset the connection".to_owned(),
            _ => error.to_string(),
        },
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            let theirs = brief(&theirs.join(", "));
            format!("no common algorithm ({kind:?}); the host offers {theirs}")
        }
        other => other.to_string(),
    }
}

/// What bytes go to and come from.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection that notes what is said before the protocol begins.
pub(super) struct Wire {
    pub stream: Box<dyn Duplex>,
    pub shared: Arc<Shared>,
    pub greeted: bool,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if !self.greeted {
            let mut greeting = lock(&self.shared.greeting);
            let room = GREETING.saturating_sub(greeting.said.len());
            let new = &buffer.filled()[before..];
            greeting.said.extend_from_slice(&new[..new.len().min(room)]);
            let lines = greeting.said.split_inclusive(|&byte| byte == b'\n');
            greeting.complete = { lines }.any(|line| {
                line.ends_with(b"\n")
                    && (line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-"))
            });
            let done = greeting.complete || room == 0;
            drop(greeting);
            self.greeted = done;
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
