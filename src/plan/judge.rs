//! From the answers of all hosts to what a run would do. Pure.

use std::collections::BTreeMap;

use super::{Order, Plan};
use crate::problem::Problem;
use crate::shell::Reply;
use crate::task::{Changes, Verdict};

/// The steps of a stage by host, in the order of its lanes.
pub type JudgedLanes = Vec<(String, Vec<JudgedStep>)>;

/// What a plan means for the hosts as they are now.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The stages in order: name, order, and the verdicts by host in the order of the lanes.
    pub stages: Vec<(String, Order, JudgedLanes)>,
}

/// One step and what is to be said of it now.
#[derive(Debug, Clone)]
pub struct JudgedStep {
    /// The step's name.
    pub name: String,
    /// What its task's answer means.
    pub verdict: Result<Verdict, Problem>,
}

impl Judged {
    /// The verdict on a step of a host.
    pub fn verdict(
        &self,
        stage: usize,
        host: &str,
        step: usize,
    ) -> Option<&Result<Verdict, Problem>> {
        let (_, _, lanes) = self.stages.get(stage)?;
        let (_, steps) = lanes.iter().find(|(name, _)| name == host)?;
        steps.get(step).map(|step| &step.verdict)
    }

    /// Whether nothing is to be done on a host in a stage.
    pub fn is_converged(&self, stage: usize, host: &str) -> bool {
        let lanes = self.stages.get(stage).map(|(_, _, lanes)| lanes);
        let lane = lanes.and_then(|lanes| lanes.iter().find(|(name, _)| name == host));
        lane.is_some_and(|(_, steps)| {
            let mut steps = steps.iter();
            steps.all(|step| matches!(step.verdict, Ok(Verdict::Converged)))
        })
    }
}

/// Judges every step by its answer. `replies` holds the answers of a host to the tasks of all its
/// steps, in order; a host that is not in it gave none.
pub fn judge(plan: &Plan, replies: &BTreeMap<String, Vec<Option<Reply>>>) -> Judged {
    let mut upstream: BTreeMap<&str, Changes> = BTreeMap::new();
    let mut next: BTreeMap<&str, usize> = BTreeMap::new();
    let mut stages = Vec::new();
    let to_do = Reply {
        status: 0,
        stdout: "answer=no\n".into(),
        stderr: String::new(),
    };
    for stage in &plan.stages {
        let mut lanes = Vec::new();
        for lane in &stage.lanes {
            let host = lane.host.as_str();
            let changes = upstream.entry(host).or_default();
            let position = next.entry(host).or_default();
            let mut steps = Vec::new();
            for step in &lane.steps {
                let reply = if step.delegated_to.is_some() {
                    Some(&to_do)
                } else {
                    *position += 1;
                    let replies = replies.get(host);
                    replies.and_then(|replies| replies.get(*position - 1)?.as_ref())
                };
                let verdict = match reply {
                    Some(reply) => step.task.judge(reply, changes),
                    None => Ok(Verdict::Undecidable(
                        "the host did not answer this question".into(),
                    )),
                };
                if let Ok(Verdict::Drifted(remedy)) = &verdict {
                    changes.record(&remedy.changes);
                }
                steps.push(JudgedStep {
                    name: step.name.clone(),
                    verdict,
                });
            }
            lanes.push((lane.host.clone(), steps));
        }
        stages.push((stage.name.clone(), stage.order, lanes));
    }
    Judged { stages }
}
