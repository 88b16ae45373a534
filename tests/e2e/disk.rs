//! Disks that are full, and what else a host may lack or a k3s may die of.

use std::fs;

use towline_lab::Source;

use crate::place::Place;

/// An `ipset save` that takes as long as on a busy machine.
const SLOW_IPSET: &str = r#"#!/bin/sh
[ "$1" != save ] || sleep 8
exec /var/lib/rancher/k3s/data/current/bin/aux/ipset "$@"
"#;

/// Ends k3s four seconds after its READY, as a setting does that its cluster cannot have.
const DIES: &str = r"[Service]
ExecStartPost=/bin/sh -c '(sleep 4; echo the wings fell off; kill -9 $MAINPID) &'
";

#[test]
fn a_full_disk_fails_its_host_alone_and_leaves_nothing() {
    let place = Place::up(1, 2);
    let (m2, m3) = (place.machine("m2"), place.machine("m3"));
    let inventory = place.inventory();
    let size = fs::metadata(&place.lab.release().path).unwrap().len() / (1 << 20) + 1;
    // Where k3s could not start, which is told before anything is changed: no room for its data, and
    // a kernel without the memory cgroup, as on a new Raspberry Pi.
    m2.succeed(
        "mkdir -p /var/lib/rancher/k3s && mount -t tmpfs -o size=20m tmpfs /var/lib/rancher/k3s",
    );
    m3.succeed(
        "file=/sys/fs/cgroup/cgroup.controllers; [ -f $file ] || file=/proc/cgroups
         sed -e 's/^\\(memory.*\\)1$/\\10/' -e 's/ memory//' $file >/root/cgroups && mount --bind /root/cgroups $file",
    );
    let refused = place.json("plan", &inventory).ends(1);
    refused.says(&[
        "m2: k3s's data belongs in /var/lib/rancher/k3s, where ",
        " MB are free, and ",
        "m3: its kernel does not offer these cgroup controllers: memory",
        "cgroup_memory=1 cgroup_enable=memory",
    ]);
    m2.succeed("umount /var/lib/rancher/k3s");
    m3.succeed("umount /sys/fs/cgroup/cgroup.controllers 2>/dev/null || umount /proc/cgroups");
    // Where it can be seen beforehand that there is no room.
    m2.succeed("mount -t tmpfs -o size=50m tmpfs /usr/local/bin");
    // Where it looks like room, and another program takes it while the upload runs.
    m3.succeed(&format!(
        "mount -t tmpfs -o size={}m tmpfs /usr/local/bin && cd /usr/local/bin && \
         systemd-run --unit=thief sh -c 'until ls -A /usr/local/bin | grep -q towline; do :; done; \
         fallocate -l 40M /usr/local/bin/stolen'",
        size + 20
    ));
    // A mistyped key of a file that is not towline's: a server starts without it.
    let typo = "/etc/rancher/k3s/config.yaml.d/mine.yaml";
    place.machine("m1").succeed(&format!(
        "mkdir -p $(dirname {typo}) && echo 'kubelet-args: [max-pods=50]' >{typo}"
    ));
    let deployed = place.deploy(&inventory).ends(1);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 failed, m3 failed");
    deployed.says(&[
        "m1: k3s skips `kubelet-args` of its configuration: it has no such flag (did you mean `kubelet-arg`?).",
    ]);
    let problem = deployed.row("m2").problem;
    assert!(
        problem.contains("/usr/local/bin has ") && problem.contains(" MB free"),
        "{problem}"
    );
    let problem = deployed.row("m3").problem;
    assert!(problem.contains("No space left on device"), "{problem}");
    assert_eq!(m2.succeed("ls -A /usr/local/bin"), "");
    assert_eq!(m3.succeed("ls -A /usr/local/bin"), "stolen\n");
    for machine in [m2, m3] {
        machine.succeed("! ls -d /etc/rancher /etc/systemd/system/k3s* 2>/dev/null | grep .");
    }
    let address = place.machine("m1").address().to_string();
    place.api().expect_summary(&address, "m1 agent");

    for machine in [m2, m3] {
        machine.succeed("umount /usr/local/bin");
    }
    // An agent whose network policy controller begins late has missed its kubelet's report, as on a busy
    // machine: it is made to report again. A real kubelet may have reason to do so by itself.
    m2.succeed(&format!(
        "mkdir -p /usr/local/sbin && cat >/usr/local/sbin/ipset <<'END'\n{SLOW_IPSET}END\nchmod +x /usr/local/sbin/ipset"
    ));
    let deployed = place.deploy(&inventory).ends(0);
    assert_eq!(deployed.outcomes(), "m1 unchanged, m2 changed, m3 changed");
    let changes = &deployed.changes()[&("m2".to_owned(), "service".to_owned())];
    if changes.len() > 1 || place.lab.release().source == Source::StandIn {
        assert_eq!(
            changes,
            &[
                "enable and start k3s-agent",
                "have the kubelet report node m2 again: it has been Ready for 10 s, and k3s-agent has not told systemd READY"
            ]
        );
    }
    m2.succeed("rm /usr/local/sbin/ipset");
    place
        .api()
        .expect_summary(&address, "m1 agent, m2 agent, m3 agent");
    place.deploy(&inventory).changed_nothing();

    // A k3s that is READY and dies a few seconds later, again and again, is no success.
    m2.succeed(&format!(
        "mkdir -p /etc/systemd/system/k3s-agent.service.d && cat >/etc/systemd/system/k3s-agent.service.d/mine.conf <<'END'\n{DIES}END"
    ));
    let deployed = place.deploy(&inventory).ends(1);
    assert_eq!(deployed.outcomes(), "m1 unchanged, m2 failed, m3 unchanged");
    let problem = deployed.row("m2").problem;
    assert!(
        problem.starts_with("m2: k3s-agent was READY and did not stay so (restarts by systemd: ")
            && problem.contains("\nthe wings fell off"),
        "{problem}"
    );
    m2.succeed("rm -r /etc/systemd/system/k3s-agent.service.d");
    let deployed = place.deploy(&inventory).ends(0);
    assert_eq!(
        deployed.outcomes(),
        "m1 unchanged, m2 changed, m3 unchanged"
    );
    place.deploy(&inventory).changed_nothing();
}
