//! A Kubernetes node that is Ready and, where asked for, a voting member of etcd.
//!
//! ```yaml
//! - name: node
//!   node:
//!     name: "{{ k3s.node_name }}"
//!     service: {unit: k3s, diagnose: k3s, timeout: 300}
//!     voter: "{{ k3s.voter }}"
//!     network: "{{ k3s.flannel }}"
//!     kubeconfig: /etc/rancher/k3s/k3s.yaml
//!     timeout: 300
//! ```

use std::time::Duration;

use super::own::is_for_network;
use super::{Action, Change, Changes, Pending, Remedy, Service, Verdict};
use crate::problem::AdviceKind::{CommandOnHost, Words};
use crate::problem::{Advice, Code, Problem, problem};
use crate::shell::{Reply, Script, acting, quote};

/// A node of the cluster, asked for on its own host.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The node's name.
    pub name: String,
    /// Whether it has to be a voting member of etcd.
    #[serde(default)]
    pub voter: bool,
    /// Whether the distribution brings the pods' network. It needs a range of addresses for every node, and an agent
    /// that starts while the servers have not begun to give these out can miss the moment at which it
    /// says READY. Otherwise a node that lacks nothing but a network plug-in (CNI) is as it should be:
    /// that one is installed by means of the cluster's API.
    pub network: bool,
    /// Whether the network plug-in comes by what was put into the cluster already, so that it is waited for.
    #[serde(default)]
    pub plug_in: bool,
    /// The version that its kubelet has to tell; any where it is empty. An older one is that of the process before.
    #[serde(default)]
    pub version: String,
    /// The kubeconfig on the host to ask with. An agent asks with its kubelet's, which may get
    /// its own node and nothing else.
    pub kubeconfig: String,
    /// The unit that its kubelet runs in. A server's API can answer, and the unit be READY, before it dies of
    /// what its kubelet is told.
    pub service: Service,
    /// Whether it is an agent. Its unit tells READY when its node is there, and registers one that was
    /// deleted since only when it is started again; a server's node comes later than its READY.
    #[serde(default)]
    pub agent: bool,
    /// Whether no server of the cluster is known to run or is started now: an API that does not
    /// answer is then not worth waiting for.
    #[serde(default)]
    pub no_server: bool,
    /// How long to wait for it at most.
    #[serde(deserialize_with = "super::seconds")]
    pub timeout: Duration,
}

impl Node {
    pub(super) fn probe(&self) -> Script {
        let unit = quote(&self.service.unit);
        Script::new(format!(
            "{} --kubeconfig {} --request-timeout=10s get node {} -o \
             'jsonpath={{range .status.conditions[*]}}{{.type}}={{.status}} {{.reason}}: {{.message}}{{\"\\n\"}}{{end}}found=yes{{\"\\n\"}}version={{.status.nodeInfo.kubeletVersion}}{{\"\\n\"}}pods={{.spec.podCIDR}}{{\"\\n\"}}' ||\n\
             [ \"$(systemctl is-active {unit})\" = active ] || {{\n{}}}\n",
            self.service.kubectl,
            quote(&self.kubeconfig),
            quote(&self.name),
            self.service.question(),
        ))
        .within(Duration::from_secs(15))
    }

    pub(super) fn judge(&self, seen: &Reply, upstream: &Changes) -> Result<Verdict, Problem> {
        let name = &self.name;
        if upstream.restarts() {
            return Ok(Verdict::Undecidable(format!(
                "node {name} is looked at when {} runs",
                self.service.unit
            )));
        }
        let is = |condition: &str, wanted: &str| {
            seen.value(condition)
                .is_some_and(|value| value.split(' ').next() == Some(wanted))
        };
        let mut cause = None;
        let (until, said) = if seen.value("found").is_none() {
            if seen.value("ActiveState").is_some() {
                return Ok(self.service.pending(seen));
            }
            let said = seen.stderr.lines().last().unwrap_or("no answer").to_owned();
            if said.contains("(NotFound)") {
                if self.agent {
                    return Ok(self.register_again());
                }
                (format!("node {name} to appear"), said)
            } else {
                if self.no_server {
                    cause = Some(
                        problem!(
                            Code::API_UNRESPONSIVE,
                            "node {name}: the cluster's API does not answer"
                        )
                        .because("no server of the cluster is READY, and none was started now")
                        .next("bring a server back, then run the same command again"),
                    );
                }
                (format!("the API to answer for node {name}"), said)
            }
        } else if !is("Ready", "True")
            && (self.network || self.plug_in || !is_for_network(seen, "Ready"))
        {
            (
                format!("node {name} to be Ready"),
                seen.value("Ready")
                    .unwrap_or("no condition Ready")
                    .to_owned(),
            )
        } else if self.network && seen.value("pods").is_none_or(str::is_empty) {
            (
                format!("node {name} to get its range of pod addresses"),
                "no .spec.podCIDR: the controller manager has not given it one".to_owned(),
            )
        } else if !self.version.is_empty() && seen.value("version") != Some(&self.version) {
            (
                format!("node {name} to tell the version {}", self.version),
                format!("it tells {}", seen.value("version").unwrap_or("none")),
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
        let (words, command) = if self.plug_in && is_for_network(seen, "Ready") {
            (
                "on a server, this shows whether the pod of the network plug-in (CNI) runs there",
                format!("kubectl get pods --all-namespaces --field-selector spec.nodeName={name}"),
            )
        } else {
            (
                "on a server, this shows more",
                format!("kubectl describe node {name}"),
            )
        };
        Ok(Verdict::Pending(Pending {
            until,
            cause,
            said: vec![said],
            ended: None,
            next: vec![
                Advice::new(Words, words),
                Advice::new(CommandOnHost, command),
            ],
            timeout: self.timeout,
        }))
    }

    fn register_again(&self) -> Verdict {
        let unit = &self.service.unit;
        let what = format!(
            "restart {unit}: the cluster has no node {} any more",
            self.name
        );
        let script = format!("systemctl restart --no-block {}\n", quote(unit));
        Verdict::Drifted(Remedy {
            changes: vec![Change::new(what)],
            actions: vec![Action::Run(acting(&script, Duration::from_mins(1)))],
            settle: self.timeout,
            restarts: true,
            follows: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str = "Ready=True KubeletReady: x\n";
    const WITHOUT_NETWORK: &str = "Ready=False KubeletNotReady: container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized\n";
    const VOTER: &str = "EtcdIsVoter=True MemberNotLearner: x\n";
    const LEARNER: &str = "EtcdIsVoter=False MemberIsLearner: x\n";
    const PODS: &str = "pods=10.42.0.0/24\n";

    fn node() -> Node {
        Node {
            name: "m1".into(),
            voter: true,
            network: true,
            plug_in: false,
            version: String::new(),
            kubeconfig: "/k".into(),
            service: Service {
                unit: "k3s".into(),
                newer_than: Vec::new(),
                ready: None,
                journal: None,
                diagnose: None,
                kubectl: "/usr/local/bin/k3s kubectl",
                own: None,
                quorum: None,
                timeout: Duration::from_secs(9),
            },
            agent: false,
            no_server: false,
            timeout: Duration::from_secs(9),
        }
    }

    /// What is waited for after this answer about a node that was found, if anything is.
    fn until(node: &Node, answer: &[&str]) -> Option<String> {
        let found = answer.first().map_or("", |_| "found=yes\n");
        let seen = Reply {
            status: 0,
            stdout: format!("{}{found}", answer.concat()),
            stderr: String::new(),
        };
        match node.judge(&seen, &Changes::default()).expect("a verdict") {
            Verdict::Pending(pending) => Some(pending.until),
            _ => None,
        }
    }

    #[test]
    fn a_node_is_waited_for_until_it_is_ready_and_votes() {
        let table: [(&[&str], _); 6] = [
            (&[], Some("the API to answer for node m1")),
            (
                &["Ready=False KubeletNotReady: x\n"],
                Some("node m1 to be Ready"),
            ),
            (&[WITHOUT_NETWORK, VOTER, PODS], Some("node m1 to be Ready")),
            (
                &[READY, VOTER, "pods=\n"],
                Some("node m1 to get its range of pod addresses"),
            ),
            (
                &[READY, LEARNER, PODS],
                Some("m1 to be a voting member of etcd"),
            ),
            (&[READY, VOTER, PODS], None),
        ];
        for (answer, waits) in table {
            assert_eq!(until(&node(), answer).as_deref(), waits, "{answer:?}");
        }
    }

    #[test]
    fn a_network_plug_in_of_ones_own_is_not_waited_for_and_all_else_is() {
        let node = Node {
            network: false,
            ..node()
        };
        let by_manifests = Node {
            plug_in: true,
            ..node.clone()
        };
        assert_eq!(
            until(&by_manifests, &[WITHOUT_NETWORK, VOTER]).as_deref(),
            Some("node m1 to be Ready")
        );
        let more = WITHOUT_NETWORK.replace(": container", ": [container");
        let api_unresponsive = WITHOUT_NETWORK.replace("=False", "=Unknown");
        let table: [(&[&str], _); 5] = [
            (&[WITHOUT_NETWORK, VOTER], None),
            (&[READY, VOTER], None),
            (
                &[WITHOUT_NETWORK, LEARNER],
                Some("m1 to be a voting member of etcd"),
            ),
            (&[&more, VOTER], Some("node m1 to be Ready")),
            (&[&api_unresponsive, VOTER], Some("node m1 to be Ready")),
        ];
        for (answer, waits) in table {
            assert_eq!(until(&node, answer).as_deref(), waits, "{answer:?}");
        }
    }

    #[test]
    fn an_agent_whose_node_was_deleted_is_restarted_and_a_server_is_waited_for() {
        let seen = Reply {
            status: 1,
            stdout: String::new(),
            stderr: "Error from server (NotFound): nodes \"m1\" not found".into(),
        };
        let judged = |agent: bool| {
            let node = Node { agent, ..node() };
            match node.judge(&seen, &Changes::default()).expect("a verdict") {
                Verdict::Pending(pending) => pending.until,
                Verdict::Drifted(remedy) => remedy.changes[0].what.clone(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(judged(false), "node m1 to appear");
        assert_eq!(
            judged(true),
            "restart k3s: the cluster has no node m1 any more"
        );
    }

    #[test]
    fn an_api_that_does_not_answer_is_final_when_no_server_could_bring_it_back() {
        let refused = "The connection to the server 127.0.0.1:6444 was refused";
        let missing = "Error from server (NotFound): nodes \"m1\" not found";
        let is_final = |no_server: bool, stderr: &str| {
            let node = Node {
                no_server,
                ..node()
            };
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
