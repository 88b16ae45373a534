//! From machines as `VirtualBox` makes them to a cluster, and back to bare machines.

use std::fs;

use super::{GONE, TOKEN, cluster_id, members, nodes, renew, with};
use crate::asking::never_without_an_answer;
use crate::inventory::Inventory;
use crate::labels::follow_the_inventory;
use crate::place::{Place, mode};

/// Lets towline reach a machine by a forwarded port of this host, as it is behind `VirtualBox`.
fn forwarded(place: &Place, inventory: Inventory, name: &str) -> Inventory {
    let port = place.lab.forward(place.machine(name)).unwrap();
    inventory
        .host(name, "address", "127.0.0.1")
        .host(name, "ssh", &format!("{{port: {port}}}"))
}

#[test]
fn behind_nat_a_cluster_of_k0s_is_made_loses_its_first_controller_is_changed_and_goes() {
    let place = super::machines(3, 1);
    place.lab.behind_virtualbox().unwrap();
    let names = ["m1", "m2", "m3", "m4"];
    let inventory = place
        .inventory()
        .host("m2", "role", "controller+worker")
        .host("m3", "role", "controller");
    let inventory = names.iter().fold(inventory, |inventory, name| {
        forwarded(&place, inventory, name)
    });
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
    deployed.says(&["10.0.2.15 is the same on every machine behind such a NAT"]);

    // A controller alone is no node, and one that is a node, too, keeps workloads away.
    let [m1, m2, m3] = ["m1", "m2", "m3"].map(|name| place.machine(name));
    assert_eq!(nodes(m3), "m1 True m2 True m4 True");
    // Kubernetes lifts its own taint of a node that was not ready a moment after the node is.
    let taints = r#"k0s kubectl get nodes -o 'jsonpath={range .items[*]}{.metadata.name}:{.spec.taints[?(@.key=="node-role.kubernetes.io/control-plane")].effect} {end}'"#;
    assert_eq!(m1.succeed(taints).trim(), "m1: m2:NoSchedule m4:");
    // k0s would take 10.0.2.15 for each of them.
    let servers = [m1, m2, m3].map(|machine| machine.address().to_string());
    assert_eq!(members(m3), servers);
    for (machine, own) in [m1, m2, m3].into_iter().zip(&servers) {
        let yaml = machine.succeed("cat /etc/k0s/k0s.yaml");
        for line in [
            format!("\"address\":\"{own}\""),
            format!("\"peerAddress\":\"{own}\""),
        ] {
            assert!(yaml.replace(": ", ":").contains(&line), "{line} in {yaml}");
        }
    }
    let api = place.api();
    assert_eq!(api.server, format!("https://{}:6443", servers[0]));
    for (name, node) in api.nodes(&servers[0]).unwrap() {
        let own = format!("InternalIP {}", place.machine(&name).address());
        assert_eq!(node.addresses[0], own, "{name}");
    }

    // What hosts joined with is gone, from the hosts and from the cluster, and was never said.
    for name in names {
        let machine = place.machine(name);
        assert_eq!(machine.succeed("stat -c %a /etc/k0s/k0stoken"), "600\n");
        let token = machine.succeed("cat /etc/k0s/k0stoken");
        assert!(token.starts_with("This host has joined"), "{name}");
        // One whose data was lost must not make a cluster of its own.
        machine.succeed("grep -q 'token-file=/etc/k0s/k0stoken' /etc/systemd/system/k0s*.service");
    }
    let secrets = m1.succeed("k0s kubectl get secrets -n kube-system -o name");
    assert!(!secrets.contains("bootstrap-token"), "{secrets}");
    let log = fs::read_to_string(place.file("towline.log")).unwrap();
    assert!(!log.contains(TOKEN) && !deployed.stdout.contains(TOKEN));
    assert_eq!(mode(&place.file("demo.kubeconfig")), 0o600);

    place.deploy(&inventory).changed_nothing();
    let plan = place.json("plan", &inventory).ends(0);
    assert!(plan.planned().is_empty(), "{:?}", plan.planned());

    follow_the_inventory(
        &place,
        &inventory,
        ["m1", "m2"],
        ["k0s kubectl", "k0scontroller"],
    );

    crate::users::come_and_go(&place, "m2", "k0s kubectl");
    super::manifests::come_and_go(&place, &inventory);
    super::registries::come_and_go(&place, &inventory);

    // The first controller comes back with an empty disk: it joins the others, under its name and address.
    let before = cluster_id(m2);
    renew(&place, "m1");
    let inventory = forwarded(&place, inventory, "m1");
    let healed = place.deploy(&inventory).ends(0);
    assert_eq!(healed.row("m1").outcome, "changed");
    assert_eq!(cluster_id(m1), before);
    assert_eq!(members(m1), servers);
    assert_eq!(nodes(m1), "m1 True m2 True m4 True");
    place.deploy(&inventory).changed_nothing();

    // A name for the certificate and a flag of the unit: the controllers are restarted one by one.
    let flag = "disable-components: [metrics-server], ";
    let changed = with(&place, inventory.clone(), flag, "");
    let changed = changed.cluster("tls_sans", "[k8s.example.org]");
    let worker = super::lives(place.machine("m4"));
    let deployed = never_without_an_answer(&place.api(), &servers, || place.deploy(&changed));
    assert_eq!(
        deployed.ends(0).outcomes(),
        "m1 changed, m2 changed, m3 changed, m4 unchanged"
    );
    assert_eq!(super::lives(place.machine("m4")), worker);
    for (machine, own) in [m1, m2, m3].into_iter().zip(&servers) {
        place
            .api()
            .ask_as("k8s.example.org", own, "/readyz")
            .unwrap();
        machine.succeed("k0s status -o json | grep -q -e --disable-components=metrics-server");
    }
    place.deploy(&changed).changed_nothing();

    let left = place
        .towline("reset", &changed)
        .args("--limit m1 --yes --output json")
        .run()
        .ends(0);
    assert_eq!(left.row("m1").outcome, "changed");
    assert_eq!(members(m2), servers[1..]);
    m1.succeed(GONE);
    // The worker knew that one alone.
    let known = place
        .machine("m4")
        .succeed("grep server: /var/lib/k0s/kubelet.conf");
    assert_eq!(known.trim(), format!("server: https://{}:6443", servers[1]));
    assert_eq!(nodes(m2), "m2 True m4 True");
    place
        .towline("reset", &changed)
        .args("--yes --output json")
        .run()
        .ends(0);
    for name in ["m2", "m3", "m4"] {
        place.machine(name).succeed(GONE);
    }

    // What something else has set up is left as it is.
    let unit = "printf '[Service]\\nExecStart=/usr/local/bin/k0s controller\\n' >/etc/systemd/system/k0scontroller.service";
    m1.succeed(unit);
    let refused = place.deploy(&changed).ends(1);
    assert_eq!(
        refused.outcomes(),
        "m1 failed, m2 cancelled, m3 cancelled, m4 cancelled"
    );
    refused.says(&[
        "m1: k0s was set up here by something else",
        "the first server, m1, cannot be used as it is",
    ]);
    m1.succeed("! test -e /usr/local/bin/k0s");
}
