//! A kubeconfig, tried from here; for a server behind a bastion also over the SSH connection to it.

use std::time::Duration;

use tokio::net::TcpListener;

use crate::distribution;
use crate::engine::context::Context;
use crate::engine::interrupt;
use crate::inventory::Host;
use crate::kubernetes::kubeconfig::{Kubeconfig, server_url};
use crate::kubernetes::verify::{Verified, verify};
use crate::problem::{Code, Problem};
use crate::run::gather::Gathered;
use crate::run::{Event, Interrupt};
use crate::shell::quote;
use crate::ssh::forward;

/// For the API over SSH: what it needs to come up, and the way to it is known to work.
const OVER_SSH: Duration = Duration::from_secs(30);

/// Asks the API with a kubeconfig.
pub async fn tried(
    context: &Context,
    kubeconfig: &Kubeconfig,
    timeout: Duration,
) -> Result<Verified, Problem> {
    context.events.send(Event::Trying {
        server: kubeconfig.server.clone(),
    });
    let product = distribution::of(&context.inventory).rules.product();
    let units = [product.server_unit];
    tokio::select! {
        verified = verify(kubeconfig, &units, timeout) => verified,
        () = interrupt::until(Interrupt::Finish, context.interrupt.clone()) => {
            Err(Problem::new(Code::INTERRUPTED, "the kubeconfig was not tried: interrupted"))
        }
    }
}

/// Whether a host is reached through another one, so that its API may not be reached from here.
pub fn is_behind(host: &Host) -> bool {
    let ssh = &host.ssh;
    !ssh.bastion.value.is_empty() || ssh.configured.contains_key("proxycommand")
}

/// The port of the API, on the server itself.
fn api_port(context: &Context) -> u16 {
    let product = distribution::of(&context.inventory).rules.product();
    product.api_port
}

/// Asks the API over the SSH connection to a server; nothing where that does not work either.
pub async fn over_ssh(
    context: &Context,
    gathered: &Gathered,
    host: &Host,
    kubeconfig: &Kubeconfig,
) -> Option<Verified> {
    let tunnel = gathered.remotes.get(&host.name)?.tunnel()?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.ok()?;
    let near = listener.local_addr().ok()?;
    let near = Kubeconfig {
        server: server_url("127.0.0.1", near.port()),
        ..kubeconfig.clone()
    };
    tokio::select! {
        verified = tried(context, &near, OVER_SSH) => verified.ok(),
        never = forward(tunnel, listener, api_port(context)) => match never {},
    }
}

/// Why the address of a kubeconfig was not tried from here, and how kubectl gets to the API.
pub fn way(context: &Context, host: &Host, kubeconfig: &Kubeconfig, problem: &Problem) -> String {
    let ssh = &host.ssh;
    let port = api_port(context);
    let jump = match &*ssh.bastion.value {
        [] => String::new(),
        hops => format!(" -J {}", quote(&hops.join(","))),
    };
    let sshd = match ssh.port.value {
        22 => String::new(),
        port => format!(" -p {port}"),
    };
    let login = quote(&format!("{}@{}", ssh.user.value, host.address));
    let (what, server) = (&problem.what, &kubeconfig.server);
    format!(
        "{what}. Where {server} is not reached, leave this running:\n  \
         ssh -N -L {port}:127.0.0.1:{port}{jump}{sshd} {login}\nand name that way:\n  \
         kubectl --server https://127.0.0.1:{port} get nodes"
    )
}
