//! An inventory in the making from another tool's: hosts with all that they were told, made short by
//! what hosts share, and then judged by the reader of inventories.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::placed::{Placed, path_at};
use super::{Converted, Judge, LeftOut, Place, Refused};
use crate::error::Problem;
use crate::inventory::{self, Role};

/// A value, and where a source says it.
#[derive(Debug, Clone)]
pub(super) struct Said<T> {
    pub value: T,
    pub at: Place,
}

impl Said<String> {
    /// The same as a value of a file.
    pub fn into_value(self) -> Said<Value> {
        Said {
            value: self.value.into(),
            at: self.at,
        }
    }
}

/// The taint that keeps workloads from servers.
pub(super) const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane:NoSchedule";

/// Something that a host, a group or all may be told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Ssh(&'static str),
    Label(String),
    Taint(String),
    Config(String),
}

/// A host in the making.
#[derive(Debug)]
pub(super) struct Host {
    /// Its name in the source.
    pub name: String,
    /// Where the source names it first.
    pub at: Place,
    pub role: Role,
    pub address: Option<Said<String>>,
    pub private_address: Option<Said<String>>,
    pub interface: Option<Said<String>>,
    pub node_name: Option<Said<String>>,
    /// Names of groups that it may share settings with.
    pub groups: Vec<String>,
    pub settings: BTreeMap<Key, Said<Value>>,
}

impl Host {
    /// A host of which nothing is known yet.
    pub fn new(name: &str, at: Place, role: Role) -> Self {
        Self {
            name: name.to_owned(),
            at,
            role,
            address: None,
            private_address: None,
            interface: None,
            node_name: None,
            groups: Vec::new(),
            settings: BTreeMap::new(),
        }
    }

    /// Where siblings and this machine reach it, as far as the source says.
    pub fn reached_at(&self) -> &str {
        self.address.as_ref().map_or(&self.name, |said| &said.value)
    }
}

/// An inventory in the making.
#[derive(Debug, Default)]
pub(super) struct Making {
    /// The keys of the block `cluster`.
    pub cluster: BTreeMap<&'static str, Said<Value>>,
    /// In the order of the source.
    pub hosts: Vec<Host>,
    pub left_out: Vec<LeftOut>,
}

/// The keys of the block `cluster`, in the order in which they are written.
const CLUSTER: [&str; 8] = [
    "name",
    "version",
    "channel",
    "endpoint",
    "tls_sans",
    "token_file",
    "datastore",
    "binary",
];

/// What may stand in the config of one host only.
const OWN: [&str; 3] = ["node-ip", "node-external-ip", "advertise-address"];

impl Making {
    /// Lists something.
    pub fn leave(&mut self, at: &Place, what: impl Into<String>) {
        self.left_out.push(LeftOut {
            place: at.clone(),
            what: what.into(),
        });
    }

    /// Adds names of the API server's certificate.
    pub fn tls_san(&mut self, name: &str, at: &Place) {
        let sans = self.cluster.entry("tls_sans").or_insert_with(|| Said {
            value: json!([]),
            at: at.clone(),
        });
        if let Value::Array(sans) = &mut sans.value
            && !sans.iter().any(|san| san == name)
        {
            sans.push(name.into());
        }
    }

    /// Writes all that is said so that nothing of it is read as a variable of the environment.
    pub fn literally(&mut self) {
        fn escape(value: &mut Value) {
            match value {
                Value::String(text) => *text = text.replace("${", "$${"),
                Value::Array(items) => items.iter_mut().for_each(escape),
                Value::Object(map) => map.values_mut().for_each(escape),
                _ => {}
            }
        }
        self.cluster
            .values_mut()
            .for_each(|said| escape(&mut said.value));
        for host in &mut self.hosts {
            host.settings
                .values_mut()
                .for_each(|said| escape(&mut said.value));
            let texts = [
                &mut host.address,
                &mut host.private_address,
                &mut host.node_name,
            ];
            for said in texts.into_iter().flatten() {
                said.value = said.value.replace("${", "$${");
            }
        }
    }

    /// The inventory, which the reader takes: what it refuses is taken out and listed.
    pub fn finish(
        mut self,
        source: &str,
        command: &str,
        judge: Judge<'_>,
    ) -> Result<Converted, Refused> {
        self.rename();
        let header = format!("# Made of {source} by  towline inventory {command}\n");
        let mut left_out = std::mem::take(&mut self.left_out);
        let mut placed = self.place();
        loop {
            let file = Path::new("inventory.yaml");
            let judged = placed.without_unset_variables().text()?;
            let errors = match judge.read(&judged, file) {
                Ok(inventory) => {
                    left_out.sort();
                    left_out.dedup();
                    return Ok(Converted {
                        text: format!("{header}{}", placed.draft.text()?),
                        hosts: inventory.hosts.len(),
                        left_out,
                    });
                }
                Err(errors) => errors,
            };
            let trees = inventory::documents(&judged, file)?;
            let before = left_out.len();
            // From the end, so that the places of items stay.
            for mistake in errors.mistakes.iter().rev() {
                let found = trees
                    .first()
                    .and_then(|tree| path_at(tree, mistake.line, mistake.column));
                if let Some((path, place)) = found.and_then(|path| placed.take(&path)) {
                    let (what, why) = (path.join("."), &mistake.message);
                    let what = if path.len() == 2 && path[0] == "hosts" {
                        format!(
                            "the host {} is left out with all that it has: {why}",
                            path[1]
                        )
                    } else {
                        format!("`{what}` is refused here: {why}")
                    };
                    left_out.push(LeftOut { place, what });
                }
            }
            if left_out.len() == before {
                let problem = Problem::new(format!("{source} cannot be made into an inventory"));
                let why = errors.mistakes.into_iter().next();
                let why = why.map_or_else(String::new, |mistake| mistake.message);
                return Err(problem.because(why).into());
            }
        }
    }

    /// Gives hosts names that an inventory can have.
    fn rename(&mut self) {
        let mut taken = BTreeSet::new();
        let mut notes = Vec::new();
        for host in &mut self.hosts {
            let letters = |c: char| {
                if c.is_ascii_alphanumeric() || c == '.' {
                    c
                } else {
                    '-'
                }
            };
            let name: String = host.name.chars().map(letters).collect();
            let name = name
                .trim_matches(['-', '.'])
                .replace(".-", "-")
                .replace("-.", "-");
            let base = if name.is_empty() {
                "host".to_owned()
            } else {
                name
            };
            let mut name = base.clone();
            let mut number = 2;
            while !taken.insert(name.to_ascii_lowercase()) {
                name = format!("{base}-{number}");
                number += 1;
            }
            if name != host.name {
                let old = std::mem::replace(&mut host.name, name);
                if host.address.is_none() {
                    let at = host.at.clone();
                    host.address = Some(Said {
                        value: old.clone(),
                        at,
                    });
                }
                notes.push((
                    host.at.clone(),
                    format!("`{old}` is named {} here", host.name),
                ));
            }
        }
        for (at, what) in notes {
            self.leave(&at, what);
        }
    }

    /// Writes each value where most hosts share it.
    fn place(mut self) -> Placed {
        let mut placed = Placed::default();
        for key in CLUSTER {
            if let Some(said) = self.cluster.remove(key) {
                placed.put(&["cluster", key], said);
            }
        }
        let everyone: Vec<usize> = (0..self.hosts.len()).collect();
        self.share(&everyone, &["ssh"], &mut placed, |key| {
            matches!(key, Key::Ssh(_))
        });
        for (role, block) in [(Role::Server, "config"), (Role::Agent, "agent_config")] {
            let members = self.members(|host| host.role == role);
            self.share(
                &members,
                &["cluster", block],
                &mut placed,
                |key| matches!(key, Key::Config(key) if !OWN.contains(&key.as_str())),
            );
        }
        let used = self.groups(&mut placed);
        for host in std::mem::take(&mut self.hosts) {
            let path = |key: &'static str| ["hosts".to_owned(), host.name.clone(), key.to_owned()];
            placed
                .places
                .insert(path("").to_vec()[..2].to_vec(), host.at.clone());
            for (key, said) in [
                ("address", &host.address),
                ("private_address", &host.private_address),
                ("interface", &host.interface),
            ] {
                if let Some(Said { value, at }) = said
                    && (key != "address" || *value != host.name)
                {
                    let (value, at) = (json!(value), at.clone());
                    placed.put(&path(key), Said { value, at });
                }
            }
            let groups: Vec<&String> = used
                .iter()
                .map(|(name, _)| name)
                .filter(|name| host.groups.contains(name))
                .collect();
            let at = host.at.clone();
            if !used
                .iter()
                .any(|(name, role)| groups.contains(&name) && *role == Some(host.role))
            {
                let value = json!(host.role.to_string());
                placed.put(
                    &path("role"),
                    Said {
                        value,
                        at: at.clone(),
                    },
                );
            }
            match &groups[..] {
                [] => {}
                [one] => placed.put(
                    &path("group"),
                    Said {
                        value: json!(one),
                        at,
                    },
                ),
                more => placed.put(
                    &path("groups"),
                    Said {
                        value: json!(more),
                        at,
                    },
                ),
            }
            if let Some(Said { value, at }) = host.node_name {
                placed.put(
                    &[
                        "hosts".to_owned(),
                        host.name.clone(),
                        "node_name".to_owned(),
                    ],
                    Said {
                        value: json!(value),
                        at,
                    },
                );
            }
            let own = ["hosts".to_owned(), host.name.clone()];
            for (key, said) in host.settings {
                placed.set(&own, key, said);
            }
        }
        placed
    }

    /// Which hosts are like this.
    fn members(&self, is_one: impl Fn(&Host) -> bool) -> Vec<usize> {
        let hosts = self.hosts.iter().enumerate();
        hosts
            .filter(|(_, host)| is_one(host))
            .map(|(index, _)| index)
            .collect()
    }

    /// Moves what all of some hosts have in common to where they share it.
    fn share(
        &mut self,
        members: &[usize],
        block: &[&str],
        placed: &mut Placed,
        may: impl Fn(&Key) -> bool,
    ) -> bool {
        let Some(first) = members.first() else {
            return false;
        };
        let block: Vec<String> = block.iter().map(|key| (*key).to_owned()).collect();
        let common: Vec<Key> = self.hosts[*first]
            .settings
            .iter()
            .filter(|(key, said)| {
                may(key)
                    && members.iter().all(|member| {
                        let other = self.hosts[*member].settings.get(key);
                        other.is_some_and(|other| other.value == said.value)
                    })
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in &common {
            for member in members {
                let said = self.hosts[*member].settings.remove(key);
                if let Some(said) = said.filter(|_| member == first) {
                    match (key, &block[..]) {
                        (Key::Ssh(name), [_]) => {
                            placed.put(&[block[0].clone(), (*name).to_owned()], said);
                        }
                        (Key::Config(name), [cluster, config]) if cluster == "cluster" => {
                            placed.put(&[cluster.clone(), config.clone(), name.clone()], said);
                        }
                        _ => placed.set(&block, key.clone(), said),
                    }
                }
            }
        }
        !common.is_empty()
    }

    /// Groups whose members share something beyond what all share, with their role.
    fn groups(&mut self, placed: &mut Placed) -> Vec<(String, Option<Role>)> {
        let mut names: Vec<String> = Vec::new();
        for name in self.hosts.iter().flat_map(|host| &host.groups) {
            if !names.contains(name) && !self.hosts.iter().any(|host| host.name == *name) {
                names.push(name.clone());
            }
        }
        let mut groups: Vec<(String, Vec<usize>)> = names
            .into_iter()
            .map(|name| {
                let members = self.members(|host| host.groups.contains(&name));
                (name, members)
            })
            .filter(|(_, members)| members.len() > 1)
            .collect();
        groups.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
        let mut used = Vec::new();
        for (name, members) in groups {
            let may = |key: &Key| !matches!(key, Key::Config(key) if OWN.contains(&key.as_str()));
            if self.share(&members, &["groups", &name], placed, may) {
                let first = self.hosts[members[0]].role;
                let role = members
                    .iter()
                    .all(|member| self.hosts[*member].role == first)
                    .then_some(first);
                if let Some(role) = role {
                    let at = self.hosts[members[0]].at.clone();
                    let value = json!(role.to_string());
                    placed.put(&["groups", &name, "role"], Said { value, at });
                }
                used.push((name, role));
            }
        }
        used
    }
}
