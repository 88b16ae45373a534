//! How the releases of k3s are laid out: which file is for which processor, and where a channel is
//! asked for.

use crate::artifacts::{Architecture, Releases};
use crate::distribution::version::Version;

/// The releases of k3s.
pub(super) const RELEASES: Releases = Releases {
    name: "k3s",
    address: "https://github.com/k3s-io/k3s/releases/download",
    channel: |channel| format!("https://update.k3s.io/v1-release/channels/{channel}"),
    binary: |_, architecture| match architecture {
        Architecture::Amd64 => "k3s".to_owned(),
        other => format!("k3s-{other}"),
    },
    hashes: |architecture| match architecture {
        Architecture::Amd64 => "sha256sum-amd64.txt",
        Architecture::Arm64 => "sha256sum-arm64.txt",
        Architecture::Armhf => "sha256sum-arm.txt",
        Architecture::S390x => "sha256sum-s390x.txt",
    },
    version: |text| {
        let version = text.parse::<Version>();
        version
            .map(|version| version.to_string())
            .map_err(|error| error.to_string())
    },
    example: "v1.36.3+k3s1",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_processor_has_its_file_and_its_list_of_hashes() {
        use Architecture::{Amd64, Arm64, Armhf, S390x};
        for (architecture, file, hashes) in [
            (Amd64, "k3s", "sha256sum-amd64.txt"),
            (Arm64, "k3s-arm64", "sha256sum-arm64.txt"),
            (Armhf, "k3s-armhf", "sha256sum-arm.txt"),
            (S390x, "k3s-s390x", "sha256sum-s390x.txt"),
        ] {
            assert_eq!((RELEASES.binary)("v1.36.3+k3s1", architecture), file);
            assert_eq!((RELEASES.hashes)(architecture), hashes);
        }
    }
}
