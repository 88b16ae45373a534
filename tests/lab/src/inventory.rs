//! The inventories that the lab writes, and what this host's kernel needs in them.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::cgroup::{self, Hierarchy};
use crate::command::run;
use crate::lab::Lab;
use crate::machine::Role;
use crate::release::{Distribution, Release};

/// What the distribution must be told on this kernel, as keys and values of k3s's `config.yaml` or of the `spec` of a
/// k0s.yaml.
///
/// A kubelet of Kubernetes 1.35 and later refuses cgroup v1 unless it is told not to; and k3s's containerd copies
/// instead of using overlays where those cannot be made in `directory`, or where the kernel is of the cgroup v1 kind,
/// on which only the copying was ever proven.
pub(crate) fn cluster_config(distribution: Distribution, directory: &Path) -> Vec<(String, Value)> {
    let legacy = is_legacy();
    let mut config = Vec::new();
    if distribution == Distribution::K0s {
        if legacy {
            let profile = json!({"name": "default", "values": {"failCgroupV1": false}});
            config.push(("workerProfiles".to_owned(), json!([profile])));
        }
        // A worker's own balancer is a pod, whose image no machine can pull.
        let balancer = json!({"nodeLocalLoadBalancing": {"enabled": false}});
        config.push(("network".to_owned(), balancer));
        return config;
    }
    if legacy {
        config.push(("kubelet-arg".to_owned(), json!(["fail-cgroupv1=false"])));
    }
    if legacy || !overlays_work(directory) {
        config.push(("snapshotter".to_owned(), json!("native")));
    }
    config
}

fn is_legacy() -> bool {
    cgroup::hierarchy().is_ok_and(|hierarchy| hierarchy == Hierarchy::Legacy)
}

/// The lines of an inventory's `cluster` for the kernel of this host, which a usual server does not need.
fn for_this_kernel(lab: &Lab) -> String {
    let config = lab.cluster_config();
    if config.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> = config
        .iter()
        .map(|(key, value)| format!("{key}: {}", flow(value)))
        .collect();
    let pairs = pairs.join(", ");
    let (servers, agents) = match lab.distribution() {
        Distribution::K3s => (pairs.clone(), pairs),
        Distribution::K0s => {
            let flags = "ignore-pre-flight-checks: true".to_owned();
            (format!("spec: {{{pairs}}}, {flags}"), flags)
        }
    };
    format!(
        "  # For the lab's host; a usual server needs none of it.\n  config: {{{servers}}}\n  agent_config: {{{agents}}}\n"
    )
}

/// The configuration as lines of YAML, one per key.
pub(crate) fn config_yaml(config: &[(String, Value)]) -> String {
    config.iter().fold(String::new(), |mut yaml, (key, value)| {
        let _ = writeln!(yaml, "{key}: {}", flow(value));
        yaml
    })
}

/// The whole inventory. Without a release it names neither version nor binary.
pub(crate) fn inventory(lab: &Lab, release: Option<&Release>) -> String {
    let mut yaml = format!(
        "# Written by towline-lab for lab {}; gone with it.\ncluster:\n  name: demo\n  distribution: {}\n",
        lab.id(),
        lab.distribution()
    );
    if let Some(release) = release {
        let path = quoted(&release.path.to_string_lossy());
        let _ = write!(
            yaml,
            "  version: {}\n  binary: {{source: path, path: {path}}}\n",
            release.version
        );
    }
    let servers = lab
        .machines()
        .iter()
        .filter(|machine| machine.role() == Role::Server);
    if servers.count() == 2 {
        yaml.push_str("  allow_two_servers: true\n");
    }
    yaml.push_str(&for_this_kernel(lab));
    let (key, known_hosts) = (lab.ssh_key(), lab.known_hosts());
    let (key, known_hosts) = (
        quoted(&key.to_string_lossy()),
        quoted(&known_hosts.to_string_lossy()),
    );
    let _ = writeln!(
        yaml,
        "ssh: {{user: root, key: {key}, known_hosts: {known_hosts}}}\nhosts:"
    );
    for machine in lab.machines() {
        let (name, address, role) = (machine.name(), machine.address(), machine.role().as_str());
        let _ = writeln!(yaml, "  {name}: {{address: {address}, role: {role}}}");
    }
    yaml
}

/// A value in YAML's flow style, quoted only where it must be.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(flow).collect::<Vec<_>>().join(", ")
        ),
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("{key}: {}", flow(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// Plain where YAML cannot take it for anything else; otherwise JSON's quotes, which YAML shares.
fn quoted(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || "/._=+-".contains(char))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        json!(text).to_string()
    }
}

/// Tries what k3s tries: an overlay with two lower layers, on the file system which holds the machines' disks.
fn overlays_work(directory: &Path) -> bool {
    let script = "mkdir -p a b c w m && mount -t overlay overlay -o lowerdir=a:b,upperdir=c,workdir=w m && umount m";
    tempfile::Builder::new()
        .prefix("overlay")
        .tempdir_in(directory)
        .is_ok_and(|probe| {
            let mut command = Command::new("unshare");
            command
                .args(["--mount", "sh", "-c", script])
                .current_dir(probe.path());
            run(&mut command).is_ok()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_is_quoted_only_where_it_must_be() {
        let config = [
            ("kubelet-arg".to_owned(), json!(["fail-cgroupv1=false"])),
            ("snapshotter".to_owned(), json!("native")),
            ("odd".to_owned(), json!(["no", "a: b", "1", {"key": true}])),
        ];
        assert_eq!(
            config_yaml(&config),
            "kubelet-arg: [fail-cgroupv1=false]\nsnapshotter: native\nodd: [\"no\", \"a: b\", \"1\", {key: true}]\n"
        );
    }
}
