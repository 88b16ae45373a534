//! SSH: connections, host keys, authentication, and the one seam through which the rest of
//! towline talks to a host ([`Remote`]).

mod authentication;
mod client;
mod config;
mod exchange;
mod fault;
mod fingerprints;
mod forward;
mod host_certificate;
mod host_key;
mod keys;
mod known_hosts;
mod local;
mod negotiation;
mod route;
mod session;
mod target;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::{Duration, Instant};

use tracing::{Instrument as _, Span};

use crate::shell::Script;

pub use config::{ConfigFiles, ConfigQuery, OpenSsh, SshConfig};
pub use exchange::{BecomePassword, NOT_TRIED, is_wrong};
pub use fault::ConnectError;
pub use fingerprints::Fingerprints;
pub use forward::forward;
pub use host_key::{HostKeyTrust, Policy};
pub use keys::{Identities, Keys};
pub use known_hosts::{KnownHosts, ShownHostKey, entry_name};
pub use local::{Local, program};
pub use route::{Route, Tunnel};
pub use session::{Session, connect, look};
pub use target::{AddressFamily, Target};

#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/properties/ssh.rs"]
pub mod properties;
#[cfg(test)]
mod tests;

/// The future that a [`Remote`] answers with.
pub type Answer<'a> = Pin<Box<dyn Future<Output = CommandOutput> + Send + 'a>>;

/// What is told how many bytes of a file are on their way, or have arrived.
pub type UploadProgress<'a> = &'a (dyn Fn(u64) + Send + Sync);

/// How an exchange with a host ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// The remote command ended with this status.
    Code(u32),
    /// A signal ended it, for example `TERM`.
    Signal(String),
    /// The connection ended before a status arrived, or the time limit passed. Never success.
    Lost(String),
    /// The host let no command begin, for this reason; the connection lives.
    Refused(String),
    /// It said more than this much, and was listened to no longer. Never success.
    Flooded(String),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(name) => write!(f, "ended by signal {name}"),
            Self::Lost(reason) => write!(f, "connection lost: {reason}"),
            Self::Refused(reason) => write!(f, "no command was let begin: {reason}"),
            Self::Flooded(limit) => write!(f, "given up: it said more than {limit}"),
        }
    }
}

/// What a host answered in one exchange: limited in size, and made safe only where it is shown. Bytes
/// that are no UTF-8 are U+FFFD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutput {
    /// How it ended.
    pub exit: Exit,
    /// Standard output, at most 2 MiB.
    pub stdout: String,
    /// Standard error, its last 64 KiB.
    pub stderr: String,
    /// The time from the request to the first of standard output, which a script of the runner
    /// writes as soon as its shell runs: login shell, sudo and the way.
    pub start: Duration,
}

impl CommandOutput {
    fn without_answer(exit: Exit) -> Self {
        Self {
            exit,
            stdout: String::new(),
            stderr: String::new(),
            start: Duration::ZERO,
        }
    }

    fn unreadable(source: &Path, error: &io::Error) -> Self {
        let why = format!("{} cannot be read: {error}", source.display());
        Self::without_answer(Exit::Lost(why))
    }
}

/// A file on this machine that goes to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The file here.
    pub source: PathBuf,
    /// POSIX shell text that reads the content from its standard input. It is an argument on the
    /// host, so it holds paths and hashes and never a secret.
    pub receive: Script,
}

/// A file of a host that comes to this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Its absolute path there.
    pub path: String,
    /// So many bytes of it are taken.
    pub size: u64,
}

/// What was spent on a host so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExchangeCounts {
    /// SSH connections opened.
    pub connections: u32,
    /// Exec channels opened.
    pub exchanges: u32,
}

/// An exchange that the log shows, with its end and the time that it took.
async fn logged(span: Span, exchange: impl Future<Output = CommandOutput>) -> CommandOutput {
    let exchange = async {
        let begun = Instant::now();
        let output = exchange.await;
        tracing::debug!(
            seconds = begun.elapsed().as_secs_f64(),
            until_first_output = output.start.as_secs_f64(),
            stdout = output.stdout.len(),
            stderr = output.stderr.len(),
            "{}",
            output.exit
        );
        output
    };
    exchange.instrument(span).await
}

/// A host as the runner sees it. Every call is one exchange: one exec channel.
pub trait Remote: Send + Sync {
    /// Runs a script as root: it travels on the standard input of `/bin/sh`.
    fn run<'a>(&'a self, script: &'a Script) -> Answer<'a>;
    /// Streams a file into the standard input of a receiving script, as root. The script's time
    /// limit starts again with every progress, and in all as much is added to it as the file's size
    /// takes at 32 KiB a second.
    fn put<'a>(&'a self, upload: &'a Upload, progress: UploadProgress<'a>) -> Answer<'a>;
    /// Streams a file of the host into one of this machine, as root: its first bytes, as many as its size says. Fewer
    /// are no success. The time limit is as for [`Self::put`], from a minute on.
    fn get<'a>(&'a self, wanted: &'a RemoteFile, into: std::fs::File) -> Answer<'a> {
        drop(into);
        let path = &wanted.path;
        let why = format!("{path} cannot be fetched from here");
        Box::pin(async { CommandOutput::without_answer(Exit::Refused(why)) })
    }
    /// Connections and exchanges so far.
    fn counts(&self) -> ExchangeCounts;
    /// The host's address that the connection goes to; nothing where there is no connection.
    fn peer(&self) -> Option<IpAddr>;
    /// What carries other connections to the host; nothing where there is no connection.
    fn tunnel(&self) -> Option<&dyn Tunnel> {
        None
    }
}
