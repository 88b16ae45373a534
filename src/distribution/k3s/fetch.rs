//! Gets the binary of k3s onto this machine, once per version and processor.
//!
//! The cache holds `<cache>/k3s/<version>/<architecture>/<source>/k3s` and its `sha256` beside it,
//! and in `announced` the hash that the list of this source has for it, which is all that is needed
//! where hosts fetch the binary themselves. What came from one source never answers for another: a
//! list of hashes is worth as much as the place that it came from. A cached file is hashed before every use, so a damaged one is
//! never installed; a good one needs no network at all.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::release::{asset, hash_in, hash_list, is_plain_http, url};
use super::version::Version;
use crate::digest::sha256;
use crate::distribution::architecture::Architecture;
use crate::distribution::download::{Client, Patience, Proxy, shown};
use crate::distribution::local::{BinaryArtifact, architecture_of, sha256_of};
use crate::error::Problem;

/// The most that is downloaded; the binary has 80 MB.
const LIMIT: u64 = 500 << 20;
const TEMPORARY: &str = ".download-";
/// The folder of what came from the project's own releases.
const RELEASE: &str = "release";

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
    pub proxy: Option<Proxy>,
    /// The SHA-256 that it must have, whatever the source says; in lower-case digits.
    pub sha256: Option<String>,
}

impl Fetch {
    fn proxy_towards(&self, mirror: Option<&str>) -> Option<&Proxy> {
        self.proxy.as_ref().and_then(|proxy| proxy.towards(mirror))
    }
}

/// Fetches a binary, or takes it from the cache. `progress` is told how many bytes there are and,
/// where the server says so, how many there will be. Blocks.
pub fn fetch(
    request: &Fetch,
    progress: &dyn Fn(u64, Option<u64>),
) -> Result<BinaryArtifact, Problem> {
    fetch_with(request, progress, Patience::default())
}

/// What the release says of a binary, from the cache or from its list of hashes. The binary itself
/// is not fetched. Blocks.
pub fn announced(request: &Fetch) -> Result<BinaryArtifact, Problem> {
    announced_with(request, Patience::default())
}

fn announced_with(request: &Fetch, timeout: Patience) -> Result<BinaryArtifact, Problem> {
    let (slot, version) = Slot::of(request)?;
    let kept = noted(&slot.hash);
    let known = request.sha256.clone().or_else(|| kept.clone());
    let sha256 = if let Some(sha256) = known.or_else(|| noted(&slot.announced)) {
        sha256
    } else {
        let sha256 = ask(request, &version, timeout)?;
        fs::create_dir_all(&slot.directory)
            .and_then(|()| slot.note_source(request))
            .and_then(|()| slot.note(&slot.announced, &hash_line(&sha256)))
            .map_err(|error| slot.unusable(&error))?;
        sha256
    };
    let size = fs::metadata(&slot.binary)
        .ok()
        .filter(|_| kept.as_ref() == Some(&sha256))
        .map(|file| file.len());
    Ok(slot.supply(sha256, size, &version, request.architecture))
}

/// The address at which hosts find the binary.
pub fn address(request: &Fetch) -> Result<String, Problem> {
    let (_, version) = Slot::of(request)?;
    let mirror = request.mirror.as_deref();
    Ok(url(mirror, &version, asset(request.architecture)))
}

fn fetch_with(
    request: &Fetch,
    progress: &dyn Fn(u64, Option<u64>),
    timeout: Patience,
) -> Result<BinaryArtifact, Problem> {
    let (slot, version) = Slot::of(request)?;
    // The second one waits, and then finds the file.
    let _lock = slot.lock().map_err(|error| slot.unusable(&error))?;
    if let Some(binary) = slot.cached(request, &version) {
        return Ok(binary);
    }
    slot.clear().map_err(|error| slot.unusable(&error))?;
    slot.download(request, &version, progress, timeout)
}

/// The place of one binary in the cache.
struct Slot {
    directory: PathBuf,
    binary: PathBuf,
    hash: PathBuf,
    announced: PathBuf,
    source: PathBuf,
}

impl Slot {
    fn of(request: &Fetch) -> Result<(Self, Version), Problem> {
        // Part of a path from here on: only what is a version gets through.
        let version: Version = request
            .version
            .parse()
            .map_err(|error: super::version::NotAVersion| Problem::new(error.to_string()))?;
        let directory = request
            .cache_dir
            .join("k3s")
            .join(version.to_string())
            .join(request.architecture.name())
            .join(match &request.mirror {
                None => RELEASE.to_owned(),
                // An address is no name of a folder; its beginning is in the file `source`.
                Some(mirror) => format!("mirror-{}", &sha256(mirror)[..16]),
            });
        let slot = Self {
            binary: directory.join("k3s"),
            hash: directory.join("sha256"),
            announced: directory.join("announced"),
            source: directory.join("source"),
            directory,
        };
        Ok((slot, version))
    }

    fn supply(
        &self,
        sha256: String,
        size: Option<u64>,
        version: &Version,
        architecture: Architecture,
    ) -> BinaryArtifact {
        BinaryArtifact {
            path: self.binary.clone(),
            sha256,
            size,
            version: Some(version.to_string()),
            architecture,
            download: None,
        }
    }

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
    fn cached(&self, request: &Fetch, version: &Version) -> Option<BinaryArtifact> {
        let noted = noted(&self.hash)?;
        if request
            .sha256
            .as_ref()
            .is_some_and(|pinned| *pinned != noted)
        {
            return None;
        }
        let (sha256, size) = sha256_of(&self.binary).ok()?;
        if sha256 != noted {
            tracing::warn!(path = %self.binary.display(), "the cached file is damaged and is fetched again");
            return None;
        }
        Some(self.supply(sha256, Some(size), version, request.architecture))
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
        timeout: Patience,
    ) -> Result<BinaryArtifact, Problem> {
        let mirror = request.mirror.as_deref();
        let client = Client::new(
            request.proxy_towards(mirror),
            is_plain_http(mirror)?,
            timeout,
        )?;
        let file = asset(request.architecture);
        let (expected, whose) = match &request.sha256 {
            Some(pinned) => (pinned.clone(), "the inventory names"),
            None => (ask(request, version, timeout)?, "the release announces"),
        };
        let binary_url = url(mirror, version, file);
        let binary_shown = shown(&binary_url);
        let mut temporary = self.temporary().map_err(|error| self.unusable(&error))?;
        let received = client.stream(&binary_url, LIMIT, &mut temporary, progress)?;
        if received.sha256 != expected {
            return Err(Problem::new(format!("{binary_shown}: is not the file that {whose}"))
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
        self.keep(temporary, &received.sha256, request)
            .map_err(|error| self.unusable(&error))?;
        Ok(self.supply(
            received.sha256,
            Some(received.size),
            version,
            request.architecture,
        ))
    }

    fn temporary(&self) -> io::Result<tempfile::NamedTempFile> {
        tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&self.directory)
    }

    /// Gives a checked file its name; its hash follows, so that a file with a hash is whole.
    fn keep(
        &self,
        temporary: tempfile::NamedTempFile,
        sha256: &str,
        request: &Fetch,
    ) -> io::Result<()> {
        temporary
            .as_file()
            .set_permissions(Permissions::from_mode(0o755))?;
        persist(temporary, &self.binary)?;
        self.note_source(request)?;
        if request.sha256.is_none() {
            self.note(&self.announced, &hash_line(sha256))?;
        }
        self.note(&self.hash, &hash_line(sha256))
    }

    /// Where this comes from, for the user who looks into the cache.
    fn note_source(&self, request: &Fetch) -> io::Result<()> {
        match &request.mirror {
            Some(mirror) => self.note(&self.source, mirror),
            None => Ok(()),
        }
    }

    fn note(&self, path: &Path, line: &str) -> io::Result<()> {
        let mut note = self.temporary()?;
        writeln!(note, "{line}")?;
        persist(note, path)
    }
}

/// The hash that the release's list has for the binary.
fn ask(request: &Fetch, version: &Version, timeout: Patience) -> Result<String, Problem> {
    let mirror = request.mirror.as_deref();
    let client = Client::new(
        request.proxy_towards(mirror),
        is_plain_http(mirror)?,
        timeout,
    )?;
    let file = asset(request.architecture);
    let list_url = url(mirror, version, hash_list(request.architecture));
    let list = client.text(&list_url, 1 << 20)?;
    let hash = hash_in(&list, file).ok_or_else(|| {
        Problem::new(format!("{}: has no hash of `{file}`", shown(&list_url)))
            .because("without it the download cannot be checked, so nothing is fetched")
            .next("see whether the mirror serves the release's own list of hashes")
    })?;
    Ok(hash.to_ascii_lowercase())
}

fn hash_line(sha256: &str) -> String {
    format!("{sha256}  k3s")
}

/// The hash in a note of an earlier run.
fn noted(note: &Path) -> Option<String> {
    let text = fs::read_to_string(note).ok()?;
    hash_in(&text, "k3s").map(str::to_owned)
}

fn persist(temporary: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests;
