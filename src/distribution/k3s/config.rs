//! What a host's config.yaml says.
//!
//! A server's config does not depend on its siblings or on who led: what matters only at the first
//! start (`cluster-init`, `server`, the tokens) is kept as it is on a host that has started before, and
//! is no drift there.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::documents;
use super::effective::{configured, observed, own_config};
use super::external;
use super::flannel;
use super::keep::{self, unnamed};
use super::registration::{self, is_registration};
use super::settings::{API_PORT, matters_only_at_first_start};
use super::token::{ca_hash, token_password};
use super::tokens::Tokens;
use crate::cluster::{Addresses, Choice, LATER, NodeRole, Registration, Situation, registration};
use crate::distribution::Settings;
use crate::facts::{Datastore, Facts};
use crate::inventory::{Host, Role};
use crate::kubernetes::kubeconfig::server_url;

/// Everything that one host's config.yaml follows from.
pub(super) struct Subject<'a> {
    pub situation: &'a Situation<'a>,
    pub host: &'a Host,
    pub facts: &'a Facts,
    pub addresses: Addresses,
    pub choice: &'a Choice,
    pub role: NodeRole,
    pub tokens: &'a Tokens,
    /// Address of a server to join through.
    pub via: Option<IpAddr>,
    /// The labels and taints of its node.
    pub registration: &'a Registration,
    /// Addresses that servers of this cluster are known under.
    pub servers: &'a [String],
    /// Whether the cluster is to run on embedded etcd.
    pub etcd: bool,
}

impl Subject<'_> {
    /// The whole config.yaml.
    pub fn config(&self) -> Settings {
        let mut config = self.lasting();
        let kept = self.kept_settings();
        keep::add(&mut config, &kept);
        keep::order(
            &mut config,
            &kept,
            &own_config(self.facts).unwrap_or_default(),
        );
        config.retain(|_, value| !value.is_null());
        let first = match self.role {
            NodeRole::Leader => self.leader(),
            NodeRole::Joining => self.joining(),
            NodeRole::Member => self.member(),
            NodeRole::Agent => self.agent(),
        };
        config.extend(first);
        config.extend(registration::settings(self.registration));
        config
    }

    /// What the inventory says of it.
    pub fn named(&self) -> Settings {
        let cluster = &self.situation.inventory.cluster;
        let server = self.host.role.value == Role::Server;
        let mut named = if server {
            cluster.config.clone()
        } else {
            cluster.agent_config.clone()
        };
        if server && cluster.embedded_registry {
            named.insert("embedded-registry".into(), json!(true));
        }
        let own = self.host.config.iter();
        named.extend(own.map(|(key, setting)| (key.clone(), setting.value.clone())));
        documents::tell(&mut named, cluster, self.host);
        if self.host.private_address.is_some() || self.host.interface.is_some() {
            named
                .entry("node-ip".into())
                .or_insert_with(|| json!(self.addresses.node_ips()));
        }
        if self.host.interface.is_some()
            && let Some(interface) = self.interface()
        {
            named
                .entry("flannel-iface".into())
                .or_insert_with(|| json!(interface));
        }
        if server {
            let mut names: Vec<&String> = Vec::new();
            for name in cluster
                .endpoint
                .iter()
                .chain(&cluster.registration_address)
                .chain(&cluster.tls_sans)
            {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            if !names.is_empty() {
                named.insert("tls-san".into(), json!(names));
            }
        }
        named
    }

    /// What the host's own config.yaml says and the inventory does not, where that is kept.
    pub fn kept_settings(&self) -> Settings {
        if !self.situation.keep {
            return Settings::new();
        }
        let own = own_config(self.facts).unwrap_or_default();
        let base = self.lasting();
        unnamed(&own, &self.named(), |key| base.get(key))
    }

    /// What holds at every start.
    fn lasting(&self) -> Settings {
        let server = self.host.role.value == Role::Server;
        let mut config = self.named();
        // A node keeps the name that it joined with.
        let configured =
            configured(&observed(self.facts), "node-name").filter(|_| self.facts.node.joined);
        let given = self.host.node_name.as_ref().map(|name| name.value.clone());
        if let Some(name) = given.or(configured) {
            config.insert("node-name".into(), json!(name.to_lowercase()));
        }
        config
            .entry("node-ip".into())
            .or_insert_with(|| json!(self.addresses.node_ips()));
        if let Some(interface) = self.interface() {
            config
                .entry("flannel-iface".into())
                .or_insert_with(|| json!(interface));
        }
        if let Some(external) = self.addresses.external {
            config
                .entry("node-external-ip".into())
                .or_insert_with(|| json!(external.to_string()));
            // k3s would send agents and pods to the external address, and behind NAT the way to it
            // from inside leads nowhere.
            if server {
                config
                    .entry("advertise-address".into())
                    .or_insert_with(|| json!(self.addresses.node_ip.to_string()));
            }
        }
        if let Some(datastore) = &self.situation.inventory.cluster.datastore_endpoint
            && server
        {
            config.extend(external::settings(datastore));
        }
        if server {
            let own = [
                self.host.name_for_others().map(str::to_owned),
                Some(self.addresses.node_ip.to_string()),
                self.addresses.second.map(|second| second.to_string()),
            ];
            let mut names = match config.remove("tls-san") {
                Some(Value::Array(names)) => names,
                _ => Vec::new(),
            };
            for name in own.into_iter().flatten().map(Value::String) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            config.insert("tls-san".into(), Value::Array(names));
        }
        config
    }

    /// The interface that flannel has to be told.
    fn interface(&self) -> Option<String> {
        let node_ip = self.addresses.node_ip;
        flannel::interface(
            (self.situation, self.choice),
            self.host,
            self.facts,
            node_ip,
        )
    }

    fn leader(&self) -> Settings {
        let mut config = Settings::new();
        if self.etcd {
            config.insert("cluster-init".into(), json!(true));
        }
        config.insert("token".into(), json!(self.tokens.server.expose()));
        if let Some(agent) = &self.tokens.agent {
            config.insert("agent-token".into(), json!(agent.expose()));
        }
        config
    }

    fn joining(&self) -> Settings {
        // A server finds the cluster in the datastore that all share, by the password of its token.
        if self
            .situation
            .inventory
            .cluster
            .datastore_endpoint
            .is_some()
        {
            return self.leader();
        }
        let mut config = Settings::new();
        config.insert("server".into(), json!(self.server()));
        config.insert("token".into(), json!(self.join_token(Role::Server)));
        if let Some(agent) = &self.tokens.agent {
            config.insert("agent-token".into(), json!(agent.expose()));
        }
        config
    }

    fn member(&self) -> Settings {
        let mut kept = self.kept();
        if self.etcd && self.facts.node.datastore == Some(Datastore::Sqlite) {
            kept.insert("cluster-init".into(), json!(true));
        }
        kept
    }

    fn agent(&self) -> Settings {
        let mut config = if self.facts.node.joined {
            self.kept()
        } else {
            Settings::new()
        };
        let current = |key: &str| config.get(key).and_then(Value::as_str);
        // What there is stands as long as nothing is known that says otherwise: an agent is not to
        // be cut off because no server was reached.
        let no_server = self.via.is_none() && self.situation.inventory.cluster.server_url.is_none();
        let server_stands = current("server").is_some_and(|url| {
            match &self.situation.inventory.cluster.registration_address {
                Some(said) => url == server_url(said, API_PORT),
                None => no_server || self.servers.iter().any(|known| known == url),
            }
        });
        let valid = |token: &str| {
            if !self.tokens.known {
                return true;
            }
            let authority = ca_hash(token).zip(self.tokens.ca_hash.as_deref());
            if authority.is_some_and(|(own, known)| own != known) {
                return false;
            }
            let password = token_password(token);
            let agents = self
                .tokens
                .agent
                .as_ref()
                .is_some_and(|agent| agent.expose() == password);
            agents || self.tokens.server.expose() == password
        };
        let token_stands = current("token").is_some_and(valid);
        if !server_stands {
            config.insert("server".into(), json!(self.server()));
        }
        if !token_stands {
            config.insert("token".into(), json!(self.join_token(Role::Agent)));
        }
        config
    }

    /// What of the host's own config.yaml mattered at its first start.
    fn kept(&self) -> Settings {
        let own = observed(self.facts).into_iter();
        own.filter(|(key, _)| matters_only_at_first_start(key) && !is_registration(key))
            .collect()
    }

    fn server(&self) -> String {
        let given = self.situation.inventory.cluster.server_url.clone();
        let via = self.via.map(|via| server_url(&via.to_string(), API_PORT));
        let fixed = registration(self.situation, self.host, self.facts)
            .ok()
            .flatten();
        let fixed = fixed.map(|address| server_url(address, API_PORT));
        given.or(fixed).or(via).unwrap_or_else(|| LATER.to_owned())
    }

    fn join_token(&self, role: Role) -> String {
        let cluster = &self.situation.inventory.cluster;
        // A cluster elsewhere: what was given is all there is to know.
        if let (Some(_), None) = (&cluster.server_url, self.via) {
            let agent = cluster.agent_token.as_ref().filter(|_| role == Role::Agent);
            if let Some(token) = agent.or(cluster.token.as_ref()) {
                return token.expose().to_owned();
            }
        }
        self.tokens.for_join(role)
    }
}
