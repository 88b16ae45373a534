//! A firewall that drops what it does not know.

use crate::place::Place;

#[test]
fn an_active_ufw_lets_the_cluster_through_and_keeps_its_own_rules() {
    let place = Place::up(1, 1);
    for machine in place.lab.machines() {
        machine.install("ufw").unwrap();
        machine.succeed("ufw allow 22/tcp && ufw allow 9999/udp && ufw --force enable");
    }
    let inventory = place.inventory();
    let deployed = place.deploy(&inventory).ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed");
    for (name, clients) in [("m1", true), ("m2", false)] {
        let rules = place.machine(name).succeed("ufw status");
        for source in ["10.42.0.0/16", "10.43.0.0/16"] {
            assert!(rules.contains(source), "{name}: {source} in\n{rules}");
        }
        assert_eq!(rules.contains("6443/tcp"), clients, "{name}:\n{rules}");
        assert!(
            rules.contains("9999/udp") && rules.contains("22/tcp"),
            "{name}:\n{rules}"
        );
    }
    assert_eq!(
        place
            .api()
            .summary(&place.machine("m1").address().to_string()),
        "m1 agent, m2 agent"
    );
    place.deploy(&inventory).changed_nothing();
}
