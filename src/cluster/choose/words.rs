//! What is said where no network was found, or several were.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::Members;
use crate::cluster::Setting;
use crate::cluster::Situation;
use crate::facts::Facts;
use crate::inventory::Host;
use crate::problem::{Code, Problem, problem};

/// A server that is not changed now has an address at which it is not reached.
pub(super) fn runs_behind_nat(situation: &Situation<'_>, host: &Host, own: IpAddr) -> Problem {
    let name = &host.name;
    let others = situation
        .reached()
        .filter(|(other, facts)| other.name != *name && facts.has_address(own));
    let others: Vec<_> = others.map(|(other, _)| &*other.name).collect();
    problem!(Code::NODE_ADDRESS_SHARED, host = name, "its node has the address {own}, and {} has it, too",
            listed(&others))
        .because("behind the NAT of VirtualBox every machine has it, and no host can join a server there")
        .next(format!(
            "give {name} another one: in an inventory,  interface: …  or  private_address: …  for it, then deploy; a server with etcd has to be made anew"
        ))
}

/// There are several networks that all hosts have, and none connects them.
pub(super) fn unconnected(
    situation: &Situation<'_>,
    networks: &[(&IpNet, &Members<'_>)],
    names: &[&str],
) -> Problem {
    let mut problem = problem!(
        Code::NO_COMMON_NETWORK,
        "{}: no network connects the hosts, though all have addresses in {}",
        listed(names),
        listed(
            &networks
                .iter()
                .map(|(net, _)| net.to_string())
                .collect::<Vec<_>>()
        )
    );
    for (network, members) in networks {
        let fails = situation.reached().flat_map(|(host, facts)| {
            let lost = members.iter();
            let lost = lost.filter(|(_, (_, at))| facts.reaches.get(at) == Some(&false));
            lost.map(move |(other, _)| format!("{} does not reach {other}", host.name))
        });
        let fails: Vec<_> = fails.collect();
        problem = problem.because(format!("{network}: {}", some(&fails)));
    }
    problem
        .because(HOW)
        .next("let them reach each other there: a firewall or a security group may drop it, or the network is not connected")
}

/// How hosts are asked whether they reach each other.
pub const HOW: &str =
    "asked from host to host: no answer from the ports of sshd, API and kubelet, or to a ping";

/// There are several networks that all hosts have.
pub(super) fn several(
    situation: &Situation<'_>,
    networks: &[(&IpNet, &Members<'_>)],
    names: &[&str],
) -> Problem {
    let all: Vec<_> = networks.iter().map(|(net, _)| net.to_string()).collect();
    let mut problem = problem!(
        Code::NETWORK_AMBIGUOUS,
        "{}: the hosts could reach each other by {}, and nothing says by which",
        listed(names),
        listed(&all)
    );
    for (network, members) in networks {
        let shown: Vec<_> = members
            .iter()
            .map(|(host, (interface, address))| format!("{host} {address} on {interface}"))
            .collect();
        problem = problem.because(format!("{network}: {}", some(&shown)));
    }
    for (network, members) in networks {
        let own = interfaces(members);
        let mut same = networks
            .iter()
            .filter(|(_, other)| interfaces(other) == own);
        // Of two networks on one interface its name tells neither.
        let own = if same.nth(1).is_some() {
            Vec::new()
        } else {
            own
        };
        problem = match (own.as_slice(), situation.inventory.whole) {
            ([one], true) => problem
                .next(format!("for {network}"))
                .inventory(format!("cluster: {{interface: {one}}}")),
            ([one], false) => problem
                .next(format!("for {network}"))
                .flag(situation.rules.line(&Setting::Interface(one), false)),
            _ => problem.next(format!(
                "for {network}, a `private_address` in it for each host"
            )),
        };
    }
    problem
}

/// There is no network that all hosts have, and an address that several have.
pub(super) fn none(situation: &Situation<'_>, rest: &[(&Host, &Facts)]) -> Problem {
    let names: Vec<_> = rest.iter().map(|(host, _)| &*host.name).collect();
    let mut problem = problem!(
        Code::NO_COMMON_NETWORK,
        "{}: no network was found by which the hosts reach each other",
        listed(&names)
    );
    let shown: Vec<_> = situation
        .reached()
        .map(|(host, facts)| format!("{} has {}", host.name, list(facts)))
        .collect();
    for line in shown.iter().take(SHOWN) {
        problem = problem.because(line);
    }
    problem
        .because("an address that several hosts have is none: behind the NAT of VirtualBox every machine has 10.0.2.15")
        .next("give the machines a network of their own (with Vagrant: private_network)")
        .next("if they have one that was not found, for each host in the inventory").inventory("private_address: ADDRESS")
}

/// As many hosts are named one by one.
pub const SHOWN: usize = 6;

/// The first of a long list.
fn some(items: &[String]) -> String {
    let more = items.len().saturating_sub(SHOWN);
    let shown = items[..items.len() - more].join(", ");
    match more {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] if first.len() < SHOWN => format!("{} and {last}", first.join(", ")),
        [first, ..] => format!("{first} and {} more", names.len() - 1),
    }
}

/// The interfaces by which hosts are in a network.
pub(super) fn interfaces(members: &Members<'_>) -> Vec<String> {
    let names: BTreeSet<_> = members.values().map(|(interface, _)| *interface).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// The addresses that a host has.
pub fn list(facts: &Facts) -> String {
    if facts.addresses.is_empty() {
        return "no address at all".to_owned();
    }
    let addresses = facts
        .addresses
        .iter()
        .map(|(interface, net)| format!("{} on {interface}", net.addr()));
    some(&addresses.collect::<Vec<_>>())
}
