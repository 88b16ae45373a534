//! What names, addresses, labels and other words may look like.

use std::net::IpAddr;

use super::mistake::Complaint;
use crate::vars::mask::{password, without};

mod address;
mod hop;

pub use address::login_around;
pub(super) use address::{address, certificate_name, host_address, in_brackets, server_url};
pub use hop::Hop;
pub(super) use hop::{hop, host_key};

/// Nothing, or what is wrong.
pub(super) type Checked = Result<(), Complaint>;

/// A DNS name after RFC 1123, in any case.
pub(super) fn is_dns_name(text: &str) -> bool {
    has_form_of_dns_name(text) && too_long(text).is_none()
}

/// Whether a text is a DNS name but for its length.
fn has_form_of_dns_name(text: &str) -> bool {
    text.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    })
}

/// Which limit of DNS names a text exceeds, as help.
fn too_long(text: &str) -> Option<String> {
    let longest = text.split('.').map(str::len).max().unwrap_or(0);
    if longest > 63 {
        Some(format!(
            "a part of a name has at most 63 characters, and this has one of {longest}"
        ))
    } else if text.len() > 253 {
        let length = text.len();
        Some(format!(
            "a name has at most 253 characters, and this has {length}"
        ))
    } else {
        None
    }
}

/// A host's or group's name.
pub(super) fn name(text: &str) -> Checked {
    if is_dns_name(text) {
        return Ok(());
    }
    if let Some(help) = too_long(text).filter(|_| has_form_of_dns_name(text)) {
        return Err(Complaint::with(format!("`{text}` cannot be a name"), help));
    }
    let suggestion = suggested_name(text);
    let rule = "a name is made of letters, digits, `-` and `.`, and starts and ends with a letter or digit";
    let help = if is_dns_name(&suggestion) {
        format!("{rule}; write {suggestion}")
    } else {
        rule.to_owned()
    };
    let message = format!("`{}` cannot be a name", shown(text));
    Err(Complaint::with(message, help))
}

/// The name that is nearest to a text. What stands before `@` is no host's, and may be a password.
pub fn suggested_name(text: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || letter == '.' {
            letter
        } else {
            '-'
        }
    };
    let host = text.rsplit('@').next().unwrap_or(text);
    let name: String = host.chars().map(plain).collect();
    let name = name.trim_matches(['-', '.']);
    name.replace(".-", "-").replace("-.", "-")
}

/// A node's name: what Kubernetes takes.
pub(super) fn node_name(text: &str) -> Checked {
    let lower = text.to_ascii_lowercase();
    if text != lower && is_dns_name(text) {
        let message = format!("`{text}` cannot be a node's name: Kubernetes wants lower case");
        return Err(Complaint::with(message, format!("write {lower}")));
    }
    name(text)
}

/// A group's name may hold `_`, too.
pub(super) fn group_name(text: &str) -> Checked {
    name(&text.replace('_', "-")).map_err(|complaint| Complaint {
        message: format!("`{}` cannot be a name", shown(text)),
        help: complaint.help,
    })
}

/// A text in one line, since what is pasted may end with a line; and without a password.
fn shown(text: &str) -> String {
    let text = without(text, password(text));
    let shown = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(shown).collect()
}

/// A token. What is wrong is said without repeating it.
pub(super) fn token(text: &str) -> Checked {
    if text.is_empty() {
        return Err(Complaint::new("the token is empty"));
    }
    if text
        .chars()
        .any(|c| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '\\'))
    {
        return Err(Complaint::with(
            "the token holds a character that a token cannot hold",
            "a token is made of printable ASCII without spaces, quotes and backslashes",
        ));
    }
    Ok(())
}

/// A password. What is wrong is said without repeating it.
pub(super) fn login_password(text: &str) -> Checked {
    if text.is_empty() {
        return Err(Complaint::new("the password is empty"));
    }
    if text.contains(char::is_control) {
        return Err(Complaint::with(
            "the password holds a control character",
            "a password is one line; where more is printed, take the first line:  [sh, -c, \"pass show sudo | head -n 1\"]",
        ));
    }
    Ok(())
}

/// A user to log in as.
pub(super) fn user(text: &str) -> Checked {
    let bad =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | ':' | '/' | '"' | '\'');
    if text.is_empty() || text.starts_with('-') || text.contains(bad) {
        return Err(Complaint::new(format!("`{text}` is not a user's name")));
    }
    Ok(())
}

/// A network interface, as Linux names them.
pub(super) fn interface(text: &str) -> Checked {
    let bad = |c: char| !c.is_ascii_graphic() || c == '/';
    // IFNAMSIZ is 16, with the byte that ends it.
    if text.is_empty() || text.len() > 15 || text.contains(bad) || text == "." || text == ".." {
        return Err(Complaint::with(
            format!("`{text}` is not the name of a network interface"),
            "write one as `ip address` shows it on the host: eth1",
        ));
    }
    Ok(())
}

/// An address without user and password, which are not repeated.
pub(super) fn without_user(text: &str, what: &str, example: &str) -> Checked {
    if !text.contains('@') {
        return Ok(());
    }
    Err(Complaint::with(
        format!("the address of a {what} has no user and no password"),
        format!("it is written {example}"),
    ))
}

/// An IP address.
pub(super) fn ip_address(text: &str) -> Checked {
    if text.parse::<IpAddr>().is_ok() {
        return address(text);
    }
    let help = address(text).err().and_then(|complaint| complaint.help);
    Err(Complaint {
        message: format!("`{text}` is not an IP address"),
        help,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::inventory) fn sort(check: fn(&str) -> Checked, good: &[&str], bad: &[&str]) {
        for text in good {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for text in bad {
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names() {
        sort(
            name,
            &["a", "worker-01", "A.b.c", "9"],
            &["", "-a", "a-", "a_b", "a b", "a..b", "ü"],
        );
        sort(node_name, &["alpha"], &["Alpha"]);
        sort(group_name, &["gpu_nodes", "gpu"], &["", "_", "a b"]);
    }

    #[test]
    fn interfaces() {
        sort(
            interface,
            &["eth1", "enp0s8", "bond0.12", "wg-mesh"],
            &["", "eth 1", "a/b", "..", "sixteen-letters-", "ü"],
        );
    }

    #[test]
    fn a_name_that_is_only_too_long_is_told_the_limit() {
        let part = "a".repeat(64);
        let whole = ["a".repeat(50).as_str(); 6].join(".");
        for (text, limit) in [
            (
                part.as_str(),
                "at most 63 characters, and this has one of 64",
            ),
            (&whole, "at most 253 characters, and this has 305"),
        ] {
            for check in [name, node_name, group_name, address] {
                let help = check(text).expect_err(text).help.unwrap_or_default();
                assert!(help.contains(limit), "{help}");
            }
        }
    }

    #[test]
    fn tokens_and_users() {
        sort(
            token,
            &["K10ab::server:x", "$x"],
            &["", "a b", "a\"", "a'", "a\\", "ä", "a\n"],
        );
        sort(
            user,
            &["root", "first.last", "DOMAIN-x"],
            &["", "-x", "a b", "a@b", "a:b"],
        );
    }
}
