//! The lab's own tests: real machines, no k3s. They need root, and the packages that `tests/lab/prepare` installs.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, their helpers included"
)]

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;

use towline_lab::{Lab, Machine, list};

mod common;

use common::{assert_no_traces, machines, traces, wait_for};

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
    m1.succeed("ping -6 -c 1 -W 2 $(ip -6 route show default | cut -d ' ' -f 3)");
    let by_ipv6 = plain_ssh(&lab, &format!("root@{}", m1.address6()), "hostname");
    assert_eq!(String::from_utf8_lossy(&by_ipv6.stdout), "m1\n");
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
    m2.settle().unwrap();

    m1.freeze().unwrap();
    assert!(!plain_ssh_within(&lab, &m1.target("root"), 2));
    m1.thaw().unwrap();
    assert!(plain_ssh_within(&lab, &m1.target("root"), 60));

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
        .map(Machine::address)
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

    // Behind NAT this host alone reaches them at their other addresses, and each lab has its own.
    for lab in [&first, &second] {
        lab.translate().unwrap();
    }
    let reached = |lab: &Lab, name: &str| {
        let target = format!("root@{}", lab.machine(name).public_address());
        plain_ssh(lab, &target, "hostname; hostname -I").stdout
    };
    for (lab, name) in [
        (&first, "m1"),
        (&first, "m2"),
        (&second, "m1"),
        (&second, "m2"),
    ] {
        let machine = lab.machine(name);
        let said = format!("{name}\n{} {} \n", machine.address(), machine.address6());
        assert_eq!(String::from_utf8_lossy(&reached(lab, name)), said);
    }
    let public = first.machine("m2").public_address();
    first
        .machine("m1")
        .succeed(&format!("! ping -c 1 -W 2 {public}"));

    let id = first.id().to_owned();
    drop(first);
    assert_no_traces(&id);
    assert!(reached(&second, "m1").starts_with(b"m1"));
    second.machine("m1").succeed("true");
    assert!(
        list()
            .unwrap()
            .iter()
            .any(|lab| lab.id == second.id() && lab.owned && !lab.kept)
    );
}
