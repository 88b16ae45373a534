//! The kubeconfig: what a client needs to reach a cluster, read from a server and made fit for
//! use from outside. It is taken apart and put together as structure, never edited as text.

mod file;
mod merge;
mod wire;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::problem::{Code, Problem, problem};
use crate::vars::Secret;

pub use file::{Written, write};
pub use merge::{merge, pick};

/// The most that a kubeconfig may be; the one that k3s writes has 3 KiB.
const LIMIT: usize = 256 * 1024;

/// One cluster, one user and one context that joins them, all of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubeconfig {
    /// Name of the context, of the cluster and of the user.
    context: String,
    /// Where the API is: `https://host:port`.
    server: String,
    /// The cluster's certificate authority, PEM in base64.
    certificate_authority: String,
    /// The user's certificate chain, PEM in base64.
    client_certificate: String,
    /// The user's private key, PEM in base64.
    client_key: Secret,
}

impl Kubeconfig {
    /// Name of the context, of the cluster and of the user.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// Where the API is: `https://host:port`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The same at the address of another kubeconfig, when that is one of the same cluster.
    pub fn at_the_address_of(&self, other: &Self) -> Option<Self> {
        let same = self.certificate_authority == other.certificate_authority;
        same.then(|| Self {
            server: other.server.clone(),
            ..self.clone()
        })
    }

    /// The cluster's certificate authority, PEM in base64.
    pub fn certificate_authority(&self) -> &str {
        &self.certificate_authority
    }

    /// The user's certificate chain, PEM in base64.
    pub fn client_certificate(&self) -> &str {
        &self.client_certificate
    }

    /// The user's private key, PEM in base64: to be masked wherever text is shown.
    pub const fn client_key(&self) -> &Secret {
        &self.client_key
    }

    /// The certificates of the cluster's authority, decoded.
    pub fn authority_certificates(&self) -> Result<Vec<CertificateDer<'static>>, Problem> {
        certificates("certificate-authority-data", &self.certificate_authority)
    }

    /// The file's text. It holds the private key.
    pub fn to_yaml(&self) -> Result<String, Problem> {
        wire::to_yaml(&wire::written(self)).map_err(|why| {
            problem!(
                Code::KUBECONFIG_INVALID,
                "{}: the kubeconfig cannot be written as YAML",
                self.context
            )
            .because(why)
        })
    }
}

/// The address of an API: `https://host:port`, an IPv6 address in brackets.
pub fn server_url(address: &str, port: u16) -> String {
    let bare = address
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(address);
    if bare.contains(':') {
        format!("https://[{bare}]:{port}")
    } else {
        format!("https://{bare}:{port}")
    }
}

/// Reads the kubeconfig that a server gave and makes it one for use from outside: reachable at
/// `server` (`https://host:port`), with context, cluster and user named `context`. The
/// certificates and the key stay as they are; anything else in the source is left behind, and
/// what would make a client run programs or read files is refused.
pub fn rewrite(source: &str, server: &str, context: &str) -> Result<Kubeconfig, Problem> {
    check_server(server)?;
    check_context(context)?;
    let found = parse(source)?;
    Ok(Kubeconfig {
        server: server.to_owned(),
        context: context.to_owned(),
        ..found
    })
}

/// Reads a kubeconfig of one cluster, one user and one context as it is.
pub fn parse(source: &str) -> Result<Kubeconfig, Problem> {
    refused_because(source).map_err(|why| {
        Problem::new(
            Code::KUBECONFIG_INVALID,
            "the kubeconfig is not one that can be used",
        )
        .because(why)
    })
}

/// [`parse`], with the reason for a refusal as a sentence that holds nothing of the content.
fn refused_because(source: &str) -> Result<Kubeconfig, String> {
    if source.len() > LIMIT {
        return Err(format!(
            "it has {} bytes, more than the {LIMIT} that are accepted",
            source.len()
        ));
    }
    let read = wire::read(source)?;
    let because = |problem: Problem| problem.what;
    certificates("certificate-authority-data", &read.certificate_authority).map_err(because)?;
    certificates("client-certificate-data", &read.client_certificate).map_err(because)?;
    let key = decode("client-key-data", read.client_key.expose()).map_err(because)?;
    PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_error| "`client-key-data` holds no private key in PEM form".to_owned())?;
    check_server(&read.server).map_err(because)?;
    check_context(&read.context).map_err(because)?;
    Ok(read)
}

fn decode(key: &str, base64: &str) -> Result<Vec<u8>, Problem> {
    STANDARD
        .decode(base64)
        .map_err(|_error| problem!(Code::KUBECONFIG_INVALID, "`{key}` is not base64"))
}

fn certificates(key: &str, base64: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let pem = decode(key, base64)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(problem!(
            Code::KUBECONFIG_INVALID,
            "`{key}` holds no certificate in PEM form"
        )),
    }
}

fn check_server(server: &str) -> Result<(), Problem> {
    let authority = server.strip_prefix("https://").unwrap_or_default();
    let host = authority.strip_suffix('/').unwrap_or(authority);
    let is_plain = !host.is_empty()
        && !host.chars().any(|letter| {
            letter.is_control() || letter.is_whitespace() || "/?#@\\\"'".contains(letter)
        });
    if is_plain {
        Ok(())
    } else {
        Err(problem!(
            Code::KUBECONFIG_INVALID,
            "`{}` is not the address of an API; one looks like https://203.0.113.10:443",
            server.escape_debug()
        ))
    }
}

fn check_context(context: &str) -> Result<(), Problem> {
    if context.trim().is_empty()
        || context.chars().count() > 253
        || context.chars().any(char::is_control)
    {
        return Err(problem!(
            Code::KUBECONFIG_INVALID,
            "`{}` cannot be the name of a context: 1 to 253 printable characters",
            context.escape_debug()
        ));
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod tests;
