//! A firewall that drops what it does not know.

use towline_lab::Machine;

use crate::place::Place;
use crate::reset::same_lines;

/// What ufw was asked for and keeps, and what the kernel has of it.
fn asked(machine: &Machine) -> String {
    machine.succeed(
        "ufw show added; cat /etc/ufw/user.rules /etc/ufw/user6.rules; \
         for tool in iptables ip6tables; do $tool-save | grep -Ev '^(#|\\*|COMMIT)|^:[A-Z]+ ACCEPT' | sed 's/\\[[0-9]*:[0-9]*\\]//'; done",
    )
}

#[test]
fn an_active_ufw_lets_the_cluster_through_and_keeps_its_own_rules() {
    let place = Place::up(2, 1);
    let gateway = place.lab.gateway();
    for machine in place.lab.machines() {
        machine.install("ufw").unwrap();
        machine.succeed("ufw allow 22/tcp && ufw allow 9999/udp && ufw --force enable");
        machine.succeed("ufw allow from 198.51.100.7");
    }
    // The user has said who may reach the API of this one.
    let m2 = place.machine("m2");
    m2.succeed(&format!(
        "ufw allow proto tcp from {gateway} to any port 6443"
    ));
    // As if a router had told it.
    let m1 = place.machine("m1");
    m1.succeed("ip -6 route replace $(ip -6 route show default) proto ra");
    let before: Vec<_> = place.lab.machines().iter().map(asked).collect();
    let (pods, services) = ("10.42.0.0/16,fd42::/56", "10.43.0.0/16,fd43::/112");
    let mut config: serde_json::Map<_, _> = place.lab.cluster_config().into_iter().collect();
    config.insert("cluster-cidr".into(), pods.into());
    config.insert("service-cidr".into(), services.into());
    let dual = place
        .inventory()
        .cluster("config", &serde_json::Value::from(config).to_string());

    // Only m3 says that it has this address.
    let m3 = place.machine("m3");
    m3.succeed("ip link add claim type bridge && ip addr add 198.51.100.9/24 dev claim && ip link set claim up");
    let claiming = dual.clone().host("m3", "config", "{flannel-iface: claim}");
    let first = place
        .towline("deploy", &claiming)
        .args("--limit m1 --output json")
        .run()
        .ends(0);
    first.says(&[&format!(
        "m3: the firewall of m1 does not let in 198.51.100.9 and {}",
        m3.address6()
    )]);
    let rules = place.machine("m1").succeed("ufw status");
    assert!(!rules.contains("198.51.100.9"), "{rules}");
    m3.succeed("ip link delete claim");

    // Each has an address of each family, and the last one is reached by that of IPv6.
    let machines = place.lab.machines().iter();
    let inventory = machines.fold(dual, |inventory, machine| {
        let both = format!(
            "{{node-ip: '{},{}'}}",
            machine.address(),
            machine.address6()
        );
        inventory.host(machine.name(), "config", &both)
    });
    let inventory = inventory.host("m3", "address", &format!("'{}'", m3.address6()));
    let deployed = place.deploy(&inventory).ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed, m3 changed");
    let nodes = place.machine("m1").succeed(
        "k3s kubectl get nodes -o jsonpath='{range .items[*]}{.metadata.name} \
         {.status.addresses[?(@.type==\"InternalIP\")].address} {.spec.podCIDRs[*]}{\"\\n\"}{end}'",
    );
    for (line, machine) in nodes.lines().zip(place.lab.machines()) {
        let (name, own, second) = (machine.name(), machine.address(), machine.address6());
        let is_dual = line.starts_with(&format!("{name} {own} {second} 10.42."))
            && line.contains("/24 fd42:");
        assert!(is_dual, "{nodes}");
    }
    assert_eq!(nodes.lines().count(), 3, "{nodes}");
    for (name, clients) in [("m1", true), ("m2", false), ("m3", false)] {
        let rules = place.machine(name).succeed("ufw status | tr -s ' '");
        let machines = place.lab.machines().iter();
        let nodes = machines.flat_map(|machine| {
            [
                machine.address().to_string(),
                machine.address6().to_string(),
            ]
        });
        let ranges = [pods, services]
            .into_iter()
            .flat_map(|pair| pair.split(','));
        for source in ranges.map(str::to_owned).chain(nodes) {
            let is_let_in = rules
                .lines()
                .any(|rule| rule.trim_end().ends_with(&format!("ALLOW {source}")));
            assert!(is_let_in, "{name}: {source} in\n{rules}");
        }
        assert_eq!(
            rules.contains("6443/tcp ALLOW Anywhere"),
            clients,
            "{name}:\n{rules}"
        );
        assert!(
            rules.contains("9999/udp") && rules.contains("22/tcp"),
            "{name}:\n{rules}"
        );
    }
    for name in ["m1", "m2"] {
        let address = place.machine(name).address().to_string();
        place
            .api()
            .expect_summary(&address, "m1 voter, m2 voter, m3 agent");
    }
    let six = place.machine("m1").address6().to_string();
    let through = inventory.clone().cluster("endpoint", &format!("'{six}'"));
    place
        .towline("kubeconfig", &through)
        .args("--kubeconfig six.kubeconfig")
        .run()
        .ends(0);
    let api = place.api_of("six.kubeconfig");
    assert_eq!(api.server, format!("https://[{six}]:6443"));
    api.expect_summary(&six, "m1 voter, m2 voter, m3 agent");
    place.deploy(&inventory).changed_nothing();
    let taken =
        "cat /proc/sys/net/ipv6/conf/host0/accept_ra /proc/sys/net/ipv6/conf/all/forwarding";
    assert_eq!(m1.succeed(taken), "2\n1\n");

    place
        .towline("reset", &inventory)
        .args("--yes --output json")
        .run()
        .ends(0);
    for (machine, before) in place.lab.machines().iter().zip(before) {
        same_lines(machine.name(), &before, &asked(machine));
    }
}
