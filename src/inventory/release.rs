//! What versions, channels and mirrors of a distribution may look like.

use super::Dialect;
use super::mistake::{Complaint, Mistakes};
use super::node::YamlNode;
use super::syntax::{Checked, is_dns_name, without_user};

/// The architectures, by their names in releases.
const ARCHITECTURES: [&str; 4] = ["amd64", "arm64", "armhf", "s390x"];

/// A SHA-256 in hexadecimal digits.
pub(super) fn sha256(text: &str) -> Checked {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(Complaint::with(
        format!("`{text}` is not a SHA-256"),
        "it has 64 hexadecimal digits, as `sha256sum FILE` prints them",
    ))
}

/// Notes what is wrong with hashes by architecture.
pub(super) fn hashes(node: &YamlNode, mistakes: &mut Mistakes) {
    for entry in node.entries() {
        if !ARCHITECTURES.contains(&&*entry.key) {
            let message = format!("unknown architecture `{}`", entry.key);
            let help = format!("they are {}", ARCHITECTURES.join(", "));
            mistakes.help(entry.at, message, help);
        }
        let text = entry.value.text().unwrap_or_default();
        mistakes.check(entry.value.span, sha256(text));
    }
}

/// A version of a distribution.
pub(super) fn version(text: &str, dialect: &Dialect) -> Checked {
    let message = format!("`{text}` is not a version of {}", dialect.name);
    let form = format!("a version is written v1.36.3{}", dialect.first_build);
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(Complaint::with(
            message,
            format!("write `channel: {text}` for a channel"),
        ));
    }
    let Some(rest) = text.strip_prefix('v') else {
        let whole = format!("v{text}");
        let help = match version(&whole, dialect) {
            Ok(()) => format!("write {whole}"),
            Err(_) => form,
        };
        return Err(Complaint::with(message, help));
    };
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (kubernetes, build) = rest
        .find('+')
        .map_or((rest, None), |at| (&rest[..at], Some(&rest[at..])));
    let (release, candidate) = kubernetes
        .split_once('-')
        .map_or((kubernetes, None), |(a, b)| (a, Some(b)));
    let release_is_good = release.split('.').count() == 3 && release.split('.').all(number);
    let candidate_is_good = candidate.is_none_or(|text| {
        ["rc", "beta", "alpha"]
            .iter()
            .filter_map(|kind| text.strip_prefix(kind))
            .any(|rest| number(rest.strip_prefix('.').unwrap_or(rest)))
    });
    let build_is_good = build
        .and_then(|build| build.strip_prefix(dialect.build()))
        .is_some_and(number);
    if release_is_good && candidate_is_good && build_is_good {
        return Ok(());
    }
    let parts: Vec<&str> = release.split('.').collect();
    let help = if release_is_good && build.is_none() {
        format!(
            "write {text}{}, for the first build of it",
            dialect.first_build
        )
    } else if parts.len() == 2 && parts.into_iter().all(number) && build.is_none() {
        format!("write `channel: {text}` for the newest of it")
    } else {
        form
    };
    Err(Complaint::with(message, help))
}

/// A release channel.
pub(super) fn channel(text: &str) -> Checked {
    if text.contains('+')
        || text
            .strip_prefix('v')
            .is_some_and(|v| v.split('.').count() > 2)
    {
        let message = format!("`{text}` is a version, not a channel");
        return Err(Complaint::with(message, format!("write `version: {text}`")));
    }
    if is_dns_name(text) && !text.contains(|c: char| c.is_ascii_uppercase()) {
        return Ok(());
    }
    let message = format!("`{text}` is not a channel");
    Err(Complaint::with(
        message,
        "channels are `stable`, `latest` and the likes of `v1.36`",
    ))
}

/// A mirror's base address.
pub(super) fn mirror(text: &str) -> Checked {
    let authority = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    without_user(authority, "mirror", "https://mirror.example.org/releases")?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or("");
    if host.is_empty() || text.contains(char::is_whitespace) {
        let message = format!("`{text}` is not the address of a mirror");
        return Err(Complaint::with(
            message,
            "it is written https://mirror.example.org/releases",
        ));
    }
    Ok(())
}

/// A proxy's address. One with a password would end up in commands on the hosts.
pub(super) fn proxy(text: &str) -> Checked {
    without_user(text, "proxy", "http://proxy.example.org:3128")?;
    let rest = text
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'));
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    match rest.and_then(|rest| rest.rsplit_once(':')) {
        Some((host, port))
            if !host.is_empty()
                && is_port(port)
                && !host.contains(|c: char| c.is_whitespace() || "/'\"\\".contains(c)) =>
        {
            Ok(())
        }
        _ => Err(Complaint::with(
            format!("`{text}` is not the address of a proxy"),
            "it is written http://proxy.example.org:3128",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::syntax::tests::sort;

    #[test]
    fn versions() {
        sort(
            |text| version(text, &crate::distribution::k3s::DIALECT),
            &["v1.36.3+k3s1", "v1.30.0-rc1+k3s12"],
            &[
                "1.36.3+k3s1",
                "v1.36",
                "v1.36.3",
                "v1.36.3+k3s",
                "v1.36.3+rke2",
                "stable",
                "v1..3+k3s1",
            ],
        );
        sort(
            channel,
            &["stable", "v1.36", "testing"],
            &["v1.36.3+k3s1", "", "a b", "v1.36.3"],
        );
    }

    #[test]
    fn proxies() {
        sort(
            proxy,
            &["http://a:1", "http://10.0.0.1:3128/", "http://[fd00::1]:80"],
            &[
                "a:1",
                "http://a",
                "https://a:1",
                "http://u:p@a:1",
                "http://:1",
            ],
        );
    }

    #[test]
    fn hashes() {
        let hash = "0123456789abcdefABCDEF0123456789".repeat(2);
        sort(sha256, &[&hash], &["", &hash[1..], &hash.replace('a', "g")]);
    }

    #[test]
    fn mirrors() {
        sort(
            mirror,
            &["https://a/b", "http://a:80"],
            &["a", "https://", "ftp://a", "https://u:p@a"],
        );
    }
}
