//! What the servers of a cluster have in common: settings, and where they keep their data.

use super::settings::unequal;
use crate::cluster::Situation;
use crate::distribution::servers;
use crate::facts::Datastore;
use crate::inventory;
use crate::problem::{Code, Problem, problem};

/// Servers whose settings differ where k3s wants all servers to have the same.
pub(super) fn unequal_servers(situation: &Situation<'_>) -> Option<Problem> {
    servers::unequal(
        situation,
        |one, other| unequal(one, other).collect(),
        "all servers of a cluster must have the same: k3s refuses to start otherwise",
    )
}

/// A cluster on sqlite has one server, and no other can join it.
pub(super) fn sqlite_with_more_servers(situation: &Situation<'_>) -> Option<Problem> {
    if !situation.changes_servers() {
        return None;
    }
    let inventory = situation.inventory;
    let servers: Vec<_> = inventory.servers().map(|host| &*host.name).collect();
    if inventory.cluster.datastore == Some(inventory::Datastore::Sqlite) && servers.len() > 1 {
        return Some(
            Problem::new(
                Code::SQLITE_ONE_SERVER,
                "the inventory says  datastore: sqlite , which only one server can use",
            )
            .because(format!("it has {}", servers.join(", ")))
            .next("leave datastore out, or write")
            .inventory("cluster: {datastore: etcd}"),
        );
    }
    let (host, _) = situation
        .servers()
        .find(|(_, facts)| facts.node.datastore == Some(Datastore::Sqlite))?;
    let others: Vec<_> = servers
        .into_iter()
        .filter(|name| *name != host.name)
        .collect();
    if others.is_empty() || inventory.cluster.datastore == Some(inventory::Datastore::Etcd) {
        return None;
    }
    Some(
        problem!(
            Code::SQLITE_ONE_SERVER,
            "{} keeps its cluster in sqlite, which only one server can use",
            host.name
        )
        .because(format!(
            "the inventory has more servers: {}",
            others.join(", ")
        ))
        .next("deploy again with this: k3s moves the data to embedded etcd, then the others join")
        .inventory("cluster: {datastore: etcd}"),
    )
}
