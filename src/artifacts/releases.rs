//! The releases of a project: what their files are called, where they lie, and which version a
//! channel names.

use super::architecture::Architecture;
use super::http::{HttpClient, Proxy, shown};
use crate::problem::{Code, Problem, problem};

/// What a project's releases are called and where they lie.
#[derive(Debug)]
pub struct Releases {
    /// Name of the project, of its folder in the cache, and of the binary there.
    pub name: &'static str,
    /// Where each release has a folder with its files, named by its version. A mirror has the same
    /// layout.
    pub address: &'static str,
    /// The address that tells which version a channel names.
    pub channel: fn(&str) -> String,
    /// The file of a release that is the binary for a processor.
    pub binary: fn(&str, Architecture) -> String,
    /// The file of a release with the hashes of the files for a processor.
    pub hashes: fn(Architecture) -> &'static str,
    /// A version as releases are named by it.
    ///
    /// # Errors
    /// A sentence, for what is no version and must not become part of an address or a path.
    pub version: fn(&str) -> Result<String, String>,
    /// A version, as an example.
    pub example: &'static str,
}

impl Releases {
    /// The address of a file of a release, at the project or at a mirror in the same layout.
    pub(super) fn url(&self, mirror: Option<&str>, version: &str, file: &str) -> String {
        let base = mirror.unwrap_or(self.address).trim_end_matches('/');
        // A plus sign in a path means a space to some servers.
        let path = format!("{version}/{file}").replace('+', "%2B");
        format!("{base}/{path}")
    }

    /// The version that a channel (`stable`, `latest`, `v1.36`) names today, asked of the project or
    /// of a mirror that answers at `<mirror>/channels/<channel>` in the same way: by a redirect to an
    /// address that ends in the version, or simply with the version. Blocks while it asks.
    ///
    /// # Errors
    /// What is no name of a channel, and an answer that cannot be had or names no version.
    pub fn resolve(
        &self,
        channel: &str,
        mirror: Option<&str>,
        proxy: Option<&Proxy>,
    ) -> Result<String, Problem> {
        let is_word = !channel.is_empty()
            && channel.len() <= 64
            && channel
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-_+".contains(&byte))
            && !channel.starts_with('.');
        if !is_word {
            return Err(problem!(
                Code::CHANNEL_INVALID,
                "`{}` is not the name of a channel",
                channel.escape_debug()
            )
            .next("channels are `stable`, `latest` and one per minor version, such as `v1.36`"));
        }
        let proxy = proxy.and_then(|proxy| proxy.towards(mirror));
        let client = HttpClient::new(proxy, is_plain_http(mirror)?)?;
        let url = match mirror {
            Some(mirror) => format!("{}/channels/{channel}", mirror.trim_end_matches('/')),
            None => (self.channel)(channel),
        };
        let exactly = format!("cluster: {{version: {}}}", self.example);
        let pointer = client.pointer(&url).map_err(|problem| {
            problem
                .next("or say exactly which version")
                .inventory(&*exactly)
        })?;
        let last = pointer
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let version = last.replace("%2B", "+").replace("%2b", "+");
        (self.version)(&version).map_err(|_error| {
            problem!(
                Code::CHANNEL_INVALID,
                "{}: does not say which version the channel `{channel}` is",
                shown(&url)
            )
            .because(format!(
                "it answered `{}`",
                shown(&pointer)
                    .chars()
                    .take(200)
                    .collect::<String>()
                    .escape_debug()
            ))
            .next("or say exactly which version")
            .inventory(exactly)
        })
    }
}

/// The hash of a file in a list as `sha256sum` writes it.
pub(super) fn hash_in<'a>(list: &'a str, file: &str) -> Option<&'a str> {
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
        Some(mirror) => Err(problem!(
            Code::MIRROR_INVALID,
            "`{}` is not the address of a mirror",
            mirror.escape_debug()
        )
        .next("write it as https://host/path")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASES: &Releases = &crate::distribution::k3s::DISTRIBUTION.releases;

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
    fn a_file_of_a_release_has_an_address_at_the_project_and_at_a_mirror() {
        for (mirror, expected) in [
            (
                None,
                "https://github.com/k3s-io/k3s/releases/download/v1.36.3%2Bk3s1/k3s",
            ),
            (
                Some("https://mirror.example.org/a+b/"),
                "https://mirror.example.org/a+b/v1.36.3%2Bk3s1/k3s",
            ),
        ] {
            assert_eq!(RELEASES.url(mirror, "v1.36.3+k3s1", "k3s"), expected);
        }
    }

    #[test]
    fn what_is_no_channel_or_mirror_is_refused_before_anything_is_asked() {
        for channel in ["", "../x", "a b", "stable?x=1", ".."] {
            let problem = RELEASES.resolve(channel, None, None).unwrap_err();
            assert!(problem.what.contains("channel"), "{problem}");
        }
        for mirror in ["ftp://x", "mirror.example.org", "file:///etc"] {
            let problem = RELEASES.resolve("stable", Some(mirror), None).unwrap_err();
            assert!(problem.what.contains("mirror"), "{problem}");
        }
    }
}
