//! Where the lab keeps its things.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::command::check_root;

/// The folder of all run folders: `TOWLINE_LAB_RUN`, or `/var/tmp/towline-lab`.
pub(crate) fn run_area() -> Result<PathBuf> {
    check_root()?;
    let area = env::var_os("TOWLINE_LAB_RUN")
        .map_or_else(|| PathBuf::from("/var/tmp/towline-lab"), PathBuf::from);
    private_directory(&area)?;
    mountable(area.canonicalize()?)
}

/// What is worth keeping between runs: `TOWLINE_LAB_CACHE`, or `towline-lab` in the user's cache folder.
pub(crate) fn cache() -> Result<PathBuf> {
    let named = env::var_os("TOWLINE_LAB_CACHE").map(PathBuf::from);
    let user =
        || env::var_os("XDG_CACHE_HOME").map(|cache| PathBuf::from(cache).join("towline-lab"));
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/towline-lab"));
    let cache = named.or_else(user).or_else(home).context(
        "there is no place to cache the machines' image: none of TOWLINE_LAB_CACHE, XDG_CACHE_HOME and HOME is set",
    )?;
    fs::create_dir_all(&cache)
        .with_context(|| format!("create the cache folder {}", cache.display()))?;
    mountable(cache.canonicalize()?)
}

/// Mount options and systemd-nspawn give these characters a meaning.
fn mountable(path: PathBuf) -> Result<PathBuf> {
    ensure!(
        !path.to_string_lossy().contains([',', ':', '\\', '\n']),
        "the lab cannot live below {}: choose a path without comma, colon and backslash",
        path.display()
    );
    Ok(path)
}

/// A folder for root alone; it holds private keys.
pub(crate) fn private_directory(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o700)))
        .with_context(|| format!("create the folder {}", path.display()))
}

/// Opens the lock file at `path` and waits until nobody else holds it. It is released when the file is dropped,
/// also when the process is killed.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = lock_file(path)?;
    file.lock()
        .with_context(|| format!("lock {}", path.display()))?;
    Ok(file)
}

/// Opens the lock file at `path` without locking it.
pub(crate) fn lock_file(path: &Path) -> Result<File> {
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .read(true)
        .open(path)
        .with_context(|| format!("open the lock file {}", path.display()))
}
