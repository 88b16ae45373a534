//! What came of a run, host by host.

use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::problem::{ExitCode, Problem};

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
    /// Connections to hosts that others are reached through; each carries all hosts behind it.
    #[serde(default)]
    pub bastion_connections: usize,
    /// Time for all of it.
    pub seconds: f64,
    /// Whether something failed besides what the rows say. Where nothing did, and no row is failed,
    /// unreachable or cancelled, the exit status is 0.
    pub trouble: bool,
}

impl Report {
    /// Of work that is not about hosts, or that only asked them.
    pub fn without_hosts(begun: Instant, is_good: bool) -> Self {
        Self {
            rows: Vec::new(),
            slowest: Vec::new(),
            timeline: Vec::new(),
            bastion_connections: 0,
            seconds: begun.elapsed().as_secs_f64(),
            trouble: !is_good,
        }
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
