//! A Kubernetes node that is Ready and, where asked for, a voting member of etcd.
//!
//! ```yaml
//! - name: node
//!   node: {name: m1, voter: true, pods: true, patience: 300}
//! ```

use std::time::Duration;

use super::{Changes, Pending, Verdict};
use crate::error::Problem;
use crate::shell::{Reply, Script, quote};

/// A node of the cluster, asked for on its own host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The node's name.
    pub name: String,
    /// Whether it has to be a voting member of etcd.
    pub voter: bool,
    /// Whether it has to have its range of pod addresses. An agent that starts while the servers have
    /// not begun to give these out can miss the moment at which it says READY.
    pub pods: bool,
    /// The kubeconfig on the host to ask with. An agent asks with its kubelet's, which may get
    /// its own node and nothing else.
    pub kubeconfig: String,
    /// Whether no server of the cluster is known to run or is started now: an API that does not
    /// answer is then not worth waiting for.
    pub unserved: bool,
    /// How long to wait for it at most.
    pub patience: Duration,
}

impl Node {
    pub(super) fn probe(&self) -> Script {
        Script::new(format!(
            "/usr/local/bin/k3s kubectl --kubeconfig {} --request-timeout=10s get node {} -o \
             'jsonpath={{range .status.conditions[*]}}{{.type}}={{.status}} {{.reason}}: {{.message}}{{\"\\n\"}}{{end}}found=yes{{\"\\n\"}}pods={{.spec.podCIDR}}{{\"\\n\"}}'\n",
            quote(&self.kubeconfig),
            quote(&self.name),
        ))
        .within(Duration::from_secs(15))
    }

    pub(super) fn judge(&self, seen: &Reply, upstream: &Changes) -> Result<Verdict, Problem> {
        let name = &self.name;
        if upstream.restarts() {
            return Ok(Verdict::Undecidable(format!(
                "node {name} is looked at when k3s runs"
            )));
        }
        let is = |condition: &str, wanted: &str| {
            seen.value(condition)
                .is_some_and(|value| value.split(' ').next() == Some(wanted))
        };
        let mut cause = None;
        let (until, said) = if seen.value("found").is_none() {
            let said = seen.stderr.lines().last().unwrap_or("no answer").to_owned();
            if said.contains("(NotFound)") {
                (format!("node {name} to appear"), said)
            } else {
                if self.unserved {
                    cause = Some(
                        Problem::new(format!("node {name}: the cluster's API does not answer"))
                            .because("no server of the cluster is READY, and none was started now")
                            .next("bring a server back, then run the same command again"),
                    );
                }
                (format!("the API to answer for node {name}"), said)
            }
        } else if !is("Ready", "True") {
            (
                format!("node {name} to be Ready"),
                seen.value("Ready")
                    .unwrap_or("no condition Ready")
                    .to_owned(),
            )
        } else if self.pods && seen.value("pods").is_none_or(str::is_empty) {
            (
                format!("node {name} to get its range of pod addresses"),
                "no .spec.podCIDR: k3s's controller manager has not given it one".to_owned(),
            )
        } else if self.voter && !is("EtcdIsVoter", "True") {
            let said = seen
                .value("EtcdIsVoter")
                .unwrap_or("no condition EtcdIsVoter")
                .to_owned();
            (format!("{name} to be a voting member of etcd"), said)
        } else {
            return Ok(Verdict::Converged);
        };
        Ok(Verdict::Pending(Pending {
            until,
            cause,
            said: vec![said],
            ended: None,
            next: format!("on a server, this shows more:\nk3s kubectl describe node {name}"),
            patience: self.patience,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_waited_for_until_it_is_ready_and_votes() {
        let node = Node {
            name: "m1".into(),
            voter: true,
            pods: true,
            kubeconfig: "/k".into(),
            unserved: false,
            patience: Duration::from_secs(9),
        };
        let table = [
            ("", Some("the API to answer for node m1")),
            (
                "Ready=False KubeletNotReady: x\nfound=yes\n",
                Some("node m1 to be Ready"),
            ),
            (
                "Ready=True KubeletReady: x\nfound=yes\npods=\n",
                Some("node m1 to get its range of pod addresses"),
            ),
            (
                "Ready=True KubeletReady: x\nEtcdIsVoter=False MemberIsLearner: x\nfound=yes\npods=10.42.0.0/24\n",
                Some("m1 to be a voting member of etcd"),
            ),
            (
                "Ready=True KubeletReady: x\nEtcdIsVoter=True MemberNotLearner: x\nfound=yes\npods=10.42.0.0/24\n",
                None,
            ),
        ];
        for (answer, waits) in table {
            let seen = Reply {
                status: 0,
                stdout: answer.into(),
                stderr: String::new(),
            };
            let verdict = node.judge(&seen, &Changes::default()).expect("a verdict");
            let until = match &verdict {
                Verdict::Pending(pending) => Some(pending.until.as_str()),
                _ => None,
            };
            assert_eq!(until, waits, "{answer}");
        }
    }

    #[test]
    fn an_api_that_does_not_answer_is_final_when_nobody_could_bring_it_back() {
        let mut node = Node {
            name: "m1".into(),
            voter: false,
            pods: false,
            kubeconfig: "/k".into(),
            unserved: false,
            patience: Duration::from_secs(9),
        };
        let refused = "The connection to the server 127.0.0.1:6444 was refused";
        let missing = "Error from server (NotFound): nodes \"m1\" not found";
        let mut is_final = |unserved: bool, stderr: &str| {
            node.unserved = unserved;
            let seen = Reply {
                status: 1,
                stdout: String::new(),
                stderr: stderr.into(),
            };
            match node.judge(&seen, &Changes::default()) {
                Ok(Verdict::Pending(pending)) => pending.cause.is_some(),
                other => panic!("{other:?}"),
            }
        };
        assert!(is_final(true, refused));
        assert!(!is_final(true, missing), "it may still register");
        assert!(!is_final(false, refused), "a server is on its way");
    }
}
