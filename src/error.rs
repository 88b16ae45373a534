//! How an error is told to a person: what, why, and the next command to type.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a person is told when something could not be done.
///
/// Plain sentences without a final full stop; the parts are laid out by the place that prints.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What failed, naming the host or file: `m1: the host key is not known`.
    pub what: String,
    /// What was tried and what it answered, one line each; may be empty.
    pub why: Vec<String>,
    /// What to do now; a command to type stands alone on its line.
    pub next: Vec<String>,
}

impl Problem {
    /// A problem that so far only says what failed.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            ..Self::default()
        }
    }

    /// Adds a line that says why.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// Adds a line that says what to do.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for line in &self.why {
            write!(f, "\n  {}", line.replace('\n', "\n  "))?;
        }
        for line in &self.next {
            write!(f, "\n  → {}", line.replace('\n', "\n    "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// How a run of towline ends for the shell that called it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitCode {
    /// Everything asked for is so.
    Success = 0,
    /// A host failed, was unreachable, or its key was refused.
    Failed = 1,
    /// Refused before any change, because of the input or of what the facts show.
    Refused = 2,
}
