//! The only way to make a remote command.
//!
//! A [`Script`] is POSIX shell text that travels on the standard input of `/bin/sh`, never as an
//! argument: arguments are limited to 128 KiB each, and process lists show them.

use std::time::Duration;

/// POSIX shell text and how long the host may take over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The text, ending in a newline.
    pub text: String,
    /// After this long the answer no longer matters and the exchange is given up.
    pub timeout: Duration,
}

impl Script {
    /// A script with the default time limit of 60 seconds.
    pub fn new(text: impl Into<String>) -> Self {
        let mut text = text.into();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Self {
            text,
            timeout: Duration::from_mins(1),
        }
    }

    /// The same script with another time limit.
    #[must_use]
    pub const fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// One shell word that means exactly `value`, whatever it holds.
///
/// A NUL byte cannot be part of any shell word and is dropped.
pub fn quote(value: &str) -> String {
    let plain = !value.is_empty()
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"@%+=:,./-_".contains(&byte));
    if plain {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\0', "").replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_value_survives_a_real_shell(value in "\\PC*|[\\x01-\\x7f]*") {
            let answer = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quote(&value))])
                .output()
                .expect("sh runs");
            prop_assert_eq!(String::from_utf8_lossy(&answer.stdout), value);
        }
    }
}
