//! Stages and their lanes, in order, with what a failure of one means for the others.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Instant;

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Semaphore;
use tracing::{Instrument as _, debug_span, instrument};

use super::report::Outcome;
use super::state::{Done, RunState, Started, TimedTurn};
use super::{Event, Runner, Stop, contained};
use crate::plan::{Judged, Lane, Order, Plan};
use crate::problem::{Code, Problem};
use crate::task::Task;

/// How a lane ended.
struct LaneEnd {
    turn: TimedTurn,
    /// The unit that was started in it.
    started: Option<Started>,
    /// Why it ended early, and at which step.
    stop: Option<(String, Stop)>,
}

impl Runner {
    /// Runs stages of a plan, from the first to the one with this index.
    ///
    /// `stale` collects the hosts on which something was changed or waited for: what the plan saw
    /// of them may no longer hold. Ends early, with the reason, when nothing after it can be done.
    ///
    /// # Errors
    /// Why the rest of the plan cannot be done.
    pub async fn stages(
        &self,
        plan: &Plan,
        judged: &Judged,
        last: usize,
        run_state: &mut RunState,
    ) -> Result<(), String> {
        let mut stale = BTreeSet::new();
        for (index, stage) in plan.stages.iter().enumerate().take(last + 1) {
            let lanes: Vec<&Lane> = stage
                .lanes
                .iter()
                .filter(|lane| run_state.is_in(&lane.host))
                .collect();
            let mut busy: Vec<&Lane> = Vec::new();
            for lane in lanes {
                let differs = !judged.is_converged(index, &lane.host);
                match stage.held.get(&lane.host) {
                    Some(reason) if differs => self.cancel(&lane.host, reason.clone(), run_state),
                    Some(_) => {}
                    None if differs || stale.contains(&lane.host) => busy.push(lane),
                    None => {}
                }
            }
            if busy.is_empty() {
                essential(plan, index, run_state)?;
                continue;
            }
            self.events.send(Event::Stage {
                stage: stage.name.clone(),
                hosts: busy.len(),
            });
            let turn = (index, &*stage.name);
            match stage.order {
                Order::Serial => {
                    self.serial(turn, &busy, judged, &mut stale, run_state)
                        .await;
                }
                Order::Batches(_) | Order::Rolling(_) | Order::Parallel | Order::Essential => {
                    self.together(turn, stage.order, &busy, judged, &mut stale, run_state)
                        .await;
                }
            }
            if self.interrupted() {
                return Err("interrupted".into());
            }
            essential(plan, index, run_state)?;
            let mut failed = busy.iter().filter(|lane| !run_state.is_in(&lane.host));
            if let Some(lane) = failed.next().filter(|_| plan.stops) {
                return Err(format!(
                    "{} failed, and no host is changed after that",
                    lane.host
                ));
            }
        }
        Ok(())
    }

    async fn serial(
        &self,
        stage: (usize, &str),
        lanes: &[&Lane],
        judged: &Judged,
        stale: &mut BTreeSet<String>,
        run_state: &mut RunState,
    ) {
        for (position, lane) in lanes.iter().enumerate() {
            self.together(stage, Order::Serial, &[lane], judged, stale, run_state)
                .await;
            if run_state.is_in(&lane.host) {
                continue;
            }
            let reason = if self.interrupted() {
                "interrupted".to_owned()
            } else {
                let what = match run_state.outcome(&lane.host) {
                    Some(Outcome::Cancelled) => "was held back",
                    _ => "failed",
                };
                format!(
                    "{}, which comes before it, {what}; servers are changed one by one",
                    lane.host
                )
            };
            for rest in &lanes[position + 1..] {
                self.cancel(&rest.host, reason.clone(), run_state);
            }
            return;
        }
    }

    async fn together(
        &self,
        stage: (usize, &str),
        order: Order,
        lanes: &[&Lane],
        judged: &Judged,
        stale: &mut BTreeSet<String>,
        run_state: &mut RunState,
    ) {
        let (index, stage) = stage;
        let size = match order {
            Order::Serial => 1,
            Order::Batches(size) | Order::Rolling(size) => size,
            Order::Parallel | Order::Essential => usize::MAX,
        };
        let batch = &Semaphore::new(size.clamp(1, 1000));
        let failed = &OnceLock::new();
        let lanes = lanes.iter().map(|lane| {
            let is_stale = stale.contains(&lane.host);
            let span = debug_span!("stage", name = stage);
            let running = async move {
                let _turn = batch.acquire().await;
                let _permit = self.limit.acquire().await;
                if let Some(first) = failed.get() {
                    return LaneEnd {
                        turn: taken(lane.host.clone(), stage.to_owned()),
                        started: None,
                        stop: Some((
                            "run".into(),
                            Stop::Held(format!("{first} failed before it")),
                        )),
                    };
                }
                let end = self.lane(index, stage, lane, judged, is_stale).await;
                if end.stop.is_some() && matches!(order, Order::Rolling(_)) {
                    failed.get_or_init(|| lane.host.clone());
                }
                end
            };
            async move {
                let end = contained(running.instrument(span)).await;
                end.unwrap_or_else(|problem| LaneEnd {
                    turn: taken(lane.host.clone(), stage.to_owned()),
                    started: None,
                    stop: Some(("run".into(), Stop::Failed(problem))),
                })
            }
        });
        let mut running: FuturesUnordered<_> = lanes.collect();
        while let Some(end) = running.next().await {
            self.enter(index, end, stale, run_state);
        }
    }

    #[instrument(level = "debug", name = "host", skip_all, fields(name = lane.host))]
    async fn lane(
        &self,
        index: usize,
        stage: &str,
        lane: &Lane,
        judged: &Judged,
        mut stale: bool,
    ) -> LaneEnd {
        self.events.send(Event::Entered {
            host: lane.host.clone(),
            stage: stage.to_owned(),
        });
        let mut end = LaneEnd {
            turn: taken(lane.host.clone(), stage.to_owned()),
            started: None,
            stop: None,
        };
        for (position, step) in lane.steps.iter().enumerate() {
            let planned = judged.verdict(index, &lane.host, position);
            let begun = Instant::now();
            let result = if self.interrupted() {
                Err(Stop::Interrupted)
            } else {
                self.step(&lane.host, step, planned, stale).await
            };
            match result {
                Ok(None) => {}
                Ok(Some(effect)) => {
                    stale = true;
                    if let Task::Service(service) = &step.task {
                        end.started = Some(Started {
                            service: service.clone(),
                            step: step.name.clone(),
                            ready: tokio::time::Instant::now(),
                            restarted: effect.restarted,
                        });
                    }
                    end.turn.steps.push(Done {
                        step: step.name.clone(),
                        changed: effect.changed,
                        begun,
                        time: begun.elapsed(),
                    });
                }
                Err(mut stop) => {
                    if let Stop::Failed(problem) = &mut stop {
                        problem.next.extend(step.recovery.iter().cloned());
                    }
                    end.stop = Some((step.name.clone(), stop));
                    break;
                }
            }
        }
        end.turn.time = end.turn.begun.elapsed();
        self.events.send(Event::Left {
            host: end.turn.host.clone(),
            stage: end.turn.stage.clone(),
            seconds: end.turn.time.as_secs_f64(),
        });
        end
    }

    fn enter(
        &self,
        index: usize,
        lane: LaneEnd,
        stale: &mut BTreeSet<String>,
        run_state: &mut RunState,
    ) {
        let host = lane.turn.host.clone();
        if !lane.turn.steps.is_empty() {
            stale.insert(host.clone());
        }
        run_state.turn(lane.turn);
        if let Some(started) = lane.started {
            run_state.started(&host, started);
        }
        match lane.stop {
            None => run_state.pass(&host, index),
            Some((step, Stop::Failed(problem))) => {
                let problem = problem.of(&host);
                self.events.send(Event::Failed {
                    host: host.clone(),
                    step,
                    problem: problem.clone(),
                });
                run_state.end(&host, Outcome::Failed, Some(problem));
            }
            Some((_, Stop::Held(why))) => self.cancel(&host, why, run_state),
            Some((_, Stop::Interrupted)) => self.cancel(&host, "interrupted".into(), run_state),
        }
    }

    /// Ends a host's part though nothing failed on it.
    pub fn cancel(&self, host: &str, reason: String, run_state: &mut RunState) {
        if run_state.is_in(host) {
            self.events.send(Event::Cancelled {
                host: host.into(),
                reason: reason.clone(),
            });
            run_state.end(
                host,
                Outcome::Cancelled,
                Some(Problem::new(Code::HOST_CANCELLED, reason)),
            );
        }
    }
}

/// A turn that begins now.
fn taken(host: String, stage: String) -> TimedTurn {
    TimedTurn {
        host,
        stage,
        begun: Instant::now(),
        time: std::time::Duration::ZERO,
        steps: Vec::new(),
    }
}

/// Without one success in an essential stage, or in one that the rest is planned after, nothing that
/// follows can be done.
fn essential(plan: &Plan, index: usize, run_state: &RunState) -> Result<(), String> {
    let stage = &plan.stages[index];
    let needed = stage.order == Order::Essential || plan.replan_after == Some(index);
    if needed && !stage.lanes.iter().any(|lane| run_state.is_in(&lane.host)) {
        return Err(format!(
            "“{}” has failed, and everything after it needs it",
            stage.name
        ));
    }
    Ok(())
}
