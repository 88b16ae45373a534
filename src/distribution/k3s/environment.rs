//! The variables of k3s's process. What a proxy is not for, k3s itself has to know: its own networks, and
//! the addresses of the nodes.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::ranges;
use crate::cluster::Situation;
use crate::facts::Facts;
use crate::inventory::{Host, Inventory, Remark};

/// The two sets of variables: k3s's own, and those that containerd gets in their place
/// (<https://docs.k3s.io/advanced#configuring-an-http-proxy>).
const SETS: [&str; 2] = ["", "CONTAINERD_"];

/// What is wrong with variables that the inventory names.
pub(super) fn remarks(inventory: &Inventory) -> Vec<Remark> {
    let hosts = inventory.hosts.iter();
    let variables = hosts.flat_map(|host| &host.environment);
    let settings = variables.filter(|(name, _)| name.starts_with("K3S_"));
    settings
        .map(|(name, setting)| Remark {
            section: "environment",
            key: name.clone(),
            origin: Some(setting.origin.clone()),
            message: format!("`{name}` stands for a setting of k3s"),
            help: Some("say it with `config`, or with the key of its own".to_owned()),
        })
        .collect()
}

/// The variables of a host's k3s, each with `name` and `value`, by name.
pub(super) fn variables(
    situation: &Situation<'_>,
    host: &Host,
    facts: &Facts,
    node_ips: &[IpAddr],
) -> Vec<Value> {
    let said = host.environment.iter();
    let mut variables: Vec<(String, String)> = said
        .map(|(name, setting)| {
            let text = setting.value.as_str().map(str::to_owned);
            (
                name.clone(),
                text.unwrap_or_else(|| setting.value.to_string()),
            )
        })
        .collect();
    for set in SETS {
        let is_proxy = |name: &str| {
            let kind = name.strip_prefix(set);
            kind.is_some_and(|kind| ["HTTP_PROXY", "HTTPS_PROXY"].contains(&kind))
        };
        if !variables.iter().any(|(name, _)| is_proxy(name)) {
            continue;
        }
        let name = format!("{set}NO_PROXY");
        let at = variables.iter().position(|(known, _)| *known == name);
        let own = at.map(|at| variables.remove(at).1).unwrap_or_default();
        variables.push((name, without_proxy(situation, host, facts, node_ips, &own)));
    }
    variables.sort();
    let variables = variables.into_iter();
    variables
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

/// What is reached without the proxy: what is said, the cluster's networks, and its hosts.
///
/// Of the hosts, the networks that this one's addresses are in count as a whole, so that a host which is
/// added there changes nothing for the others; the rest is what the inventory itself says, so that a host
/// which is not reached changes nothing either.
fn without_proxy(
    situation: &Situation<'_>,
    host: &Host,
    facts: &Facts,
    node_ips: &[IpAddr],
    own: &str,
) -> String {
    let inventory = situation.inventory;
    let words = own.split(',').map(str::trim);
    let mut all: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let mut add = |word: String| {
        if !all.contains(&word) {
            all.push(word);
        }
    };
    add("localhost".to_owned());
    add("127.0.0.0/8".to_owned());
    let ipv6 = node_ips.first().is_some_and(IpAddr::is_ipv6);
    for range in ranges::of_inventory(inventory, ipv6) {
        add(range);
    }
    let nets = facts.addresses.iter().map(|(_, network)| network);
    let networks = nets.filter(|network| node_ips.contains(&network.addr()));
    let networks: Vec<_> = networks.map(ipnet::IpNet::trunc).collect();
    for network in &networks {
        add(network.to_string());
    }
    for other in &inventory.hosts {
        let private = other.private_address.as_ref().map(|said| said.value);
        let address = private.map_or_else(|| other.address.clone(), |ip| ip.to_string());
        let ip = address.parse::<IpAddr>().ok();
        let is_inside = ip.is_some_and(|ip| networks.iter().any(|network| network.contains(&ip)));
        if !is_inside && ip.is_none_or(|ip| !ip.is_loopback()) {
            add(address);
        }
    }
    let url = inventory.cluster.server_url.as_deref();
    let named = url.and_then(|url| {
        let rest = url.strip_prefix("https://")?;
        Some(rest.rsplit_once(':').map_or(rest, |(name, _)| name))
    });
    for name in inventory
        .cluster
        .endpoint
        .as_deref()
        .into_iter()
        .chain(named)
    {
        add(name.trim_matches(['[', ']']).to_owned());
    }
    let domain = inventory.configured(host, "cluster-domain");
    let domain = domain.and_then(Value::as_str).unwrap_or("cluster.local");
    add(".svc".to_owned());
    add(format!(".{domain}"));
    all.join(",")
}
