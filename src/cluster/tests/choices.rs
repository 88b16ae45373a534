//! By which network the hosts reach each other, where no line says it.

use super::*;

/// Machines as `VirtualBox` makes them: the same address on the first interface of each, and towline comes by
/// ports of this machine.
pub(super) const FORWARDED: &str = "
hosts:
  m1: {address: 127.0.0.1, ssh: {port: 2200}, role: server}
  m2: {address: 127.0.0.1, ssh: {port: 2201}, role: agent}
";

pub(super) fn addresses(facts: &mut Facts, addresses: &[(&str, &str)]) {
    let net = |(interface, net): &(&str, &str)| {
        ((*interface).to_owned(), net.parse().expect("a network"))
    };
    facts.addresses = addresses.iter().map(net).collect();
}

/// Machines with the NAT's address, and one in each of these networks, whose numbers end in that of the machine.
pub(super) fn machines(inventory: &str, networks: &[&str]) -> Lab {
    let lab = Lab::new(inventory);
    let names: Vec<_> = lab.facts.keys().cloned().collect();
    names
        .into_iter()
        .zip(11..)
        .fold(lab, |lab, (name, number)| {
            lab.with(&name, |facts| {
                let mut all = vec![("eth0".to_owned(), "10.0.2.15/24".to_owned())];
                let own = networks.iter().zip(1..);
                all.extend(own.map(|(network, index)| {
                    (format!("eth{index}"), format!("{network}.{number}/24"))
                }));
                let all: Vec<_> = all.iter().map(|(name, net)| (&**name, &**net)).collect();
                addresses(facts, &all);
            })
        })
}

/// `node-ip` and `flannel-iface` of each host.
pub(super) fn chosen(lab: &Lab) -> String {
    let topology = lab.topology();
    let mut lines: Vec<_> = topology
        .specs
        .iter()
        .map(|(name, spec)| {
            let (ip, iface) = (text(spec, "node-ip"), text(spec, "flannel-iface"));
            format!("{name}: {ip} {iface}")
        })
        .collect();
    let unfit = topology.unfit.values().map(ToString::to_string);
    lines.extend(unfit);
    lines.join("\n")
}

#[test]
fn behind_nat_the_one_network_that_all_hosts_have_is_taken_and_said() {
    let lab = machines(FORWARDED, &["192.168.56"]);
    insta::assert_snapshot!(chosen(&lab), @r"
    m1: 192.168.56.11 eth1
    m2: 192.168.56.12 eth1
    ");
    let topology = lab.topology();
    insta::assert_snapshot!(topology.notes.join("\n"), @"m1 and m2: the hosts reach each other by 192.168.56.0/24 (eth1): 10.0.2.15 is the same on every machine behind such a NAT");
    assert_eq!(
        text(&topology.specs["m2"], "server"),
        "https://192.168.56.11:6443"
    );
    // What stands before several hosts is the address of none of them.
    assert_eq!(text(&topology.specs["m1"], "node-external-ip"), "-");
    let public = FORWARDED.replace("127.0.0.1", "203.0.113.7");
    let topology = machines(&public, &["192.168.56"]).topology();
    assert_eq!(text(&topology.specs["m1"], "node-external-ip"), "-");
    assert_eq!(text(&topology.specs["m1"], "node-ip"), "192.168.56.11");
    // One machine alone is joined later.
    let alone = FORWARDED.lines().take(3).collect::<Vec<_>>().join("\n");
    assert_eq!(
        chosen(&machines(&alone, &["192.168.56"])),
        "m1: 192.168.56.11 eth1"
    );
    assert_eq!(chosen(&machines(&alone, &[])), "m1: 10.0.2.15 -");
}

#[test]
fn without_one_network_the_hosts_and_the_line_to_write_are_named() {
    insta::assert_snapshot!(machines(FORWARDED, &["192.168.56", "10.9.0"]).refusal(), @r"
    m1 and m2: the hosts could reach each other by 10.9.0.0/24 and 192.168.56.0/24, and nothing says by which
      10.9.0.0/24: m1 10.9.0.11 on eth2, m2 10.9.0.12 on eth2
      192.168.56.0/24: m1 192.168.56.11 on eth1, m2 192.168.56.12 on eth1
      → for 10.9.0.0/24:
        cluster: {interface: eth2}
      → for 192.168.56.0/24:
        cluster: {interface: eth1}
    ");
    insta::assert_snapshot!(machines(FORWARDED, &[]).refusal(), @r"
    m1 and m2: no network was found by which the hosts reach each other
      m1 has 10.0.2.15 on eth0
      m2 has 10.0.2.15 on eth0
      an address that several hosts have is none: behind the NAT of VirtualBox every machine has 10.0.2.15
      → give the machines a network of their own (with Vagrant: private_network)
      → if they have one that was not found, for each host in the inventory:
        private_address: ADDRESS
    ");
    // The same address on both again, of containers for example.
    let bridge = |facts: &mut Facts| {
        addresses(
            facts,
            &[("eth0", "10.0.2.15/24"), ("docker0", "172.17.0.1/16")],
        );
    };
    let lab = machines(FORWARDED, &[])
        .with("m1", bridge)
        .with("m2", bridge);
    assert!(lab.refusal().contains("no network was found"));
}

#[test]
fn a_line_decides_and_the_nearest_one_wins() {
    let two = ["192.168.56", "10.9.0"];
    for (line, expected) in [
        ("", "m1: 10.9.0.11 eth2\nm2: 10.9.0.12 eth2"),
        (
            "interface: eth1, ",
            "m1: 192.168.56.11 eth1\nm2: 10.9.0.12 eth2",
        ),
        (
            "private_address: 192.168.56.11, ",
            "m1: 192.168.56.11 eth1\nm2: 10.9.0.12 eth2",
        ),
        (
            "config: {flannel-iface: eth0}, ",
            "m1: 10.9.0.11 eth0\nm2: 10.9.0.12 eth2",
        ),
    ] {
        let hosts = FORWARDED.replacen("m1: {", &format!("m1: {{{line}"), 1);
        let inventory = format!("cluster: {{interface: eth2}}{hosts}");
        assert_eq!(chosen(&machines(&inventory, &two)), expected, "{line}");
    }
    let inventory = format!("cluster: {{interface: eth7}}{FORWARDED}");
    insta::assert_snapshot!(chosen(&machines(&inventory, &["192.168.56"])).lines().take(3).collect::<Vec<_>>().join("\n"), @r"
    m1: there is no address on eth7, which interface (cluster.interface, lab.yaml:1) names
      it has 10.0.2.15 on eth0, 192.168.56.11 on eth1
      → correct it in the inventory
    ");
}

#[test]
fn what_towline_reaches_hosts_at_is_where_they_reach_each_other() {
    // The inventory's addresses, and those of names.
    let by_name = FORWARDED
        .replace("127.0.0.1", "m.example.org")
        .replace("2201}", "2202}");
    let lab = machines(
        "
hosts:
  m1: {address: 192.168.56.11, role: server}
  m2: {address: 192.168.56.12, role: agent}
",
        &["192.168.56", "10.9.0"],
    );
    let expected = "m1: 192.168.56.11 eth1\nm2: 192.168.56.12 eth1";
    assert_eq!(chosen(&lab), expected);
    assert_eq!(lab.topology().notes, [""; 0]);
    let mut lab = machines(&by_name, &["192.168.56", "10.9.0"]);
    for (host, at) in [("m1", "192.168.56.11"), ("m2", "192.168.56.12")] {
        lab = lab.with(host, |facts| facts.reached_at = at.parse().ok());
    }
    assert_eq!(chosen(&lab), expected);
    // One is named; the other one is in the same network.
    let one = FORWARDED.replacen("role", "private_address: 10.9.0.11, role", 1);
    assert_eq!(
        chosen(&machines(&one, &["192.168.56", "10.9.0"])),
        "m1: 10.9.0.11 eth2\nm2: 10.9.0.12 eth2"
    );
}

#[test]
fn what_is_joined_keeps_its_address_and_flannels_interface() {
    let two = ["192.168.56", "10.9.0"];
    let told = |lines: &'static str| {
        move |facts: &mut Facts| {
            let own = facts.node.config.as_ref().map_or("", Secret::expose);
            facts.node.config = Some(Secret::new(&format!("{own}\n{lines}")));
        }
    };
    let joined = |lab: Lab, m1: &'static str, m2: &'static str| {
        lab.with("m1", member)
            .with("m1", told(m1))
            .with("m2", agent("https://10.9.0.11:6443"))
            .with("m2", told(m2))
    };
    // Two networks are no question any more.
    let lab = joined(
        machines(FORWARDED, &two),
        "node-ip: 10.9.0.11\nflannel-iface: eth2\n",
        "node-ip: 10.9.0.12\nflannel-iface: eth2\n",
    );
    assert_eq!(chosen(&lab), "m1: 10.9.0.11 eth2\nm2: 10.9.0.12 eth2");
    assert_eq!(lab.topology().notes, [""; 0]);
    // A new one goes where the others are.
    let grown =
        format!("{FORWARDED}  m3: {{address: 127.0.0.1, ssh: {{port: 2202}}, role: agent}}\n");
    let lab = joined(
        machines(&grown, &two),
        "node-ip: 10.9.0.11\nflannel-iface: eth2\n",
        "node-ip: 10.9.0.12\nflannel-iface: eth2\n",
    );
    assert!(chosen(&lab).ends_with("m3: 10.9.0.13 eth2"));
    // Public addresses by the default route, nodes on a second network, and flannel over the first, which
    // works: nothing restarts for it, and a new node does as the others.
    let public = "
hosts:
  m1: {address: 203.0.113.11, private_address: 10.9.0.11, role: server}
  m2: {address: 203.0.113.12, private_address: 10.9.0.12, role: agent}
  m3: {address: 203.0.113.13, private_address: 10.9.0.13, role: agent}
";
    let lab = || {
        let lab = Lab::new(public);
        ["11", "12", "13"]
            .iter()
            .zip(["m1", "m2", "m3"])
            .fold(lab, |lab, (number, name)| {
                lab.with(name, |facts| {
                    let (eth0, eth1) = (
                        format!("203.0.113.{number}/24"),
                        format!("10.9.0.{number}/24"),
                    );
                    addresses(facts, &[("eth0", &eth0), ("eth1", &eth1)]);
                })
            })
    };
    let lines = ("node-ip: 10.9.0.11\n", "node-ip: 10.9.0.12\n");
    assert_eq!(
        chosen(&joined(lab(), lines.0, lines.1)),
        "m1: 10.9.0.11 -\nm2: 10.9.0.12 -\nm3: 10.9.0.13 -"
    );
    assert_eq!(
        chosen(&lab()),
        "m1: 10.9.0.11 eth1\nm2: 10.9.0.12 eth1\nm3: 10.9.0.13 eth1"
    );
    // So does a network that only has the numbers of such a NAT.
    let lan = lab().with("m1", |facts| {
        addresses(facts, &[("eth0", "10.0.2.15/24"), ("eth1", "10.9.0.11/24")]);
    });
    assert_eq!(
        chosen(&joined(lan, lines.0, lines.1)),
        "m1: 10.9.0.11 -\nm2: 10.9.0.12 -\nm3: 10.9.0.13 -"
    );
    // What leads nowhere is mended.
    let nat = public
        .replace("203.0.113.1", "127.0.0.1")
        .replace("127.0.0.11", "127.0.0.1");
    let nat = nat
        .replace("127.0.0.12", "m2.example")
        .replace("127.0.0.13", "m3.example");
    let lab = joined(machines(&nat, &["192.168.56", "10.9.0"]), lines.0, lines.1);
    let notes = lab.topology().notes.join("\n");
    assert!(
        notes.starts_with("m1: flannel has 10.0.2.15, as other hosts have, so pods here"),
        "{notes}"
    );
    assert_eq!(
        chosen(&lab),
        "m1: 10.9.0.11 eth2\nm2: 10.9.0.12 eth2\nm3: 10.9.0.13 eth2"
    );
}

#[test]
fn a_host_that_says_it_has_the_addresses_of_others_moves_none_of_them() {
    let claims = |facts: &mut Facts| {
        addresses(
            facts,
            &[
                ("eth0", "10.0.0.11/24"),
                ("x", "10.0.0.1/24"),
                ("y", "10.0.0.2/24"),
            ],
        );
    };
    let at = |lab: Lab| {
        ["m1", "m2", "m3", "w1"].into_iter().fold(lab, |lab, name| {
            lab.with(name, |facts| facts.reached_at = facts.default_address())
        })
    };
    let honest = at(running()).with("w1", agent("https://10.0.0.1:6443"));
    let claimed = at(running())
        .with("w1", claims)
        .with("w1", agent("https://10.0.0.1:6443"));
    assert_eq!(chosen(&claimed), chosen(&honest));
    assert_eq!(claimed.topology().notes, honest.topology().notes);
}

#[test]
fn flannel_is_told_nothing_where_it_has_another_way() {
    for config in [
        "flannel-backend: none",
        "flannel-external-ip: true",
        "vpn-auth: name=tailscale",
    ] {
        let inventory = format!("cluster: {{config: {{{config}}}}}{FORWARDED}");
        let chosen = chosen(&machines(&inventory, &["192.168.56"]));
        assert!(chosen.starts_with("m1: 192.168.56.11 -"), "{config}");
    }
}

#[test]
fn a_node_at_the_nats_address_moves_where_it_can() {
    let at_nat = |facts: &mut Facts| {
        let own = facts.node.config.as_ref().map_or("", Secret::expose);
        facts.node.config = Some(Secret::new(&format!("{own}\nnode-ip: 10.0.2.15\n")));
    };
    let lab = || {
        machines(FORWARDED, &["192.168.56"])
            .with("m1", member)
            .with("m1", at_nat)
    };
    // Members of etcd know it by its address.
    let refused = lab().topology().unfit["m1"].to_string();
    assert!(
        refused.starts_with("m1: its node address is 10.0.2.15, and would be 192.168.56.11"),
        "{refused}"
    );
    let moved = lab().with("m1", |facts| {
        facts.node.datastore = Some(Datastore::Sqlite);
    });
    assert_eq!(
        chosen(&moved),
        "m1: 192.168.56.11 eth1\nm2: 192.168.56.12 eth1"
    );
    insta::assert_snapshot!(lab().only(&["m2"]).refusal(), @r"
    m1: its node has the address 10.0.2.15, and m2 has it, too
      behind the NAT of VirtualBox every machine has it, and no host can join a server there
      → give m1 another one: in an inventory,  interface: …  or  private_address: …  for it, then deploy; a server with etcd has to be made anew
    ");
}
