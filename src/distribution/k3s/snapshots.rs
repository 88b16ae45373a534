//! Snapshots of a cluster's data.

use serde::Deserialize;
use serde_json::Value;

use super::effective::effective_config;
use super::token::token_password;
use super::tokens::agent_token;
use crate::digest::sha256;
use crate::distribution::{RecordedSnapshot, Snapshots};
use crate::facts::Facts;

/// How k3s saves its data.
pub(super) static SNAPSHOTS: Snapshots = Snapshots {
    script: include_str!("snapshots.sh"),
    folder,
    records,
    token_fingerprint,
    agent_token,
};

/// The folder that a server keeps its snapshots in.
///
/// # Errors
/// Why it cannot be told.
fn folder(facts: &Facts) -> Result<String, String> {
    let settings = effective_config(facts)?;
    let told = settings.get("etcd-snapshot-dir").and_then(Value::as_str);
    match told.filter(|told| !told.is_empty()) {
        None => Ok(format!("{}/server/db/snapshots", facts.node.data_dir)),
        Some(told) if told.starts_with('/') && !told.contains(char::is_control) => {
            Ok(told.to_owned())
        }
        Some(told) => Err(format!("etcd-snapshot-dir is no absolute path: {told}")),
    }
}

/// What tells which token a snapshot needs: as k3s notes it with each, the first 12 digits of the hash of the token's
/// password (k3s: pkg/util, `GetTokenHash`).
fn token_fingerprint(token: &str) -> String {
    let mut hash = sha256(token_password(token));
    hash.truncate(12);
    hash
}

/// An `ETCDSnapshotFile`, as far as it is read.
#[derive(Deserialize)]
struct SnapshotObject {
    spec: SnapshotSpec,
    #[serde(default)]
    status: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotSpec {
    snapshot_name: String,
    node_name: String,
    location: String,
}

fn records(told: &str) -> Vec<RecordedSnapshot> {
    let list: Option<Value> = serde_json::from_str(told).ok();
    let items = list.as_ref().and_then(|list| list["items"].as_array());
    let objects = items.into_iter().flatten();
    objects
        .filter_map(|object| serde_json::from_value::<SnapshotObject>(object.clone()).ok())
        .map(|SnapshotObject { spec, status }| RecordedSnapshot {
            name: spec.snapshot_name,
            node: spec.node_name,
            bytes: status["size"].as_str().and_then(|size| size.parse().ok()),
            taken: status["creationTime"].as_str().map(str::to_owned),
            failure: status["error"]["message"].as_str().map(str::to_owned),
            elsewhere: (!spec.location.starts_with("file://")).then_some(spec.location),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cluster_says_of_snapshots() {
        let told = r#"{"items": [
            {"spec": {"snapshotName": "a-m1-1", "nodeName": "m1", "location": "file:///x/a-m1-1"}, "status": {"size": "12", "creationTime": "2026-11-29T10:00:00Z"}},
            {"spec": {"snapshotName": "a-m1-2", "nodeName": "m1", "location": "file:///x/a-m1-2"}, "status": {"error": {"message": "no space left on device"}}},
            {"spec": {"snapshotName": "a-m1-3", "nodeName": "s3", "location": "s3://bucket/a-m1-3"}},
            {"spec": {"snapshotName": 7}}
        ]}"#;
        let all = records(told);
        let failures: Vec<_> = all.iter().map(|one| one.failure.as_deref()).collect();
        assert_eq!(failures, [None, Some("no space left on device"), None]);
        assert_eq!(all[0].bytes, Some(12));
        assert_eq!(all[2].elsewhere.as_deref(), Some("s3://bucket/a-m1-3"));
        assert!(records("no JSON").is_empty() && records(r#"{"items": 3}"#).is_empty());
    }

    #[test]
    fn the_password_of_a_token_is_what_its_fingerprint_is_of() {
        let full = format!("K10{}::server:secret", "ab".repeat(32));
        assert_eq!(token_fingerprint("secret"), "2bb80d537b1d");
        assert_eq!(token_fingerprint(&full), token_fingerprint("secret"));
    }
}
