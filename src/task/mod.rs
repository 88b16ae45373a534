//! A task is a pure pair: a read-only question ([`Task::probe`]) and a judgement of its answer
//! ([`Task::judge`]).
//!
//! The description of a change and the change itself come from the same arm of the same match, so
//! a plan cannot lie; and a dry run is a run that stops after the judgement, so no task can
//! forget it. The set of kinds is closed. A new one is a file here, whose struct is what playbooks
//! write, a line in [`Task`], and its section in docs/playbooks.md.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::problem::{Advice, Problem};
use crate::shell::{Reply, Script};
use crate::ssh::Upload;

pub mod absent;
pub mod addons;
pub mod binary;
pub mod command;
pub mod file;
pub mod kernel;
pub mod labels;
pub mod lasting;
pub mod link;
pub mod node;
pub mod own;
pub mod package;
pub mod quorum;
pub mod service;
#[cfg(test)]
mod tests;
pub mod wait;

pub use absent::Absent;
pub use addons::Addons;
pub use binary::Binary;
pub use command::ShellCommand;
pub use file::File;
pub use kernel::Kernel;
pub use labels::NodeLabels;
pub use lasting::Since;
pub use link::Link;
pub use node::Node;
pub use package::Package;
pub use quorum::Quorum;
pub use service::{Journal, Service};
pub use wait::Wait;

/// What a task's question showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is so.
    Converged,
    /// It is not so, and this would make it so.
    Drifted(Remedy),
    /// It is under way: wait, do not act.
    Pending(Pending),
    /// It cannot be told yet. In a plan: known later; in a run: asked again, still so = failed.
    Undecidable(String),
}

/// What makes a host as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// What differs.
    pub changes: Vec<Change>,
    /// What to do, in order.
    pub actions: Vec<Action>,
    /// How long the effect may take to show.
    pub settle: Duration,
    /// Whether it ends a process that ran, and starts it anew.
    pub restarts: bool,
    /// Whether it is done, a few times at most, also where the same step has changed something before.
    pub follows: bool,
}

/// Something that is under way on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// What is waited for, as the end of "waiting for …".
    pub until: String,
    /// A cause that was recognised and will not go away by itself. If it stands for
    /// [`GRACE`], the wait is over.
    pub cause: Option<Problem>,
    /// The last things the host said about it, for the case that the wait times out.
    pub said: Vec<String>,
    /// How its process has ended, where it has just ended and is started again.
    pub ended: Option<Ended>,
    /// Where more can be seen, for the case that the wait times out.
    pub next: Vec<Advice>,
    /// How long to wait at most.
    pub timeout: Duration,
}

/// The end of a process that systemd starts again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How often systemd has started it again so far.
    pub restarts: u32,
    /// What it said last, alike for two ends that differ in numbers only; `None` where that is known
    /// to pass by itself.
    pub words: Option<String>,
}

/// How long a process may end again and again with the same last words before it is believed.
pub const ENDING: Duration = Duration::from_mins(1);

/// How long a recognised cause may stand before it is believed: longer than the 5 s in which
/// systemd restarts k3s and the 10 s in which a k3s agent repeats itself.
pub const GRACE: Duration = Duration::from_secs(20);

/// One difference between what is and what should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As a plan says it: `create /etc/…`, `restart k3s: config.yaml changed`.
    pub what: String,
    /// What changes, by the name later tasks know it: a path, or `package:NAME`.
    pub mark: Option<String>,
    /// A unified diff. Secrets in it are masked by the one who shows it.
    pub diff: Option<String>,
}

impl Change {
    /// A change that nothing later depends on.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            mark: None,
            diff: None,
        }
    }

    /// A change of a file.
    pub fn of(path: &str, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            mark: Some(path.to_owned()),
            diff: None,
        }
    }
}

/// All that the runner can do to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Run this.
    Run(Script),
    /// Send this file.
    Put(Upload),
}

/// What changes earlier on the same host, while a plan is made.
#[derive(Debug, Clone, Default)]
pub struct Changes(BTreeSet<String>);

impl Changes {
    /// Remembers what a change is known by.
    pub fn record(&mut self, changes: &[Change]) {
        self.0
            .extend(changes.iter().filter_map(|change| change.mark.clone()));
    }

    /// Whether this changes earlier on the host.
    pub fn has(&self, mark: &str) -> bool {
        self.0.contains(mark)
    }

    /// Whether a unit is started or restarted earlier on the host.
    pub fn restarts(&self) -> bool {
        self.0.iter().any(|mark| mark.starts_with("unit:"))
    }

    /// Whether anything changes earlier on the host.
    pub fn any(&self) -> bool {
        !self.0.is_empty()
    }
}

macro_rules! kinds {
    ($($name:literal => $Kind:ident,)*) => {
        /// One thing that is to be so on a host, as a playbook says it once its texts are rendered.
        #[derive(Debug, Clone, Deserialize)]
        pub enum Task {
            $(#[doc = concat!("`", $name, "` in a playbook.")] #[serde(rename = $name)] $Kind($Kind),)*
        }

        impl Task {
            /// What playbooks call the kinds.
            pub const KINDS: &[&str] = &[$($name),*];

            /// The read-only question whose answer [`Task::judge`] understands.
            pub fn probe(&self) -> Script {
                match self { $(Self::$Kind(kind) => kind.probe(),)* }
            }

            /// What the answer means. `upstream` holds what changes earlier on the host: filled
            /// while a plan is made, empty in a run, where the host itself shows it.
            ///
            /// # Errors
            /// A problem that no further waiting or acting can solve.
            pub fn judge(&self, seen: &Reply, upstream: &Changes) -> Result<Verdict, Problem> {
                match self { $(Self::$Kind(kind) => kind.judge(seen, upstream),)* }
            }
        }
    };
}

kinds! {
    "absent" => Absent,
    "addons" => Addons,
    "binary" => Binary,
    "command" => ShellCommand,
    "file" => File,
    "kernel" => Kernel,
    "labels" => NodeLabels,
    "link" => Link,
    "node" => Node,
    "package" => Package,
    "service" => Service,
    "wait" => Wait,
}

impl Task {
    /// Whether what a plan would do is still right after other changes on the host. The question
    /// behind a binary may cost the host a look at a release site that it does not reach, and the
    /// way that the plan told is the one that this machine has prepared.
    pub const fn keeps_planned_action(&self) -> bool {
        matches!(self, Self::Binary(_))
    }
}

/// Reads a time: a number of seconds, also as the text that a template makes of it.
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let wrong = || D::Error::custom(format!("expected a whole number of seconds, not {value}"));
    number.map(Duration::from_secs).ok_or_else(wrong)
}

/// A question that is answered with `answer=yes` or `answer=no`, by the status of shell text.
pub(crate) fn yes_or_no(question: &str) -> Script {
    Script::new(format!(
        "if (\n{question}\n) >/dev/null; then echo answer=yes; else echo answer=no; fi\n"
    ))
    .within(Duration::from_secs(30))
}

/// A remedy of one script.
pub(crate) fn remedy(changes: Vec<Change>, script: Script) -> Verdict {
    Verdict::Drifted(Remedy {
        changes,
        actions: vec![Action::Run(script)],
        settle: Duration::ZERO,
        restarts: false,
        follows: false,
    })
}
