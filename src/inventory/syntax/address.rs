//! Where a machine or a server is.

use std::net::{IpAddr, Ipv6Addr};

use super::{Checked, has_form_of_dns_name, is_dns_name, shown, too_long, without_user};
use crate::inventory::mistake::Complaint;

/// An IP address or DNS name, and nothing around it.
pub fn address(text: &str) -> Checked {
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
    if let Some((host, key, value)) = login_around(text) {
        return Err(Complaint::with(
            message,
            format!("write {host}, and `ssh: {{{key}: {value}}}`"),
        ));
    }
    if let Some((inside, _)) = in_brackets(text) {
        return Err(Complaint::with(
            message,
            format!("write {inside} without brackets"),
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

/// The address of a host: also a link-local one with its zone, as `fe80::1%eth0`.
pub fn host_address(text: &str) -> Checked {
    let Some((ip, zone)) = text.split_once('%') else {
        return address(text);
    };
    // An interface's name is shorter than 16 bytes in Linux.
    let is_interface = |zone: &str| {
        let is_good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        (1..16).contains(&zone.len()) && zone.chars().all(is_good)
    };
    match ip.parse::<Ipv6Addr>() {
        Ok(ip) if ip.is_unicast_link_local() && is_interface(zone) => Ok(()),
        _ => Err(Complaint::with(
            format!("`{}` is not an IP address or DNS name", shown(text)),
            "only a link-local address has a zone, which is an interface of this machine: fe80::1%eth0",
        )),
    }
}

/// What of a login stands around a host's address: the address alone, and the key of `ssh` that says it.
pub fn login_around(text: &str) -> Option<(&str, &'static str, &str)> {
    if let Some((user, host)) = text.rsplit_once('@') {
        // A password that stands behind the user is not taken.
        return Some((host, "user", user.split(':').next().unwrap_or(user)));
    }
    let (host, port) = match in_brackets(text) {
        Some((inside, rest)) => (inside, rest.strip_prefix(':')?),
        None => text
            .rsplit_once(':')
            .filter(|(host, _)| !host.contains(':'))?,
    };
    port.parse::<u16>().is_ok().then_some((host, "port", port))
}

/// An IP address in brackets, and what stands behind them.
pub fn in_brackets(text: &str) -> Option<(&str, &str)> {
    let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
    inside.parse::<IpAddr>().is_ok().then_some((inside, rest))
}

/// A name or address for a certificate: a DNS name may start with `*.`.
pub fn certificate_name(text: &str) -> Checked {
    address(text.strip_prefix("*.").unwrap_or(text)).map_err(|complaint| Complaint {
        message: format!("`{}` is not an IP address or DNS name", shown(text)),
        help: complaint.help,
    })
}

/// The address of a server to join.
pub fn server_url(text: &str) -> Checked {
    without_user(text, "server", "https://HOST:PORT")?;
    let form = "it is written https://HOST:PORT";
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
        host.parse::<Ipv6Addr>().is_ok()
    } else {
        address(host).is_ok()
    };
    if port_is_good && host_is_good {
        Ok(())
    } else {
        Err(Complaint::with(message, form))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sort;
    use super::super::{group_name, name};
    use super::*;

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
            host_address,
            &["fe80::1%eth0", "fe80::ab%enp3s0.10", "10.0.0.1", "host"],
            &[
                "fe80::1%",
                "fd00::1%eth0",
                "10.0.0.1%eth0",
                "host%eth0",
                "fe80::1%a b",
                "fe80::1%$(id)",
                "%eth0",
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
}
