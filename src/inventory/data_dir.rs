//! The folder that a distribution keeps its data in.

use std::fmt;
use std::str::FromStr;

/// Folders whose content is not one program's alone, or is gone after a reboot, with all that is below.
const NEVER_BELOW: [&str; 6] = ["/dev", "/etc", "/proc", "/run", "/sys", "/tmp"];

/// Folders that others have files in.
const NEVER: [&str; 17] = [
    "/bin",
    "/boot",
    "/home",
    "/lib",
    "/media",
    "/mnt",
    "/opt",
    "/root",
    "/sbin",
    "/srv",
    "/usr",
    "/usr/local",
    "/usr/local/bin",
    "/var",
    "/var/lib",
    "/var/lib/kubelet",
    "/var/lib/rancher",
];

/// A folder for a distribution's data: absolute, without a slash at its end, and of letters, digits, `.`, `_`
/// and `-` only, so that it means the same in every shell and every configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir(String);

impl DataDir {
    /// The folder.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn new(folder: &str) -> Self {
        Self(folder.to_owned())
    }
}

#[cfg(test)]
impl Default for DataDir {
    fn default() -> Self {
        crate::distribution::DEFAULT.dialect.data_dir()
    }
}

impl fmt::Display for DataDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DataDir {
    /// What such a folder has to be, as the end of a sentence.
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        let is_name = |part: &str| !part.is_empty() && part.chars().all(plain);
        let text = text.trim_end_matches('/');
        let parts = text.strip_prefix('/').unwrap_or_default().split('/');
        if !parts.clone().all(is_name) || parts.clone().any(|part| part == "." || part == "..") {
            return Err("it has to be absolute, of letters, digits, `.`, `_`, `-` and `/`");
        }
        let below = |folder: &&str| {
            text.strip_prefix(*folder)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if NEVER.contains(&text) || NEVER_BELOW.iter().any(below) {
            return Err("it has to be a folder of its own, that outlives a reboot");
        }
        Ok(Self::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders() {
        for folder in [
            "/var/lib/rancher/k3s",
            "/data",
            "/mnt/disk-1/k3s",
            "/tmpfs/k3s",
            "/opt/k3s.d",
        ] {
            let read: DataDir = folder.parse().expect(folder);
            assert_eq!(read.as_str(), folder);
        }
        let trimmed: DataDir = "/data/k3s//".parse().expect("slashes at its end");
        assert_eq!(trimmed.as_str(), "/data/k3s");
        for folder in [
            "",
            "/",
            "data",
            "./data",
            "/data/../etc",
            "/data/./k3s",
            "/data//k3s",
            "/da ta",
            "/$(data)",
            "/data\n",
            "/var",
            "/var/lib/",
            "/tmp/k3s",
            "/run",
            "/etc/rancher",
        ] {
            assert!(folder.parse::<DataDir>().is_err(), "{folder:?}");
        }
    }
}
