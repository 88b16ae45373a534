//! Clusters that are taken apart: what stays is what was there before.

use towline_lab::Machine;

use crate::adopt::install;
use crate::kill::{Watch, lives, stands_still};
use crate::place::{Place, wait_for};

/// Everything that a machine has on its disk, but for what changes by itself and for what
/// docs/reset.md says stays: logs, what apt and systemd keep for themselves, caches, packages.
pub fn tree(machine: &Machine) -> String {
    machine.succeed(
        "cd / && find . -xdev \\( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp \
         -o -path ./var/tmp -o -path ./var/log -o -path ./var/lib/apt -o -path ./var/lib/dpkg -o -path ./var/cache \
         -o -path ./var/lib/systemd -o -path ./etc/ld.so.cache -o -path ./etc/k3s-standin \
         -o -path './root/.kube/cache' \\) -prune -o \\( -type f -o -type l \\) -printf '%p %m %U:%G %l\\n' \
         | LC_ALL=C sort; \
         find /etc /usr/local /opt /srv /home /root -xdev -type f ! -path /etc/ld.so.cache ! -path '/root/.kube/*' -print0 \
         | LC_ALL=C sort -z | xargs -0 sha256sum; \
         find /etc /usr/local /usr/libexec /opt /srv /home /var/lib -xdev -type d ! -path '/var/lib/apt*' ! -path '/var/lib/systemd*' \
         ! -path '/var/lib/dpkg*' | LC_ALL=C sort",
    )
}

/// The firewall's rules and chains, but for the built-in ones, and everything else that k3s puts into
/// the kernel.
pub fn kernel(machine: &Machine) -> String {
    machine.succeed(
        "for tool in iptables-nft ip6tables-nft; do $tool-save 2>/dev/null | grep -Ev '^(#|\\*|COMMIT)|^:[A-Z]+ ACCEPT' | sed 's/\\[[0-9]*:[0-9]*\\]//'; done; \
         ip -o link show | cut -d ' ' -f 2 | cut -d @ -f 1; ls /run/netns 2>/dev/null; \
         cut -d ' ' -f 2 /proc/self/mounts | grep -E '^/(run/k3s|var/lib/(kubelet|rancher))|foreign'; \
         ls /run | grep -E '^(k3s|flannel)$'; :",
    )
}

/// Rules of somebody else, some of them made to look like k3s's.
const FOREIGN: &str = "
    command -v iptables-nft >/dev/null
    iptables-nft -N MINE
    iptables-nft -A INPUT -p tcp --dport 8080 -m comment --comment 'not for KUBE-SERVICES -j KUBE-X' -j DROP
    iptables-nft -A MINE -s 192.0.2.0/24 -j RETURN
    iptables-nft -A FORWARD -j MINE
    iptables-nft -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE
    ip6tables-nft -A INPUT -s 2001:db8::/32 -j DROP
    touch /usr/local/bin/kube-mine /etc/systemd/system/mine.service
    mkdir -p /etc/cni/mine && cp /bin/true /usr/local/bin/ctr";

/// What a k3s with pods leaves in the kernel and in its folders.
const LEFT_BEHIND: &str = "
    iptables-nft -t nat -N KUBE-SERVICES && iptables-nft -t nat -N KUBE-SVC-ABC && iptables-nft -t nat -N CNI-HOSTPORT-DNAT
    iptables-nft -t nat -A KUBE-SERVICES -d 10.43.0.1 -j KUBE-SVC-ABC
    iptables-nft -t nat -A PREROUTING -m comment --comment 'kubernetes service portals' -j KUBE-SERVICES
    iptables-nft -t nat -A OUTPUT -j KUBE-SERVICES
    iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
    iptables-nft -N FLANNEL-FWD
    iptables-nft -I FORWARD 1 -m comment --comment 'flanneld forward' -j FLANNEL-FWD
    iptables-nft -A FORWARD -s 10.42.0.0/16 -m comment --comment 'flanneld forward' -j ACCEPT
    ip6tables-nft -N KUBE-FORWARD && ip6tables-nft -A FORWARD -j KUBE-FORWARD
    ip link add cni0 type bridge && ip link add flannel.1 type bridge && ip link add kube-ipvs0 type bridge
    ip netns add cni-0123
    mkdir -p /run/k3s/containerd/rootfs /srv/precious
    echo kept >/srv/precious/data
    # The kubelet removes folders of pods that it does not know, as long as nothing is mounted there.
    volume='/var/lib/kubelet/pods/x/volumes/v 4'
    for try in 1 2 3 4 5; do mkdir -p \"$volume\" && mount --bind /srv/precious \"$volume\" && break; done
    mountpoint -q \"$volume\"
    sh -c \"cd '/var/lib/kubelet/pods/x/volumes/v 4' && setsid sleep 7654321 >/dev/null 2>&1 &\"
    mount -t tmpfs tmpfs /run/k3s/containerd/rootfs
    mkdir -p /var/lib/rancher/k3s/data/0/bin && cp /bin/sleep /var/lib/rancher/k3s/data/0/bin/containerd-shim-runc-v2
    setsid /var/lib/rancher/k3s/data/0/bin/containerd-shim-runc-v2 7654321 >/dev/null 2>&1 &
    touch /usr/local/bin/.k3s.towline.ABCDEF";

#[test]
fn a_cluster_that_is_reset_leaves_nothing_behind_and_can_be_made_again() {
    let place = Place::up(3, 1);
    let inventory = place.inventory();
    let state = || -> Vec<(String, String)> {
        let machines = place.lab.machines().iter();
        machines
            .map(|machine| (tree(machine), kernel(machine)))
            .collect()
    };
    for machine in place.lab.machines() {
        machine.succeed(&format!("set -e\n{FOREIGN}"));
        machine.succeed("mkdir -p /srv/precious && echo kept >/srv/precious/data");
    }
    let before = state();
    place.deploy(&inventory).ends(0);
    for machine in place.lab.machines() {
        machine.succeed(&format!("set -e\n{LEFT_BEHIND}"));
    }

    // Neither a plan nor a reset that nobody has said yes to touches anything.
    let full = state();
    let planned = place
        .towline("reset", &inventory)
        .args("--plan --output json")
        .run()
        .ends(0);
    assert!(!planned.planned().is_empty());
    let unasked = place.towline("reset", &inventory).run().ends(2);
    unasked.says(&["there is no terminal", "--yes", "nothing was changed"]);
    assert_eq!(full, state());

    let reset = place
        .towline("reset", &inventory)
        .args("--yes --output json")
        .run()
        .ends(0);
    assert_eq!(
        reset.outcomes(),
        "m1 changed, m2 changed, m3 changed, m4 changed"
    );
    for (machine, (before, after)) in place.lab.machines().iter().zip(before.iter().zip(state())) {
        let name = machine.name();
        same_lines(name, &before.0, &after.0);
        same_lines(name, &before.1, &after.1);
        machine.succeed(
            "! pgrep -f '[c]ontainerd-shim|k3s (server|agent)' && grep -qx kept /srv/precious/data",
        );
        machine.succeed("! systemctl list-units --all --plain | grep -E 'k3s(-agent)?\\.service'");
    }
    let again = place
        .towline("reset", &inventory)
        .args("--yes --output json")
        .run();
    again.says(&["nothing of k3s is here"]);
    again.changed_nothing();

    place.deploy(&inventory).ends(0);
    let address = place.machine("m1").address().to_string();
    place
        .api()
        .expect_summary(&address, "m1 voter, m2 voter, m3 voter, m4 agent");
    place.deploy(&inventory).changed_nothing();
    place.kept_its_secrets();

    // The script on the host takes no more than the reset does, and leaves no less. The kubelet's
    // folder is a mount of the machine's own, which is emptied and stays.
    let m4 = place.machine("m4");
    m4.succeed(&format!("set -e\n{LEFT_BEHIND}"));
    m4.succeed("k3s-agent-uninstall.sh && grep -qx kept /srv/precious/data");
    m4.succeed(
        "! ls -d /var/lib/kubelet/* /var/lib/rancher/k3s /usr/local/bin/k3s* 2>/dev/null | grep .",
    );
    same_lines("m4", &before[3].1, &kernel(m4));
}

/// Says which lines are more or fewer, not all of both texts.
#[track_caller]
pub fn same_lines(name: &str, before: &str, after: &str) {
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let gone: Vec<_> = old.iter().filter(|line| !new.contains(line)).collect();
    let more: Vec<_> = new.iter().filter(|line| !old.contains(line)).collect();
    assert!(
        gone.is_empty() && more.is_empty(),
        "{name}: gone {gone:#?}, more {more:#?}"
    );
    assert_eq!(old, new, "{name}");
}

/// The lease of the controller that removes members of etcd.
const LEASE: &str = "k3s kubectl --namespace kube-system get lease k3s-etcd";

#[test]
fn an_agent_and_a_server_leave_a_cluster_that_stays_and_half_dead_hosts_are_reset_too() {
    let place = Place::up(3, 1);
    let inventory = place.inventory();
    place.deploy(&inventory).ends(0);
    let reset = |arguments: &str| {
        place
            .towline("reset", &inventory)
            .args(arguments)
            .args("--output json")
            .run()
    };
    let refused = reset("--yes --limit m2,m3").ends(2);
    refused.says(&["would lose their quorum", "nothing was changed"]);

    // The first server holds the leases of k3s's controllers and is named by all others. What it holds
    // is given back for it: the controller that removes members would wait for the lease's end.
    let m2 = place.machine("m2");
    let holders = Watch::on(
        m2,
        &format!(
            "while :; do {LEASE} --watch -o 'jsonpath={{.spec.holderIdentity}}{{\"\\n\"}}'; done >/run/holders"
        ),
    );
    wait_for("the holder of the lease", || {
        let seen = m2.ssh("cat /run/holders").unwrap().stdout;
        seen.starts_with("m1\n").then_some(())
    });
    let lives = || ["m2", "m3"].map(|name| lives(place.machine(name)));
    let before = lives();
    let left = reset("--yes --limit m1,m4").ends(0);
    assert_eq!(
        left.outcomes(),
        "m1 changed, m2 observed, m3 observed, m4 changed"
    );
    drop(holders);
    assert!(
        m2.succeed("uniq /run/holders").starts_with("m1\n\nm"),
        "the lease was not given back: {:?}",
        m2.succeed("uniq /run/holders")
    );
    for name in ["m2", "m3"] {
        let machine = place.machine(name);
        let address = machine.address().to_string();
        place.api().expect_summary(&address, "m2 voter, m3 voter");
        let server = machine.succeed("grep '^server:' /etc/rancher/k3s/config.yaml");
        assert!(
            !server.contains(&place.machine("m1").address().to_string()),
            "{name} names a server that has left: {server}"
        );
    }
    assert_eq!(lives(), before, "no server was started again for it");
    for name in ["m1", "m4"] {
        place
            .machine(name)
            .succeed("! ls -d /var/lib/rancher/* /usr/local/bin/k3s 2>/dev/null | grep .");
    }
    reset("--yes --limit m2")
        .ends(2)
        .says(&["would lose their quorum"]);
    // They come back under their names: their members and their passwords are forgotten.
    place.deploy(&inventory).ends(0);
    let all = "m1 voter, m2 voter, m3 voter, m4 agent";
    let address = place.machine("m1").address().to_string();
    place.api().expect_summary(&address, all);

    // A server that runs and whose node is deleted is no member any more, and its k3s runs on. m1 holds
    // no lease, so nothing but the deploy ends it. A kubelet registers once in its life. An API server
    // that still asked m1's etcd fails once.
    m2.succeed(
        "for again in 1 2 3; do \
         k3s kubectl delete node m1 m4 --ignore-not-found --timeout=120s && exit; sleep 1; done; exit 1",
    );
    place.machine("m1").succeed("systemctl is-active k3s");
    let joined = place.deploy(&inventory).ends(0);
    assert_eq!(
        joined.outcomes(),
        "m1 changed, m2 unchanged, m3 unchanged, m4 changed"
    );
    assert_eq!(
        joined.changes()[&("m4".to_owned(), "node".to_owned())],
        ["restart k3s-agent: the cluster has no node m4 any more"]
    );
    place.api().expect_summary(&address, all);
    place.deploy(&inventory).changed_nothing();

    // One whose binary is gone and whose unit fails, one that somebody has begun to uninstall, and
    // one that cannot be reached.
    place.machine("m3").succeed(
        "rm /usr/local/bin/k3s && systemctl kill -s KILL k3s; sleep 3; systemctl stop k3s; \
         systemctl is-active k3s | grep -qv '^active'",
    );
    place.machine("m4").succeed(
        "systemctl stop k3s-agent; rm -r /etc/systemd/system/k3s-agent.service /etc/rancher/k3s",
    );
    place.machine("m2").cut().unwrap();
    let broken = reset("--yes").ends(1);
    assert_eq!(
        broken.outcomes(),
        "m1 changed, m2 unreachable, m3 changed, m4 changed"
    );
    for name in ["m1", "m3", "m4"] {
        place.machine(name).succeed(
            "! ls -d /var/lib/rancher/* /etc/rancher /usr/local/bin/k3s* /etc/systemd/system/k3s* 2>/dev/null | grep . && \
             ! systemctl is-failed k3s k3s-agent && ! pgrep -f 'k3s (server|agent)'",
        );
    }
    place.machine("m2").boot().unwrap();
    let rest = reset("--yes").ends(0);
    assert_eq!(
        rest.outcomes(),
        "m1 unchanged, m2 changed, m3 unchanged, m4 unchanged"
    );
}

#[test]
fn a_server_of_the_installers_is_reset_also_when_power_was_lost_in_the_middle() {
    let place = Place::up(1, 0);
    let m1 = place.machine("m1");
    let before = (tree(m1), kernel(m1));
    install(&place, m1, "server", &["--disable", "traefik"], "A=b\n");
    m1.succeed("iptables-nft -t nat -N KUBE-SERVICES && ip link add cni0 type bridge");
    let inventory = place.inventory();
    let reset = || {
        place
            .towline("reset", &inventory)
            .args("--yes --output json")
    };

    // Nothing acts on a host while its lock is held, so the reset cannot come to its end before the
    // cut.
    let mut running = reset().start();
    let mut watch = Watch::on(
        m1,
        "while [ -e /etc/systemd/system/multi-user.target.wants/k3s.service ]; do sleep 0.1; done; \
         exec 9>/run/towline.lock; flock 9; echo seen; sleep 600",
    );
    watch.sees(&mut running);
    stands_still(&mut running);
    assert!(running.said().contains("\"event\":\"changed\""));
    m1.cut().unwrap();
    let cut = running.wait();
    assert_ne!(cut.code, Some(0), "it lost its host");
    m1.boot().unwrap();

    reset().run().ends(0);
    same_lines("files", &before.0, &tree(m1));
    same_lines("kernel", &before.1, &kernel(m1));
    let again = reset().run().ends(0);
    assert_eq!(again.outcomes(), "m1 unchanged");
}
