//! What a member of etcd is asked before it is stopped or restarted: whether the others can do
//! without it, at that very moment. Pure.

use std::time::Duration;

use crate::cluster::Situation;
use crate::distribution;
use crate::facts::{Datastore, Questions, turn_told};
use crate::inventory::DataDir;
use crate::shell::{Reply, Script};

/// How long to wait for others to come up: another run may be restarting one of them.
const PATIENCE: Duration = Duration::from_mins(1);

/// The question that stands before a step which stops or restarts a member of etcd. A plan is older
/// than its steps: since it was made another server may have lost power, or another run may be at
/// work on it.
#[derive(Debug, Clone)]
pub struct Guard {
    /// What servers are asked.
    pub questions: &'static Questions,
    /// The name of the member's node.
    pub node: String,
    /// What the step does to the member.
    pub stop: MemberStop,
    /// Servers that can be asked, with the folder of their data, the best first.
    pub ask: Vec<(String, DataDir)>,
    /// How long to wait until it may stop.
    pub timeout: Duration,
}

/// How a member of etcd comes to be missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberStop {
    /// It is restarted. That may cost the quorum for the time, when all are up: with two members there is
    /// no other way.
    Restart,
    /// It is stopped for good, and still counts.
    Stop,
    /// It is removed from the members while it runs, so that the rest is what counts.
    Removal,
}

impl Guard {
    /// The guard of a host that has data of etcd, where a server answers for the cluster.
    pub(super) fn new(
        situation: &Situation<'_>,
        host: &str,
        node: String,
        stop: MemberStop,
    ) -> Option<Self> {
        let mut servers: Vec<_> = situation
            .inventory
            .hosts
            .iter()
            .filter_map(|other| {
                let facts = situation.facts.get(&other.name)?;
                let has_data = facts.node.datastore == Some(Datastore::Etcd);
                has_data.then_some((&*other.name, facts))
            })
            .collect();
        let is_member = servers.iter().any(|(name, _)| *name == host);
        if !is_member || !servers.iter().any(|(_, facts)| facts.serves()) {
            return None;
        }
        servers.sort_by_key(|(name, facts)| (*name == host, !facts.serves()));
        Some(Self {
            questions: &distribution::of(situation.inventory).questions,
            node,
            stop,
            ask: servers
                .into_iter()
                .map(|(name, facts)| (name.to_owned(), facts.node.data_dir.clone()))
                .collect(),
            timeout: PATIENCE,
        })
    }

    /// The question for a server with its data in that folder, by this run. It takes the turn to stop
    /// a server.
    pub fn probe(&self, data_dir: &DataDir, run: &str) -> Script {
        self.questions
            .voters(data_dir, &format!("{}/{run}", self.node))
    }

    /// Whether this run may stop the member, by a server's answer; `None` when that server cannot tell.
    ///
    /// # Errors
    /// Why it may not, in a sentence.
    pub fn judge(&self, seen: &Reply, run: &str) -> Option<Result<(), String>> {
        let voters = self.questions.voters_told(seen)?;
        let (stopped, turn) = turn_told(seen)?;
        let node = &self.node;
        let is_it = |name: &str| name == node;
        // One that is down takes no vote along.
        if !voters.iter().any(|one| is_it(&one.name) && one.is_up()) {
            return Some(Ok(()));
        }
        let others = || voters.iter().filter(|one| !is_it(&one.name));
        let down: Vec<&str> = others()
            .filter(|one| !one.is_up())
            .map(|one| &*one.name)
            .collect();
        let up = others().count() - down.len();
        let counted = voters.len() - usize::from(self.stop == MemberStop::Removal);
        let needed = counted / 2 + 1;
        if up >= needed || (down.is_empty() && self.stop == MemberStop::Restart) {
            return Some(if turn == run {
                Ok(())
            } else {
                Err(format!("another run of towline is about to stop {stopped}"))
            });
        }
        let names: Vec<_> = voters.iter().map(|one| &*one.name).collect();
        let gone = match down.as_slice() {
            [] => String::new(),
            [one] => format!("{one} is down, and "),
            several => format!("{} are down, and ", several.join(", ")),
        };
        Some(Err(format!(
            "etcd has the voters {}: {gone}without {node} only {up} of them would be up, and it needs {needed}",
            names.join(", "),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTIONS: &Questions = &crate::distribution::k3s::DISTRIBUTION.questions;

    fn reply(nodes: &[(&str, bool)]) -> Reply {
        let lines = nodes.iter().map(|(name, ready)| {
            format!(
                "node={name}\t\t\t{{\"node-role.kubernetes.io/etcd\":\"true\"}}\t[]\t{{}}\t[{{\"type\":\"Ready\",\"status\":\"{}\"}}]\n",
                if *ready { "True" } else { "Unknown" }
            )
        });
        Reply {
            status: 0,
            stdout: format!("turn=m2/run\napi=ready\n{}", lines.collect::<String>()),
            stderr: String::new(),
        }
    }

    /// Voters with whether they are up; why m2 is not restarted; why it is not stopped for good.
    type Row = (
        &'static [(&'static str, bool)],
        Option<&'static str>,
        Option<&'static str>,
    );

    #[test]
    fn a_member_stops_only_when_the_others_can_do_without_it() {
        let lost = Some(
            "etcd has the voters m1, m2, m3: m3 is down, and without m2 only 1 of them would be up, and it needs 2",
        );
        let table: [Row; 8] = [
            (&[("m1", true), ("m2", true), ("m3", true)], None, None),
            (&[("m1", true), ("m2", true), ("m3", false)], lost, lost),
            // It is down itself.
            (&[("m1", true), ("m2", false), ("m3", true)], None, None),
            (&[("m1", true), ("m3", true)], None, None),
            (
                &[("m2", true)],
                None,
                Some(
                    "etcd has the voters m2: without m2 only 0 of them would be up, and it needs 1",
                ),
            ),
            (
                &[("m1", true), ("m2", true)],
                None,
                Some(
                    "etcd has the voters m1, m2: without m2 only 1 of them would be up, and it needs 2",
                ),
            ),
            (
                &[
                    ("m1", true),
                    ("m2", true),
                    ("m3", false),
                    ("m4", true),
                    ("m5", true),
                ],
                None,
                None,
            ),
            (
                &[
                    ("m1", false),
                    ("m2", true),
                    ("m3", false),
                    ("m4", true),
                    ("m5", true),
                ],
                Some(
                    "etcd has the voters m1, m2, m3, m4, m5: m1, m3 are down, and without m2 only 2 of them would be up, and it needs 3",
                ),
                Some(
                    "etcd has the voters m1, m2, m3, m4, m5: m1, m3 are down, and without m2 only 2 of them would be up, and it needs 3",
                ),
            ),
        ];
        for (nodes, restarted, stopped) in table {
            for (stop, expected) in [
                (MemberStop::Restart, restarted),
                (MemberStop::Stop, stopped),
            ] {
                let guard = Guard {
                    questions: QUESTIONS,
                    node: "m2".into(),
                    stop,
                    ask: Vec::new(),
                    timeout: PATIENCE,
                };
                let told = guard.judge(&reply(nodes), "run").expect("it tells");
                assert_eq!(told.err().as_deref(), expected, "{nodes:?} {stop:?}");
                let mute = Reply {
                    stdout: "five_minutes_ago=x\n".into(),
                    ..reply(&[])
                };
                assert_eq!(guard.judge(&mute, "run"), None);
            }
        }
    }

    #[test]
    fn a_member_is_removed_when_the_rest_has_a_quorum_of_its_own() {
        let guard = Guard {
            questions: QUESTIONS,
            node: "m2".into(),
            stop: MemberStop::Removal,
            ask: Vec::new(),
            timeout: PATIENCE,
        };
        for (nodes, expected) in [
            (&[("m1", true), ("m2", true)][..], None),
            (&[("m1", true), ("m2", true), ("m3", true)], None),
            (
                &[("m1", true), ("m2", true), ("m3", false)],
                Some(
                    "etcd has the voters m1, m2, m3: m3 is down, and without m2 only 1 of them would be up, and it needs 2",
                ),
            ),
            (
                &[("m2", true)],
                Some(
                    "etcd has the voters m2: without m2 only 0 of them would be up, and it needs 1",
                ),
            ),
        ] {
            let told = guard.judge(&reply(nodes), "run").expect("it tells");
            assert_eq!(told.err().as_deref(), expected, "{nodes:?}");
        }
    }

    #[test]
    fn a_member_stops_only_when_it_is_this_runs_turn() {
        let guard = Guard {
            questions: QUESTIONS,
            node: "m2".into(),
            stop: MemberStop::Restart,
            ask: Vec::new(),
            timeout: PATIENCE,
        };
        let told = |turn: &str, up| {
            let reply = reply(&[("m1", true), ("m2", up), ("m3", true)]);
            let stdout = reply.stdout.replace("turn=m2/run\n", turn);
            guard.judge(&Reply { stdout, ..reply }, "run")
        };
        let taken = || Some(Err("another run of towline is about to stop m3".to_owned()));
        assert_eq!(told("turn=m1/run\n", true), Some(Ok(())));
        assert_eq!(told("turn=m3/other\n", true), taken());
        assert_eq!(told("turn=m3/other\n", false), Some(Ok(())));
        // No lease could be had, or the user has written into it.
        assert_eq!(told("", true), None);
        assert_eq!(told("turn=M 3/other\n", true), None);
    }
}
