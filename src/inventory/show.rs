//! What an inventory comes to for a host, and where each of its values comes from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::keys::CLUSTER;
use super::language::Kind;
use super::layers::FromLayers;
use super::mask::masked;
use super::{Host, Inventory, Role};
use crate::vars::{Origin, Sourced};

/// A host with what the inventory comes to for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShownHost {
    /// Its name.
    pub name: String,
    /// Its groups; what a later one says wins.
    pub groups: Vec<String>,
    /// Its values: first how it is reached and what it is, then what its node gets, then its
    /// config.yaml, then what holds for the whole cluster.
    pub settings: Vec<ShownSetting>,
}

/// A value, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShownSetting {
    /// Its key, with dots: `ssh.user`.
    pub key: String,
    /// The value; `***` in place of a secret.
    #[schemars(extend("type" = ["string", "number", "boolean", "array", "object", "null"]))]
    pub value: Value,
    /// What decided it: `default`, `cluster`, `ssh` (the one at the top), `group NAME`, `host`,
    /// `flag` or `ssh_config`.
    pub layer: String,
    /// The file that says it; none for a default or a flag.
    pub file: Option<String>,
    /// The line in that file, from 1.
    pub line: Option<u64>,
}

impl ShownSetting {
    fn new(key: &str, value: Value, origin: &Origin) -> Self {
        let (layer, file, line) = match origin {
            Origin::Default => ("default".to_owned(), None, None),
            Origin::Flag(_) => ("flag".to_owned(), None, None),
            Origin::SshConfig => ("ssh_config".to_owned(), None, None),
            Origin::Inventory {
                path, file, line, ..
            } => (layer(path, key), Some(file.to_string()), Some(*line)),
        };
        Self {
            key: key.to_owned(),
            value: masked(key, value),
            layer,
            file,
            line,
        }
    }

    fn of(key: &str, setting: &Sourced<Value>) -> Self {
        Self::new(key, setting.value.clone(), &setting.origin)
    }
}

/// The layer of a path in the inventory, of which the key is the end.
fn layer(path: &str, key: &str) -> String {
    let mut parts = path.splitn(2, '.');
    match (parts.next(), parts.next()) {
        (Some("groups"), Some(rest)) => {
            // A group's name may hold dots.
            let name = rest.strip_suffix(key).unwrap_or(rest);
            format!("group {}", name.trim_end_matches('.'))
        }
        (Some("hosts"), _) => "host".to_owned(),
        (Some(block), _) => block.to_owned(),
        (None, _) => String::new(),
    }
}

impl Inventory {
    /// What the inventory comes to for each of its hosts, secrets masked.
    pub fn shown(&self) -> Vec<ShownHost> {
        let hosts = self.hosts.iter();
        hosts
            .map(|host| ShownHost {
                name: host.name.clone(),
                groups: host.groups.clone(),
                settings: self.settings(host),
            })
            .collect()
    }

    /// How a host is reached: its address and what SSH is told.
    pub fn reached_by(&self, host: &Host) -> Vec<ShownSetting> {
        let mut settings = self.settings(host);
        settings.retain(|setting| {
            let key = &*setting.key;
            key == "address" || key.starts_with("ssh.") || key.starts_with("ssh_config.")
        });
        settings
    }

    fn settings(&self, host: &Host) -> Vec<ShownSetting> {
        let address = json!(host.address);
        let mut shown = vec![ShownSetting::new("address", address, &host.address_origin)];
        let mut own = Vec::new();
        host.show("", &mut own);
        let own = own.iter().filter(|(key, _)| !key.starts_with("config."));
        shown.extend(own.map(|(key, setting)| ShownSetting::of(key, setting)));
        // Debian's own configuration says this of every host, and it changes no connection.
        let configured = host.ssh.configured.iter();
        let configured = configured.filter(|(key, _)| *key != "hashknownhosts");
        shown.extend(configured.map(|(key, value)| {
            ShownSetting::new(
                &format!("ssh_config.{key}"),
                json!(value),
                &Origin::SshConfig,
            )
        }));
        shown.extend(self.config(host));
        shown.extend(self.of_the_cluster());
        shown
    }

    /// What a host's config.yaml is told: by the cluster, and over it by the host and its groups.
    fn config(&self, host: &Host) -> Vec<ShownSetting> {
        let section = match host.role.value {
            Role::Server => "cluster.config.",
            Role::Agent => "cluster.agent_config.",
        };
        let shared = self.said.iter();
        let shared =
            shared.filter_map(|(key, setting)| Some((key.strip_prefix(section)?, setting)));
        let own = host.config.iter();
        let all: BTreeMap<&str, &Sourced<Value>> = shared
            .chain(own.map(|(key, setting)| (key.as_str(), setting)))
            .collect();
        let all = all.into_iter();
        all.map(|(key, setting)| ShownSetting::of(&format!("config.{key}"), setting))
            .collect()
    }

    /// What holds for the whole cluster, in the order of the language.
    fn of_the_cluster(&self) -> Vec<ShownSetting> {
        let name = Sourced::default(json!(self.cluster.name));
        let mut shown = Vec::new();
        for key in CLUSTER.keys() {
            let path = format!("cluster.{}", key.name);
            let below = format!("{path}.");
            match key.kind {
                Kind::Config => {}
                Kind::Object(_) => {
                    let all = self.said.iter().filter(|(key, _)| key.starts_with(&below));
                    shown.extend(all.map(|(key, setting)| ShownSetting::of(key, setting)));
                }
                _ => {
                    let has_version = self.said.contains_key("cluster.version");
                    let default = key
                        .default
                        .filter(|_| key.name != "channel" || !has_version);
                    // A number among the defaults is one in YAML, too.
                    let default = default.map(|text| {
                        Sourced::default(text.parse::<u64>().map_or(json!(text), Value::from))
                    });
                    let default = default.or_else(|| (key.name == "name").then(|| name.clone()));
                    let setting = self.said.get(&path).or(default.as_ref());
                    shown.extend(setting.map(|setting| ShownSetting::of(&path, setting)));
                }
            }
        }
        shown
    }
}
