//! Asks the API of a cluster from outside, as its users will: with the kubeconfig's address,
//! authority and certificate. A failure says which of them it is that does not work.

pub(super) mod failure;

use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};
use kube::config::AuthInfo;
use secrecy::SecretString;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout};

use super::kubeconfig::Kubeconfig;
use super::lacks_network;
use crate::problem::{Code, Problem};
use failure::{Asked, may_pass};

/// How long one attempt may take; a server far away answers within two seconds.
const ATTEMPT: Duration = Duration::from_secs(10);
/// The pause before the second attempt; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the API answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The version of Kubernetes that it runs: `v1.36.3+k3s1`.
    pub version: String,
    /// The nodes, by name.
    pub nodes: Vec<NodeLine>,
}

/// What a node says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLine {
    /// The node's name.
    pub name: String,
    /// Whether it takes workloads.
    pub ready: bool,
    /// Whether it is not Ready for want of a network plug-in (CNI) alone.
    pub lacks_network: bool,
    /// Its roles in alphabetical order; an agent has none.
    pub roles: Vec<String>,
    /// The address its siblings reach it at.
    pub internal_ip: Option<String>,
    /// The version of its kubelet: `v1.36.3+k3s1`.
    pub kubelet_version: String,
    /// Whether it is a voting member of etcd; `None` on a node that is no member.
    pub etcd_voter: Option<bool>,
}

/// Asks for the version and the nodes, again and again until `deadline` for as long as the failure
/// is one that may pass: k3s opens its port late and adds names to its certificate late. `units` are the
/// systemd units that servers may have.
pub async fn verify(
    kubeconfig: &Kubeconfig,
    units: &[&str],
    deadline: Duration,
) -> Result<Verified, Problem> {
    let server = &*kubeconfig.server;
    let config = config(kubeconfig, certificate_of(kubeconfig))?;
    let host = config.cluster_url.host().unwrap_or_default();
    let host = host.trim_matches(['[', ']']);
    let asked = Asked {
        server,
        host,
        units,
    };
    let port = config.cluster_url.port_u16().unwrap_or(443);
    let until = Instant::now() + deadline;
    let mut pause = FIRST_PAUSE;
    let mut before: Option<Problem> = None;
    loop {
        let allowance = until.saturating_duration_since(Instant::now()).min(ATTEMPT);
        let problem = match timeout(allowance, attempt(&config, &asked, port)).await {
            Ok(Ok(verified)) => return Ok(verified),
            Ok(Err(problem)) if !may_pass(&problem) => return Err(problem),
            Ok(Err(problem)) => problem,
            // The deadline cut this attempt short: what the one before it found says more.
            Err(_elapsed) => match before.take().filter(|_| allowance < ATTEMPT) {
                Some(before) => before,
                None if accepts_connections(host, port).await => asked.hangs(),
                None => asked.dropped(),
            },
        };
        if Instant::now() + pause >= until {
            return Err(problem);
        }
        tracing::debug!(%problem, "the API is asked again");
        before = Some(problem);
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// How the user of a kubeconfig proves who it is.
pub(super) fn certificate_of(kubeconfig: &Kubeconfig) -> AuthInfo {
    AuthInfo {
        client_certificate_data: Some(kubeconfig.client_certificate.clone()),
        client_key_data: Some(SecretString::from(
            kubeconfig.client_key.expose().to_owned(),
        )),
        ..AuthInfo::default()
    }
}

/// What the client is given to ask the cluster of a kubeconfig as a user: nothing of it comes from the
/// environment or from files.
pub(super) fn config(kubeconfig: &Kubeconfig, user: AuthInfo) -> Result<kube::Config, Problem> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // An error says that another thread has just done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let invalid = |why| Problem::new(Code::KUBECONFIG_INVALID, why);
    let address = kubeconfig.server.parse();
    let address = address
        .map_err(|_error| invalid("the kubeconfig's server is not an address".to_owned()))?;
    let authority = kubeconfig.authority().map_err(invalid)?;
    let mut config = kube::Config::new(address);
    config.root_cert = Some(authority.iter().map(|one| one.to_vec()).collect());
    config.auth_info = user;
    // Its own retries have no end that the user would wait for.
    config.default_retry = false;
    // An attempt as a whole has its limit; one of a part would be told apart badly.
    config.connect_timeout = None;
    config.write_timeout = None;
    Ok(config)
}

async fn attempt(config: &kube::Config, asked: &Asked<'_>, port: u16) -> Result<Verified, Problem> {
    let addresses = lookup_host((asked.host, port)).await;
    let found = addresses
        .map_err(|error| asked.unresolvable(&error.to_string()))?
        .next();
    if found.is_none() {
        return Err(asked.unresolvable("the resolver knows the name and no address of it"));
    }
    let failed = |error: kube::Error| asked.failed(&error);
    let client = kube::Client::try_from(config.clone()).map_err(failed)?;
    let version = client.apiserver_version().await.map_err(failed)?;
    let everything = ListParams::default();
    let nodes = Api::<Node>::all(client);
    let nodes = nodes.list(&everything).await.map_err(failed)?;
    let mut nodes: Vec<NodeLine> = nodes.items.into_iter().map(node_line).collect();
    nodes.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Verified {
        version: version.git_version,
        nodes,
    })
}

/// Tells a server that hangs from a firewall that drops.
async fn accepts_connections(host: &str, port: u16) -> bool {
    let connected = timeout(Duration::from_secs(2), TcpStream::connect((host, port)));
    matches!(connected.await, Ok(Ok(_stream)))
}

/// What the API says of a node.
pub(crate) fn node_line(node: Node) -> NodeLine {
    let status = node.status.unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let condition = |kind: &str| {
        conditions
            .iter()
            .find(|condition| condition.type_ == kind)
            .map(|condition| condition.status == "True")
    };
    let roles = node
        .metadata
        .labels
        .unwrap_or_default()
        .into_keys()
        .filter_map(|label| {
            label
                .strip_prefix("node-role.kubernetes.io/")
                .map(str::to_owned)
        })
        .collect();
    NodeLine {
        name: node.metadata.name.unwrap_or_default(),
        ready: condition("Ready") == Some(true),
        lacks_network: conditions.iter().any(|condition| {
            let message = condition.message.as_deref().unwrap_or_default();
            condition.type_ == "Ready" && condition.status == "False" && lacks_network(message)
        }),
        roles,
        internal_ip: status
            .addresses
            .unwrap_or_default()
            .into_iter()
            .find(|address| address.type_ == "InternalIP")
            .map(|address| address.address),
        kubelet_version: status.node_info.unwrap_or_default().kubelet_version,
        etcd_voter: condition("EtcdIsVoter"),
    }
}

#[cfg(test)]
mod tests;
