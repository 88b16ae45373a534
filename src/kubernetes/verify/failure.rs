//! Why an API cannot be reached, told apart by the types of the errors.

use std::error::Error;
use std::io;
use std::net::IpAddr;

use rustls::{AlertDescription, CertificateError};

use crate::problem::{Code, Problem, problem};

/// An API that could not be reached as its users will reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyError {
    /// The address that was asked: `https://host:port`.
    pub server: String,
    /// Why it did not work.
    pub failure: Failure,
}

/// Why an API could not be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The name in the address has no IP address.
    Unresolvable {
        /// The name.
        host: String,
        /// What the resolver answered.
        reason: String,
    },
    /// The machine is there and refuses connections at the port.
    PortClosed,
    /// No way leads to the machine, or something on the way forbids it.
    Unreachable {
        /// What the network answered.
        reason: String,
    },
    /// No answer within the time.
    TimedOut {
        /// Whether the port accepts connections: then the server hangs, else packets are dropped.
        connected: bool,
    },
    /// The certificate is the cluster's, but not for the address that was asked.
    CertificateLacksAddress {
        /// The names and addresses that it is for.
        names: Vec<String>,
    },
    /// Another authority than the kubeconfig's signed the certificate: this is another cluster,
    /// or something that is not a cluster.
    WrongCertificateAuthority,
    /// The certificate is unusable in itself: expired, or not yet valid.
    CertificateInvalid {
        /// What is wrong with it.
        reason: String,
    },
    /// The server does not accept the client's certificate.
    NotAuthorized {
        /// 401: it does not know who this is. 403: it knows, and this is not allowed. `None`: it
        /// refused the certificate before it heard a request.
        status: Option<u16>,
        /// What it answered.
        message: String,
    },
    /// Anything else, for example an API that is still starting.
    Other {
        /// What happened.
        reason: String,
    },
}

impl Failure {
    /// Whether it may be gone in a moment, on a server that has just been started.
    pub(super) const fn may_pass(&self) -> bool {
        match self {
            Self::PortClosed
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::CertificateLacksAddress { .. }
            | Self::Other { .. } => true,
            Self::Unresolvable { .. }
            | Self::WrongCertificateAuthority
            | Self::CertificateInvalid { .. }
            | Self::NotAuthorized { .. } => false,
        }
    }

    /// The kind of failure that an error of the client means.
    pub(super) fn of(error: &kube::Error) -> Self {
        if let kube::Error::Api(status) = error {
            let message = plain(&status.message);
            return match status.code {
                401 | 403 => Self::NotAuthorized {
                    status: Some(status.code),
                    message,
                },
                code => Self::Other {
                    reason: format!("the API answered {code}: {message}"),
                },
            };
        }
        let mut deepest = error.to_string();
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = next {
            deepest = error.to_string();
            if let Some(error) = error.downcast_ref::<rustls::Error>() {
                return Self::of_tls(error);
            }
            if let Some(error) = error.downcast_ref::<io::Error>() {
                match error.kind() {
                    io::ErrorKind::ConnectionRefused => return Self::PortClosed,
                    io::ErrorKind::TimedOut => return Self::TimedOut { connected: false },
                    io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                        return Self::Unreachable {
                            reason: plain(&deepest),
                        };
                    }
                    _ => {}
                }
                // What an io::Error wraps is not its source but stands in its place.
                if let Some(inner) = error.get_ref() {
                    next = Some(inner);
                    continue;
                }
            }
            next = error.source();
        }
        Self::Other {
            reason: plain(&deepest),
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        let certificate = match error {
            rustls::Error::InvalidCertificate(certificate) => certificate,
            rustls::Error::AlertReceived(
                AlertDescription::AccessDenied
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRequired
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateUnknown
                | AlertDescription::DecryptError
                | AlertDescription::UnknownCA
                | AlertDescription::UnsupportedCertificate,
            ) => {
                return Self::NotAuthorized {
                    status: None,
                    message: format!("TLS: {error}"),
                };
            }
            other => {
                return Self::Other {
                    reason: plain(&format!("TLS: {other}")),
                };
            }
        };
        match certificate {
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::CertificateLacksAddress {
                    names: presented.iter().map(|name| bare_name(name)).collect(),
                }
            }
            CertificateError::NotValidForName => {
                Self::CertificateLacksAddress { names: Vec::new() }
            }
            // The second is an authority of the same name with another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Self::WrongCertificateAuthority
            }
            // An authority's own certificate, or an old form of one, is what proxies and
            // appliances show: whatever answers is not this cluster.
            CertificateError::Other(_) => Self::WrongCertificateAuthority,
            other => Self::CertificateInvalid {
                reason: plain(&other.to_string()),
            },
        }
    }
}

/// `DnsName("localhost")` and `IpAddress(127.0.0.1)` without what stands around the name.
fn bare_name(name: &str) -> String {
    let inner = name
        .split_once('(')
        .and_then(|(_kind, rest)| rest.strip_suffix(')'))
        .unwrap_or(name);
    let name = plain(inner.trim_matches('"'));
    // It comes out as `0::1`; the usual form is `::1`.
    name.parse::<IpAddr>()
        .map_or(name, |address| address.to_string())
}

/// Text from outside: one line, no control characters, not endless.
fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(400)
        .collect()
}

/// How an address of the API is said in an inventory.
const ENDPOINT: &str = "cluster: {endpoint: 203.0.113.10}";

/// What to do where no packet arrives.
const OPEN: &str = "open the port in the firewall between this machine and the servers, or name an address that can be reached from here";

impl VerifyError {
    /// What the user is told. `unit` is the systemd unit of servers.
    pub fn problem(&self, unit: &str) -> Problem {
        let server = &self.server;
        let host = host_of(server);
        match &self.failure {
            Failure::Unresolvable { host, reason } => problem!(Code::API_NAME_UNRESOLVED, "{host}: the name has no address")
                .because(reason)
                .next("add the name to your DNS, or give an IP address as the cluster's endpoint").inventory(ENDPOINT),
            Failure::PortClosed => problem!(Code::API_PORT_CLOSED, "{server}: the port is closed")
                .because("the machine answers and refuses connections there")
                .next(format!("if {unit} is not running there, see why")).on_host(format!("systemctl status {unit}"))
                .next("if the address is a load balancer's, let it pass the port on to the servers"),
            Failure::Unreachable { reason } => problem!(Code::API_UNREACHABLE, "{server}: cannot be reached")
                .because(reason)
                .next(OPEN).inventory(ENDPOINT),
            Failure::TimedOut { connected: false } => problem!(Code::API_UNREACHABLE, "{server}: no answer")
                .because("packets to the port are dropped, as a firewall does")
                .next(OPEN).inventory(ENDPOINT),
            Failure::TimedOut { connected: true } => problem!(Code::API_UNRESPONSIVE, "{server}: no answer")
                .because("the port accepts connections, but the API does not answer in time")
                .next(format!("look at what {unit} is doing on the servers")).on_host(format!("journalctl -u {unit} -n 50")),
            Failure::CertificateLacksAddress { names } => {
                let known = if names.is_empty() {
                    "it is for no name at all".to_owned()
                } else {
                    format!("it is for {}", names.join(", "))
                };
                problem!(Code::API_CERTIFICATE_NAME, "{server}: the API's certificate is not for {host}")
                    .because(known)
                    .next("add the address to the inventory and deploy again").inventory(format!("cluster: {{tls_sans: [\"{host}\"]}}"))
            }
            Failure::WrongCertificateAuthority => {
                problem!(Code::API_CERTIFICATE_AUTHORITY, "{server}: another authority signed the certificate that answers there")
                    .because("the certificate is not from the authority in this cluster's kubeconfig")
                    .next("see whether the address leads to a server of this cluster, and not to another one or to a proxy that ends TLS")
            }
            Failure::CertificateInvalid { reason } => {
                problem!(Code::API_CERTIFICATE_INVALID, "{server}: the API's certificate is not valid")
                    .because(reason)
                    .next(format!("compare the clocks of this machine and of the servers; what has expired is renewed when {unit} is restarted")).on_host(format!("systemctl restart {unit}"))
            }
            Failure::NotAuthorized { status, message } => {
                let code = status.map_or_else(String::new, |status| format!(" ({status})"));
                problem!(Code::API_UNAUTHORIZED, "{server}: the API does not accept the kubeconfig's user{code}")
                    .because(message)
                    .next("the kubeconfig is of another cluster, or of an earlier one on the same machines; deploy again to fetch it anew")
            }
            Failure::Other { reason } => problem!(Code::API_UNRESPONSIVE, "{server}: the API does not answer as it should")
                .because(reason)
                .next(format!("look at what {unit} is doing on the servers")).on_host(format!("journalctl -u {unit} -n 50")),
        }
    }
}

/// The host in `https://host:port`.
fn host_of(server: &str) -> &str {
    let authority = server.strip_prefix("https://").unwrap_or(server);
    match authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some((address, _port)) => address,
        None => authority
            .split_once(':')
            .map_or(authority, |(host, _port)| host),
    }
}
