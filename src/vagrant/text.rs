//! The inventory's text: new, or the one that is there with what has changed.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::answers::VagrantLogin;
use super::{KNOWN_HOSTS, beside};
use crate::adhoc::save;
use crate::engine::Refusal;
use crate::inventory::{self, Draft, Inventory, Role, Surroundings, edit};
use crate::problem::{Code, Problem, problem};

const HEADER: &str = "# Written by towline. When machines have changed, run  towline inventory from-vagrant  again: it\n\
                      # changes what is Vagrant's and leaves your own lines as they are.\n";

/// A machine as the inventory names it.
#[derive(Debug, Clone)]
pub struct VagrantHost {
    /// Its name.
    pub name: String,
    /// How it is reached from here.
    pub login: VagrantLogin,
    /// Its own address on the network that the machines share.
    pub private: Option<Ipv4Addr>,
}

/// The file as it is.
pub struct Before<'a> {
    file: &'a Path,
    surroundings: Surroundings<'a>,
    /// Nothing where there is no file, or an empty one.
    old: Option<(String, Inventory)>,
}

/// The file as it is to be.
#[derive(Debug)]
pub struct Made {
    pub text: String,
    pub hosts: usize,
    /// Nothing where there was no file.
    pub changes: Option<Vec<String>>,
    /// Whether it differs from what is there.
    pub is_new: bool,
}

impl<'a> Before<'a> {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, has mistakes, or is not an inventory that was made here.
    pub fn read(file: &'a Path, surroundings: Surroundings<'a>) -> Result<Self, Refusal> {
        let text = super::text_of(file)?;
        let mut before = Self {
            file,
            surroundings,
            old: None,
        };
        if text.trim().is_empty() {
            return Ok(before);
        }
        let old = before.parse(&text)?;
        let own = beside(file, KNOWN_HOSTS);
        let is_own = old.hosts.iter().any(|host| {
            let known = host.ssh.known_hosts.value.first();
            known.is_some_and(|known| same(known, &own))
        });
        if !is_own {
            return Err(problem!(Code::FILE_EXISTS, "{} is an inventory that was not made from Vagrant", file.display())
                .because(format!("it does not name {KNOWN_HOSTS} as its known_hosts file, and nothing is written over it"))
                .next("choose another file").command("towline inventory from-vagrant -o FILE")
                .into());
        }
        before.old = Some((text, old));
        Ok(before)
    }

    fn parse(&self, text: &str) -> Result<Inventory, Refusal> {
        inventory::load_text(text, self.file, self.surroundings)
            .map_err(|errors| Refusal::Input(Box::new(errors)))
    }

    /// The text for as many servers as the Vagrantfile has.
    fn allowed(&self, text: String) -> String {
        edit::allowing_two_servers(text, |text| {
            inventory::load_text(text, self.file, self.surroundings)
        })
    }

    /// Whether the inventory has this host already.
    pub fn has(&self, name: &str) -> bool {
        self.host(name).is_some()
    }

    fn host(&self, name: &str) -> Option<&inventory::Host> {
        let (_, old) = self.old.as_ref()?;
        old.hosts.iter().find(|host| host.name == name)
    }

    /// The text with these hosts, without those that are gone.
    ///
    /// # Errors
    /// The file is written in a form that is not changed line by line, or what comes of it has mistakes.
    pub fn with(
        &self,
        hosts: &[VagrantHost],
        gone: &[&str],
        version: Option<&str>,
        name: &str,
    ) -> Result<Made, Refusal> {
        match &self.old {
            None => self.fresh(hosts, version, name),
            Some((text, old)) => self.updated(text, old, hosts, gone, version),
        }
    }

    fn fresh(
        &self,
        hosts: &[VagrantHost],
        version: Option<&str>,
        name: &str,
    ) -> Result<Made, Refusal> {
        let mut draft = Draft::default();
        draft.cluster.insert("name".into(), json!(name));
        if let Some(version) = version {
            draft.cluster.insert("version".into(), json!(version));
        }
        let user = hosts.first().map_or("vagrant", |host| &host.login.user);
        draft.ssh.insert("user".into(), json!(user));
        draft.ssh.insert("known_hosts".into(), json!(KNOWN_HOSTS));
        // Where no name says it, the first one is the server.
        let is_named = hosts.iter().any(|host| role(&host.name) == Role::Server);
        for (index, host) in hosts.iter().enumerate() {
            let role = if index == 0 && !is_named {
                Role::Server
            } else {
                role(&host.name)
            };
            draft
                .hosts
                .insert(host.name.clone(), self.entry(host, role, user));
        }
        let text = self.allowed(format!("{HEADER}{}", draft.text()?));
        let hosts = self.parse(&text)?.hosts.len();
        Ok(Made {
            text,
            hosts,
            changes: None,
            is_new: true,
        })
    }

    /// What the inventory says of a machine: its values by their path, null where it has none.
    fn values(&self, host: &VagrantHost) -> [(&'static [&'static str], Value); 5] {
        let keys = if host.login.keys.is_empty() {
            Value::Null
        } else {
            self.keys(host)
        };
        [
            (&["address"], json!(host.login.address)),
            (&["private_address"], json!(host.private)),
            (&["ssh", "user"], json!(host.login.user)),
            (&["ssh", "port"], json!(host.login.port)),
            (&["ssh", "key"], keys),
        ]
    }

    /// A host's entry, without what is so by default.
    fn entry(&self, host: &VagrantHost, role: Role, user: &str) -> Value {
        let (mut entry, mut ssh) = (Map::new(), Map::new());
        for (path, value) in self.values(host) {
            let is_default = match path {
                [_, "user"] => value == user,
                [_, "port"] => value == 22,
                ["private_address"] => value == *host.login.address,
                _ => false,
            };
            if is_default || value.is_null() {
                continue;
            }
            match path {
                ["ssh", key] => ssh.insert((*key).into(), value),
                _ => entry.insert(path[0].into(), value),
            };
        }
        entry.insert("role".into(), json!(role.to_string()));
        if !ssh.is_empty() {
            entry.insert("ssh".into(), ssh.into());
        }
        entry.into()
    }

    /// The keys by paths from the inventory's folder, where they are in it: it may be moved as a whole.
    fn keys(&self, host: &VagrantHost) -> Value {
        let folder = fs::canonicalize(beside(self.file, ".")).unwrap_or_default();
        let relative = |key: &PathBuf| {
            let real = fs::canonicalize(key).unwrap_or_else(|_| key.clone());
            json!(real.strip_prefix(&folder).unwrap_or(key))
        };
        match &host.login.keys[..] {
            [one] => relative(one),
            several => several.iter().map(relative).collect(),
        }
    }

    fn updated(
        &self,
        text: &str,
        old: &Inventory,
        hosts: &[VagrantHost],
        gone: &[&str],
        version: Option<&str>,
    ) -> Result<Made, Refusal> {
        let mut changes = Vec::new();
        let mut new = text.to_owned();
        let exact = |version: &str| inventory::VersionChoice::Exact(version.to_owned());
        if let Some(version) = version.filter(|version| old.cluster.version != exact(version)) {
            new = edit::set(&new, &["cluster", "version"], &json!(version))
                .ok_or_else(|| self.by_hand("cluster", &json!({"version": version})))?;
            changes.push(format!("cluster: version {version}"));
        }
        for name in gone.iter().filter(|name| self.has(name)) {
            new = edit::without_host(&new, name).ok_or_else(|| self.stays(name))?;
            changes.push(format!(
                "{name}: no longer in the Vagrantfile; its lines are removed"
            ));
        }
        let user = old.hosts.first().map_or("", |host| &host.ssh.user.value);
        for host in hosts {
            let Some(is) = self.host(&host.name) else {
                let entry =
                    Map::from_iter([(host.name.clone(), self.entry(host, role(&host.name), user))]);
                let lines = Draft {
                    hosts: entry.clone(),
                    ..Draft::default()
                }
                .text()?;
                let lines: Vec<&str> = lines
                    .lines()
                    .skip(1)
                    .map(|line| line.strip_prefix("  ").unwrap_or(line))
                    .collect();
                new = save::with_host(&new, &lines.join("\n"))
                    .ok_or_else(|| self.by_hand("hosts", &entry.into()))?;
                changes.push(format!("{}: new", host.name));
                continue;
            };
            for (path, value, was) in self.differences(host, is) {
                let path = [&["hosts", &*host.name], path].concat();
                let key = path[2..].join(".");
                new = edit::set(&new, &path, &value)
                    .ok_or_else(|| self.by_hand(&path[..2].join("."), &json!({ &*key: value })))?;
                changes.push(format!(
                    "{}: {key} {} instead of {was}",
                    host.name,
                    shown(&value)
                ));
            }
        }
        new = self.allowed(new);
        // The lines are changed by their form; what they mean now is what counts.
        let read = self
            .parse(&new)
            .map_or_else(|_| Vec::new(), |read| read.hosts);
        for host in hosts {
            let is = read.iter().find(|is| is.name == host.name);
            if !is.is_some_and(|is| self.differences(host, is).is_empty()) {
                let entry = self.entry(host, role(&host.name), "");
                return Err(self.by_hand("hosts", &json!({ &*host.name: entry })).into());
            }
        }
        Ok(Made {
            is_new: new != text,
            text: new,
            hosts: read.len(),
            changes: Some(changes),
        })
    }

    /// Where a host of the inventory is not as the machine is: path, value, and what the inventory says.
    fn differences(
        &self,
        host: &VagrantHost,
        is: &inventory::Host,
    ) -> Vec<(&'static [&'static str], Value, String)> {
        let keys = &is.ssh.key.value;
        let paths: Vec<_> = keys.iter().map(|key| key.display().to_string()).collect();
        let private = is.private_address.as_ref().map(|private| private.value);
        let known = [
            is.address.clone(),
            private.map_or_else(|| "none".into(), |private| private.to_string()),
            is.ssh.user.value.clone(),
            is.ssh.port.value.to_string(),
            if paths.is_empty() {
                "none".into()
            } else {
                paths.join(", ")
            },
        ];
        let are_keys_same = keys.len() == host.login.keys.len()
            && keys
                .iter()
                .zip(&host.login.keys)
                .all(|(one, other)| same(one, other));
        let differs = |path: &[&str], value: &Value, known: &str| match path {
            _ if value.is_null() => false,
            [_, "key"] => !are_keys_same,
            // A line that is there and says the address again does no harm.
            ["private_address"] if private.is_none() => *value != *host.login.address,
            _ => shown(value) != known,
        };
        let values = self.values(host).into_iter().zip(known);
        values
            .filter(|((path, value), known)| differs(path, value, known))
            .map(|((path, value), known)| (path, value, known))
            .collect()
    }

    fn by_hand(&self, place: &str, value: &Value) -> Problem {
        let lines = Draft {
            hosts: value.as_object().cloned().unwrap_or_default(),
            ..Draft::default()
        };
        let lines = lines.text().unwrap_or_default();
        let lines: Vec<&str> = lines.lines().skip(1).collect();
        problem!(
            Code::EDIT_BY_HAND,
            "{place} cannot be changed in {}",
            self.file.display()
        )
        .because("towline cannot edit the form in which it is written")
        .next(format!("add by hand under {place}"))
        .inventory(lines.join("\n"))
    }

    fn stays(&self, name: &str) -> Problem {
        problem!(Code::EDIT_BY_HAND, "{name} cannot be removed from {}", self.file.display())
            .because("it is no longer in the Vagrantfile, and towline cannot edit the form in which its lines are written")
            .next(format!("remove {name} by hand"))
    }
}

/// A value as it stands in a sentence.
fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether two paths are one file, or would be.
fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    one == other || matches!((real(one), real(other)), (Ok(one), Ok(other)) if one == other)
}

/// What a machine's name says about its role: servers are named so, all others are agents.
fn role(name: &str) -> Role {
    let name = name.to_ascii_lowercase();
    let is_server = |word: &str| {
        let number = word.strip_prefix('s').unwrap_or_default();
        let is_numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_numbered
            || ["server", "control", "master"]
                .iter()
                .any(|start| word.starts_with(start))
    };
    if name.split(['-', '_', '.']).any(is_server) {
        Role::Server
    } else {
        Role::Agent
    }
}

#[cfg(test)]
mod tests;
