//! Versions of distributions: `v1.36.3+k3s1` is Kubernetes 1.36.3 in the first build of k3s for it,
//! `v1.36.3+k0s.2` in the third of k0s.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version of a distribution. Ordered as releases follow each other: a release candidate stands before its
/// release, a later build after an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    /// Major version of Kubernetes.
    pub major: u64,
    /// Minor version of Kubernetes.
    pub minor: u64,
    /// Patch version of Kubernetes.
    pub patch: u64,
    /// What stands after a hyphen: `rc1`, `rc.0`.
    pub candidate: Option<String>,
    /// What stands after the plus sign: `k3s1`, `k0s.2`.
    pub build: Option<String>,
}

/// A text that is not a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version")]
pub struct NotAVersion(String);

impl Version {
    /// The first version in what a binary answers, behind these words of a line: k3s says
    /// `k3s version v1.36.3+k3s1 (ab12cd34)`.
    pub fn from_output(output: &str, behind: &str) -> Option<Self> {
        output.lines().find_map(|line| {
            let rest = line.trim().strip_prefix(behind)?;
            rest.split_whitespace().next()?.parse().ok()
        })
    }

    /// Which of two versions was released first; `None` where one of them is no version.
    pub fn order_of(one: &str, other: &str) -> Option<Ordering> {
        let (one, other): (Self, Self) = (one.parse().ok()?, other.parse().ok()?);
        Some(one.cmp(&other))
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A version becomes part of addresses and file names, so nothing else gets through.
        let is_word = |word: &str| {
            !word.is_empty()
                && word.len() <= 32
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
        };
        let parse = || {
            let text = text.strip_prefix('v').unwrap_or(text);
            let (rest, build) = match text.split_once('+') {
                Some((rest, build)) => (rest, Some(build)),
                None => (text, None),
            };
            let (numbers, candidate) = match rest.split_once('-') {
                Some((numbers, candidate)) => (numbers, Some(candidate)),
                None => (rest, None),
            };
            if !build.is_none_or(is_word) || !candidate.is_none_or(is_word) {
                return None;
            }
            let mut numbers = numbers.split('.').map(|number| {
                (number.len() <= 9 && number.bytes().all(|byte| byte.is_ascii_digit()))
                    .then(|| number.parse::<u64>().ok())
                    .flatten()
            });
            let version = Self {
                major: numbers.next()??,
                minor: numbers.next()??,
                patch: numbers.next()??,
                candidate: candidate.map(str::to_owned),
                build: build.map(str::to_owned),
            };
            numbers.next().is_none().then_some(version)
        };
        parse().ok_or_else(|| NotAVersion(text.chars().take(60).collect()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}.{}", self.major, self.minor, self.patch)?;
        if let Some(candidate) = &self.candidate {
            write!(f, "-{candidate}")?;
        }
        if let Some(build) = &self.build {
            write!(f, "+{build}")?;
        }
        Ok(())
    }
}

impl Version {
    /// What releases are ordered by; the tenth build is later than the second.
    fn order(&self) -> impl Ord {
        let split = |text: &Option<String>| {
            text.as_ref().map(|text| {
                let word = text.trim_end_matches(|letter: char| letter.is_ascii_digit());
                let number: u64 = text[word.len()..].parse().unwrap_or_default();
                (word.to_owned(), number, text.clone())
            })
        };
        let numbers = (self.major, self.minor, self.patch);
        let (candidate, build) = (split(&self.candidate), split(&self.build));
        (numbers, candidate.is_none(), candidate, build)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_taken_apart_and_put_together_again() {
        for text in [
            "v1.36.3+k3s1",
            "v1.36.0-rc1+k3s2",
            "v1.36.3",
            "v1.25.16+k3s4",
            "v1.36.3-rc.0+k0s.2",
        ] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
        }
        let version: Version = "v1.36.3+k3s1".parse().unwrap();
        assert_eq!((version.major, version.minor, version.patch), (1, 36, 3));
        assert_eq!(version.build.as_deref(), Some("k3s1"));
    }

    #[test]
    fn what_could_leave_a_directory_or_an_address_is_no_version() {
        for text in [
            "",
            "v",
            "stable",
            "v1.36",
            "v1.36.3.4",
            "v1.36.3+",
            "v1.36.3+k3s1/../../x",
            "v1.36.3+k3s1 --insecure",
            "../v1.36.3",
            "v1..3",
            "v1.+36.3",
            "v1.36.99999999999999999999",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn versions_are_ordered_as_they_were_released() {
        let order = [
            "v1.9.9+k3s1",
            "v1.36.0-rc1+k3s1",
            "v1.36.0-rc2+k3s1",
            "v1.36.0-rc10+k3s1",
            "v1.36.0+k3s1",
            "v1.36.0+k3s2",
            "v1.36.0+k3s10",
            "v1.36.1+k3s1",
            "v1.37.0+k3s1",
            "v1.37.1-rc.0+k0s.0",
            "v1.37.1-rc.2+k0s.0",
            "v1.37.1-rc.10+k0s.1",
            "v1.37.1+k0s.0",
            "v1.37.1+k0s.2",
            "v1.37.1+k0s.10",
        ]
        .map(|text| text.parse::<Version>().unwrap());
        assert!(order.is_sorted_by(|one, other| one < other), "{order:?}");
    }

    #[test]
    fn the_version_is_found_in_what_the_binary_says() {
        for (output, expected) in [
            (
                "k3s version v1.36.3+k3s1 (ab12cd34)\ngo version go1.26.5\n",
                Some("v1.36.3+k3s1"),
            ),
            (
                "warning: something\nk3s version v1.36.3+k3s1 (x)\n",
                Some("v1.36.3+k3s1"),
            ),
            ("k3s version dev (HEAD)\n", None),
            ("", None),
        ] {
            let found =
                Version::from_output(output, "k3s version ").map(|version| version.to_string());
            assert_eq!(found.as_deref(), expected, "{output}");
        }
    }
}
