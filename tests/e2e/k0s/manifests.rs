//! Manifests of the inventory on controllers, beside those of their user.

use std::fs;

use crate::inventory::Inventory;
use crate::place::Place;

/// They are applied, changed, refused with the API's words, and taken away again.
pub fn come_and_go(place: &Place, inventory: &Inventory) {
    let controllers = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let m1 = controllers[0];
    let write = |name: &str, text: &str| fs::write(place.file(name), text).unwrap();
    let pools = |value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: pools, namespace: default}}\ndata: {{a: {value}}}\n"
        )
    };
    write("pools.yml", &pools("one"));
    write(
        "refused.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: refused, namespace: default}\nspec: {replicas: 1}\n",
    );
    let value = "k0s kubectl get configmap pools --ignore-not-found -o 'jsonpath={.data.a}'";
    for machine in controllers {
        machine.succeed("mkdir -p /var/lib/k0s/manifests/mine && echo '{apiVersion: v1, kind: ConfigMap, metadata: {name: mine, namespace: default}}' >/var/lib/k0s/manifests/mine/mine.yaml");
    }

    let with = |list: &str| inventory.clone().cluster("manifests", list);
    place.deploy(&with("[pools.yml]")).ends(0);
    assert_eq!(m1.succeed(value), "one");
    for machine in controllers {
        let modes = machine.succeed("cd /var/lib/k0s/manifests/towline && stat -c '%a %n' *");
        assert_eq!(modes, "600 001-pools.yaml\n600 towline.yaml\n");
    }
    place.deploy(&with("[pools.yml]")).changed_nothing();
    write("pools.yml", &pools("two"));
    place.deploy(&with("[pools.yml]")).ends(0);
    assert_eq!(m1.succeed(value), "two");

    let refused = with("[refused.yaml]");
    let plan = place.towline("plan", &refused).run().ends(0);
    let taken = "take away the manifest pools";
    assert!(plan.stdout.contains(taken), "{}", plan.stdout);
    place
        .deploy(&refused)
        .ends(1)
        .says(&["the cluster does not take the manifests", "spec.selector"]);
    place.deploy(inventory).ends(0);
    let own =
        "k0s kubectl get configmap -n kube-system towline-manifests -o name --ignore-not-found";
    assert_eq!(m1.succeed(value) + &m1.succeed(own), "");
    assert!(
        m1.succeed("k0s kubectl get configmap mine -o name")
            .contains("mine")
    );
    for machine in controllers {
        machine.succeed("[ -z \"$(ls -A /var/lib/k0s/manifests/towline)\" ]");
    }
    place.deploy(inventory).changed_nothing();
}
