//! How the releases of k3s are laid out: which file is for which processor, and which version a
//! channel names.

use super::version::Version;
use crate::distribution::architecture::Architecture;
use crate::distribution::download::{Client, Patience, Proxy, shown};
use crate::error::Problem;

/// Where the project publishes its releases.
const RELEASES: &str = "https://github.com/k3s-io/k3s/releases/download";
/// Where the project says which version a channel names.
const CHANNELS: &str = "https://update.k3s.io/v1-release/channels";

/// The file of a release that is the binary for a processor.
pub const fn asset(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "k3s",
        Architecture::Arm64 => "k3s-arm64",
        Architecture::Armhf => "k3s-armhf",
        Architecture::S390x => "k3s-s390x",
    }
}

/// The file of a release with the hashes of the files for a processor.
pub const fn hash_list(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "sha256sum-amd64.txt",
        Architecture::Arm64 => "sha256sum-arm64.txt",
        Architecture::Armhf => "sha256sum-arm.txt",
        Architecture::S390x => "sha256sum-s390x.txt",
    }
}

/// The address of a file of a release, at the project or at a mirror in the same layout.
pub fn url(mirror: Option<&str>, version: &Version, file: &str) -> String {
    let base = mirror.map_or(RELEASES, |mirror| mirror.trim_end_matches('/'));
    // A plus sign in a path means a space to some servers.
    let version = version.to_string().replace('+', "%2B");
    format!("{base}/{version}/{file}")
}

/// The hash of a file in a list as `sha256sum` writes it.
pub fn hash_in<'a>(list: &'a str, file: &str) -> Option<&'a str> {
    list.lines().find_map(|line| {
        let (hash, name) = line.split_once([' ', '\t'])?;
        let name = name.trim_start_matches([' ', '\t', '*']).trim_end();
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_hash && name == file).then_some(hash)
    })
}

/// Whether a mirror was configured to be used without encryption; refuses what is no web address.
pub(super) fn is_plain_http(mirror: Option<&str>) -> Result<bool, Problem> {
    match mirror {
        None => Ok(false),
        Some(mirror) if mirror.starts_with("https://") => Ok(false),
        Some(mirror) if mirror.starts_with("http://") => Ok(true),
        Some(mirror) => Err(Problem::new(format!(
            "`{}` is not the address of a mirror",
            mirror.escape_debug()
        ))
        .next("write it as https://host/path")),
    }
}

/// The version that a channel (`stable`, `latest`, `v1.36`) names today, asked of the project or
/// of a mirror that answers at `<mirror>/channels/<channel>` in the same way: by a redirect to an
/// address that ends in the version, or simply with the version. Blocks while it asks.
pub fn resolve_channel(
    channel: &str,
    mirror: Option<&str>,
    proxy: Option<&Proxy>,
) -> Result<String, Problem> {
    resolve_with(channel, mirror, proxy, Patience::default())
}

pub(super) fn resolve_with(
    channel: &str,
    mirror: Option<&str>,
    proxy: Option<&Proxy>,
    timeout: Patience,
) -> Result<String, Problem> {
    let is_word = !channel.is_empty()
        && channel.len() <= 64
        && channel
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte))
        && !channel.starts_with('.');
    if !is_word {
        return Err(Problem::new(format!(
            "`{}` is not the name of a channel",
            channel.escape_debug()
        ))
        .next("channels are `stable`, `latest` and one per minor version, such as `v1.36`"));
    }
    let proxy = proxy.and_then(|proxy| proxy.towards(mirror));
    let client = Client::new(proxy, is_plain_http(mirror)?, timeout)?;
    let url = match mirror {
        Some(mirror) => format!("{}/channels/{channel}", mirror.trim_end_matches('/')),
        None => format!("{CHANNELS}/{channel}"),
    };
    let exactly = "or say exactly which version:\ncluster: {version: v1.36.3+k3s1}";
    let pointer = client
        .pointer(&url)
        .map_err(|problem| problem.next(exactly))?;
    let last = pointer
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    last.replace("%2B", "+")
        .replace("%2b", "+")
        .parse::<Version>()
        .map(|version| version.to_string())
        .map_err(|_error| {
            Problem::new(format!(
                "{}: does not say which version the channel `{channel}` is",
                shown(&url)
            ))
            .because(format!(
                "it answered `{}`",
                shown(&pointer)
                    .chars()
                    .take(200)
                    .collect::<String>()
                    .escape_debug()
            ))
            .next(exactly)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_release_has_an_address_at_the_project_and_at_a_mirror() {
        let version: Version = "v1.36.3+k3s1".parse().unwrap();
        for (mirror, architecture, expected) in [
            (
                None,
                Architecture::Amd64,
                "https://github.com/k3s-io/k3s/releases/download/v1.36.3%2Bk3s1/k3s",
            ),
            (
                Some("https://mirror.example.org/k3s/"),
                Architecture::Arm64,
                "https://mirror.example.org/k3s/v1.36.3%2Bk3s1/k3s-arm64",
            ),
        ] {
            assert_eq!(url(mirror, &version, asset(architecture)), expected);
        }
        assert_eq!(hash_list(Architecture::Armhf), "sha256sum-arm.txt");
    }

    #[test]
    fn a_hash_is_found_by_the_whole_name_of_its_file() {
        let (one, two) = ("1".repeat(64), "2".repeat(64));
        let list =
            format!("{one}  k3s-airgap-images-amd64.tar\n{two}  k3s\nrubbish\nabc  k3s-arm64\n");
        for (file, expected) in [
            ("k3s", Some(two.as_str())),
            ("k3s-airgap-images-amd64.tar", Some(one.as_str())),
            ("k3s-arm64", None),
            ("tar", None),
        ] {
            assert_eq!(hash_in(&list, file), expected, "{file}");
        }
        let binary_mark = format!("{one} *k3s\r\n");
        assert_eq!(hash_in(&binary_mark, "k3s"), Some(one.as_str()));
    }

    #[test]
    fn what_is_no_channel_or_mirror_is_refused_before_anything_is_asked() {
        for channel in ["", "../x", "a b", "stable?x=1", ".."] {
            let problem = resolve_channel(channel, None, None).unwrap_err();
            assert!(problem.what.contains("channel"), "{problem}");
        }
        for mirror in ["ftp://x", "mirror.example.org", "file:///etc"] {
            let problem = resolve_channel("stable", Some(mirror), None).unwrap_err();
            assert!(problem.what.contains("mirror"), "{problem}");
        }
    }
}
