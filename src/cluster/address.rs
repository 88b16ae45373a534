//! Which addresses a node has for its siblings and for the world.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Situation;
use crate::error::Problem;
use crate::facts::Facts;
use crate::inventory::Host;

/// The addresses of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Addresses {
    /// What its siblings reach it at; on one of its interfaces.
    pub node_ip: IpAddr,
    /// What the world reaches it at, when that is another one.
    pub external: Option<IpAddr>,
}

/// Decides the addresses of a host's node. `interface` is flannel's, whose address k3s takes, too.
///
/// etcd and the kubelet always use the internal address, so it has to be on an interface: behind
/// NAT the address of the inventory is none.
pub(super) fn addresses(
    host: &Host,
    facts: &Facts,
    interface: Option<&str>,
) -> Result<Addresses, Problem> {
    let public = host.address.parse::<IpAddr>().ok();
    // towline runs on the host itself: nobody else reaches it at that address.
    let public = public.filter(|public| !public.is_loopback());
    if let Some(text) = host
        .config
        .get("node-ip")
        .and_then(|setting| setting.value.as_str())
    {
        let first = text.split(',').next().unwrap_or_default().trim();
        let node_ip = first.parse().map_err(|_| {
            Problem::new(format!(
                "{}: config.node-ip is no address: {text}",
                host.name
            ))
        })?;
        return Ok(Addresses {
            node_ip,
            external: public.filter(|public| *public != node_ip),
        });
    }
    if let Some(private) = &host.private_address {
        let node_ip = private.value;
        if !facts.has_address(node_ip) {
            return Err(Problem::new(format!(
                "{}: its private_address {node_ip} is on none of its interfaces",
                host.name
            ))
            .because(format!("it has {}", list(facts)))
            .next(format!(
                "correct private_address ({}) in the inventory",
                private.origin
            )));
        }
        return Ok(Addresses {
            node_ip,
            external: public.filter(|public| *public != node_ip),
        });
    }
    if let Some(interface) = interface {
        let mut own: Vec<_> = facts
            .addresses
            .iter()
            .filter(|(name, _)| name == interface)
            .map(|(_, net)| net.addr())
            .collect();
        own.sort_by_key(IpAddr::is_ipv6);
        let Some(node_ip) = own.first().copied() else {
            return Err(Problem::new(format!(
                "{}: there is no address on {interface}, which flannel-iface names",
                host.name
            ))
            .because(format!("it has {}", list(facts)))
            .next("correct flannel-iface in the inventory"));
        };
        return Ok(Addresses {
            node_ip,
            external: public.filter(|public| *public != node_ip),
        });
    }
    if let Some(public) = public.filter(|public| facts.has_address(*public)) {
        return Ok(Addresses {
            node_ip: public,
            external: None,
        });
    }
    match facts.default_address() {
        Some(node_ip) => Ok(Addresses {
            node_ip,
            external: public,
        }),
        None => Err(Problem::new(format!(
            "{}: no address for its siblings to reach it at",
            host.name
        ))
        .because(format!("it has no default route, and {}", list(facts)))
        .next("give the host a private_address in the inventory")),
    }
}

/// Whether somebody else than the host itself says that it has an address: the inventory, or the
/// connection that it was reached by. A host can choose what it says of itself, and whatever address
/// that is, others would let it in.
pub(super) fn is_vouched_for(host: &Host, facts: &Facts, address: IpAddr) -> bool {
    let named = host.address.parse().ok();
    let private = host.private_address.as_ref().map(|private| private.value);
    let configured = host.config.get("node-ip");
    let configured = configured.and_then(|setting| setting.value.as_str());
    let mut configured = configured.unwrap_or_default().split(',');
    // towline runs on the host itself.
    named.is_some_and(|named: IpAddr| named.is_loopback())
        || [named, private, facts.reached_at].contains(&Some(address))
        || configured.any(|text| text.trim().parse() == Ok(address))
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
        let address = known.get(&host.name)?.node_ip;
        let others = walled.iter().copied().filter(|name| *name != host.name);
        let others = others.collect::<Vec<_>>().join(", ");
        (!is_vouched_for(host, facts, address) && !others.is_empty()).then(|| {
            let name = &host.name;
            format!(
                "{name}: the firewall of {others} does not let in {address}: only {name} says that it has \
                 this address. If that is right, write  private_address: {address}  for {name} in the \
                 inventory, or type on {others}:  ufw allow from {address}"
            )
        })
    });
    claims.collect()
}

fn list(facts: &Facts) -> String {
    if facts.addresses.is_empty() {
        return "no address at all".to_owned();
    }
    let addresses = facts
        .addresses
        .iter()
        .map(|(interface, net)| format!("{} on {interface}", net.addr()));
    addresses.collect::<Vec<_>>().join(", ")
}
