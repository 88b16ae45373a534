//! What lies in the cache: one folder per project, version, architecture and source.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// One version for one architecture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The version.
    pub version: String,
    /// For which processor.
    pub architecture: String,
    /// From which mirror it came; `None` is the project's own releases.
    pub mirror: Option<String>,
    /// The size of the binary; 0 where only its hash is kept.
    pub bytes: u64,
    /// The folder.
    pub path: PathBuf,
}

/// The names that towline gives to files in the cache, beside the binary.
const NAMES: [&str; 4] = ["sha256", "announced", "source", "lock"];
/// What a killed run leaves of a download.
pub(super) const TEMPORARY: &str = ".download-";

/// Everything in the cache of a project, by version and architecture.
pub fn list(cache: &Path, project: &str) -> io::Result<Vec<Kept>> {
    let mut kept = Vec::new();
    let name = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    for version in folders(&cache.join(project))? {
        for architecture in folders(&version)? {
            for path in folders(&architecture)? {
                kept.push(Kept {
                    version: name(&version),
                    architecture: name(&architecture),
                    mirror: fs::read_to_string(path.join("source"))
                        .ok()
                        .map(|source| source.trim().to_owned()),
                    bytes: fs::metadata(path.join(project)).map_or(0, |file| file.len()),
                    path,
                });
            }
        }
    }
    Ok(kept)
}

/// Removes what towline has put into the cache, and nothing else that lies there. What another
/// towline is fetching now stays. Returns what was removed.
pub fn clean(cache: &Path, project: &str) -> io::Result<Vec<Kept>> {
    let mut removed = Vec::new();
    for kept in list(cache, project)? {
        let lock = File::options().write(true).open(kept.path.join("lock"));
        if lock.as_ref().is_ok_and(|lock| lock.try_lock().is_err()) {
            continue;
        }
        for entry in fs::read_dir(&kept.path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == project || NAMES.contains(&&*name) || name.starts_with(TEMPORARY) {
                fs::remove_file(entry.path())?;
            }
        }
        // A folder that holds something else stays.
        for folder in kept.path.ancestors().take(3) {
            let _ = fs::remove_dir(folder);
        }
        removed.push(kept);
    }
    Ok(removed)
}

/// The folders in a folder, sorted; none where it does not exist.
fn folders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        // towline has made no links.
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_towline_has_put_there_is_listed_and_removed() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!(list(cache.path(), "k3s").unwrap(), []);
        let slot = cache.path().join("k3s/v1.36.3+k3s1/amd64/release");
        let other = cache.path().join("k3s/v1.35.1+k3s1/arm64/mirror-0123");
        for (folder, file) in [
            (&slot, "k3s"),
            (&slot, "sha256"),
            (&slot, "lock"),
            (&slot, ".download-x"),
            (&other, "announced"),
            (&other, "source"),
            (&other, "mine"),
        ] {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join(file), "12345").unwrap();
        }
        let listed = list(cache.path(), "k3s").unwrap();
        let shown: Vec<_> = listed
            .iter()
            .map(|kept| {
                (
                    &*kept.version,
                    &*kept.architecture,
                    kept.mirror.as_deref(),
                    kept.bytes,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("v1.35.1+k3s1", "arm64", Some("12345"), 0),
                ("v1.36.3+k3s1", "amd64", None, 5)
            ]
        );

        // What is being fetched stays.
        let lock = File::open(slot.join("lock")).unwrap();
        lock.lock().unwrap();
        assert_eq!(clean(cache.path(), "k3s").unwrap(), listed[..1]);
        assert!(slot.join("k3s").exists());
        drop(lock);
        let paths = |kept: &[Kept]| {
            kept.iter()
                .map(|kept| kept.path.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(paths(&clean(cache.path(), "k3s").unwrap()), paths(&listed));
        assert!(!slot.exists());
        assert_eq!(fs::read(other.join("mine")).unwrap(), b"12345");
        assert!(!other.join("announced").exists());
    }
}
