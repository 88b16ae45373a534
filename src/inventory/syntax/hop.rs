//! Hosts that a connection goes through, and host keys.

use std::net::IpAddr;

use super::{Checked, address, in_brackets, is_dns_name, shown, user};
use crate::inventory::mistake::Complaint;

/// A host that a connection goes through, as `[USER@]HOST[:PORT]` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop<'a> {
    /// The user, where one is named.
    pub user: Option<&'a str>,
    /// Its address or name; of an IPv6 address what stands in the brackets.
    pub host: &'a str,
    /// The port, where one is named.
    pub port: Option<u16>,
}

impl<'a> Hop<'a> {
    /// Takes it apart; `ssh://` may stand before it. Nothing where the port is none.
    pub fn parse(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix("ssh://").unwrap_or(text);
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, text),
        };
        let is_bare = rest.parse::<IpAddr>().is_ok();
        let (host, port) = match in_brackets(rest) {
            Some((inside, "")) => (inside, None),
            Some((inside, rest)) => (inside, Some(rest.strip_prefix(':')?)),
            None if is_bare => (rest, None),
            None => match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            },
        };
        let port = match port.map(str::parse::<u16>) {
            None => None,
            Some(Ok(port)) if port > 0 => Some(port),
            Some(_) => return None,
        };
        Some(Self { user, host, port })
    }
}

/// A host that a connection goes through.
pub fn hop(text: &str) -> Checked {
    let message = format!("`{}` is not a host to connect through", shown(text));
    let form = "it is written [USER@]HOST[:PORT]";
    if text.contains(',') {
        let hops = text.split(',').map(str::trim).collect::<Vec<_>>();
        let help = format!("write a list: [{}]", hops.join(", "));
        return Err(Complaint::with(message, help));
    }
    let Some(hop) = Hop::parse(text) else {
        return Err(Complaint::with(message, form));
    };
    if let Some(name) = hop.user {
        user(name)?;
    }
    // A name of ssh's configuration is no DNS name, and may have an underscore.
    if address(hop.host).is_ok() || is_dns_name(&hop.host.replace('_', "-")) {
        return Ok(());
    }
    Err(Complaint::with(message, form))
}

/// A host key: its fingerprint, or its type and its base64 text.
pub fn host_key(text: &str) -> Checked {
    let base64 = |text: &str| {
        let plain = text.trim_end_matches('=');
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/".contains(&byte);
        !plain.is_empty() && plain.bytes().all(fits)
    };
    let is_key = if let Some(hash) = text.strip_prefix("SHA256:") {
        base64(hash) && hash.trim_end_matches('=').len() == 43
    } else {
        let mut words = text.split_ascii_whitespace();
        let kind = words.next().unwrap_or_default();
        let mut kinds = ["ssh-", "ecdsa-sha2-", "sk-"].iter();
        kinds.any(|start| kind.starts_with(start)) && words.next().is_some_and(base64)
    };
    if is_key {
        return Ok(());
    }
    Err(Complaint::with(
        format!("`{}` is not a host key", shown(text)),
        "write its fingerprint, SHA256:…, or its line of /etc/ssh/ssh_host_ed25519_key.pub; on the host,  ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub  shows the fingerprint",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_taken_apart() {
        let parsed = |text| {
            let hop = Hop::parse(text)?;
            Some((hop.user, hop.host, hop.port))
        };
        assert_eq!(parsed("jump"), Some((None, "jump", None)));
        assert_eq!(parsed("a@b:2222"), Some((Some("a"), "b", Some(2222))));
        assert_eq!(parsed("ssh://a@b"), Some((Some("a"), "b", None)));
        assert_eq!(parsed("fd00::1"), Some((None, "fd00::1", None)));
        assert_eq!(parsed("[fd00::1]:22"), Some((None, "fd00::1", Some(22))));
        assert_eq!(parsed("u@[fd00::1]"), Some((Some("u"), "fd00::1", None)));
        for wrong in ["b:0", "b:ssh", "b:70000", "[fd00::1]22"] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
        for wrong in ["", "a b", "-oProxyCommand=x", "a@-b", "x,y"] {
            assert!(hop(wrong).is_err(), "{wrong}");
        }
        hop("bastion_one").unwrap();
    }

    #[test]
    fn host_keys_are_fingerprints_or_public_keys() {
        host_key("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU").unwrap();
        host_key("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ root@a").unwrap();
        for wrong in ["", "SHA256:abc", "MD5:aa:bb", "ssh-ed25519", "hello AAAA"] {
            assert!(host_key(wrong).is_err(), "{wrong}");
        }
    }
}
