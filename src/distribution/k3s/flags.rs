//! The flags that k3s has, which are the keys of its config.yaml, from pkg/cli/cmds/{server,agent,root,
//! log,config}.go of v1.36.3. A server drops a key that it does not know, with one warning in its
//! journal; an agent refuses to start.

use super::version::Version;
use crate::inventory::{Role, similar};

/// The newest version that the tables are right for.
const NEWEST: (u64, u64, u64) = (1, 36, 3);

/// The oldest minor version that the tables are right for.
const OLDEST: (u64, u64) = (1, 34);

/// Of servers and agents.
const BOTH: [&str; 45] = [
    "airgap-extra-registry",
    "alsologtostderr",
    "bind-address",
    "config",
    "container-runtime-endpoint",
    "data-dir",
    "debug",
    "default-runtime",
    "disable-default-registry-endpoint",
    "docker",
    "enable-pprof",
    "flannel-cni-conf",
    "flannel-conf",
    "flannel-iface",
    "image-credential-provider-bin-dir",
    "image-credential-provider-config",
    "image-service-endpoint",
    "kube-proxy-arg",
    "kubelet-arg",
    "lb-server-port",
    "log",
    "node-external-dns",
    "node-external-ip",
    "node-internal-dns",
    "node-ip",
    "node-label",
    "node-name",
    "node-taint",
    "nonroot-devices",
    "pause-image",
    "prefer-bundled-bin",
    "private-registry",
    "protect-kernel-defaults",
    "resolv-conf",
    "rootless",
    "selinux",
    "server",
    "snapshotter",
    "token",
    "token-file",
    "v",
    "vmodule",
    "vpn-auth",
    "vpn-auth-file",
    "with-node-id",
];

/// Of servers only.
const SERVERS: [&str; 81] = [
    "advertise-address",
    "advertise-port",
    "agent-token",
    "agent-token-file",
    "apiserver-bind-address",
    "apiserver-port",
    "cluster-cidr",
    "cluster-dns",
    "cluster-domain",
    "cluster-init",
    "cluster-reset",
    "cluster-reset-restore-path",
    "datastore-cafile",
    "datastore-certfile",
    "datastore-endpoint",
    "datastore-keyfile",
    "default-local-storage-path",
    "disable",
    "disable-agent",
    "disable-apiserver",
    "disable-cloud-controller",
    "disable-controller-manager",
    "disable-etcd",
    "disable-helm-controller",
    "disable-kube-proxy",
    "disable-network-policy",
    "disable-scheduler",
    "egress-selector-mode",
    "embedded-registry",
    "etcd-arg",
    "etcd-disable-snapshots",
    "etcd-expose-metrics",
    "etcd-s3",
    "etcd-s3-access-key",
    "etcd-s3-bucket",
    "etcd-s3-bucket-lookup-type",
    "etcd-s3-config-secret",
    "etcd-s3-endpoint",
    "etcd-s3-endpoint-ca",
    "etcd-s3-folder",
    "etcd-s3-insecure",
    "etcd-s3-proxy",
    "etcd-s3-region",
    "etcd-s3-retention",
    "etcd-s3-secret-key",
    "etcd-s3-session-token",
    "etcd-s3-skip-ssl-verify",
    "etcd-s3-timeout",
    "etcd-snapshot-compress",
    "etcd-snapshot-dir",
    "etcd-snapshot-name",
    "etcd-snapshot-reconcile-interval",
    "etcd-snapshot-retention",
    "etcd-snapshot-schedule-cron",
    "flannel-backend",
    "flannel-external-ip",
    "flannel-ipv6-masq",
    "helm-controller-arg",
    "helm-job-image",
    "https-listen-port",
    "kine-tls",
    "kube-apiserver-arg",
    "kube-cloud-controller-arg",
    "kube-cloud-controller-manager-arg",
    "kube-controller-arg",
    "kube-controller-manager-arg",
    "kube-scheduler-arg",
    "secrets-encryption",
    "secrets-encryption-provider",
    "service-cidr",
    "service-node-port-range",
    "servicelb-namespace",
    "supervisor-metrics",
    "supervisor-port",
    "system-default-registry",
    "tls-san",
    "tls-san-security",
    "write-kubeconfig",
    "write-kubeconfig-group",
    "write-kubeconfig-mode",
    "write-kubeconfig-name",
];

/// Of agents only.
const AGENTS: [&str; 1] = ["disable-apiserver-lb"];

/// Flags that k3s has given up, and what there is instead.
const GONE: [(&str, &str); 5] = [
    ("cluster-secret", "token"),
    ("disable-selinux", "selinux: false, which is the default"),
    ("no-deploy", "disable"),
    ("no-flannel", "flannel-backend: none"),
    ("multi-cluster-cidr", "nothing: Kubernetes has given it up"),
];

/// Whether a role has this flag.
pub fn is_known(key: &str, role: Role) -> bool {
    let own: &[&str] = match role {
        Role::Server => &SERVERS,
        Role::Agent => &AGENTS,
    };
    BOTH.contains(&key) || own.contains(&key)
}

/// Whether the tables are right for a version, so that what they do not know is a mistake.
pub fn are_right_for(version: &str) -> bool {
    let Ok(version) = version.parse::<Version>() else {
        return false;
    };
    let Version {
        major,
        minor,
        patch,
        ..
    } = version;
    (major, minor) >= OLDEST && (major, minor, patch) <= NEWEST
}

/// What was probably meant by a key that a role does not have, as a sentence.
pub fn instead(key: &str, role: Role) -> Option<String> {
    if let Some((_, instead)) = GONE.iter().find(|(gone, _)| *gone == key) {
        return Some(format!("k3s has given it up; write {instead}"));
    }
    if role == Role::Agent && SERVERS.contains(&key) {
        return Some("only servers have it: write it under  config:  of  cluster:".into());
    }
    let own = match role {
        Role::Server => SERVERS.iter(),
        Role::Agent => AGENTS.iter(),
    };
    let meant = similar(key, BOTH.iter().chain(own).copied())?;
    Some(format!("did you mean `{meant}`?"))
}

/// What is wrong with a value of `flannel-backend`, and what to write instead.
pub fn flannel_backend(value: &str) -> Option<&'static str> {
    match value {
        // tailscale is what vpn-auth sets.
        "none" | "vxlan" | "host-gw" | "wireguard-native" | "tailscale" => None,
        "wireguard" | "ipsec" => Some(
            "k3s has given it up; wireguard-native, which is in the kernel, encrypts what travels between nodes",
        ),
        _ => Some("it is vxlan, host-gw, wireguard-native or none"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_to_its_role_and_a_slip_is_recognised() {
        for key in ["kubelet-arg", "tls-san", "v", "kube-controller-arg"] {
            assert!(is_known(key, Role::Server), "{key}");
        }
        assert!(is_known("kubelet-arg", Role::Agent) && !is_known("tls-san", Role::Agent));
        for (key, role, said) in [
            (
                "kubelet-args",
                Role::Server,
                Some("did you mean `kubelet-arg`?"),
            ),
            (
                "write-kubeconfig-mod",
                Role::Server,
                Some("did you mean `write-kubeconfig-mode`?"),
            ),
            (
                "no-deploy",
                Role::Server,
                Some("k3s has given it up; write disable"),
            ),
            (
                "disable",
                Role::Agent,
                Some("only servers have it: write it under  config:  of  cluster:"),
            ),
            ("nosuchkey", Role::Server, None),
        ] {
            assert_eq!(instead(key, role).as_deref(), said, "{key}");
        }
        for (version, right) in [
            ("v1.36.3+k3s1", true),
            ("v1.34.1+k3s1", true),
            ("v1.36.4+k3s1", false),
            ("v1.37.0+k3s1", false),
            ("v1.25.1+k3s1", false),
        ] {
            assert_eq!(are_right_for(version), right, "{version}");
        }
    }
}
