//! Labels and taints, which k3s gives a node when it registers, and labels again when it starts
//! (`updateMutableLabels` in pkg/agent/run.go).

use serde_json::json;

use super::settings::words;
use crate::cluster::Registration;
use crate::distribution::Settings;

/// The settings that are labels and taints.
pub(super) const KEYS: [&str; 2] = ["node-label", "node-taint"];

/// What settings say of a node's labels and taints.
pub(super) fn told(settings: &Settings) -> Registration {
    let [labels, taints] = KEYS.map(|key| {
        let added = settings.get(&format!("{key}+"));
        [words(settings.get(key)), words(added)].concat()
    });
    Registration::read(&labels, &taints)
}

/// The settings by which a node registers with these.
pub(super) fn settings(registration: &Registration) -> Settings {
    let lists = [registration.label_words(), registration.taint_words()];
    let lists = KEYS
        .into_iter()
        .zip(lists)
        .filter(|(_, list)| !list.is_empty());
    lists
        .map(|(key, list)| (key.to_owned(), json!(list)))
        .collect()
}

/// Whether a key of config.yaml is one of them, also in its form `key+`.
pub(super) fn is_registration(key: &str) -> bool {
    KEYS.contains(&key.trim_end_matches('+'))
}
