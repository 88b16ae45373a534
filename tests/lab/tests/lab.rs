//! The lab's own tests: real machines, no k3s. They need root, and the packages that `tests/lab/prepare` installs.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, their helpers included"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use towline_lab::{Lab, Options, list, sweep};

fn machines(servers: u8, agents: u8) -> Options {
    Options {
        servers,
        agents,
        k3s: false,
        ..Options::default()
    }
}

/// Everything on this host which carries one of these ids: processes, cgroups, links, mounts, folders.
fn traces(id: &str) -> Vec<String> {
    let mut traces = Vec::new();
    let mut note = |kind: &str, text: &str| {
        traces.extend(
            text.lines()
                .filter(|line| line.contains(id))
                .map(|line| format!("{kind}: {line}")),
        );
    };
    note(
        "mount",
        &fs::read_to_string("/proc/self/mountinfo").unwrap(),
    );
    note("link", &output("ip", &["-brief", "link"]));
    note(
        "cgroup",
        &output(
            "find",
            &["/sys/fs/cgroup", "-type", "d", "-path", &format!("*{id}*")],
        ),
    );
    note("process", &output("ps", &["-eww", "-o", "args"]));
    note(
        "folder",
        &output(
            "find",
            &["/var/tmp/towline-lab", "/run/towline-lab", "-maxdepth", "2"],
        ),
    );
    // The commands that look are processes, too.
    traces.retain(|trace| !trace.starts_with("process: find "));
    traces
}

fn output(program: &str, arguments: &[&str]) -> String {
    String::from_utf8(
        Command::new(program)
            .args(arguments)
            .output()
            .unwrap()
            .stdout,
    )
    .unwrap()
}

/// Nothing may be left, at the latest when the kernel has cleared up.
#[track_caller]
fn assert_no_traces(id: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let traces = traces(id);
        if traces.is_empty() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "still there:\n{}",
            traces.join("\n")
        );
        thread::sleep(Duration::from_millis(100));
    }
}

/// By plain OpenSSH and the lab's `known_hosts`, as a user of towline would be checked.
fn plain_ssh(lab: &Lab, target: &str, script: &str) -> std::process::Output {
    Command::new("ssh")
        .args([
            "-F",
            "none",
            "-n",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=yes",
        ])
        .arg("-o")
        .arg(format!(
            "UserKnownHostsFile={}",
            lab.known_hosts().display()
        ))
        .arg("-i")
        .arg(lab.ssh_key())
        .args([target, script])
        .output()
        .unwrap()
}

#[test]
fn a_machine_is_a_bare_server() {
    let lab = Lab::up(&machines(1, 0)).unwrap();
    let m1 = lab.machine("m1");
    assert_eq!(m1.succeed("hostname"), "m1\n");
    assert_eq!(m1.succeed("systemctl is-system-running"), "running\n");
    assert_eq!(m1.succeed("systemctl --failed --no-legend"), "");
    assert_eq!(m1.succeed("cat /etc/k3s-standin/promote-seconds"), "2\n");
    assert!(
        m1.succeed("ip route show default")
            .contains(&format!("via {}", lab.gateway()))
    );
    m1.succeed("ping -c 1 -W 2 $(ip route show default | cut -d ' ' -f 3)");
    // What towline must not need, and what k3s does.
    for absent in ["curl", "wget", "python3"] {
        assert_ne!(
            m1.ssh(&format!("command -v {absent}")).unwrap().status,
            0,
            "{absent}"
        );
    }
    m1.succeed("modprobe overlay && modprobe br_netfilter && iptables -L && nft list ruleset && test -r /dev/kmsg");
    m1.succeed("mkdir /sys/fs/cgroup/pids/probe 2>/dev/null || mkdir /sys/fs/cgroup/probe");
    m1.succeed("cd /var/lib/rancher && mkdir a b w m && mount -t overlay overlay -o lowerdir=a,upperdir=b,workdir=w m");
    m1.succeed("mount -t tmpfs -o size=50m tmpfs /usr/local/bin");
    // Three ways to be an administrator.
    for (user, script, expected) in [
        ("admin", "sudo -n id -u", Some("0\n")),
        ("asker", "sudo -n id -u", None),
        ("asker", "echo ask-me | sudo -S -p '' id -u", Some("0\n")),
    ] {
        let output = plain_ssh(&lab, &m1.target(user), script);
        let answer = output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).unwrap());
        assert_eq!(answer.as_deref(), expected, "{user}: {script}");
    }
    let failed = m1.ssh("echo out; echo err >&2; exit 3").unwrap();
    assert_eq!(
        (
            failed.status,
            failed.stdout.as_str(),
            failed.stderr.as_str()
        ),
        (3, "out\n", "err\n")
    );
    let id = lab.id().to_owned();
    lab.down().unwrap();
    assert_no_traces(&id);
}

#[test]
fn the_power_goes_and_comes_and_a_wipe_makes_a_stranger() {
    let lab = Lab::up(&machines(1, 1)).unwrap();
    let (m1, m2) = (lab.machine("m1"), lab.machine("m2"));
    let machine_id = m1.succeed("cat /etc/machine-id");
    assert_ne!(machine_id, m2.succeed("cat /etc/machine-id"));
    m1.succeed("echo kept > /root/file; echo kept > /var/lib/rancher/file; sync");
    m1.succeed("systemd-run sleep 1000; setsid sleep 1000 >/dev/null 2>&1 </dev/null & systemctl mask --runtime ssh");

    m1.cut().unwrap();
    assert!(!m1.is_on());
    assert_eq!(
        fs::read_to_string(m1.on_disk("/var/lib/rancher/file")).unwrap(),
        "kept\n"
    );
    let traces: Vec<String> = traces(&format!("{}-m1", lab.id()));
    assert!(traces.is_empty(), "{traces:?}");
    assert!(m1.ssh("true").is_err());
    m1.cut().expect("a machine without power may be cut");
    m2.succeed("true");

    m1.boot().unwrap();
    assert!(m1.boot().is_err(), "it is on");
    assert_eq!(
        m1.succeed("cat /root/file /var/lib/rancher/file"),
        "kept\nkept\n"
    );
    assert_eq!(m1.succeed("cat /etc/machine-id"), machine_id);
    assert_eq!(m1.succeed("pgrep -c sleep || true"), "0\n");

    // A reboot of its own, and a stop of its own.
    let boot = m1.succeed("cat /proc/sys/kernel/random/boot_id");
    let _ = m1.ssh("systemctl reboot");
    wait_for(|| {
        m1.ssh("cat /proc/sys/kernel/random/boot_id")
            .is_ok_and(|answer| answer.status == 0 && answer.stdout != boot)
    });
    let _ = m2.ssh("systemctl poweroff");
    wait_for(|| !m2.is_on());
    m2.boot().unwrap();

    m1.freeze().unwrap();
    assert!(!plain_ssh_within(&lab, &m1.target("root"), 2));
    m1.thaw().unwrap();
    assert!(plain_ssh_within(&lab, &m1.target("root"), 10));

    let known = fs::read_to_string(lab.known_hosts()).unwrap();
    m1.wipe().unwrap();
    m1.boot().unwrap();
    assert_eq!(fs::read_to_string(lab.known_hosts()).unwrap(), known);
    let refused = plain_ssh(&lab, &m1.target("root"), "true");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("Host key verification failed"),
        "{refused:?}"
    );
    lab.trust("m1").unwrap();
    assert!(plain_ssh(&lab, &m1.target("root"), "true").status.success());
    assert!(plain_ssh(&lab, &m2.target("root"), "true").status.success());
    assert_eq!(
        m1.succeed("ls /root /var/lib/rancher"),
        "/root:\n\n/var/lib/rancher:\n"
    );
    assert_ne!(m1.succeed("cat /etc/machine-id"), machine_id);
    assert_eq!(m1.succeed("cat /etc/k3s-standin/promote-seconds"), "2\n");
}

fn wait_for(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < deadline, "waited for a minute");
        thread::sleep(Duration::from_millis(200));
    }
}

fn plain_ssh_within(lab: &Lab, target: &str, seconds: u32) -> bool {
    let mut ssh = Command::new("timeout");
    ssh.arg(seconds.to_string())
        .args(["ssh", "-F", "none", "-n", "-o", "BatchMode=yes", "-o"]);
    ssh.arg(format!(
        "UserKnownHostsFile={}",
        lab.known_hosts().display()
    ))
    .arg("-i")
    .arg(lab.ssh_key());
    ssh.args([target, "true"])
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

#[test]
fn two_labs_live_side_by_side() {
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| Lab::up(&machines(1, 1)).unwrap());
        let second = scope.spawn(|| Lab::up(&machines(2, 0)).unwrap());
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_ne!(first.id(), second.id());
    assert_ne!(first.directory(), second.directory());
    let addresses: BTreeSet<_> = first
        .machines()
        .iter()
        .chain(second.machines())
        .map(towline_lab::Machine::address)
        .collect();
    assert_eq!(addresses.len(), 4);
    let m2 = first.machine("m2").address();
    first.machine("m1").succeed(&format!("ping -c 1 -W 2 {m2}"));
    let inventory = first.inventory();
    for machine in first.machines() {
        assert!(inventory.contains(&format!(
            "  {}: {{address: {}, role: ",
            machine.name(),
            machine.address()
        )));
    }
    assert!(!inventory.contains(&second.machine("m1").address().to_string()));

    let id = first.id().to_owned();
    drop(first);
    assert_no_traces(&id);
    second.machine("m1").succeed("true");
    assert!(
        list()
            .unwrap()
            .iter()
            .any(|lab| lab.id == second.id() && lab.owned && !lab.kept)
    );
}

#[test]
fn a_panic_takes_the_lab_with_it() {
    let id = thread::spawn(|| {
        let lab = Lab::up(&machines(1, 0)).unwrap();
        let id = lab.id().to_owned();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            lab.machine("m1").succeed("echo said; exit 7")
        }));
        let message = *panic.unwrap_err().downcast::<String>().unwrap();
        assert!(
            message.contains("on m1, status 7") && message.contains("said"),
            "{message}"
        );
        id
    })
    .join()
    .unwrap();
    assert_no_traces(&id);
}

/// The command with a run area of its own, so that no lab of another test is in its way.
fn command(area: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towline-lab"));
    command
        .args(arguments)
        .env("TOWLINE_LAB_RUN", area)
        .stdin(Stdio::null());
    command
}

fn only_lab_in(area: &Path) -> Option<PathBuf> {
    let folders = fs::read_dir(area).ok()?.flatten().map(|entry| entry.path());
    folders.into_iter().find(|path| path.is_dir())
}

#[test]
fn the_lab_of_a_killed_owner_is_removed() {
    let area = tempfile::tempdir().unwrap();
    // Once with its guard, which removes at once; once with the guard killed as well, which leaves it to the sweep.
    for guarded in [true, false] {
        let mut up = command(area.path(), &["up", "1", "--no-k3s"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(|| {
            only_lab_in(area.path()).is_some_and(|lab| lab.join("m1/console.log").exists())
        });
        let lab = only_lab_in(area.path()).unwrap();
        let id = lab.file_name().unwrap().to_str().unwrap().to_owned();
        if !guarded {
            let guard = output("pgrep", &["-f", &format!("host.sh guard {id} ")]);
            assert!(
                Command::new("kill")
                    .arg("-KILL")
                    .args(guard.split_whitespace())
                    .status()
                    .unwrap()
                    .success()
            );
        }
        up.kill().unwrap();
        up.wait().unwrap();
        if !guarded {
            thread::sleep(Duration::from_secs(2));
            assert!(lab.exists());
            let swept = command(area.path(), &["sweep"]).output().unwrap();
            assert_eq!(
                String::from_utf8(swept.stdout).unwrap(),
                format!("swept {id}\n")
            );
        }
        assert_no_traces_of(&id, &lab);
    }
}

#[track_caller]
fn assert_no_traces_of(id: &str, directory: &Path) {
    assert_no_traces(id);
    assert!(
        !directory.exists(),
        "{} is still there",
        directory.display()
    );
}

#[test]
fn the_command_keeps_a_lab_until_down() {
    let area = tempfile::tempdir().unwrap();
    let inventory = area.path().join("demo.yaml");
    let up = command(
        area.path(),
        &[
            "up",
            "1+1",
            "--no-k3s",
            "--inventory",
            inventory.to_str().unwrap(),
        ],
    )
    .output()
    .unwrap();
    assert!(up.status.success(), "{up:?}");
    let lab = only_lab_in(area.path()).unwrap();
    let id = lab.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(
        fs::read_to_string(&inventory)
            .unwrap()
            .contains("  m2: {address: 10.77.")
    );

    let say = |arguments: &[&str]| {
        let output = command(area.path(), arguments).output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr),
        )
    };
    assert_eq!(say(&["sweep"]), (Some(0), "nothing to sweep\n".to_owned()));
    assert_eq!(
        say(&["ssh", "m2", "hostname; exit 5"]),
        (Some(5), "m2\n".to_owned())
    );
    assert_eq!(say(&["cut", "m2"]).0, Some(0));
    let (_, listed) = say(&["list"]);
    assert!(
        listed.contains(&format!("{id} (kept)"))
            && listed.contains("server  on")
            && listed.contains("agent   off"),
        "{listed}"
    );
    assert_eq!(say(&["boot", "m2"]).0, Some(0));
    assert_eq!(
        say(&["ssh", "m2", "--user", "admin", "sudo", "id", "-u"]),
        (Some(0), "0\n".to_owned())
    );
    let (status, unknown) = say(&["ssh", "m3"]);
    assert_eq!(
        (status, unknown.contains("it has m1, m2")),
        (Some(1), true),
        "{unknown}"
    );
    assert_eq!(say(&["down"]), (Some(0), format!("down: {id}\n")));
    assert_eq!(
        say(&["down"]),
        (Some(0), "no lab to take down\n".to_owned())
    );
    assert_no_traces_of(&id, &lab);
}

#[test]
fn a_sweep_spares_what_is_alive() {
    let lab = Lab::up(&machines(1, 0)).unwrap();
    assert!(!sweep().unwrap().contains(&lab.id().to_owned()));
    lab.machine("m1").succeed("true");
    assert!(
        Lab::attach(lab.id()).unwrap().down().is_err(),
        "it has a living owner"
    );
    lab.machine("m1").succeed("true");
}
