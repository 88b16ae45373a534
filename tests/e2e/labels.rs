//! Labels and taints of nodes that run.

use crate::inventory::Inventory;
use crate::place::Place;

/// Labels and taints of a running node come, change and go with the inventory, without a restart, and what
/// a person gave it stays. `kubectl` is the server's command.
pub fn follow_the_inventory(
    place: &Place,
    inventory: &Inventory,
    [server, host]: [&str; 2],
    [kubectl, unit]: [&str; 2],
) {
    let (asked, machine) = (place.machine(server), place.machine(host));
    let process = || machine.succeed(&format!("systemctl show -p InvocationID --value {unit}"));
    let kubectl = |line: &str| asked.succeed(&format!("{kubectl} {line}"));
    let before = process();
    let changes = |inventory: &Inventory| {
        let plan = place.json("plan", inventory).ends(0);
        let deployed = place.deploy(inventory).ends(0);
        assert_eq!(deployed.changes(), plan.planned());
        let of_labels = |(step, _): &((String, String), Vec<String>)| step.1.contains("labels");
        let planned = plan.planned().into_iter().filter(of_labels);
        planned.flat_map(|(_, changes)| changes).collect::<Vec<_>>()
    };
    let named = inventory
        .clone()
        .host(host, "labels", "{disk: ssd,zone: paris}")
        .host(host, "taints", "[\"gpu=yes:NoSchedule\"]");
    let node = format!("node {host}");
    assert_eq!(
        changes(&named),
        [
            format!("{node}: add label disk=ssd"),
            format!("{node}: add label zone=paris"),
            format!("{node}: add taint gpu=yes:NoSchedule"),
        ]
    );

    kubectl(&format!("label --overwrite node {host} disk=hdd owner=me"));
    kubectl(&format!("taint node {host} mine=x:PreferNoSchedule"));
    let fewer = inventory.clone().host(host, "labels", "{disk: ssd}");
    assert_eq!(
        changes(&fewer),
        [
            format!("{node}: label disk=hdd becomes disk=ssd"),
            format!("{node}: remove label zone=paris"),
            format!("{node}: remove taint gpu=yes:NoSchedule"),
        ]
    );
    let path = "jsonpath={.metadata.labels.disk} {.metadata.labels.zone} {.metadata.labels.owner} {.spec.taints[?(@.key==\"gpu\")].key} {.spec.taints[?(@.key==\"mine\")].key}";
    let has = || kubectl(&format!("get node {host} -o '{path}'"));
    assert_eq!(has(), "ssd  me  mine");
    place.deploy(&fewer).changed_nothing();
    assert_eq!(process(), before, "nothing is restarted for it");

    // With the label gone from the inventory the cluster is as it was, but for what is a person's.
    assert_eq!(
        changes(inventory),
        [format!("{node}: remove label disk=ssd")]
    );
    assert_eq!(has(), "  me  mine");
    kubectl(&format!("label node {host} owner-"));
    kubectl(&format!("taint node {host} mine-"));
    assert_eq!(process(), before);
}
