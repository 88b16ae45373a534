//! Where a test happens: a lab, and a user's folder beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use towline_lab::{Lab, Machine, Options};

use crate::api::Api;
use crate::inventory::Inventory;
use crate::towline::{Answer, Log, Towline};

/// Brings a program to a machine.
pub fn carry(program: &str, machine: &Machine, path: &str) {
    let mut copy = machine.ssh_command();
    copy.arg(machine.target("root"))
        .arg(format!("cat >{path} && chmod 755 {path}"))
        .stdin(fs::File::open(program).unwrap());
    assert!(copy.status().unwrap().success(), "{program} did not arrive");
}

/// For everything that is waited for on a machine: joins, boots, elections of a real k3s.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// A lab and the folder of the user who works on it.
pub struct Place {
    pub lab: Lab,
    home: TempDir,
    log: Log,
}

impl Place {
    /// That many machines, and nothing on them.
    pub fn up(servers: u8, agents: u8) -> Self {
        Self::with(&Options {
            servers,
            agents,
            ..Options::default()
        })
    }

    /// The same, with everything that can be said about it.
    pub fn with(options: &Options) -> Self {
        Self {
            lab: Lab::up(options).unwrap(),
            home: tempfile::tempdir().unwrap(),
            log: Log::default(),
        }
    }

    /// The machine of this name.
    #[track_caller]
    pub fn machine(&self, name: &str) -> &Machine {
        self.lab.machine(name)
    }

    /// The lab's inventory, to be changed.
    pub fn inventory(&self) -> Inventory {
        Inventory::of(&self.lab)
    }

    /// A file in the user's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// `towline COMMAND -i inventory.yaml`, still without further arguments.
    pub fn towline(&self, command: &str, inventory: &Inventory) -> Towline {
        fs::write(self.file("inventory.yaml"), inventory.to_string()).unwrap();
        Towline::new(self.home.path(), &self.log).args(&format!("{command} -i inventory.yaml"))
    }

    /// `towline COMMAND -i inventory.yaml --output json` to its end.
    pub fn json(&self, command: &str, inventory: &Inventory) -> Answer {
        self.towline(command, inventory).args("--output json").run()
    }

    /// `towline deploy -i inventory.yaml --output json` to its end.
    pub fn deploy(&self, inventory: &Inventory) -> Answer {
        self.json("deploy", inventory)
    }

    /// `towline`, still without arguments.
    pub fn command(&self) -> Towline {
        Towline::new(self.home.path(), &self.log)
    }

    /// The cluster as a kubeconfig in the user's folder opens it.
    pub fn api_of(&self, kubeconfig: &str) -> Api {
        Api::of(&self.file(kubeconfig))
    }

    /// The cluster as the kubeconfig of the last deploy opens it.
    pub fn api(&self) -> Api {
        Api::of(&self.file("demo.kubeconfig"))
    }

    /// All that was said so far: each command with its answer.
    pub fn said(&self) -> Vec<String> {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.clone()
    }

    /// Asserts that no token that any machine has now was ever said, be it in base64.
    #[track_caller]
    pub fn kept_its_secrets(&self) {
        let file = fs::read_to_string(self.file("towline.log"));
        let log = self.said().into_iter().chain(file);
        let log: Vec<String> = log.map(|said| with_unpacked(&said)).collect();
        let script = "cd /var/lib/rancher/k3s/server 2>/dev/null && cat token agent-token; \
                      sed -n 's/^ *\\(agent-\\)\\?token: //p' /etc/rancher/k3s/config.yaml";
        let mut secrets = 0;
        for machine in self.lab.machines().iter().filter(|machine| machine.is_on()) {
            for line in machine.ssh(script).unwrap().stdout.lines() {
                // What stands behind the CA's hash and the name is the secret itself.
                let secret = line
                    .trim_matches('"')
                    .rsplit(':')
                    .next()
                    .unwrap_or_default();
                if secret.len() < 8 {
                    continue;
                }
                secrets += 1;
                for said in &log {
                    let command = said.lines().next().unwrap_or_default();
                    assert!(
                        !said.contains(secret),
                        "a token of {} in the output of {command}",
                        machine.name()
                    );
                }
            }
        }
        assert!(secrets > 0, "no machine has a token");
    }
}

/// A text, and all words of it that are base64, as they read without it.
fn with_unpacked(said: &str) -> String {
    let is_packed = |letter: char| letter.is_ascii_alphanumeric() || "+/=".contains(letter);
    let words = said.split(|letter| !is_packed(letter));
    let unpacked = words.filter_map(|word| STANDARD.decode(word).ok());
    unpacked.fold(said.to_owned(), |said, bytes| {
        said + "\n" + &String::from_utf8_lossy(&bytes)
    })
}

impl Drop for Place {
    /// A failed test tells everything that was said before the machines are gone.
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let mut told = String::new();
        for said in self.said() {
            told.push_str(&shortened(&said));
            told.push('\n');
        }
        for machine in self.lab.machines().iter().filter(|machine| machine.is_on()) {
            told.push_str(&format!(
                "--- {}: journalctl -u k3s* -u k0s* -n 50\n",
                machine.name()
            ));
            match machine.ssh("timeout 20 journalctl --no-pager -o cat -u 'k3s*' -u 'k0s*' -n 50") {
                Ok(answer) => told.push_str(&answer.stdout),
                Err(error) => told.push_str(&format!("{error:#}\n")),
            }
        }
        eprintln!("{told}");
    }
}

/// A command and the last lines that it said. Steps that went well are left out.
fn shortened(said: &str) -> String {
    const LINES: usize = 30;
    let dull = |line: &&str| {
        [
            "begun",
            "changed",
            "connecting",
            "entered",
            "left",
            "reached",
        ]
        .iter()
        .any(|kind| line.starts_with(&format!("{{\"event\":\"{kind}\"")))
    };
    let lines: Vec<&str> = said.lines().filter(|line| !dull(line)).collect();
    if lines.len() <= LINES {
        return lines.join("\n");
    }
    let (command, rest) = lines.split_at(1);
    let last = &rest[rest.len() - (LINES - 1)..];
    format!("{}\n…\n{}", command.concat(), last.join("\n"))
}

/// Waits until there is an answer; `what` is said when there is none in time.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "timed out after {PATIENCE:?}, waiting for {what}"
        );
        thread::sleep(Duration::from_millis(100));
    }
}

/// Permission bits of a file of this host.
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
