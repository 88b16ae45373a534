//! By which network the hosts reach each other, where no line of the inventory says it.
//!
//! What a machine's default route goes out from is no answer: behind the NAT of `VirtualBox` and
//! of QEMU every machine has the same address there. So the hosts are looked at together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::Situation;
use crate::facts::Facts;
use crate::inventory::Host;
use crate::problem::Problem;

mod words;

pub(super) use words::{HOW, SHOWN, list};
use words::{interfaces, listed, none, runs_behind_nat, several, unconnected};

/// What `VirtualBox` gives every machine on its first and second interface with NAT, and QEMU on its
/// user network (virtualbox.org/manual, 6.3; qemu.org, `-netdev user`).
const SAME_EVERYWHERE: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 2, 15), Ipv4Addr::new(10, 0, 3, 15)];

/// Interfaces of networks that are inside of a host: of containers, virtual machines and pods.
const INSIDE: [&str; 17] = [
    "br-",
    "cali",
    "cilium",
    "cni",
    "docker",
    "dummy",
    "flannel",
    "incusbr",
    "kube-",
    "lo",
    "lxcbr",
    "lxdbr",
    "nodelocaldns",
    "podman",
    "tunl",
    "veth",
    "virbr",
];

/// What follows for hosts for which no line says where the others reach them.
#[derive(Debug, Default)]
pub struct Choice {
    /// Addresses that several hosts have: none of them is reached at one.
    pub(crate) shared: BTreeSet<IpAddr>,
    /// The addresses that were found.
    found: BTreeMap<String, IpAddr>,
    /// The addresses of the hosts for which there are several, by host.
    candidates: BTreeMap<String, Vec<IpAddr>>,
    /// The addresses of the hosts for which a line says it, and of those that have one in their cluster.
    known: BTreeMap<String, IpAddr>,
    /// Why no network could be chosen.
    pub problem: Option<Problem>,
    /// What was chosen, where that is news.
    pub note: Option<String>,
}

/// A network: the interface and the address of every host in it.
type Members<'a> = BTreeMap<&'a str, (&'a str, IpAddr)>;

impl Choice {
    /// Looks at all hosts together.
    pub fn of(situation: &Situation<'_>) -> Self {
        let shared = shared(situation);
        let mut choice = Self {
            shared,
            ..Self::default()
        };
        let mut known = BTreeMap::new();
        let mut open = Vec::new();
        for (host, facts) in situation.reached() {
            if let Some(address) = choice.said(situation, host, facts) {
                known.insert(host.name.clone(), address);
            } else if let Some(own) = own(situation, host, facts) {
                // That another host says it has the address, too, moves no node that runs.
                if !choice.shared.contains(&own) || !is_same_everywhere(own) {
                    known.insert(host.name.clone(), own);
                    choice.found.insert(host.name.clone(), own);
                } else if situation.selected.contains(&host.name) {
                    open.push((host, facts));
                } else if host.is_server() {
                    choice.problem = Some(runs_behind_nat(situation, host, own));
                }
            } else {
                open.push((host, facts));
            }
        }
        choice.find(situation, &known, open);
        choice.known = known;
        choice
    }

    /// The address of a host that needs no choice.
    pub fn known(&self, host: &str) -> Option<IpAddr> {
        self.known.get(host).copied()
    }

    /// The address of a host for its siblings, unless the inventory says it.
    pub fn address(&self, host: &Host, facts: &Facts) -> Option<IpAddr> {
        let found = self.found.get(&host.name).copied();
        found.or_else(|| self.usual(facts))
    }

    /// The address of the default route, unless other hosts have it, too.
    fn usual(&self, facts: &Facts) -> Option<IpAddr> {
        let usual = facts.default_address();
        usual.filter(|usual| !self.shared.contains(usual))
    }

    /// The addresses between which nothing decides yet.
    pub fn candidates(&self, host: &str) -> impl Iterator<Item = IpAddr> {
        self.candidates.get(host).into_iter().flatten().copied()
    }

    /// Whether several hosts have an address.
    pub fn is_shared(&self, address: IpAddr) -> bool {
        self.shared.contains(&address)
    }

    /// What a line of the inventory says.
    fn said(&self, situation: &Situation<'_>, host: &Host, facts: &Facts) -> Option<IpAddr> {
        let wanted = situation.rules.wanted(situation.inventory, host);
        let config = wanted
            .ok()
            .and_then(|wanted| wanted.addresses.first().copied());
        let private = host.private_address.as_ref().map(|private| private.value);
        let named = named_interface(situation, host);
        let on = named.and_then(|(name, _)| facts.address_on(name));
        let public = self.public(host, facts);
        config.or(private).or(on).or(public)
    }

    /// The address of the inventory, where it is on an interface of this host: alone, or as that by which
    /// towline reached it, whatever other hosts say that they have.
    pub fn public(&self, host: &Host, facts: &Facts) -> Option<IpAddr> {
        let public = host.address.parse::<IpAddr>().ok()?;
        let is_its_own = !self.shared.contains(&public) || facts.reached_at == Some(public);
        (facts.has_address(public) && is_its_own).then_some(public)
    }

    /// Finds addresses for the hosts that are open: in a network of those that are known, by the
    /// connection that towline has, or in the one network that all hosts have.
    fn find(
        &mut self,
        situation: &Situation<'_>,
        known: &BTreeMap<String, IpAddr>,
        open: Vec<(&Host, &Facts)>,
    ) {
        let ipv6 = situation
            .rules
            .families(situation)
            .and_then(|families| families.first().copied());
        let ipv6 = ipv6.unwrap_or_else(|| {
            let usual = open.iter().map(|(_, facts)| facts.default_address());
            !open.is_empty() && usual.flatten().all(|usual| usual.is_ipv6())
        });
        let of = |facts: &'_ Facts| -> Vec<(String, IpNet)> {
            let all = facts.addresses.iter();
            let usable = all.filter(|(name, net)| self.is_usable(name, net, ipv6));
            usable.cloned().collect()
        };
        let anchors: BTreeSet<IpNet> = situation
            .reached()
            .filter_map(|(host, facts)| Some((known.get(&host.name)?, facts)))
            .filter_map(|(own, facts)| {
                let mut nets = facts.addresses.iter().map(|(_, net)| net);
                nets.find(|net| net.addr() == *own).map(IpNet::trunc)
            })
            .collect();
        let mut found = BTreeMap::new();
        let mut rest = Vec::new();
        for (host, facts) in open {
            let nets = of(facts);
            let mut near = nets
                .iter()
                .filter(|(_, net)| anchors.contains(&net.trunc()));
            let reached = facts.reached_at.filter(|at| !self.shared.contains(at));
            let reached = reached.and_then(|at| facts.address_on(facts.interface_of(at)?));
            match (near.next(), near.next()) {
                (Some((_, net)), None) => drop(found.insert(host.name.clone(), net.addr())),
                _ => match reached.filter(|address| !self.shared.contains(address)) {
                    Some(address) => drop(found.insert(host.name.clone(), address)),
                    // A node needs a default route, and says so.
                    None if facts.default_address().is_none() => {}
                    None => rest.push((host, facts)),
                },
            }
        }
        self.found.extend(found);
        if rest.is_empty() {
            return;
        }
        let mut common: BTreeMap<IpNet, Members<'_>> = BTreeMap::new();
        for (host, facts) in situation.reached() {
            for (name, net) in &facts.addresses {
                if self.is_usable(name, net, ipv6) {
                    let members = common.entry(net.trunc()).or_default();
                    members.entry(&host.name).or_insert((name, net.addr()));
                }
            }
        }
        let all = situation.reached();
        let all = all.filter(|(_, facts)| !facts.addresses.is_empty()).count();
        common.retain(|_, members| members.len() == all);
        self.take(situation, &common, &rest);
    }

    /// Takes the one network of several hosts, or says what is missing.
    fn take(
        &mut self,
        situation: &Situation<'_>,
        common: &BTreeMap<IpNet, Members<'_>>,
        rest: &[(&Host, &Facts)],
    ) {
        let is_good = |facts: &Facts| {
            self.usual(facts)
                .is_some_and(|usual| !is_same_everywhere(usual))
        };
        let mut at_nat = rest.iter().filter(|(_, facts)| !is_good(facts));
        let same = at_nat.find_map(|(_, facts)| facts.default_address());
        // One machine has no other to reach.
        if situation.inventory.hosts.len() == 1 && same.is_none() {
            return;
        }
        let concerns = |(host, facts): &&(&Host, &Facts)| {
            situation.selected.contains(&host.name) && !facts.node.joined
        };
        let names: Vec<_> = rest.iter().map(|(host, _)| &*host.name).collect();
        if common.len() > 1 {
            for (host, _) in situation.reached() {
                let own = common.values();
                let own = own.filter_map(|members| Some(members.get(&*host.name)?.1));
                self.candidates.insert(host.name.clone(), own.collect());
            }
        }
        let (works, fails): (Vec<_>, Vec<_>) = common
            .iter()
            .partition(|(_, members)| is_connected(situation, members));
        // Of one alone the hosts that it does not connect are named later.
        let all = if works.is_empty() { &fails } else { &works };
        let mut networks = all.iter();
        match (networks.next(), networks.next()) {
            (Some((network, members)), None) => {
                let lost = fails.iter().map(|(net, _)| net.to_string());
                let lost: Vec<_> = lost.filter(|_| !works.is_empty()).collect();
                let why = match (lost.as_slice(), same) {
                    ([], None) => None,
                    ([], Some(usual)) => Some(format!(
                        ": {usual} is the same on every machine behind such a NAT"
                    )),
                    (lost, _) => Some(format!(", and not by {}", listed(lost))),
                };
                self.note = why.map(|why| {
                    format!(
                        "{}: the hosts reach each other by {network} ({}){why}",
                        listed(&names),
                        interfaces(members).join(", ")
                    )
                });
                for (host, _) in rest {
                    if let Some((_, address)) = members.get(&*host.name) {
                        self.found.insert(host.name.clone(), *address);
                    }
                }
            }
            (Some(_), Some(_)) if rest.iter().any(|one| concerns(&one)) => {
                self.problem = Some(if works.is_empty() {
                    unconnected(situation, &fails, &names)
                } else {
                    several(situation, &works, &names)
                });
            }
            (None, _)
                if rest
                    .iter()
                    .any(|one| concerns(&one) && self.usual(one.1).is_none()) =>
            {
                self.problem = Some(none(situation, rest));
            }
            _ => {}
        }
    }

    /// Whether an address can be the one by which others reach a host.
    fn is_usable(&self, interface: &str, net: &IpNet, ipv6: bool) -> bool {
        net.addr().is_ipv6() == ipv6
            && net.prefix_len() < net.max_prefix_len()
            && !is_inside(interface)
            && !is_same_everywhere(net.addr())
            && !self.shared.contains(&net.addr())
    }
}

/// The interface that the inventory names for a host, and the words for where.
pub(super) fn named_interface<'a>(
    situation: &Situation<'a>,
    host: &'a Host,
) -> Option<(&'a str, String)> {
    if let Some(own) = &host.interface {
        return Some((&own.value, format!("interface ({})", own.origin)));
    }
    let wanted = situation.rules.wanted(situation.inventory, host).ok()?;
    let (interface, key) = wanted.interface?;
    Some((interface, key.to_owned()))
}

/// Addresses that more than one host has.
fn shared(situation: &Situation<'_>) -> BTreeSet<IpAddr> {
    let mut seen: BTreeMap<IpAddr, &str> = BTreeMap::new();
    let mut shared = BTreeSet::new();
    for (host, facts) in situation.reached() {
        for (_, net) in &facts.addresses {
            if seen
                .insert(net.addr(), &host.name)
                .is_some_and(|other| other != host.name)
            {
                shared.insert(net.addr());
            }
        }
    }
    shared
}

/// The address of a node that is in its cluster already, as far as its host still has it.
pub fn own(situation: &Situation<'_>, host: &Host, facts: &Facts) -> Option<IpAddr> {
    if !facts.node.joined {
        return None;
    }
    let told = situation.rules.told(facts).node_ip;
    let listed = || {
        let name = situation.node_name(host, facts);
        let mut nodes = situation.servers().flat_map(|(_, facts)| &facts.node.nodes);
        nodes.find(|node| node.name == name)?.internal_ip
    };
    let own = told.or_else(listed).or_else(|| facts.default_address());
    own.filter(|own| facts.has_address(*own))
}

/// Whether an interface is of a network inside of its host.
pub fn is_inside(interface: &str) -> bool {
    INSIDE.iter().any(|inside| interface.starts_with(inside))
}

/// Whether every machine behind a NAT of some kind has an address.
pub fn is_same_everywhere(address: IpAddr) -> bool {
    SAME_EVERYWHERE.iter().any(|same| address == *same)
}

/// Whether no host that was asked failed to reach another one in a network.
fn is_connected(situation: &Situation<'_>, members: &Members<'_>) -> bool {
    let fails = |facts: &Facts, address| facts.reaches.get(address) == Some(&false);
    let mut asked = situation.reached();
    asked.all(|(_, facts)| !members.values().any(|(_, address)| fails(facts, address)))
}
