//! Gets a manifest onto this machine. The cache holds it by its hash, `<cache>/manifests/<sha256>`, which
//! the inventory names: what has that hash is right, wherever it came from.

use std::fs;
use std::io;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::cache::TEMPORARY;
use super::http::{HttpClient, Proxy};
use crate::digest::{is_sha256, sha256 as digest};
use crate::problem::{Code, Problem, problem};

pub use super::http::shown;

/// The folder in the cache.
const FOLDER: &str = "manifests";

/// The text behind a URL, of that hash. Blocks.
///
/// # Errors
/// It cannot be fetched, is another one than the hash says, or is no text.
pub fn fetch(
    url: &str,
    sha256: &str,
    limit: u64,
    cache: &Path,
    proxy: Option<&Proxy>,
    tell: &dyn Fn(),
) -> Result<String, Problem> {
    let folder = cache.join(FOLDER);
    let kept = folder.join(sha256);
    if let Ok(text) = fs::read_to_string(&kept)
        && digest(&text) == sha256
    {
        return Ok(text);
    }
    tell();
    let proxy = proxy.and_then(|proxy| proxy.towards(Some(url)));
    let client = HttpClient::new(proxy, url.starts_with("http://"))?;
    let text = client.text(url, limit).map_err(|problem| {
        let next = "if this machine has no way there, fetch the file elsewhere, and name the file";
        Problem {
            next: Vec::new(),
            ..problem
        }
        .next(next)
        .inventory("cluster: {manifests: [manifests/NAME.yaml]}")
    })?;
    let received = digest(&text);
    if received != sha256 {
        return Err(problem!(
            Code::DOWNLOAD_WRONG,
            "{}: is not the file that the inventory names",
            shown(url)
        )
        .because(format!("expected sha256 {sha256}"))
        .because(format!("received sha256 {received}"))
        .because("nothing was kept of it, and nothing was changed"));
    }
    let store = || {
        fs::create_dir_all(&folder)?;
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(&kept)?;
        Ok::<_, std::io::Error>(())
    };
    store().map_err(|error| {
        problem!(
            Code::CACHE_UNUSABLE,
            file = folder,
            "the cache cannot be used"
        )
        .because(error)
    })?;
    Ok(text)
}

/// A manifest of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptManifest {
    /// Its hash.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// The manifests in the cache, by their hash.
pub fn list(cache: &Path) -> io::Result<Vec<KeptManifest>> {
    let entries = match fs::read_dir(cache.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut kept = Vec::new();
    for entry in entries {
        let entry = entry?;
        let sha256 = entry.file_name().to_string_lossy().into_owned();
        if is_sha256(&sha256) && entry.file_type()?.is_file() {
            kept.push(KeptManifest {
                sha256,
                bytes: entry.metadata()?.len(),
                path: entry.path(),
            });
        }
    }
    kept.sort_by(|one, other| one.sha256.cmp(&other.sha256));
    Ok(kept)
}

/// Removes them, and nothing else that lies there. Returns what was removed.
pub fn clean(cache: &Path) -> io::Result<Vec<KeptManifest>> {
    let removed = list(cache)?;
    for kept in &removed {
        fs::remove_file(&kept.path)?;
    }
    // A folder that holds something else stays.
    let _ = fs::remove_dir(cache.join(FOLDER));
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_manifests_are_listed_and_removed() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!(list(cache.path()).unwrap(), []);
        let folder = cache.path().join(FOLDER);
        fs::create_dir(&folder).unwrap();
        let sha256 = digest("a");
        for name in [&*sha256, "mine"] {
            fs::write(folder.join(name), "a").unwrap();
        }
        let listed = list(cache.path()).unwrap();
        assert_eq!((&listed[0].sha256, listed[0].bytes), (&sha256, 1));
        assert_eq!(clean(cache.path()).unwrap(), listed);
        assert_eq!(list(cache.path()).unwrap(), []);
        assert!(folder.join("mine").exists());
    }
}
