//! What came of a run, host by host.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gather::Gathered;
use super::lasting::Started;
use crate::problem::{ExitCode, Problem};
use crate::ssh::Counts;

/// What came of a host.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything was as it should be.
    Unchanged,
    /// It is now as it should be.
    Changed,
    /// It was only read.
    Observed,
    /// Steps of it were not done, though nothing failed on it.
    Cancelled,
    /// It could not be reached, or its key was refused.
    Unreachable,
    /// A step failed.
    Failed,
}

/// One host's line of the table.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// The host.
    pub host: String,
    /// Its role.
    pub role: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Changes made on it. What a server that is only read does for others, such as deleting a node,
    /// is none on it.
    pub changed: usize,
    /// Connections opened to it.
    pub connections: u32,
    /// Exec channels opened on it.
    pub exchanges: u32,
    /// Time spent on it.
    pub seconds: f64,
    /// Why it failed, was not reached or not finished.
    pub problem: Option<Problem>,
}

/// A step that took time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Timing {
    /// The host.
    pub host: String,
    /// The step.
    pub step: String,
    /// How long it took.
    pub seconds: f64,
}

/// A host's turn in a stage. Times are seconds, the first of them since the run began.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// The host.
    pub host: String,
    /// The stage; [`CONNECTION`] before the first.
    pub stage: String,
    /// When it began.
    pub begun: f64,
    /// How long it took.
    pub seconds: f64,
    /// The steps that changed something or waited.
    pub steps: Vec<TurnStep>,
}

/// A step of a turn. Times are seconds, the first of them since the run began.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TurnStep {
    /// The step.
    pub step: String,
    /// When it began.
    pub begun: f64,
    /// How long it took.
    pub seconds: f64,
}

/// What a turn is called in which a host is connected to and says what it is.
pub const CONNECTION: &str = "connection";

/// What came of a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The hosts in the order of the inventory; none where hosts are only asked for something, as by
    /// `get-config`.
    pub rows: Vec<Row>,
    /// The slowest steps, slowest first.
    pub slowest: Vec<Timing>,
    /// When which host was busy, host by host in the order of the inventory.
    pub timeline: Vec<Turn>,
    /// Time for all of it.
    pub seconds: f64,
    /// Whether something failed besides what the rows say. Where nothing did, and no row is failed,
    /// unreachable or cancelled, the exit status is 0.
    pub trouble: bool,
}

impl Report {
    /// Of work that is not about hosts, or that only asked them.
    pub fn without_hosts(begun: Instant, is_good: bool) -> Self {
        RunState::default().report(std::iter::empty(), begun.elapsed(), !is_good)
    }

    /// How many hosts came out so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.rows
            .iter()
            .filter(|row| row.outcome == outcome)
            .count()
    }

    /// Success only when nothing failed, was unreachable or left undone.
    pub fn exit_code(&self) -> ExitCode {
        let bad = [Outcome::Failed, Outcome::Unreachable, Outcome::Cancelled];
        if self.trouble || bad.iter().any(|outcome| self.count(*outcome) > 0) {
            ExitCode::Failed
        } else {
            ExitCode::Success
        }
    }
}

/// What is known of every host while a run goes on.
#[derive(Debug, Default)]
pub struct RunState {
    hosts: BTreeMap<String, Entry>,
    timings: Vec<Timing>,
    turns: Vec<Taken>,
    started: BTreeMap<String, Started>,
}

/// A host's turn in a stage, by the clock.
#[derive(Debug)]
pub(super) struct Taken {
    pub host: String,
    pub stage: String,
    pub begun: Instant,
    pub time: Duration,
    /// Steps that changed something or waited.
    pub steps: Vec<Done>,
}

impl Taken {
    fn told(&self, since: impl Fn(Instant) -> f64) -> Turn {
        Turn {
            host: self.host.clone(),
            stage: self.stage.clone(),
            begun: since(self.begun),
            seconds: self.time.as_secs_f64(),
            steps: self
                .steps
                .iter()
                .map(|done| TurnStep {
                    step: done.step.clone(),
                    begun: since(done.begun),
                    seconds: done.time.as_secs_f64(),
                })
                .collect(),
        }
    }
}

/// A step that changed something or waited.
#[derive(Debug)]
pub(super) struct Done {
    pub step: String,
    pub changed: usize,
    pub begun: Instant,
    pub time: Duration,
}

#[derive(Debug, Default)]
struct Entry {
    outcome: Option<Outcome>,
    changed: usize,
    time: Duration,
    problem: Option<Problem>,
    /// The stage of the running plan up to which all was done.
    passed: Option<usize>,
}

impl RunState {
    /// What is known once the hosts were asked: how long that took, and which of them did not answer, as
    /// far as they are counted.
    pub fn of(gathered: &Gathered, is_counted: impl Fn(&str) -> bool) -> Self {
        let mut state = Self::default();
        for (host, (begun, time)) in &gathered.times {
            state.turn(Taken {
                host: host.clone(),
                stage: CONNECTION.into(),
                begun: *begun,
                time: *time,
                steps: Vec::new(),
            });
        }
        let counted = gathered.unreached.iter();
        for (host, unreached) in counted.filter(|(host, _)| is_counted(host)) {
            state.end(host, unreached.outcome, Some(unreached.problem.clone()));
        }
        state
    }

    /// How a host came out so far.
    pub(super) fn outcome(&self, host: &str) -> Option<Outcome> {
        self.hosts.get(host).and_then(|entry| entry.outcome)
    }

    /// Whether a host still takes part.
    pub fn is_in(&self, host: &str) -> bool {
        !matches!(
            self.outcome(host),
            Some(Outcome::Failed | Outcome::Unreachable | Outcome::Cancelled)
        )
    }

    /// Ends a host's part. The first end stands.
    pub fn end(&mut self, host: &str, outcome: Outcome, problem: Option<Problem>) {
        if self.is_in(host) {
            let entry = self.hosts.entry(host.to_owned()).or_default();
            entry.outcome = Some(outcome);
            entry.problem = problem;
        }
    }

    /// Notes that a host has done all of a stage.
    pub fn pass(&mut self, host: &str, stage: usize) {
        self.hosts.entry(host.to_owned()).or_default().passed = Some(stage);
    }

    /// Whether a host has done all of a stage.
    pub fn has_passed(&self, host: &str, stage: usize) -> bool {
        let passed = self.hosts.get(host).and_then(|entry| entry.passed);
        passed.is_some_and(|passed| stage <= passed)
    }

    /// Notes that a unit was started on a host. Each host has one.
    pub(super) fn started(&mut self, host: &str, started: Started) {
        self.started.insert(host.to_owned(), started);
    }

    /// The units that were started on hosts that are still in.
    pub(super) fn take_started(&mut self) -> BTreeMap<String, Started> {
        let mut started = std::mem::take(&mut self.started);
        started.retain(|host, _| self.is_in(host));
        started
    }

    /// Begins another plan, whose stages are counted anew.
    pub fn replan(&mut self) {
        for entry in self.hosts.values_mut() {
            entry.passed = None;
        }
    }

    /// Adds a host's turn in a stage.
    pub(super) fn turn(&mut self, turn: Taken) {
        let entry = self.hosts.entry(turn.host.clone()).or_default();
        entry.time += turn.time;
        for done in &turn.steps {
            entry.changed += done.changed;
            self.timings.push(Timing {
                host: turn.host.clone(),
                step: done.step.clone(),
                seconds: done.time.as_secs_f64(),
            });
        }
        self.turns.push(turn);
    }

    /// The report. `hosts` are name, role, whether it was selected, and what was spent on it.
    pub fn report(
        mut self,
        hosts: impl Iterator<Item = (String, String, bool, Counts)>,
        time: Duration,
        trouble: bool,
    ) -> Report {
        let start = Instant::now().checked_sub(time);
        let since = |moment: Instant| {
            start.map_or(0.0, |start| {
                moment.saturating_duration_since(start).as_secs_f64()
            })
        };
        let mut timeline = Vec::new();
        let rows = hosts
            .map(|(host, role, selected, counts)| {
                let entry = self.hosts.remove(&host).unwrap_or_default();
                let own = self.turns.iter().filter(|turn| turn.host == host);
                timeline.extend(own.map(|turn| turn.told(since)));
                let outcome = entry.outcome.unwrap_or(match (selected, entry.changed) {
                    (false, _) => Outcome::Observed,
                    (true, 0) => Outcome::Unchanged,
                    (true, _) => Outcome::Changed,
                });
                Row {
                    host,
                    role,
                    outcome,
                    changed: if outcome == Outcome::Observed {
                        0
                    } else {
                        entry.changed
                    },
                    connections: counts.connections,
                    exchanges: counts.exchanges,
                    seconds: entry.time.as_secs_f64(),
                    problem: entry.problem,
                }
            })
            .collect();
        self.timings
            .sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        self.timings.retain(|timing| timing.seconds >= 1.0);
        self.timings.truncate(5);
        Report {
            rows,
            slowest: self.timings,
            timeline,
            seconds: time.as_secs_f64(),
            trouble,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_host_that_failed_includes_its_wait() {
        let mut run_state = RunState::default();
        run_state.turn(Taken {
            host: "m1".into(),
            stage: "agents".into(),
            begun: Instant::now(),
            time: Duration::from_secs(300),
            steps: Vec::new(),
        });
        run_state.end("m1", Outcome::Failed, None);
        let row = ("m1".to_owned(), "agent".to_owned(), true, Counts::default());
        let report = run_state.report([row].into_iter(), Duration::ZERO, false);
        assert!(
            report.rows[0].seconds >= 300.0,
            "{}",
            report.rows[0].seconds
        );
    }

    #[test]
    fn what_a_server_does_for_others_is_no_change_of_its_own() {
        let mut run_state = RunState::default();
        for host in ["m1", "m2"] {
            let done = Done {
                step: "files".into(),
                changed: 3,
                begun: Instant::now(),
                time: Duration::ZERO,
            };
            run_state.turn(Taken {
                host: host.into(),
                stage: "agents".into(),
                begun: Instant::now(),
                time: Duration::ZERO,
                steps: vec![done],
            });
        }
        let host = |name: &str, selected| {
            (
                name.to_owned(),
                "server".to_owned(),
                selected,
                Counts::default(),
            )
        };
        let hosts = [host("m1", false), host("m2", true)];
        let report = run_state.report(hosts.into_iter(), Duration::ZERO, false);
        let rows: Vec<_> = report
            .rows
            .iter()
            .map(|row| (row.outcome, row.changed))
            .collect();
        assert_eq!(rows, [(Outcome::Observed, 0), (Outcome::Changed, 3)]);
    }
}
