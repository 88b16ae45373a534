//! What is asked before a server joins as a member of etcd: whether the others reach it where members
//! reach each other. Its own way to them is a step of its playbook. Pure.

use std::net::IpAddr;
use std::time::Duration;

use crate::cluster::{NodeRole, PEER_PORT, Situation, Topology};
use crate::facts::{PortAnswer, port_probe, port_told};
use crate::problem::{Code, Problem, problem};
use crate::shell::{Reply, Script, quote};

/// How long others may take to reach a host: a neighbour knows a machine that was made anew by its old
/// hardware address for a moment.
const PATIENCE: Duration = Duration::from_secs(15);

/// Servers that have to reach a host before it is started as a member. A member that they do not reach
/// never gets its vote; where it votes at once, its vote is missing from then on.
#[derive(Debug, Clone)]
pub struct PeerCheck {
    /// Where they have to reach it.
    pub address: IpAddr,
    /// Shell text that listens at `$address` and `$port` until it is ended: nothing else does yet, and a
    /// firewall may refuse like a port without a listener.
    pub listen: &'static str,
    /// Whether the version makes it a voter at once.
    pub votes_at_once: bool,
    /// The servers that are asked.
    pub by: Vec<String>,
    /// How long to try.
    pub timeout: Duration,
}

impl PeerCheck {
    /// For a host that joins: members that run, and others that join beside it.
    pub(super) fn new(situation: &Situation<'_>, topology: &Topology, host: &str) -> Option<Self> {
        let listen = situation.rules.product().listen?;
        if situation.inventory.cluster.datastore_endpoint.is_some() {
            return None;
        }
        let spec = topology.specs.get(host)?;
        let others = situation.servers().filter(|(other, facts)| {
            let joins = topology.specs.get(&other.name);
            let joins = joins.is_some_and(|spec| spec.role == NodeRole::Joining);
            other.name != host && (facts.node.server_unit.is_ready() || joins)
        });
        Some(Self {
            address: spec.node_ip,
            listen,
            votes_at_once: topology.joins_one_by_one,
            by: others.map(|(other, _)| other.name.clone()).collect(),
            timeout: PATIENCE,
        })
    }

    /// Begins to listen on the host, unless something does already.
    pub fn listen(&self) -> Script {
        let address = quote(&self.address.to_string());
        Script::new(format!(
            "address={address} port={PEER_PORT}\n\
             is_open() {{ timeout 2 bash -c ': <>\"/dev/tcp/$0/$1\"' \"$address\" \"$port\" 2>/dev/null; }}\n\
             is_open && exit\n\
             timeout 60 {} >/dev/null 2>&1 </dev/null &\n\
             for _ in 1 2 3 4 5 6 7 8 9 10; do\n\
                 is_open && echo \"listens=$!\" && exit\n\
                 sleep 1\n\
             done\n\
             kill $!\n",
            self.listen
        ))
    }

    /// The process that listens, by the host's answer.
    pub fn listener(reply: &Reply) -> Option<u32> {
        reply.value("listens")?.parse().ok()
    }

    /// Ends it.
    pub fn end(listener: u32) -> Script {
        Script::new(format!("kill {listener}\n"))
    }

    /// The question for the others.
    pub fn probe(&self) -> Script {
        port_probe(self.address, PEER_PORT)
    }

    /// Why the host must not join, by what the servers answered that could be asked. A refusal tells
    /// nothing where the host could not listen.
    pub fn judge(&self, answers: &[(&str, Reply)], listens: bool) -> Option<Problem> {
        let fails = |reply: &Reply| match port_told(reply)? {
            PortAnswer::Open => None,
            PortAnswer::Refused => listens.then_some("the connection is refused"),
            PortAnswer::Unreachable => Some("no route to the host"),
            PortAnswer::Silent
            | PortAnswer::Unnamed
            | PortAnswer::TurnedAway
            | PortAnswer::Other => Some("no answer"),
        };
        let failed: Vec<_> = answers
            .iter()
            .filter_map(|(name, reply)| Some((*name, fails(reply)?)))
            .collect();
        let names: Vec<_> = failed.iter().map(|(name, _)| *name).collect();
        let (_, answer) = failed.first()?;
        let verb = if names.len() == 1 { "does" } else { "do" };
        let problem = problem!(
            Code::PORTS_BLOCKED,
            "{} {verb} not reach it at port {PEER_PORT} of {}, where members of etcd reach each other: {answer}",
            names.join(", "),
            self.address
        );
        let problem = problem.because(if self.votes_at_once {
            "it was not started: in this version it would vote at once, and etcd would lose its quorum"
        } else {
            "it was not started: it could never become a voting member"
        });
        Some(problem.next(format!(
            "let the servers through to port {PEER_PORT}: look at the firewalls of this host and between it and {}; then run the same command again",
            names.join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(answer: &str) -> Reply {
        Reply {
            status: 0,
            stdout: format!("port={answer}\n"),
            stderr: String::new(),
        }
    }

    #[test]
    fn a_host_joins_only_when_the_others_reach_it() {
        let reached = |votes_at_once| PeerCheck {
            address: IpAddr::from([10, 0, 0, 3]),
            listen: "",
            votes_at_once,
            by: Vec::new(),
            timeout: PATIENCE,
        };
        let told = |answers: [&str; 2], listens| {
            let answers = [("m1", reply(answers[0])), ("m2", reply(answers[1]))];
            let problem = reached(true).judge(&answers, listens);
            problem.map(|problem| problem.what)
        };
        assert_eq!(told(["open", "open"], true), None);
        // One that could not be asked holds nothing up.
        assert_eq!(told(["open", ""], true), None);
        assert_eq!(told(["open", "refused"], false), None);
        insta::assert_snapshot!(told(["open", "refused"], true).expect("refused"), @"m2 does not reach it at port 2380 of 10.0.0.3, where members of etcd reach each other: the connection is refused");
        insta::assert_snapshot!(told(["silent", "unreachable"], true).expect("silent"), @"m1, m2 do not reach it at port 2380 of 10.0.0.3, where members of etcd reach each other: no answer");
        let answers = [("m1", reply("silent"))];
        let problem = reached(false).judge(&answers, true).expect("silent");
        insta::assert_snapshot!(problem.of("m3"), @r"
        m3: m1 does not reach it at port 2380 of 10.0.0.3, where members of etcd reach each other: no answer
          it was not started: it could never become a voting member
          → let the servers through to port 2380: look at the firewalls of this host and between it and m1; then run the same command again
        ");
    }

    #[test]
    fn what_a_host_says_of_its_listener_is_a_number() {
        let said = |stdout: &str| {
            PeerCheck::listener(&Reply {
                stdout: stdout.into(),
                ..reply("")
            })
        };
        assert_eq!(said("listens=4711\n"), Some(4711));
        assert_eq!(said("listens=1; reboot\n"), None);
        assert_eq!(said(""), None);
    }
}
