//! Gets the binary of a release onto this machine, once per version and processor.
//!
//! The cache holds `<cache>/<project>/<version>/<architecture>/<source>/<project>` and its `sha256` beside it,
//! and in `announced` the hash that the list of this source has for it, which is all that is needed
//! where hosts fetch the binary themselves. What came from one source never answers for another: a
//! list of hashes is worth as much as the place that it came from. A cached file is hashed before every use, so a damaged one is
//! never installed; a good one needs no network at all.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::architecture::Architecture;
use super::http::{HttpClient, Proxy, Timeouts, shown};
use super::local::{BinaryArtifact, architecture_of, sha256_of};
use super::releases::{Releases, hash_in, is_plain_http};
use crate::digest::sha256;
use crate::problem::{Code, Problem, problem};

/// The most that is downloaded; the binary has 80 MB.
const LIMIT: u64 = 500 << 20;
const TEMPORARY: &str = ".download-";
/// The folder of what came from the project's own releases.
const RELEASE: &str = "release";

/// What is to be fetched.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Of which project.
    pub releases: &'static Releases,
    /// Exactly which version.
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
    fn client(&self, timeouts: Timeouts) -> Result<HttpClient, Problem> {
        let mirror = self.mirror.as_deref();
        let proxy = self.proxy.as_ref().and_then(|proxy| proxy.towards(mirror));
        HttpClient::new(proxy, is_plain_http(mirror)?, timeouts)
    }

    fn url(&self, version: &str, file: &str) -> String {
        self.releases.url(self.mirror.as_deref(), version, file)
    }

    fn file(&self, version: &str) -> String {
        (self.releases.binary)(version, self.architecture)
    }
}

/// What is told while a file is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownloadProgress {
    /// Another towline is fetching the same, and this one waits for it.
    Waiting,
    /// The file in the cache is not what was put there, and is fetched anew.
    Damaged(PathBuf),
    /// The download begins.
    Downloading,
}

/// Fetches a binary, or takes it from the cache. Blocks.
pub fn fetch(request: &Fetch, tell: &dyn Fn(DownloadProgress)) -> Result<BinaryArtifact, Problem> {
    fetch_with(request, tell, Timeouts::default())
}

/// What the release says of a binary, from the cache or from its list of hashes. The binary itself
/// is not fetched. Blocks.
pub fn announced(request: &Fetch) -> Result<BinaryArtifact, Problem> {
    announced_with(request, Timeouts::default())
}

fn announced_with(request: &Fetch, timeouts: Timeouts) -> Result<BinaryArtifact, Problem> {
    let (slot, version) = Slot::of(request)?;
    let name = request.releases.name;
    let kept = noted(&slot.hash, name);
    let known = request.sha256.clone().or_else(|| kept.clone());
    let sha256 = if let Some(sha256) = known.or_else(|| noted(&slot.announced, name)) {
        sha256
    } else {
        let sha256 = ask(request, &version, timeouts)?;
        fs::create_dir_all(&slot.directory)
            .and_then(|()| slot.note_source(request))
            .and_then(|()| slot.note(&slot.announced, &hash_line(&sha256, name)))
            .map_err(|error| slot.unusable(&error))?;
        sha256
    };
    let size = fs::metadata(&slot.binary)
        .ok()
        .filter(|_| kept.as_ref() == Some(&sha256))
        .map(|file| file.len());
    Ok(slot.artifact(sha256, size, version, request.architecture))
}

/// The address at which hosts find the binary.
pub fn address(request: &Fetch) -> Result<String, Problem> {
    let (_, version) = Slot::of(request)?;
    Ok(request.url(&version, &request.file(&version)))
}

fn fetch_with(
    request: &Fetch,
    tell: &dyn Fn(DownloadProgress),
    timeouts: Timeouts,
) -> Result<BinaryArtifact, Problem> {
    let (slot, version) = Slot::of(request)?;
    // The second one waits, and then finds the file.
    let _lock = slot.lock(tell).map_err(|error| slot.unusable(&error))?;
    if let Some((sha256, size)) = slot.cached(request, tell) {
        return Ok(slot.artifact(sha256, Some(size), version, request.architecture));
    }
    slot.clear().map_err(|error| slot.unusable(&error))?;
    slot.download(request, version, tell, timeouts)
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
    fn of(request: &Fetch) -> Result<(Self, String), Problem> {
        // Part of a path from here on: only what is a version gets through.
        let name = request.releases.name;
        let version = (request.releases.version)(&request.version)
            .map_err(|why| Problem::new(Code::VERSION_INVALID, why))?;
        let directory = request
            .cache_dir
            .join(name)
            .join(&version)
            .join(request.architecture.name())
            .join(match &request.mirror {
                None => RELEASE.to_owned(),
                // An address is no name of a folder; its beginning is in the file `source`.
                Some(mirror) => format!("mirror-{}", &sha256(mirror)[..16]),
            });
        let slot = Self {
            binary: directory.join(name),
            hash: directory.join("sha256"),
            announced: directory.join("announced"),
            source: directory.join("source"),
            directory,
        };
        Ok((slot, version))
    }

    fn artifact(
        &self,
        sha256: String,
        size: Option<u64>,
        version: String,
        architecture: Architecture,
    ) -> BinaryArtifact {
        BinaryArtifact {
            path: self.binary.clone(),
            sha256,
            size,
            version: Some(version),
            architecture,
            download: None,
        }
    }

    fn lock(&self, tell: &dyn Fn(DownloadProgress)) -> io::Result<File> {
        fs::create_dir_all(&self.directory)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.directory.join("lock"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                tell(DownloadProgress::Waiting);
                file.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(file)
    }

    fn unusable(&self, error: &io::Error) -> Problem {
        problem!(
            Code::CACHE_UNUSABLE,
            file = self.directory,
            "the cache cannot be used"
        )
        .because(error)
        .next("free some space, or let the cache lie elsewhere")
    }

    /// The file of an earlier run, if it still is what it was.
    fn cached(&self, request: &Fetch, tell: &dyn Fn(DownloadProgress)) -> Option<(String, u64)> {
        let noted = noted(&self.hash, request.releases.name)?;
        if request
            .sha256
            .as_ref()
            .is_some_and(|pinned| *pinned != noted)
        {
            return None;
        }
        let (sha256, size) = sha256_of(&self.binary).ok()?;
        if sha256 != noted {
            tell(DownloadProgress::Damaged(self.binary.clone()));
            return None;
        }
        Some((sha256, size))
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
        version: String,
        tell: &dyn Fn(DownloadProgress),
        timeouts: Timeouts,
    ) -> Result<BinaryArtifact, Problem> {
        let client = request.client(timeouts)?;
        let (expected, whose) = match &request.sha256 {
            Some(pinned) => (pinned.clone(), "the inventory names"),
            None => (ask(request, &version, timeouts)?, "the release announces"),
        };
        let binary_url = request.url(&version, &request.file(&version));
        let binary_shown = shown(&binary_url);
        let mut temporary = self.temporary().map_err(|error| self.unusable(&error))?;
        tell(DownloadProgress::Downloading);
        let received = client.stream(&binary_url, LIMIT, &mut temporary)?;
        if received.sha256 != expected {
            return Err(problem!(Code::DOWNLOAD_WRONG, "{binary_shown}: is not the file that {whose}")
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
            return Err(problem!(
                Code::DOWNLOAD_WRONG,
                "{binary_shown}: is for {found}, and {} was asked for",
                request.architecture
            )
            .next("see whether the mirror serves the release's own files"));
        }
        self.keep(temporary, &received.sha256, request)
            .map_err(|error| self.unusable(&error))?;
        Ok(self.artifact(
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
            self.note(&self.announced, &hash_line(sha256, request.releases.name))?;
        }
        self.note(&self.hash, &hash_line(sha256, request.releases.name))
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
fn ask(request: &Fetch, version: &str, timeouts: Timeouts) -> Result<String, Problem> {
    let file = request.file(version);
    let list_url = request.url(version, (request.releases.hashes)(request.architecture));
    let list = request.client(timeouts)?.text(&list_url, 1 << 20)?;
    let hash = hash_in(&list, &file).ok_or_else(|| {
        problem!(
            Code::DOWNLOAD_WRONG,
            "{}: has no hash of `{file}`",
            shown(&list_url)
        )
        .because("without it the download cannot be checked, so nothing is fetched")
        .next("see whether the mirror serves the release's own list of hashes")
    })?;
    Ok(hash.to_ascii_lowercase())
}

fn hash_line(sha256: &str, name: &str) -> String {
    format!("{sha256}  {name}")
}

/// The hash in a note of an earlier run.
fn noted(note: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(note).ok()?;
    hash_in(&text, name).map(str::to_owned)
}

fn persist(temporary: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests;
