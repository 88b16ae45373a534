//! One step of one host: act once, then look until it is so.

use std::time::Duration;

use tokio::time::Instant;
use tracing::instrument;

use super::exchange::{Acted, ask, changed_meanwhile, unanswered};
use super::{Event, Runner, Stop};
use crate::plan::Step;
use crate::problem::{Code, Problem};
use crate::shell::Reply;
use crate::task::{Changes, ENDING, GRACE, Pending, Remedy, Task, Verdict};

/// What a step came to on a host that was not as it should be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effect {
    /// Changes that were made; none when it was only waited for what was under way.
    pub changed: usize,
    /// Whether a process that ran before was ended for it, or was found on its way.
    pub restarted: bool,
}

/// What a wait has shown so far.
#[derive(Default)]
struct WaitState {
    cause: Option<SeenCause>,
    /// The last things the host said that were not nothing: a unit that has just been started again
    /// has not said anything yet.
    said: Vec<String>,
    ending: Option<RepeatedEnd>,
    /// How often systemd has started the process again, as seen at one of its ends.
    restarts: u32,
}

/// A process that ends again and again with the same last words.
struct RepeatedEnd {
    words: String,
    since: Instant,
    /// How often systemd had started it again when these words were first seen.
    restarts: u32,
}

/// So many ends are no accident.
const ENDS: u32 = 3;

/// A cause that was recognised, since when it stands, and when it was seen last.
struct SeenCause {
    problem: Problem,
    since: Instant,
    seen: Instant,
}

impl Runner {
    /// Runs one step. `planned` is what the plan's question showed; `stale` says that something has
    /// changed on the host since. Nothing when it was as it should be.
    ///
    /// # Errors
    /// Why the host goes no further.
    #[instrument(level = "debug", skip_all, fields(name = step.name))]
    pub(super) async fn step(
        &self,
        host: &str,
        step: &Step,
        planned: Option<&Result<Verdict, Problem>>,
        stale: bool,
    ) -> Result<Option<Effect>, Stop> {
        let begun = Instant::now();
        let (mut acted, mut waited, mut settle) = (Vec::<String>::new(), false, begun);
        let (mut wait, mut undecided) = (WaitState::default(), 0_u32);
        let (mut told, mut restarted, mut last) = (Vec::<String>::new(), false, begun);
        let mut verdict = match planned {
            Some(Ok(planned)) if still_holds(planned, &step.task, stale) => planned.clone(),
            _ => self.look(host, step).await?,
        };
        let shared = match &step.task {
            Task::File(file) => Some(file.path.clone()),
            Task::NodeLabels(labels) => Some(format!("node {}", labels.node)),
            _ => None,
        };
        if let (Some(what), Some(Ok(planned))) = (shared, planned)
            && overtaken(planned, &verdict)
        {
            return Err(Stop::Failed(changed_meanwhile(&what)));
        }
        loop {
            let pause = match verdict {
                Verdict::Converged => {
                    if acted.is_empty() && !waited {
                        return Ok(None);
                    }
                    let effect = Effect {
                        changed: acted.len(),
                        restarted: restarted || acted.is_empty(),
                    };
                    self.events.send(Event::Changed {
                        host: host.into(),
                        step: step.name.clone(),
                        changes: acted,
                        seconds: begun.elapsed().as_secs_f64(),
                    });
                    return Ok(Some(effect));
                }
                Verdict::Drifted(remedy) if is_due(&remedy, &acted, last) => {
                    let ends = remedy.restarts || matches!(step.task, Task::ShellCommand(_));
                    let guard = step.guard.as_ref().filter(|_| ends);
                    if let Some(guard) = guard {
                        self.may_stop(host, &step.name, guard).await?;
                    }
                    if let Some(reached) = &step.reached {
                        self.is_reached(host, reached).await?;
                    }
                    let changes: Vec<_> = remedy
                        .changes
                        .iter()
                        .map(|change| change.what.clone())
                        .collect();
                    self.events.send(Event::Begun {
                        host: host.into(),
                        step: step.name.clone(),
                        changes: changes.clone(),
                    });
                    let mut answer = None;
                    for action in &remedy.actions {
                        let question = step.task.probe();
                        match self.act(host, step, action, &question, guard).await? {
                            Acted::Done(reply) => answer = reply,
                            Acted::Left(why) => {
                                let step = &step.name;
                                let text =
                                    format!("{host}: {step}: only partly done, continuing: {why}");
                                self.events.send(Event::Note { text });
                                return Ok(Some(Effect {
                                    changed: 0,
                                    restarted: true,
                                }));
                            }
                        }
                    }
                    acted.extend(changes);
                    restarted |= remedy.restarts;
                    last = Instant::now();
                    settle = last + remedy.settle;
                    verdict = match answer {
                        Some(reply) => judged(step, &reply)?,
                        None => self.look(host, step).await?,
                    };
                    continue;
                }
                Verdict::Drifted(remedy) => {
                    if Instant::now() >= settle {
                        let mut problem =
                            Problem::new(Code::STEP_WITHOUT_EFFECT, "did not converge");
                        for change in remedy.changes {
                            problem = problem.because(format!("still to do: {}", change.what));
                        }
                        return Err(Stop::Failed(problem));
                    }
                    self.pause
                }
                Verdict::Pending(pending) => {
                    if let Some(problem) = wait.is_over(&pending, begun) {
                        return Err(Stop::Failed(problem));
                    }
                    // That it ends is told once, however often.
                    let until = match wait.restarts {
                        0 => pending.until,
                        _ => format!(
                            "{}; its process ends, and systemd starts it again",
                            pending.until
                        ),
                    };
                    let is_told = match wait.restarts {
                        0 => told.last() == Some(&until),
                        _ => told.contains(&until),
                    };
                    if !is_told {
                        told.push(until.clone());
                        self.events.send(Event::Waiting {
                            host: host.into(),
                            step: step.name.clone(),
                            until,
                        });
                    }
                    waited = true;
                    self.pause
                }
                Verdict::Undecidable(why) => {
                    undecided += 1;
                    if undecided > 3 {
                        return Err(Stop::Failed(Problem::new(Code::ANSWER_UNUSABLE, why)));
                    }
                    self.pause
                }
            };
            if self.interrupted() {
                return Err(Stop::Interrupted);
            }
            // Quick at first: most things take a second; then slowly, not to keep a Pi busy.
            let patient = if begun.elapsed() > Duration::from_secs(15) {
                pause * 4
            } else {
                pause
            };
            self.rest(patient).await;
            verdict = self.look(host, step).await?;
        }
    }

    async fn look(&self, host: &str, step: &Step) -> Result<Verdict, Stop> {
        let remote = self.remote(host, step)?;
        match ask(&**remote, &[step.task.probe()]).await {
            Ok(answered) => match answered.replies.into_iter().next().flatten() {
                Some(reply) => judged(step, &reply),
                None => Ok(Verdict::Undecidable(
                    "the host's answer was cut short".into(),
                )),
            },
            Err(output) => Err(unanswered(&output)),
        }
    }
}

fn judged(step: &Step, reply: &Reply) -> Result<Verdict, Stop> {
    let judged = step.task.judge(reply, &Changes::default());
    judged.map_err(Stop::Failed)
}

/// Whether what the plan's question showed can be acted on. Another run may have restarted a unit since:
/// not twice, and not beside another. Labels are also other people's.
fn still_holds(planned: &Verdict, task: &Task, stale: bool) -> bool {
    match planned {
        Verdict::Converged => !stale,
        Verdict::Drifted(_) => {
            !stale && !matches!(task, Task::Service(_) | Task::NodeLabels(_))
                || task.keeps_planned_action()
        }
        Verdict::Pending(_) | Verdict::Undecidable(_) => false,
    }
}

/// So often a remedy that may follow others is tried: on a slow machine it can come too early.
const TRIES: usize = 3;

/// Whether this is to be done after what the step has done already.
fn is_due(remedy: &Remedy, acted: &[String], last: Instant) -> bool {
    let what = remedy.changes.first().map(|change| &change.what);
    let tries = acted.iter().filter(|done| Some(*done) == what).count();
    acted.is_empty() || (remedy.follows && tries < TRIES && last.elapsed() >= GRACE)
}

/// Whether something else has changed a file, or a node's labels, since the plan was made: what would be
/// done to it now is not what the plan said. Nothing but its own step changes what is towline's of it.
fn overtaken(planned: &Verdict, now: &Verdict) -> bool {
    match (planned, now) {
        (Verdict::Converged, Verdict::Drifted(_)) => true,
        (Verdict::Drifted(planned), Verdict::Drifted(now)) => planned.changes != now.changes,
        _ => false,
    }
}

impl WaitState {
    /// Why a wait is over, if it is: its cause has stood long enough, or its timeout is over.
    fn is_over(&mut self, pending: &Pending, begun: Instant) -> Option<Problem> {
        let now = Instant::now();
        if !pending.said.is_empty() {
            self.said.clone_from(&pending.said);
        }
        if let Some(ended) = &pending.ended {
            self.restarts = ended.restarts;
        }
        match (&pending.cause, &mut self.cause) {
            (Some(problem), Some(cause)) if cause.problem.code == problem.code => {
                cause.problem = problem.clone();
                cause.seen = now;
                if cause.since.elapsed() >= GRACE {
                    return Some(problem.clone());
                }
            }
            (Some(problem), cause) => {
                *cause = Some(SeenCause {
                    problem: problem.clone(),
                    since: now,
                    seen: now,
                });
            }
            // A unit that is started again and again has nothing to show at the beginning of each.
            (None, cause)
                if cause
                    .as_ref()
                    .is_some_and(|cause| cause.seen.elapsed() >= GRACE) =>
            {
                *cause = None;
            }
            (None, _) => {}
        }
        if let Some(problem) = self.ends_again_and_again(pending) {
            return Some(problem);
        }
        if begun.elapsed() < pending.timeout {
            return None;
        }
        let restarts = match self.restarts {
            0 => String::new(),
            count => format!(" (restarts by systemd: {count})"),
        };
        let waited = format!(
            "timed out after {} s, waiting for {}{restarts}",
            pending.timeout.as_secs(),
            pending.until
        );
        if let Some(cause) = self.cause.take() {
            return Some(cause.problem.because(waited));
        }
        Some(self.told(Problem::new(Code::STEP_TIMED_OUT, waited), pending))
    }

    /// Why a process will not stop ending, if it has ended often enough with the same last words.
    fn ends_again_and_again(&mut self, pending: &Pending) -> Option<Problem> {
        let ended = pending.ended.as_ref()?;
        let same = self.ending.as_ref().filter(|ending| {
            ended.words.as_ref() == Some(&ending.words) && ended.restarts >= ending.restarts
        });
        let Some(ending) = same else {
            self.ending = ended.words.clone().map(|words| RepeatedEnd {
                words,
                since: Instant::now(),
                restarts: ended.restarts,
            });
            return None;
        };
        let ends = ended.restarts - ending.restarts + 1;
        let time = ending.since.elapsed();
        if time < ENDING {
            return None;
        }
        // One that tries for long before it ends shows its cause too briefly for it to stand.
        if ends > 1 && pending.cause.is_some() {
            return pending.cause.clone();
        }
        (ends >= ENDS).then(|| {
            let what = format!(
                "its process ends again and again: {ends} times in {} s, with the same last words",
                time.as_secs()
            );
            self.told(Problem::new(Code::UNIT_FAILS, what), pending)
        })
    }

    /// A problem with the last things that the host said, and where there is more.
    fn told(&self, problem: Problem, pending: &Pending) -> Problem {
        let mut problem = self.said.iter().fold(problem, Problem::because);
        problem.next.extend(pending.next.iter().cloned());
        problem
    }
}
