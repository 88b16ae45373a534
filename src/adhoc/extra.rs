//! `--k3s-extra-args`: flags of k3s, each where the inventory has it.

use serde_json::{Value, json};

use super::{AdHocInventory, append, object};
use crate::distribution::Settings;
use crate::inventory::Role;
use crate::problem::{Code, Problem, problem};
use crate::vars::names_a_secret;

impl AdHocInventory {
    /// Names what the host keeps though the line does not, for an inventory that stands for it.
    /// Returns the keys that are left out: a secret goes into no file.
    ///
    /// # Errors
    /// As of flags.
    pub fn keep(&mut self, kept: &Settings) -> Result<Vec<String>, Problem> {
        let (secret, open): (Settings, Settings) = kept
            .clone()
            .into_iter()
            .partition(|(key, _)| names_a_secret(key));
        let is_server = self.target().get("role") == Some(&json!("server"));
        self.extra(open, is_server && self.read_server().is_none(), false)?;
        Ok(secret.into_keys().collect())
    }

    /// The settings that the texts of `--k3s-extra-args` mean.
    pub(super) fn typed(&self, texts: &[String]) -> Result<Settings, Problem> {
        (self.distribution.flags.settings)(&texts.join(" "))
            .map_err(|error| problem!(Code::FLAG_VALUE, "--k3s-extra-args: {error}"))
    }

    /// Flags of k3s, each where the inventory has it.
    pub(super) fn extra(
        &mut self,
        mut extra: Settings,
        is_whole: bool,
        no_extras: bool,
    ) -> Result<(), Problem> {
        let is_server = self.target().get("role") == Some(&json!("server"));
        let flags = &self.distribution.flags;
        let is_known = flags.is_known;
        let is_servers_only =
            |key: &&String| is_known(key, Role::Server) && !is_known(key, Role::Agent);
        if !is_server && let Some(key) = extra.keys().find(is_servers_only) {
            let adhoc = match key.as_str() {
                "flannel-backend" => "--flannel-backend (or --no-flannel)".to_owned(),
                key => format!("--{key}"),
            };
            return Err(problem!(
                Code::FLAG_UNFIT,
                "--k3s-extra-args: {adhoc} is for servers, and an agent does not start with it"
            )
            .next("leave it out: what servers decide, an agent takes from them"));
        }
        let take = |extra: &mut Settings, key: &str| extra.remove(key);
        if let Some(Value::Array(names)) = take(&mut extra, "tls-san") {
            append(&mut self.draft.cluster, "tls_sans", names);
        }
        if take(&mut extra, "cluster-init") == Some(Value::Bool(true)) {
            self.draft.cluster.insert("datastore".into(), json!("etcd"));
        }
        for (key, instead) in [
            (
                "token",
                "--token-file FILE (a joining host reads it from the server)",
            ),
            ("agent-token", "an inventory has  agent_token_file: FILE"),
            ("server", "towline join --server-ip ADDRESS"),
        ] {
            if extra.contains_key(key) {
                return Err(problem!(
                    Code::FLAG_UNFIT,
                    "--k3s-extra-args: --{key} does not belong here"
                )
                .next(instead));
            }
        }
        let host = self.target();
        if let Some(name) = take(&mut extra, "node-name") {
            host.insert("node_name".into(), name);
        }
        for label in list(take(&mut extra, "node-label")) {
            let (key, value) = label.split_once('=').unwrap_or((&label, ""));
            object(host, "labels").insert(key.to_owned(), json!(value));
        }
        let taints = list(take(&mut extra, "node-taint"));
        append(host, "taints", taints.into_iter().map(Value::String));
        match list(take(&mut extra, "node-ip")).as_slice() {
            [] => {}
            [one] => drop(host.insert("private_address".into(), json!(one))),
            more => drop(object(host, "config").insert("node-ip".into(), json!(more.join(",")))),
        }
        let external = list(take(&mut extra, "node-external-ip"));
        if !external.is_empty() {
            object(host, "config").insert("node-external-ip".into(), json!(external.join(",")));
        }
        // A disk is one machine's, not the cluster's.
        if let Some(folder) = take(&mut extra, "data-dir") {
            object(host, "config").insert("data-dir".into(), folder);
        }
        if no_extras {
            let mut disable = list(extra.remove("disable"));
            for name in ["servicelb", "traefik"] {
                if !disable.iter().any(|own| own == name) {
                    disable.push(name.to_owned());
                }
            }
            extra.insert("disable".into(), json!(disable));
        }
        if extra.is_empty() {
            return Ok(());
        }
        // What is typed for a cluster's first server is the cluster's; what is typed for a host
        // that joins is its own, except what all servers must share.
        let (shared, own): (Settings, Settings) = extra
            .into_iter()
            .partition(|(key, _)| is_whole || (is_server && flags.shared.contains(&key.as_str())));
        if !shared.is_empty() {
            object(&mut self.draft.cluster, "config").extend(shared);
        }
        if !own.is_empty() {
            object(self.target(), "config").extend(own);
        }
        Ok(())
    }
}

fn list(value: Option<Value>) -> Vec<String> {
    let word = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    match value {
        None => Vec::new(),
        Some(Value::Array(items)) => items.iter().map(word).collect(),
        Some(one) => vec![word(&one)],
    }
}
