//! Something that the host does by itself and that has to end first.
//!
//! ```yaml
//! - name: cloud-init
//!   wait: {until: "test -e /run/cloud-init/result.json", says: cloud-init to finish, patience: 1200}
//! ```

use std::time::Duration;

use super::{Changes, Pending, Verdict, yes_or_no};
use crate::error::Problem;
use crate::shell::{Reply, Script};

/// Something that the host does by itself; it is over when the question is answered with status 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The question: shell text that changes nothing.
    pub until: String,
    /// What is waited for, as the end of "waiting for …".
    pub says: String,
    /// How long to wait at most.
    pub patience: Duration,
}

impl Wait {
    pub(super) fn probe(&self) -> Script {
        yes_or_no(&self.until)
    }

    pub(super) fn judge(&self, seen: &Reply, _: &Changes) -> Result<Verdict, Problem> {
        Ok(match seen.value("answer") {
            Some("yes") => Verdict::Converged,
            Some("no") => Verdict::Pending(Pending {
                until: self.says.clone(),
                cause: None,
                said: Vec::new(),
                ended: None,
                next: String::new(),
                patience: self.patience,
            }),
            _ => Verdict::Undecidable(format!(
                "whether to wait for {} could not be told",
                self.says
            )),
        })
    }
}
