//! Values that know where they came from, and values that must never be shown.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

pub mod mask;
mod names;
mod redactor;

pub use names::{names_a_secret, secrets_among};
pub use redactor::Redactor;

/// Where a setting got its value; shown whenever a setting is questioned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Origin {
    /// towline's own default.
    #[default]
    Default,
    /// The inventory said so at this key path, for example `groups.workers.role`.
    Inventory {
        /// Dotted path of the key.
        path: String,
        /// The file, as it was named; empty for what was typed as flags.
        file: Arc<str>,
        /// Line in the file, from 1.
        line: u64,
        /// Column in that line, from 1.
        column: u64,
    },
    /// A command-line flag, named without its dashes.
    Flag(&'static str),
    /// OpenSSH's configuration.
    SshConfig,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Inventory { path, file, .. } if file.is_empty() => f.write_str(path),
            Self::Inventory {
                path, file, line, ..
            } => write!(f, "{path}, {file}:{line}"),
            Self::Flag(name) => write!(f, "--{name}"),
            Self::SshConfig => f.write_str("ssh_config"),
        }
    }
}

/// A value together with the place that decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value that is in force.
    pub value: T,
    /// Who decided it.
    pub origin: Origin,
}

impl<T> Sourced<T> {
    /// An unset setting.
    pub const fn default(value: T) -> Self {
        Self {
            value,
            origin: Origin::Default,
        }
    }
}

/// The word that stands wherever a secret would have been shown.
pub const MASK: &str = "***";

/// What stands for a token that only a running server can complete.
pub const LATER: &str = "(known once the first server runs)";

/// A token, key or password. Its `Debug` and `Display` show [`MASK`]; it does not serialize.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a secret in without the line end that a file or a command gives it. White space is kept: a
    /// passphrase may begin or end with a space.
    pub fn new(value: &str) -> Self {
        let value = value.trim_end_matches(['\r', '\n']);
        Self(SecretString::from(value.to_owned()))
    }

    /// The secret itself, for the one place that writes it to a host.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown_by_its_own_formatting() {
        let secret = Secret::new("hunter2hunter2\n");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.expose(), "hunter2hunter2");
        assert_eq!(Secret::new(" open sesame \r\n").expose(), " open sesame ");
    }
}
