//! Writing a kubeconfig to this machine's disk: whole or not at all, readable by its owner only,
//! and another cluster's only when it is kept beside it.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::{Kubeconfig, parse, wire};
use crate::problem::{Code, Problem, problem};

/// Only the owner may read and write it: it holds a private key.
const MODE: u32 = 0o600;

/// What writing a file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// There was none before.
    Created,
    /// It differed, in content or permissions, and held nothing but this cluster.
    Replaced,
    /// It held something else, too. What was there before is in this file now.
    Kept(PathBuf),
    /// It was already so.
    Unchanged,
}

/// Writes a kubeconfig to `path`, whose directories are made when they are missing. A link is
/// followed to its file. Another cluster's kubeconfig with a context of the same name is replaced and
/// kept beside it; a file that holds other contexts is refused.
pub fn write(path: &Path, kubeconfig: &Kubeconfig) -> Result<Written, Problem> {
    let text = kubeconfig.to_yaml()?;
    let target = real_target(path)?;
    let before = existing(path, &target)?;
    if let Some(before) = &before {
        if before.text == text && before.mode == MODE {
            return Ok(Written::Unchanged);
        }
        refuse_to_lose(path, &before.text, kubeconfig)?;
    }
    let is_lost = before
        .as_ref()
        .is_some_and(|before| !before.text.trim().is_empty() && !is_of(kubeconfig, &before.text));
    let kept = before.as_ref().filter(|_| is_lost);
    let kept = kept.map(|before| keep(&target, before)).transpose()?;
    replace(&target, &text, before.as_ref()).map_err(|error| {
        problem!(
            Code::FILE_UNWRITABLE,
            file = path,
            "the kubeconfig cannot be written"
        )
        .because(error)
    })?;
    Ok(match (before, kept) {
        (_, Some(backup)) => Written::Kept(backup),
        (Some(_), None) => Written::Replaced,
        (None, None) => Written::Created,
    })
}

/// Whether a file holds nothing but this cluster.
fn is_of(kubeconfig: &Kubeconfig, before: &str) -> bool {
    parse(before).is_ok_and(|old| old.certificate_authority() == kubeconfig.certificate_authority())
}

/// Keeps what a file holds beside it: in `FILE.towline-backup`, or, since an older backup stays as it
/// is, in `FILE.towline-backup.2` and so on.
pub(super) fn keep(target: &Path, before: &Existing) -> Result<PathBuf, Problem> {
    let first = backup(target);
    let numbered = |number: u16| {
        let mut name = first.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    let mut all = std::iter::once(first.clone()).chain((2..=u16::MAX).map(numbered));
    let free = |path: &PathBuf| match existing(path, path) {
        Ok(None) => true,
        Ok(Some(older)) => older.text == before.text,
        Err(_) => false,
    };
    let path = all.find(free).unwrap_or(first);
    replace(&path, &before.text, Some(before)).map_err(|error| {
        problem!(Code::FILE_UNWRITABLE, file = path, "cannot be written").because(error)
    })?;
    Ok(path)
}

/// Where what was there before is kept.
pub(super) fn backup(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".towline-backup");
    path.with_file_name(name)
}

/// How long another program may hold a file's lock: kubectl holds it while it writes.
const LOCKED: Duration = Duration::from_secs(5);

/// The lock by which kubectl and its like keep each other from writing a file at once: a file named
/// `FILE.lock` that its holder made. It goes when this is dropped.
///
/// client-go, tools/clientcmd/config.go: `lockFile`.
pub(super) struct Lock(PathBuf);

impl Lock {
    /// Takes the lock of a file, waiting a little for who has it.
    pub fn on(path: &Path) -> Result<Self, Problem> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let lock = PathBuf::from(name);
        let cannot = |error: &io::Error| {
            problem!(Code::FILE_UNWRITABLE, file = lock, "cannot be made").because(error)
        };
        make_folder(path).map_err(|error| cannot(&error))?;
        let until = Instant::now() + LOCKED;
        loop {
            match File::create_new(&lock) {
                Ok(_file) => return Ok(Self(lock)),
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(cannot(&error));
                }
                Err(_) if Instant::now() < until => thread::sleep(Duration::from_millis(50)),
                Err(_) => {
                    return Err(problem!(
                        Code::KUBECONFIG_LOCKED,
                        file = path,
                        "another program is writing it"
                    )
                    .because(format!(
                        "{} has been there for {} s",
                        lock.display(),
                        LOCKED.as_secs()
                    ))
                    .next("if kubectl was killed and left it")
                    .command(format!("rm {}", lock.display())));
                }
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What cannot be removed is said by who next wants the lock.
        let _ = fs::remove_file(&self.0);
    }
}

/// The file that a path means, links followed.
pub(super) fn real_target(path: &Path) -> Result<PathBuf, Problem> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => fs::canonicalize(path).map_err(|error| {
            problem!(
                Code::KUBECONFIG_NOT_REPLACED,
                file = path,
                "is a link that leads to no file"
            )
            .because(error)
            .next("remove the link, or choose another place for the kubeconfig")
        }),
        _ => Ok(path.to_owned()),
    }
}

/// What is at a path now.
pub(super) struct Existing {
    pub text: String,
    mode: u32,
    owner: (u32, u32),
}

impl Existing {
    /// Whether only its owner may read it.
    pub fn is_private(&self) -> bool {
        self.mode == MODE
    }
}

pub(super) fn existing(path: &Path, target: &Path) -> Result<Option<Existing>, Problem> {
    let not_readable = |error: &io::Error| {
        problem!(
            Code::FILE_UNREADABLE,
            file = path,
            "cannot be read before it is replaced"
        )
        .because(error)
    };
    let metadata = match fs::metadata(target) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(not_readable(&error)),
    };
    if !metadata.is_file() {
        return Err(problem!(
            Code::KUBECONFIG_NOT_REPLACED,
            file = path,
            "is not a regular file, so no kubeconfig is written there"
        ));
    }
    if metadata.len() > 16 * 1024 * 1024 {
        return Err(foreign(path, "it is far too large for a kubeconfig"));
    }
    let text = fs::read(target).map_err(|error| not_readable(&error))?;
    Ok(Some(Existing {
        text: String::from_utf8(text).map_err(|_error| foreign(path, "it is not text"))?,
        mode: metadata.mode() & 0o7777,
        owner: (metadata.uid(), metadata.gid()),
    }))
}

/// A file may be replaced when all it holds is one context: of the same name, or of the same
/// cluster.
fn refuse_to_lose(path: &Path, before: &str, kubeconfig: &Kubeconfig) -> Result<(), Problem> {
    let tree = wire::tree(before).map_err(|why| foreign(path, &why))?;
    let names: Vec<_> = wire::entries(&tree, "contexts")
        .filter_map(wire::name)
        .collect();
    match names.as_slice() {
        [] => Ok(()),
        [name] if *name == kubeconfig.context() || is_of(kubeconfig, before) => Ok(()),
        names => Err(foreign(
            path,
            &format!(
                "it holds {}: {}",
                if names.len() == 1 {
                    "another cluster's context"
                } else {
                    "these contexts"
                },
                names
                    .iter()
                    .map(|name| name.escape_debug().to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        )),
    }
}

fn foreign(path: &Path, why: &str) -> Problem {
    problem!(
        Code::KUBECONFIG_NOT_REPLACED,
        file = path,
        "is not replaced by the kubeconfig of this cluster"
    )
    .because(why)
    .next("choose another place for the kubeconfig, or move that file away")
}

/// Writes a file that only its owner may read, whole or not at all.
pub(super) fn replace(target: &Path, text: &str, before: Option<&Existing>) -> io::Result<()> {
    let directory = make_folder(target)?;
    let mut temporary = tempfile::Builder::new()
        .prefix(".kubeconfig-")
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(directory)?;
    temporary.write_all(text.as_bytes())?;
    // The umask may have taken bits away.
    temporary
        .as_file()
        .set_permissions(Permissions::from_mode(MODE))?;
    if let Some(before) = before {
        let now = temporary.as_file().metadata()?;
        if now.uid() == 0 && now.uid() != before.owner.0 {
            // Under sudo the file stays its user's.
            fchown(
                temporary.as_file(),
                Some(before.owner.0),
                Some(before.owner.1),
            )?;
        }
    }
    temporary.as_file().sync_all()?;
    temporary.persist(target).map_err(|error| error.error)?;
    // The new name reaches the disk with its directory. The file itself is whole either way, so a
    // file system that cannot do this is no reason to say that nothing was written.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

/// The folder of a file, which is made when it is missing.
fn make_folder(path: &Path) -> io::Result<&Path> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    Ok(folder)
}
