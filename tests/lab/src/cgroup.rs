//! The cgroups of a machine: the handle by which all of it can be found, frozen and killed.
//!
//! With cgroup v1 (also hybrid) a machine has a directory of the same name in every mounted hierarchy, the named
//! systemd one and the v2 one without controllers included. With cgroup v2 it has one directory with two children:
//! `launcher` for the shell that restarts systemd-nspawn, and `machine` for systemd-nspawn itself, because a group
//! that hands controllers down must hold no process. Killing and removing is in `host.sh`, for both.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

const ROOT: &str = "/sys/fs/cgroup";

/// How this host's cgroups are mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hierarchy {
    /// cgroup v1, with or without the hybrid v2 mount.
    Legacy,
    /// cgroup v2 alone.
    Unified,
}

/// What is mounted at `/sys/fs/cgroup`.
pub(crate) fn hierarchy() -> Result<Hierarchy> {
    if Path::new(ROOT).join("cgroup.controllers").exists() {
        Ok(Hierarchy::Unified)
    } else if Path::new(ROOT).join("pids/cgroup.procs").exists() {
        Ok(Hierarchy::Legacy)
    } else {
        bail!(
            "no cgroups are mounted at {ROOT} (neither v2 nor v1 with the pids controller): the lab's machines need them"
        )
    }
}

/// One machine's cgroups.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    name: String,
}

/// Which directories the launcher must join, all of them existing.
pub(crate) struct Entry {
    /// Joined by the shell that starts systemd-nspawn, again after every reboot.
    pub(crate) launcher: Vec<PathBuf>,
    /// Joined by systemd-nspawn itself; cgroup v2 only.
    pub(crate) payload: Option<PathBuf>,
}

impl Group {
    pub(crate) fn new(id: &str, machine: &str) -> Self {
        Self {
            name: format!("towline-{id}-{machine}"),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Makes the directories. They vanish with [`Group`]'s power cut, so every boot makes them anew.
    pub(crate) fn create(&self) -> Result<Entry> {
        match hierarchy()? {
            Hierarchy::Legacy => {
                let mut launcher = Vec::new();
                for root in legacy_roots()? {
                    let group = root.join(&self.name);
                    make(&group)?;
                    // A new cpuset is empty, and nothing can join it until it is told what its parent has.
                    for file in ["cpuset.cpus", "cpuset.mems"] {
                        if let Ok(inherited) = fs::read_to_string(root.join(file)) {
                            fs::write(group.join(file), inherited)
                                .with_context(|| format!("write {}", group.join(file).display()))?;
                        }
                    }
                    launcher.push(group);
                }
                Ok(Entry {
                    launcher,
                    payload: None,
                })
            }
            Hierarchy::Unified => {
                let group = Path::new(ROOT).join(&self.name);
                let (launcher, payload) = (group.join("launcher"), group.join("machine"));
                make(&group)?;
                hand_down(Path::new(ROOT), &group);
                make(&launcher)?;
                make(&payload)?;
                Ok(Entry {
                    launcher: vec![launcher],
                    payload: Some(payload),
                })
            }
        }
    }

    /// Whether any process of the machine lives.
    pub(crate) fn is_populated(&self) -> bool {
        !self.processes().is_empty()
    }

    /// The processes of the machine, by their numbers on this host.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let root = match hierarchy() {
            Ok(Hierarchy::Legacy) => Path::new(ROOT).join("pids"),
            Ok(Hierarchy::Unified) => PathBuf::from(ROOT),
            Err(_) => return Vec::new(),
        };
        processes_of(&root.join(&self.name))
    }

    /// Stops every process of the machine where it stands, or lets them go on.
    pub(crate) fn freeze(&self, frozen: bool) -> Result<()> {
        let (file, state) = match (hierarchy()?, frozen) {
            (Hierarchy::Legacy, true) => (format!("freezer/{}/freezer.state", self.name), "FROZEN"),
            (Hierarchy::Legacy, false) => {
                (format!("freezer/{}/freezer.state", self.name), "THAWED")
            }
            (Hierarchy::Unified, true) => (format!("{}/cgroup.freeze", self.name), "1"),
            (Hierarchy::Unified, false) => (format!("{}/cgroup.freeze", self.name), "0"),
        };
        let path = Path::new(ROOT).join(file);
        fs::write(&path, state)
            .with_context(|| format!("write {state} to {}: is the machine on?", path.display()))
    }
}

/// Every mounted v1 hierarchy (and the hybrid v2 one); symbolic links such as `cpu` are names of another.
fn legacy_roots() -> Result<Vec<PathBuf>> {
    let mut roots = Vec::new();
    for entry in fs::read_dir(ROOT)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() && entry.path().join("cgroup.procs").exists() {
            roots.push(entry.path());
        }
    }
    roots.sort();
    Ok(roots)
}

/// Lets the children of `group` use every controller which `parent` may hand down. What the host keeps for itself
/// the machine does without, so failures are no errors.
fn hand_down(parent: &Path, group: &Path) {
    for directory in [parent, group] {
        let controllers =
            fs::read_to_string(directory.join("cgroup.controllers")).unwrap_or_default();
        for controller in controllers.split_whitespace() {
            let _ = fs::write(
                directory.join("cgroup.subtree_control"),
                format!("+{controller}"),
            );
        }
    }
}

fn make(group: &Path) -> Result<()> {
    match fs::create_dir(group) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(error).with_context(|| format!("create the cgroup {}", group.display()))
        }
        _ => Ok(()),
    }
}

fn processes_of(group: &Path) -> Vec<u32> {
    let own = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let mut processes: Vec<u32> = own.lines().flat_map(str::parse).collect();
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            processes.extend(processes_of(&entry.path()));
        }
    }
    processes
}
