//! Rows of what is told as a table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// The key that a host shows.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
pub struct HostKeyRow {
    /// The host, or one that others are reached through.
    pub host: String,
    /// Its address, as `known_hosts` names it.
    pub address: String,
    /// The type of the key, such as `ssh-ed25519`; none where the host showed none.
    pub key_type: Option<String>,
    /// Its fingerprint, `SHA256:…`.
    pub fingerprint: Option<String>,
    /// Whether it is known.
    pub state: HostKeyState,
}

/// What is known of a host's key.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum HostKeyState {
    /// It is known.
    Known,
    /// It was recorded just now.
    Recorded,
    /// It is not known.
    Unknown,
    /// Another key is known.
    Changed,
    /// It is revoked.
    Revoked,
    /// The host was not reached.
    Unreached,
}

/// A member of etcd.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
pub struct MemberRow {
    /// Its name.
    pub name: String,
    /// Whether it votes, or only learns yet.
    pub votes: bool,
    /// Where the others reach it.
    pub address: String,
}

/// A node as it is seen from outside.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
pub struct NodeRow {
    /// Its name.
    pub name: String,
    /// Whether it is Ready.
    pub ready: bool,
    /// Its roles.
    pub roles: String,
    /// Its kubelet's version.
    pub version: String,
    /// Its internal address.
    pub internal_ip: String,
    /// Whether its host was not reached in this run, so that the rest is what the cluster last heard.
    #[serde(default)]
    pub last_heard: bool,
}

/// A snapshot of a cluster's data.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
pub struct SnapshotRow {
    /// Its name.
    pub snapshot: String,
    /// The server that has it, or whose node it belongs to.
    pub host: String,
    /// Its size.
    pub bytes: Option<u64>,
    /// When it was taken: seconds since 1970.
    pub taken: Option<u64>,
    /// The file on the server, or where else it is.
    pub location: Option<String>,
    /// Why there is none.
    pub failure: Option<String>,
}

/// A user of a cluster that towline has made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
pub struct UserRow {
    /// What it is called.
    pub name: String,
    /// What the cluster calls it, in bindings and in its log.
    pub id: String,
    /// Whether it is a service account with a token; otherwise it has a certificate.
    pub service_account: bool,
    /// The group in its certificate.
    pub group: Option<String>,
    /// What it may do.
    pub roles: Vec<RoleRow>,
    /// What its group may do.
    pub group_roles: Vec<RoleRow>,
    /// Until when its certificate or token is valid: `2026-12-29T19:00:00Z`.
    pub expires: String,
    /// Whether that time is over.
    pub is_expired: bool,
}

/// A role that a user has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
pub struct RoleRow {
    /// The role.
    pub role: String,
    /// The only namespace in which it has it.
    pub namespace: Option<String>,
}

/// One step of a plan that is not as it should be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
pub struct Planned {
    /// The stage.
    pub stage: String,
    /// The host.
    pub host: String,
    /// The step.
    pub step: String,
    /// Whether it would change, is waited for, is not known yet, or cannot be done.
    pub state: PlannedState,
    /// What differs, with diffs of files.
    pub changes: Vec<PlannedChange>,
    /// Why it cannot be done.
    pub problem: Option<Problem>,
}

/// What is to be said of a step that is not as it should be.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum PlannedState {
    /// It would be changed.
    Change,
    /// It is under way.
    Pending,
    /// It is not known yet.
    Unknown,
    /// It cannot be done.
    Failed,
}

/// One difference.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
pub struct PlannedChange {
    /// What differs.
    pub what: String,
    /// The difference of a file's content.
    pub diff: Option<String>,
}
