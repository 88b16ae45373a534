//! Which k3s runs in the lab's machines, decided in one place.
//!
//! 1. the binary that `TOWLINE_LAB_K3S` names;
//! 2. the official release, where its site can be reached: downloaded once, checked, cached;
//! 3. the stand-in of `tests/lab/k3s`, built on the spot (six minutes, then cached by its build script).

use std::fmt;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::command::run;
use crate::{places, say};

/// The release that is downloaded; its version is the stand-in's, too.
pub const VERSION: &str = "v1.36.3+k3s1";

const RELEASES: &str = "https://github.com/k3s-io/k3s/releases/download";

/// Names a binary to use instead of all others.
const VARIABLE: &str = "TOWLINE_LAB_K3S";

/// Where a k3s comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// `TOWLINE_LAB_K3S` names it.
    Named,
    /// The official release.
    Official,
    /// The stand-in, built from `tests/lab/k3s`.
    StandIn,
}

/// A k3s binary for the machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct K3s {
    /// The file on this host.
    pub path: PathBuf,
    /// What it says of itself, such as `v1.36.3+k3s1`.
    pub version: String,
    /// Where it comes from.
    pub source: Source,
}

impl fmt::Display for K3s {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Source::Named => "named by TOWLINE_LAB_K3S",
            Source::Official => "the official release",
            Source::StandIn => "the stand-in built from tests/lab/k3s",
        };
        write!(
            formatter,
            "k3s {}, {source}: {}",
            self.version,
            self.path.display()
        )
    }
}

/// Finds the k3s to use, once per process, and says which one it is. Fails where a named binary does not run, where a download has the wrong
/// checksum, or where the stand-in cannot be built; it never falls back from a k3s that is there and wrong.
pub fn find() -> Result<K3s> {
    static FOUND: OnceLock<K3s> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(found.clone());
    }
    let found = choose()?;
    say::aloud(&found.to_string());
    Ok(FOUND.get_or_init(|| found).clone())
}

fn choose() -> Result<K3s> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        let path = fs::canonicalize(&named)
            .with_context(|| format!("{VARIABLE} names {}", named.display()))?;
        return described(path, Source::Named)
            .with_context(|| format!("use the k3s that {VARIABLE} names"));
    }
    if let Some(path) = official(RELEASES, &places::cache()?)? {
        return described(path, Source::Official);
    }
    described(stand_in()?, Source::StandIn)
}

/// Asks the binary for its version.
fn described(path: PathBuf, source: Source) -> Result<K3s> {
    let answer =
        run(Command::new(&path).arg("--version")).context("ask this k3s for its version")?;
    let version = version_in(&answer)
        .with_context(|| format!("{} --version said {answer:?}", path.display()))?;
    Ok(K3s {
        version: version.to_owned(),
        path,
        source,
    })
}

/// `k3s version v1.36.3+k3s1 (1a2b3c4d)`.
fn version_in(answer: &str) -> Option<&str> {
    answer
        .lines()
        .next()?
        .split_whitespace()
        .find(|word| word.starts_with('v') && word.contains('.'))
}

impl K3s {
    /// Where its binary stands in a mirror that serves it: `/v1.36.3+k3s1/k3s`.
    pub fn asset_path(&self) -> String {
        format!("/{}/{}", self.version, asset_names().0)
    }
}

/// How a release's files are named for this processor: the binary and the suffix of its list of checksums.
pub(crate) fn asset_names() -> (&'static str, &'static str) {
    if cfg!(target_arch = "aarch64") {
        ("k3s-arm64", "arm64")
    } else {
        ("k3s", "amd64")
    }
}

/// A version as it stands in a release's address.
pub(crate) fn url_encoded(version: &str) -> String {
    version.replace('+', "%2B")
}

/// The binary of [`VERSION`] from the cache or from where `releases` leads; none where that cannot be reached.
fn official(releases: &str, cache: &Path) -> Result<Option<PathBuf>> {
    let (asset, architecture) = asset_names();
    let directory = cache.join("k3s").join(VERSION);
    let path = directory.join(asset);
    if path.exists() {
        return Ok(Some(path));
    }
    let release = format!("{releases}/{}", url_encoded(VERSION));
    let address = format!("{release}/sha256sum-{architecture}.txt");
    let Ok(checksums) = fetch(&["--connect-timeout", "3", "--max-time", "30", &address]) else {
        return Ok(None);
    };
    let listed = |line: &str| {
        let (sum, name) = line.split_once(char::is_whitespace)?;
        (name.trim() == asset).then(|| sum.to_owned())
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
    let address = format!("{release}/{asset}");
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
fn stand_in() -> Result<PathBuf> {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("k3s/build");
    say::progress(&format!(
        "no official k3s within reach; asking {} for the stand-in",
        build.display()
    ));
    // Its progress goes to our standard error, line by line.
    let output = Command::new(&build)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("start {}", build.display()))?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if !output.status.success() || !path.is_file() {
        bail!(
            "{} built no k3s ({}); it needs Go and the Go module proxy. Or name a k3s: {VARIABLE}=/path/to/k3s",
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
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("binary");
        fs::write(&path, "binary").unwrap();
        let mirror = Mirror::release(&K3s {
            path,
            version: VERSION.to_owned(),
            source: Source::Named,
        })
        .unwrap();
        let asset = format!("/{VERSION}/{}", asset_names().0);

        for (fault, complaint) in [
            (Fault::Corrupt, "was announced: not using it"),
            (Fault::Truncate(2), "curl"),
        ] {
            mirror.break_path(&asset, fault);
            let error = official(mirror.url(), folder.path())
                .unwrap_err()
                .to_string();
            assert!(error.contains(complaint), "{error}");
        }
        mirror.heal(&asset);
        let first = official(mirror.url(), folder.path()).unwrap().unwrap();
        assert_eq!(fs::read_to_string(&first).unwrap(), "binary");
        assert_ne!(
            fs::metadata(&first).unwrap().permissions().mode() & 0o100,
            0
        );
        let asked = mirror.requests(&asset);
        let gone = mirror.url().to_owned();
        assert_eq!(official(&gone, folder.path()).unwrap(), Some(first));
        assert_eq!(mirror.requests(&asset), asked);

        drop(mirror);
        assert_eq!(
            official(&gone, tempfile::tempdir().unwrap().path()).unwrap(),
            None
        );
    }

    #[test]
    fn the_version_is_found_in_the_answer() {
        assert_eq!(
            version_in("k3s version v1.36.3+k3s1 (0123abcd)\ngo version go1.26"),
            Some("v1.36.3+k3s1")
        );
        assert_eq!(version_in(""), None);
    }
}
