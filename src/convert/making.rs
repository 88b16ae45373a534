//! An inventory in the making from another tool's: hosts with all that they were told, made short by
//! what hosts share, and then judged by the reader of inventories.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::placed::{Located, SettingKey, path_at};
use super::{ConvertError, Converted, Judge, Omission, Place};
use crate::inventory::{self, Role};
use crate::problem::{Code, Problem, problem};
use crate::vars::mask::holds_a_secret;

/// What to do with the secret of a key.
fn advice(key: &str) -> &'static str {
    match key {
        "token" => "put it in a file and set `token_file: FILE` under `cluster`",
        "agent-token" => "put it in a file and set `agent_token_file: FILE` under `cluster`",
        "datastore-endpoint" => {
            "put it in a file and set `datastore_endpoint: {file: FILE}` under `cluster`"
        }
        _ => "add it yourself if this inventory may hold it",
    }
}

/// Takes the items of a value that hold a secret out of it; whether anything is left.
fn is_kept(key: &str, said: &mut Located<Value>, found: &mut Vec<(String, Place)>) -> bool {
    let is_secret = |value: &Value| match value {
        Value::String(text) => holds_a_secret(key, text),
        other => holds_a_secret(key, &other.to_string()),
    };
    let (is_secret, is_kept) = match &mut said.value {
        Value::Array(items) => {
            let before = items.len();
            items.retain(|item| !is_secret(item));
            (items.len() < before, !items.is_empty() || before == 0)
        }
        value => (is_secret(value), !is_secret(value)),
    };
    found.extend(is_secret.then(|| (key.to_owned(), said.at.clone())));
    is_kept
}

/// A problem with what was left out as its reasons: where nothing is made, nothing else tells them.
pub(super) fn because_of(problem: Problem, left_out: Vec<Omission>) -> Problem {
    let reasons = Omission::in_order(left_out).into_iter();
    reasons.fold(problem, |problem, left| {
        problem.because(format!("{}: {}", left.place, left.what))
    })
}

/// The taint that keeps workloads from servers.
pub(super) const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane:NoSchedule";

/// A host in the making.
#[derive(Debug)]
pub(super) struct HostDraft {
    /// Its name in the source.
    pub name: String,
    /// Where the source names it first.
    pub at: Place,
    pub role: Role,
    /// The distribution's own word for its role, where it is another one.
    pub word: Option<&'static str>,
    pub address: Option<Located<String>>,
    pub private_address: Option<Located<String>>,
    pub interface: Option<Located<String>>,
    pub node_name: Option<Located<String>>,
    /// Names of groups that it may share settings with.
    pub groups: Vec<String>,
    pub settings: BTreeMap<SettingKey, Located<Value>>,
}

impl HostDraft {
    /// A host of which nothing is known yet.
    pub fn new(name: &str, at: Place, role: Role) -> Self {
        Self {
            name: name.to_owned(),
            at,
            role,
            word: None,
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

    /// Adds a taint; kubectl's `key=:Effect` is written without `=` here.
    pub fn taint(&mut self, taint: &str, at: &Place) {
        let taint = taint.replace("=:", ":");
        let said = Located::new(json!(taint), at);
        self.settings.insert(SettingKey::Taint(taint), said);
    }
}

/// An inventory in the making.
#[derive(Debug, Default)]
pub(super) struct Making {
    /// The keys of the block `cluster`.
    pub cluster: BTreeMap<&'static str, Located<Value>>,
    /// What stands under `config.spec` of it, by the path there.
    pub spec: Vec<(Vec<String>, Located<Value>)>,
    /// In the order of the source.
    pub hosts: Vec<HostDraft>,
    pub left_out: Vec<Omission>,
}

impl Making {
    /// The hosts that are servers.
    pub fn servers(&mut self) -> impl Iterator<Item = &mut HostDraft> {
        let hosts = self.hosts.iter_mut();
        hosts.filter(|host| host.role == Role::Server)
    }

    /// Lists something.
    pub fn leave(&mut self, at: &Place, what: impl Into<String>) {
        self.left_out.push(Omission::new(at, what));
    }

    /// Adds names of the API server's certificate.
    pub fn tls_san(&mut self, name: &str, at: &Place) {
        let none = || Located::new(json!([]), at);
        let sans = self.cluster.entry("tls_sans").or_insert_with(none);
        if let Value::Array(sans) = &mut sans.value
            && !sans.iter().any(|san| san == name)
        {
            sans.push(name.into());
        }
    }

    /// The inventory, which the reader takes: what it refuses is taken out and listed. In a
    /// literal source nothing names a variable of the environment.
    pub fn finish(
        mut self,
        source: &str,
        command: &str,
        is_literal: bool,
        judge: Judge<'_>,
    ) -> Result<Converted, ConvertError> {
        self.without_secrets();
        self.rename();
        let header = format!("# Converted from {source} by  towline inventory {command}\n");
        let mut left_out = std::mem::take(&mut self.left_out);
        let second = self.servers().nth(1).map(|host| host.at.clone());
        let mut placed = self.place();
        let file = Path::new("inventory.yaml");
        loop {
            let (made, judged) = if is_literal {
                let made = placed.draft().literal().text()?;
                (made.clone(), made)
            } else {
                (
                    placed.draft().text()?,
                    placed.without_unset_variables().text()?,
                )
            };
            let errors = match judge.read(&judged, file) {
                Ok(inventory) => {
                    return Ok(Converted {
                        text: header + &made,
                        hosts: inventory.hosts.len(),
                        left_out: Omission::in_order(left_out),
                    });
                }
                Err(errors) => errors,
            };
            let mut mistakes = errors.mistakes.iter();
            if mistakes.all(|mistake| mistake.code == Code::SERVER_COUNT)
                && let Some(at) = &second
            {
                let allowed = Located::new(json!(true), at);
                placed.put(&["cluster", "allow_two_servers"], allowed);
                let what = "with two servers, the cluster stops when either is lost; `allow_two_servers` says that this is meant";
                left_out.push(Omission::new(at, what));
                continue;
            }
            let trees = inventory::documents(&judged, file)?;
            let before = left_out.len();
            // From the end, so that the places of items stay.
            let mistakes = errors.mistakes.iter().rev();
            for mistake in mistakes.filter(|mistake| mistake.code != Code::SERVER_COUNT) {
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
                    left_out.push(Omission { place, what });
                }
            }
            if left_out.len() == before {
                let problem = problem!(
                    Code::SOURCE_INVALID,
                    "{source} cannot be made into an inventory"
                );
                let why = errors.mistakes.into_iter().next();
                let why = why.map_or_else(String::new, |mistake| mistake.message);
                return Err(because_of(problem, left_out).because(why).into());
            }
        }
    }

    /// Takes out what holds a secret, and lists it by its name.
    fn without_secrets(&mut self) {
        let mut found = Vec::new();
        self.cluster
            .retain(|key, said| is_kept(key, said, &mut found));
        self.spec.retain_mut(|(path, said)| {
            let last = path.last().map_or("", String::as_str);
            is_kept(last, said, &mut found)
        });
        for host in &mut self.hosts {
            host.settings.retain(|key, said| match key.parts() {
                (block @ "taints", _) => is_kept(block, said, &mut found),
                (_, key) => is_kept(key, said, &mut found),
            });
        }
        for (key, at) in found {
            let advice = advice(&key);
            let what = format!("`{key}` holds a secret, and secrets are not converted: {advice}");
            self.leave(&at, what);
        }
    }

    /// Gives hosts names that an inventory can have.
    fn rename(&mut self) {
        let mut taken = BTreeSet::new();
        for host in &mut self.hosts {
            let base = match inventory::suggested_name(&host.name) {
                name if name.is_empty() => "host".to_owned(),
                name => name,
            };
            let mut name = base.clone();
            let mut number = 2;
            while !taken.insert(name.to_ascii_lowercase()) {
                name = format!("{base}-{number}");
                number += 1;
            }
            if name != host.name {
                let old = std::mem::replace(&mut host.name, name);
                let what = format!("`{old}` is named {} here", host.name);
                self.left_out.push(Omission::new(&host.at, what));
                let address = || Located::new(old, &host.at);
                host.address.get_or_insert_with(address);
            }
        }
    }
}
