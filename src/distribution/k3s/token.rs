//! The tokens by which nodes join, in their short and their full form.
//!
//! The short form is a password. The full form, `K10<hash>::<user>:<password>`, also pins the
//! cluster's certificate authority, so that a joining node cannot be led to another server.

use crate::vars::Secret;

/// What every full token begins with: `K10` and the 64 hexadecimal digits of the authority's hash.
const PREFIX: &str = "K10";
const HASH_DIGITS: usize = 64;

/// The parts of a full token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Full<'a> {
    ca_hash: &'a str,
    credentials: &'a str,
}

fn full(token: &str) -> Option<Full<'_>> {
    let (ca_hash, credentials) = token.trim().strip_prefix(PREFIX)?.split_once("::")?;
    let is_hash =
        ca_hash.len() == HASH_DIGITS && ca_hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then_some(Full {
        ca_hash,
        credentials,
    })
}

/// The password in a token: what two tokens of one cluster have in common, in whichever form.
/// Of a bootstrap token (`<id>.<secret>`) it is the whole of it.
pub fn token_password(token: &str) -> &str {
    let Some(full) = full(token) else {
        return token.trim();
    };
    full.credentials
        .split_once(':')
        .map_or(full.credentials, |(_user, password)| password)
}

/// The hash of the cluster's certificate authority that a full token holds.
pub fn ca_hash(token: &str) -> Option<&str> {
    full(token).map(|full| full.ca_hash)
}

/// The full token of a user (`server`, `node`) with its password.
pub fn full_token(ca_hash: &str, user: &str, password: &str) -> Secret {
    Secret::new(&format!("{PREFIX}{ca_hash}::{user}:{password}"))
}

/// Whether a token is a bootstrap token (`<6 characters>.<16 characters>`), with which agents can
/// join and servers cannot.
fn is_bootstrap_token(token: &str) -> bool {
    let credentials = full(token).map_or_else(|| token.trim(), |full| full.credentials);
    credentials.split_once('.').is_some_and(|(id, secret)| {
        let is_plain = |text: &str| {
            text.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        id.len() == 6 && secret.len() == 16 && is_plain(id) && is_plain(secret)
    })
}

/// Why a token cannot be one, as the rest of a sentence; `None` when nothing speaks against it.
/// Never names the token itself.
pub fn token_fault(token: &str) -> Option<&'static str> {
    let token = token.trim();
    if token.is_empty() {
        return Some("is empty");
    }
    if token
        .chars()
        .any(|letter| letter.is_control() || letter.is_whitespace())
    {
        return Some("holds white space or control characters");
    }
    if token.len() > 1024 {
        return Some("is longer than 1024 characters");
    }
    if let Some(full) = full(token) {
        let has_password = match full.credentials.split_once(':') {
            Some((user, password)) => !user.is_empty() && !password.is_empty(),
            None => is_bootstrap_token(token),
        };
        return (!has_password)
            .then_some("begins like a full token but has no `user:password` at its end");
    }
    if token.starts_with(PREFIX) && token.contains("::") {
        return Some("begins with `K10` but no hash of 64 hexadecimal digits follows");
    }
    if token.contains(':') {
        return Some("holds a colon, which only the full form `K10<hash>::user:password` has");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "568b7ee2f0a8a54b8e8c5d0f6f0f4d2dbd4cbd0bd9a2f6d7d0c7b1a2e3f4a5b6";

    #[test]
    fn the_password_is_the_same_in_both_forms() {
        let with_hash = |rest: &str| format!("K10{HASH}::{rest}");
        for (token, password, hash) in [
            ("s3cret".to_owned(), "s3cret", None),
            ("s3cret\n".to_owned(), "s3cret", None),
            (with_hash("server:s3cret"), "s3cret", Some(HASH)),
            (with_hash("node:s3cret\n"), "s3cret", Some(HASH)),
            (with_hash("server:with:colon"), "with:colon", Some(HASH)),
            (
                with_hash("abcdef.0123456789abcdef"),
                "abcdef.0123456789abcdef",
                Some(HASH),
            ),
            // A password that only looks like a full token is a password.
            ("K10short::server:x".to_owned(), "K10short::server:x", None),
        ] {
            assert_eq!(token_password(&token), password, "{token}");
            assert_eq!(ca_hash(&token), hash, "{token}");
        }
    }

    #[test]
    fn a_full_token_is_read_back_as_it_was_made() {
        let token = full_token(HASH, "server", "s3cret");
        assert_eq!(token_password(token.expose()), "s3cret");
        assert_eq!(ca_hash(token.expose()), Some(HASH));
        assert_eq!(token_fault(token.expose()), None);
        assert_eq!(format!("{token}"), "***");
    }

    #[test]
    fn a_token_that_cannot_be_one_is_refused_in_words() {
        let with_hash = |rest: &str| format!("K10{HASH}::{rest}");
        for (token, fault) in [
            ("s3cret".to_owned(), None),
            (with_hash("server:s3cret"), None),
            (with_hash("abcdef.0123456789abcdef"), None),
            (String::new(), Some("empty")),
            ("  \n".to_owned(), Some("empty")),
            ("two words".to_owned(), Some("white space")),
            ("bell\u{7}".to_owned(), Some("control")),
            ("x".repeat(1025), Some("1024")),
            (with_hash("server:"), Some("user:password")),
            (with_hash("server"), Some("user:password")),
            ("K10short::server:x".to_owned(), Some("64")),
            ("server:x".to_owned(), Some("colon")),
        ] {
            let said = token_fault(&token);
            assert_eq!(said.is_some(), fault.is_some(), "{token}: {said:?}");
            assert!(
                said.unwrap_or_default().contains(fault.unwrap_or_default()),
                "{token}: {said:?}"
            );
        }
    }

    #[test]
    fn a_bootstrap_token_is_known_by_its_form() {
        for (token, expected) in [
            ("abcdef.0123456789abcdef".to_owned(), true),
            (format!("K10{HASH}::abcdef.0123456789abcdef"), true),
            ("abcdef.0123456789abcde".to_owned(), false),
            ("ABCDEF.0123456789abcdef".to_owned(), false),
            ("s3cret".to_owned(), false),
        ] {
            assert_eq!(is_bootstrap_token(&token), expected, "{token}");
        }
    }
}
