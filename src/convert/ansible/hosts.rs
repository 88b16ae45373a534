//! What each host is told: how to reach it, its addresses, labels and taints, and k3s's flags.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::graph::Variable;
use super::work::AnsibleConversion;
use super::{arguments, values, yaml};
use crate::convert::placed::SettingKey;
use crate::convert::reading;
use crate::inventory::{self, Role};

/// Where k3s keeps its data by default.
const DATA: &str = "/var/lib/rancher/k3s";

/// Variables of ssh and sudo that are not carried over, and why.
const UNUSED: [(&str, &str); 4] = [
    (
        "ansible_become_pass ansible_become_password ansible_sudo_pass",
        "is a password and not converted: run with --ask-become-pass, or set `ssh: {become_password: {command: …}}`",
    ),
    (
        "ansible_password ansible_ssh_pass",
        "is a password and not converted: run with --ask-pass, or set `ssh: {password: {command: …}}`",
    ),
    (
        "ansible_ssh_args ansible_ssh_common_args ansible_ssh_extra_args",
        "is for the ssh command: towline reads what ~/.ssh/config says",
    ),
    (
        "ansible_host_key_checking ansible_ssh_host_key_checking",
        "cannot be turned off: towline always checks host keys; --accept-new-host-keys adds new ones",
    ),
];

/// The words of ssh's arguments, without quotes; `-oX` and `-o X` are alike.
fn words(arguments: &str) -> Vec<String> {
    let plain = arguments.replace(['"', '\''], "").replace("-o", " ");
    plain.split_whitespace().map(str::to_owned).collect()
}

/// The hosts that ssh's arguments name to connect through.
fn jump(arguments: &str) -> Option<Value> {
    let words = words(arguments);
    let hops = match words.iter().position(|word| word == "-J") {
        Some(at) => words.get(at + 1)?.as_str(),
        None => words
            .iter()
            .find_map(|word| word.strip_prefix("ProxyJump="))?,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "@.:-_[]".contains(c);
    let hops: Vec<&str> = hops.split(',').collect();
    let is_hop = |hop: &&str| !hop.is_empty() && hop.chars().all(plain);
    let fits = hops
        .iter()
        .all(|hop| is_hop(hop) && inventory::Hop::parse(hop).is_some());
    match &*hops {
        _ if !fits => None,
        [one] => Some((*one).into()),
        many => Some(many.into()),
    }
}

/// Whether ssh's arguments say nothing else.
fn is_jump_alone(value: &Value) -> bool {
    let arguments = values::text(value).unwrap_or_default();
    let count = if arguments.contains("-J") { 2 } else { 1 };
    jump(&arguments).is_some() && words(&arguments).len() == count
}

impl AnsibleConversion<'_> {
    /// Takes what stands for each host that is carried over.
    pub fn hosts(&mut self) {
        for host in self.carried.clone() {
            self.connection(host);
            self.private_address(host);
            let labels = ["node_labels", "k3s_node_labels"];
            self.as_config(host, &labels, "node-label", "is not a map of labels");
            let taints = ["node_taints", "k3s_node_taints"];
            self.as_config(host, &taints, "node-taint", "is not a list of taints");
            let role = self.made(host).map(|made| made.role);
            let (files, maps, arguments): (_, &[&str], _) = match role {
                Some(Role::Server) => (
                    "server_config_yaml",
                    &["k3s_server", "k3s_agent"],
                    "extra_server_args",
                ),
                _ => ("agent_config_yaml", &["k3s_agent"], "extra_agent_args"),
            };
            // What is nearer to k3s's command line wins, and comes last.
            if let Some(taken) = self.take(host, &["k3s_server_location"])
                && taken.value != DATA
            {
                self.config(host, "data-dir", &taken);
            }
            for name in maps {
                if let Some(taken) = self.raw(host, name) {
                    self.map(host, &taken);
                }
            }
            if let Some(taken) = self.raw(host, files) {
                self.file(host, &taken);
            }
            if let Some(taken) = self.raw(host, arguments) {
                self.arguments(host, &taken);
            }
        }
    }

    fn connection(&mut self, host: usize) {
        if let Some(taken) = self.take(host, &["ansible_host", "ansible_ssh_host"])
            && let Some(address) = self.text(&taken)
            && let Some(made) = self.made(host)
        {
            let address = address.trim_matches(['[', ']']).to_owned();
            made.address = Some(taken.said(address));
        }
        if let Some(taken) = self.take(host, &["ansible_user", "ansible_ssh_user"])
            && let Some(user) = self.text(&taken)
        {
            self.set(host, SettingKey::Ssh("user"), &taken, user.into());
        }
        if let Some(taken) = self.take(host, &["ansible_port", "ansible_ssh_port"]) {
            let port = values::text(&taken.value).and_then(|text| text.trim().parse::<u16>().ok());
            match port {
                // What is so without a word needs none.
                Some(22) => {}
                Some(port) => self.set(host, SettingKey::Ssh("port"), &taken, port.into()),
                None => self.leave(&taken, "is not a port"),
            }
        }
        let keys = ["ansible_ssh_private_key_file", "ansible_private_key_file"];
        if let Some(taken) = self.take(host, &keys)
            && let Some(key) = self.text(&taken)
        {
            if !key.starts_with(['/', '~']) {
                self.leave(
                    &taken,
                    "is a relative path: towline resolves it from the inventory's folder, Ansible from the folder in which it is run",
                );
            }
            self.set(host, SettingKey::Ssh("key"), &taken, key.into());
        }
        for (name, good, why) in [
            (
                "ansible_connection",
                "ssh smart paramiko paramiko_ssh ansible.builtin.ssh",
                "is not SSH, and towline connects only by SSH",
            ),
            (
                "ansible_become_method",
                "sudo ansible.builtin.sudo",
                "is not sudo, and towline uses only sudo",
            ),
            ("ansible_become_user", "root", "is not root"),
        ] {
            if let Some(taken) = self.take(host, &[name])
                && !good.split(' ').any(|good| taken.value == good)
            {
                self.leave(&taken, why);
            }
        }
        let arguments = ["ansible_ssh_common_args", "ansible_ssh_extra_args"];
        for name in arguments {
            if let Some(taken) = self.raw(host, name)
                && let Some(hops) = values::text(&taken.value).as_deref().and_then(jump)
            {
                self.set(host, SettingKey::Ssh("bastion"), &taken, hops);
            }
        }
        for (names, why) in UNUSED {
            for name in names.split(' ') {
                if let Some(taken) = self.raw(host, name)
                    && !is_jump_alone(&taken.value)
                {
                    self.leave(&taken, why);
                }
            }
        }
    }

    fn private_address(&mut self, host: usize) {
        let own = self.take(host, &["ip"]);
        let mut access = self.take(host, &["access_ip"]);
        if let Some(taken) = own.or_else(|| access.take())
            && let Some(address) = self.text(&taken)
        {
            self.node_ip(host, &taken, &address);
        }
        if let Some(taken) = access
            && let Some(made) = self.made(host)
            && taken.value != made.reached_at()
            && !made
                .private_address
                .as_ref()
                .is_some_and(|ip| taken.value == *ip.value)
        {
            self.leave(
                &taken,
                "is a third address; towline has only `address` and `private_address`",
            );
        }
    }

    /// An address for the other hosts: the private one, where it is not the one that is reached.
    fn node_ip(&mut self, host: usize, taken: &Variable, address: &str) {
        if address.parse::<IpAddr>().is_err() {
            self.leave(taken, "is not an IP address");
        } else if let Some(made) = self.made(host)
            && address != made.reached_at()
        {
            made.private_address = Some(taken.said(address.to_owned()));
        }
    }

    /// What the variables of a name say, as k3s's key of the same meaning would.
    fn as_config(&mut self, host: usize, names: &[&str], key: &str, why: &str) {
        if let Some(taken) = self.take(host, names) {
            match values::list(&taken.value) {
                Some(_) => self.config(host, key, &taken),
                None => self.leave(&taken, why),
            }
        }
    }

    /// A map of k3s's keys.
    fn map(&mut self, host: usize, taken: &Variable) {
        // The whole map may come from another variable.
        let map = match &taken.value {
            Value::Object(map) => Ok(Value::Object(map.clone())),
            other => self.templates.resolve(host, other),
        };
        let map = match map {
            Ok(Value::Object(map)) => map,
            Ok(_) => return self.leave(taken, "is not a map with keys of k3s"),
            Err(why) => return self.leave(taken, &why),
        };
        for (key, value) in map {
            match self.templates.resolve(host, &value) {
                Ok(value) => self.config(host, &key, &taken.key(&key, value)),
                Err(why) => {
                    let taken = taken.key(&key, Value::Null);
                    self.leave(&taken, &format!("has `{key}`, which {why}"));
                }
            }
        }
    }

    /// A text that becomes k3s's config.yaml.
    fn file(&mut self, host: usize, taken: &Variable) {
        let Some(text) = taken.value.as_str() else {
            return self.map(host, taken);
        };
        let quoted = arguments::with_quotes(text);
        let documents = inventory::documents(&quoted, std::path::Path::new(""));
        let documents = documents.unwrap_or_default();
        let Some(document) = documents.first().filter(|map| !map.entries().is_empty()) else {
            return self.leave(taken, "is not YAML with keys of k3s");
        };
        let mut map = taken.with(reading::value(document, &quoted));
        // Below `|`, the text begins in the next line.
        let above = taken.at.line - u64::from(!text.contains('\n'));
        map.lines = yaml::lines(document, above);
        self.map(host, &map);
    }

    fn arguments(&mut self, host: usize, taken: &Variable) {
        let Some(text) = taken.value.as_str() else {
            return self.leave(taken, "is not a line of flags");
        };
        let (words, unresolved) = match arguments::words(&self.templates, host, text) {
            Ok(found) => found,
            Err(why) => return self.leave(taken, &why),
        };
        for (flag, why) in unresolved {
            self.leave(taken, &format!("has {flag}, which {why}"));
        }
        let (pairs, others) = crate::convert::flags::pairs(words);
        for word in others {
            if !["server", "agent"].contains(&word.as_str()) {
                self.leave(taken, "has a word that is not a flag");
            }
        }
        for (key, value) in pairs {
            self.config(host, &key, &taken.with(value));
        }
    }

    /// A key of k3s, where it belongs in an inventory.
    fn config(&mut self, host: usize, key: &str, taken: &Variable) {
        let words = values::list(&taken.value).unwrap_or_default();
        match key {
            "server" => self.leave(taken, "has `server`; towline sets it on its own"),
            "cluster-init" => self.embedded_etcd(taken),
            "tls-san" => {
                for name in words {
                    self.making.tls_san(&name, &taken.at);
                }
            }
            "node-label" => {
                for label in words {
                    match label.split_once('=') {
                        Some((key, value)) => {
                            let key = SettingKey::Label(key.to_owned());
                            self.set(host, key, taken, value.into());
                        }
                        None => self.leave(taken, &format!("has a label without a value: {label}")),
                    }
                }
            }
            "node-taint" => {
                if let Some(made) = self.made(host) {
                    for taint in words {
                        made.taint(&taint, &taken.at);
                    }
                }
            }
            "node-name" => {
                if let Some(name) = values::text(&taken.value)
                    && let Some(made) = self.made(host)
                {
                    made.node_name = Some(taken.said(name));
                }
            }
            "node-ip" if words.len() == 1 => self.node_ip(host, taken, &words[0]),
            _ => self.set(
                host,
                SettingKey::Config(key.to_owned()),
                taken,
                taken.value.clone(),
            ),
        }
    }

    /// Tells all servers something.
    pub fn config_of_servers(&mut self, key: &str, taken: &Variable, value: &Value) {
        for host in self.making.servers() {
            let said = taken.said(value.clone());
            host.settings
                .insert(SettingKey::Config(key.to_owned()), said);
        }
    }

    /// Several servers have etcd anyway.
    pub fn embedded_etcd(&mut self, taken: &Variable) {
        if values::flag(&taken.value) == Some(true) && self.making.servers().count() == 1 {
            let said = taken.said(json!("etcd"));
            self.making.cluster.insert("datastore", said);
        }
    }

    fn set(&mut self, host: usize, key: SettingKey, taken: &Variable, value: Value) {
        if let Some(made) = self.made(host) {
            made.settings.insert(key, taken.said(value));
        }
    }

    /// The one word that a variable has to be; listed, if it is anything else.
    pub fn text(&mut self, taken: &Variable) -> Option<String> {
        let text = values::text(&taken.value).map(|text| text.trim().to_owned());
        if text.is_none() {
            self.leave(taken, "is not a text");
        }
        text
    }
}
