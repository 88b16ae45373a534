//! Gets the binary of k3s onto this machine, once per version and processor.
//!
//! The cache holds `<cache>/k3s/<version>/<architecture>/k3s` and its `sha256` beside it. A cached
//! file is hashed before every use, so a damaged one is never installed; a good one needs no
//! network at all.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::release::{asset, hash_in, hash_list, is_plain_http, url};
use super::version::Version;
use crate::distribution::architecture::Architecture;
use crate::distribution::download::{Client, Patience, shown};
use crate::distribution::local::{LocalBinary, architecture_of, sha256_of};
use crate::error::Problem;

/// The most that is downloaded; the binary has 80 MB.
const LIMIT: u64 = 500 << 20;
const TEMPORARY: &str = ".download-";

/// What is to be fetched.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Exactly which version, `v1.36.3+k3s1`.
    pub version: String,
    /// For which processor.
    pub architecture: Architecture,
    /// A base address in the layout of the project's releases; `None` is the project's own.
    pub mirror: Option<String>,
    /// Where fetched files are kept.
    pub cache_dir: PathBuf,
    /// A proxy, `http://user:password@host:port`.
    pub proxy: Option<String>,
}

/// Fetches a binary, or takes it from the cache. `progress` is told how many bytes there are and,
/// where the server says so, how many there will be. Blocks.
pub fn fetch(request: &Fetch, progress: &dyn Fn(u64, Option<u64>)) -> Result<LocalBinary, Problem> {
    fetch_with(request, progress, Patience::default())
}

fn fetch_with(
    request: &Fetch,
    progress: &dyn Fn(u64, Option<u64>),
    patience: Patience,
) -> Result<LocalBinary, Problem> {
    // Part of a path from here on: only what is a version gets through.
    let version: Version = request
        .version
        .parse()
        .map_err(|error: super::version::NotAVersion| Problem::new(error.to_string()))?;
    let directory = request
        .cache_dir
        .join("k3s")
        .join(version.to_string())
        .join(request.architecture.name());
    let slot = Slot {
        binary: directory.join("k3s"),
        hash: directory.join("sha256"),
        directory,
    };
    // Whoever comes second waits, and then finds the file.
    let _lock = slot.lock().map_err(|error| slot.unusable(&error))?;
    if let Some(binary) = slot.cached(&version, request.architecture) {
        return Ok(binary);
    }
    slot.clear().map_err(|error| slot.unusable(&error))?;
    slot.download(request, &version, progress, patience)
}

/// The place of one binary in the cache.
struct Slot {
    directory: PathBuf,
    binary: PathBuf,
    hash: PathBuf,
}

impl Slot {
    fn lock(&self) -> io::Result<File> {
        fs::create_dir_all(&self.directory)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.directory.join("lock"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                tracing::info!(directory = %self.directory.display(), "another towline is fetching this; waiting for it");
                file.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(file)
    }

    fn unusable(&self, error: &io::Error) -> Problem {
        Problem::new(format!(
            "{}: the cache cannot be used",
            self.directory.display()
        ))
        .because(error.to_string())
        .next("free some space, or let the cache lie elsewhere")
    }

    /// The file of an earlier run, if it still is what it was.
    fn cached(&self, version: &Version, architecture: Architecture) -> Option<LocalBinary> {
        let noted = fs::read_to_string(&self.hash).ok()?;
        let noted = noted.split_whitespace().next()?;
        let (sha256, size) = sha256_of(&self.binary).ok()?;
        if sha256 != noted {
            tracing::warn!(path = %self.binary.display(), "the cached file is damaged and is fetched again");
            return None;
        }
        Some(LocalBinary {
            path: self.binary.clone(),
            sha256,
            size,
            version: Some(version.to_string()),
            architecture,
        })
    }

    /// Throws away what cannot be used and what a killed run left behind.
    fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let path = entry.path();
            let is_left_over = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
            if is_left_over || path == self.binary || path == self.hash {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn download(
        &self,
        request: &Fetch,
        version: &Version,
        progress: &dyn Fn(u64, Option<u64>),
        patience: Patience,
    ) -> Result<LocalBinary, Problem> {
        let mirror = request.mirror.as_deref();
        let client = Client::new(request.proxy.as_deref(), is_plain_http(mirror)?, patience)?;
        let file = asset(request.architecture);
        let list_url = url(mirror, version, hash_list(request.architecture));
        let list = client.text(&list_url, 1 << 20)?;
        let expected = hash_in(&list, file)
            .ok_or_else(|| {
                Problem::new(format!("{}: has no hash of `{file}`", shown(&list_url)))
                    .because("without it the download cannot be checked, so nothing is fetched")
                    .next("see whether the mirror serves the release's own list of hashes")
            })?
            .to_ascii_lowercase();

        let binary_url = url(mirror, version, file);
        let binary_shown = shown(&binary_url);
        let mut temporary = self.temporary().map_err(|error| self.unusable(&error))?;
        let received = client.stream(&binary_url, LIMIT, &mut temporary, progress)?;
        if received.sha256 != expected {
            return Err(Problem::new(format!("{binary_shown}: is not the file that the release announces"))
                .because(format!("expected sha256 {expected}"))
                .because(format!("received sha256 {}", received.sha256))
                .because("nothing was kept of it, and nothing was installed")
                .next("run the command again; if it stays so, something on the way or at the mirror alters the file"));
        }
        let found = architecture_of(temporary.path()).map_err(|problem| Problem {
            what: format!("{binary_shown}: is not a usable binary"),
            ..problem
        })?;
        if found != request.architecture {
            return Err(Problem::new(format!(
                "{binary_shown}: is for {found}, and {} was asked for",
                request.architecture
            ))
            .next("see whether the mirror serves the release's own files"));
        }
        self.keep(temporary, &received.sha256)
            .map_err(|error| self.unusable(&error))?;
        Ok(LocalBinary {
            path: self.binary.clone(),
            sha256: received.sha256,
            size: received.size,
            version: Some(version.to_string()),
            architecture: request.architecture,
        })
    }

    fn temporary(&self) -> io::Result<tempfile::NamedTempFile> {
        tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&self.directory)
    }

    /// Gives a checked file its name; its hash follows, so that a file with a hash is whole.
    fn keep(&self, temporary: tempfile::NamedTempFile, sha256: &str) -> io::Result<()> {
        temporary
            .as_file()
            .set_permissions(Permissions::from_mode(0o755))?;
        persist(temporary, &self.binary)?;
        let mut note = self.temporary()?;
        writeln!(note, "{sha256}  k3s")?;
        persist(note, &self.hash)
    }
}

fn persist(temporary: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests;
