//! What is known of every host while a run goes on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::gather::Gathered;
use super::report::{CONNECTION, Outcome, Report, Row, Timing, Turn, TurnStep};
use crate::problem::Problem;
use crate::ssh::ExchangeCounts;
use crate::task::Service;

/// What is known of every host while a run goes on.
#[derive(Debug, Default)]
pub struct RunState {
    hosts: BTreeMap<String, HostResult>,
    turns: Vec<TimedTurn>,
    started: BTreeMap<String, Started>,
}

/// A host's turn in a stage, by the clock.
#[derive(Debug)]
pub(super) struct TimedTurn {
    pub host: String,
    pub stage: String,
    pub begun: Instant,
    pub time: Duration,
    /// Steps that changed something or waited.
    pub steps: Vec<Done>,
}

impl TimedTurn {
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

/// A unit that this run has started.
#[derive(Debug, Clone)]
pub(super) struct Started {
    pub service: Service,
    /// The step's name.
    pub step: String,
    /// When it was seen READY.
    pub ready: tokio::time::Instant,
    /// Whether it ran before, with other files, or was found starting. One that is new has shown by its
    /// node that all parts of it run.
    pub restarted: bool,
}

#[derive(Debug, Default)]
struct HostResult {
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
            state.turn(TimedTurn {
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
            entry.problem = problem.map(|problem| problem.of(host));
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
    pub(super) fn turn(&mut self, turn: TimedTurn) {
        let entry = self.hosts.entry(turn.host.clone()).or_default();
        entry.time += turn.time;
        for done in &turn.steps {
            entry.changed += done.changed;
        }
        self.turns.push(turn);
    }

    /// The report. `hosts` are name, role, whether it was selected, and what was spent on it.
    pub fn report(
        mut self,
        hosts: impl Iterator<Item = (String, String, bool, ExchangeCounts)>,
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
        let steps = self.turns.iter().flat_map(|turn| {
            turn.steps.iter().map(|done| Timing {
                host: turn.host.clone(),
                step: done.step.clone(),
                seconds: done.time.as_secs_f64(),
            })
        });
        let mut slowest: Vec<_> = steps.filter(|timing| timing.seconds >= 1.0).collect();
        slowest.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
        slowest.truncate(5);
        Report {
            rows,
            slowest,
            timeline,
            bastion_connections: 0,
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
        run_state.turn(TimedTurn {
            host: "m1".into(),
            stage: "agents".into(),
            begun: Instant::now(),
            time: Duration::from_secs(300),
            steps: Vec::new(),
        });
        run_state.end("m1", Outcome::Failed, None);
        let row = (
            "m1".to_owned(),
            "agent".to_owned(),
            true,
            ExchangeCounts::default(),
        );
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
            run_state.turn(TimedTurn {
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
                ExchangeCounts::default(),
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
