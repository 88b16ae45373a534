//! k0s: from bare machines to a cluster, a controller that was wiped, one that leaves, and back.

use std::fs;

use towline_lab::{Distribution, Options};

use crate::place::{Place, mode};

/// How what a host joins with begins, packed.
const TOKEN: &str = "H4sIAAAA";

#[test]
fn a_cluster_of_k0s_is_made_loses_its_first_controller_and_goes() {
    let place = Place::with(&Options {
        servers: 3,
        agents: 1,
        distribution: Distribution::K0s,
        ..Options::default()
    });
    let inventory = place.inventory().host("m3", "role", "controller");
    let plan = place.json("plan", &inventory).ends(0);
    let deployed = place
        .towline("deploy", &inventory)
        .args("--output json -vv --log-file towline.log")
        .run()
        .ends(0);
    assert_eq!(
        deployed.outcomes(),
        "m1 changed, m2 changed, m3 changed, m4 changed"
    );
    assert_eq!(plan.planned(), deployed.changes());
    // A controller alone is no node.
    let nodes = |name: &str| {
        let asked = "k0s kubectl get nodes -o 'jsonpath={range .items[*]}{.metadata.name} {.status.conditions[?(@.type==\"Ready\")].status} {end}'";
        place.machine(name).succeed(asked)
    };
    assert_eq!(nodes("m3").trim(), "m1 True m2 True m4 True");
    let members = |name: &str| {
        let asked = "k0s etcd member-list | grep -o '//[0-9.]*:2380' | sort | tr '\\n' ' '";
        place.machine(name).succeed(asked)
    };
    assert_eq!(members("m3").split_whitespace().count(), 3);

    // What hosts joined with is gone, from the hosts and from the cluster, and was never said.
    for name in ["m1", "m2", "m3", "m4"] {
        let machine = place.machine(name);
        assert_eq!(machine.succeed("stat -c %a /etc/k0s/k0stoken"), "600\n");
        let token = machine.succeed("cat /etc/k0s/k0stoken");
        assert!(token.starts_with("This host has joined"), "{name}");
        // One whose data was lost must not make a cluster of its own.
        machine.succeed("grep -q 'token-file=/etc/k0s/k0stoken' /etc/systemd/system/k0s*.service");
    }
    let secrets = "k0s kubectl get secrets -n kube-system -o name";
    let secrets = place.machine("m1").succeed(secrets);
    assert!(!secrets.contains("bootstrap-token"), "{secrets}");
    let log = fs::read_to_string(place.file("towline.log")).unwrap();
    assert!(!log.contains(TOKEN) && !deployed.stdout.contains(TOKEN));
    assert_eq!(mode(&place.file("demo.kubeconfig")), 0o600);

    place.deploy(&inventory).changed_nothing();
    let plan = place.json("plan", &inventory).ends(0);
    assert!(plan.planned().is_empty(), "{:?}", plan.planned());

    // The first controller comes back with an empty disk: it joins the others, under its name and address.
    let cluster = "k0s kubectl get namespace kube-system -o 'jsonpath={.metadata.uid}'";
    let before = place.machine("m2").succeed(cluster);
    place.machine("m1").wipe().unwrap();
    place.machine("m1").boot().unwrap();
    place.lab.trust("m1").unwrap();
    let healed = place.deploy(&inventory).ends(0);
    assert_eq!(healed.row("m1").outcome, "changed");
    assert_eq!(place.machine("m1").succeed(cluster), before);
    assert_eq!(members("m1").split_whitespace().count(), 3);
    place.deploy(&inventory).changed_nothing();

    let left = place
        .towline("reset", &inventory)
        .args("--limit m3 --yes --output json")
        .run()
        .ends(0);
    assert_eq!(left.row("m3").outcome, "changed");
    assert_eq!(members("m1").split_whitespace().count(), 2);
    let gone = "! ls -d /etc/k0s /usr/local/bin/k0s /run/k0s /etc/systemd/system/k0s* 2>/dev/null | grep . && [ -z \"$(ls -A /var/lib/k0s)\" ]";
    place.machine("m3").succeed(gone);

    place
        .towline("reset", &inventory)
        .args("--yes --output json")
        .run()
        .ends(0);
    for name in ["m1", "m2", "m4"] {
        place.machine(name).succeed(gone);
    }

    // What something else has set up is left as it is.
    let unit = "printf '[Service]\\nExecStart=/usr/local/bin/k0s controller\\n' >/etc/systemd/system/k0scontroller.service";
    place.machine("m1").succeed(unit);
    let problem = place.deploy(&inventory).ends(1).row("m1").problem;
    let said = "k0s was set up here by something else";
    assert!(problem.contains(said), "{problem}");
    place.machine("m1").succeed("! test -e /usr/local/bin/k0s");
}
