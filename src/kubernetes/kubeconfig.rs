//! The kubeconfig: what a client needs to reach a cluster, read from a server and made fit for
//! use from outside. It is taken apart and put together as structure, never edited as text.

mod file;
mod merge;
mod user;
mod wire;

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::problem::{Code, Problem};
use crate::vars::Secret;

pub use file::{Written, nothing_at, write, write_new};
pub use merge::{merge, pick};
pub use user::{Credential, UserKubeconfig};
use wire::YamlTree;

/// The most that a kubeconfig may be; the one that k3s writes has 3 KiB.
const LIMIT: usize = 256 * 1024;

/// One cluster, one user and one context that joins them, all of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubeconfig {
    /// Name of the context, of the cluster and of the user.
    pub context: String,
    /// Where the API is: `https://host:port`.
    pub server: String,
    /// The cluster's certificate authority, PEM in base64.
    pub certificate_authority: String,
    /// The user's certificate chain, PEM in base64.
    pub client_certificate: String,
    /// The user's private key, PEM in base64: to be masked wherever text is shown.
    pub client_key: Secret,
}

impl Kubeconfig {
    /// The same at the address of another kubeconfig, when that is one of the same cluster.
    pub fn at_the_address_of(&self, other: &Self) -> Option<Self> {
        let same = self.certificate_authority == other.certificate_authority;
        same.then(|| Self {
            server: other.server.clone(),
            ..self.clone()
        })
    }

    /// Until when the user's certificate is valid.
    pub fn ends(&self) -> Option<SystemTime> {
        let seconds = not_after(&self.client_certificate)?.try_into().ok()?;
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// The certificates of the cluster's authority, decoded.
    pub(super) fn authority(&self) -> Result<Vec<CertificateDer<'static>>, String> {
        certificates("certificate-authority-data", &self.certificate_authority)
    }
}

/// Until when the first certificate of a chain (PEM in base64) is valid, in seconds since 1970.
pub(super) fn not_after(chain: &str) -> Option<i64> {
    let chain = certificates("client-certificate-data", chain).ok()?;
    let (_, own) = X509Certificate::from_der(chain.first()?).ok()?;
    Some(own.validity().not_after.timestamp())
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
    check_server(server)
        .and_then(|()| check_context(context))
        .map_err(|why| Problem::new(Code::KUBECONFIG_INVALID, why))?;
    Ok(Kubeconfig {
        server: server.to_owned(),
        context: context.to_owned(),
        ..parse(source)?
    })
}

/// Reads a kubeconfig of one cluster, one user and one context as it is.
pub fn parse(source: &str) -> Result<Kubeconfig, Problem> {
    let read = match source.len() {
        ..=LIMIT => wire::tree(source).and_then(|tree| usable(&tree)),
        bytes => Err(format!(
            "it has {bytes} bytes, more than the {LIMIT} that are accepted"
        )),
    };
    read.map_err(not_usable)
}

/// A problem for a reason that is a sentence and holds nothing of the content.
fn not_usable(why: String) -> Problem {
    Problem::new(
        Code::KUBECONFIG_INVALID,
        "the kubeconfig is not one that can be used",
    )
    .because(why)
}

/// The kubeconfig that a tree is, when its parts are what they have to be.
fn usable(tree: &YamlTree) -> Result<Kubeconfig, String> {
    let read = wire::read(tree)?;
    read.authority()?;
    certificates("client-certificate-data", &read.client_certificate)?;
    let key = decode("client-key-data", read.client_key.expose())?;
    PrivateKeyDer::from_pem_slice(&key)
        .map_err(|_error| "`client-key-data` holds no private key in PEM form")?;
    check_server(&read.server)?;
    check_context(&read.context)?;
    Ok(read)
}

fn decode(key: &str, base64: &str) -> Result<Vec<u8>, String> {
    let decoded = STANDARD.decode(base64);
    decoded.map_err(|_error| format!("`{key}` is not base64"))
}

fn certificates(key: &str, base64: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = decode(key, base64)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = certificates.ok().filter(|found| !found.is_empty());
    found.ok_or_else(|| format!("`{key}` holds no certificate in PEM form"))
}

fn check_server(server: &str) -> Result<(), String> {
    let authority = server.strip_prefix("https://").unwrap_or_default();
    let host = authority.strip_suffix('/').unwrap_or(authority);
    let is_plain = |letter: char| {
        !(letter.is_control() || letter.is_whitespace() || "/?#@\\\"'".contains(letter))
    };
    if !host.is_empty() && host.chars().all(is_plain) {
        return Ok(());
    }
    Err(format!(
        "`{}` is not the address of an API; one looks like https://203.0.113.10:443",
        server.escape_debug()
    ))
}

fn check_context(context: &str) -> Result<(), String> {
    let is_name = !context.trim().is_empty()
        && context.chars().count() <= 253
        && !context.chars().any(char::is_control);
    if is_name {
        return Ok(());
    }
    Err(format!(
        "`{}` cannot be the name of a context: 1 to 253 printable characters",
        context.escape_debug()
    ))
}

#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/properties/kubeconfig.rs"]
pub mod properties;
#[cfg(test)]
pub(crate) mod tests;
