//! Values that know where they came from, and values that must never be shown.

use std::fmt;
use std::sync::{Arc, RwLock};

use secrecy::{ExposeSecret, SecretString};

/// Where a setting got its value; shown whenever a setting is questioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything: towline's own default.
    Default,
    /// The inventory said so at this key path, for example `groups.workers.role`.
    Inventory {
        /// Dotted path of the key.
        path: String,
        /// Line in the inventory file, from 1.
        line: u64,
        /// Column in that line, from 1.
        column: u64,
    },
    /// A command-line flag, named without its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Inventory { path, line, .. } => write!(f, "{path}, line {line}"),
            Self::Flag(name) => write!(f, "--{name}"),
        }
    }
}

/// A value together with the place that decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value that is in force.
    pub value: T,
    /// Who decided it.
    pub origin: Origin,
}

impl<T> Setting<T> {
    /// A setting that nobody set.
    pub const fn default(value: T) -> Self {
        Self {
            value,
            origin: Origin::Default,
        }
    }
}

/// The word that stands wherever a secret would have been shown.
pub const MASK: &str = "***";

/// Whether a key of a configuration holds a secret, by its name.
pub fn names_a_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    let key = key.trim_end_matches('+');
    !key.ends_with("-file")
        && ["token", "password", "secret-key", "access-key"]
            .iter()
            .any(|word| key.ends_with(word))
}

/// A token, key or password. Its `Debug` and `Display` show [`MASK`]; it does not serialize.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes a secret in; surrounding white space (the newline of a file) is dropped.
    pub fn new(value: &str) -> Self {
        Self(SecretString::from(value.trim().to_owned()))
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

/// Knows every secret of a run and masks it in any text that a person or a file may see.
///
/// Cheap to clone: all clones share one list, so a secret learned late (a token read from a
/// server) is masked everywhere from then on.
#[derive(Debug, Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<Secret>>>);

impl Redactor {
    /// Remembers a secret. One of fewer than six characters is not remembered: masking it would
    /// blank out unrelated text and tell more than it hides.
    pub fn learn(&self, secret: &Secret) {
        if secret.expose().chars().count() < 6 {
            return;
        }
        let mut secrets = self
            .0
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if !secrets.contains(secret) {
            secrets.push(secret.clone());
            // Longest first, so that a secret inside a longer one leaves no rest behind.
            secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        }
    }

    /// The text with every known secret replaced by [`MASK`].
    pub fn clean(&self, text: &str) -> String {
        let secrets = self
            .0
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.expose()) {
                text.replace(secret.expose(), MASK)
            } else {
                text
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown_by_its_own_formatting() {
        let secret = Secret::new("hunter2hunter2\n");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.expose(), "hunter2hunter2");
    }

    #[test]
    fn a_redactor_masks_the_longest_secret_first_and_in_all_its_clones() {
        let redactor = Redactor::default();
        let clone = redactor.clone();
        redactor.learn(&Secret::new("password"));
        redactor.learn(&Secret::new("K10abc::server:password"));
        redactor.learn(&Secret::new("tiny"));
        assert_eq!(
            clone.clean("token K10abc::server:password, password and tiny"),
            "token ***, *** and tiny"
        );
    }
}
