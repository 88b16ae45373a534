//! Machines that lose power while they join and afterwards, too many of them, and those that come back as strangers.

use super::{cluster_id, lives, members, nodes, problem_of, renew};
use crate::place::wait_for;

#[test]
fn a_cluster_of_k0s_outlives_power_cords_and_takes_wiped_machines_back() {
    let place = super::machines(4, 1);
    let names = ["m1", "m2", "m3", "m4", "m5"];
    let [m1, m2, m3, m4, m5] = names.map(|name| place.machine(name));
    let at = names.map(|name| place.machine(name).address().to_string());
    let all = place.inventory();
    let three = all.clone().only(&["m1", "m2", "m3", "m5"]);
    place.deploy(&three).ends(0);
    let cluster = cluster_id(m1);

    // One without power, while a worker comes back with a new disk and a controller is to join.
    m2.cut().unwrap();
    renew(&place, "m5");
    let deployed = place.deploy(&all).ends(1);
    assert_eq!(
        deployed.outcomes(),
        "m1 changed, m2 unreachable, m3 unchanged, m4 failed, m5 changed"
    );
    let problem = problem_of(&deployed, "m4");
    let down = format!("{} (m2, a member of etcd that is down) to answer", at[1]);
    assert!(problem.contains(&down), "{problem}");
    let remedy = format!("k0s etcd leave --peer-address {}", at[1]);
    assert!(problem.contains(&remedy), "{problem}");
    assert_eq!(members(m1), at[..3]);
    // What would restart the others is held back.
    let life = lives(m1);
    let named = three.clone().cluster("tls_sans", "[k8s.example.org]");
    let held = place.deploy(&named).ends(1);
    assert_eq!(held.row("m1").outcome, "cancelled");
    assert!(
        held.row("m1").problem.contains("etcd would lose quorum"),
        "{}",
        held.row("m1").problem
    );
    assert_eq!(lives(m1), life, "it was restarted beside one that is down");

    // A second one: too few are left. It is said which are needed, and nothing is done.
    m3.cut().unwrap();
    let failed = place
        .deploy(&all.clone().only(&["m1", "m2", "m3", "m5"]))
        .ends(1);
    failed.says(&["etcd needs more than half of its members, 2 of m1, m2, m3, and only m1 was reached with its data"]);

    // A cold start, each unit disabled: all are started together, since none has a quorum alone.
    m1.succeed("systemctl disable k0scontroller 2>&1");
    m1.cut().unwrap();
    for machine in [m1, m2, m3] {
        machine.boot().unwrap();
    }
    place.deploy(&three).ends(0);
    assert_eq!(cluster_id(m1), cluster);
    m1.succeed("systemctl is-enabled k0scontroller");
    place.deploy(&three).changed_nothing();

    // One that loses power while it joins is let in by the next run.
    let mut running = place.towline("deploy", &all).args("--output json").start();
    wait_for("the join to begin", || {
        assert!(running.is_running(), "it ended before the moment came");
        let seen = m4.ssh("systemctl is-active k0scontroller").unwrap();
        (seen.stdout == "active\n").then_some(())
    });
    m4.cut().unwrap();
    let deployed = running.wait().ends(1);
    assert_eq!(
        deployed.outcomes(),
        "m1 changed, m2 unchanged, m3 unchanged, m4 failed, m5 unchanged"
    );
    deployed.says(&["m4: the connection was lost", "run the same command again"]);
    m4.boot().unwrap();
    place.deploy(&all).ends(0);
    assert_eq!(members(m2), at[..4]);
    place.deploy(&all).changed_nothing();

    // New disks: of each controller but the first, whose story is told elsewhere, and of the first again.
    for name in ["m2", "m3", "m1"] {
        renew(&place, name);
        let healed = place.deploy(&all).ends(0);
        assert_eq!(healed.row(name).outcome, "changed");
        assert_eq!(cluster_id(place.machine(name)), cluster, "{name}");
        assert_eq!(members(m4), at[..4]);
    }
    assert_eq!(nodes(m4), "m1 True m2 True m3 True m4 True m5 True");
    assert!(
        m5.succeed("systemctl show -p NRestarts --value k0sworker")
            .trim()
            == "0"
    );
    place.deploy(&all).changed_nothing();
}
