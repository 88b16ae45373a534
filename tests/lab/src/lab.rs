//! A lab: up, its parts, down.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::claim::Claim;
use crate::command::check_host;
use crate::machine::{Machine, Role, Site};
use crate::network::Network;
use crate::release::{self, Distribution, Release};
use crate::state::State;
use crate::{base, disk, inventory, say, sweep};

/// More fit neither into a subnet nor into a machine.
const MOST_MACHINES: usize = 64;

/// What a lab is to have.
#[derive(Clone, Debug)]
pub struct Options {
    /// The first machines, m1 and on.
    pub servers: u8,
    /// The machines after the servers.
    pub agents: u8,
    /// What the machines are made ready for.
    pub distribution: Distribution,
    /// Whether to find a binary of it before anything else; without one, [`Lab::release`] panics and the inventory
    /// names no binary.
    pub release: bool,
    /// Written to each machine's `/etc/k3s-standin/promote-seconds` (`k0s-standin`): how many seconds the stand-in
    /// waits between two tries to promote an etcd learner. k3s and k0s do not read it and wait 15 and 10.
    pub promote_seconds: Option<u32>,
}

impl Default for Options {
    /// One server and a binary of k3s.
    fn default() -> Self {
        Self {
            servers: 1,
            agents: 0,
            distribution: Distribution::default(),
            release: true,
            promote_seconds: Some(2),
        }
    }
}

/// Some machines on a bridge. Dropping it removes them, unless they are kept.
#[derive(Debug)]
pub struct Lab {
    claim: Claim,
    site: Arc<Site>,
    machines: Vec<Machine>,
    release: Option<Release>,
    known_hosts_writer: Mutex<()>,
}

impl Lab {
    /// Boots the machines and waits until all of them answer ssh and have started all they start.
    ///
    /// Sweeps first what dead runs left. The first start on a host makes the image (a minute) and may build the
    /// stand-in (six minutes). Fails where the host cannot be a lab (the message says what it lacks), and
    /// where a machine does not come up; whatever was made until then is removed.
    pub fn up(options: &Options) -> Result<Self> {
        let machines = usize::from(options.servers) + usize::from(options.agents);
        if machines == 0 || machines > MOST_MACHINES {
            bail!("a lab has 1 to {MOST_MACHINES} machines, not {machines}");
        }
        check_host()?;
        sweep::sweep()?;
        let distribution = options.distribution;
        let release = options
            .release
            .then(|| release::find(distribution))
            .transpose()?;
        let image = base::ensure()?;

        let began = Instant::now();
        let claim = Claim::new()?;
        let network = Network::claim(&claim.id)?;
        let roles = [
            vec![Role::Server; options.servers.into()],
            vec![Role::Agent; options.agents.into()],
        ]
        .concat();
        let state = State {
            id: claim.id.clone(),
            network: network.number(),
            image,
            promote_seconds: options.promote_seconds,
            distribution,
            release,
            machines: roles,
        };
        state.save(&claim.directory)?;
        let lab = Self::assemble(claim, state);
        disk::generate_key(
            &lab.ssh_key(),
            "ed25519",
            &format!("towline-lab-{}", lab.id()),
        )?;
        in_parallel(&lab.machines, Machine::make_disk)?;
        let lines: Vec<String> = lab
            .machines
            .iter()
            .map(Machine::known_hosts_lines)
            .collect::<Result<_>>()?;
        fs::write(lab.known_hosts(), lines.concat()).context("write known_hosts")?;
        in_parallel(&lab.machines, |machine| {
            machine.boot().and_then(|()| machine.settle())
        })?;
        say::progress(&format!(
            "{}: {machines} machines in {:.1} s",
            lab.id(),
            began.elapsed().as_secs_f32()
        ));
        Ok(lab)
    }

    /// Takes up a lab that somebody else started, by its id or its run folder; dropping it leaves it alone.
    pub fn attach(id_or_directory: impl AsRef<Path>) -> Result<Self> {
        let wanted = id_or_directory.as_ref();
        let directory = if wanted.join("lab.json").exists() {
            wanted.canonicalize()?
        } else {
            crate::places::run_area()?.join(wanted)
        };
        let state = State::load(&directory).with_context(|| {
            format!(
                "there is no lab {}; `towline-lab list` shows all",
                wanted.display()
            )
        })?;
        Ok(Self::assemble(Claim::attach(&state.id, &directory), state))
    }

    fn assemble(claim: Claim, state: State) -> Self {
        let site = Arc::new(Site {
            id: state.id,
            directory: claim.directory.clone(),
            image: state.image,
            network: Network::numbered(state.network),
            promote_seconds: state.promote_seconds,
            distribution: state.distribution,
        });
        let machines = (0..)
            .zip(&state.machines)
            .map(|(index, role)| Machine::new(&site, index, *role))
            .collect();
        Self {
            claim,
            site,
            machines,
            release: state.release,
            known_hosts_writer: Mutex::new(()),
        }
    }

    /// Six characters that everything of this lab on the host is named after.
    pub fn id(&self) -> &str {
        &self.site.id
    }

    /// The run folder, for root alone; it goes with the lab.
    pub fn directory(&self) -> &Path {
        &self.claim.directory
    }

    /// The host's own address on the lab's bridge, by which machines reach what a test serves.
    pub fn gateway(&self) -> std::net::Ipv4Addr {
        self.site.network.gateway()
    }

    /// The machine of this name.
    ///
    /// # Panics
    /// When the lab has none: the test is wrong.
    #[track_caller]
    pub fn machine(&self, name: &str) -> &Machine {
        match self.find(name) {
            Ok(machine) => machine,
            Err(error) => panic!("{error}"),
        }
    }

    /// The machine of this name; an error names those which there are.
    pub fn find(&self, name: &str) -> Result<&Machine> {
        let Some(machine) = self.machines.iter().find(|machine| machine.name() == name) else {
            let names: Vec<&str> = self.machines.iter().map(Machine::name).collect();
            bail!(
                "lab {} has no machine {name:?}; it has {}",
                self.id(),
                names.join(", ")
            );
        };
        Ok(machine)
    }

    /// All machines, servers first.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// The `known_hosts` file with the host keys of all machines, as they were at the start or at the last
    /// [`Lab::trust`].
    pub fn known_hosts(&self) -> PathBuf {
        self.site.known_hosts()
    }

    /// The private key that opens `root`, `admin` and `asker` on every machine.
    pub fn ssh_key(&self) -> PathBuf {
        self.site.key()
    }

    /// Puts the host keys that the machine has now into the lab's `known_hosts`, in place of those it had: what a
    /// careful person does after a [`Machine::wipe`].
    pub fn trust(&self, name: &str) -> Result<()> {
        let machine = self.find(name)?;
        let _writer = self
            .known_hosts_writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        machine.note_keys()?;
        let path = self.known_hosts();
        let addresses = [
            machine.address().to_string(),
            machine.address6().to_string(),
        ];
        let known =
            fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let mut lines: String = known
            .lines()
            .filter(|line| {
                let own = line.split(' ').next().unwrap_or_default();
                addresses.iter().all(|address| address != own)
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        lines.push_str(&machine.known_hosts_lines()?);
        let new = path.with_extension("new");
        fs::write(&new, lines)
            .and_then(|()| fs::rename(&new, &path))
            .with_context(|| format!("write {}", path.display()))
    }

    /// What the machines are made ready for.
    pub fn distribution(&self) -> Distribution {
        self.site.distribution
    }

    /// The binary to install.
    ///
    /// # Panics
    /// When the lab was started with [`Options::release`] off: the test is wrong.
    #[track_caller]
    pub fn release(&self) -> &Release {
        match &self.release {
            Some(release) => release,
            None => panic!(
                "lab {} was started without a binary (Options::release)",
                self.id()
            ),
        }
    }

    /// The same distribution in another version, such as `v1.36.2+k3s1`, for an upgrade from or to it; gone with the
    /// lab. Any version is there of the stand-in. Of a real binary it must be among those in `TOWLINE_LAB_K3S_OLDER`
    /// or `TOWLINE_LAB_K0S_OLDER`. Fails where there is none.
    pub fn release_of(&self, version: &str) -> Result<Release> {
        release::versions::of_version(self.release(), version, self.directory())
    }

    /// A release that tells this version, and whose server or agent ends with an error some seconds after its start,
    /// before it touches its data; gone with the lab. It is a stand-in's also where real binaries run.
    pub fn broken_release(&self, version: &str) -> Result<Release> {
        release::versions::broken(self.release(), version, self.directory())
    }

    /// What this host's kernel needs in the distribution's own configuration, a `config.yaml` of k3s or the `spec` of
    /// a k0s.yaml; nothing on most hosts.
    pub fn cluster_config(&self) -> Vec<(String, serde_json::Value)> {
        inventory::cluster_config(self.distribution(), self.directory())
    }

    /// The same as lines of YAML.
    pub fn extra_config_yaml(&self) -> String {
        inventory::config_yaml(&self.cluster_config())
    }

    /// An inventory for towline with all machines in their roles.
    pub fn inventory(&self) -> String {
        inventory::inventory(self, self.release.as_ref())
    }

    /// Lets the machines outlive this process and this value; they stay until [`Lab::down`].
    pub fn keep(&self) -> Result<()> {
        self.claim.keep()
    }

    /// Removes the machines and everything else of the lab: processes, cgroups, interfaces, bridge, run folder, and
    /// what was changed for the whole host, if no other lab needs it. Fails where another living process owns it.
    pub fn down(self) -> Result<()> {
        self.claim.remove()
    }
}

/// Does the same to all machines at once; the first error after all have ended.
fn in_parallel(machines: &[Machine], action: impl Fn(&Machine) -> Result<()> + Sync) -> Result<()> {
    thread::scope(|scope| {
        let running: Vec<_> = machines
            .iter()
            .map(|machine| scope.spawn(|| action(machine)))
            .collect();
        let results: Vec<Result<()>> = running
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .collect();
        results.into_iter().collect()
    })
}
