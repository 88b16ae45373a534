//! Writing a kubeconfig to this machine's disk: whole or not at all, readable by its owner only,
//! and another cluster's only when it is kept beside it.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::{Kubeconfig, UserKubeconfig, parse, wire};
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
    let target = real_target(path)?;
    let before = existing(path, &target)?;
    let mut is_lost = false;
    if let Some(Existing { text, .. }) = &before {
        let is_same = parse(text)
            .is_ok_and(|old| old.certificate_authority == kubeconfig.certificate_authority);
        let tree = wire::tree(text).map_err(|why| foreign(path, &why))?;
        let names = wire::entries(&tree, "contexts").filter_map(wire::name);
        let names: Vec<_> = names.collect();
        let is_own = is_same || names.iter().all(|name| *name == kubeconfig.context);
        if names.len() > 1 || !is_own {
            let names = names.join(", ");
            let why = format!("it holds these contexts: {}", names.escape_debug());
            return Err(foreign(path, &why));
        }
        is_lost = !text.trim().is_empty() && !is_same;
    }
    let text = wire::to_yaml(&wire::written(kubeconfig));
    let text = text.map_err(|why| Problem::new(Code::KUBECONFIG_INVALID, why))?;
    put(&target, &text, before.as_ref(), is_lost)
}

/// Writes the kubeconfig of a user to `path`, where nothing may be.
pub fn write_new(path: &Path, of_user: &UserKubeconfig) -> Result<(), Problem> {
    nothing_at(path)?;
    let text = wire::to_yaml(&of_user.tree());
    let text = text.map_err(|why| Problem::new(Code::KUBECONFIG_INVALID, why))?;
    replace(path, &text, None)
}

/// Refuses a path where something is, be it a link that leads nowhere.
pub fn nothing_at(path: &Path) -> Result<(), Problem> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => {
            Err(problem!(Code::FILE_UNREADABLE, file = path, "cannot be looked at").because(error))
        }
        Ok(_) => Err(problem!(
            Code::KUBECONFIG_NOT_REPLACED,
            file = path,
            "is there already"
        )
        .next("name a new file, or move that one away")
        .flag("-o FILE")),
    }
}

/// Writes a file, unless it is so; what was there before is kept beside it where it would be lost.
pub(super) fn put(
    target: &Path,
    text: &str,
    before: Option<&Existing>,
    is_lost: bool,
) -> Result<Written, Problem> {
    if before.is_some_and(|before| before.text == text && before.mode == MODE) {
        return Ok(Written::Unchanged);
    }
    let kept = before
        .filter(|_| is_lost)
        .map(|before| keep(target, before));
    let kept = kept.transpose()?;
    replace(target, text, before)?;
    Ok(match (before, kept) {
        (_, Some(backup)) => Written::Kept(backup),
        (Some(_), None) => Written::Replaced,
        (None, None) => Written::Created,
    })
}

/// Keeps what a file holds beside it: in `FILE.towline-backup`, or, since an older backup stays as it
/// is, in `FILE.towline-backup.2` and so on.
fn keep(target: &Path, before: &Existing) -> Result<PathBuf, Problem> {
    let first = target.with_added_extension("towline-backup");
    let others = (2..=u16::MAX).map(|number| first.with_added_extension(number.to_string()));
    let mut all = std::iter::once(first.clone()).chain(others);
    let free = |path: &PathBuf| match existing(path, path) {
        Ok(None) => true,
        Ok(Some(older)) => older.text == before.text,
        Err(_) => false,
    };
    let path = all.find(free).unwrap_or(first);
    replace(&path, &before.text, Some(before))?;
    Ok(path)
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
        let lock = path.with_added_extension("lock");
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
fn replace(target: &Path, text: &str, before: Option<&Existing>) -> Result<(), Problem> {
    let written = || {
        let directory = make_folder(target)?;
        let mut temporary = tempfile::Builder::new()
            .prefix(".kubeconfig-")
            .tempfile_in(directory)?;
        temporary.write_all(text.as_bytes())?;
        let file = temporary.as_file();
        // The umask may have taken bits away.
        file.set_permissions(Permissions::from_mode(MODE))?;
        if let Some((user, group)) = before.map(|before| before.owner)
            && file.metadata()?.uid() == 0
            && user != 0
        {
            // Under sudo the file stays its user's.
            fchown(file, Some(user), Some(group))?;
        }
        file.sync_all()?;
        temporary.persist(target).map_err(|error| error.error)?;
        // The new name reaches the disk with its directory. The file itself is whole either way, so
        // a file system that cannot do this is no reason to say that nothing was written.
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
        Ok(())
    };
    written().map_err(|error: io::Error| {
        problem!(Code::FILE_UNWRITABLE, file = target, "cannot be written").because(error)
    })
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
