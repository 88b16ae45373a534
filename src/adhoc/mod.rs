//! What was typed, as the inventory that stands for it: `install` and `join` take the same road as
//! a file.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::cli::{
    Address, Environment, GetConfigArguments, Kubernetes, Login, NodeArguments, NodeTokenArguments,
    Release,
};
use crate::distribution::{self, Distribution};
use crate::engine::{self, Refusal, surroundings};
use crate::facts::Facts;
use crate::inventory::{self, DataDir, Draft, Inventory, Overrides, Role};
use crate::problem::{Code, Problem, problem};
use crate::vars::{Origin, Secret};

pub mod advice;
mod context;
mod extra;
mod flags;
pub mod init;
mod install;
mod join;
pub mod save;

pub use join::of_server;

/// The host that is this machine itself.
const THIS_MACHINE: &str = "this-machine";

/// An inventory in the making.
#[derive(Debug, Clone)]
pub struct AdHocInventory {
    /// The inventory as text, key by key.
    pub draft: Draft,
    /// What is set up, or read.
    pub distribution: &'static Distribution,
    /// Where hosts join, when that is not a server's own address.
    server_url: Option<String>,
    /// A token that a flag said, and that no file will hold.
    token: Option<Secret>,
    /// The flag that named the host that is set up.
    place: &'static str,
    /// The flag that named the cluster that is joined.
    joined: &'static str,
    /// The host that is set up.
    pub target: String,
    /// The host that is this machine itself.
    pub local: Option<String>,
    /// Things to say before anything begins.
    pub notes: Vec<String>,
}

impl AdHocInventory {
    /// A server whose token is wanted.
    pub fn token_of(arguments: &NodeTokenArguments) -> Result<Self, Problem> {
        let mut adhoc = Self::server(
            &arguments.address,
            &arguments.login,
            &arguments.kubernetes,
            "default",
        )?;
        let folder = checked(arguments.server_data_dir.as_ref())?;
        let target = adhoc.target.clone();
        adhoc.look_in(folder, &target);
        // Standard output is for the token alone.
        adhoc.notes.clear();
        Ok(adhoc)
    }

    /// The data of a server is looked for in this folder, unless its configuration has another.
    fn look_in(&mut self, folder: Option<DataDir>, server: &str) {
        if let Some(folder) = folder {
            let host = object(&mut self.draft.hosts, server);
            object(host, "config").insert("data-dir".into(), json!(folder.as_str()));
        }
    }

    /// A server whose kubeconfig is wanted.
    pub fn kubeconfig_of(arguments: &GetConfigArguments) -> Result<Self, Problem> {
        Self::server(
            &arguments.address,
            &arguments.login,
            &arguments.kubernetes,
            &arguments.destination.context,
        )
    }

    fn server(
        address: &Address,
        login: &Login,
        kubernetes: &Kubernetes,
        context: &str,
    ) -> Result<Self, Problem> {
        let release = Release {
            version: None,
            channel: "stable".into(),
        };
        let mut adhoc = Self::begin(address, login, kubernetes, &release, "server")?;
        adhoc
            .draft
            .cluster
            .insert("name".into(), json!(name(context)));
        Ok(adhoc)
    }

    /// A host that is set up.
    fn host(arguments: &NodeArguments, role: &str) -> Result<Self, Problem> {
        let (address, login) = (&arguments.address, &arguments.login);
        let (kubernetes, release) = (&arguments.kubernetes, &arguments.release);
        let mut adhoc = Self::begin(address, login, kubernetes, release, role)?;
        if arguments.no_extras && adhoc.distribution.flags.extras.is_empty() {
            let name = adhoc.distribution.dialect.name;
            let note = format!("--no-extras has no effect: {name} has no extras to disable");
            adhoc.notes.push(note);
        }
        let names = arguments.tls_san.iter().flat_map(|names| names.split(','));
        let names = names.map(|name| json!(name.trim()));
        append(&mut adhoc.draft.cluster, "tls_sans", names);
        if let Some(mirror) = &arguments.mirror {
            let binary = json!({"mirror": mirror});
            adhoc.draft.cluster.insert("binary".into(), binary);
        }
        Ok(adhoc)
    }

    fn begin(
        address: &Address,
        login: &Login,
        kubernetes: &Kubernetes,
        release: &Release,
        role: &str,
    ) -> Result<Self, Problem> {
        let distribution = distribution::named(&kubernetes.distribution);
        let place = address.host.as_ref().or(address.ip.as_ref());
        let is_local = address.local || place.is_none();
        let user = login.user.as_deref().unwrap_or("root");
        if !login.sudo && user != "root" && !is_local {
            return Err(problem!(
                Code::FLAG_UNFIT,
                "--sudo=false: {user} cannot set up a machine without sudo"
            )
            .next("leave it out, or log in as root")
            .flag("--user root"));
        }
        let mut notes = Vec::new();
        if place.is_none() && !address.local {
            notes.push("without --ip or --host, the machine is this one, without SSH".to_owned());
        }
        if let (Some(_), Some(ip)) = (&address.host, &address.ip) {
            notes.push(format!("--ip {ip} is not used: --host names the machine"));
        }
        let target = match place {
            Some(place) if !is_local => host_name(place),
            _ => THIS_MACHINE.to_owned(),
        };
        let place = place.map_or("127.0.0.1", String::as_str);
        let mut cluster = Map::new();
        if distribution.dialect.name != distribution::DEFAULT.dialect.name {
            cluster.insert("distribution".into(), json!(distribution.dialect.name));
        }
        match &release.version {
            Some(version) => cluster.insert("version".into(), json!(version)),
            None => cluster.insert("channel".into(), json!(release.channel)),
        };
        let mut ssh = Map::new();
        if let Some(user) = &login.user {
            ssh.insert("user".into(), json!(user));
        }
        if let Some(port) = login.ssh_port {
            ssh.insert("port".into(), json!(port));
        }
        if !login.ssh.bastion.is_empty() {
            ssh.insert("bastion".into(), json!(login.ssh.bastion));
        }
        if let Some(key) = &login.ssh_key {
            ssh.insert("key".into(), json!(absolute(key)));
        }
        if let Some(file) = &login.known_hosts {
            ssh.insert("known_hosts".into(), json!(absolute(file)));
        }
        let mut hosts = Map::new();
        hosts.insert(target.clone(), json!({"address": place, "role": role}));
        Ok(Self {
            distribution,
            draft: Draft {
                cluster,
                ssh,
                hosts,
                ..Draft::default()
            },
            server_url: None,
            token: None,
            place: if address.host.is_some() {
                "--host"
            } else {
                "--ip"
            },
            joined: "--server-ip",
            local: is_local.then(|| target.clone()),
            target,
            notes,
        })
    }

    /// Whether the host that is set up becomes a server.
    fn is_server(&self) -> bool {
        let host = self.draft.hosts.get(&self.target);
        let role = host.and_then(|host| host.get("role")?.as_str());
        role.and_then(|word| self.distribution.dialect.role(word)) == Some(Role::Server)
    }

    /// The flag that names the distribution, with a blank before it, where it has to be typed.
    fn distribution_flag(&self) -> String {
        let distribution = self.draft.cluster.get("distribution");
        let name = distribution.and_then(Value::as_str);
        name.map_or_else(String::new, |name| format!(" --distribution {name}"))
    }

    /// The entry of the host that is set up.
    fn target(&mut self) -> &mut Map<String, Value> {
        object(&mut self.draft.hosts, &self.target.clone())
    }

    fn warn_of_process_lists(&mut self, flag: &str, instead: &str) {
        self.notes.push(format!(
            "{flag} is visible in this machine's process list and shell history; use {instead} FILE"
        ));
    }

    /// The inventory.
    ///
    /// # Errors
    /// What the inventory's language refuses.
    pub fn inventory(&self, environment: &Environment) -> Result<Inventory, Refusal> {
        let mut draft = self.draft.clone();
        if let Some(token) = &self.token {
            draft.cluster.insert("token".into(), json!(token.expose()));
        }
        let text = draft.literal().text()?;
        let overrides = Overrides::default();
        let around = surroundings(environment, &overrides);
        let mut inventory = inventory::load_text(&text, Path::new(""), around)
            .map_err(|errors| Refusal::Problems(self.in_flags(&text, &errors.mistakes)))?;
        inventory.whole = false;
        inventory.warnings.clear();
        if !self.draft.cluster.contains_key("name") {
            let known = self.read_server().and_then(|name| self.address(name));
            known
                .unwrap_or("the cluster")
                .clone_into(&mut inventory.cluster.name);
        }
        for host in &mut inventory.hosts {
            host.ssh.key.origin = Origin::Flag("ssh-key");
        }
        if let Some(url) = &self.server_url {
            inventory.cluster.server_url = Some(url.trim_end_matches('/').to_owned());
        }
        Ok(inventory)
    }

    /// Says where the data of a server is that is read: where it was found, or where it has to be.
    ///
    /// # Errors
    /// It was found in another folder than the one that was typed, or in one that cannot be used; or it is
    /// another distribution's server.
    pub fn found_data(&mut self, server: &str, facts: &Facts) -> Result<(), Problem> {
        let own = self.distribution.dialect.name;
        let mut others = distribution::ALL.iter().map(|other| other.dialect.name);
        if let Some(other) = others.find(|name| facts.kubernetes.is_some_and(|it| it.name == *name))
        {
            return Err(problem!(
                Code::OTHER_KUBERNETES,
                host = server,
                "{other} runs here, and not {own}"
            )
            .next("add")
            .flag(format!("--distribution {other}")));
        }
        let told = self.distribution.rules.told(facts);
        told.data_dir
            .map_err(|why| problem!(Code::DATA_DIR_UNUSABLE, host = server, "{why}"))?;
        let own = &facts.node.data_dir;
        let host = object(&mut self.draft.hosts, server);
        let typed = host.get("config").and_then(|config| config.get("data-dir"));
        if let Some(typed) = typed.and_then(Value::as_str)
            && typed != own.as_str()
        {
            return Err(problem!(
                Code::DATA_DIR_DIFFERS,
                host = server,
                "{} keeps its data in {own} here, not in {typed}",
                self.distribution.rules.product().name
            )
            .next(
                "leave out  --server-data-dir : the folder is read from the server's configuration",
            ));
        }
        if *own != self.distribution.dialect.data_dir() {
            object(host, "config").insert("data-dir".into(), json!(own.as_str()));
        }
        Ok(())
    }

    /// The address of a host.
    pub fn address(&self, name: &str) -> Option<&str> {
        self.draft.hosts.get(name)?.get("address")?.as_str()
    }

    /// The names of the hosts, the server that is read first.
    pub fn names_of_hosts(&self) -> impl Iterator<Item = &str> {
        self.draft.hosts.keys().map(String::as_str)
    }

    /// The lines of one host, for a file that has others.
    pub fn host_lines(&self, name: &str) -> Result<String, Problem> {
        let draft = self.draft.clone().literal();
        let host = draft.hosts.get(name).cloned().unwrap_or_default();
        let entry = Map::from_iter([(name.to_owned(), host)]);
        serde_yaml::to_string(&entry)
            .map_err(|error| Problem::new(Code::INTERNAL, error.to_string()))
    }
}

/// Refuses a folder that a server's data cannot be in.
fn checked(folder: Option<&String>) -> Result<Option<DataDir>, Problem> {
    let read = folder.map(|folder| folder.parse::<DataDir>());
    read.transpose().map_err(|why| {
        let folder = folder.map_or("", String::as_str);
        problem!(Code::FLAG_VALUE, "--server-data-dir: not `{folder}`").because(why)
    })
}

/// An address as a name.
fn host_name(address: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || letter == '.' {
            letter
        } else {
            '-'
        }
    };
    let name: String = address.chars().map(plain).collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() {
        "host".to_owned()
    } else {
        name.to_owned()
    }
}

/// A context's name as a cluster's.
fn name(context: &str) -> String {
    host_name(context)
}

fn absolute(path: &Path) -> PathBuf {
    engine::absolute(path.to_owned())
}

fn object<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let entry = map.entry(key).or_insert_with(|| json!({}));
    if !entry.is_object() {
        *entry = json!({});
    }
    match entry {
        Value::Object(map) => map,
        _ => unreachable!("it was made an object"),
    }
}

fn append(map: &mut Map<String, Value>, key: &str, values: impl IntoIterator<Item = Value>) {
    let mut list = match map.remove(key) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    for value in values {
        if !list.contains(&value) {
            list.push(value);
        }
    }
    if !list.is_empty() {
        map.insert(key.to_owned(), Value::Array(list));
    }
}

#[cfg(test)]
mod tests;
