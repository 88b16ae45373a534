//! Where k3s keeps its files on a host, what its units are called, and which of its settings
//! matter only once.

use std::fmt;

use crate::inventory::Role;

/// The binary; `kubectl`, `crictl` and `ctr` are links to it.
pub const BINARY: &str = "/usr/local/bin/k3s";
/// The directory of the binary and of its links.
pub const BINARY_DIRECTORY: &str = "/usr/local/bin";
/// The directory of the configuration.
pub const CONFIG_DIRECTORY: &str = "/etc/rancher/k3s";
/// The settings of the server or agent; holds the token, so it is readable by root only.
pub const CONFIG: &str = "/etc/rancher/k3s/config.yaml";
/// Further settings, read after [`CONFIG`] in alphabetical order.
pub const CONFIG_DROP_INS: &str = "/etc/rancher/k3s/config.yaml.d";
/// Mirrors and credentials of image registries.
pub const REGISTRIES: &str = "/etc/rancher/k3s/registries.yaml";
/// The kubeconfig that a server writes for its own root.
pub const KUBECONFIG: &str = "/etc/rancher/k3s/k3s.yaml";
/// The secret by which a server recognises a node that comes back.
pub const NODE_PASSWORD: &str = "/etc/rancher/node/password";
/// Everything that k3s keeps, unless `data-dir` says otherwise.
pub const DATA_DIRECTORY: &str = "/var/lib/rancher/k3s";
/// The token of a running server, in its full form; relative to the data directory.
pub const SERVER_TOKEN: &str = "server/token";
/// The token that agents join with; relative to the data directory.
pub const AGENT_TOKEN: &str = "server/agent-token";
/// The certificate of the cluster's own authority; relative to the data directory.
pub const SERVER_CA: &str = "server/tls/server-ca.crt";
/// The kubeconfig of an agent's kubelet: may read its own node; relative to the data directory.
pub const KUBELET_KUBECONFIG: &str = "agent/kubelet.kubeconfig";
/// Manifests that a server applies by itself; relative to the data directory.
pub const MANIFESTS: &str = "server/manifests";
/// Images that are loaded without a registry; relative to the data directory.
pub const IMAGES: &str = "agent/images";
/// The port of the API, and of what servers and agents ask each other when they join.
pub const API_PORT: u16 = 6443;

/// The systemd unit of a role, without `.service`.
pub const fn unit(role: Role) -> &'static str {
    match role {
        Role::Server => "k3s",
        Role::Agent => "k3s-agent",
    }
}

/// The command of the binary that runs a role.
pub const fn subcommand(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Agent => "agent",
    }
}

/// What a cluster keeps its state in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datastore {
    /// One file on a single server; a second server cannot join it.
    Sqlite,
    /// The etcd inside the servers.
    Etcd,
}

impl Datastore {
    /// Where it lies, relative to the data directory; that it exists tells which one is in use.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Sqlite => "server/db/state.db",
            Self::Etcd => "server/db/etcd",
        }
    }

    /// Which one a server uses, from which of the two paths exist on it. Where etcd's directory
    /// exists it is in force, whatever the config says; `None` is a server that never started.
    pub const fn in_use(sqlite_exists: bool, etcd_exists: bool) -> Option<Self> {
        match (sqlite_exists, etcd_exists) {
            (_, true) => Some(Self::Etcd),
            (true, false) => Some(Self::Sqlite),
            (false, false) => None,
        }
    }
}

impl fmt::Display for Datastore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Etcd => "etcd",
        })
    }
}

/// Keys of config.yaml that matter only when a node starts for the first time: how it joins, and
/// what its node object is made with. On a node that has data another value changes nothing.
pub const FIRST_START_KEYS: [&str; 8] = [
    "agent-token",
    "agent-token-file",
    "cluster-init",
    "node-label",
    "node-taint",
    "server",
    "token",
    "token-file",
];

/// Whether a key of config.yaml matters only at the first start; `key+` appends to a list.
pub fn matters_only_at_first_start(key: &str) -> bool {
    FIRST_START_KEYS.contains(&key.strip_suffix('+').unwrap_or(key))
}

/// Keys of config.yaml that must be the same on all servers of a cluster: k3s refuses to start a
/// server that differs from the others in one of them.
pub const SHARED_SERVER_KEYS: [&str; 15] = [
    "cluster-cidr",
    "cluster-dns",
    "cluster-domain",
    "disable-cloud-controller",
    "disable-helm-controller",
    "disable-network-policy",
    "egress-selector-mode",
    "embedded-registry",
    "flannel-backend",
    "flannel-external-ip",
    "flannel-ipv6-masq",
    "secrets-encryption",
    "secrets-encryption-provider",
    "service-cidr",
    "supervisor-metrics",
];

/// Whether a key of config.yaml must be the same on all servers; of `disable` only the part that
/// names `servicelb` must.
pub fn must_be_shared_by_servers(key: &str) -> bool {
    SHARED_SERVER_KEYS.contains(&key.strip_suffix('+').unwrap_or(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_and_the_command_follow_the_role() {
        assert_eq!(
            (unit(Role::Server), subcommand(Role::Server)),
            ("k3s", "server")
        );
        assert_eq!(
            (unit(Role::Agent), subcommand(Role::Agent)),
            ("k3s-agent", "agent")
        );
    }

    #[test]
    fn the_datastore_is_what_lies_on_the_disk() {
        for (sqlite, etcd, expected) in [
            (false, false, None),
            (true, false, Some(Datastore::Sqlite)),
            (false, true, Some(Datastore::Etcd)),
            // A server that was moved from sqlite to etcd and kept both.
            (true, true, Some(Datastore::Etcd)),
        ] {
            assert_eq!(Datastore::in_use(sqlite, etcd), expected, "{sqlite} {etcd}");
        }
        assert_eq!(Datastore::Etcd.to_string(), "etcd");
        assert!(Datastore::Sqlite.path().ends_with("state.db"));
    }

    #[test]
    fn some_keys_matter_once_and_some_must_be_shared() {
        for (key, once, shared) in [
            ("token", true, false),
            ("token-file", true, false),
            ("agent-token", true, false),
            ("cluster-init", true, false),
            ("server", true, false),
            ("node-label", true, false),
            ("node-label+", true, false),
            ("node-taint", true, false),
            ("tls-san", false, false),
            ("cluster-cidr", false, true),
            ("flannel-backend", false, true),
            ("kubelet-arg", false, false),
        ] {
            assert_eq!(matters_only_at_first_start(key), once, "{key}");
            assert_eq!(must_be_shared_by_servers(key), shared, "{key}");
        }
    }
}
