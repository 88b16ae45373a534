//! `--extra-args`: flags of the distribution, each where the inventory has it.

use serde_json::{Map, Value, json};

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
        let is_whole = self.is_server() && self.read_server().is_none();
        self.extra(open, is_whole, false)?;
        Ok(secret.into_keys().collect())
    }

    /// The settings that the texts of `--extra-args` mean.
    pub(super) fn typed(&self, texts: &[String]) -> Result<Settings, Problem> {
        (self.distribution.flags.settings)(&texts.join(" "))
            .map_err(|error| problem!(Code::FLAG_VALUE, "--extra-args: {error}"))
    }

    /// Flags of the distribution, each where the inventory has it.
    pub(super) fn extra(
        &mut self,
        mut extra: Settings,
        is_whole: bool,
        no_extras: bool,
    ) -> Result<(), Problem> {
        let is_server = self.is_server();
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
                "--extra-args: {adhoc} is for servers, and an agent does not start with it"
            )
            .next("leave it out: what servers decide, an agent takes from them"));
        }
        let elsewhere = flags.elsewhere.iter();
        if let Some((key, instead)) = elsewhere.clone().find(|(key, _)| extra.contains_key(*key)) {
            return Err(problem!(
                Code::FLAG_UNFIT,
                "--extra-args: --{key} does not belong here"
            )
            .next(*instead));
        }
        if no_extras && !flags.extras.is_empty() {
            let disable = extra.entry("disable".to_owned()).or_insert(json!([]));
            let names = flags.extras.iter().map(|name| json!(name));
            let mut lists = Map::from_iter([("disable".to_owned(), disable.take())]);
            append(&mut lists, "disable", names);
            *disable = lists.remove("disable").unwrap_or_default();
        }
        let placed = (flags.placed)(&mut extra);
        merge(&mut self.draft.cluster, placed.cluster);
        merge(self.target(), placed.host);
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

/// Adds to what is there already.
fn merge(all: &mut Map<String, Value>, more: Map<String, Value>) {
    for (key, value) in more {
        match value {
            Value::Array(values) => append(all, &key, values),
            Value::Object(values) => object(all, &key).extend(values),
            value => drop(all.insert(key, value)),
        }
    }
}
