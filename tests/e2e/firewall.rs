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
    let before: Vec<_> = place.lab.machines().iter().map(asked).collect();
    let inventory = place.inventory();

    // Only m3 says that it has this address.
    let m3 = place.machine("m3");
    m3.succeed("ip link add claim type bridge && ip addr add 198.51.100.9/24 dev claim && ip link set claim up");
    let claiming = place
        .inventory()
        .host("m3", "config", "{flannel-iface: claim}");
    let first = place
        .towline("deploy", &claiming)
        .args("--limit m1 --output json")
        .run()
        .ends(0);
    first.says(&["m3: the firewall of m1 does not let in 198.51.100.9"]);
    let rules = place.machine("m1").succeed("ufw status");
    assert!(!rules.contains("198.51.100.9"), "{rules}");
    m3.succeed("ip link delete claim");

    let deployed = place.deploy(&inventory).ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed, m3 changed");
    for (name, clients) in [("m1", true), ("m2", false), ("m3", false)] {
        let rules = place.machine(name).succeed("ufw status | tr -s ' '");
        for source in ["10.42.0.0/16", "10.43.0.0/16"] {
            assert!(rules.contains(source), "{name}: {source} in\n{rules}");
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
    place.deploy(&inventory).changed_nothing();

    place
        .towline("reset", &inventory)
        .args("--yes --output json")
        .run()
        .ends(0);
    for (machine, before) in place.lab.machines().iter().zip(before) {
        same_lines(machine.name(), &before, &asked(machine));
    }
}
