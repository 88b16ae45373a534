//! What is particular to k3s among the settings of a cluster.

use serde_json::Value;

use crate::distribution::Settings;
use crate::inventory::Role;

/// The port of a server's API and of its supervisor.
pub const API_PORT: u16 = 6443;

/// Where the data is unless another folder is configured.
pub const DATA_DIR: &str = "/var/lib/rancher/k3s";

/// The name of the systemd unit, without `.service`: the installer's own.
pub const fn unit(role: Role) -> &'static str {
    match role {
        Role::Server => "k3s",
        Role::Agent => "k3s-agent",
    }
}

/// The command of the binary that the unit runs.
pub const fn subcommand(role: Role) -> &'static str {
    match role {
        Role::Server => "server",
        Role::Agent => "agent",
    }
}

/// Keys of config.yaml that matter only when a host starts for the first time: how it comes into
/// the cluster, and with what its node registers. On a host with data they are no drift.
const FIRST_START_KEYS: [&str; 9] = [
    "agent-token",
    "agent-token-file",
    "cluster-init",
    "node-label",
    "node-taint",
    "server",
    "token",
    "token-file",
    "vpn-auth",
];

/// Keys whose values all servers of a cluster must share: k3s compares them when a server joins
/// (`critical configuration value mismatch between servers`). Of `disable` it compares `servicelb`
/// only, and servers that differ in the rest would install and remove in turn.
pub const MUST_BE_EQUAL: [&str; 16] = [
    "cluster-cidr",
    "cluster-dns",
    "cluster-domain",
    "disable",
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

/// What holds for a key of [`MUST_BE_EQUAL`] when nothing is said; false for what is a switch.
pub fn shared_default(key: &str) -> Option<&'static str> {
    Some(match key {
        "cluster-cidr" => "10.42.0.0/16",
        "cluster-dns" => "10.43.0.10",
        "cluster-domain" => "cluster.local",
        "egress-selector-mode" => "agent",
        "flannel-backend" => "vxlan",
        "secrets-encryption-provider" => "aescbc",
        "service-cidr" => "10.43.0.0/16",
        _ => return None,
    })
}

/// Whether two values mean the same to k3s: a list and its words with commas, any order, the default
/// and nothing at all.
pub fn same_setting(key: &str, one: Option<&Value>, other: Option<&Value>) -> bool {
    plain(key, one) == plain(key, other)
}

/// A value in the one form that all its spellings share.
fn plain(key: &str, value: Option<&Value>) -> String {
    let mut words = words(value.filter(|value| **value != false));
    words.retain(|word| word != "false");
    words.sort();
    words.dedup();
    match (words.is_empty(), shared_default(key)) {
        (true, Some(default)) => default.to_owned(),
        _ => words.join(","),
    }
}

/// The words of a value; k3s divides them at commas.
pub(super) fn words(value: Option<&Value>) -> Vec<String> {
    let texts = value.map(elements).unwrap_or_default();
    let words = texts.iter().flat_map(|text| text.split(','));
    let words = words.map(|word| word.trim().to_owned());
    words.filter(|word| !word.is_empty()).collect()
}

/// The elements of a list, or the one that a value is, as texts.
pub(super) fn elements(value: &Value) -> Vec<String> {
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    };
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

/// The keys that two configurations of servers have different values for, where all must have the
/// same.
pub(super) fn unequal<'a>(
    one: &'a Settings,
    other: &'a Settings,
) -> impl Iterator<Item = &'static str> {
    MUST_BE_EQUAL
        .into_iter()
        .filter(|key| !same_setting(key, one.get(*key), other.get(*key)))
}

/// Whether a key of config.yaml matters only at the first start, also in its form `key+`.
pub fn matters_only_at_first_start(key: &str) -> bool {
    FIRST_START_KEYS.contains(&key.strip_suffix('+').unwrap_or(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_keys_matter_once() {
        for (key, once) in [
            ("token", true),
            ("token-file", true),
            ("agent-token", true),
            ("cluster-init", true),
            ("server", true),
            ("node-label", true),
            ("node-label+", true),
            ("node-taint", true),
            ("tls-san", false),
            ("cluster-cidr", false),
            ("kubelet-arg", false),
        ] {
            assert_eq!(matters_only_at_first_start(key), once, "{key}");
        }
    }
}
