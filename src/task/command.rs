//! A command that runs unless its question is answered with yes.
//!
//! ```yaml
//! - name: firewall
//!   when: facts.ufw
//!   command:
//!     unless: ufw status | grep -Eq '^9100/tcp +ALLOW'
//!     run: ufw allow 9100/tcp >&2
//!     description: allow 9100/tcp in ufw
//! ```

use std::time::Duration;

use super::{Change, Changes, Verdict, remedy, yes_or_no};
use crate::problem::Problem;
use crate::shell::{Reply, Script, acting, calling};

/// A command that runs unless its question is answered with yes (status 0).
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShellCommand {
    /// The question: shell text that changes nothing.
    pub unless: String,
    /// The command: shell text.
    pub run: String,
    /// What the command changes, as a plan says it.
    pub description: String,
    /// The file that it changes, for later tasks that depend on it.
    #[serde(default)]
    pub path: Option<String>,
    /// How long it may take.
    #[serde(default = "limit", deserialize_with = "super::seconds")]
    pub timeout: Duration,
    /// Whether another host does it, by the cluster's API, so that nothing on that host has to be locked for it.
    #[serde(skip)]
    pub is_delegated: bool,
}

const fn limit() -> Duration {
    Duration::from_mins(5)
}

impl ShellCommand {
    pub(super) fn probe(&self) -> Script {
        yes_or_no(&self.unless)
    }

    pub(super) fn judge(&self, seen: &Reply, _: &Changes) -> Result<Verdict, Problem> {
        Ok(match seen.value("answer") {
            Some("yes") => Verdict::Converged,
            Some("no") => {
                let change = Change {
                    mark: self.path.clone(),
                    ..Change::new(&self.description)
                };
                let act = if self.is_delegated { calling } else { acting };
                remedy(vec![change], act(&self.run, self.timeout))
            }
            _ => Verdict::Undecidable(format!(
                "the question behind “{}” was not answered",
                self.description
            )),
        })
    }
}
