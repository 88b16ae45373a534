//! Labels and taints, which k3s gives a node when it registers and never again.

use serde_json::json;

use super::config::Subject;
use super::effective::observed;
use super::settings::elements;
use crate::cluster::NodeRole;
use crate::distribution::Settings;
use crate::shell::quote;

impl Subject<'_> {
    /// What the node registers with.
    pub fn registration(&self) -> Settings {
        let mut config = Settings::new();
        let labels: Vec<_> = self
            .host
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={}", value.value))
            .collect();
        let taints: Vec<_> = self
            .host
            .taints
            .iter()
            .map(|taint| taint.value.clone())
            .collect();
        for (key, list) in [("node-label", labels), ("node-taint", taints)] {
            if !list.is_empty() {
                config.insert(key.into(), json!(list));
            }
        }
        config
    }

    /// What the user should know about labels and taints that differ from those of the join.
    pub fn registration_note(&self) -> Option<String> {
        if !self.facts.node.joined
            || self.role == NodeRole::Leader
            || self.role == NodeRole::Joining
        {
            return None;
        }
        let (own, wanted) = (observed(self.facts), self.registration());
        if self.situation.keep && wanted.is_empty() {
            return None;
        }
        let node = self.situation.node_name(self.host, self.facts);
        let mut differing = Vec::new();
        let mut commands = Vec::new();
        for (key, what, command) in [
            ("node-label", "labels", "label"),
            ("node-taint", "taints", "taint"),
        ] {
            let told = |of: &Settings| of.get(key).map(elements).unwrap_or_default();
            let changes = changes(&told(&own), &told(&wanted));
            if !changes.is_empty() {
                differing.push(what);
                // The host's own labels are what it says that they are.
                let words: Vec<_> = changes.iter().map(|change| quote(change)).collect();
                commands.push(format!(
                    "kubectl {command} node {} --overwrite {}",
                    quote(&node),
                    words.join(" ")
                ));
            }
        }
        (!differing.is_empty()).then(|| {
            format!(
                "{}: its {} differ from those it joined with; k3s gives them at the join only:  {}",
                self.host.name,
                differing.join(" and "),
                commands.join("  and  ")
            )
        })
    }
}

/// What a kubectl has to be told of labels (`key=value`) or taints (`key=value:Effect`): those that
/// are new, then those that go, with a dash. What a host has beyond the letters of one is left out.
fn changes(own: &[String], wanted: &[String]) -> Vec<String> {
    let without_value = |word: &str| {
        let key = word.split(['=', ':']).next().unwrap_or_default();
        match word.rsplit_once(':') {
            Some((_, effect)) => format!("{key}:{effect}"),
            None => key.to_owned(),
        }
    };
    let is_plain = |word: &str| {
        word.chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "-_./=:".contains(letter))
    };
    let stays: Vec<_> = wanted.iter().map(|word| without_value(word)).collect();
    let new = wanted.iter().filter(|word| !own.contains(word)).cloned();
    let gone = own
        .iter()
        .filter(|word| is_plain(word) && !stays.contains(&without_value(word)))
        .map(|word| format!("{}-", without_value(word)));
    new.chain(gone).collect()
}
