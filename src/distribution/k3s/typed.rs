//! Typed flags of k3s that have a place of their own in an inventory.

use serde_json::{Map, Value, json};

use super::settings::words;
use crate::distribution::{PlacedFlags, Settings};

/// Flags that are typed otherwise, and how.
pub(super) const ELSEWHERE: [(&str, &str); 3] = [
    (
        "token",
        "--token-file FILE (a joining host reads it from the server)",
    ),
    ("agent-token", "an inventory has  agent_token_file: FILE"),
    ("server", "towline join --server-ip ADDRESS"),
];

/// Takes them out.
pub(super) fn placed(settings: &mut Settings) -> PlacedFlags {
    let mut take = |key: &str| settings.remove(key);
    let mut cluster = Map::new();
    let mut host = Map::new();
    if let Some(Value::Array(names)) = take("tls-san") {
        cluster.insert("tls_sans".into(), json!(names));
    }
    if take("cluster-init") == Some(Value::Bool(true)) {
        cluster.insert("datastore".into(), json!("etcd"));
    }
    host.extend(take("node-name").map(|name| ("node_name".to_owned(), name)));
    let labels = words(take("node-label").as_ref());
    if !labels.is_empty() {
        let label = |label: &String| {
            let (key, value) = label.split_once('=').unwrap_or((label, ""));
            (key.to_owned(), json!(value))
        };
        host.insert("labels".into(), labels.iter().map(label).collect());
    }
    host.insert("taints".into(), json!(words(take("node-taint").as_ref())));
    let mut config = Map::new();
    match words(take("node-ip").as_ref()).as_slice() {
        [] => {}
        [one] => drop(host.insert("private_address".into(), json!(one))),
        more => drop(config.insert("node-ip".into(), json!(more.join(",")))),
    }
    let external = words(take("node-external-ip").as_ref());
    if !external.is_empty() {
        config.insert("node-external-ip".into(), json!(external.join(",")));
    }
    // A disk is one machine's, not the cluster's.
    config.extend(take("data-dir").map(|folder| ("data-dir".to_owned(), folder)));
    if !config.is_empty() {
        host.insert("config".into(), Value::Object(config));
    }
    PlacedFlags { cluster, host }
}
