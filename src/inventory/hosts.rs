//! Reads `hosts`: expands ranges and resolves every host's layers.

use std::net::IpAddr;

use super::keys::{CLUSTER, GROUP, HOST, INVENTORY};
use super::language::{Kind, join};
use super::layers::{At, FromLayers, Layer};
use super::node::{Span, YamlEntry, YamlNode, YamlValue};
use super::range::Pattern;
use super::reader::Reader;
use super::words::{listed, similar};
use super::{Host, Overrides, RoleWord, Ssh, syntax};
use crate::vars::{MASK, Origin, Secret, Sourced};

/// As many hosts may stand in one inventory.
pub const MOST_HOSTS: usize = 2000;

/// A host and where its names stand, for the checks across hosts.
#[derive(Debug)]
pub(super) struct Placed {
    /// The host.
    pub host: Host,
    /// The key of the inventory that it comes from.
    pub key: String,
    /// Where that key stands.
    pub name_at: Span,
    /// Where its address stands; the name's place when the name is the address.
    pub address_at: Span,
    /// Where its private address stands.
    pub private_at: Span,
    /// Where its node's name stands.
    pub node_name_at: Span,
}

/// The hosts of an inventory.
#[derive(Debug)]
pub(super) struct Hosts {
    /// Those that could be read.
    pub placed: Vec<Placed>,
    /// Whether all of them could, with their roles.
    pub complete: bool,
}

/// Reads all groups and hosts.
pub(super) fn hosts(reader: &mut Reader<'_>, root: &YamlNode) -> Hosts {
    for group in root
        .get("groups")
        .map(YamlNode::entries)
        .unwrap_or_default()
    {
        reader
            .mistakes
            .check(group.at, syntax::group_name(&group.key));
    }
    let mut hosts = Hosts {
        placed: Vec::new(),
        complete: true,
    };
    for entry in root.get("hosts").map(YamlNode::entries).unwrap_or_default() {
        match host(reader, root, entry) {
            Some((more, complete)) if hosts.placed.len() + more.len() <= MOST_HOSTS => {
                hosts.placed.extend(more);
                hosts.complete &= complete;
            }
            Some(_) => {
                let message = format!(
                    "with `{}` there are more than {MOST_HOSTS} hosts",
                    entry.key
                );
                let help = format!("one inventory holds {MOST_HOSTS} hosts at most");
                reader.mistakes.help(entry.at, message, help);
                hosts.complete = false;
                break;
            }
            None => hosts.complete = false,
        }
    }
    hosts
}

/// Reads one entry of `hosts`: all the hosts that its name stands for, and whether each of the
/// things that make a host is right. Those that are not are mistakes by then; the others are still
/// compared with the other hosts'.
fn host(
    reader: &mut Reader<'_>,
    root: &YamlNode,
    entry: &YamlEntry,
) -> Option<(Vec<Placed>, bool)> {
    let node = &entry.value;
    let path = join("hosts", &entry.key);
    let names = names(reader, entry);
    let groups = groups(reader, root, node, &path);
    let layer = |node, path, object| Layer { node, path, object };
    let mut layers = vec![layer(root, String::new(), &INVENTORY)];
    let cluster = root.get("cluster").into_iter();
    layers.extend(cluster.map(|node| layer(node, "cluster".to_owned(), &CLUSTER)));
    let named = groups.iter().filter_map(|name| {
        let node = root.get("groups")?.get(name)?;
        Some(layer(node, join("groups", name), &GROUP))
    });
    layers.extend(named);
    layers.push(layer(node, path.clone(), &HOST));

    let template = Host::read(reader, &layers);
    let has_role = template.role.origin != Origin::Default;
    let says_role = layers
        .iter()
        .any(|layer| layer.node.entry("role").is_some());
    // What is neither a map nor nothing is a mistake of its own.
    if !says_role && matches!(node.tree, YamlValue::Map(_) | YamlValue::Null) {
        let message = format!("`{}` has no role", entry.key);
        let help = "add `role: server` or `role: agent`, here or in its group";
        reader.mistakes.help(entry.at, message, help);
    }
    let (names, named) = names?;
    let complete = named && has_role;
    let per_host = PerHost {
        names: &names,
        entry,
    };
    let addresses = per_host.texts(reader, "address");
    let private = per_host.texts(reader, "private_address");
    let node_names = per_host.texts(reader, "node_name");
    if node.entry("address").is_none() {
        name_is_address(reader, entry, &names);
    }
    let word: Option<Sourced<&RoleWord>> =
        FromLayers::from_layers(reader, &At::new(&layers, &HOST, "role"));
    let template = Host {
        groups,
        role_settings: word.map_or(&[], |word| word.value.settings),
        ssh: template.ssh.with(reader.surroundings.overrides),
        address_origin: match node.get("address") {
            Some(address) => reader.origin(format!("{path}.address"), address.span),
            None => reader.origin(path.clone(), entry.at),
        },
        ..template
    };
    let at = |key: &str| node.get(key).map_or(entry.at, |node| node.span);
    let said = |key: &str| format!("{path}.{key}");
    let placed = names.iter().enumerate().map(|(index, name)| Placed {
        host: Host {
            name: name.clone(),
            address: nth(addresses.as_ref(), index).unwrap_or(name).clone(),
            private_address: nth(private.as_ref(), index)
                .and_then(|text| text.parse::<IpAddr>().ok())
                .map(|ip| reader.setting(ip, said("private_address"), at("private_address"))),
            node_name: nth(node_names.as_ref(), index)
                .map(|text| reader.setting(text.clone(), said("node_name"), at("node_name"))),
            ..template.clone()
        },
        key: entry.key.clone(),
        name_at: entry.at,
        address_at: at("address"),
        private_at: at("private_address"),
        node_name_at: at("node_name"),
    });
    Some((placed.collect(), complete))
}

fn nth(texts: Option<&Vec<String>>, index: usize) -> Option<&String> {
    texts.and_then(|texts| texts.get(index))
}

/// The names that an entry of `hosts` stands for, and whether all of them can be names.
fn names(reader: &mut Reader<'_>, entry: &YamlEntry) -> Option<(Vec<String>, bool)> {
    let names = match Pattern::parse(&entry.key) {
        Ok(pattern) => pattern.expand(),
        Err(complaint) => {
            reader.mistakes.check(entry.at, Err(complaint));
            return None;
        }
    };
    let complaint = names.iter().find_map(|name| syntax::name(name).err());
    let good = complaint.is_none();
    reader
        .mistakes
        .check(entry.at, complaint.map_or(Ok(()), Err));
    Some((names, good))
}

/// The groups a host names; those that do not exist are mistakes.
fn groups(reader: &mut Reader<'_>, root: &YamlNode, node: &YamlNode, path: &str) -> Vec<String> {
    reader.exclusive(node, path, "group", "groups");
    let known: Vec<&str> = root
        .get("groups")
        .map(YamlNode::entries)
        .unwrap_or_default()
        .iter()
        .map(|entry| entry.key.as_str())
        .collect();
    let mut groups: Vec<String> = Vec::new();
    let texts = ["group", "groups"]
        .into_iter()
        .filter_map(|key| node.get(key));
    for (name, span) in texts.flat_map(YamlNode::texts) {
        if !known.contains(&name) {
            let help = match similar(name, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if known.is_empty() => {
                    format!("add it: `groups: {{{name}: {{role: agent}}}}`")
                }
                None => format!("the groups are {}", listed(&known, "and")),
            };
            reader
                .mistakes
                .help(span, format!("there is no group `{name}`"), help);
        } else if groups.iter().any(|group| group == name) {
            reader
                .mistakes
                .add(span, format!("the group `{name}` is named twice"));
        } else {
            groups.push(name.to_owned());
        }
    }
    groups
}

/// The keys that say one thing per host, in ranges.
struct PerHost<'a> {
    names: &'a [String],
    entry: &'a YamlEntry,
}

impl PerHost<'_> {
    /// The texts of a key, one for each name.
    fn texts(&self, reader: &mut Reader<'_>, key: &str) -> Option<Vec<String>> {
        let Kind::Ranged(check) = HOST.key(key)?.kind else {
            return None;
        };
        let node = self.entry.value.get(key)?;
        let text = node.text()?;
        // Brackets around an IPv6 address are that check's business.
        if syntax::in_brackets(text).is_some() {
            reader.mistakes.check(node.span, check(text));
            return None;
        }
        let pattern = match Pattern::parse(text) {
            Ok(pattern) => pattern,
            Err(complaint) => {
                reader.mistakes.check(node.span, Err(complaint));
                return None;
            }
        };
        let (wanted, found) = (self.names.len(), pattern.count());
        if wanted != found {
            let name = &self.entry.key;
            let (message, help) = if pattern.has_range() {
                let message = format!("`{text}` counts {found}, and `{name}` counts {wanted}");
                (message, "both ranges must count the same".to_owned())
            } else {
                let message = format!("`{name}` names {wanted} hosts, and `{text}` is one {key}");
                (message, format!("give it a range of {wanted}"))
            };
            reader.mistakes.help(node.span, message, help);
            return None;
        }
        let texts = pattern.expand();
        if let Some(complaint) = texts.iter().find_map(|text| check(text).err()) {
            reader.mistakes.check(node.span, Err(complaint));
            return None;
        }
        Some(texts)
    }
}

/// A host without address is reached by its name, which takes a name that can be looked up.
fn name_is_address(reader: &mut Reader<'_>, entry: &YamlEntry, names: &[String]) {
    let has_range = Pattern::parse(&entry.key).is_ok_and(|pattern| pattern.has_range());
    if has_range {
        let message = format!("`{}` has no address", entry.key);
        let help = format!(
            "add `address:` with a range of {}, for example \"10.0.1.[11:{}]\"",
            names.len(),
            names.len() + 10
        );
        reader.mistakes.help(entry.at, message, help);
    } else if names.iter().any(|name| syntax::address(name).is_err()) {
        let message = format!("`{}` has no address, and its name cannot be one", entry.key);
        reader.mistakes.help(entry.at, message, "add `address:`");
    }
}

impl Ssh {
    /// The same with what the command line says, which wins.
    fn with(self, flags: &Overrides) -> Self {
        let keys = Some(flags.ssh_key.clone()).filter(|keys| !keys.is_empty());
        let bastion = Some(flags.bastion.clone()).filter(|hops| !hops.is_empty());
        Self {
            user: flag("ssh-user", flags.ssh_user.clone()).unwrap_or(self.user),
            port: flag("ssh-port", flags.ssh_port).unwrap_or(self.port),
            key: flag("ssh-key", keys).unwrap_or(self.key),
            known_hosts: flag(
                "known-hosts",
                flags.known_hosts.clone().map(|file| vec![file]),
            )
            .unwrap_or(self.known_hosts),
            bastion: flag("bastion", bastion).unwrap_or(self.bastion),
            // It is asked for later.
            password: flag("ask-pass", flags.ask_pass.then(|| Secret::new(MASK))).or(self.password),
            become_password: flag(
                "ask-become-pass",
                flags.ask_become_pass.then(|| Secret::new(MASK)),
            )
            .or(self.become_password),
            ..self
        }
    }
}

/// What the command line says.
fn flag<T>(name: &'static str, value: Option<T>) -> Option<Sourced<T>> {
    value.map(|value| Sourced {
        value,
        origin: Origin::Flag(name),
    })
}
