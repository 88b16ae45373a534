//! What holds for the cluster as a whole.

use serde_json::Value;

use super::graph::Variable;
use super::values;
use super::work::AnsibleConversion;

/// Variables that hold a token of k3s.
const TOKENS: [&str; 5] = [
    "token",
    "k3s_token",
    "k3s_cluster_token",
    "k3s_join_token",
    "cluster_token",
];

impl AnsibleConversion<'_> {
    /// Takes what stands for the cluster.
    pub fn cluster(&mut self) {
        if let Some(taken) = self.shared(&["cluster_context"])
            && let Some(name) = self.text(&taken)
        {
            self.set_cluster("name", &taken, name);
        }
        self.version();
        self.endpoint();
        self.networks();
        if let Some(taken) = self.shared(&["supplementary_addresses_in_ssl_keys"]) {
            match values::list(&taken.value) {
                Some(names) => {
                    for name in names {
                        self.making.tls_san(&name, &taken.at);
                    }
                }
                None => self.leave(&taken, "is not a list of names"),
            }
        }
        for token in TOKENS {
            for host in self.carried.clone() {
                if let Some(taken) = self.raw(host, token) {
                    self.leave(&taken, TOKEN);
                }
            }
        }
        if let Some(taken) = self.shared(&["api_port"])
            && values::text(&taken.value).as_deref() != Some("6443")
        {
            self.leave(&taken, "is another port than 6443");
        }
        if let Some(taken) = self.shared(&["k3s_etcd_datastore"]) {
            self.embedded_etcd(&taken);
        }
        if let Some(taken) = self.shared(&["use_external_database"])
            && values::flag(&taken.value) != Some(false)
        {
            self.leave(
                &taken,
                "is an external datastore: set `datastore_endpoint` under `cluster`",
            );
        }
    }

    fn set_cluster(&mut self, key: &'static str, taken: &Variable, value: String) {
        self.making.cluster.insert(key, taken.said(value.into()));
    }

    fn version(&mut self) {
        if let Some(taken) = self.shared(&["k3s_version", "k3s_release_version"]) {
            match values::text(&taken.value) {
                // PyratLabs' role takes stable without a version.
                Some(text) if text == "false" => {}
                Some(text) if text.contains("+k3s") => {
                    let number = text.trim_start_matches('v');
                    self.set_cluster("version", &taken, format!("v{number}"));
                }
                Some(text) => self.set_cluster("channel", &taken, text),
                None => self.leave(&taken, "is not a version"),
            }
        }
        if let Some(taken) = self.shared(&["kube_version"]) {
            let text = values::text(&taken.value).unwrap_or_default();
            let mut parts = text.trim_start_matches('v').split('.');
            let cluster = &self.making.cluster;
            let known = cluster.contains_key("version") || cluster.contains_key("channel");
            match (parts.next(), parts.next()) {
                (Some(major), Some(minor)) if !known && !minor.is_empty() => {
                    let channel = format!("v{major}.{minor}");
                    self.leave(
                        &taken,
                        &format!("is a version of Kubernetes; k3s has its own, and here it is the newest of {channel}"),
                    );
                    self.set_cluster("channel", &taken, channel);
                }
                _ => self.leave(&taken, "is a version of Kubernetes; k3s has its own"),
            }
        }
    }

    fn endpoint(&mut self) {
        let names = [
            "api_endpoint",
            "apiserver_endpoint",
            "k3s_registration_address",
            "apiserver_loadbalancer_domain_name",
        ];
        if let Some(taken) = self.shared(&names)
            && let Some(address) = self.text(&taken)
        {
            self.set_endpoint(&taken, address.trim_matches(['[', ']']));
        }
        if let Some(taken) = self.shared(&["loadbalancer_apiserver"]) {
            match taken.value.get("address").and_then(values::text) {
                Some(address) if self.making.cluster.contains_key("endpoint") => {
                    self.making.tls_san(&address, &taken.at);
                }
                Some(address) => self.set_endpoint(&taken, &address),
                None => self.leave(&taken, "has no address"),
            }
            let port = taken.value.get("port").and_then(values::text);
            if port.is_some_and(|port| port != "6443") {
                self.leave(&taken, "has another port than 6443");
            }
        }
    }

    /// The endpoint, unless it is what it is without a word: the first server's address.
    fn set_endpoint(&mut self, taken: &Variable, address: &str) {
        let is_first = self.making.servers().next().is_some_and(|host| {
            let private = host.private_address.as_ref().map(|said| &*said.value);
            host.reached_at() == address || private == Some(address)
        });
        if !is_first {
            self.set_cluster("endpoint", taken, address.to_owned());
        }
    }

    fn networks(&mut self) {
        for (names, key) in [
            (&["kube_pods_subnet"][..], "cluster-cidr"),
            (&["kube_service_addresses"], "service-cidr"),
            (&["cluster_name", "dns_domain"], "cluster-domain"),
        ] {
            if let Some(taken) = self.shared(names)
                && let Some(text) = self.text(&taken)
                && text != "cluster.local"
            {
                self.config_of_servers(key, &taken, &text.into());
            }
        }
        let Some(taken) = self.shared(&["kube_network_plugin"]) else {
            return;
        };
        match taken.value.as_str() {
            Some("flannel") => {}
            Some("none" | "cni") => {
                self.config_of_servers("flannel-backend", &taken, &"none".into());
                self.config_of_servers("disable-network-policy", &taken, &Value::Bool(true));
            }
            _ => self.leave(
                &taken,
                "is a network plug-in that k3s does not include: it has flannel. To install another one yourself, set `config: {flannel-backend: none, disable-network-policy: true}` under `cluster`",
            ),
        }
    }
}

/// What to do with a token.
const TOKEN: &str = "is a secret and not converted. towline reads it from a running cluster's servers; for a new cluster put it in a file and set `token_file: FILE` under `cluster`";
