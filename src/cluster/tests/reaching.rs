//! Whether hosts that join reach each other.

use super::super::to_ask;
use super::choices::{FORWARDED, addresses, chosen, machines};
use super::*;

/// Notes the answers of a host about addresses.
fn reaches(answers: &'static [(&'static str, bool)]) -> impl Fn(&mut Facts) {
    move |facts| {
        let parsed = answers.iter();
        let parsed =
            parsed.map(|(address, answer)| (address.parse().expect("an address"), *answer));
        facts.reaches = parsed.collect();
    }
}

fn asked(lab: &Lab) -> String {
    let situation = lab.situation();
    let asked = to_ask(&situation).into_iter();
    let lines = asked.map(|(host, around)| {
        let addresses: Vec<_> = around.addresses.iter().map(ToString::to_string).collect();
        format!("{host}: {}", addresses.join(" "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

const PRIVATE: &str = "
cluster: {allow_two_servers: true}
hosts:
  m1: {address: 203.0.113.11, private_address: 10.9.0.11, role: server}
  m2: {address: 203.0.113.12, private_address: 10.9.0.12, role: server}
  w1: {address: 203.0.113.13, private_address: 10.9.0.13, role: agent}
";

/// Machines behind routers.
fn private() -> Lab {
    let lab = Lab::new(PRIVATE);
    [
        ("m1", "10.9.0.11/24"),
        ("m2", "10.9.0.12/24"),
        ("w1", "10.9.0.13/24"),
    ]
    .into_iter()
    .fold(lab, |lab, (name, own)| {
        lab.with(name, |facts| addresses(facts, &[("eth0", own)]))
    })
}

#[test]
fn which_hosts_have_to_reach_which_is_asked_where_one_joins_at_an_address_that_towline_did_not_reach()
 {
    insta::assert_snapshot!(asked(&private()), @r"
    m1: 10.9.0.12 10.9.0.13
    m2: 10.9.0.11
    w1: 10.9.0.11 10.9.0.12 203.0.113.11 203.0.113.12
    ");
    // No host joins.
    let joined = || {
        private()
            .with("m1", member)
            .with("m2", member)
            .with("w1", agent("https://10.9.0.11:6443"))
    };
    assert_eq!(asked(&joined()), "");
    assert_eq!(asked(&private().only(&[])), "");
    // One of them does.
    let bare = |facts: &mut Facts| facts.node = crate::facts::NodeFacts::default();
    assert_eq!(
        asked(&joined().with("w1", bare)),
        "m1: 10.9.0.13\nw1: 10.9.0.11 10.9.0.12 203.0.113.11 203.0.113.12"
    );
    // A server that was made anew asks for a neighbour, though towline came by that one's address.
    let anew = ["m1", "w1"].into_iter().fold(joined(), |lab, name| {
        lab.with(name, |facts| facts.reached_at = facts.default_address())
    });
    assert_eq!(
        asked(&anew.with("m2", bare)),
        "m1: 10.9.0.12\nm2: 10.9.0.11"
    );
    // towline came by these addresses itself.
    let direct = ["m1", "m2", "w1"].into_iter().fold(private(), |lab, name| {
        lab.with(name, |facts| facts.reached_at = facts.default_address())
    });
    assert_eq!(asked(&direct), "");
    // Two networks are asked about both.
    insta::assert_snapshot!(asked(&machines(FORWARDED, &["192.168.56", "10.9.0"])), @r"
    m1: 10.9.0.12 192.168.56.12
    m2: 10.9.0.11 192.168.56.11
    ");
    // Of many servers an agent is asked about some, and one server about all agents.
    let many = (1..8).fold("hosts:\n".to_owned(), |text, number| {
        let role = if number < 6 { "server" } else { "agent" };
        format!("{text}  h{number}: {{address: h{number}.example, role: {role}}}\n")
    });
    let many = (1..8).fold(Lab::new(&many), |lab, number| {
        lab.with(&format!("h{number}"), |facts| {
            addresses(facts, &[("eth0", &format!("10.0.0.{number}/24"))]);
        })
    });
    let lines = asked(&many);
    assert!(
        lines.contains(
            "h1: 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7\nh2: 10.0.0.1 10.0.0.3"
        ),
        "{lines}"
    );
    assert!(lines.ends_with("h7: 10.0.0.1 10.0.0.2 10.0.0.3"), "{lines}");
}

#[test]
fn hosts_that_do_not_reach_each_other_are_named_before_anything_is_changed() {
    let servers = || {
        private()
            .with("m1", reaches(&[("10.9.0.12", true), ("10.9.0.13", false)]))
            .with("m2", reaches(&[("10.9.0.11", true)]))
    };
    let lab = servers().with(
        "w1",
        reaches(&[
            ("10.9.0.11", false),
            ("10.9.0.12", false),
            ("203.0.113.11", false),
        ]),
    );
    insta::assert_snapshot!(lab.refusal(), @r"
    w1 does not reach m1 at 10.9.0.11 on eth0
      w1 does not reach m2 at 10.9.0.12 on eth0
      m1 does not reach w1 at 10.9.0.13 on eth0
      asked from host to host: no answer from the ports of sshd, API and kubelet, or to a ping
      → let them reach each other there: a firewall or a security group may drop it, or the network is not connected
      → or name another network:  interface: …  under  cluster:  or for a host, or its  private_address: …; now it is hosts.m1.private_address, lab.yaml:4
    ");
    // Only the servers share the network, and agents reach them from outside.
    let lab = servers().with(
        "w1",
        reaches(&[
            ("10.9.0.11", false),
            ("10.9.0.12", false),
            ("203.0.113.11", true),
            ("203.0.113.12", true),
        ]),
    );
    let topology = lab.topology();
    assert_eq!(
        text(&topology.specs["w1"], "server"),
        "https://203.0.113.11:6443"
    );
    assert_eq!(
        text(&topology.specs["m2"], "server"),
        "https://10.9.0.11:6443"
    );
    insta::assert_snapshot!(topology.notes.join("\n"), @r"
    w1 does not reach m1 at 10.9.0.11 on eth0, and joins by 203.0.113.11; its pods reach neither the API nor pods on m1: that takes a network between them, such as a VPN
    m1 does not reach w1 at 10.9.0.13 on eth0, only the other way: it joins, and pods there and elsewhere do not reach each other
    ");
    // Nothing is known.
    assert_eq!(private().topology().notes, [""; 0]);
}

#[test]
fn of_two_networks_the_one_that_connects_the_hosts_is_taken() {
    let two = || machines(FORWARDED, &["192.168.56", "10.9.0"]);
    let lab = two()
        .with(
            "m1",
            reaches(&[("192.168.56.12", true), ("10.9.0.12", false)]),
        )
        .with(
            "m2",
            reaches(&[("192.168.56.11", true), ("10.9.0.11", true)]),
        );
    assert_eq!(
        chosen(&lab),
        "m1: 192.168.56.11 eth1\nm2: 192.168.56.12 eth1"
    );
    insta::assert_snapshot!(lab.topology().notes.join("\n"), @"m1 and m2: the hosts reach each other by 192.168.56.0/24 (eth1), and not by 10.9.0.0/24");
    let lab = machines(FORWARDED, &["192.168.56"])
        .with("m1", reaches(&[("192.168.56.12", false)]))
        .with("m2", reaches(&[("192.168.56.11", false)]));
    insta::assert_snapshot!(lab.refusal(), @r"
    m2 does not reach m1 at 192.168.56.11 on eth1
      m1 does not reach m2 at 192.168.56.12 on eth1
      asked from host to host: no answer from the ports of sshd, API and kubelet, or to a ping
      → let them reach each other there: a firewall or a security group may drop it, or the network is not connected
      → or name another network:  interface: …  under  cluster:  or for a host, or its  private_address: …
    ");
    let lab = two()
        .with(
            "m1",
            reaches(&[("192.168.56.12", false), ("10.9.0.12", false)]),
        )
        .with(
            "m2",
            reaches(&[("192.168.56.11", false), ("10.9.0.11", true)]),
        );
    insta::assert_snapshot!(lab.refusal(), @r"
    m1 and m2: no network connects the hosts, though all have addresses in 10.9.0.0/24 and 192.168.56.0/24
      10.9.0.0/24: m1 does not reach m2
      192.168.56.0/24: m1 does not reach m2, m2 does not reach m1
      asked from host to host: no answer from the ports of sshd, API and kubelet, or to a ping
      → let them reach each other there: a firewall or a security group may drop it, or the network is not connected
    ");
}
