//! What flannel, the pods' network, has to be told of the hosts' network.

use std::net::IpAddr;

use serde_json::Value;

use super::{Choice, is_inside, is_same_everywhere};
use crate::cluster::Situation;
use crate::cluster::adopt::same_setting;
use crate::cluster::config::Config;
use crate::cluster::tokens::observed;
use crate::facts::Facts;
use crate::inventory::{Host, Role};

impl Choice {
    /// What is said of a node that runs, and gets the interface since pods do not reach it or from it.
    pub fn mended(&self, host: &Host, facts: &Facts, config: &Config) -> Option<String> {
        let usual = facts
            .default_address()
            .filter(|usual| self.shared.contains(usual))?;
        let is_new =
            config.contains_key("flannel-iface") && !observed(facts).contains_key("flannel-iface");
        (facts.node.joined && host.interface.is_none() && is_new).then(|| {
            format!(
                "{}: flannel has {usual}, as other hosts have, so pods here and on other nodes do not reach each other: it gets flannel-iface, and k3s is restarted",
                host.name
            )
        })
    }

    /// The interface that flannel has to be told: it takes that of the default route by itself,
    /// whatever the node's address is. A node that runs is not restarted for it, unless what it has
    /// there leads nowhere.
    pub fn flannel(
        &self,
        situation: &Situation<'_>,
        host: &Host,
        facts: &Facts,
        node_ip: IpAddr,
    ) -> Option<String> {
        let own = observed(facts);
        let interface = facts.off_the_default_route(node_ip);
        let interface = interface.filter(|name| !is_inside(name))?;
        if has_way(situation, host, facts) || !has_flannel(situation) {
            return None;
        }
        let usual = facts.default_address();
        let is_needed = usual.is_some_and(|usual| {
            let (known, seen) = (is_same_everywhere(usual), self.shared.contains(&usual));
            // What runs is changed only where it cannot work.
            if facts.node.joined {
                known && seen
            } else {
                known || seen
            }
        });
        let may_begin = !facts.node.joined && !self.flannel_is_elsewhere;
        let stands = own.contains_key("flannel-iface");
        let is_named = host.interface.is_some();
        // Which route is taken for IPv6 is not known.
        let is_known = node_ip.is_ipv4() || is_named;
        (is_known && (is_named || is_needed || may_begin || stands)).then(|| interface.to_owned())
    }
}

/// Whether nodes reach each other in a way of their own, whatever their addresses are.
pub fn has_way(situation: &Situation<'_>, host: &Host, facts: &Facts) -> bool {
    let own = observed(facts);
    let says = |key: &&str| {
        let told = situation.inventory.configured(host, key).or(own.get(*key));
        !same_setting(key, told, None)
    };
    ["flannel-external-ip", "vpn-auth", "vpn-auth-file"]
        .iter()
        .any(says)
}

/// Whether the pods' network is flannel's.
fn has_flannel(situation: &Situation<'_>) -> bool {
    let inventory = situation.inventory;
    let servers = inventory.hosts.iter();
    let mut servers = servers.filter(|host| host.role.value == Role::Server);
    !servers.any(|host| {
        let told = inventory.configured(host, "flannel-backend").cloned();
        let told = told.or_else(|| {
            let facts = situation.reach.get(&host.name)?.facts()?;
            observed(facts).get("flannel-backend").cloned()
        });
        told.as_ref().and_then(Value::as_str) == Some("none")
    })
}
