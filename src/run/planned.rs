//! From what a plan judged to what is told of it.

use super::event::{Planned, PlannedChange, PlannedState};
use crate::plan::{Judged, JudgedStep};
use crate::task::Verdict;

/// The steps that are not as they should be, in the order of stages and hosts.
pub fn planned(judged: &Judged) -> Vec<Planned> {
    let mut steps = Vec::new();
    for (stage, _, lanes) in &judged.stages {
        for (host, lane) in lanes {
            let told = lane.iter().filter_map(|step| {
                let (state, changes) = state(step)?;
                Some(Planned {
                    stage: stage.clone(),
                    host: host.clone(),
                    step: step.name.clone(),
                    state,
                    changes,
                    problem: step.verdict.as_ref().err().map(|why| why.clone().of(host)),
                })
            });
            steps.extend(told);
        }
    }
    steps
}

fn state(step: &JudgedStep) -> Option<(PlannedState, Vec<PlannedChange>)> {
    let one = |what: String| vec![PlannedChange { what, diff: None }];
    Some(match &step.verdict {
        Ok(Verdict::Converged) => return None,
        Ok(Verdict::Drifted(remedy)) => {
            let changes = remedy.changes.iter().map(|change| PlannedChange {
                what: change.what.clone(),
                diff: change.diff.clone(),
            });
            (PlannedState::Change, changes.collect())
        }
        Ok(Verdict::Pending(pending)) => (
            PlannedState::Pending,
            one(format!("wait for {}", pending.until)),
        ),
        Ok(Verdict::Undecidable(why)) => (PlannedState::Unknown, one(why.clone())),
        Err(problem) => (PlannedState::Failed, one(problem.to_string())),
    })
}
