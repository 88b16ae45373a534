//! Which version a deploy is about. An upgrade is never its side effect.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::Rules;
use super::check::{named, node_name};
use super::upgrade::running;
use crate::facts::Facts;
use crate::inventory::{Host, Inventory, VersionChoice};
use crate::problem::{Code, Problem, problem};

/// Which version a deploy is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedVersion {
    /// This one.
    Exact(String),
    /// The one that this channel names today: there is no cluster yet that says one.
    Channel(String),
}

/// Decides the version from the inventory and from what already runs.
///
/// # Errors
/// When a version other than the wanted one runs on a server, or on a selected agent.
pub fn wanted_version(
    rules: &dyn Rules,
    inventory: &Inventory,
    facts: &BTreeMap<String, Facts>,
    selected: &BTreeSet<String>,
) -> Result<WantedVersion, Vec<Problem>> {
    let told = facts.values().map(|facts| &facts.node.nodes);
    let nodes = told.max_by_key(|nodes| nodes.len());
    // A binary without any state is no running version: it was put there and never started.
    let running: Vec<(&str, &str)> = inventory
        .hosts
        .iter()
        .filter_map(|host| {
            let facts = facts.get(&host.name)?;
            let used = facts.node.datastore.is_some() || facts.node.joined;
            let binary = facts.node.version.as_deref().filter(|_| used)?;
            // One that was replaced has not been started yet.
            let name = node_name(rules, host, facts);
            let node = nodes.and_then(|nodes| nodes.iter().find(|node| node.name == name));
            Some((host.name.as_str(), running(node, binary, binary)))
        })
        .collect();
    let mute = inventory.hosts.iter().find(|host| {
        facts
            .get(&host.name)
            .is_some_and(|facts| facts.node.datastore.is_some() && facts.node.version.is_none())
    });
    if let (VersionChoice::Channel(_), None, Some(host)) =
        (&inventory.cluster.version, running.first(), mute)
    {
        return Err(vec![
            problem!(
                Code::VERSION_UNKNOWN,
                "{} has a cluster's data, and no {} that tells its version",
                host.name,
                rules.product().name
            )
            .because(
                "a channel names a version only for a new cluster: another one could be an upgrade",
            )
            .next("set the version that the cluster runs")
            .inventory("cluster: {version: VERSION}"),
        ]);
    }
    let wanted = match (&inventory.cluster.version, running.first()) {
        (VersionChoice::Exact(version), _) => version.clone(),
        (VersionChoice::Channel(_), Some((_, version))) => (*version).to_owned(),
        (VersionChoice::Channel(channel), None) => {
            return Ok(WantedVersion::Channel(channel.clone()));
        }
    };
    let is_server = |name| inventory.host(name).is_some_and(Host::is_server);
    let others: Vec<_> = running
        .iter()
        // An agent that is only read may stay behind.
        .filter(|(host, _)| selected.contains(*host) || is_server(host))
        .filter(|(_, version)| *version != wanted)
        .collect();
    if others.is_empty() {
        return Ok(WantedVersion::Exact(wanted));
    }
    let mut problem = Problem::new(
        Code::VERSIONS_DIFFER,
        match inventory.cluster.version {
            VersionChoice::Exact(_) => {
                format!("the inventory says {wanted}, and other versions run")
            }
            VersionChoice::Channel(_) => "the hosts run different versions".to_owned(),
        },
    );
    for (host, version) in &running {
        problem = problem.because(format!("{host} runs {version}"));
    }
    let is_older = |(_, version): &&(&str, &str)| {
        rules.version_order(&wanted, version) == Some(Ordering::Less)
    };
    let why = match (&inventory.cluster.version, others.iter().any(is_older)) {
        (VersionChoice::Exact(_), true) => "Kubernetes does not go back to an older version",
        _ => "an upgrade is a command of its own",
    };
    let mut problem = problem.because(why);
    if !others.iter().any(is_older) {
        problem = problem
            .next("to see what an upgrade would do")
            .command(format!("towline upgrade {} --plan", named(inventory)));
    }
    Err(vec![
        problem
            .next("to keep the version that runs")
            .inventory(format!("cluster: {{version: {}}}", running[0].1)),
    ])
}
