//! The bytes of a connection: TCP, a channel of another host's connection, or a command's pipes.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::problem::Problem;
use crate::ssh::client::{Duplex, Shared};
use crate::ssh::exchange::seconds;
use crate::ssh::target::Target;

/// After this long without an answer from one address the next one is tried as well.
const NEXT_ADDRESS: Duration = Duration::from_millis(300);

/// How the bytes of a connection get to its host.
#[derive(Debug, Clone)]
pub enum Route {
    /// Over TCP from here.
    Direct,
    /// Through the connection to another host.
    Through(Arc<dyn Tunnel>),
    /// Through what this line for the shell reads and writes.
    Command(String),
}

/// An open way, or the words for why there is none.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Duplex>, String>> + Send + 'a>>;

/// Why a connection ended; nothing while it lives.
pub type Ending<'a> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;

/// A host that carries the connections to others.
pub trait Tunnel: fmt::Debug + Send + Sync {
    /// Opens a way through it to a port of another host.
    fn open<'a>(&'a self, host: &'a str, port: u16) -> Opening<'a>;
    /// Why its own connection ended: in full for the first host behind it that asks.
    fn ended<'a>(&'a self, behind: &'a str) -> Ending<'a>;
}

/// A part of making a connection, which may take so long; or what is said of one that takes longer.
pub(super) async fn within<T>(
    limit: Duration,
    part: impl Future<Output = T>,
    late: impl FnOnce(&str) -> Problem,
) -> Result<T, Problem> {
    let done = tokio::time::timeout(limit, part).await;
    done.map_err(|_elapsed| late(&seconds(limit)))
}

/// Opens the way to a host; and the address at its end, where that is known.
pub(super) async fn open(
    target: &Target,
    route: &Route,
    shared: &Arc<Shared>,
) -> Result<(Box<dyn Duplex>, Option<IpAddr>), Problem> {
    let limit = target.connect_timeout;
    match route {
        Route::Direct => {
            let addresses = resolve(target).await?;
            let no_tcp = |error: io::Error| target.no_tcp(&error);
            let stream = within(limit, reach(&addresses), |limit| target.silent(limit)).await?;
            let stream = stream.map_err(no_tcp)?;
            // Without this every small exchange waits for a delayed acknowledgement (40 ms).
            stream.set_nodelay(true).map_err(no_tcp)?;
            let peer = stream.peer_addr().map_err(no_tcp)?;
            Ok((Box::new(stream), Some(peer.ip())))
        }
        Route::Through(bastion) => {
            let opening = bastion.open(target.bare_address(), target.port);
            let stream = within(limit, opening, |limit| target.silent(limit)).await?;
            let stream = stream.map_err(|reason| target.not_tunnelled(&reason))?;
            Ok((stream, target.bare_address().parse().ok()))
        }
        Route::Command(line) => {
            let stream = command(line, shared).map_err(|error| target.no_command(line, &error))?;
            Ok((stream, target.bare_address().parse().ok()))
        }
    }
}

/// Runs a command whose pipes are the way; what it complains is kept for the words of an error.
fn command(line: &str, shared: &Arc<Shared>) -> io::Result<Box<dyn Duplex>> {
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("exec {line}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let pipe = |name: &str| io::Error::other(format!("it has no {name}"));
    let stdin = child.stdin.take().ok_or_else(|| pipe("input"))?;
    let stdout = child.stdout.take().ok_or_else(|| pipe("output"))?;
    let mut stderr = child.stderr.take().ok_or_else(|| pipe("errors"))?;
    let shared = Arc::clone(shared);
    let complaining = Arc::clone(&shared.complaining).try_lock_owned();
    tokio::spawn(async move {
        let mut piece = [0; 1024];
        while let Ok(length @ 1..) = stderr.read(&mut piece).await {
            shared.complained(&piece[..length]);
        }
        drop(complaining);
        let _ended = child.wait().await;
    });
    Ok(Box::new(tokio::io::join(stdout, stdin)))
}

async fn resolve(target: &Target) -> Result<Vec<SocketAddr>, Problem> {
    let address = target.bare_address();
    if let Ok(address) = address.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port)]);
    }
    let asked = tokio::net::lookup_host((address, target.port));
    let late = |limit: &str| target.unresolved(&format!("was not resolved within {limit}"));
    let found: Vec<_> = match within(target.connect_timeout, asked, late).await? {
        Ok(found) => found.filter(|one| target.family.has(one)).collect(),
        Err(error) => {
            let text = error.to_string();
            let reason = text.strip_prefix("failed to lookup address information: ");
            let reason = reason.unwrap_or(&text);
            return Err(target.unresolved(&format!("does not resolve: {reason}")));
        }
    };
    if found.is_empty() {
        return Err(target.unresolved("has no address"));
    }
    Ok(found)
}

/// Connects to whichever address answers first, in their order, each with a small delay.
async fn reach(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let attempts = addresses.iter().zip(0_u32..).map(|(&address, turn)| {
        Box::pin(async move {
            tokio::time::sleep(NEXT_ADDRESS * turn).await;
            TcpStream::connect(address).await
        })
    });
    let (stream, _others) = futures::future::select_ok(attempts).await?;
    Ok(stream)
}
