//! Whether hosts reach each other at the addresses that their nodes will have: what is asked before
//! anything is changed, and what follows from the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Situation;
use super::address::addresses;
use super::choose::{Choice, HOW, SHOWN};
use super::rules::Addresses;
use crate::facts::{Around, AskedService, Facts, PortAnswer};
use crate::inventory::{Host, canonical, place};
use crate::problem::{Code, Problem};

/// As many servers are asked about by each agent; it needs one to join, and all of them later.
const SERVERS: usize = 3;

/// Whether a host is going to join now.
fn is_new(situation: &Situation<'_>, host: &Host, facts: &Facts) -> bool {
    situation.selected.contains(&host.name) && !facts.has_data()
}

/// What each host is to be asked about others: about their addresses where hosts join, and servers
/// about a datastore outside the cluster that they do not serve from yet, before anything is changed.
pub fn to_ask(situation: &Situation<'_>) -> BTreeMap<String, Around> {
    let mut wanted: BTreeMap<_, Around> = addresses_to_ask(situation)
        .into_iter()
        .map(|(name, addresses)| {
            let around = Around {
                addresses,
                ..Around::default()
            };
            (name, around)
        })
        .collect();
    if let Some(datastore) = &situation.inventory.cluster.datastore_endpoint {
        // One that serves from it shows that it answers there.
        let uses = |facts: &Facts| {
            let told = situation.rules.told(facts).datastore;
            facts.serves() && told.as_deref() == Some(datastore.endpoint.expose())
        };
        let servers = situation.servers();
        let servers =
            servers.filter(|(host, facts)| situation.selected.contains(&host.name) && !uses(facts));
        for (host, _) in servers {
            let services = datastore.places.iter().map(|(at, port)| AskedService {
                host: at.clone(),
                port: *port,
                greeting: datastore.product.greeting(),
            });
            let asked = wanted.entry(host.name.clone()).or_default();
            asked.services.extend(services);
        }
    }
    let Some((address, _)) = fixed(situation) else {
        return wanted;
    };
    let port = situation.rules.product().join_port;
    let joining = situation.reached();
    for (host, _) in joining.filter(|(host, facts)| is_new(situation, host, facts)) {
        let asked = wanted.entry(host.name.clone()).or_default();
        asked.services.push(AskedService {
            host: address.to_owned(),
            port,
            greeting: "any",
        });
    }
    wanted
}

/// The address in front of the servers, and whether the inventory says that hosts join there. An endpoint
/// that is a host's own address is that of one server alone.
fn fixed<'a>(situation: &Situation<'a>) -> Option<(&'a str, bool)> {
    let cluster = &situation.inventory.cluster;
    if let Some(address) = &cluster.registration_address {
        return Some((address, true));
    }
    let endpoint = cluster.endpoint.as_deref()?;
    let mut hosts = situation.inventory.hosts.iter();
    let ip: Option<IpAddr> = endpoint.parse().ok();
    let name = canonical(endpoint);
    let is_own = hosts.any(|host| {
        let private = host.private_address.as_ref().map(|private| private.value);
        let facts = situation.facts.get(&host.name);
        canonical(&host.address) == name
            || ip.is_some_and(|ip| {
                private == Some(ip) || facts.is_some_and(|facts| facts.has_address(ip))
            })
    });
    (!is_own && situation.rules.product().joins_at_an_address).then_some((endpoint, false))
}

/// The address in front of the servers at which a host joins, where there is one.
///
/// # Errors
/// Why it joins at a server's own address instead.
pub fn registration<'a>(
    situation: &Situation<'a>,
    host: &Host,
    facts: &Facts,
) -> Result<Option<&'a str>, String> {
    let Some((address, is_said)) = fixed(situation) else {
        return Ok(None);
    };
    let port = situation.rules.product().join_port;
    let answer = facts.services.get(&place(&(address.to_owned(), port)));
    // Before the first server is up, a refused connection shows the way as well as any.
    if is_said || matches!(answer, Some(PortAnswer::Open | PortAnswer::Refused)) {
        return Ok(Some(address));
    }
    Err(format!(
        "{}: it does not reach the endpoint {address}, and joins at a server's own address;  cluster: {{registration_address: …}}  names another for all",
        host.name
    ))
}

/// Hosts that join at an address that leads nowhere from them, though servers run, or whose name they do
/// not know.
pub(super) fn lost(situation: &Situation<'_>) -> Vec<Problem> {
    let Some((address, true)) = fixed(situation) else {
        return Vec::new();
    };
    let port = situation.rules.product().join_port;
    let runs = situation.servers().any(|(_, facts)| facts.serves());
    let at = place(&(address.to_owned(), port));
    let leads = |answer: &PortAnswer| match answer {
        PortAnswer::Open => true,
        PortAnswer::Unnamed => false,
        _ => !runs,
    };
    let hosts: Vec<_> = situation
        .reached()
        .filter(|(_, facts)| facts.services.get(&at).is_some_and(|answer| !leads(answer)))
        .map(|(host, _)| &*host.name)
        .collect();
    if hosts.is_empty() {
        return Vec::new();
    }
    vec![
        Problem::new(
            Code::PORTS_BLOCKED,
            format!(
                "{}: nothing answers at {at}, where they are to join",
                hosts.join(", ")
            ),
        )
        .because("the inventory says so:  registration_address")
        .next("let it lead to the servers, and be known and reached from every host"),
    ]
}

/// Whether hosts reach which addresses. Nothing where no host joins, and
/// nothing about an address at which towline itself has reached its host.
///
/// Every agent is asked about servers, every server about the others, and one server about the agents. A new
/// host that others are asked about is asked about one of these at least.
fn addresses_to_ask(situation: &Situation<'_>) -> BTreeMap<String, BTreeSet<IpAddr>> {
    let mut wanted: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    if !situation
        .reached()
        .any(|(host, facts)| is_new(situation, host, facts))
    {
        return wanted;
    }
    let choice = Choice::of(situation);
    let mut neighbours: BTreeMap<&String, IpAddr> = BTreeMap::new();
    let targets = |host: &Host, facts: &Facts| -> Vec<IpAddr> {
        let own = addresses(situation, &choice, host, facts);
        let own = own.ok().map(|own| own.node_ip);
        let all = own.into_iter().chain(choice.candidates(&host.name));
        all.filter(|address| Some(*address) != facts.reached_at)
            .collect()
    };
    for ((from, own), (to, facts)) in pairs(situation) {
        let mut asked = targets(to, facts);
        // Where the world knows the server, should it not be reached by its own address.
        if !asked.is_empty() && !from.is_server() {
            asked.extend(known_as(to));
        }
        if asked.is_empty() {
            continue;
        }
        wanted.entry(from.name.clone()).or_default().extend(asked);
        if is_new(situation, to, facts)
            && let Ok(back) = addresses(situation, &choice, from, own)
        {
            neighbours.entry(&to.name).or_insert(back.node_ip);
        }
    }
    // A machine that was made anew is known to its neighbours by the hardware address of the old one, for a
    // minute at most, unless it asks for one of them itself.
    for (name, neighbour) in neighbours {
        wanted
            .entry(name.clone())
            .or_insert_with(|| [neighbour].into());
    }
    wanted
}

type Reached<'a> = (&'a Host, &'a Facts);

/// Who has to reach whom, where one of the two is new.
fn pairs<'a>(situation: &Situation<'a>) -> Vec<(Reached<'a>, Reached<'a>)> {
    let has_other_way =
        |host: &Host, facts: &Facts| situation.rules.has_own_way(situation, host, facts);
    let hosts = || {
        situation
            .reached()
            .filter(|(host, facts)| !has_other_way(host, facts))
    };
    let servers: Vec<_> = hosts().filter(|(host, _)| host.is_server()).collect();
    let mut pairs = Vec::new();
    for one in hosts() {
        let (host, facts) = one;
        if !is_new(situation, host, facts) {
            continue;
        }
        let others = || {
            servers
                .iter()
                .filter(|(server, _)| server.name != host.name)
                .copied()
        };
        if host.is_server() {
            pairs.extend(others().flat_map(|server| [(one, server), (server, one)]));
        } else {
            pairs.extend(others().take(SERVERS).map(|server| (one, server)));
            pairs.extend(others().take(1).map(|server| (server, one)));
        }
    }
    pairs
}

/// The address at which towline reaches a host, as far as that is one for others, too: a router's
/// before it, or one of its own beside that of its node.
fn known_as(host: &Host) -> Option<IpAddr> {
    let public: IpAddr = host.address.parse().ok()?;
    (!public.is_loopback()).then_some(public)
}

/// Where a host joins through a server: at its own address, unless only another one is reached.
pub(super) fn joins_at(facts: &Facts, server: &Host, own: IpAddr) -> IpAddr {
    let said = |address: &IpAddr| facts.reaches.get(address).copied();
    let other = known_as(server).filter(|other| said(other) == Some(true));
    match (said(&own), other) {
        (Some(false), Some(other)) => other,
        _ => own,
    }
}

/// Hosts that do not reach each other as they have to: why nothing may be changed, and what works all
/// the same.
pub(super) fn unreached(
    situation: &Situation<'_>,
    known: &BTreeMap<String, Addresses>,
) -> (Option<Problem>, Vec<String>) {
    let (mut lines, mut notes, mut said) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut elsewhere = BTreeSet::new();
    for ((from, asked), (to, facts)) in pairs(situation) {
        let address = |host: &Host| known.get(&host.name).map(|own| own.node_ip);
        let (Some(back), Some(own)) = (address(from), address(to)) else {
            continue;
        };
        if asked.reaches.get(&own) != Some(&false) {
            continue;
        }
        let at = facts.interface_of(own).unwrap_or_default();
        let line = format!("{} does not reach {} at {own} on {at}", from.name, to.name);
        let other = joins_at(asked, to, own);
        let comes = facts.reaches.get(&back) != Some(&false) || joins_at(facts, from, back) != back;
        if other != own {
            if !elsewhere.insert(&*from.name) {
                continue;
            }
            let way = if facts.has_address(other) {
                format!(
                    "without  private_address  or  interface  for {} its node is at {other}, for all",
                    to.name
                )
            } else {
                "that takes a network between them, such as a VPN".to_owned()
            };
            notes.push(format!(
                "{line}, and joins by {other}; its pods reach neither the API nor pods on {}: {way}",
                to.name
            ));
        } else if !to.is_server() && comes {
            notes.push(format!(
                "{line}, only the other way: it joins, and pods there and elsewhere do not reach each other"
            ));
        } else {
            lines.push(line);
            said.extend(
                to.private_address
                    .as_ref()
                    .map(|line| line.origin.to_string()),
            );
            said.extend(to.interface.as_ref().map(|line| line.origin.to_string()));
        }
    }
    (problem(&lines, &said), notes)
}

fn problem(lines: &[String], said: &BTreeSet<String>) -> Option<Problem> {
    let (first, others) = lines.split_first()?;
    let mut problem = Problem::new(Code::PORTS_BLOCKED, first);
    for line in others.iter().take(SHOWN) {
        problem = problem.because(line);
    }
    if others.len() > SHOWN {
        problem = problem.because(format!("and {} more", others.len() - SHOWN));
    }
    let problem = problem
        .because(HOW)
        .next("let them reach each other there: a firewall or a security group may drop it, or the network is not connected");
    let other = "or name another network:  interface: …  under  cluster:  or for a host, or its  private_address: …";
    Some(match said.iter().next() {
        None => problem.next(other),
        Some(line) => problem.next(format!("{other}; now it is {line}")),
    })
}
