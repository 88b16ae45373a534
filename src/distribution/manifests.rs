//! The inventory's manifests on servers, which apply what they have themselves.

use serde_json::{Value, json};

use crate::cluster::Situation;
use crate::facts::Facts;
use crate::inventory::Inventory;

/// The manifests that a server is to have, those that left the inventory, and those that have moved. A manifest's
/// place stands before its name.
pub(super) fn of_server<'a>(
    inventory: &Inventory,
    facts: &'a Facts,
    named: fn(&str) -> String,
) -> (Vec<Value>, Vec<Value>, Vec<&'a str>) {
    let all = &inventory.cluster.manifests;
    let wanted: Vec<_> = (1..)
        .zip(all)
        .map(|(place, manifest)| (format!("{place:03}/{}", named(&manifest.name)), manifest))
        .collect();
    let name = |path: &str| {
        let (_, file) = path.split_once('/').unwrap_or_default();
        file.split('.').next().unwrap_or_default().to_owned()
    };
    let others = facts.node.manifests.iter().map(String::as_str);
    let others = others.filter(|path| wanted.iter().all(|(own, _)| own != path));
    let (moved, left): (Vec<_>, Vec<_>) =
        others.partition(|path| all.iter().any(|manifest| manifest.stem() == name(path)));
    let wanted = wanted.into_iter();
    (
        wanted
            .map(|(path, manifest)| json!({"path": path, "content": manifest.text()}))
            .collect(),
        left.into_iter()
            .map(|path| json!({"path": path, "name": name(path)}))
            .collect(),
        moved,
    )
}

/// What is said where a manifest leaves the cluster and stays on servers that are not changed now.
pub(super) fn note(situation: &Situation<'_>) -> Option<String> {
    let inventory = situation.inventory;
    let has_left = |facts: &Facts| !of_server(inventory, facts, str::to_owned).1.is_empty();
    let is_changed = |name: &str| situation.selected.contains(name);
    let mut servers = situation.servers();
    if !servers.any(|(host, facts)| is_changed(&host.name) && has_left(facts)) {
        return None;
    }
    let stays = inventory.servers().filter(|host| {
        let facts = situation.facts.get(&host.name);
        facts.is_none_or(|facts| !is_changed(&host.name) && has_left(facts))
    });
    let stays: Vec<_> = stays.map(|host| &*host.name).collect();
    (!stays.is_empty()).then(|| {
        format!(
            "{}: not changed now, so what is taken away from the cluster stays among the manifests there, and {} applies it again from there: deploy to all servers as soon as you can",
            stays.join(", "),
            inventory.cluster.distribution.name
        )
    })
}
