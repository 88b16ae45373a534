//! Where a host is reached, and as whom.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::ssh::exchange::BecomePassword;
use crate::vars::Secret;

/// A host to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name in the inventory.
    pub name: String,
    /// An IP address (version 6 with or without brackets) or a DNS name.
    pub address: String,
    /// The port of sshd.
    pub port: u16,
    /// The user to log in as. Every user but `root` needs sudo (or doas without a password).
    pub user: String,
    /// The password to log in with where the host takes no key, or wants it besides one.
    pub password: Option<Secret>,
    /// What sudo is told where it asks for a password.
    pub become_password: Option<Arc<BecomePassword>>,
    /// Limit for each of: resolving the name, TCP, banner and key exchange. Authentication gets
    /// at least a minute.
    pub connect_timeout: Duration,
    /// How long the host may be silent before it is asked whether it still lives. 15 seconds are a
    /// good value.
    pub alive_interval: Duration,
    /// After so many unanswered questions the connection is lost. Three are a good value.
    pub alive_count: usize,
    /// Which addresses of its name are used.
    pub family: AddressFamily,
    /// The name under which its key is known, where that is not its address.
    pub key_alias: Option<String>,
    /// The hosts that the connection goes through, as `ssh -J` names them: for messages.
    pub through: Vec<String>,
}

/// Which addresses of a name are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AddressFamily {
    /// All of them.
    #[default]
    Any,
    /// Those of IPv4.
    Inet,
    /// Those of IPv6.
    Inet6,
}

impl Target {
    /// The address without the brackets of an IPv6 literal.
    pub(super) fn bare_address(&self) -> &str {
        let inside = self
            .address
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        inside.unwrap_or(&self.address)
    }

    /// The name and port under which `known_hosts` files know its key. An alias has no port.
    pub(super) fn known_as(&self) -> (&str, u16) {
        match &self.key_alias {
            Some(alias) => (alias, 22),
            None => (self.bare_address(), self.port),
        }
    }
}

impl AddressFamily {
    /// Whether an address is of this family.
    pub(super) fn has(self, address: &SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Inet => address.is_ipv4(),
            Self::Inet6 => address.is_ipv6(),
        }
    }
}
