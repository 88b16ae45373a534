//! What differs between k3s and k0s for the lab.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A distribution of Kubernetes that the machines can run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Distribution {
    #[default]
    /// One binary, servers that are nodes.
    K3s,
    /// One binary, controllers that need not be nodes.
    K0s,
}

impl fmt::Display for Distribution {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Distribution {
    /// As the inventory spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::K3s => "k3s",
            Self::K0s => "k0s",
        }
    }

    /// The variable that names a binary to use instead of all others.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::K3s => "TOWLINE_LAB_K3S",
            Self::K0s => "TOWLINE_LAB_K0S",
        }
    }

    /// The release that is downloaded; its version is the stand-in's, too.
    pub fn version(self) -> &'static str {
        match self {
            Self::K3s => "v1.36.3+k3s1",
            Self::K0s => "v1.36.3+k0s.2",
        }
    }

    /// The argument to which the binary answers with its version.
    pub(crate) fn version_question(self) -> &'static str {
        match self {
            Self::K3s => "--version",
            Self::K0s => "version",
        }
    }

    /// The address below which each version has a folder.
    pub(crate) fn releases(self) -> &'static str {
        match self {
            Self::K3s => "https://github.com/k3s-io/k3s/releases/download",
            Self::K0s => "https://github.com/k0sproject/k0s/releases/download",
        }
    }

    /// The name of the binary for this processor in a release of this version.
    pub(crate) fn asset(self, version: &str) -> String {
        match self {
            Self::K3s if cfg!(target_arch = "aarch64") => "k3s-arm64".to_owned(),
            Self::K3s => "k3s".to_owned(),
            Self::K0s => format!("k0s-{version}-{}", architecture()),
        }
    }

    /// The name of a release's list of checksums.
    pub(crate) fn checksums(self) -> String {
        match self {
            Self::K3s => format!("sha256sum-{}.txt", architecture()),
            Self::K0s => "sha256sums.txt".to_owned(),
        }
    }

    /// What stands in that list between a checksum and a file's name.
    pub(crate) fn checksum_separator(self) -> &'static str {
        match self {
            Self::K3s => "  ",
            Self::K0s => " *",
        }
    }

    /// The folders of `/var/lib` that cannot lie on an overlay, since containerd makes overlays in them.
    pub(crate) fn data_folders(self) -> &'static [&'static str] {
        match self {
            Self::K3s => &["rancher", "kubelet"],
            Self::K0s => &["k0s"],
        }
    }
}

fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    }
}
