//! Connections from this machine to a port of a host, carried by its SSH connection.

use std::convert::Infallible;

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::ssh::route::Tunnel;

/// Carries what connects to the listener to a port on the host's own loopback address, as `ssh -L` does,
/// until it is dropped.
pub async fn forward(tunnel: &dyn Tunnel, listener: TcpListener, port: u16) -> Infallible {
    let carry = async |mut near: TcpStream| match tunnel.open("127.0.0.1", port).await {
        Ok(mut far) => {
            let _ended = copy_bidirectional(&mut near, &mut far).await;
        }
        Err(reason) => tracing::debug!(reason, port, "no way was opened"),
    };
    let mut carried = FuturesUnordered::new();
    loop {
        tokio::select! {
            Ok((near, _)) = listener.accept() => carried.push(carry(near)),
            Some(()) = carried.next() => {}
        }
    }
}
