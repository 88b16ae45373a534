//! What came of a run, host by host.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::error::{ExitCode, Problem};
use crate::ssh::Counts;

/// What came of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The host.
    pub host: String,
    /// Its role.
    pub role: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Steps that changed something.
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
#[derive(Debug, Clone, Serialize)]
pub struct Timing {
    /// The host.
    pub host: String,
    /// The step.
    pub step: String,
    /// How long it took.
    pub seconds: f64,
}

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The hosts in the order of the inventory.
    pub rows: Vec<Row>,
    /// The slowest steps, slowest first.
    pub slowest: Vec<Timing>,
    /// Time for all of it.
    pub seconds: f64,
    /// Whether something about the cluster as a whole failed.
    pub trouble: bool,
}

impl Report {
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
pub struct Ledger {
    hosts: BTreeMap<String, Entry>,
    timings: Vec<Timing>,
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

impl Ledger {
    /// Whether a host still takes part.
    pub fn is_in(&self, host: &str) -> bool {
        let outcome = self.hosts.get(host).and_then(|entry| entry.outcome);
        !matches!(
            outcome,
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

    /// Begins another plan, whose stages are counted anew.
    pub fn replan(&mut self) {
        for entry in self.hosts.values_mut() {
            entry.passed = None;
        }
    }

    /// Adds time that was spent on a host.
    pub fn spend(&mut self, host: &str, time: Duration) {
        self.hosts.entry(host.to_owned()).or_default().time += time;
    }

    /// Adds a step that changed something or waited.
    pub fn step(&mut self, host: &str, step: &str, changed: bool, time: Duration) {
        let entry = self.hosts.entry(host.to_owned()).or_default();
        entry.time += time;
        entry.changed += usize::from(changed);
        self.timings.push(Timing {
            host: host.into(),
            step: step.into(),
            seconds: time.as_secs_f64(),
        });
    }

    /// The report. `hosts` are name, role, whether it was selected, and what was spent on it.
    pub fn report(
        mut self,
        hosts: impl Iterator<Item = (String, String, bool, Counts)>,
        time: Duration,
        trouble: bool,
    ) -> Report {
        let rows = hosts
            .map(|(host, role, selected, counts)| {
                let entry = self.hosts.remove(&host).unwrap_or_default();
                let outcome = entry.outcome.unwrap_or(match (selected, entry.changed) {
                    (false, _) => Outcome::Observed,
                    (true, 0) => Outcome::Unchanged,
                    (true, _) => Outcome::Changed,
                });
                Row {
                    host,
                    role,
                    outcome,
                    changed: entry.changed,
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
            seconds: time.as_secs_f64(),
            trouble,
        }
    }
}
