//! Two at once, on the same hosts: the second finds what the first has written, or leaves it.

use towline_lab::Machine;

use crate::grow::fingerprint;
use crate::place::{Place, wait_for};
use crate::towline::Running;

#[test]
fn two_first_deploys_at_the_same_moment_make_one_cluster() {
    let place = Place::up(3, 0);
    let inventory = place.inventory();
    let begin = || {
        place
            .towline("deploy", &inventory)
            .args("--output json")
            .start()
    };
    let both = [begin(), begin()].map(Running::wait);
    let codes = both.each_ref().map(|answer| answer.code.unwrap());
    assert!(codes.contains(&0), "no run came to the end: {codes:?}");
    for answer in both.iter().filter(|answer| answer.code != Some(0)) {
        assert_eq!(answer.code, Some(1));
        answer.says(&["was changed by something else while towline was at work"]);
    }
    let machines = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let tokens = machines.map(|machine| machine.succeed("cat /var/lib/rancher/k3s/server/token"));
    assert!(
        tokens.iter().all(|token| *token == tokens[0]),
        "more than one token"
    );
    let third = machines[2].address().to_string();
    wait_for("three voters", || {
        (place.api().summary(&third) == "m1 voter, m2 voter, m3 voter").then_some(())
    });
    place.deploy(&inventory).ends(0);
    place.deploy(&inventory).changed_nothing();
    place.kept_its_secrets();
}

#[test]
fn what_is_written_meanwhile_is_not_written_over() {
    let place = Place::up(1, 0);
    let m1 = place.machine("m1");
    let inventory = place.inventory();
    // Another program holds the lock, and the run waits for it with its plan already made.
    m1.succeed("systemd-run --unit=other sh -c 'flock /run/towline.lock sleep infinity' 2>&1");
    let holds = |machine: &Machine| {
        machine
            .ssh("! flock -n /run/towline.lock true")
            .unwrap()
            .status
            == 0
    };
    wait_for("the lock to be held", || holds(m1).then_some(()));
    let running = place
        .towline("deploy", &inventory)
        .args("--output json")
        .start();
    wait_for("the run to wait", || {
        running
            .said()
            .contains("another run of towline")
            .then_some(())
    });
    m1.succeed("mkdir -p /etc/rancher/k3s; echo 'token: mine' >/etc/rancher/k3s/config.yaml; systemctl stop other");
    let ended = running.wait().ends(1);
    ended.says(&["/etc/rancher/k3s/config.yaml was changed by something else"]);
    assert_eq!(
        m1.succeed("cat /etc/rancher/k3s/config.yaml"),
        "token: mine\n"
    );
    m1.succeed("! systemctl is-active k3s");
}

#[test]
fn another_ca_is_refused_before_the_first_server_and_ends_the_run_after_it() {
    let place = Place::up(2, 0);
    let (m1, m2) = (place.machine("m1"), place.machine("m2"));
    let inventory = place.inventory();
    let half_removed = "mkdir -p /var/lib/rancher/k3s/server/tls && \
        echo left behind >/var/lib/rancher/k3s/server/tls/server-ca.crt";
    m2.succeed(half_removed);
    let before = [fingerprint(m1), fingerprint(m2)];
    place.deploy(&inventory).ends(2).says(&[
        "m2: there is a cluster's CA in /var/lib/rancher/k3s, and nothing else of that cluster",
        "m1 is to make a new cluster, which m2 could not join",
        "--limit m2",
        "nothing was changed",
    ]);
    assert_eq!([fingerprint(m1), fingerprint(m2)], before);
    m2.succeed("rm -r /var/lib/rancher/k3s");

    // Where another Kubernetes runs, neither a deploy nor a reset touches anything.
    m2.succeed(
        "printf '[Service]\\nExecStart=/bin/sleep 1d\\n' >/etc/systemd/system/kubelet.service && \
         systemctl start kubelet",
    );
    let before = fingerprint(m2);
    for words in [&["plan"][..], &["reset", "--yes"]] {
        let run = place
            .towline(words[0], &inventory)
            .args(&words[1..].join(" "));
        run.run()
            .ends(1)
            .says(&["m2: a Kubernetes of kubeadm or kubespray runs on it"]);
    }
    assert_eq!(fingerprint(m2), before);
    m2.succeed("systemctl stop kubelet && rm /etc/systemd/system/kubelet.service && systemctl daemon-reload");

    // It comes when the first server is on its way: what was done by then is not called nothing.
    let running = place
        .towline("deploy", &inventory)
        .args("--output json")
        .start();
    wait_for("the first server to be made", || {
        running.said().contains("first server").then_some(())
    });
    m2.succeed(half_removed);
    let ended = running.wait().ends(1);
    ended.says(&[
        "two cluster CAs: m1 has one, m2 another",
        "the deploy ended early",
    ]);
    assert!(
        !ended.stderr.contains("nothing was changed"),
        "{}",
        ended.stderr
    );
    m1.succeed("systemctl is-active k3s");

    let reset = place
        .towline("reset", &inventory)
        .args("--limit m2 --yes")
        .run();
    reset.ends(0);
    m2.succeed("! test -e /var/lib/rancher/k3s");
    let deployed = place.deploy(&inventory).ends(0);
    assert_eq!(deployed.outcomes(), "m1 unchanged, m2 changed");
    place.kept_its_secrets();
}
