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
use super::cache::TEMPORARY;
use super::http::{HttpClient, Proxy, shown};
use super::local::{BinaryArtifact, architecture_of, sha256_of};
use super::releases::{Releases, hash_in, is_plain_http};
use crate::digest::sha256;
use crate::problem::{Code, Problem, problem};

/// The most that is downloaded; the binary has 80 MB.
const LIMIT: u64 = 500 << 20;
/// The note with the hash of the binary that is here.
const HASH: &str = "sha256";
/// The note with the hash that the list of this source has for the binary.
const ANNOUNCED: &str = "announced";
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
    fn client(&self) -> Result<HttpClient, Problem> {
        let mirror = self.mirror.as_deref();
        let proxy = self.proxy.as_ref().and_then(|proxy| proxy.towards(mirror));
        HttpClient::new(proxy, is_plain_http(mirror)?)
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
    let slot = Slot::of(request)?;
    // The second one waits, and then finds the file.
    let _lock = slot.lock(tell).map_err(|error| slot.unusable(&error))?;
    if let Some((sha256, size)) = slot.cached(tell) {
        return Ok(slot.artifact(sha256, Some(size)));
    }
    slot.clear().map_err(|error| slot.unusable(&error))?;
    slot.download(tell)
}

/// What the release says of a binary, from the cache or from its list of hashes. The binary itself
/// is not fetched. Blocks.
pub fn announced(request: &Fetch) -> Result<BinaryArtifact, Problem> {
    let slot = Slot::of(request)?;
    let kept = slot.noted(HASH);
    let known = request.sha256.clone().or_else(|| kept.clone());
    let sha256 = if let Some(sha256) = known.or_else(|| slot.noted(ANNOUNCED)) {
        sha256
    } else {
        let sha256 = slot.ask()?;
        fs::create_dir_all(&slot.directory)
            .and_then(|()| slot.note_source())
            .and_then(|()| slot.note_hash(ANNOUNCED, &sha256))
            .map_err(|error| slot.unusable(&error))?;
        sha256
    };
    let size = fs::metadata(slot.binary())
        .ok()
        .filter(|_| kept.as_ref() == Some(&sha256))
        .map(|file| file.len());
    Ok(slot.artifact(sha256, size))
}

/// The address at which hosts find the binary.
pub fn address(request: &Fetch) -> Result<String, Problem> {
    let slot = Slot::of(request)?;
    Ok(slot.url(&slot.file()))
}

/// The place of one binary in the cache.
struct Slot<'a> {
    request: &'a Fetch,
    version: String,
    directory: PathBuf,
}

impl<'a> Slot<'a> {
    fn of(request: &'a Fetch) -> Result<Self, Problem> {
        // Part of a path from here on: only what is a version gets through.
        let version = (request.releases.version)(&request.version)
            .map_err(|why| Problem::new(Code::VERSION_INVALID, why))?;
        let source = match &request.mirror {
            None => RELEASE.to_owned(),
            // An address is no name of a folder; its beginning is in the file `source`.
            Some(mirror) => format!("mirror-{}", &sha256(mirror)[..16]),
        };
        let project = request.cache_dir.join(request.releases.name);
        let of_version = project.join(&version).join(request.architecture.name());
        Ok(Self {
            directory: of_version.join(source),
            request,
            version,
        })
    }

    fn binary(&self) -> PathBuf {
        self.directory.join(self.request.releases.name)
    }

    /// The file of the release that is the binary.
    fn file(&self) -> String {
        (self.request.releases.binary)(&self.version, self.request.architecture)
    }

    fn url(&self, file: &str) -> String {
        let mirror = self.request.mirror.as_deref();
        self.request.releases.url(mirror, &self.version, file)
    }

    fn artifact(&self, sha256: String, size: Option<u64>) -> BinaryArtifact {
        BinaryArtifact {
            path: self.binary(),
            sha256,
            size,
            version: Some(self.version.clone()),
            architecture: self.request.architecture,
            download: None,
        }
    }

    fn lock(&self, tell: &dyn Fn(DownloadProgress)) -> io::Result<File> {
        fs::create_dir_all(&self.directory)?;
        let mut options = File::options();
        let options = options.create(true).truncate(false).write(true);
        let file = options.open(self.directory.join("lock"))?;
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
    fn cached(&self, tell: &dyn Fn(DownloadProgress)) -> Option<(String, u64)> {
        let noted = self.noted(HASH)?;
        let pinned = self.request.sha256.as_ref();
        if pinned.is_some_and(|pinned| *pinned != noted) {
            return None;
        }
        let (sha256, size) = sha256_of(&self.binary()).ok()?;
        if sha256 != noted {
            tell(DownloadProgress::Damaged(self.binary()));
            return None;
        }
        Some((sha256, size))
    }

    /// Throws away what cannot be used and what a killed run left behind.
    fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_left_over = name.to_string_lossy().starts_with(TEMPORARY);
            if is_left_over || name == self.request.releases.name || name == HASH {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn download(&self, tell: &dyn Fn(DownloadProgress)) -> Result<BinaryArtifact, Problem> {
        let client = self.request.client()?;
        let (expected, whose) = match &self.request.sha256 {
            Some(pinned) => (pinned.clone(), "the inventory names"),
            None => (self.ask()?, "the release announces"),
        };
        let url = self.url(&self.file());
        let shown = shown(&url);
        let mut temporary = self.temporary().map_err(|error| self.unusable(&error))?;
        tell(DownloadProgress::Downloading);
        let (received, size) = client.stream(&url, LIMIT, &mut temporary)?;
        if received != expected {
            return Err(problem!(Code::DOWNLOAD_WRONG, "{shown}: is not the file that {whose}")
                .because(format!("expected sha256 {expected}"))
                .because(format!("received sha256 {received}"))
                .because("nothing was kept of it, and nothing was installed")
                .next("run the command again; if it stays so, something on the way or at the mirror alters the file"));
        }
        let found = architecture_of(temporary.path()).map_err(|problem| Problem {
            what: format!("{shown}: is not a usable binary"),
            ..problem
        })?;
        let wanted = self.request.architecture;
        if found != wanted {
            return Err(problem!(
                Code::DOWNLOAD_WRONG,
                "{shown}: is for {found}, and {wanted} was asked for"
            )
            .next("see whether the mirror serves the release's own files"));
        }
        self.keep(temporary, &received)
            .map_err(|error| self.unusable(&error))?;
        Ok(self.artifact(received, Some(size)))
    }

    /// The hash that the release's list has for the binary.
    fn ask(&self) -> Result<String, Problem> {
        let file = self.file();
        let list_url = self.url((self.request.releases.hashes)(self.request.architecture));
        let list = self.request.client()?.text(&list_url, 1 << 20)?;
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

    fn temporary(&self) -> io::Result<tempfile::NamedTempFile> {
        tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(&self.directory)
    }

    /// Gives a checked file its name; its hash follows, so that a file with a hash is whole.
    fn keep(&self, temporary: tempfile::NamedTempFile, sha256: &str) -> io::Result<()> {
        let file = temporary.as_file();
        file.set_permissions(Permissions::from_mode(0o755))?;
        persist(temporary, &self.binary())?;
        self.note_source()?;
        if self.request.sha256.is_none() {
            self.note_hash(ANNOUNCED, sha256)?;
        }
        self.note_hash(HASH, sha256)
    }

    /// Where this comes from, for the user who looks into the cache.
    fn note_source(&self) -> io::Result<()> {
        match &self.request.mirror {
            Some(mirror) => self.note("source", mirror),
            None => Ok(()),
        }
    }

    fn note_hash(&self, name: &str, sha256: &str) -> io::Result<()> {
        self.note(name, &format!("{sha256}  {}", self.request.releases.name))
    }

    fn note(&self, name: &str, line: &str) -> io::Result<()> {
        let mut note = self.temporary()?;
        writeln!(note, "{line}")?;
        persist(note, &self.directory.join(name))
    }

    /// The hash in a note of an earlier run.
    fn noted(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.directory.join(name)).ok()?;
        hash_in(&text, self.request.releases.name).map(str::to_owned)
    }
}

fn persist(temporary: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests;
