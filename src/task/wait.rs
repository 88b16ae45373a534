//! Something that the host does by itself and that has to end first.
//!
//! ```yaml
//! - name: cloud-init
//!   wait:
//!     until: test -e /run/cloud-init/result.json
//!     description: cloud-init to finish
//!     timeout: 1200
//! ```

use std::time::Duration;

use super::{Changes, Pending, Verdict, yes_or_no};
use crate::problem::AdviceKind::Words;
use crate::problem::{Advice, Problem};
use crate::shell::{Reply, Script};

/// Something that the host does by itself; it is over when the question is answered with status 0.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wait {
    /// The question: shell text that changes nothing. The last line of what it says on standard error is
    /// shown while it is waited for.
    pub until: String,
    /// What is waited for, as the end of "waiting for …".
    pub description: String,
    /// What to do where it does not end, in words.
    #[serde(default)]
    pub next: Option<String>,
    /// How long to wait at most.
    #[serde(deserialize_with = "super::seconds")]
    pub timeout: Duration,
}

impl Wait {
    pub(super) fn probe(&self) -> Script {
        yes_or_no(&self.until)
    }

    pub(super) fn judge(&self, seen: &Reply, _: &Changes) -> Result<Verdict, Problem> {
        Ok(match seen.value("answer") {
            Some("yes") => Verdict::Converged,
            Some("no") => Verdict::Pending(Pending {
                until: self.description.clone(),
                cause: None,
                said: seen
                    .stderr
                    .lines()
                    .last()
                    .map(str::to_owned)
                    .into_iter()
                    .collect(),
                ended: None,
                next: self
                    .next
                    .iter()
                    .map(|next| Advice::new(Words, next))
                    .collect(),
                timeout: self.timeout,
            }),
            _ => Verdict::Undecidable(format!(
                "whether to wait for {} could not be told",
                self.description
            )),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_question_says_last_is_shown_while_it_is_waited_for() {
        let wait = Wait {
            until: "false".into(),
            description: "the port".into(),
            next: None,
            timeout: Duration::from_secs(9),
        };
        let said = |stderr: &str| {
            let seen = Reply {
                status: 0,
                stdout: "answer=no\n".into(),
                stderr: stderr.into(),
            };
            match wait.judge(&seen, &Changes::default()) {
                Ok(Verdict::Pending(pending)) => pending.said,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            said("one\nport 9443 does not answer\n"),
            ["port 9443 does not answer"]
        );
        assert!(said("").is_empty());
    }
}
