//! How the releases of k0s are laid out: which file is for which processor, and where a channel is
//! asked for.

use crate::artifacts::{Architecture, Releases};
use crate::distribution::version::Version;

/// The releases of k0s.
pub(super) const RELEASES: Releases = Releases {
    name: "k0s",
    address: "https://github.com/k0sproject/k0s/releases/download",
    channel: |channel| format!("https://docs.k0sproject.io/{channel}.txt"),
    binary: |version, architecture| {
        let name = match architecture {
            Architecture::Armhf => "arm",
            other => other.name(),
        };
        format!("k0s-{version}-{name}")
    },
    // One list with the hashes of all files.
    hashes: |_| "sha256sums.txt",
    version: |text| {
        let version = text.trim().parse::<Version>();
        let version =
            version.map_err(|error| format!("{error} of k0s; one looks like v1.36.3+k0s.2"))?;
        Ok(version.to_string())
    },
    example: "v1.36.3+k0s.2",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_processor_has_its_file_in_the_one_list_of_hashes() {
        for (architecture, file) in [
            (Architecture::Amd64, "k0s-v1.36.3+k0s.2-amd64"),
            (Architecture::Arm64, "k0s-v1.36.3+k0s.2-arm64"),
            (Architecture::Armhf, "k0s-v1.36.3+k0s.2-arm"),
        ] {
            assert_eq!((RELEASES.binary)("v1.36.3+k0s.2", architecture), file);
            assert_eq!((RELEASES.hashes)(architecture), "sha256sums.txt");
        }
    }
}
