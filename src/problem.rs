//! What could not be done: a stable code, what failed, why, and the next command to type.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

mod codes;

/// Why something could not be done, and what to do about it.
///
/// Plain sentences without a final full stop; the parts are laid out by the place that prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Which kind of problem it is; `towline explain CODE` says more, and so does docs/errors.md.
    pub code: Code,
    /// What failed, naming the host or file: `m1: the host key is not known`.
    pub what: String,
    /// What was tried and what it answered, one line each; may be empty.
    pub why: Vec<String>,
    /// What to do now; a command to type stands alone on its line.
    pub next: Vec<String>,
}

impl Problem {
    /// A problem that so far only says what failed.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
            why: Vec::new(),
            next: Vec::new(),
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

/// The stable name of a kind of problem: `host-key-unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(&'static str);

impl Code {
    /// The code of this name.
    pub fn named(name: &str) -> Option<Self> {
        codes::ALL.iter().copied().find(|code| code.0 == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name)
            .ok_or_else(|| serde::de::Error::custom(format!("there is no code `{name}`")))
    }
}

impl JsonSchema for Code {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Code".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

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
