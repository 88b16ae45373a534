//! Writing a kubeconfig to this machine's disk: whole or not at all, readable by its owner only,
//! and never over another cluster's.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use super::{Kubeconfig, parse, wire};
use crate::error::Problem;

/// Only the owner may read and write it: it holds a private key.
const MODE: u32 = 0o600;

/// What writing a file came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// There was none before.
    Created,
    /// It differed, in content or permissions.
    Replaced,
    /// It was already so.
    Unchanged,
}

/// Writes a kubeconfig to `path`, whose directories are made when they are missing. A link is
/// followed to its file. A file that holds anything but an earlier kubeconfig of the same cluster
/// is refused, since other clusters' keys would be lost with it.
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
    replace(&target, &text, before.as_ref()).map_err(|error| {
        Problem::new(format!(
            "{}: the kubeconfig cannot be written",
            path.display()
        ))
        .because(error.to_string())
    })?;
    Ok(if before.is_some() {
        Written::Replaced
    } else {
        Written::Created
    })
}

/// The file that a path means, links followed.
pub(super) fn real_target(path: &Path) -> Result<PathBuf, Problem> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => fs::canonicalize(path).map_err(|error| {
            Problem::new(format!(
                "{}: is a link that leads to no file",
                path.display()
            ))
            .because(error.to_string())
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
        Problem::new(format!(
            "{}: cannot be read before it is replaced",
            path.display()
        ))
        .because(error.to_string())
    };
    let metadata = match fs::metadata(target) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(not_readable(&error)),
    };
    if !metadata.is_file() {
        return Err(Problem::new(format!(
            "{}: is not a regular file, so no kubeconfig is written there",
            path.display()
        )));
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
    let Some(names) = wire::context_names(before) else {
        return Err(foreign(path, "it is not a kubeconfig"));
    };
    let is_same_cluster = || {
        parse(before)
            .is_ok_and(|old| old.certificate_authority() == kubeconfig.certificate_authority())
    };
    match names.as_slice() {
        [] => Ok(()),
        [name] if name == kubeconfig.context() || is_same_cluster() => Ok(()),
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
    Problem::new(format!(
        "{}: is not replaced by the kubeconfig of this cluster",
        path.display()
    ))
    .because(why)
    .next("choose another place for the kubeconfig, or move that file away")
}

/// Writes a file that only its owner may read, whole or not at all.
pub(super) fn replace(target: &Path, text: &str, before: Option<&Existing>) -> io::Result<()> {
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
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
