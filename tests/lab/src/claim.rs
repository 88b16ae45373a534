//! The life of a lab on the host: from the moment its run folder exists until nothing with its id does.
//!
//! The owner holds a lock on a file in the run folder, and the kernel drops it when the owner dies, however it dies.
//! A lab whose lock is free has no owner: it is kept on purpose (the file `kept` says so), or it is to be removed.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};

use crate::command::{host, host_command};
use crate::{places, say};

/// Without letters and digits that look alike.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// A lab's id and run folder, and whether dropping this removes the lab.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) id: String,
    pub(crate) directory: PathBuf,
    lock: Option<File>,
    removes: AtomicBool,
}

impl Claim {
    /// A new id with its run folder, owned by this process and watched by a guard that outlives it.
    pub(crate) fn new() -> Result<Self> {
        let area = places::run_area()?;
        let claim = {
            // A sweep must not see the folder before its lock is held.
            let _area = lock_area(&area)?;
            let id = new_id()?;
            let directory = area.join(&id);
            places::private_directory(&directory)?;
            let lock = places::lock(&directory.join("lock"))?;
            Self {
                id,
                directory,
                lock: Some(lock),
                removes: AtomicBool::new(true),
            }
        };
        let directory = claim.directory.to_string_lossy();
        host(&["hold", &claim.id, &directory])?;
        let mut guard = host_command("setsid --fork sh", &["guard", &claim.id, &directory]);
        guard
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        guard.status().context("start the lab's guard by setsid")?;
        Ok(claim)
    }

    /// A lab that exists already; dropping this leaves it alone.
    pub(crate) fn attach(id: &str, directory: &Path) -> Self {
        Self {
            id: id.to_owned(),
            directory: directory.to_owned(),
            lock: None,
            removes: AtomicBool::new(false),
        }
    }

    /// Takes over a lab that has no living owner; none where it has one.
    pub(crate) fn adopt(id: &str, directory: &Path) -> Result<Option<Self>> {
        let lock = places::lock_file(&directory.join("lock"))?;
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        Ok(Some(Self {
            id: id.to_owned(),
            directory: directory.to_owned(),
            lock: Some(lock),
            removes: AtomicBool::new(false),
        }))
    }

    /// Leaves the lab to whoever comes later.
    pub(crate) fn keep(&self) -> Result<()> {
        fs::write(self.directory.join("kept"), "")
            .with_context(|| format!("mark lab {} as kept", self.id))?;
        self.removes.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Removes the lab.
    pub(crate) fn remove(mut self) -> Result<()> {
        if self.lock.is_none() {
            let Some(mut owned) = Self::adopt(&self.id, &self.directory)? else {
                bail!(
                    "lab {} belongs to a process that is still running: end that one, and the lab goes with it",
                    self.id
                );
            };
            self.lock = owned.lock.take();
        }
        // From here on it is nobody's lab: a sweep finishes what is interrupted now.
        let kept = self.directory.join("kept");
        if kept.exists() {
            fs::remove_file(&kept).with_context(|| format!("remove {}", kept.display()))?;
        }
        self.removes.store(false, Ordering::Relaxed);
        self.remove_all()
    }

    fn remove_all(&self) -> Result<()> {
        host(&["remove", &self.id, &self.directory.to_string_lossy()])
            .with_context(|| format!("remove lab {}; `towline-lab sweep` tries again", self.id))?;
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.removes.load(Ordering::Relaxed)
            && let Err(error) = self.remove_all()
        {
            say::progress(&format!("{error:#}"));
        }
    }
}

/// Held while run folders are made or looked through.
pub(crate) fn lock_area(area: &Path) -> Result<File> {
    places::lock(&area.join("lock"))
}

/// Whether the lab in this run folder is to outlive its owner.
pub(crate) fn is_kept(directory: &Path) -> bool {
    directory.join("kept").exists()
}

fn new_id() -> Result<String> {
    let mut random = [0; 6];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .context("read /dev/urandom")?;
    Ok(random
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
        .collect())
}
