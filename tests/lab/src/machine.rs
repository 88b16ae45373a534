//! One machine: its power switch and its disk. The way in is in `reach.rs`.

use std::fs::{self, File};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::cgroup::Group;
use crate::command::host;
use crate::disk::{self, Identity};
use crate::network::{self, Network};
use crate::release::Distribution;
use crate::{base, places};

/// The life of one machine, see its own comment.
const LAUNCH: &str = include_str!("launch.sh");

/// What a machine is to become in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs the control plane and etcd.
    Server,
    /// Runs workloads only.
    Agent,
}

impl Role {
    /// As the inventory spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Agent => "agent",
        }
    }
}

/// What all machines of a lab have in common.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) id: String,
    pub(crate) directory: PathBuf,
    pub(crate) image: PathBuf,
    pub(crate) network: Network,
    pub(crate) promote_seconds: Option<u32>,
    pub(crate) distribution: Distribution,
}

impl Site {
    /// The private key that opens every machine.
    pub(crate) fn key(&self) -> PathBuf {
        self.directory.join("id_ed25519")
    }

    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.directory.join("known_hosts")
    }
}

/// One machine of a lab. All methods may be called from several threads.
#[derive(Clone, Debug)]
pub struct Machine {
    pub(crate) site: Arc<Site>,
    name: String,
    role: Role,
    address: Ipv4Addr,
    address6: Ipv6Addr,
    group: Group,
    /// Console log, disk, mount point, and the keys this machine really has.
    directory: PathBuf,
}

impl Machine {
    pub(crate) fn new(site: &Arc<Site>, index: u8, role: Role) -> Self {
        let name = format!("m{}", index + 1);
        Self {
            group: Group::new(&site.id, &name),
            directory: site.directory.join(&name),
            address: site.network.address(index),
            address6: site.network.address6(index),
            site: Arc::clone(site),
            name,
            role,
        }
    }

    /// `m1`, `m2` and so on: the name in the inventory and the machine's hostname.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the inventory makes of it.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Its address on the lab's bridge; it keeps it over a wipe.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The same of IPv6.
    pub fn address6(&self) -> Ipv6Addr {
        self.address6
    }

    /// Whether it is powered on: whether any process of it lives.
    pub fn is_on(&self) -> bool {
        self.group.is_populated()
    }

    /// The path on this host of a file on the machine's disk, to look at it while the machine is off. It exists only
    /// where the machine wrote the file or one was put there; the image's own files lie elsewhere.
    pub fn on_disk(&self, path: &str) -> PathBuf {
        for folder in self.site.distribution.data_folders() {
            if let Some(rest) = path.strip_prefix(&format!("/var/lib/{folder}")) {
                return self.disk().join(folder).join(rest.trim_start_matches('/'));
            }
        }
        self.disk().join("upper").join(path.trim_start_matches('/'))
    }

    /// The path on this host of the files of a machine that is on, as it sees them: also those in its memory.
    ///
    /// Fails where its first process cannot be found, as while it is off.
    pub fn root(&self) -> Result<PathBuf> {
        let is_first = |process: &u32| {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            let inside = status.lines().find(|line| line.starts_with("NSpid:"));
            inside.is_some_and(|line| line.ends_with("\t1"))
        };
        let first = self.group.processes().into_iter().find(is_first);
        let first = first.with_context(|| format!("{} has no first process", self.name))?;
        Ok(format!("/proc/{first}/root").into())
    }

    /// What the machine wrote to its console, over all boots.
    pub fn console(&self) -> PathBuf {
        self.directory.join("console.log")
    }

    /// Pulls the power cord: SIGKILL to every process at once, until none is left. Its network interface and its
    /// cgroups are gone then; the disk stays as it was written. Does nothing to a machine that is off.
    pub fn cut(&self) -> Result<()> {
        host(&[
            "cut",
            self.group.name(),
            &format!("vb-{}-{}", self.site.id, self.name),
        ])?;
        Ok(())
    }

    /// Powers it on and waits until it answers ssh. What it starts by itself, such as a k3s that waits for its peers,
    /// is not waited for; [`Machine::settle`] does that.
    ///
    /// Fails where it is on already, or ends or keeps silent while booting; the message has the end of its console.
    pub fn boot(&self) -> Result<()> {
        if self.is_on() {
            bail!("{} is on already; cut it first", self.name);
        }
        if !network::has_bridge(&self.site.id) {
            bail!(
                "the bridge of lab {} is gone (was this host rebooted?): take the lab down and up again",
                self.site.id
            );
        }
        // What a machine that ended by itself (`poweroff`) leaves: empty groups, whose limits must not be inherited.
        self.cut()?;
        self.power_on()?;
        self.wait_for_ssh()
    }

    /// Cuts the power and puts in a new disk: new host keys, a new machine-id, nothing installed. The machine stays
    /// off, and the lab's `known_hosts` keeps the old keys until [`crate::Lab::trust`] is called.
    pub fn wipe(&self) -> Result<()> {
        self.cut()?;
        self.make_disk()
    }

    /// Stops every process of the machine where it stands: it answers nothing, and keeps its connections.
    pub fn freeze(&self) -> Result<()> {
        self.group.freeze(true)
    }

    /// Lets a frozen machine go on.
    pub fn thaw(&self) -> Result<()> {
        self.group.freeze(false)
    }

    /// The `known_hosts` lines for the keys on its disk.
    pub(crate) fn known_hosts_lines(&self) -> Result<String> {
        let lines = disk::known_hosts_lines(&self.disk(), self.address)?;
        Ok(lines + &disk::known_hosts_lines(&self.disk(), self.address6)?)
    }

    /// Makes a new disk.
    pub(crate) fn make_disk(&self) -> Result<()> {
        places::private_directory(&self.directory)?;
        fs::create_dir_all(self.directory.join("root"))?;
        let public = self.site.key().with_extension("pub");
        let authorized_key =
            fs::read_to_string(&public).with_context(|| format!("read {}", public.display()))?;
        disk::create(
            &self.disk(),
            &Identity {
                name: &self.name,
                address: self.address,
                gateway: self.site.network.gateway(),
                address6: self.address6,
                gateway6: self.site.network.gateway6(),
                authorized_key: authorized_key.trim(),
                promote_seconds: self.site.promote_seconds,
                distribution: self.site.distribution,
            },
        )?;
        self.note_keys()
    }

    /// Writes down which host keys the machine has, for the lab's own connections.
    pub(crate) fn note_keys(&self) -> Result<()> {
        fs::write(self.true_known_hosts(), self.known_hosts_lines()?)?;
        Ok(())
    }

    /// Starts it and does not wait.
    fn power_on(&self) -> Result<()> {
        let entry = self.group.create()?;
        let groups: Vec<String> = entry
            .launcher
            .iter()
            .map(|group| group.display().to_string())
            .collect();
        let disk = self.disk();
        let folders = self.site.distribution.data_folders();
        let binds = folders
            .iter()
            .map(|folder| format!("--bind={}:/var/lib/{folder}", disk.join(folder).display()));
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.console())?;
        let mut launch = Command::new("setsid");
        launch
            .args([
                "--fork",
                "unshare",
                "--mount",
                "--propagation",
                "slave",
                "sh",
                "-c",
                LAUNCH,
                "launch.sh",
            ])
            .args(binds)
            .current_dir("/")
            .env("GROUPS_TO_JOIN", groups.join(" "))
            .env("PAYLOAD_GROUP", entry.payload.unwrap_or_default())
            .env("BASE", &self.site.image)
            .env("DISK", &disk)
            .env("ROOT", self.directory.join("root"))
            .env("MACHINE", format!("{}-{}", self.site.id, self.name))
            .env("HOST", &self.name)
            .env("BRIDGE", network::bridge(&self.site.id))
            .env("MODULES", base::host_modules().unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let status = launch
            .status()
            .context("start the machine by setsid and unshare")?;
        if !status.success() {
            bail!("{} could not be started ({status})", self.name);
        }
        // The launcher joins its groups at once, but not before this process goes on.
        let timeout = Instant::now() + Duration::from_mins(1);
        while !self.is_on() && Instant::now() < timeout {
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    pub(crate) fn console_end(&self) -> String {
        let console = fs::read_to_string(self.console()).unwrap_or_default();
        format!(
            "the end of its console ({}):\n{}",
            self.console().display(),
            base::tail(&console, 10)
        )
    }

    pub(crate) fn disk(&self) -> PathBuf {
        self.directory.join("disk")
    }

    pub(crate) fn true_known_hosts(&self) -> PathBuf {
        self.directory.join("known_hosts")
    }
}
