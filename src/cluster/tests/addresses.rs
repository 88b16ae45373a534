//! Which addresses a node has for its siblings and for the world.

use std::net::IpAddr;

use super::resets::decide;
use super::*;

/// `node-ip`, `node-external-ip` and `advertise-address` of a host that is written so and has these addresses.
fn of(host: &str, addresses: &[(&str, &str)]) -> String {
    let lab = Lab::new(&format!("hosts:\n  m1: {{{host}, role: server}}\n")).with("m1", |facts| {
        facts.addresses = addresses
            .iter()
            .map(|(interface, net)| ((*interface).into(), net.parse().expect("a network")))
            .collect();
    });
    let topology = lab.topology();
    match (topology.specs.get("m1"), topology.unfit.get("m1")) {
        (Some(spec), None) => format!(
            "{} / {} / {}",
            text(spec, "node-ip"),
            text(spec, "node-external-ip"),
            text(spec, "advertise-address")
        ),
        (_, Some(problem)) => problem.to_string(),
        _ => "no place".into(),
    }
}

#[test]
fn a_nodes_address_is_on_an_interface_and_the_worlds_is_told_beside_it() {
    let eth0 = [("eth0", "10.0.0.5/24")];
    let both = [("eth0", "203.0.113.5/24"), ("eth1", "10.0.0.5/24")];
    let six = [("eth0", "2001:db8::5/64")];
    let dual = [("eth0", "2001:db8::5/64"), ("eth0", "192.0.2.5/24")];
    for (host, addresses, expected) in [
        ("address: 10.0.0.5", &eth0[..], "10.0.0.5 / - / -"),
        (
            "address: 203.0.113.99, config: {advertise-address: 10.9.9.9}",
            &eth0,
            "10.0.0.5 / 203.0.113.99 / 10.9.9.9",
        ),
        ("address: 203.0.113.5", &both, "203.0.113.5 / - / -"),
        (
            "address: 203.0.113.5, private_address: 10.0.0.5",
            &both,
            "10.0.0.5 / 203.0.113.5 / 10.0.0.5",
        ),
        // Behind NAT the address of the inventory is on no interface.
        (
            "address: 203.0.113.99",
            &eth0,
            "10.0.0.5 / 203.0.113.99 / 10.0.0.5",
        ),
        ("address: m1.example.org", &eth0, "10.0.0.5 / - / -"),
        (
            "address: m1.example.org, private_address: 10.0.0.5",
            &both,
            "10.0.0.5 / - / -",
        ),
        ("address: '2001:db8::5'", &six, "2001:db8::5 / - / -"),
        ("address: m1.example.org", &dual, "192.0.2.5 / - / -"),
        (
            "address: 203.0.113.5, config: {node-ip: 10.9.9.9}",
            &both,
            "10.9.9.9 / 203.0.113.5 / 10.9.9.9",
        ),
    ] {
        assert_eq!(of(host, addresses), expected, "{host}");
    }
}

#[test]
fn an_address_that_no_interface_has_is_refused() {
    insta::assert_snapshot!(of("address: 203.0.113.5, private_address: 10.0.0.9", &[("eth0", "10.0.0.5/24")]), @r"
    m1: its private_address 10.0.0.9 is on none of its interfaces
      it has 10.0.0.5 on eth0
      → correct private_address (hosts.m1.private_address, lab.yaml:2) in the inventory
    ");
    insta::assert_snapshot!(of("address: m1.example.org", &[("wlan0", "10.0.0.5/24")]), @r"
    m1: no address for its siblings to reach it at
      it has no default route, and 10.0.0.5 on wlan0
      → give the host a private_address in the inventory
    ");
}

#[test]
fn a_servers_certificate_names_how_it_is_reached() {
    let lab = Lab::new(
        "cluster: {endpoint: k8s.example.org, tls_sans: [10.0.0.5, alias.example.org]}\n\
         hosts:\n  m1: {address: 203.0.113.5, role: server}\n",
    )
    .with("m1", |facts| {
        facts.addresses = vec![("eth0".into(), "10.0.0.5/24".parse().expect("a network"))];
    });
    let names = serde_json::json!([
        "k8s.example.org",
        "10.0.0.5",
        "alias.example.org",
        "203.0.113.5"
    ]);
    assert_eq!(lab.topology().specs["m1"].config["tls-san"], names);
}

#[test]
fn a_firewall_lets_in_no_address_that_a_host_alone_says_it_has() {
    let lab = || {
        Lab::new("hosts:\n  m1: {address: 10.0.0.1, role: server}\n  w1: {address: w1.example.org, role: agent}\n")
            .with("m1", |facts| facts.ufw = true)
            .with("w1", |facts| facts.ufw = true)
    };
    let seen: Vec<IpAddr> = vec![
        "10.0.0.1".parse().expect("an address"),
        "10.0.2.15".parse().expect("an address"),
    ];
    let topology = lab().topology();
    assert_eq!(topology.siblings, seen[..1]);
    insta::assert_snapshot!(topology.notes.join("\n"), @"w1: the firewall of m1 does not let in 10.0.2.15: only w1 says that it has this address. If that is right, write  private_address: 10.0.2.15  for w1 in the inventory, or type on m1:  ufw allow from 10.0.2.15");
    assert_eq!(decide(&lab()).expect("it goes").siblings, seen[..1]);

    let reached = lab().with("w1", |facts| facts.reached_at = Some(seen[1]));
    assert_eq!(reached.topology().siblings, seen);
    assert_eq!(reached.topology().notes, [""; 0]);
    // Each of a pair for itself.
    let pair = |more: &str| {
        let text = format!(
            "cluster: {{config: {{cluster-cidr: '10.42.0.0/16,fd42::/56', service-cidr: '10.43.0.0/16,fd43::/112'}}}}\n\
             hosts:\n  m1: {{address: 10.0.0.1, role: server, config: {{node-ip: '10.0.0.1,fd00::1'}}}}\n  \
             w1: {{address: 10.0.0.11, role: agent{more}}}\n"
        );
        Lab::new(&text)
            .with("m1", |facts| facts.ufw = true)
            .with("w1", |facts| {
                let second = "fd00::b/64".parse().expect("a network");
                facts.addresses.push(("eth0".into(), second));
            })
    };
    let siblings = |lab: &Lab| {
        let siblings = lab.topology().siblings;
        siblings.iter().map(IpAddr::to_string).collect::<Vec<_>>()
    };
    assert_eq!(siblings(&pair("")), ["10.0.0.1", "fd00::1", "10.0.0.11"]);
    insta::assert_snapshot!(pair("").topology().notes.join("\n"), @r#"w1: the firewall of m1 does not let in fd00::b: only w1 says that it has this address. If that is right, write  config: {node-ip: "10.0.0.11,fd00::b"}  for w1 in the inventory, or type on m1:  ufw allow from fd00::b"#);
    let named = pair(", config: {node-ip: '10.0.0.11,fd00::b'}");
    let all = ["10.0.0.1", "fd00::1", "10.0.0.11", "fd00::b"];
    assert_eq!(siblings(&named), all);
    assert_eq!(named.topology().notes, [""; 0]);
    let order = decide(&named).expect("it goes").siblings;
    assert_eq!(order.iter().map(IpAddr::to_string).collect::<Vec<_>>(), all);
    // A firewall that is not active is not asked.
    let open = lab().with("m1", |facts| facts.ufw = false);
    assert_eq!(open.topology().notes, [""; 0]);
}
