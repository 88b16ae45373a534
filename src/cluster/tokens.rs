//! Tokens for a cluster that has none.

use std::fmt::Write as _;

use crate::vars::Secret;

/// Tokens for a cluster that has none yet; made once per run, before any plan.
#[derive(Debug, Clone)]
pub struct GeneratedTokens {
    /// For servers.
    pub server: Secret,
    /// For agents.
    pub agent: Secret,
}

impl GeneratedTokens {
    /// New tokens of 128 random bits each, as hex digits.
    pub fn generate() -> Self {
        let one = || {
            let bytes: [u8; 16] = rand::random();
            Secret::new(&bytes.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            }))
        };
        Self {
            server: one(),
            agent: one(),
        }
    }
}
