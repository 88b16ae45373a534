//! Why an API cannot be reached, told apart by the types of the errors.

use std::error::Error;
use std::io;
use std::net::IpAddr;

use rustls::{AlertDescription, CertificateError};

use crate::problem::{Code, Problem, problem};

/// How an address of the API is said in an inventory.
const ENDPOINT: &str = "cluster: {endpoint: 203.0.113.10}";

/// What to do where no packet arrives.
const OPEN: &str = "open the port in the firewall between this machine and the servers, or name an address that can be reached from here";

/// What is never gone in a moment, not even on a server that has just been started.
const LASTING: [Code; 4] = [
    Code::API_NAME_UNRESOLVED,
    Code::API_CERTIFICATE_AUTHORITY,
    Code::API_CERTIFICATE_INVALID,
    Code::API_UNAUTHORIZED,
];

/// Whether asking again may help.
pub(super) fn may_pass(problem: &Problem) -> bool {
    !LASTING.contains(&problem.code)
}

/// An API that is asked as its users will ask it, and what it means that it does not answer.
pub struct Asked<'a> {
    /// Its address: `https://host:port`.
    pub server: &'a str,
    /// The host in it, an IPv6 address without its brackets.
    pub host: &'a str,
    /// The systemd units that servers may have.
    pub units: &'a [&'a str],
}

impl Asked<'_> {
    /// The name in the address has no IP address.
    pub(super) fn unresolvable(&self, reason: &str) -> Problem {
        problem!(
            Code::API_NAME_UNRESOLVED,
            "{}: the name has no address",
            self.host
        )
        .because(reason)
        .next("add the name to your DNS, or give an IP address as the cluster's endpoint")
        .inventory(ENDPOINT)
    }

    /// No answer within the time, though the port accepts connections: then the server hangs.
    pub fn hangs(&self) -> Problem {
        self.unresponsive(
            "no answer",
            "the port accepts connections, but the API does not answer in time",
        )
    }

    /// No answer within the time, and no connection: packets are dropped.
    pub(super) fn dropped(&self) -> Problem {
        self.unreachable(
            "no answer",
            "packets to the port are dropped, as a firewall does",
        )
    }

    /// Anything else, for example an API that is still starting.
    pub(super) fn other(&self, reason: &str) -> Problem {
        self.unresponsive("the API does not answer as it should", &plain(reason))
    }

    fn unresponsive(&self, what: &str, why: &str) -> Problem {
        let units = self.units;
        problem!(Code::API_UNRESPONSIVE, "{}: {what}", self.server)
            .because(why)
            .next(format!(
                "look at what {} is doing on the servers",
                units.join(" or ")
            ))
            .on_host(format!("journalctl -u {} -n 50", units.join(" -u ")))
    }

    fn unreachable(&self, what: &str, why: &str) -> Problem {
        problem!(Code::API_UNREACHABLE, "{}: {what}", self.server)
            .because(why)
            .next(OPEN)
            .inventory(ENDPOINT)
    }

    /// What an error of the client means.
    pub fn failed(&self, error: &kube::Error) -> Problem {
        if let kube::Error::Api(status) = error {
            return match status.code {
                // 401: it does not know who this is. 403: it knows, and this is not allowed.
                code @ (401 | 403) => self.unauthorized(&format!(" ({code})"), &status.message),
                code => self.other(&format!("the API answered {code}: {}", status.message)),
            };
        }
        let mut deepest = error.to_string();
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(error) = next {
            deepest = error.to_string();
            if let Some(error) = error.downcast_ref::<rustls::Error>() {
                return self.failed_tls(error);
            }
            next = error.source();
            if let Some(error) = error.downcast_ref::<io::Error>() {
                match error.kind() {
                    io::ErrorKind::ConnectionRefused => return self.closed(),
                    io::ErrorKind::TimedOut => return self.dropped(),
                    io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                        return self.unreachable("cannot be reached", &plain(&deepest));
                    }
                    _ => {}
                }
                // What an io::Error wraps is not its source but stands in its place.
                if let Some(inner) = error.get_ref() {
                    next = Some(inner);
                }
            }
        }
        self.other(&deepest)
    }

    fn closed(&self) -> Problem {
        let units = self.units;
        problem!(Code::API_PORT_CLOSED, "{}: the port is closed", self.server)
            .because("the machine answers and refuses connections there")
            .next(format!(
                "if {} is not running there, see why",
                units.join(" or ")
            ))
            .on_host(format!("systemctl status {}", units.join(" ")))
            .next("if the address is a load balancer's, let it pass the port on to the servers")
    }

    fn unauthorized(&self, code: &str, message: &str) -> Problem {
        problem!(
            Code::API_UNAUTHORIZED,
            "{}: the API does not accept the kubeconfig's user{code}",
            self.server
        )
        .because(plain(message))
        .next("the kubeconfig is of another cluster, or of an earlier one on the same machines; deploy again to fetch it anew")
    }

    fn failed_tls(&self, error: &rustls::Error) -> Problem {
        let certificate = match error {
            rustls::Error::InvalidCertificate(certificate) => certificate,
            // It refuses the client's certificate before it hears a request.
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
            ) => return self.unauthorized("", &format!("TLS: {error}")),
            other => return self.other(&format!("TLS: {other}")),
        };
        let (server, host) = (self.server, self.host);
        let lacks = |known: &str| {
            problem!(
                Code::API_CERTIFICATE_NAME,
                "{server}: the API's certificate is not for {host}"
            )
            .because(known)
            .next("add the address to the inventory and deploy again")
            .inventory(format!("cluster: {{tls_sans: [\"{host}\"]}}"))
        };
        match certificate {
            CertificateError::NotValidForNameContext { presented, .. } if !presented.is_empty() => {
                let names: Vec<_> = presented.iter().map(|name| bare_name(name)).collect();
                lacks(&format!("it is for {}", names.join(", ")))
            }
            CertificateError::NotValidForNameContext { .. } | CertificateError::NotValidForName => {
                lacks("it is for no name at all")
            }
            // The second is an authority of the same name with another key. An authority's own
            // certificate, or an old form of one, is what proxies and appliances show: whatever
            // answers is not this cluster.
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::Other(_) => problem!(
                Code::API_CERTIFICATE_AUTHORITY,
                "{server}: another authority signed the certificate that answers there"
            )
            .because("the certificate is not from the authority in this cluster's kubeconfig")
            .next("see whether the address leads to a server of this cluster, and not to another one or to a proxy that ends TLS"),
            other => problem!(Code::API_CERTIFICATE_INVALID, "{server}: the API's certificate is not valid")
                .because(plain(&other.to_string()))
                .next(format!("compare the clocks of this machine and of the servers; what has expired is renewed when {} is restarted", self.units.join(" or ")))
                .on_host(format!("systemctl restart {}", self.units.join(" "))),
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
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .take(400)
        .collect()
}
