//! Which addresses a node has for its siblings and for the world.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Setting;
use super::Situation;
use super::choose::{Choice, list, named_interface};
use super::rules::Addresses;
use crate::facts::Facts;
use crate::inventory::Host;
use crate::problem::{Code, Problem, problem};

/// Decides the addresses of a host's node.
///
/// etcd and the kubelet always use the internal address, so it has to be on an interface: behind
/// NAT the address of the inventory is none.
pub(super) fn addresses(
    situation: &Situation<'_>,
    choice: &Choice,
    host: &Host,
    facts: &Facts,
) -> Result<Addresses, Problem> {
    let public = host.address.parse::<IpAddr>().ok();
    // towline runs on the host itself, or comes by a port that is forwarded: no other host reaches it at
    // that address. Nor do they at one that stands before several hosts.
    let is_before_others = situation
        .inventory
        .hosts
        .iter()
        .any(|other| other.name != host.name && other.address == host.address);
    let public = public.filter(|public| !public.is_loopback() && !is_before_others);
    let families = situation.rules.families(situation).unwrap_or_default();
    let wanted = situation.rules.wanted(situation.inventory, host);
    let told = wanted
        .map_err(|why| problem!(Code::NODE_ADDRESS_MISSING, host = &host.name, "{why}"))?
        .addresses;
    if !told.is_empty() {
        let lacks = families
            .iter()
            .any(|ipv6| !told.iter().any(|ip| ip.is_ipv6() == *ipv6));
        if lacks {
            return Err(lacking(situation, host, facts, &families, &told));
        }
        return Ok(of(told[0], told.get(1).copied(), public));
    }
    let first = match kept(situation, choice, host, facts) {
        Some(own) => own,
        None => first(situation, choice, host, facts)?,
    };
    let Some(wanted) = families.first() else {
        return Ok(of(first, None, public));
    };
    let beside = |ipv6: bool| {
        if first.is_ipv6() == ipv6 {
            return Some(first);
        }
        facts.beside(first).find(|ip| ip.is_ipv6() == ipv6)
    };
    let second = families.get(1).map(|ipv6| beside(*ipv6));
    match (beside(*wanted), second) {
        (Some(first), None) => Ok(of(first, None, public)),
        (Some(first), Some(Some(second))) => Ok(of(first, Some(second), public)),
        _ => Err(lacking(situation, host, facts, &families, &[first])),
    }
}

fn of(node_ip: IpAddr, second: Option<IpAddr>, public: Option<IpAddr>) -> Addresses {
    Addresses {
        node_ip,
        second,
        external: public.filter(|public| *public != node_ip && Some(*public) != second),
    }
}

/// The address that the host's own settings have, where that is kept and still right.
fn kept(situation: &Situation<'_>, choice: &Choice, host: &Host, facts: &Facts) -> Option<IpAddr> {
    if !situation.keep {
        return None;
    }
    let own = situation.rules.told(facts).node_ip?;
    let is_right = facts.has_address(own) && !choice.is_shared(own);
    (host.private_address.is_none() && is_right).then_some(own)
}

/// The host has no address of a family that the network of the pods has.
fn lacking(
    situation: &Situation<'_>,
    host: &Host,
    facts: &Facts,
    families: &[bool],
    told: &[IpAddr],
) -> Problem {
    let name = |ipv6: &bool| if *ipv6 { "IPv6" } else { "IPv4" };
    let names: Vec<_> = families.iter().map(name).collect();
    let has = |ipv6: &&bool| !told.iter().any(|ip| ip.is_ipv6() == **ipv6);
    let lacks: Vec<_> = families.iter().filter(has).map(name).collect();
    let examples = families.iter().map(|ipv6| {
        let own = told.iter().find(|ip| ip.is_ipv6() == *ipv6);
        let own = own.map(ToString::to_string);
        own.unwrap_or_else(|| {
            if *ipv6 {
                "IPV6_ADDRESS"
            } else {
                "IPV4_ADDRESS"
            }
            .to_owned()
        })
    });
    problem!(
        Code::ADDRESS_FAMILY_MISSING,
        host = &host.name,
        "the pods' network has {}, and the node no address of {}",
        names.join(" and "),
        lacks.join(" and ")
    )
    .because(format!(
        "{} starts no node that lacks one of them; the host has {}",
        situation.rules.product().name,
        list(facts)
    ))
    .next("give the host one; if it has one that was not found")
    .inventory(format!(
        "hosts: {{{}: {{config: {{{}}}}}}}",
        host.name,
        situation.rules.line(
            &Setting::Addresses(&examples.collect::<Vec<_>>().join(",")),
            true
        )
    ))
}

/// The address for its siblings, whatever its family.
fn first(
    situation: &Situation<'_>,
    choice: &Choice,
    host: &Host,
    facts: &Facts,
) -> Result<IpAddr, Problem> {
    if let Some(private) = &host.private_address {
        let node_ip = private.value;
        if !facts.has_address(node_ip) {
            return Err(problem!(
                Code::NODE_ADDRESS_MISSING,
                host = &host.name,
                "its private_address {node_ip} is on none of its interfaces"
            )
            .because(format!("it has {}", list(facts)))
            .next(format!(
                "correct private_address ({}) in the inventory",
                private.origin
            )));
        }
        return Ok(node_ip);
    }
    if let Some((interface, line)) = named_interface(situation, host) {
        return facts.address_on(interface).ok_or_else(|| {
            problem!(
                Code::NODE_ADDRESS_MISSING,
                host = &host.name,
                "there is no address on {interface}, which {line} names"
            )
            .because(format!("it has {}", list(facts)))
            .next("correct it in the inventory")
        });
    }
    if let Some(public) = choice.public(host, facts) {
        return Ok(public);
    }
    choice.address(host, facts).ok_or_else(|| {
        problem!(
            Code::NODE_ADDRESS_SHARED,
            host = &host.name,
            "no address for its siblings to reach it at"
        )
        .because(match facts.default_address() {
            Some(usual) => format!("other hosts have {usual}, too; it has {}", list(facts)),
            None => format!("it has no default route, and {}", list(facts)),
        })
        .next("give the host a private_address in the inventory")
    })
}

/// Whether anything but the host itself says that it has an address: the inventory, or the
/// connection that it was reached by. A host can choose what it says of itself, and whatever address
/// that is, others would let it in.
pub(super) fn is_vouched_for(
    situation: &Situation<'_>,
    host: &Host,
    facts: &Facts,
    address: IpAddr,
) -> bool {
    let named = host.address.parse().ok();
    let private = host.private_address.as_ref().map(|private| private.value);
    let wanted = situation.rules.wanted(situation.inventory, host);
    let wanted = wanted.map_or_else(|_| Vec::new(), |wanted| wanted.addresses);
    // towline runs on the host itself; by a port that is forwarded it comes from elsewhere.
    let is_here = named.is_some_and(|named: IpAddr| named.is_loopback());
    (is_here && host.ssh.port.value == 22)
        || [named, private, facts.reached_at].contains(&Some(address))
        || wanted.contains(&address)
}

/// What the firewalls of other hosts do not let in, since a host alone says that it has the address.
pub(super) fn claimed(
    situation: &Situation<'_>,
    known: &BTreeMap<String, Addresses>,
) -> Vec<String> {
    let walled: Vec<_> = situation
        .reached()
        .filter(|(host, facts)| facts.ufw && situation.selected.contains(&host.name))
        .map(|(host, _)| host.name.as_str())
        .collect();
    let claims = situation.reached().filter_map(|(host, facts)| {
        let own = known.get(&host.name)?;
        let claimed = own.own();
        let claimed = claimed.filter(|address| !is_vouched_for(situation, host, facts, *address));
        let claimed: Vec<_> = claimed.collect();
        let others = walled.iter().copied().filter(|name| *name != host.name);
        let others = others.collect::<Vec<_>>().join(", ");
        let address = *claimed.first().filter(|_| !others.is_empty())?;
        let name = &host.name;
        let line = if own.second.is_some() {
            let all = own.node_ips();
            let line = situation.rules.line(&Setting::Addresses(&all), true);
            format!("config: {{{line}}}")
        } else {
            format!("private_address: {address}")
        };
        let all: Vec<_> = claimed.iter().map(ToString::to_string).collect();
        let type_each = claimed
            .iter()
            .map(|address| format!("ufw allow from {address}"));
        Some(format!(
            "{name}: the firewall of {others} does not let in {}: only {name} says that it has \
             this address. If that is right, write  {line}  for {name} in the \
             inventory, or type on {others}:  {}",
            all.join(" and "),
            type_each.collect::<Vec<_>>().join("; ")
        ))
    });
    claims.collect()
}
