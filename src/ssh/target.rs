//! Where a host is reached, and as whom.

use std::sync::Arc;
use std::time::Duration;

use crate::ssh::exchange::BecomePassword;

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
    /// What sudo is told where it asks for a password.
    pub become_password: Option<Arc<BecomePassword>>,
    /// Limit for each of: resolving the name, TCP, banner and key exchange. Authentication gets
    /// at least a minute.
    pub connect_timeout: Duration,
    /// How long the host may be silent before it is asked whether it still lives; after three
    /// unanswered questions the connection is lost. 15 seconds are a good value.
    pub alive_interval: Duration,
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
}
