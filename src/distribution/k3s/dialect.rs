//! What inventories say in the words of k3s.

use super::settings::DATA_DIR;
use super::{keys, ranges};
use crate::inventory::{Dialect, Role, RoleWord};

/// The words of k3s.
pub const DIALECT: Dialect = Dialect {
    name: "k3s",
    first_build: "+k3s1",
    roles: &[
        RoleWord {
            word: "server",
            role: Role::Server,
            settings: &[],
        },
        RoleWord {
            word: "agent",
            role: Role::Agent,
            settings: &[],
        },
    ],
    lacks: &[],
    data_dir_key: "data-dir",
    data_dir: DATA_DIR,
    token: "on a server, in /var/lib/rancher/k3s/server/token",
    agent_token: "on a server, in /var/lib/rancher/k3s/server/agent-token",
    spelling: |key| key.trim_start_matches('-').replace('_', "-"),
    reserved: &[
        (
            &["token", "t", "token-file"],
            "say it with `cluster.token_file` or `cluster.token`",
        ),
        (
            &["agent-token", "agent-token-file"],
            "say it with `cluster.agent_token_file` or `cluster.agent_token`",
        ),
        (&["tls-san"], "say it with `cluster.tls_sans`"),
        (&["node-name"], "say it with the host's `node_name`"),
        (&["node-label"], "say it with `labels`"),
        (&["node-taint"], "say it with `taints`"),
        (
            &["cluster-init"],
            "towline decides which server starts the cluster",
        ),
        (
            &["server", "s"],
            "towline decides whom a host joins; `cluster.server_url` names a server elsewhere",
        ),
        (
            &["cluster-reset", "cluster-reset-restore-path"],
            "it is for one start of k3s, not for every one",
        ),
        (&["config", "c"], "towline writes the one config.yaml"),
        (&["d"], "write data-dir"),
        (
            &["data-dir+"],
            "a folder is not added to another: write data-dir",
        ),
    ],
    per_host: &["node-ip", "node-external-ip"],
    remarks: |inventory| {
        let mut remarks = keys::remarks(inventory);
        remarks.extend(ranges::remarks(inventory));
        remarks
    },
};
