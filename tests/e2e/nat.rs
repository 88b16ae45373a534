//! Machines behind NAT: the world reaches them at addresses that they do not have.

use crate::place::{Place, carry, wait_for};
use crate::single::Desk;

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

/// Machines as `VirtualBox` makes them: 10.0.2.15 on the default route of each, a private network beside it, and
/// forwarded ports of this host.
#[test]
fn with_one_nat_address_on_all_machines_the_network_that_connects_them_is_found() {
    let desk = Desk::up(2, 1);
    let place = &desk.place;
    place.lab.behind_virtualbox().unwrap();
    let (m1, m3) = (place.machine("m1"), place.machine("m3"));
    let mut inventory = place.inventory();
    let mut ports = Vec::new();
    for machine in place.lab.machines() {
        let port = place.lab.forward(machine).unwrap();
        inventory = inventory.host(machine.name(), "address", "127.0.0.1").host(
            machine.name(),
            "ssh",
            &format!("{{port: {port}}}"),
        );
        ports.push(port);
        machine.add_interface("eth2", "10.8.0", true).unwrap();
        machine.add_interface("eth3", "10.9.0", false).unwrap();
    }
    let [a, b, c, _] = m1.address().octets();
    let network = format!("{a}.{b}.{c}.0/24");
    let untouched = |machine: &towline_lab::Machine| {
        machine.succeed(
            "! ls -d /etc/rancher /usr/local/bin/k3s /etc/systemd/system/k3s* 2>/dev/null | grep .",
        );
    };

    // Two networks that connect them, and one that only looks so.
    let asked = place.json("plan", &inventory).ends(2);
    asked.says(&[
        "the hosts could reach each other by 10.8.0.0/24 and ",
        &network,
        "interface: eth2",
        "interface: host0",
    ]);
    assert!(!asked.stdout.contains("10.9.0."), "{}", asked.stdout);
    let said = place.json("plan", &inventory.clone().cluster("interface", "eth2"));
    for word in ["10.8.0.11", "flannel-iface"] {
        assert!(said.stdout.contains(word), "{word} in {}", said.stdout);
    }
    for machine in place.lab.machines() {
        machine.succeed("ip link delete eth2");
    }

    // One that connects some of them only.
    let gateway = place.lab.gateway();
    m3.succeed(&format!(
        "nft 'add table ip part; add chain ip part input {{ type filter hook input priority 0 ; }}; \
         add rule ip part input iifname host0 ip saddr != {gateway} drop'"
    ));
    let named = inventory.clone().cluster("interface", "host0");
    place
        .json("plan", &inventory)
        .ends(2)
        .says(&["no network connects the hosts", "m3 does not reach m1"]);
    let refused = place.deploy(&named).ends(2);
    refused.says(&[
        &format!("m3 does not reach m1 at {} on host0", m1.address()),
        &format!("m1 does not reach m3 at {} on host0", m3.address()),
        "now it is cluster.interface",
    ]);
    place.lab.machines().iter().for_each(untouched);
    m3.succeed("nft delete table ip part");

    let deployed = place.deploy(&inventory).ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed, m3 changed");
    deployed.says(&[&format!(
        "the hosts reach each other by {network} (host0), and not by 10.9.0.0/24"
    )]);
    let at = m1.address().to_string();
    let api = place.api();
    assert_eq!(api.server, format!("https://{at}:6443"));
    api.expect_summary(&at, "m1 voter, m2 voter, m3 agent");
    let has_one_network = || {
        let nodes = api.nodes(&at).unwrap();
        for machine in place.lab.machines() {
            assert_eq!(
                nodes[machine.name()].addresses[0],
                format!("InternalIP {}", machine.address())
            );
            machine.succeed("grep -Fx 'flannel-iface: \"host0\"' /etc/rancher/k3s/config.yaml");
        }
        let list: serde_json::Value =
            serde_json::from_str(&api.ask(&at, "/api/v1/nodes").unwrap()).unwrap();
        for node in list["items"].as_array().unwrap() {
            // A k3s without flannel has none.
            let public = &node["metadata"]["annotations"]["flannel.alpha.coreos.com/public-ip"];
            if let Some(public) = public.as_str() {
                eprintln!("flannel of {} is at {public}", node["metadata"]["name"]);
                assert!(public.starts_with(&format!("{a}.{b}.{c}.")), "{public}");
            }
        }
    };
    has_one_network();
    // What is there is no question any more, whatever interfaces come.
    for machine in place.lab.machines() {
        machine.add_interface("eth2", "10.8.0", true).unwrap();
    }
    place.deploy(&inventory).changed_nothing();

    // The agent is made anew, by a typed line and two ports of one address.
    place
        .towline("reset", &inventory)
        .args("--limit m3 --yes")
        .run()
        .ends(0);
    // What becomes of one that is told the address of m1's default route: it asks itself, for ever.
    carry(place.lab.release().path.to_str().unwrap(), m3, "/root/k3s");
    let trapped = m3
        .ssh("timeout 15 /root/k3s agent --server https://10.0.2.15:6443 --token some-token --data-dir /root/data 2>&1")
        .unwrap();
    assert_eq!(trapped.status, 124, "{}", trapped.stdout);
    let waits =
        |line: &str| line.contains("10.0.2.15:6443") && line.contains("failed to get CA certs");
    assert!(trapped.stdout.lines().any(waits), "{}", trapped.stdout);
    m3.succeed("rm -rf /root/k3s /root/data /etc/rancher /run/k3s");
    let join = format!(
        "join --ip 127.0.0.1 --ssh-port {} --server-ip 127.0.0.1 --server-ssh-port {}",
        ports[2], ports[0]
    );
    let joined = desk.run(&join, "").ends(0);
    let rows = format!("127.0.0.1 changed, 127.0.0.1-{} observed", ports[0]);
    assert_eq!(joined.outcomes(), rows);
    has_one_network();
    m3.succeed(&format!(
        "grep -Fx 'server: \"https://{at}:6443\"' /etc/rancher/k3s/config.yaml"
    ));
    place.kept_its_secrets();
}
