//! What names, addresses, labels and other words may look like.

use std::net::IpAddr;

use super::mistake::Complaint;
use crate::vars::mask::{password, without};

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
    let host = text.rsplit('@').next().unwrap_or(text);
    let suggestion: String = host
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let suggestion = suggestion.trim_matches(['-', '.']);
    let rule = "a name is made of letters, digits, `-` and `.`, and starts and ends with a letter or digit";
    let help = if is_dns_name(suggestion) {
        format!("{rule}; write {suggestion}")
    } else {
        rule.to_owned()
    };
    let message = format!("`{}` cannot be a name", shown(text));
    Err(Complaint::with(message, help))
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

/// An IP address or DNS name, and nothing around it.
pub(super) fn address(text: &str) -> Checked {
    if let Ok(ip) = text.parse::<IpAddr>() {
        if ip.is_unspecified() || ip.is_multicast() {
            return Err(Complaint::new(format!("`{text}` is no machine's address")));
        }
        return Ok(());
    }
    let message = format!("`{}` is not an IP address or DNS name", shown(text));
    let around =
        |c: char| c.is_whitespace() || "\"'`\u{201c}\u{201d}\u{2018}\u{2019},;".contains(c);
    let bare = text.trim_matches(around);
    if bare != text && !bare.is_empty() {
        let help = match address(bare) {
            Ok(()) => Some(format!("write {bare}, without what stands around it")),
            Err(complaint) => complaint.help,
        };
        return Err(Complaint { message, help });
    }
    if let Some((_, host)) = text.split_once("://") {
        let host = host.rsplit('@').next().unwrap_or(host);
        let host = host.split(['/', ':']).next().unwrap_or(host);
        return Err(Complaint::with(
            message,
            format!("write {host}, without the scheme"),
        ));
    }
    if let Some((user, host)) = text.rsplit_once('@') {
        // A password that stands behind the user is not taken.
        let user = user.split(':').next().unwrap_or(user);
        return Err(Complaint::with(
            message,
            format!("write {host}, and `ssh: {{user: {user}}}`"),
        ));
    }
    let bare = text.strip_prefix('[').and_then(|text| text.split_once(']'));
    if let Some((inside, rest)) = bare.filter(|(inside, _)| inside.parse::<IpAddr>().is_ok()) {
        let port = rest
            .strip_prefix(':')
            .map(|port| format!(", and `ssh: {{port: {port}}}`"));
        let port = port.unwrap_or_default();
        return Err(Complaint::with(
            message,
            format!("write {inside} without brackets{port}"),
        ));
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
        && !host.contains(':')
    {
        return Err(Complaint::with(
            message,
            format!("write {host}, and `ssh: {{port: {port}}}`"),
        ));
    }
    if let Some((ip, _)) = text
        .split_once('/')
        .filter(|(ip, _)| ip.parse::<IpAddr>().is_ok())
    {
        return Err(Complaint::with(
            message,
            format!("write {ip}, without the network's size"),
        ));
    }
    // A name whose last part is a number would be a broken IPv4 address.
    let last = text.rsplit('.').next().unwrap_or(text);
    if is_dns_name(text) && !last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(Complaint {
        message,
        help: too_long(text).filter(|_| has_form_of_dns_name(text)),
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

/// A name or address for a certificate: a DNS name may start with `*.`.
pub(super) fn certificate_name(text: &str) -> Checked {
    address(text.strip_prefix("*.").unwrap_or(text)).map_err(|complaint| Complaint {
        message: format!("`{}` is not an IP address or DNS name", shown(text)),
        help: complaint.help,
    })
}

/// The address of a server to join.
pub(super) fn server_url(text: &str) -> Checked {
    super::release::nobody(text, "server", "https://10.0.0.1:6443")?;
    let form = "it is written https://10.0.0.1:6443";
    let message = format!("`{}` is not the address of a server", shown(text));
    let Some(rest) = text.strip_prefix("https://") else {
        let help = if text.contains("://") {
            "it starts with https://".to_owned()
        } else {
            let host = text.rsplit('@').next().unwrap_or(text);
            format!("write https://{host}")
        };
        return Err(Complaint::with(message, help));
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = if let Some(inside) = authority.strip_prefix('[') {
        inside.split_once(']').unwrap_or((authority, ""))
    } else {
        let colon = authority.find(':').unwrap_or(authority.len());
        authority.split_at(colon)
    };
    let bracketed = authority.starts_with('[');
    let port_is_good = match port.strip_prefix(':') {
        Some(number) => number.parse::<u16>().is_ok_and(|number| number > 0),
        None => port.is_empty(),
    };
    let host_is_good = if bracketed {
        host.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        address(host).is_ok()
    };
    if port_is_good && host_is_good {
        Ok(())
    } else {
        Err(Complaint::with(message, form))
    }
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
    fn addresses() {
        sort(
            address,
            &[
                "10.0.0.1",
                "fd00::1",
                "::1",
                "host",
                "host.example.org",
                "10-0-0-1.example.org",
            ],
            &[
                "",
                "10.0.0.256",
                "10.0.0",
                "010.0.0.1",
                "1",
                "https://a",
                "root@a",
                "a:22",
                "[fd00::1]",
                "[fd00::1]:22",
                "10.0.0.1/24",
                "a b",
                "-a",
                "fe80::1%eth0",
                "0.0.0.0",
                "::",
            ],
        );
        sort(
            certificate_name,
            &["*.example.org", "10.0.0.1"],
            &["*", "a.*.org", "*."],
        );
    }

    #[test]
    fn what_was_pasted_with_an_address_is_named() {
        let help = |text: &str| address(text).expect_err(text).help.unwrap_or_default();
        for around in [
            "'10.0.0.1'",
            " 10.0.0.1",
            "10.0.0.1\n",
            "\u{201c}10.0.0.1\u{201d}",
            "10.0.0.1,",
        ] {
            assert_eq!(
                help(around),
                "write 10.0.0.1, without what stands around it"
            );
        }
        assert_eq!(
            help(" root@10.0.0.1\n"),
            "write 10.0.0.1, and `ssh: {user: root}`"
        );
        for text in [
            "u:a@b c@10.0.0.1",
            "https://u:a@b c@10.0.0.1",
            "u:a@b c@10.0.0.1,",
        ] {
            for check in [address, certificate_name, name, group_name, server_url] {
                let complaint = format!("{:?}", check(text));
                assert!(!complaint.contains("b c"), "{complaint}");
            }
        }
        assert_eq!(
            help("u:pw@10.0.0.1"),
            "write 10.0.0.1, and `ssh: {user: u}`"
        );
        let message = address("10.0.0.1\n").expect_err("a line end").message;
        assert_eq!(message, r"`10.0.0.1\n` is not an IP address or DNS name");
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
    fn urls() {
        sort(
            server_url,
            &[
                "https://10.0.0.1:6443",
                "https://a.b",
                "https://[fd00::1]:6443",
                "https://a/",
            ],
            &[
                "http://a",
                "https://",
                "a:6443",
                "https://a:0",
                "https://a:x",
                "https://u@a",
                "https://a/b",
                "https://fd00::1",
                "https://[a]",
                "https://[fd00::1",
                "https://[::1]x",
            ],
        );
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
