//! What could not be done: a stable code, what failed, why, and the next command to type.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use codes::{AREAS, Page};

mod codes;

#[cfg(test)]
mod tests;

/// Why something could not be done, and what to do about it.
///
/// Plain sentences without a final full stop; the parts are laid out by the place that prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Which kind of problem it is; `towline explain CODE` says more, and so does docs/errors.md.
    pub code: Code,
    /// The host that it is about, if it is about one.
    pub host: Option<String>,
    /// What failed, naming the file or address: `the host key is not known`.
    pub what: String,
    /// What was tried and what it answered, one line each; may be empty.
    pub why: Vec<String>,
    /// What to do now, in order.
    pub next: Vec<Advice>,
}

/// Something to do about a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Advice {
    /// What it is.
    pub kind: AdviceKind,
    /// The words, or what is to be typed or written.
    pub text: String,
}

impl Advice {
    /// An advice of this kind.
    pub fn new(kind: AdviceKind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { kind, text }
    }
}

/// What an advice is. The words before another kind say what that one is for, and on which host a
/// command is typed; without words it is the host of the problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AdviceKind {
    /// What to do, or what the next one is for.
    Words,
    /// A command for this machine.
    Command,
    /// A command for a host, as root.
    CommandOnHost,
    /// A part of an inventory.
    Inventory,
    /// A flag for the same command.
    Flag,
}

/// A [`Problem`] of a code, and of a host or a file, that so far only says what failed, formatted as
/// by [`format!`].
macro_rules! problem {
    ($code:expr, host = $host:expr, $($what:tt)+) => {
        $crate::problem::problem!($code, $($what)+).of($host)
    };
    ($code:expr, file = $file:expr, $($what:tt)+) => {
        $crate::problem::problem!($code, "{}: {}", $file.display(), format_args!($($what)+))
    };
    ($code:expr, $($what:tt)+) => {
        $crate::problem::Problem::new($code, format!($($what)+))
    };
}
pub(crate) use problem;

impl Problem {
    /// A problem that so far only says what failed.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self {
            code,
            host: None,
            what: what.into(),
            why: Vec::new(),
            next: Vec::new(),
        }
    }

    /// Says of which host it is, if that is not said yet.
    #[must_use]
    pub fn of(mut self, host: impl Into<String>) -> Self {
        self.host.get_or_insert_with(|| host.into());
        self
    }

    /// Adds a line that says why.
    #[must_use]
    pub fn because(mut self, why: impl fmt::Display) -> Self {
        self.why.push(why.to_string());
        self
    }

    /// Adds what to do, in words.
    #[must_use]
    pub fn next(self, words: impl Into<String>) -> Self {
        self.advise(AdviceKind::Words, words)
    }

    /// Adds a command for this machine.
    #[must_use]
    pub fn command(self, command: impl Into<String>) -> Self {
        self.advise(AdviceKind::Command, command)
    }

    /// Adds a command for the host, as root.
    #[must_use]
    pub fn on_host(self, command: impl Into<String>) -> Self {
        self.advise(AdviceKind::CommandOnHost, command)
    }

    /// Adds a part of an inventory.
    #[must_use]
    pub fn inventory(self, yaml: impl Into<String>) -> Self {
        self.advise(AdviceKind::Inventory, yaml)
    }

    /// Adds a flag for the same command.
    #[must_use]
    pub fn flag(self, flag: impl Into<String>) -> Self {
        self.advise(AdviceKind::Flag, flag)
    }

    fn advise(mut self, kind: AdviceKind, text: impl Into<String>) -> Self {
        self.next.push(Advice::new(kind, text));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}: ")?;
        }
        f.write_str(&self.what)?;
        for line in &self.why {
            write!(f, "\n  {}", line.replace('\n', "\n  "))?;
        }
        let mut is_after_words = false;
        for Advice { kind, text } in &self.next {
            let text = text.replace('\n', "\n    ");
            let place = match (kind, is_after_words) {
                (AdviceKind::Words, _) | (AdviceKind::Command, false) => "\n  → ",
                (AdviceKind::CommandOnHost, false) => "\n  → on the host, as root:\n    ",
                (AdviceKind::Flag, true) => ":  ",
                (_, true) => ":\n    ",
                (AdviceKind::Inventory, false) => "\n  → in the inventory:\n    ",
                (AdviceKind::Flag, false) => "\n  → use  ",
            };
            write!(f, "{place}{text}")?;
            is_after_words = *kind == AdviceKind::Words;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// The kind of a problem, by a name that stays: `host-key-unknown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static Page);

impl Code {
    /// The code of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|code| code.name() == name)
    }

    /// Every code.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::areas().flat_map(|(_, codes)| codes.iter().copied())
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// Every code in the order of docs/errors.md, by area with its title.
    pub fn areas() -> impl Iterator<Item = (&'static str, &'static [Self])> {
        AREAS.iter().map(|area| (area.title, area.codes))
    }

    /// What it means, in one sentence.
    pub fn summary(self) -> String {
        let cause = self.cause().replace('\n', " ");
        let end = cause.find(". ").map_or(cause.len(), |end| end + 1);
        cause[..end].to_owned()
    }

    /// What it means and how it comes about, in Markdown.
    pub fn cause(self) -> String {
        without_margin(self.0.text.split("# Remedy").next().unwrap_or_default())
    }

    /// What to do, in Markdown.
    pub fn remedy(self) -> String {
        without_margin(self.0.text.split("# Remedy").nth(1).unwrap_or_default())
    }
}

/// The text of a doc comment: each of its lines begins with a space.
fn without_margin(comment: &str) -> String {
    comment.trim().replace("\n ", "\n")
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
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
