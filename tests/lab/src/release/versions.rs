//! Other versions of the same distribution, for upgrades.

use std::env;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{Release, Source, described, official, stand_in};
use crate::places;

/// The release of this version beside the one that the lab found, its binary below `directory`. A real binary is
/// taken from those that the variable for other versions names, an official release is downloaded; a stand-in of any
/// version is a copy that calls itself so.
pub(crate) fn of_version(found: &Release, version: &str, directory: &Path) -> Result<Release> {
    if version == found.version {
        return Ok(found.clone());
    }
    let path = match found.source {
        Source::Named => named(found, version)?,
        Source::Official => {
            let distribution = found.distribution;
            official(
                distribution,
                version,
                distribution.releases(),
                &places::cache()?,
            )?
            .with_context(|| format!("{distribution} {version} cannot be reached"))?
        }
        Source::StandIn => return renamed(found, &found.path, version, "", directory),
    };
    let place = place_of(found, version, directory)?;
    if !place.exists() {
        symlink(&path, &place).with_context(|| format!("link {}", place.display()))?;
    }
    described(found.distribution, place, found.source)
}

/// A release of this version that tells its version and is of no use otherwise: a server or agent of it ends a few
/// seconds after its start, before it touches its data. It is the stand-in's whatever else the lab runs.
pub(crate) fn broken(found: &Release, version: &str, directory: &Path) -> Result<Release> {
    let original = match found.source {
        Source::StandIn => found.path.clone(),
        Source::Named | Source::Official => stand_in(found.distribution)?,
    };
    renamed(found, &original, version, " broken", directory)
}

/// The binary of this version among those that the variable names.
fn named(found: &Release, version: &str) -> Result<PathBuf> {
    let distribution = found.distribution;
    let variable = format!("{}_OLDER", distribution.variable());
    let files = env::var_os(&variable).unwrap_or_default();
    for path in env::split_paths(&files).filter(|path| !path.as_os_str().is_empty()) {
        let path = fs::canonicalize(&path)
            .with_context(|| format!("{variable} names {}", path.display()))?;
        if described(distribution, path.clone(), Source::Named)?.version == version {
            return Ok(path);
        }
    }
    bail!(
        "no {distribution} {version} beside the one that {} names: name it in {variable}=FILE[:FILE…]",
        distribution.variable()
    )
}

/// A copy of the stand-in with the line at its end by which it calls itself otherwise.
fn renamed(
    found: &Release,
    original: &Path,
    version: &str,
    manner: &str,
    directory: &Path,
) -> Result<Release> {
    let place = place_of(found, version, directory)?;
    fs::copy(original, &place)
        .and_then(|_| File::options().append(true).open(&place))
        .and_then(|mut file| write!(file, "\nstandin {version}{manner}\n"))
        .with_context(|| format!("copy {} to {}", original.display(), place.display()))?;
    // It is not asked: a file that was just written cannot always be run while others start processes.
    Ok(Release {
        distribution: found.distribution,
        path: place,
        version: version.to_owned(),
        source: Source::StandIn,
    })
}

/// Binaries are called after their distribution, since they say their name.
fn place_of(found: &Release, version: &str, directory: &Path) -> Result<PathBuf> {
    let folder = directory.join("releases").join(version);
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(folder.join(found.distribution.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Distribution;

    #[test]
    fn a_copy_of_the_stand_in_carries_its_version_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let original = folder.path().join("original");
        fs::write(&original, "code").unwrap();
        let found = Release {
            distribution: Distribution::K3s,
            path: original,
            version: "v1.36.3+k3s1".to_owned(),
            source: Source::StandIn,
        };
        let same = of_version(&found, "v1.36.3+k3s1", folder.path()).unwrap();
        assert_eq!(same, found);
        for (release, name, text) in [
            (
                of_version(&found, "v1.35.8+k3s1", folder.path()),
                "v1.35.8+k3s1/k3s",
                "code\nstandin v1.35.8+k3s1\n",
            ),
            (
                broken(&found, "v1.36.4+k3s1", folder.path()),
                "v1.36.4+k3s1/k3s",
                "code\nstandin v1.36.4+k3s1 broken\n",
            ),
        ] {
            let path = release.unwrap().path;
            assert!(path.ends_with(name), "{}", path.display());
            assert_eq!(fs::read_to_string(path).unwrap(), text);
        }
    }
}
