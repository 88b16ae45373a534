//! What k3s says when a join fails, as towline's diagnosis expects it. The units are the test's own
//! and are driven by systemd alone: what is tested is the k3s that the lab was given.

use std::fs::File;
use std::process::Stdio;
use std::thread;

use towline_lab::Machine;

use crate::place::{Place, wait_for};

const TOKEN: &str = "a-token-of-the-words-test";

/// A journal's words, with how the unit stands that says them.
struct Row {
    /// What was done, for the message.
    cause: &'static str,
    unit: &'static str,
    start: Start,
    words: &'static [&'static str],
}

/// What `systemctl start` comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// It has not returned after 20 s, and nothing was restarted.
    Blocks,
    /// It returns 1, and systemd tries again and again.
    Fails,
    /// It works, and the words are a warning.
    Works,
}

const ROWS: [Row; 13] = [
    Row {
        cause: "agent, wrong token",
        unit: "k3s-agent",
        start: Start::Blocks,
        words: &[
            "Waiting to retrieve agent configuration; server is not ready",
            "failed to retrieve configuration from server: not authorized",
        ],
    },
    Row {
        cause: "agent, hash of another CA",
        unit: "k3s-agent",
        start: Start::Blocks,
        words: &[
            "Failed to validate connection to cluster at https://",
            "token CA hash does not match the Cluster CA certificate hash: ",
        ],
    },
    Row {
        cause: "agent, server unreachable",
        unit: "k3s-agent",
        start: Start::Blocks,
        words: &[
            "Failed to validate connection to cluster at https://",
            "failed to get CA certs: Get \"https://127.0.0.1:6444/cacerts\"",
        ],
    },
    Row {
        cause: "server, wrong token",
        unit: "k3s",
        start: Start::Fails,
        words: &["preparing server: failed to bootstrap cluster data: not authorized"],
    },
    Row {
        cause: "server, wiped and back under its old name",
        unit: "k3s",
        start: Start::Fails,
        words: &[
            "etcd cluster join failed: duplicate node name found, please use a unique name for this node",
        ],
    },
    Row {
        cause: "agent, port closed",
        unit: "k3s-agent",
        start: Start::Blocks,
        words: &[
            "Failed to validate connection to cluster at https://",
            "failed to get CA certs: Get \"https://127.0.0.1:6444/cacerts\"",
        ],
    },
    Row {
        cause: "agent, its node's password lost",
        unit: "k3s-agent",
        start: Start::Blocks,
        words: &[
            "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry, try enabling a unique node name with the --with-node-id flag",
        ],
    },
    Row {
        cause: "agent, short token",
        unit: "k3s-agent",
        start: Start::Works,
        words: &[
            "Cluster CA certificate is not trusted by the host CA bundle, but the token does not include a CA hash. Use the full token from the server's node-token file to enable Cluster CA validation.",
        ],
    },
    Row {
        cause: "server, other settings, the network",
        unit: "k3s",
        start: Start::Fails,
        words: &["critical configuration mismatched: ClusterIPRange.IP.slice[13]"],
    },
    Row {
        cause: "server, other settings",
        unit: "k3s",
        start: Start::Fails,
        words: &[
            "failed to validate server configuration: critical configuration value mismatch between servers",
        ],
    },
    Row {
        cause: "server, unknown key",
        unit: "k3s",
        start: Start::Works,
        words: &["Unknown flag --nosuchkey found in config.yaml, skipping"],
    },
    Row {
        cause: "agent, unknown key",
        unit: "k3s-agent",
        start: Start::Fails,
        words: &["Error: flag provided but not defined: -nosuchkey"],
    },
    Row {
        cause: "broken file",
        unit: "k3s",
        start: Start::Fails,
        words: &["yaml: line ", "did not find expected"],
    },
];

/// Puts k3s and a unit for it on a machine, as k3s's installer does.
fn install(place: &Place, machine: &Machine, unit: &str, command: &str) {
    let mut ssh = machine.ssh_command();
    ssh.arg(machine.target("root"))
        .arg("cat >/usr/local/bin/k3s && chmod 755 /usr/local/bin/k3s");
    let binary = File::open(&place.lab.release().path).unwrap();
    assert!(ssh.stdin(Stdio::from(binary)).status().unwrap().success());
    machine.succeed(&format!(
        "mkdir -p /etc/rancher/k3s && cat >/etc/systemd/system/{unit}.service <<'END'
[Service]
Type=notify
KillMode=process
Delegate=yes
LimitNOFILE=1048576
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStart=/usr/local/bin/k3s {command}
END
systemctl daemon-reload"
    ));
}

/// Writes `config.yaml`, and takes away what an earlier start has left.
fn configure(place: &Place, machine: &Machine, config: &str) {
    let config = format!("{config}{}", place.lab.extra_config_yaml());
    machine.succeed(&format!(
        "systemctl stop k3s k3s-agent 2>/dev/null; systemctl reset-failed k3s k3s-agent 2>/dev/null; \
         rm -rf /var/lib/rancher/k3s /etc/rancher/node; umask 077; cat >/etc/rancher/k3s/config.yaml <<'END'\n{config}END\n"
    ));
}

fn shown(machine: &Machine, unit: &str, property: &str) -> String {
    let shown = machine.succeed(&format!("systemctl show -p {property} --value {unit}"));
    shown.trim().to_owned()
}

impl Row {
    fn of(cause: &str) -> &'static Self {
        ROWS.iter().find(|row| row.cause == cause).unwrap()
    }

    /// Starts the unit, and asserts that it fails as it should.
    #[track_caller]
    fn holds_on(&self, machine: &Machine) {
        let (cause, unit) = (self.cause, self.unit);
        let began = machine.succeed("date +%s.%N");
        let began = began.trim();
        // Only blocking has to be told from being slow.
        let limit = if self.start == Start::Blocks { 20 } else { 120 };
        let status = machine
            .ssh(&format!("timeout {limit} systemctl start {unit}"))
            .unwrap()
            .status;
        let (expected, active, state) = match self.start {
            Start::Blocks => (124, "activating", "start"),
            Start::Fails => (1, "activating", "auto-restart"),
            Start::Works => (0, "active", "running"),
        };
        assert_eq!(status, expected, "{cause}: status of systemctl start");
        // Between two tries a unit is started again for a moment.
        wait_for(cause, || {
            (shown(machine, unit, "SubState") == state).then_some(())
        });
        assert_eq!(shown(machine, unit, "ActiveState"), active, "{cause}");
        let journal = wait_for(&format!("{cause}: the words in the journal"), || {
            let script = format!("journalctl -q --no-pager -o cat -u {unit} --since=@{began}");
            let journal = machine.succeed(&script).replace("\\\"", "\"");
            let line = journal
                .lines()
                .find(|line| self.words.iter().all(|words| line.contains(words)));
            line.map(str::to_owned)
        });
        eprintln!("{cause}: {journal}");
        if self.start == Start::Fails {
            wait_for(&format!("{cause}: restarts"), || {
                (shown(machine, unit, "NRestarts") != "0").then_some(())
            });
        } else {
            assert_eq!(shown(machine, unit, "NRestarts"), "0", "{cause}");
        }
    }
}

#[test]
fn a_failed_join_says_what_is_known_of_it() {
    let place = Place::up(3, 2);
    let [m1, m2, m3, m4, m5] = ["m1", "m2", "m3", "m4", "m5"].map(|name| place.machine(name));
    for server in [m1, m2, m3] {
        install(&place, server, "k3s", "server");
    }
    for agent in [m4, m5] {
        install(&place, agent, "k3s-agent", "agent");
    }
    let via = format!("server: https://{}:6443\n", m1.address());
    configure(&place, m1, &format!("cluster-init: true\ntoken: {TOKEN}\n"));
    m1.succeed("systemctl start k3s");

    thread::scope(|scope| {
        // On a machine of its own: each that blocks is waited for.
        scope.spawn(|| {
            configure(
                &place,
                m5,
                &format!("{via}token: K10{}::node:{TOKEN}\n", "a".repeat(64)),
            );
            Row::of("agent, hash of another CA").holds_on(m5);
            // No machine has this address, and a packet to it comes back from nowhere.
            let unused = m1.address().to_string();
            let unused = format!(
                "server: https://{}.250:6443\n",
                unused.rsplit_once('.').unwrap().0
            );
            configure(&place, m5, &format!("{unused}token: {TOKEN}\n"));
            Row::of("agent, server unreachable").holds_on(m5);
            // Its own ssh port is open, and nothing listens at 6443.
            let itself = format!("server: https://{}:6443\ntoken: {TOKEN}\n", m5.address());
            configure(&place, m5, &itself);
            Row::of("agent, port closed").holds_on(m5);
        });
        scope.spawn(|| {
            let wrong = format!("{via}token: wrong\n");
            configure(&place, m4, &wrong);
            Row::of("agent, wrong token").holds_on(m4);
            let unknown = format!("{via}nosuchkey: 1\ntoken: {TOKEN}\n");
            configure(&place, m4, &unknown);
            Row::of("agent, unknown key").holds_on(m4);
            configure(&place, m4, &format!("{via}token: {TOKEN}\n"));
            Row::of("agent, short token").holds_on(m4);
            // What an earlier start has left is taken away, the node's password with it.
            configure(&place, m4, &format!("{via}token: {TOKEN}\n"));
            Row::of("agent, its node's password lost").holds_on(m4);
        });
        scope.spawn(|| {
            configure(&place, m2, &format!("{via}token: wrong\n"));
            Row::of("server, wrong token").holds_on(m2);
            configure(&place, m2, "token: a\nserver: b\ndisable: }\n");
            Row::of("broken file").holds_on(m2);
            let others = "cluster-cidr: 10.44.0.0/16\ndisable-network-policy: true\n";
            configure(&place, m2, &format!("{via}{others}token: {TOKEN}\n"));
            Row::of("server, other settings, the network").holds_on(m2);
            Row::of("server, other settings").holds_on(m2);
            // Three members, so that the cluster outlives the one that is wiped. One of them has a key
            // that no server knows.
            let unknown = format!("{via}nosuchkey: 1\ntoken: {TOKEN}\n");
            configure(&place, m2, &unknown);
            Row::of("server, unknown key").holds_on(m2);
            configure(&place, m3, &format!("{via}token: {TOKEN}\n"));
            m3.succeed("systemctl start k3s");
            configure(&place, m2, &format!("{via}token: {TOKEN}\n"));
            Row::of("server, wiped and back under its old name").holds_on(m2);
        });
    });
}
