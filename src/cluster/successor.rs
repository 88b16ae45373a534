//! The server that hosts name in `server:`, when that one is taken out of the cluster.

use super::Situation;
use super::address::addresses;
use super::choose::Choice;
use crate::inventory::DataDir;
use crate::kubernetes::kubeconfig::server_url;

/// A host that stays and names a server which goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Successor {
    /// The host.
    pub host: String,
    /// What it is told: `https://10.0.0.1:6443`.
    pub from: String,
    /// What it is to say: a server that stays and is READY.
    pub to: String,
    /// The folder of its data.
    pub data_dir: DataDir,
}

/// Which hosts that stay name a server that goes. A node looks there when it joins again, also years
/// later, and agents when they have lost all that they know, or always where they know no other.
pub(super) fn successors(situation: &Situation<'_>) -> Vec<Successor> {
    // An agent reaches a server at its API, wherever servers join.
    let port = situation.rules.product().api_port;
    let selected = |name: &str| situation.selected.contains(name);
    let going: Vec<String> = situation
        .inventory
        .servers()
        .filter(|host| selected(&host.name))
        .flat_map(|host| {
            let facts = situation.facts.get(&host.name);
            let own = facts.map_or(&[][..], |facts| &facts.addresses);
            let own = own.iter().map(|(_, net)| net.addr().to_string());
            let private = host.private_address.iter();
            let private = private.map(|address| address.value.to_string());
            own.chain(private).chain([host.address.clone()])
        })
        .map(|address| server_url(&address, port))
        .collect();
    let choice = Choice::of(situation);
    let staying: Vec<(&str, String)> = situation
        .servers()
        .filter(|(host, facts)| !selected(&host.name) && facts.serves())
        .filter_map(|(host, facts)| {
            let address = addresses(situation, &choice, host, facts).ok()?.node_ip;
            Some((&*host.name, server_url(&address.to_string(), port)))
        })
        .filter(|(_, url)| !going.contains(url))
        .collect();
    let stays = situation
        .reached()
        .filter(|(host, facts)| !selected(&host.name) && facts.node.foreign.is_none());
    stays
        .filter_map(|(host, facts)| {
            let from = situation.rules.told(facts).server?;
            let (_, to) = staying.iter().find(|(name, _)| *name != host.name)?;
            going.contains(&from).then(|| Successor {
                host: host.name.clone(),
                from: from.clone(),
                to: to.clone(),
                data_dir: facts.node.data_dir.clone(),
            })
        })
        .collect()
}
