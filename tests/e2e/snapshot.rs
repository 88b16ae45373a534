//! The data of a cluster, saved, and put back onto the same machines and onto empty ones.

use std::fs;

use towline_lab::Machine;

use crate::place::{Place, mode};

const DB: &str = "/var/lib/rancher/k3s/server/db";

fn uid(machine: &Machine) -> String {
    machine.succeed("k3s kubectl get configmap early -o 'jsonpath={.metadata.uid}'")
}

fn has_what_was_saved(place: &Place, uid_before: &str) {
    for name in ["m1", "m2", "m3"] {
        let machine = place.machine(name);
        assert_eq!(uid(machine), uid_before, "{name}");
        machine.succeed("! k3s kubectl get configmap later");
    }
    let nodes = place.machine("m1").succeed(
        "k3s kubectl get nodes -o 'jsonpath={range .items[*]}{.metadata.name} \
         {.status.conditions[?(@.type==\"Ready\")].status} {.status.conditions[?(@.type==\"EtcdIsVoter\")].status}{\"\\n\"}{end}'",
    );
    assert_eq!(
        nodes,
        "m1 True True\nm2 True True\nm3 True True\nm4 True \n"
    );
}

#[test]
fn a_cluster_comes_back_from_a_snapshot_on_its_machines_and_on_empty_ones() {
    let place = Place::up(3, 1);
    let [m1, m2, m3] = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let inventory = place.inventory();
    let snapshot = |what: &str| place.towline(&format!("snapshot {what}"), &inventory);
    place.deploy(&inventory).ends(0);
    m1.succeed("k3s kubectl create configmap early --from-literal=a=b");
    let before = uid(m1);

    // Saved and fetched, with what is to be known of it.
    snapshot("save --plan")
        .run()
        .ends(0)
        .says(&["take a snapshot of etcd", "fetch it to the current folder"]);
    m1.succeed(&format!("! ls {DB}/snapshots/*"));
    let saved = snapshot("save --output json -o early.db").run().ends(0);
    saved.says(&[
        "a restore onto new machines needs the cluster's token as well",
        "a restore onto new machines needs the cluster's agent_token as well",
    ]);
    assert_eq!(mode(&place.file("early.db")), 0o600);
    let record = fs::read_to_string(place.file("early.db.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let name = record["snapshot"].as_str().unwrap();
    let hash = m1.succeed(&format!("sha256sum <{DB}/snapshots/{name}"));
    assert_eq!(record["sha256"], hash.split_whitespace().next().unwrap());
    snapshot("list").run().ends(0).says(&[name]);
    snapshot("fetch -o early.db")
        .arg(name)
        .run()
        .ends(2)
        .says(&["exists already"]);
    snapshot("fetch none")
        .run()
        .ends(2)
        .says(&["no server has the snapshot none"]);

    // On a full disk k3s ends with status 0 and says nothing.
    m2.succeed(&format!(
        "mkdir -p {DB}/snapshots && mount -t tmpfs -o size=64k tmpfs {DB}/snapshots"
    ));
    let full = snapshot("save --limit m2 --name full --no-fetch")
        .run()
        .ends(1);
    full.says(&["k3s has written no snapshot", "KiB are free"]);
    m2.succeed(&format!("umount {DB}/snapshots"));
    snapshot("save --limit m3 --name third --no-fetch")
        .run()
        .ends(0);
    let third = m3.succeed(&format!("cd {DB}/snapshots && ls third-m3-*"));
    snapshot("delete").arg(third.trim()).run().ends(0);
    m3.succeed(&format!("! ls {DB}/snapshots/third-*"));

    // What would not bring it back is not begun.
    m1.succeed("k3s kubectl create configmap later --from-literal=a=b");
    let whole = fs::read(place.file("early.db")).unwrap();
    fs::write(place.file("cut.db"), &whole[..whole.len() - 512]).unwrap();
    snapshot("restore cut.db --yes")
        .run()
        .ends(2)
        .says(&["no whole snapshot"]);
    snapshot("restore early.db")
        .run()
        .ends(2)
        .says(&["there is no terminal to ask on"]);
    fs::write(place.file("other"), "not-the-token\n").unwrap();
    let other = inventory.clone().cluster("token", "{file: other}");
    let refused = place.towline("snapshot restore early.db --yes", &other);
    refused
        .run()
        .ends(2)
        .says(&["is not the one that the snapshot needs"]);
    snapshot("restore early.db --plan").run().ends(0).says(&[
        "stop k3s, and put its data aside",
        "m1 begins with the snapshot of etcd; m2, m3 join it",
    ]);
    assert_eq!(uid(m1), before);
    m1.succeed("k3s kubectl get configmap later");

    // Killed when the first server has begun, and run again.
    let mut running = snapshot("restore early.db --yes --output json").start();
    running.tells("the others to follow", |event| {
        event["event"] == "begun" && event["host"] == "m2" && event["step"] == "service"
    });
    running.kill();
    snapshot("restore early.db --yes --output json")
        .run()
        .ends(0);
    has_what_was_saved(&place, &before);
    let kept = m2.succeed(&format!("ls -d {DB}/etcd-old-* | wc -l"));
    assert_eq!(kept.trim(), "1");
    m1.succeed("! ls /var/lib/rancher/k3s/server/towline-*");
    place.deploy(&inventory).ends(0).changed_nothing();
    place.kept_its_secrets();

    // All servers are new machines.
    let token = m1.succeed("cat /var/lib/rancher/k3s/server/token");
    for machine in [m1, m2, m3] {
        machine.wipe().unwrap();
        machine.boot().unwrap();
    }
    let inventory = inventory.ssh("known_hosts", "known_again");
    let restore = "snapshot restore early.db --accept-new-host-keys --yes --output json";
    let refused = place.towline(restore, &inventory).run();
    refused
        .ends(2)
        .says(&["the token of the cluster is not known"]);
    fs::write(place.file("token"), token).unwrap();
    let inventory = inventory.cluster("token", "{file: token}");
    place.towline(restore, &inventory).run().ends(0);
    has_what_was_saved(&place, &before);
    place.deploy(&inventory).ends(0).changed_nothing();
    place.kept_its_secrets();

    // Two of three are lost for good.
    place
        .towline("recover --yes", &inventory)
        .run()
        .ends(2)
        .says(&["the cluster has not lost its quorum"]);
    m1.cut().unwrap();
    m2.cut().unwrap();
    let inventory = inventory.only(&["m3", "m4"]);
    place.json("recover --yes", &inventory).ends(0);
    assert_eq!(uid(m3), before);
    place.deploy(&inventory).ends(0).changed_nothing();
    // Agents leave a server when its node is gone.
    m3.succeed("k3s kubectl delete node m1 m2");
    place.deploy(&inventory).ends(0);
    let agent = place.machine("m4");
    agent.succeed(&format!(
        "grep -F 'server: \"https://{}:6443\"' /etc/rancher/k3s/config.yaml",
        m3.address()
    ));
}
