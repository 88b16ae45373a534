//! Machines that lose power, come back, come back as strangers, or are not there at the beginning.

use std::process::Command;

use crate::kill::{holds_the_restart, lives, stands_still};
use crate::place::{Place, wait_for};

/// Pulls the cords of these machines and puts them back in.
fn cycle(place: &Place, names: &[&str]) {
    for name in names {
        place.machine(name).cut().unwrap();
    }
    for name in names {
        place.machine(name).boot().unwrap();
    }
}

#[test]
fn a_cluster_outlives_power_cords_and_takes_wiped_machines_back() {
    let place = Place::up(3, 1);
    let inventory = place.inventory().cluster("join", "serial");
    let all = "m1 voter, m2 voter, m3 voter, m4 agent";
    let servers = ["m1", "m2", "m3"];
    let deployed = place.deploy(&inventory).ends(0);
    // The careful way: the third server begins when the second votes.
    let joins: Vec<String> = deployed
        .events()
        .iter()
        .filter(|event| event["event"] == "changed")
        .map(|event| format!("{} {}", event["host"], event["step"]).replace('"', ""))
        .filter(|step| step.starts_with("m2") || step.starts_with("m3"))
        .collect();
    let place_of = |step: &str| joins.iter().position(|joined| joined == step);
    assert!(
        place_of("m2 service") < place_of("m3 configuration"),
        "not one after the other: {joins:?}"
    );
    let token = place
        .machine("m1")
        .succeed("cat /var/lib/rancher/k3s/server/token");

    // One without power: it is named, and the others are none the worse.
    place.machine("m2").cut().unwrap();
    let deployed = place.deploy(&inventory).ends(1);
    assert_eq!(
        deployed.outcomes(),
        "m1 unchanged, m2 unreachable, m3 unchanged, m4 unchanged"
    );
    deployed.says(&["m2: cannot be reached"]);
    let plan = place.json("plan", &inventory).ends(1);
    plan.says(&["m2: cannot be reached"]);
    assert!(plan.planned().is_empty(), "{:?}", plan.planned());
    place.machine("m2").boot().unwrap();

    // One that loses power when a plan was made that restarts the others: none of them is restarted.
    let m1 = place.machine("m1");
    place
        .machine("m2")
        .succeed("until systemctl is-active k3s; do sleep 0.2; done");
    let life = lives(m1);
    let held = holds_the_restart(m1, "k8s.example.org");
    let named = inventory.clone().cluster("tls_sans", "[k8s.example.org]");
    let mut running = place
        .towline("deploy", &named)
        .args("--output json")
        .start();
    stands_still(&mut running);
    place.machine("m2").cut().unwrap();
    wait_for("the restart to be held back", || {
        assert!(running.is_running(), "it was not held back");
        let said = running.said();
        said.contains("m2 is down, and without m1 only 1 of them would be up")
            .then_some(())
    });
    drop(held);
    running.interrupt();
    assert_ne!(running.wait().code, Some(0), "it came to its end");
    assert_eq!(lives(m1), life, "it was restarted beside one that is down");

    // All servers without power, and one of them back: it waits for no machine that is not there, and
    // says which are needed.
    for name in ["m1", "m3"] {
        place.machine(name).cut().unwrap();
    }
    place.machine("m1").boot().unwrap();
    let deployed = place.deploy(&named).ends(1);
    let problem = deployed.row("m1").problem;
    assert_eq!(
        problem,
        "m1: etcd needs more than half of its members, 2 of m1, m2, m3, and only m1 was reached with its data\nswitch on m2 or m3, then run the same command again"
    );
    // None is READY alone, so a deploy must not wait for one.
    for name in ["m2", "m3"] {
        place.machine(name).boot().unwrap();
    }
    place.deploy(&inventory).ends(0);
    place.deploy(&inventory).changed_nothing();
    for name in servers {
        place.machine(name).succeed("systemctl disable k3s 2>&1");
    }
    cycle(&place, &servers);
    for name in servers {
        assert_eq!(
            place.machine(name).succeed("systemctl is-active k3s || :"),
            "inactive\n"
        );
    }
    let deployed = place.deploy(&inventory).ends(0);
    assert_eq!(
        deployed.outcomes(),
        "m1 changed, m2 changed, m3 changed, m4 unchanged"
    );
    for name in servers {
        place
            .machine(name)
            .succeed("systemctl is-enabled k3s && systemctl is-active k3s");
    }
    place.deploy(&inventory).changed_nothing();

    // New disks in a server and in the agent: their new keys are refused until the user has said
    // that this is no stranger, in the very words of the message.
    for name in ["m3", "m4"] {
        place.machine(name).wipe().unwrap();
        place.machine(name).boot().unwrap();
    }
    let refused = place.deploy(&inventory).ends(1);
    assert_eq!(
        refused.outcomes(),
        "m1 unchanged, m2 unchanged, m3 unreachable, m4 unreachable"
    );
    for name in ["m3", "m4"] {
        let problem = refused.row(name).problem;
        assert!(problem.contains("THE HOST KEY HAS CHANGED"), "{problem}");
        assert!(problem.contains("--accept-new-host-keys"), "{problem}");
        let forget = problem
            .lines()
            .find(|line| line.starts_with("ssh-keygen -R "))
            .unwrap();
        let forgot = Command::new("sh").args(["-c", forget]).output().unwrap();
        assert!(forgot.status.success(), "{forget}: {forgot:?}");
    }
    let deployed = place
        .towline("deploy", &inventory)
        .args("--output json --accept-new-host-keys")
        .run()
        .ends(0);
    // The first server that answered in time forgets the old nodes; one is enough.
    let one_forgets = [
        "m1 changed, m2 unchanged, m3 changed, m4 changed",
        "m1 unchanged, m2 changed, m3 changed, m4 changed",
    ];
    let outcomes = deployed.outcomes();
    assert!(one_forgets.contains(&&*outcomes), "{outcomes}");
    for name in servers {
        place
            .api()
            .expect_summary(&place.machine(name).address().to_string(), all);
        assert_eq!(
            place
                .machine(name)
                .succeed("cat /var/lib/rancher/k3s/server/token"),
            token,
            "{name}"
        );
    }
    place.deploy(&inventory).changed_nothing();
    place.kept_its_secrets();
}

#[test]
fn no_cluster_is_made_while_the_first_server_cannot_be_reached() {
    let place = Place::up(2, 1);
    let inventory = place.inventory();
    place.machine("m1").cut().unwrap();
    let plan = place.json("plan", &inventory).ends(1);
    plan.says(&[
        "m1: cannot be reached",
        "a cluster is only made when every server is reached, and m1 was not",
    ]);
    let deployed = place.deploy(&inventory).ends(1);
    assert_eq!(
        deployed.outcomes(),
        "m1 unreachable, m2 cancelled, m3 cancelled"
    );
    for name in ["m2", "m3"] {
        place.machine(name).succeed(
            "! ls -A /etc/rancher /var/lib/rancher/k3s 2>/dev/null | grep . && \
             ! systemctl is-active k3s k3s-agent | grep -vx inactive && ! pgrep k3s",
        );
    }
    place.machine("m1").boot().unwrap();
    place.deploy(&inventory).ends(0);
    let address = place.machine("m2").address().to_string();
    place
        .api()
        .expect_summary(&address, "m1 voter, m2 voter, m3 agent");
    place.deploy(&inventory).changed_nothing();
    place.kept_its_secrets();
}
