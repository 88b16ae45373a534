//! Debian packages on a machine, which has no way out: this host's apt fetches them, the cache keeps them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::command::run;
use crate::machine::Machine;
use crate::{places, say};

/// Takes the packages from standard input and lets apt put them in order: some must be set up before others are
/// unpacked.
const INSTALL: &str = "set -e; folder=$(mktemp -d); tar --directory \"$folder\" --extract; \
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends \"$folder\"/*.deb >\"$folder/log\" 2>&1 \
    || { cat \"$folder/log\" >&2; exit 1; }; rm -rf \"$folder\"";

impl Machine {
    /// Installs a Debian package with all it depends on, and nothing that it only recommends.
    ///
    /// The first time on a host it is fetched; that needs the lists of `apt-get update`, for the Debian that the
    /// machines run. Fails where it cannot be had, and where the machine's apt does not take it.
    pub fn install(&self, package: &str) -> Result<()> {
        let folder = fetch(&self.site.image, package)?;
        let mut archive = Command::new("tar")
            .args(["--create", "--directory"])
            .arg(&folder)
            .arg(".")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("start tar")?;
        let packages = archive.stdout.take().context("read what tar packs")?;
        let installed = self
            .ssh_command()
            .args(["-o", "BatchMode=yes"])
            .arg(self.target("root"))
            .arg(INSTALL)
            .stdin(packages)
            .output()
            .context("start ssh")?;
        let packed = archive.wait().context("wait for tar")?;
        ensure!(
            packed.success() && installed.status.success(),
            "{package} could not be installed on {} ({}): {}",
            self.name(),
            installed.status,
            String::from_utf8_lossy(&installed.stderr).trim()
        );
        Ok(())
    }
}

/// Returns a folder with the package and whatever the image lacks for it, and fetches them where the cache has none.
fn fetch(image: &Path, package: &str) -> Result<PathBuf> {
    let name = image.file_name().context("the image has a name")?;
    let area = places::cache()?.join("packages").join(name);
    fs::create_dir_all(&area)?;
    let folder = area.join(package);
    let _lock = places::lock(&area.join("lock"))?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let began = Instant::now();
    let unfinished = tempfile::Builder::new()
        .prefix("unfinished-")
        .tempdir_in(&area)?;
    fs::create_dir(unfinished.path().join("partial"))?;
    download(image, package, unfinished.path())
        .with_context(|| format!("fetch {package}; `apt-get update` on this host may help"))?;
    // What apt leaves beside the packages is for nobody.
    for entry in fs::read_dir(unfinished.path())? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(&path)?;
        } else if path.extension().is_none_or(|extension| extension != "deb") {
            fs::remove_file(&path)?;
        }
    }
    fs::rename(unfinished.keep(), &folder)
        .with_context(|| format!("move the packages to {}", folder.display()))?;
    say::progress(&format!(
        "{package} fetched in {} s: {}",
        began.elapsed().as_secs(),
        folder.display()
    ));
    Ok(folder)
}

/// Runs this host's apt as if what the image has were all that is installed. Its lists are read; nothing of its own
/// is written or locked.
fn download(image: &Path, package: &str, folder: &Path) -> Result<()> {
    let mut apt = Command::new("apt-get");
    apt.args(["install", "--download-only", "--yes", "--quiet"]);
    apt.arg("--no-install-recommends");
    let status = image.join("var/lib/dpkg/status");
    let states = folder.join("extended_states");
    for (option, value) in [
        ("Dir::State::status", status.as_path()),
        ("Dir::State::extended_states", states.as_path()),
        ("Dir::Cache::archives", folder),
        ("Dir::Cache::pkgcache", Path::new("")),
        ("Dir::Cache::srcpkgcache", Path::new("")),
        ("APT::Sandbox::User", Path::new("root")),
        ("Debug::NoLocking", Path::new("true")),
    ] {
        apt.arg("-o").arg(format!("{option}={}", value.display()));
    }
    run(apt.arg(package).env("LC_ALL", "C"))?;
    Ok(())
}
