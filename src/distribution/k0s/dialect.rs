//! What inventories say in the words of k0s.

use super::{external, keys, registries};
use crate::inventory::{Dialect, Role, RoleWord, own_files};

/// What towline writes itself on hosts of k0s, and where it is said instead.
const OWN_FILES: [(&str, &str); 4] = [
    ("/etc/k0s/k0s.yaml", "say it with `config`"),
    (
        "/etc/k0s/containerd.d/towline-registries.toml",
        "say it with `registries`",
    ),
    (
        "/etc/systemd/system/k0scontroller.service",
        "write a drop-in of the unit",
    ),
    (
        "/etc/systemd/system/k0sworker.service",
        "write a drop-in of the unit",
    ),
];

/// Why an inventory names no token.
const NO_TOKEN: &str = "k0s has no token that lasts: towline makes those by which hosts join, and takes them back at the end of the run";

/// The words of k0s.
pub const DIALECT: Dialect = Dialect {
    name: "k0s",
    first_build: "+k0s.0",
    roles: &[
        RoleWord {
            word: "server",
            role: Role::Server,
            settings: &[("enable-worker", true), ("no-taints", true)],
        },
        RoleWord {
            word: "agent",
            role: Role::Agent,
            settings: &[],
        },
        RoleWord {
            word: "controller",
            role: Role::Server,
            settings: &[],
        },
        RoleWord {
            word: "controller+worker",
            role: Role::Server,
            settings: &[("enable-worker", true)],
        },
        RoleWord {
            word: "single",
            role: Role::Server,
            settings: &[("single", true)],
        },
        RoleWord {
            word: "worker",
            role: Role::Agent,
            settings: &[],
        },
    ],
    lacks: &[
        ("token", NO_TOKEN),
        ("token_file", NO_TOKEN),
        ("agent_token", NO_TOKEN),
        ("agent_token_file", NO_TOKEN),
        (
            "server_url",
            "name a controller of that cluster among the hosts: hosts join with a token that it makes",
        ),
        (
            "environment",
            "write a drop-in of its unit with `files`: /etc/systemd/system/k0scontroller.service.d/environment.conf",
        ),
        (
            "kubelet_config",
            "write `workerProfiles` under `spec` of `config`, and name one with `profile`",
        ),
        (
            "audit_policy",
            "put the file there with `files`, and name it in `api.extraArgs` under `spec` of `config`",
        ),
        ("embedded_registry", "k0s does not share images among nodes"),
        // Parts of `registries`.
        (
            "rewrite",
            "its containerd has none; what stands before every name is written into the mirror's URL: https://mirror.example.org/v2/hub",
        ),
        (
            "identity_token",
            "its containerd is told no such token: write `username` and `password`",
        ),
        (
            "datastore",
            "it is etcd, or what `datastore_endpoint` says; `role: single` keeps the data in sqlite",
        ),
        (
            "registration_address",
            "hosts join at the `endpoint`, which k0s calls spec.api.externalAddress",
        ),
    ],
    manifests: &[],
    data_dir_key: "data-dir",
    data_dir: "/var/lib/k0s",
    token: "made by `k0s token create` on a controller",
    agent_token: "made by `k0s token create` on a controller",
    registry_files: registries::FOLDER,
    spelling: |key| key.trim_start_matches('-').replace('_', "-"),
    reserved: &[
        (
            &["config", "c"],
            "towline writes the one k0s.yaml: write what it says under `spec`",
        ),
        (
            &["apiVersion", "kind", "metadata"],
            "it is the same in every k0s.yaml: write `spec` alone",
        ),
        (&["token-file"], NO_TOKEN),
        (&["labels"], "say it with `labels`"),
        (&["taints"], "say it with `taints`"),
        (
            &["enable-worker"],
            "say it with the host's role: `controller+worker`, or `server`, which has no taint",
        ),
        (&["single"], "say it with the host's role: `single`"),
        (
            &["init-only"],
            "it is for one start of k0s, not for every one",
        ),
        (&["D"], "write data-dir"),
    ],
    per_host: &[],
    remarks: |inventory| {
        let mut remarks = keys::remarks(inventory);
        remarks.extend(external::remarks(inventory));
        remarks.extend(registries::remarks(inventory));
        remarks.extend(own_files(inventory, &OWN_FILES));
        remarks
    },
};
