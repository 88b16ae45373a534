//! The flags that k3s has, which are the keys of its config.yaml. A server drops a key that it does not
//! know, with one warning in its journal; an agent refuses to start.

use crate::distribution::version::Version;
use crate::inventory::{Role, similar};

/// The newest version that the table is right for.
const NEWEST: (u64, u64, u64) = (1, 36, 3);

/// The oldest minor version that the table is right for.
const OLDEST: (u64, u64) = (1, 34);

/// Each flag, who takes it (`server`, `agent`, `both`, `nothing` any more), and whether it has no value
/// (`switch`), one (`value`) or several (`list`): pkg/cli/cmds/{server,agent,root,log,config}.go of v1.36.3.
const FLAGS: &str = include_str!("flags.txt");

/// A row of the table.
fn row(line: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = line.split_once(' ')?;
    let (role, kind) = rest.split_once(' ')?;
    Some((name, role, kind))
}

fn find(key: &str) -> Option<(&'static str, &'static str)> {
    let mut rows = FLAGS.lines().filter_map(row);
    rows.find_map(|(name, role, kind)| (name == key).then_some((role, kind)))
}

/// Whether a flag takes no value.
pub fn is_switch(key: &str) -> bool {
    find(key).is_some_and(|(_, kind)| kind == "switch")
}

/// Whether a flag may be repeated; of those that end in `-arg` there are more than can be listed.
pub fn is_list(key: &str) -> bool {
    key.ends_with("-arg") || find(key).is_some_and(|(_, kind)| kind == "list")
}

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
    find(key).is_some_and(|(of, _)| is_of(of, role))
}

fn is_of(of: &str, role: Role) -> bool {
    of == "both" || of == role.to_string()
}

/// Whether the table is right for a version, so that what it does not know is a mistake.
pub fn are_right_for(version: &str) -> bool {
    let Ok(version) = version.parse::<Version>() else {
        return false;
    };
    let (minor, patch) = ((version.major, version.minor), version.patch);
    minor >= OLDEST && (minor.0, minor.1, patch) <= NEWEST
}

/// What was probably meant by a key that a role does not have, as a sentence.
pub fn instead(key: &str, role: Role) -> Option<String> {
    if let Some((_, instead)) = GONE.iter().find(|(gone, _)| *gone == key) {
        return Some(format!("k3s has given it up; write {instead}"));
    }
    if role == Role::Agent && find(key).is_some_and(|(of, _)| of == "server") {
        return Some("only servers have it: write it under  config:  of  cluster:".into());
    }
    let rows = FLAGS.lines().filter_map(row);
    let own = rows.filter_map(|(name, of, _)| is_of(of, role).then_some(name));
    let meant = similar(key, own)?;
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
