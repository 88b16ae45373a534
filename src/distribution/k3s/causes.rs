//! What k3s says when it cannot start or join, what that means, and what to do about it.
//!
//! Words measured on k3s 1.36.3. Each row is tested with the line as k3s writes it.

use super::journal::WORDS;
use crate::distribution::causes::{self, Cause, Value};
use crate::problem::{Code, Problem};

/// Where a line names the server. An agent's own load balancer is not it.
const SERVER: Value = Value::Between(
    &[("cluster at https://", ": "), ("Get \"https://", "/")],
    "the server",
);

/// How an unauthorized host is helped.
const TOKEN: &[&str] = &[
    "on a server of the cluster, this shows its token:\ncat /var/lib/rancher/k3s/server/token",
    "write it into the file that  cluster: {token_file: …}  names in the inventory; a file in /etc/rancher/k3s/config.yaml.d on this host wins over it",
];

/// The same of an agent. Where agents have a token of their own, the servers' lets no agent in.
const AGENT_TOKEN: &[&str] = &[
    "on a server of the cluster, this shows the token of agents (server/token may let only servers in):\ncat /var/lib/rancher/k3s/server/agent-token",
    "write it into the file that  cluster: {agent_token_file: …}  names in the inventory; a file in /etc/rancher/k3s/config.yaml.d on this host wins over it",
];

/// How a node that the cluster knows otherwise is let in.
const REINSTALLED: &[&str] = &[
    "if this host was reinstalled, on a server of the cluster:\nk3s kubectl delete node {node}",
    "if another host has this name, give this one its own  node_name: …  in the inventory",
    "then run the same command again",
];

/// In the words of PostgreSQL.
const LOGIN_REFUSED: Cause = Cause {
    code: Code::DATASTORE_UNREACHED,
    words: &[
        "Failed to ping database connection",
        "password authentication failed for user",
    ],
    value: Value::None,
    means: "the database refuses the user or the password in the datastore's endpoint",
    remedy: &[
        "correct what  cluster: {datastore_endpoint: …}  says in the inventory, and run the same command again",
    ],
};

/// In the words of etcd's client, to which a certificate that is not accepted is a deadline like any other. A server
/// that joins asks another server by HTTP, which says more.
const ETCD_SILENT: Cause = Cause {
    code: Code::DATASTORE_UNREACHED,
    words: &["failed to bootstrap cluster data: context deadline exceeded"],
    value: Value::None,
    means: "the etcd in the datastore's endpoint does not answer k3s: it is too slow, or one of the two does not accept the other's certificate",
    remedy: &[
        "look at  cluster: {datastore_ca_file: …, datastore_certificate_file: …, datastore_key_file: …}  in the inventory, and at the log of that etcd",
        "then run the same command again",
    ],
};

const CAUSES: &[Cause] = &[
    Cause {
        code: Code::TOKEN_REFUSED,
        words: &[
            "Failed to validate connection to cluster",
            "token CA hash does not match the Cluster CA certificate hash",
        ],
        value: Value::None,
        means: "the token belongs to another cluster: its CA hash is not this cluster's",
        remedy: AGENT_TOKEN,
    },
    Cause {
        code: Code::TOKEN_REFUSED,
        words: &["token CA hash does not match the Cluster CA certificate hash"],
        value: Value::None,
        means: "the token belongs to another cluster: its CA hash is not this cluster's",
        remedy: TOKEN,
    },
    Cause {
        code: Code::CLOCK_WRONG,
        words: &["certificate has expired or is not yet valid", " is before "],
        value: Value::None,
        means: "by this host's clock the cluster's certificates are not yet valid: it is more than an hour behind the clock of the server that made them",
        remedy: &[
            "on this host and on a server, compare:\ntimedatectl",
            "where it is wrong, as root:\ntimedatectl set-ntp true",
        ],
    },
    Cause {
        code: Code::NODE_NAME_TAKEN,
        words: &["Node password rejected"],
        value: Value::None,
        means: "the cluster knows a node {node} with another password: this host was reinstalled or lost /etc/rancher/node/password, or another host has this name",
        remedy: REINSTALLED,
    },
    Cause {
        code: Code::NODE_NAME_TAKEN,
        words: &["duplicate node name found"],
        value: Value::None,
        means: "etcd still has a member {node}: this host was reinstalled, or another server has this name",
        remedy: REINSTALLED,
    },
    Cause {
        code: Code::SERVER_SETTINGS_DIFFER,
        words: &["critical configuration value mismatch between servers"],
        value: Value::Told(mismatches),
        means: "all servers must have the same settings, and this one differs from the others in: {value}",
        remedy: &[
            "on this host and on another server, this shows where it is said:\ngrep -rnE '{pattern}' /etc/rancher/k3s/",
            "say it once for all servers, under  cluster: {config: …}  in the inventory",
        ],
    },
    Cause {
        code: Code::TOKEN_REFUSED,
        words: &["bootstrap data already found and encrypted with different token"],
        value: Value::None,
        means: "the host's data belongs to a cluster with another token",
        remedy: TOKEN,
    },
    LOGIN_REFUSED,
    Cause {
        words: &[
            "failed to create driver for configured endpoint",
            "Access denied for user",
        ],
        ..LOGIN_REFUSED
    },
    // In the words of NATS's client.
    Cause {
        words: &["failed to connect to NATS server: nats: Authorization Violation"],
        ..LOGIN_REFUSED
    },
    ETCD_SILENT,
    Cause {
        code: Code::SQLITE_ONE_SERVER,
        words: &["failed to bootstrap cluster data: etcd disabled"],
        value: Value::None,
        means: "the first server keeps its cluster in sqlite, which only one server can use",
        remedy: &[
            "in the inventory, write  cluster: {datastore: etcd}  and run the same command again",
        ],
    },
    Cause {
        code: Code::SETTING_INVALID,
        words: &["flag provided but not defined"],
        value: Value::Between(&[("not defined: -", " ")], "KEY"),
        means: "the configuration has a key that this k3s does not know: {value}",
        remedy: &[
            "correct it under  config:  or  agent_config:  in the inventory; if it does not stand there, this shows where it does:\ngrep -rn '{value}' /etc/rancher/k3s/",
        ],
    },
    Cause {
        code: Code::SETTING_INVALID,
        words: &["Shutdown request received: ", " exited: ", "flag"],
        value: Value::Between(
            &[("unknown flag: --", "\""), ("for \\\"--", "\\\"")],
            "the one that k3s names",
        ),
        means: "a part of k3s has an argument that it does not take: {value}",
        remedy: &[
            "correct it in the inventory, under the key for that part of k3s (kubelet-arg, kube-apiserver-arg, …); on this host, this shows where it is said:\ngrep -rn -- '{value}' /etc/rancher/k3s/",
        ],
    },
    Cause {
        code: Code::NODE_CONFIG_UNREADABLE,
        words: &["yaml: line "],
        value: Value::Between(&[("yaml: line ", ":")], "1"),
        means: "a configuration file of k3s is not YAML, at or before line {value}",
        remedy: &[
            "towline writes config.yaml as a whole, so it is a file beside it:\nawk 'FNR == {value} {print FILENAME \": \" $0}' /etc/rancher/k3s/config.yaml.d/*",
        ],
    },
    Cause {
        code: Code::TOKEN_REFUSED,
        words: &["failed to retrieve configuration from server: not authorized"],
        value: Value::None,
        means: "the cluster does not accept this agent's token",
        remedy: AGENT_TOKEN,
    },
    Cause {
        code: Code::TOKEN_REFUSED,
        words: &["not authorized"],
        value: Value::None,
        means: "the cluster does not accept this host's token",
        remedy: TOKEN,
    },
    Cause {
        code: Code::SERVER_UNREACHABLE,
        words: &["failed to get MemberList from server: Get "],
        value: SERVER,
        means: "{value}, through which this server is to join, does not answer: it has left the cluster, or it is down",
        remedy: &[
            "on this host, this shows which server it is to join through:\ngrep '^server:' /etc/rancher/k3s/config.yaml",
            "if that one has left the cluster, run the same command again: it names another one",
        ],
    },
    Cause {
        code: Code::SERVER_UNREACHABLE,
        words: &["failed to get CA certs"],
        value: SERVER,
        means: "{value} could not be reached from this host: nothing listens there, a firewall is between, or the address is wrong",
        remedy: &[
            "on this host, this shows whether the port can be reached:\ntimeout 5 bash -c '</dev/tcp/{host}/{port}' && echo open",
            "if the servers have another address for each other, write it as  private_address: …  of the server in the inventory",
        ],
    },
    Cause {
        code: Code::PORT_TAKEN,
        words: &["address already in use"],
        value: Value::Between(&[("listen tcp ", ": ")], ":6443"),
        means: "another program has a port that k3s needs: {port}",
        remedy: &["on this host, this shows which:\nss -ltnp 'sport = :{port}'"],
    },
    // The kernel's word for a limit on watches is the one for a full disk.
    Cause {
        code: Code::INOTIFY_LIMIT,
        words: &["inotify", "no space left on device"],
        value: Value::None,
        means: "the host's limit of inotify watches is used up",
        remedy: &["on the host, this raises it:\nsysctl fs.inotify.max_user_watches=524288"],
    },
    Cause {
        code: Code::DISK_FULL,
        words: &["no space left on device"],
        value: Value::None,
        means: "a disk of this host is full, or has no room for more files",
        remedy: &[
            "on this host, these show which, and how full k3s's folder is:\ndf -h; df -i\ndu -sh /var/lib/rancher/k3s",
        ],
    },
    Cause {
        code: Code::DISK_READ_ONLY,
        words: &["read-only file system"],
        value: Value::None,
        means: "a file system that k3s writes to is mounted read-only",
        remedy: &["on this host, these show which, and often why:\nfindmnt -O ro\ndmesg | tail"],
    },
    Cause {
        code: Code::CGROUP_MISSING,
        words: &["ailed to find memory cgroup"],
        value: Value::None,
        means: "the kernel does not offer the memory cgroup: a Raspberry Pi has it switched off",
        remedy: &[
            "on a Raspberry Pi, this switches it on (in /boot/cmdline.txt, where that is the file of this system):\nsed -i '1s/$/ cgroup_memory=1 cgroup_enable=memory/' /boot/firmware/cmdline.txt && reboot",
        ],
    },
    Cause {
        code: Code::CGROUP_MISSING,
        words: &["failed to find ", " cgroup (v2)"],
        value: Value::Between(&[("failed to find ", " ")], "cpu"),
        means: "the kernel does not offer the cgroup controller {value}",
        remedy: &[
            "add  cgroup_enable={value}  to the kernel's command line, and restart the machine",
        ],
    },
    Cause {
        code: Code::SETTING_FIXED,
        words: &["is out the range of cluster cidr"],
        value: Value::Between(&[("out the range of cluster cidr ", " ")], "the new one"),
        means: "the nodes have their ranges of pod addresses from another cluster-cidr than {value}: a running cluster cannot change it",
        remedy: &[
            "on this host, this shows where it is said:\ngrep -rn cluster-cidr /etc/rancher/k3s/",
            "write the one back that the cluster was made with",
        ],
    },
    Cause {
        code: Code::CGROUP_V1,
        words: &["kubelet is configured to not run on a host using cgroup v1"],
        value: Value::None,
        means: "the kernel runs cgroup v1, and this kubelet refuses that",
        remedy: &[
            "start the machine with  systemd.unified_cgroup_hierarchy=1  on the kernel's command line",
            "or write  config: {kubelet-arg: [fail-cgroupv1=false]}  for the host in the inventory",
        ],
    },
    Cause {
        code: Code::SETTING_FIXED,
        words: &["newer than datastore and could cause a cluster outage"],
        value: Value::None,
        means: "a file that the servers share differs on this host from what is in the datastore",
        remedy: &[
            "server/cred/passwd differs where  token  or  agent_token  in the inventory is not the one that the cluster was made with: correct it there",
            "a CA that is to replace the cluster's needs  k3s certificate rotate-ca ; otherwise move the file away, and run the same command again",
        ],
    },
    Cause {
        code: Code::KMSG_MISSING,
        words: &["open /dev/kmsg: no such file or directory"],
        value: Value::None,
        means: "this machine has no /dev/kmsg, which the kubelet reads: containers of lxc and Proxmox have none",
        remedy: &[
            "on this host, these make one, now and at each boot:\necho 'L /dev/kmsg - - - - /dev/console' >/etc/tmpfiles.d/kmsg.conf\nsystemd-tmpfiles --create /etc/tmpfiles.d/kmsg.conf",
        ],
    },
];

/// The cause that the newest line of a journal tells, if one does. `node` is the node's name.
pub fn diagnose(journal: &str, node: &str) -> Option<Problem> {
    causes::diagnose(("k3s", &WORDS, CAUSES), journal, node)
}

/// The settings that k3s has named in lines of their own before.
fn mismatches(journal: &str) -> String {
    let mut keys: Vec<&str> = Vec::new();
    for line in journal.lines() {
        let message = WORDS.message(line);
        let Some(name) = message.strip_prefix("critical configuration mismatched: ") else {
            continue;
        };
        if let Some(key) = key(name).filter(|key| !keys.contains(key)) {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        "a setting that k3s does not name".to_owned()
    } else {
        keys.join(", ")
    }
}

/// The key of config.yaml that k3s means by the name of a setting.
fn key(name: &str) -> Option<&'static str> {
    let fields = [
        ("ClusterIPRange", "cluster-cidr"),
        ("ServiceIPRange", "service-cidr"),
        ("ClusterDNS", "cluster-dns"),
        ("disable-service-lb", "disable"),
    ];
    let field = fields.iter().find(|(field, _)| name.starts_with(field));
    field.map(|(_, key)| *key).or_else(|| {
        let keys = super::settings::MUST_BE_EQUAL;
        keys.into_iter().find(|key| *key == name.trim())
    })
}

#[cfg(test)]
mod tests;
