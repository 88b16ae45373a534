//! What k3s says when it cannot start or join, what that means, and what to do about it.
//!
//! Words measured on k3s 1.36.3. Each row is tested below with the line as k3s writes it.

use crate::error::Problem;

/// A line of k3s's journal and its meaning.
struct Cause {
    /// All of these stand in the line.
    words: &'static [&'static str],
    /// What it means.
    means: &'static str,
    /// What to do.
    remedy: &'static str,
}

const CAUSES: &[Cause] = &[
    Cause {
        words: &["token CA hash does not match the Cluster CA certificate hash"],
        means: "the token belongs to another cluster: its CA hash is not this cluster's",
        remedy: "correct the token in the inventory, or wipe the host if it comes from another cluster",
    },
    Cause {
        words: &["Node password rejected"],
        means: "the cluster knows a node of this name with another password: another host has this hostname, or this one was reinstalled",
        remedy: "for a reinstalled host: kubectl delete node NAME, then run the same command again",
    },
    Cause {
        words: &["duplicate node name found"],
        means: "etcd still has a member of this name: the host was reinstalled, or another server has its hostname",
        remedy: "for a reinstalled host: kubectl delete node NAME, then run the same command again",
    },
    Cause {
        words: &["critical configuration value mismatch between servers"],
        means: "this server's settings differ from the other servers' where all must have the same",
        remedy: "give all servers the same config in the inventory (the journal names the setting)",
    },
    Cause {
        words: &["bootstrap data already found and encrypted with different token"],
        means: "the host's data belongs to a cluster with another token",
        remedy: "correct the token, or wipe the host",
    },
    Cause {
        words: &["failed to bootstrap cluster data: etcd disabled"],
        means: "the first server keeps its cluster in sqlite, which only one server can use",
        remedy: "set  datastore: etcd  under cluster: and deploy again",
    },
    Cause {
        words: &["flag provided but not defined"],
        means: "config.yaml has a key that this k3s does not know",
        remedy: "correct the key under config: in the inventory",
    },
    Cause {
        words: &["did not find expected"],
        means: "config.yaml is not YAML",
        remedy: "look at /etc/rancher/k3s/config.yaml and config.yaml.d on the host",
    },
    Cause {
        words: &["not authorized"],
        means: "the cluster does not accept this host's token",
        remedy: "correct the token in the inventory",
    },
    Cause {
        words: &["failed to get CA certs"],
        means: "no server could be reached: port 6443 is closed, filtered, or the address is wrong (the address in the message is the agent's own load balancer)",
        remedy: "from this host, try  nc -vz SERVER 6443 ; check firewalls and private_address",
    },
    Cause {
        words: &["address already in use"],
        means: "another program has a port that k3s needs",
        remedy: "ss -ltnp on the host shows which; stop it",
    },
    Cause {
        words: &["kubelet is configured to not run on a host using cgroup v1"],
        means: "the kernel runs cgroup v1, and this kubelet refuses that",
        remedy: "boot with systemd.unified_cgroup_hierarchy=1, or set kubelet-arg: [fail-cgroupv1=false]",
    },
];

/// The cause that the newest line of a journal tells, if one does.
pub fn diagnose(journal: &str) -> Option<Problem> {
    journal.lines().rev().find_map(|line| {
        let cause = CAUSES
            .iter()
            .find(|cause| cause.words.iter().all(|word| line.contains(word)))?;
        Some(
            Problem::new(cause.means)
                .because(format!("k3s says: {}", message(line)))
                .next(cause.remedy),
        )
    })
}

/// The message of a line in logrus's text form, or the whole line; at most 400 characters.
fn message(line: &str) -> String {
    let text = match line.split_once("msg=\"") {
        Some((_, rest)) => rest.strip_suffix('"').unwrap_or(rest).replace("\\\"", "\""),
        None => line.to_owned(),
    };
    text.chars().take(400).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_measured_line_is_recognised() {
        let table = [
            (
                r#"time="x" level=error msg="Waiting to retrieve agent configuration; server is not ready: failed to retrieve configuration from server: not authorized""#,
                "does not accept this host's token",
            ),
            (
                "Failed to validate connection to cluster at https://10.0.0.1:6443: token CA hash does not match the Cluster CA certificate hash: aaaa != 568b",
                "another cluster",
            ),
            (
                r#"Failed to validate connection to cluster at https://IP:6443: failed to get CA certs: Get "https://127.0.0.1:6444/cacerts": read: connection reset by peer"#,
                "no server could be reached",
            ),
            (
                "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry, try enabling a unique node name with the --with-node-id flag",
                "another password",
            ),
            (
                r#"level=fatal msg="Error: preparing server: failed to bootstrap cluster data: not authorized""#,
                "does not accept this host's token",
            ),
            (
                "failed to validate server configuration: critical configuration value mismatch between servers",
                "settings differ",
            ),
            (
                "etcd cluster join failed: duplicate node name found, please use a unique name for this node",
                "etcd still has a member",
            ),
            (
                "Error: flag provided but not defined: -nosuchkey",
                "does not know",
            ),
            (
                "yaml: line 3: did not find expected node content",
                "not YAML",
            ),
            (
                "Error: preparing server: failed to bootstrap cluster data: etcd disabled",
                "sqlite",
            ),
        ];
        for (line, means) in table {
            let problem = diagnose(&format!("older line\n{line}\nnoise")).expect(line);
            assert!(problem.what.contains(means), "{line}: {}", problem.what);
        }
        assert_eq!(diagnose("all is well"), None);
    }
}
