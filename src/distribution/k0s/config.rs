//! What a host is told: k0s.yaml of a controller, and the flags of its unit.
//!
//! k0s takes the first address that it finds for a controller's own, so each controller is told its
//! address and that of its member of etcd.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::keys::{is_single, spec};
use super::meaning::set;
use super::tokens::join_token;
use super::told::kubelet_argument;
use super::{external, flags};
use crate::cluster::{Addresses, LATER, NodeRole, Registration, Situation};
use crate::distribution::Settings;
use crate::facts::Facts;
use crate::inventory::{Host, Inventory};
use crate::kubernetes::kubeconfig::{parse, server_url};
use crate::vars::Secret;

/// The port of a controller's API.
pub(super) const API_PORT: u16 = 6443;

/// The port of a controller at which others join.
pub(super) const JOIN_PORT: u16 = 9443;

/// The port of a controller to which the agents of konnectivity connect, unless k0s.yaml says another.
pub(super) const AGENT_PORT: u16 = 8132;

/// The key of a host's settings that is its k0s.yaml's `spec`.
pub(super) const SPEC: &str = "spec";

/// The key of a host's settings that are the flags of its unit.
pub(super) const FLAGS: &str = "flags";

/// The key of a host's settings that is what it joins with.
pub(super) const TOKEN: &str = "token";

/// Everything that a host's settings follow from.
pub(super) struct HostOfK0s<'a> {
    pub situation: &'a Situation<'a>,
    pub host: &'a Host,
    pub facts: &'a Facts,
    pub addresses: Addresses,
    pub role: NodeRole,
    /// Address of a controller to join through.
    pub via: Option<IpAddr>,
    /// The labels and taints of its node.
    pub registration: &'a Registration,
}

impl HostOfK0s<'_> {
    /// All that the templates make files of.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::from([(FLAGS.to_owned(), json!(self.flags()))]);
        if self.host.is_server() {
            settings.insert(SPEC.to_owned(), self.spec());
        }
        if self.joins() {
            settings.insert(TOKEN.to_owned(), json!(self.token()));
        }
        settings
    }

    /// Whether the host is to join, and needs a token for it.
    fn joins(&self) -> bool {
        match self.role {
            NodeRole::Joining => true,
            NodeRole::Agent => !self.facts.node.joined,
            NodeRole::Leader | NodeRole::Member => false,
        }
    }

    /// Whether a kubelet runs there.
    pub fn has_node(&self) -> bool {
        let is_on = |key| self.flags().get(key) == Some(&Value::Bool(true));
        !self.host.is_server() || is_on("enable-worker") || is_on("single")
    }

    /// The flags of its unit, without what names files of towline's own.
    pub fn flags(&self) -> Settings {
        let cluster = &self.situation.inventory.cluster;
        let shared = if self.host.is_server() {
            &cluster.config
        } else {
            &cluster.agent_config
        };
        let mut flags = shared.clone();
        flags.remove(SPEC);
        let own = self.host.config.iter();
        flags.extend(own.map(|(key, setting)| (key.clone(), setting.value.clone())));
        let of_role = self.host.role_settings.iter();
        flags.extend(of_role.map(|(key, value)| ((*key).to_owned(), json!(value))));
        let is_on = |key| flags.get(key) == Some(&Value::Bool(true));
        if self.host.is_server() && !is_on("enable-worker") && !is_on("single") {
            return flags;
        }
        self.of_node(&mut flags);
        flags
    }

    /// What its kubelet is told.
    fn of_node(&self, flags: &mut Settings) {
        for (key, words) in [
            ("labels", self.registration.label_words()),
            ("taints", self.registration.taint_words()),
        ] {
            if !words.is_empty() {
                flags.insert(key.to_owned(), json!(words));
            }
        }
        let mut arguments = flags
            .get("kubelet-extra-args")
            .map(flags::words)
            .unwrap_or_default();
        let name = self.situation.node_name(self.host, self.facts);
        let own = [
            ("node-ip", Some(self.addresses.node_ips())),
            (
                "hostname-override",
                Some(name).filter(|name| *name != self.facts.hostname.to_lowercase()),
            ),
        ];
        for (argument, value) in own {
            if let Some(value) = value.filter(|_| kubelet_argument(flags, argument).is_none()) {
                arguments.push(format!("--{argument}={value}"));
            }
        }
        flags.insert("kubelet-extra-args".to_owned(), json!(arguments));
    }

    /// What its k0s.yaml says.
    fn spec(&self) -> Value {
        let inventory = self.situation.inventory;
        let node_ip = self.addresses.node_ip.to_string();
        let mut all = spec(inventory, "").cloned().unwrap_or_default();
        set(&mut all, "/api/address", json!(node_ip));
        set(&mut all, "/api/sans", json!(self.names()));
        if !is_single(self.host) {
            if let Some(datastore) = &inventory.cluster.datastore_endpoint {
                for (path, value) in external::storage(datastore) {
                    set(&mut all, &path, value);
                }
            } else {
                set(&mut all, "/storage/type", json!("etcd"));
                set(&mut all, "/storage/etcd/peerAddress", json!(node_ip));
                let name = self.situation.node_name(self.host, self.facts);
                if name != self.facts.hostname {
                    set(&mut all, "/storage/etcd/extraArgs/name", json!(name));
                }
            }
            if balances(inventory) {
                set(
                    &mut all,
                    "/network/nodeLocalLoadBalancing/enabled",
                    json!(true),
                );
            }
        }
        if all.pointer("/telemetry/enabled").is_none() {
            set(&mut all, "/telemetry/enabled", json!(false));
        }
        all
    }

    /// Names and addresses in the certificate beside those that k0s finds on the host.
    fn names(&self) -> Vec<String> {
        let inventory = self.situation.inventory;
        let cluster = &inventory.cluster;
        let said = spec(inventory, "/api/sans").map(flags::words);
        let own = [
            self.host.name_for_others().map(str::to_owned),
            Some(self.addresses.node_ip.to_string()),
            self.addresses.second.map(|second| second.to_string()),
            self.addresses.external.map(|external| external.to_string()),
        ];
        let all = said.into_iter().flatten();
        let all = all.chain(cluster.endpoint.clone());
        let all = all.chain(cluster.tls_sans.iter().cloned());
        let mut names = Vec::new();
        for name in all.chain(own.into_iter().flatten()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What it joins with.
    fn token(&self) -> String {
        let situation = self.situation;
        let (user, port, nth) = match self.role {
            NodeRole::Agent => ("kubelet-bootstrap", API_PORT, 0),
            _ => ("controller-bootstrap", JOIN_PORT, 1),
        };
        let balancer = spec(situation.inventory, "/api/externalAddress").and_then(Value::as_str);
        let via = self.via.map(|via| via.to_string());
        let server = balancer.map(str::to_owned).or(via);
        let authority = situation.servers().find_map(|(_, facts)| {
            let kubeconfig = facts.node.kubeconfig.as_ref().filter(|_| facts.serves())?;
            parse(kubeconfig.expose()).ok()
        });
        let (Some(server), Some(authority)) = (server, authority) else {
            return LATER.to_owned();
        };
        let token = situation.generated.get(nth).cloned();
        let token = token.unwrap_or_else(|| Secret::new(""));
        let server = server_url(&server, port);
        join_token(user, &server, &authority.certificate_authority, &token)
    }
}

/// Whether workers get a balancer of their own, by which they know all controllers: where there are
/// several, and nothing else is said.
pub(super) fn balances(inventory: &Inventory) -> bool {
    let is_said = |path| spec(inventory, path).is_some();
    inventory.servers().count() > 1
        && !is_said("/network/nodeLocalLoadBalancing")
        && !is_said("/api/externalAddress")
        && spec(inventory, "/network/controlPlaneLoadBalancing/enabled") != Some(&Value::Bool(true))
}
