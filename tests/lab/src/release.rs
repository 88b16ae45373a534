//! Which k3s or k0s runs in the lab's machines, decided in one place.
//!
//! 1. the binary that `TOWLINE_LAB_K3S` or `TOWLINE_LAB_K0S` names;
//! 2. the official release, where its site can be reached: downloaded once, checked, cached;
//! 3. the stand-in, built on the spot (six minutes, then cached by its build script).

use std::fmt;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::command::run;
use crate::{places, say};

mod distribution;
pub(crate) mod versions;

pub use distribution::Distribution;

/// Where a binary comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// `TOWLINE_LAB_K3S` or `TOWLINE_LAB_K0S` names it.
    Named,
    /// The official release.
    Official,
    /// The stand-in, built from `tests/lab`.
    StandIn,
}

/// A k3s or k0s binary for the machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// What it is a binary of.
    pub distribution: Distribution,
    /// The file on this host.
    pub path: PathBuf,
    /// What it says of itself, such as `v1.36.3+k3s1`.
    pub version: String,
    /// Where it comes from.
    pub source: Source,
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let distribution = self.distribution;
        write!(formatter, "{distribution} {}, ", self.version)?;
        match self.source {
            Source::Named => write!(formatter, "named by {}", distribution.variable()),
            Source::Official => formatter.write_str("the official release"),
            Source::StandIn => write!(
                formatter,
                "the stand-in built from tests/lab/{distribution}"
            ),
        }?;
        write!(formatter, ": {}", self.path.display())
    }
}

/// Finds the binary to use, once per process, and says which one it is. Fails where a named binary does not run,
/// where a download has the wrong checksum, or where the stand-in cannot be built; it never falls back from a binary
/// that is there and wrong.
pub fn find(distribution: Distribution) -> Result<Release> {
    static FOUND: Mutex<Vec<Release>> = Mutex::new(Vec::new());
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(release) = found
        .iter()
        .find(|release| release.distribution == distribution)
    {
        return Ok(release.clone());
    }
    let release = choose(distribution)?;
    say::aloud(&release.to_string());
    found.push(release.clone());
    Ok(release)
}

fn choose(distribution: Distribution) -> Result<Release> {
    let variable = distribution.variable();
    if let Some(named) = std::env::var_os(variable).filter(|named| !named.is_empty()) {
        let path = fs::canonicalize(&named)
            .with_context(|| format!("{variable} names {}", named.display()))?;
        return described(distribution, path, Source::Named)
            .with_context(|| format!("use the {distribution} that {variable} names"));
    }
    let (version, releases) = (distribution.version(), distribution.releases());
    if let Some(path) = official(distribution, version, releases, &places::cache()?)? {
        return described(distribution, path, Source::Official);
    }
    described(distribution, stand_in(distribution)?, Source::StandIn)
}

/// Asks the binary for its version.
fn described(distribution: Distribution, path: PathBuf, source: Source) -> Result<Release> {
    let question = distribution.version_question();
    let answer =
        run(Command::new(&path).arg(question)).context("ask this binary for its version")?;
    let version = version_in(&answer)
        .with_context(|| format!("{} {question} said {answer:?}", path.display()))?;
    Ok(Release {
        distribution,
        version: version.to_owned(),
        path,
        source,
    })
}

/// `k3s version v1.36.3+k3s1 (1a2b3c4d)`, or the version alone.
fn version_in(answer: &str) -> Option<&str> {
    answer
        .lines()
        .next()?
        .split_whitespace()
        .find(|word| word.starts_with('v') && word.contains('.'))
}

impl Release {
    /// The name of its file in a release.
    pub fn asset(&self) -> String {
        self.distribution.asset(&self.version)
    }

    /// Where its binary stands in a mirror that serves it: `/v1.36.3+k3s1/k3s`.
    pub fn asset_path(&self) -> String {
        format!("/{}/{}", self.version, self.asset())
    }
}

/// A version or a file's name as it stands in a release's address.
pub(crate) fn url_encoded(version: &str) -> String {
    version.replace('+', "%2B")
}

/// The binary from the cache or from where `releases` leads; none where that cannot be reached.
fn official(
    distribution: Distribution,
    version: &str,
    releases: &str,
    cache: &Path,
) -> Result<Option<PathBuf>> {
    let asset = distribution.asset(version);
    let directory = cache.join(distribution.as_str()).join(version);
    let path = directory.join(&asset);
    if path.exists() {
        return Ok(Some(path));
    }
    let release = format!("{releases}/{}", url_encoded(version));
    let address = format!("{release}/{}", distribution.checksums());
    let Ok(checksums) = fetch(&["--connect-timeout", "3", "--max-time", "30", &address]) else {
        return Ok(None);
    };
    let listed = |line: &str| {
        let (sum, name) = line.split_once(char::is_whitespace)?;
        (name.trim().trim_start_matches('*') == asset).then(|| sum.to_owned())
    };
    let expected = checksums
        .lines()
        .find_map(listed)
        .with_context(|| format!("{address} does not list {asset}"))?;

    fs::create_dir_all(&directory).with_context(|| format!("create {}", directory.display()))?;
    let _lock = places::lock(&directory.join("lock"))?;
    if path.exists() {
        return Ok(Some(path));
    }
    let address = format!("{release}/{}", url_encoded(&asset));
    say::progress(&format!("downloading {address}"));
    let unfinished = directory.join("unfinished");
    fetch(&[
        "--connect-timeout",
        "10",
        "--output",
        &unfinished.to_string_lossy(),
        &address,
    ])?;
    let sum = sha256(&unfinished)?;
    ensure!(
        sum == expected,
        "{address} has the checksum {sum}, but {expected} was announced: not using it"
    );
    fs::set_permissions(&unfinished, Permissions::from_mode(0o755))?;
    fs::rename(&unfinished, &path)?;
    Ok(Some(path))
}

fn fetch(arguments: &[&str]) -> Result<String> {
    run(Command::new("curl")
        .args(["--fail", "--silent", "--show-error", "--location"])
        .args(arguments))
}

/// A file's SHA-256 in hexadecimal.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let answer = run(Command::new("sha256sum").arg("--binary").arg(path))?;
    Ok(answer
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .trim_start_matches('\\')
        .to_owned())
}

/// Builds the stand-in, or lets its build script find it in its own cache.
fn stand_in(distribution: Distribution) -> Result<PathBuf> {
    let variable = distribution.variable();
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("build");
    say::progress(&format!(
        "no official {distribution} within reach; asking {} for the stand-in",
        build.display()
    ));
    // Its progress goes to our standard error, line by line.
    let output = Command::new(&build)
        .arg(distribution.as_str())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("start {}", build.display()))?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if !output.status.success() || !path.is_file() {
        bail!(
            "{} built no {distribution} ({}); it needs Go and the Go module proxy. Or name one: {variable}=/path/to/{distribution}",
            build.display(),
            output.status
        );
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::{Fault, Mirror};

    #[test]
    fn the_official_release_is_downloaded_once_and_checked() {
        for distribution in [Distribution::K3s, Distribution::K0s] {
            downloaded_once_and_checked(distribution);
        }
    }

    fn downloaded_once_and_checked(distribution: Distribution) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("binary");
        fs::write(&path, "binary").unwrap();
        let release = Release {
            distribution,
            path,
            version: distribution.version().to_owned(),
            source: Source::Named,
        };
        let mirror = Mirror::release(&release).unwrap();
        let asset = release.asset_path();
        let get = |url: &str, cache: &Path| official(distribution, &release.version, url, cache);

        for (fault, complaint) in [
            (Fault::Corrupt, "was announced: not using it"),
            (Fault::Truncate(2), "curl"),
        ] {
            mirror.break_path(&asset, fault);
            let error = get(mirror.url(), folder.path()).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
        mirror.heal(&asset);
        let first = get(mirror.url(), folder.path()).unwrap().unwrap();
        assert_eq!(fs::read_to_string(&first).unwrap(), "binary");
        assert_ne!(
            fs::metadata(&first).unwrap().permissions().mode() & 0o100,
            0
        );
        let asked = mirror.requests(&asset);
        let gone = mirror.url().to_owned();
        assert_eq!(get(&gone, folder.path()).unwrap(), Some(first));
        assert_eq!(mirror.requests(&asset), asked);

        drop(mirror);
        assert_eq!(
            get(&gone, tempfile::tempdir().unwrap().path()).unwrap(),
            None
        );
    }

    #[test]
    fn the_version_is_found_in_the_answer() {
        assert_eq!(
            version_in("k3s version v1.36.3+k3s1 (0123abcd)\ngo version go1.26"),
            Some("v1.36.3+k3s1")
        );
        assert_eq!(version_in("v1.36.3+k0s.2\n"), Some("v1.36.3+k0s.2"));
        assert_eq!(version_in(""), None);
    }
}
