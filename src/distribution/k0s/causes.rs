//! What k0s says when it cannot start or join, what that means, and what to do about it.
//!
//! Words of k0s 1.36.3; each row is tested with the line as k0s writes it. What it ends with is a plain
//! line that begins with `Error: `; systemd starts it again ten seconds later.

use crate::distribution::causes::{self, Cause, Value};
use crate::distribution::journal::Words;
use crate::problem::{Code, Problem};

/// The words of k0s.
pub(super) const WORDS: Words = Words {
    usual: &[
        "File does not exist, skipping",
        "running as root",
        "Running etcd as root",
    ],
    ends: "Error: ",
    // A member of etcd waits for its turn or its quorum, a worker for the API.
    passes: &[
        "too many learner",
        "unhealthy cluster",
        "health-check timed out",
        "connection refused",
        "connection reset",
        "no route to host",
        "network is unreachable",
        "i/o timeout",
        "deadline exceeded",
    ],
    balancer: "127.0.0.1:7443",
};

/// Where a line names the controller.
const CONTROLLER: Value = Value::Between(
    &[("via https://", ": "), ("Get \"https://", "/")],
    "the controller",
);

/// How a host gets another token.
const AGAIN: &[&str] = &["run the same command again: it makes a new token"];

pub(super) const CAUSES: &[Cause] = &[
    Cause {
        code: Code::TOKEN_REFUSED,
        words: &[
            "failed to join controller",
            "the server has asked for the client to provide credentials",
        ],
        value: CONTROLLER,
        means: "the controller at {value} does not take the token: it has expired, was taken back, or is of another cluster",
        remedy: AGAIN,
    },
    Cause {
        code: Code::TOKEN_REFUSED,
        words: &[
            "failed to join controller",
            "certificate signed by unknown authority",
        ],
        value: CONTROLLER,
        means: "the token belongs to another cluster than the controller at {value}: its CA is not this cluster's",
        remedy: AGAIN,
    },
    Cause {
        code: Code::TOKEN_REFUSED,
        words: &[
            "Failed to connect to apiserver",
            "the server has asked for the client to provide credentials",
        ],
        value: Value::None,
        means: "the cluster does not take this worker's token: it has expired, was taken back, or is of another cluster",
        remedy: AGAIN,
    },
    Cause {
        code: Code::TOKEN_REFUSED,
        words: &["wrong token type"],
        value: Value::Between(&[("wrong token type ", ",")], "another role"),
        means: "the token in /etc/k0s/k0stoken is one for another role ({value})",
        remedy: AGAIN,
    },
    Cause {
        code: Code::DATA_MISSING,
        words: &["illegal base64 data"],
        value: Value::None,
        means: "k0s finds no data of its cluster on this host, which has joined before, and no token to join again",
        remedy: &[
            "if a disk did not come up, bring it back and restart k0s",
            "if the data is lost, run the same command again: the host joins anew",
        ],
    },
    Cause {
        code: Code::DATA_MISSING,
        words: &["token file", "not found"],
        value: Value::None,
        means: "k0s finds no data of its cluster on this host, and no token to join with",
        remedy: AGAIN,
    },
    Cause {
        code: Code::CLUSTER_REMAINS,
        words: &["Peer URLs already exists"],
        value: Value::None,
        means: "etcd still has a member at this host's address: the host was wiped, or was cut off while it joined",
        remedy: &["run the same command again: it removes that member first"],
    },
    Cause {
        code: Code::NO_QUORUM,
        words: &["failed to synchronize etcd config", "unhealthy cluster"],
        value: Value::None,
        means: "etcd lets no member in while one of its members does not answer the others",
        remedy: &[
            "on a controller that runs, this lists them:\nk0s etcd member-list",
            "start the one that is down; if its machine is gone for good, on a controller that runs:\nk0s etcd leave --peer-address ADDRESS",
        ],
    },
    Cause {
        code: Code::PORTS_BLOCKED,
        words: &["failed to join controller", "dial tcp"],
        value: Value::Between(&[("dial tcp ", ": ")], "the controller"),
        means: "no connection to {value}, where controllers join",
        remedy: &[
            "look at the firewalls of the two and between them, then run the same command again",
        ],
    },
    Cause {
        code: Code::OTHER_CLUSTER,
        words: &["cluster ID mismatch"],
        value: Value::None,
        means: "this host has data of another etcd than those that it reaches as members",
        remedy: &["reset the host, then deploy it again:\ntowline reset -i FILE --limit HOST"],
    },
    Cause {
        code: Code::CLUSTER_REMAINS,
        words: &["permanently removed from the cluster"],
        value: Value::None,
        means: "this host's member was removed from etcd, and its data is still here",
        remedy: &["reset the host, then deploy it again:\ntowline reset -i FILE --limit HOST"],
    },
    Cause {
        code: Code::SETTING_INVALID,
        words: &["failed to load node config"],
        value: Value::None,
        means: "k0s cannot read /etc/k0s/k0s.yaml",
        remedy: &[
            "correct it under  config:  of  cluster:  in the inventory; on this host, this names the place:\nk0s config validate --config /etc/k0s/k0s.yaml",
        ],
    },
    Cause {
        code: Code::SETTING_INVALID,
        words: &["invalid node config"],
        value: Value::None,
        means: "k0s does not accept /etc/k0s/k0s.yaml",
        remedy: &[
            "correct it under  config:  of  cluster:  in the inventory; on this host, this names the place:\nk0s config validate --config /etc/k0s/k0s.yaml",
        ],
    },
    Cause {
        code: Code::SETTING_INVALID,
        words: &["Error: unknown flag: --"],
        value: Value::Between(&[("unknown flag: --", " ")], "FLAG"),
        means: "this k0s does not know the flag {value}",
        remedy: &["correct it under  config:  or  agent_config:  in the inventory"],
    },
    Cause {
        code: Code::PREFLIGHT_FAILED,
        words: &["pre-flight checks failed"],
        value: Value::None,
        means: "k0s refuses this host: it lacks something",
        remedy: &["on this host, this shows what:\nk0s sysinfo"],
    },
    Cause {
        code: Code::OTHER_CLUSTER,
        words: &["worker node credentials are invalid"],
        value: Value::None,
        means: "the cluster does not know this worker's node any more, or has another CA",
        remedy: &["reset the host, then deploy it again:\ntowline reset -i FILE --limit HOST"],
    },
    Cause {
        code: Code::VERSIONS_DIFFER,
        words: &["worker-config-", "not found"],
        value: Value::Between(
            &[("configmaps \"", "\""), ("configmaps \\\"", "\\\"")],
            "its version",
        ),
        means: "no controller has a configuration for workers of this version ({value})",
        remedy: &["let all hosts have one version:  cluster: {version: …}"],
    },
    Cause {
        code: Code::NODE_ADDRESS_MISSING,
        words: &["bind: cannot assign requested address"],
        value: Value::Between(&[("listen tcp ", ": bind")], "an address"),
        means: "k0s is to listen at {value}, which is not on this host",
        remedy: &["give the host an address of its own:  private_address: …"],
    },
    Cause {
        code: Code::NO_QUORUM,
        words: &["Etcd health-check timed out"],
        value: Value::None,
        means: "its member of etcd had no vote, or no quorum with the others, for two minutes",
        remedy: &[
            "let more than half of the controllers run and reach each other at port 2380; on one that runs, this lists the members:\nk0s etcd member-list",
        ],
    },
    Cause {
        code: Code::DATASTORE_UNREACHED,
        words: &["Kine health-check timed out"],
        value: Value::None,
        means: "its datastore did not answer for two minutes, or refuses the user or the password",
        remedy: &[
            "look at what kine says before it, on this host:\njournalctl -u k0scontroller --no-pager | grep component=kine",
        ],
    },
];

/// The cause that the newest line of a journal tells, if one does. `node` is the node's name.
pub(super) fn diagnose(journal: &str, node: &str) -> Option<Problem> {
    causes::diagnose(("k0s", &WORDS, CAUSES), journal, node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_known_by_the_line_as_k0s_writes_it() {
        let lines = [
            "Error: failed to join controller: failed to join existing cluster via https://10.0.0.1:9443: the server has asked for the client to provide credentials",
            "Error: failed to join controller: failed to join existing cluster via https://10.0.0.1:9443: Get \"https://10.0.0.1:9443/v1beta1/ca\": tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "I1128 21:59:43.601594    2723 bootstrap.go:297] \"Failed to connect to apiserver\" err=\"the server has asked for the client to provide credentials\"",
            "Error: failed to join controller: failed to create join client: wrong token type kubelet-bootstrap, expected type: controller-bootstrap",
            "Error: failed to bootstrap kubelet client configuration: failed to get bootstrap kubeconfig: failed to decode join token: illegal base64 data at input byte 4",
            "Error: token file \"/etc/k0s/k0stoken\" not found: obtain a new token via \"k0s token create ...\" and store it in the file",
            "Error: failed to start controller node components: failed to sync etcd config: failed to synchronize etcd config with existing cluster via https://10.0.0.1:9443: an error on the server (\"etcdserver: Peer URLs already exists\") has prevented the request from succeeding",
            "Error: failed to start controller node components: failed to sync etcd config: failed to synchronize etcd config with existing cluster via https://10.0.0.1:9443: an error on the server (\"etcdserver: unhealthy cluster\") has prevented the request from succeeding",
            "Error: failed to join controller: failed to join existing cluster via https://10.0.0.1:9443: Get \"https://10.0.0.1:9443/v1beta1/ca\": dial tcp 10.0.0.1:9443: i/o timeout",
            "time=\"2026-11-28 15:00:00\" level=info msg=\"{\\\"level\\\":\\\"warn\\\",\\\"msg\\\":\\\"request sent was ignored by remote peer due to cluster ID mismatch\\\",\\\"remote-peer-id\\\":\\\"91bc3c398fb3c146\\\"}\" component=etcd stream=stderr",
            "time=\"2026-11-28 15:00:00\" level=info msg=\"{\\\"level\\\":\\\"warn\\\",\\\"msg\\\":\\\"server error\\\",\\\"error\\\":\\\"the member has been permanently removed from the cluster\\\"}\" component=etcd stream=stderr",
            "Error: failed to load node config: error unmarshaling JSON: while decoding JSON: json: unknown field \"netwrk\"",
            "Error: invalid node config: spec: network: provider: Unsupported value: \"flannel\"",
            "Error: unknown flag: --no-such-flag",
            "Error: pre-flight checks failed, check out `k0s sysinfo`",
            "Error: the k0s worker node credentials are invalid, the node needs to be rejoined into the cluster with a fresh bootstrap token",
            "Error: configmaps \"worker-config-default-1.36\" not found",
            "time=\"2026-11-28 15:00:00\" level=info msg=\"{\\\"error\\\":\\\"listen tcp 10.0.0.9:2380: bind: cannot assign requested address\\\"}\" component=etcd stream=stderr",
            "Error: failed to start controller node components: Etcd health-check timed out",
            "Error: failed to start controller node components: Kine health-check timed out",
        ];
        assert_eq!(lines.len(), CAUSES.len(), "a line for each row");
        let told = lines.map(|line| {
            let problem = diagnose(line, "m1").unwrap_or_else(|| panic!("{line}"));
            format!("{}: {problem}", problem.code.name())
        });
        insta::assert_snapshot!("causes", told.join("\n"));
    }
}
