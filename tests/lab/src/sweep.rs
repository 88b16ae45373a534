//! Finding labs, and removing those whose owner is dead.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::claim::{self, Claim};
use crate::command::{check_host, host};
use crate::{places, say};

/// Where `host.sh` notes which labs use the host-wide settings: a file per id that holds the run folder.
const USERS: &str = "/run/towline-lab/users";

/// A lab that was found on disk.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// Its run folder.
    pub directory: PathBuf,
    /// Whether it stays without an owner.
    pub kept: bool,
    /// Whether the process that started it lives.
    pub owned: bool,
}

/// All labs of the run area, by id.
pub fn list() -> Result<Vec<Listed>> {
    list_in(&places::run_area()?)
}

/// Removes every lab whose owner is dead and which nobody kept; returns their ids.
///
/// A lab that cannot be removed is reported and does not stop the others, nor the caller.
pub fn sweep() -> Result<Vec<String>> {
    check_host()?;
    let area = places::run_area()?;
    let _area = claim::lock_area(&area)?;
    let mut removed = Vec::new();
    for lab in list_in(&area)?.into_iter().filter(|lab| !lab.kept) {
        let Some(claim) = Claim::adopt(&lab.id, &lab.directory)? else {
            continue;
        };
        note(&mut removed, lab.id, claim.remove());
    }
    // Labs whose run folder somebody deleted by hand.
    for user in fs::read_dir(USERS).into_iter().flatten().flatten() {
        let directory = fs::read_to_string(user.path()).unwrap_or_default();
        let id = user.file_name().to_string_lossy().into_owned();
        if !directory.is_empty() && !Path::new(directory.trim()).exists() {
            note(
                &mut removed,
                id.clone(),
                host(&["remove", &id, directory.trim()]).map(drop),
            );
        }
    }
    Ok(removed)
}

/// Removes the lab with this id, kept or not, also when its run folder says nothing sensible any more. Fails where
/// there is none, or where a living process owns it.
pub fn take_down(id: &str) -> Result<()> {
    check_host()?;
    let directory = places::run_area()?.join(id);
    if id.is_empty() || id.contains('/') || !directory.is_dir() {
        bail!("there is no lab {id}; `towline-lab list` shows all");
    }
    Claim::attach(id, &directory).remove()
}

fn note(removed: &mut Vec<String>, id: String, result: Result<()>) {
    match result {
        Ok(()) => {
            say::progress(&format!("swept {id}, whose owner is gone"));
            removed.push(id);
        }
        Err(error) => say::progress(&format!("{error:#}")),
    }
}

fn list_in(area: &Path) -> Result<Vec<Listed>> {
    let mut labs = Vec::new();
    for entry in fs::read_dir(area)? {
        let directory = entry?.path();
        // The folder of a lab that is being removed may have lost its lock already; that is a lab, too.
        if !directory.is_dir() {
            continue;
        }
        let id = directory
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let owned = fs::File::open(directory.join("lock"))
            .is_ok_and(|lock| lock.try_lock_shared().is_err());
        labs.push(Listed {
            kept: claim::is_kept(&directory),
            id,
            directory,
            owned,
        });
    }
    labs.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(labs)
}
