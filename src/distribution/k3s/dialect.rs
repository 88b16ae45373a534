//! What inventories say in the words of k3s.

use super::settings::DATA_DIR;
use super::{documents, environment, keys, ranges};
use crate::inventory::{Dialect, Role, RoleWord, own_files};

/// What towline writes itself on hosts of k3s, and where it is said instead.
const OWN_FILES: [(&str, &str); 8] = [
    (
        "/etc/rancher/k3s/kubelet.yaml",
        "say it with `kubelet_config`",
    ),
    (
        "/etc/rancher/k3s/audit-policy.yaml",
        "say it with `audit_policy`",
    ),
    ("/etc/rancher/k3s/config.yaml", "say it with `config`"),
    (
        "/etc/rancher/k3s/registries.yaml",
        "say it with `registries`",
    ),
    (
        "/etc/systemd/system/k3s.service",
        "write a drop-in of the unit",
    ),
    (
        "/etc/systemd/system/k3s-agent.service",
        "write a drop-in of the unit",
    ),
    (
        "/etc/systemd/system/k3s.service.env",
        "say it with `environment`",
    ),
    (
        "/etc/systemd/system/k3s-agent.service.env",
        "say it with `environment`",
    ),
];

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
    // As in its release 1.36, below `manifests`.
    manifests: &[
        "aggregated-metrics-reader",
        "auth-delegator",
        "auth-reader",
        "ccm",
        "coredns",
        "local-storage",
        "metrics-apiservice",
        "metrics-server-deployment",
        "metrics-server-service",
        "resource-reader",
        "rolebindings",
        "runtimes",
        "traefik",
    ],
    data_dir_key: "data-dir",
    data_dir: DATA_DIR,
    token: "on a server, in /var/lib/rancher/k3s/server/token",
    agent_token: "on a server, in /var/lib/rancher/k3s/server/agent-token",
    registry_files: "/etc/rancher/k3s/registries",
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
        (
            &["datastore-endpoint"],
            "say it with `cluster.datastore_endpoint`: {env: NAME}, {file: PATH} or {command: […]} keeps it out of this file",
        ),
        (
            &["datastore-cafile"],
            "say it with `cluster.datastore_ca_file`: the file of this machine is brought to the servers",
        ),
        (
            &["datastore-certfile", "datastore-keyfile"],
            "say it with `cluster.datastore_certificate_file` and `cluster.datastore_key_file`: the files of this machine are brought to the servers",
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
        remarks.extend(environment::remarks(inventory));
        remarks.extend(documents::remarks(inventory));
        remarks.extend(own_files(inventory, &OWN_FILES));
        remarks
    },
};
