//! Machines behind NAT: the world reaches them at addresses that they do not have.

use crate::place::{Place, wait_for};

#[test]
fn behind_nat_the_world_uses_public_addresses_and_the_nodes_their_own() {
    let place = Place::up(1, 1);
    place.lab.translate().unwrap();
    let (m1, m2) = (place.machine("m1"), place.machine("m2"));
    let inventory = [m1, m2]
        .into_iter()
        .fold(place.inventory(), |inventory, machine| {
            let (public, private) = (machine.public_address(), machine.address());
            inventory
                .host(machine.name(), "address", &public.to_string())
                .host(machine.name(), "private_address", &private.to_string())
        });
    let (public, private) = (m1.public_address().to_string(), m1.address().to_string());
    // What the story stands on: no node can be joined through this address.
    for machine in [m1, m2] {
        machine.succeed(&format!(
            "! timeout 3 bash -c 'exec 3<>/dev/tcp/{public}/22' 2>/dev/null && bash -c 'exec 3<>/dev/tcp/{private}/22'"
        ));
    }

    let deployed = place.deploy(&inventory).ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed");
    let events = deployed.events();
    let kubeconfig = events
        .iter()
        .find(|event| event["event"] == "kubeconfig")
        .unwrap();
    assert_eq!(kubeconfig["server"], format!("https://{public}:6443"));
    let tried = kubeconfig["nodes"].as_array().unwrap();
    assert!(
        tried.len() == 2 && tried.iter().all(|node| node["ready"] == true),
        "{tried:?}"
    );

    let api = place.api();
    assert_eq!(api.server, format!("https://{public}:6443"));
    api.expect_summary(&public, "m1 agent, m2 agent");
    for machine in [m1, m2] {
        let (external, internal) = (
            format!("ExternalIP {}", machine.public_address()),
            format!("InternalIP {}", machine.address()),
        );
        wait_for(&format!("{external} and {internal}"), || {
            let node = api.nodes(&public).ok()?.remove(machine.name())?;
            let of_kind = |kind: &str| {
                let addresses = node.addresses.iter();
                addresses
                    .filter(|address| address.starts_with(kind))
                    .cloned()
                    .collect::<Vec<_>>()
            };
            (of_kind("ExternalIP") == [external.clone()]
                && of_kind("InternalIP") == [internal.clone()])
            .then_some(())
        });
    }
    // How the agent joined, and where it and every pod are sent from then on.
    m2.succeed(&format!(
        "grep -Fx 'server: \"https://{private}:6443\"' /etc/rancher/k3s/config.yaml"
    ));
    let slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
    let slice: serde_json::Value =
        serde_json::from_str(&api.ask(&public, slices).unwrap()).unwrap();
    assert_eq!(
        slice["endpoints"][0]["addresses"],
        serde_json::json!([private]),
        "{slice}"
    );

    place.deploy(&inventory).changed_nothing();
    place.kept_its_secrets();
}
