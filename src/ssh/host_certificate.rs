//! Whether a host certificate of OpenSSH vouches for a host.

use russh::keys::ssh_key::Fingerprint;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Certificate, HashAlg};
use wildmatch::WildMatch;

/// Why a certificate does not vouch for the host of this name, whose certificate authorities have these
/// fingerprints; nothing when it does. The time is in seconds since 1970. As with OpenSSH, the name has no
/// port, a principal may hold wildcards, and no critical option is known.
pub(super) fn doubt(
    certificate: &Certificate,
    host: &str,
    authorities: &[Fingerprint],
    now: u64,
) -> Option<String> {
    let authority = certificate.signature_key().fingerprint(HashAlg::Sha256);
    let principals = certificate.valid_principals();
    let host = host.to_lowercase();
    if certificate.cert_type() != CertType::Host {
        Some("it is one of a user".to_owned())
    } else if !authorities.contains(&authority) {
        Some(format!(
            "no @cert-authority line of this host has {authority}, which signed it"
        ))
    } else if now < certificate.valid_after() {
        Some("it is not valid yet; compare the clocks".to_owned())
    } else if now >= certificate.valid_before() {
        Some("it has expired".to_owned())
    } else if certificate.validate_at(now, authorities).is_err() {
        Some("its signature is wrong".to_owned())
    } else if principals.is_empty() {
        Some("it names no host".to_owned())
    } else if !{ principals.iter() }.any(|principal| WildMatch::new(principal).matches(&host)) {
        let names = shown(&principals.join(", "));
        Some(format!("it is for {names}, not {host}"))
    } else {
        let mut options = certificate.critical_options().iter();
        options.next().map(|(name, _)| {
            let name = shown(name);
            format!("it has the critical option {name}, which is not known")
        })
    }
}

/// What a host says, in a length that can be shown.
fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}
