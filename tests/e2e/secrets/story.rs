//! A user who has secrets, and where they are looked for.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use super::planted::{planted, seed};
use super::record::{Found, Traced, look, look_on};
use super::search::{Hit, Search};
use crate::inventory::Inventory;
use crate::single::Desk;
use crate::towline::{Answer, Towline};

/// Where a secret may stand on a machine, if root alone can read it: the products' own places, and files of the
/// user's playbooks. etcd holds the flags of k3s, since it writes them on its node, and the tokens of k0s.
const PLACES: [&str; 12] = [
    "/etc/rancher/k3s/config.yaml",
    "/etc/rancher/k3s/k3s.yaml",
    "/etc/rancher/k3s/registries.yaml",
    "/root/packed",
    "/root/tokens",
    "/var/lib/k0s/etcd/",
    "/var/lib/rancher/k3s/agent/etc/containerd/config.toml",
    "/var/lib/rancher/k3s/server/agent-token",
    "/var/lib/rancher/k3s/server/cred/passwd",
    "/var/lib/rancher/k3s/server/db/",
    "/var/lib/rancher/k3s/server/tls/client-admin.key",
    "/var/lib/rancher/k3s/server/token",
];

/// Where one may stand on this machine, if the user alone can read it: kubeconfigs, and how they are written.
const KUBECONFIGS: [&str; 4] = ["demo.kubeconfig", "kubeconfig", "config", ".kubeconfig-"];

/// A user who has secrets, and what becomes of them.
pub struct Story {
    pub desk: Desk,
    planted: BTreeMap<&'static str, String>,
    /// Those that are known: planted, and made by k3s since then.
    pub secrets: RefCell<BTreeMap<&'static str, Vec<u8>>>,
    pub since: Cell<Duration>,
    runs: Cell<usize>,
    pub faults: RefCell<Vec<String>>,
}

impl Story {
    /// One whose secrets are planted nowhere yet.
    pub fn of(desk: Desk) -> Self {
        let planted = planted();
        let bytes = planted
            .iter()
            .map(|(name, text)| (*name, text.clone().into_bytes()));
        let mut secrets: BTreeMap<_, _> = bytes.collect();
        secrets.insert("the private key", seed(&desk.place.lab.ssh_key()));
        Self {
            desk,
            planted,
            secrets: RefCell::new(secrets),
            since: Cell::default(),
            runs: Cell::default(),
            faults: RefCell::default(),
        }
    }

    pub fn secret(&self, name: &str) -> &str {
        &self.planted[name]
    }

    /// One of the files that the user has.
    pub fn write(&self, name: &str, text: &str) {
        let file = self.desk.place.file(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    }

    /// From here on this is looked for, too.
    pub fn learn(&self, name: &'static str, secret: &str) {
        assert!(!secret.trim().is_empty(), "{name}");
        let secret = secret.trim().as_bytes().to_vec();
        self.secrets.borrow_mut().insert(name, secret);
    }

    pub fn fault(&self, where_: &str, hit: &Hit) {
        let (name, around) = hit;
        let fault = format!("{name} in {where_}: {around}");
        self.faults.borrow_mut().push(fault);
    }

    /// A run that says all it can say, under strace.
    pub fn loud(&self, run: Towline) -> Towline {
        self.runs.set(self.runs.get() + 1);
        let proxy = self.secret("the password of a proxy");
        run.args("-vvv --log-file towline.log")
            .env("S3_SECRET_KEY", self.secret("a secret of the environment"))
            .env("S3_ACCESS_KEY", self.secret("a secret of a variable"))
            .env("PHRASE", self.secret("the passphrase of the key"))
            .env("HTTPS_PROXY", &format!("http://ann:{proxy}@127.0.0.1:9"))
            .env("NO_PROXY", &self.desk.place.lab.gateway().to_string())
            .traced(&self.trace(self.runs.get()))
    }

    fn trace(&self, run: usize) -> PathBuf {
        self.desk.place.file(&format!("trace/{run}"))
    }

    /// A command with an inventory to its end.
    pub fn run(&self, command: &str, inventory: &Inventory) -> Answer {
        self.loud(self.desk.place.towline(command, inventory)).run()
    }

    /// Looks through the machines: a secret stands only where it is needed, and for root alone.
    pub fn look_at_machines(&self) {
        let search = Search::of(&self.secrets.borrow());
        for machine in self.desk.place.lab.machines() {
            for Found {
                path,
                is_private,
                hit,
            } in look_on(machine, self.since.get(), &search)
            {
                let is_place = PLACES
                    .iter()
                    .any(|place| path == *place || place.ends_with('/') && path.starts_with(place));
                if !(is_place && is_private) {
                    self.fault(
                        &format!("{path} of {}, private: {is_private}", machine.name()),
                        &hit,
                    );
                }
            }
            let journal = machine.succeed("journalctl --no-pager --all --output verbose");
            if let Some(hit) = search.find(journal.as_bytes()) {
                self.fault(&format!("the journal of {}", machine.name()), &hit);
            }
        }
    }

    /// Looks through all that towline said, ran and wrote here; this word has to be found, too. How often a secret
    /// was written where it may be.
    pub fn look_here(&self, word: &str) -> usize {
        let explain = self.desk.place.command().args("explain").arg(word);
        self.loud(explain).run().ends(2);
        let control = Search::for_word(word);
        let search = Search::of(&self.secrets.borrow());
        let place = &self.desk.place;
        let mut kubeconfigs = 0;
        for run in 1..=self.runs.get() {
            let traced = Traced::read(&self.trace(run));
            for program in &traced.programs {
                if let Some(hit) = search.find(program) {
                    self.fault("an argument here", &hit);
                }
            }
            for (path, text) in &traced.written {
                let Some(hit) = search.find(text) else {
                    continue;
                };
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let is_kubeconfig = KUBECONFIGS.iter().any(|known| name.starts_with(known));
                if is_kubeconfig && traced.modes.get(path) == Some(&0o600) {
                    kubeconfigs += 1;
                } else {
                    self.fault(&format!("what was written to {}", path.display()), &hit);
                }
            }
        }
        let traced = Traced::read(&self.trace(self.runs.get()));
        assert!(
            traced
                .programs
                .iter()
                .any(|program| control.find(program).is_some()),
            "strace tells of arguments"
        );

        let said = place.said();
        for said in &said {
            if let Some(hit) = search.find(said.as_bytes()) {
                let command = said.lines().next().unwrap_or_default();
                self.fault(&format!("what `{command}` said"), &hit);
            }
        }
        assert!(
            said.iter()
                .any(|said| control.find(said.as_bytes()).is_some()),
            "what is said is kept"
        );

        for Found {
            path,
            is_private,
            hit,
        } in look(&place.file(""), self.since.get(), &search)
        {
            let is_own = path == "/inventory.yaml" || path.starts_with("/trace/");
            let is_kubeconfig =
                is_private && KUBECONFIGS.iter().any(|known| path[1..].starts_with(known));
            if !is_own && !is_kubeconfig {
                self.fault(&format!("{path} here, private: {is_private}"), &hit);
            }
        }
        kubeconfigs
    }
}
