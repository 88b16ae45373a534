//! Checks across hosts: nothing twice, a server to join, an odd number of servers.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::hosts::{Hosts, Placed};
use super::node::{Span, YamlEntry, YamlNode};
use super::reader::Reader;
use super::words::listed;
use super::{Role, datastore};

/// Notes what is wrong between the parts of an inventory.
pub(super) fn across(reader: &mut Reader<'_>, root: &YamlNode, hosts: &Hosts) {
    let all = &hosts.placed;
    twice(reader, all, "host", |placed| {
        Some((
            placed.host.name.to_ascii_lowercase(),
            placed.host.name.clone(),
            placed.name_at,
        ))
    });
    twice(reader, all, "address", |placed| {
        // Machines behind one address are told apart by their ports.
        let key = format!(
            "{} {}",
            canonical(&placed.host.address),
            placed.host.ssh.port.value
        );
        Some((key, placed.host.address.clone(), placed.address_at))
    });
    twice(reader, all, "private address", |placed| {
        let address = placed.host.private_address.as_ref()?.value.to_string();
        Some((address.clone(), address, placed.private_at))
    });
    twice(reader, all, "node name", |placed| {
        let name = placed.host.node_name.as_ref()?.value.clone();
        Some((name.clone(), name, placed.node_name_at))
    });
    groups_are_no_hosts(reader, root, all);
    servers(reader, root, hosts);
}

/// An address in the one form that all its spellings share.
pub fn canonical(address: &str) -> String {
    address.parse::<IpAddr>().map_or_else(
        |_| address.trim_end_matches('.').to_ascii_lowercase(),
        |ip| ip.to_canonical().to_string(),
    )
}

/// Notes values that two hosts share. Ranges that overlap are one mistake, not one per host.
fn twice(
    reader: &mut Reader<'_>,
    all: &[Placed],
    what: &str,
    value: impl Fn(&Placed) -> Option<(String, String, Span)>,
) {
    let mut seen: HashMap<String, (&Placed, Span)> = HashMap::new();
    // By where the later and the earlier entry say so: all that they share.
    let mut overlaps = BTreeMap::new();
    for placed in all {
        let Some((key, shown, span)) = value(placed) else {
            continue;
        };
        let Some(&(first, first_span)) = seen.get(&key) else {
            seen.insert(key, (placed, span));
            continue;
        };
        // Names that are addresses, too: that they stand twice is said of the names.
        if what == "address" && span == placed.name_at && first_span == first.name_at {
            continue;
        }
        let at = (span.file, span.offset, first_span.file, first_span.offset);
        let (shared, ..) = overlaps
            .entry(at)
            .or_insert_with(|| (Vec::new(), span, first, first_span));
        shared.push(shown);
    }
    for (shared, span, first, first_span) in overlaps.into_values() {
        let message = match &*shared {
            [] => continue,
            [one] => format!("the {what} `{one}` is used twice"),
            [one, more @ ..] => {
                format!(
                    "the {what} `{one}`, and {} more, are used twice",
                    more.len()
                )
            }
        };
        let help = if first_span == span {
            format!("`{}` gives it to several hosts", first.key)
        } else {
            let place = reader.sources.line(first_span, span);
            format!("`{}` in {place} has it, too", first.key)
        };
        reader.mistakes.help(span, message, help);
    }
}

/// `--limit` takes hosts and groups, so their names must differ.
fn groups_are_no_hosts(reader: &mut Reader<'_>, root: &YamlNode, all: &[Placed]) {
    for group in root
        .get("groups")
        .map(YamlNode::entries)
        .unwrap_or_default()
    {
        if let Some(placed) = all.iter().find(|placed| placed.host.name == group.key) {
            let message = format!("`{}` is both a group and a host", group.key);
            let help = format!(
                "the host is in {}; rename one of them",
                reader.sources.line(placed.name_at, group.at)
            );
            reader.mistakes.help(group.at, message, help);
        }
    }
}

/// Some server must be there to join, and an even number of them is unwise.
fn servers(reader: &mut Reader<'_>, root: &YamlNode, hosts: &Hosts) {
    let Some(entry) = root.entry("hosts") else {
        let help = "add `hosts: {alpha: {address: 10.0.0.1, role: server}}`";
        reader
            .mistakes
            .help(root.span, "the inventory has no hosts", help);
        return;
    };
    if entry.value.entries().is_empty() {
        if matches!(
            entry.value.tree,
            super::node::YamlValue::Null | super::node::YamlValue::Map(_)
        ) {
            let help = "add `alpha: {address: 10.0.0.1, role: server}` below it";
            reader
                .mistakes
                .help(entry.at, "the inventory has no hosts", help);
        }
        return;
    }
    let count = hosts
        .placed
        .iter()
        .filter(|placed| placed.host.role.value == Role::Server)
        .count();
    let cluster = root.get("cluster");
    let said = |key| cluster.and_then(|cluster| cluster.entry(key));
    if let Some(url) = said("server_url") {
        let names = |key, file| said(key).or(said(file)).is_some();
        let enough = names("token", "token_file")
            || (count == 0 && names("agent_token", "agent_token_file"));
        if !enough && hosts.complete {
            let message = "`cluster.server_url` needs the cluster's token";
            let (key, token, place) = match count {
                0 => (
                    "agent_token_file",
                    "agent-token",
                    reader.dialect.agent_token,
                ),
                _ => ("token_file", "token", reader.dialect.token),
            };
            let help = format!("add `{key}: secrets/{token}`; the token is {place}");
            reader.mistakes.help(url.at, message, help);
        }
        return;
    }
    if !hosts.complete {
        return;
    }
    let database = said("datastore_endpoint");
    let is_local = |text: &str| datastore::is_local(text);
    if let Some(entry) = database
        && count > 1
        && entry.value.text().is_some_and(is_local)
    {
        let message = "`cluster.datastore_endpoint` names the machine that reads it";
        let help = "each server would have a database of its own there: write the address by which all servers reach one";
        reader.mistakes.help(entry.at, message, help);
    }
    if count == 0 {
        let help = format!(
            "give one of the hosts {}, or name a server elsewhere with `cluster.server_url` and its token",
            listed(&["role: server"], "or")
        );
        reader
            .mistakes
            .help(entry.at, "no host has the role `server`", help);
    } else if database.is_none() {
        even(reader, count, hosts, said("allow_two_servers"));
    }
}

/// That an even number of servers is no gain, and two are a loss.
fn even(reader: &mut Reader<'_>, count: usize, hosts: &Hosts, allowed: Option<&YamlEntry>) {
    let is_allowed = allowed.and_then(|entry| entry.value.flag()) == Some(true);
    match count {
        2 if !is_allowed => {
            let is_server = |placed: &&Placed| placed.host.role.value == Role::Server;
            let Some(second) = hosts.placed.iter().filter(is_server).nth(1) else {
                return;
            };
            let message = "two servers are less reliable than one: etcd needs 2 of 2, so the cluster stops when either is lost";
            let help = "make it 1 or 3 servers, or keep the data in a database outside with `datastore_endpoint`; if it is to be two for now, write `allow_two_servers: true` under `cluster`";
            reader.mistakes.server_count(second.name_at, message, help);
        }
        2 => reader.warnings.push(
            "etcd of 2 servers needs both: the cluster stops when either is lost; use 1 or 3"
                .to_owned(),
        ),
        _ if count.is_multiple_of(2) => {
            let (fewer, more) = (count - 1, count + 1);
            let lost = count / 2 - 1;
            reader.warnings.push(format!(
                "{count} servers survive the loss of {lost}, no more than {fewer} would; use {fewer} or {more}"
            ));
        }
        _ => {}
    }
}
