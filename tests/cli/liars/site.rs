//! Hosts of this process, the inventory of them, and what they answer where they are honest.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use russh::keys::ssh_key::LineEnding;
use tokio::runtime::Runtime;

use super::server::{Act, Server, Setup, new_key, serve};
use crate::text;

/// The cluster that there is, and another one.
pub const CA: &str = "568b7ee2f0a8a54b8e8c5d0f6f0f4d2dbd4cbd0bd9a2f6d7d0c7b1a2e3f4a5b6";
pub const OTHER_CA: &str = "0e0a7ee2f0a8a54b8e8c5d0f6f0f4d2dbd4cbd0bd9a2f6d7d0c7b1a2e3f4a5b6";

/// Secrets of the cluster and of a host that lies.
pub const SECRETS: [&str; 3] = ["canary-of-servers", "canary-of-agents", "canary-of-a-liar"];

/// What a terminal would obey or turn around, with a word to find it by.
pub const EVIL: &str =
    "evil\u{1b}]52;c;aGk=\u{7}\u{1b}]8;;x\u{9b}2J\u{202e}\u{2066}\u{7f}\rover\u{8}";

/// What a shell, a template or a path would obey, each with a letter on both sides.
pub const WORDS: [&str; 5] = [
    "q$(touch x)q",
    "q'; touch x; 'q",
    "q`touch x`q",
    "q{{7*7}}q{%if/%}q",
    "q/../../../etc/q",
];

/// What came of a run.
pub struct Ran {
    pub output: Output,
    /// What it had of memory at most, KiB.
    pub peak: u64,
}

/// Hosts, a home with a key that they let in, and an inventory of them.
pub struct Site {
    _runtime: Runtime,
    pub folder: tempfile::TempDir,
    pub servers: Vec<Server>,
}

impl Site {
    /// The first host is a server, the others are agents.
    pub fn of(hosts: Vec<Act>) -> Self {
        Self::with(hosts, |_| {})
    }

    /// The last host is changed so.
    pub fn with(hosts: Vec<Act>, change: impl FnOnce(&mut Setup)) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let key = new_key();
        let file = folder.path().join(".ssh/id_ed25519");
        fs::create_dir(folder.path().join(".ssh")).expect("made");
        fs::write(&file, &*key.to_openssh(LineEnding::LF).expect("a key")).expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");
        // Of the operating system and of files nothing is looked at but the configuration.
        let playbooks = folder.path().join("mine/playbooks");
        for name in ["os/bootstrap", "k3s/files"] {
            let file = playbooks.join(format!("{name}.yml"));
            fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            let step = "- {name: x, command: {unless: 'true', run: 'true', description: x}}\n";
            fs::write(file, step).expect("written");
        }
        let accepts = key.public_key();
        let setups = hosts.into_iter();
        let mut setups: Vec<_> = setups
            .map(|act| Setup::new(new_key(), accepts.clone(), act))
            .collect();
        change(setups.last_mut().expect("a host"));
        let servers = setups.into_iter();
        let servers: Vec<_> = servers
            .map(|setup| runtime.block_on(serve(setup)))
            .collect();
        let ports = servers.iter().map(|server| server.address.port());
        let inventory = inventory(ports);
        fs::write(folder.path().join("home.yaml"), inventory).expect("written");
        Self {
            _runtime: runtime,
            folder,
            servers,
        }
    }

    pub fn begin(&self, line: &str) -> Child {
        Command::new(env!("CARGO_BIN_EXE_towline"))
            .args(line.split(' '))
            .args(["-i", "home.yaml", "--overrides", "mine"])
            .arg("--accept-new-host-keys")
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs")
    }

    pub fn run(&self, line: &str) -> Ran {
        let mut child = self.begin(line);
        let (mut out, mut errors) = (child.stdout.take(), child.stderr.take());
        let reading = thread::spawn(move || {
            let mut said = Vec::new();
            out.as_mut().map(|out| out.read_to_end(&mut said));
            said
        });
        let status = format!("/proc/{}/status", child.id());
        let watching = thread::spawn(move || {
            let mut peak = 0;
            while let Ok(text) = fs::read_to_string(&status) {
                let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let kib = line.and_then(|line| line.split_whitespace().next());
                // A process that has ended has none.
                let Some(now) = kib.and_then(|kib| kib.parse().ok()) else {
                    break;
                };
                peak = now;
                thread::sleep(Duration::from_millis(2));
            }
            peak
        });
        let mut stderr = Vec::new();
        errors
            .as_mut()
            .map(|errors| errors.read_to_end(&mut stderr));
        let output = Output {
            stdout: reading.join().expect("read"),
            stderr,
            status: child.wait().expect("it ends"),
        };
        Ran {
            output,
            peak: watching.join().expect("watched"),
        }
    }

    /// All that a host was sent.
    pub fn received(&self, host: usize) -> String {
        text(&self.servers[host].received.lock().expect("it"))
    }
}

pub fn inventory(ports: impl Iterator<Item = u16>) -> String {
    let hosts = ports.enumerate().map(|(number, port)| {
        let role = if number == 0 { "server" } else { "agent" };
        format!("  m{number}: {{address: 127.0.0.1, role: {role}, ssh: {{port: {port}}}}}\n")
    });
    let hash = "ab".repeat(32);
    format!(
        "cluster: {{version: v1.36.3+k3s1, binary: {{sha256: {{amd64: {hash}}}}}}}\n\
         ssh: {{user: root, password: never-told}}\nhosts:\n{}",
        hosts.collect::<String>()
    )
}

pub fn packed(content: &str) -> String {
    format!("base64:{}", BASE64.encode(content))
}

/// Facts with these lines before and instead of others of their keys.
pub fn facts(number: usize, own: &str) -> String {
    format!(
        "{own}\nuid=0\nhostname=m{number}\nmachine_id=id{number}\nuptime=100.0\narchitecture=x86_64\nkernel=6.1\n\
         memory_kib=4000000\nos_id=debian\nos_version=12\nos_name=Debian\ninit=systemd\ncgroup=2\n\
         address=eth0 10.0.0.1{number}/24\ndefault_interface=eth0\ndata_free_kib=90000000\ncomplete=yes"
    )
}

/// What a server of a cluster says besides, with these secrets.
pub fn server(ca: &str, tokens: [&str; 2]) -> String {
    let node = r#"{"node-role.kubernetes.io/etcd":"true"}	[{"address":"10.0.0.10","type":"InternalIP"}]	{"kubeletVersion":"v1.36.3+k3s1"}	[{"type":"Ready","status":"True"},{"type":"EtcdIsVoter","status":"True","reason":"MemberNotLearner"}]"#;
    format!(
        "datastore=etcd\njoined=yes\nowns_node=yes\nca_hash={ca}\nversion=k3s version v1.36.3+k3s1 (abc)\napi=ready\n\
         server_token={}\nagent_token={}\nserver_unit=LoadState=loaded ActiveState=active SubState=running\n\
         node=m0\t5cc9\t2020-01-01T00:00:00Z\t{node}",
        packed(&format!("K10{ca}::server:{}", tokens[0])),
        packed(&format!("K10{ca}::node:{}", tokens[1])),
    )
}

/// Answers questions honestly, except for those facts.
pub fn answers(facts: &str) -> Act {
    besides(facts, &[])
}

/// The same with other answers to questions of which this is a part.
pub fn besides(facts: &str, others: &[(&str, &str)]) -> Act {
    let honest = [
        ("say complete yes", facts),
        ("state=absent", "state=absent"),
        ("answer=", "answer=yes"),
    ];
    let table = others.iter().chain(&honest);
    let table = table.map(|(part, answer)| ((*part).to_owned(), (*answer).to_owned()));
    Act::Answers(Arc::new(table.collect()))
}

/// A server of the cluster, and a bare machine.
pub fn member() -> Act {
    answers(&facts(0, &server(CA, [SECRETS[0], SECRETS[1]])))
}

pub fn bare(number: usize) -> Act {
    answers(&facts(number, ""))
}

/// Whether a secret is part of what was sent, also as base64.
pub fn tells(sent: &str, secret: &str) -> bool {
    let sent = sent.replace('\n', "");
    let mut forms = (0..3).map(|shift| {
        let packed = BASE64.encode(format!("{}{secret}", "x".repeat(shift)));
        let within = packed.trim_end_matches('=');
        // What stands beside it changes the letters at both ends.
        within[if shift == 0 { 0 } else { 4 }..within.len() - 1].to_owned()
    });
    sent.contains(secret) || forms.any(|form| sent.contains(&form))
}

/// Facts in which this word stands wherever a host may say one.
pub fn everywhere(word: &str) -> String {
    let json = serde_json::to_string(word).expect("JSON");
    let members = format!(r#"{{"members":[{{"ID":{json},"name":{json},"peerURLs":[{json}]}}]}}"#);
    let node = format!(
        "{{{json}:{json}}}\t[{{\"type\":\"InternalIP\",\"address\":{json}}}]\t{{\"kubeletVersion\":{json}}}\t[{{\"type\":\"Ready\",\"status\":{json},\"message\":{json}}}]\t[{json}]"
    );
    let keys = [
        "machine_id",
        "boot_id",
        "kernel",
        "os_version",
        "os_name",
        "default_interface",
        "missing_controller",
        "cmdline",
        "kubernetes",
        "peer",
        "clock",
        "data_free_kib",
        "five_minutes_ago",
    ];
    let keys = keys.map(|key| format!("{key}={word}\n")).concat();
    format!(
        "{keys}address={word} 10.0.0.99/24\ndrop_in={} {word}\nversion=k3s version {word} ({word})\nnode={word}\t{word}\t{word}\t{node}\n\
         node=m1\t{word}\t{word}\t{node}\nmembers={}\nkubeconfig={}",
        packed(word),
        packed(&members),
        packed(word),
    )
}
