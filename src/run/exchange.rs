//! Exchanges with a host: questions alone, or an action and then its question, in one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::{Instrument as _, debug_span};

use super::event::Event;
use super::{Runner, Stop};
use crate::plan::{self, Guard, Judged, Plan, Step};
use crate::problem::{Code, Problem, problem};
use crate::shell::{Batch, CONFLICT, LEFT, LOCKED, Reply, Script};
use crate::ssh::{CommandOutput, Exit, Remote, Upload};
use crate::task::Action;

/// How an action came out.
pub(super) enum Acted {
    /// It was done; the answer to the task's question after it, when it came in the same exchange.
    Done(Option<Reply>),
    /// It cannot be done, for this reason, and what follows goes on without.
    Left(String),
}

/// A nonce for one exchange: 128 random bits.
fn nonce() -> String {
    format!("towline_{:032x}", rand::random::<u128>())
}

/// What a host answered to some questions.
#[derive(Default)]
pub(super) struct Answered {
    /// The answer to each; `None` where it was cut short.
    pub replies: Vec<Option<Reply>>,
    /// What was said before the first of them: by the login shell or by sudo.
    pub said: String,
    /// How long it took until the first of them was asked there.
    pub start: Duration,
}

/// Asks all questions in one exchange.
///
/// # Errors
/// What came instead of an answer.
pub(super) async fn ask(
    remote: &dyn Remote,
    questions: &[Script],
) -> Result<Answered, CommandOutput> {
    let mut batch = Batch::new(nonce());
    for question in questions {
        batch.ask(question);
    }
    let output = remote.run(&batch.script()).await;
    match output.exit {
        Exit::Code(0) => Ok(Answered {
            replies: batch.replies(&output.stdout),
            said: output.stderr,
            start: output.start,
        }),
        _ => Err(output),
    }
}

/// As much of a line that a host said is told.
const LONGEST_LINE: usize = 400;

/// The last of the lines that a host said, each no longer than a person reads.
fn last_lines(said: &str, count: usize) -> Vec<String> {
    let lines = said.trim().lines().rev().take(count);
    let mut lines: Vec<_> = lines
        .map(|line| line.chars().take(LONGEST_LINE).collect())
        .collect();
    lines.reverse();
    lines
}

/// The last things that a host said before it failed, in one line.
pub(super) fn complaint(output: &CommandOutput) -> String {
    match &*last_lines(&output.stderr, 3) {
        [] => output.exit.to_string(),
        lines => format!("{} ({})", lines.join("; "), output.exit),
    }
}

/// Why a host that was asked has not answered.
pub(super) fn unanswered(output: &CommandOutput) -> Stop {
    match &output.exit {
        Exit::Refused(reason) => Stop::Failed(no_session(reason)),
        Exit::Flooded(_) => Stop::Failed(
            Problem::new(Code::ANSWER_UNUSABLE, "its answer cannot be used")
                .because(complaint(output)),
        ),
        _ => lost(complaint(output)),
    }
}

/// What is said of a host that has no session for a command.
pub(super) fn no_session(reason: &str) -> Problem {
    Problem::new(Code::SESSION_REFUSED, "sshd there lets no further command begin")
        .because(format!("it refuses a session: {reason}"))
        .because("each connection has so many sessions as `MaxSessions` says, and a command that was given up holds one until it ends there")
        .next("see what still runs there and the limit, on the host as root").on_host("sshd -T | grep -i maxsessions; systemctl status ssh --no-pager")
        .next("end it or raise MaxSessions in sshd_config, then run the same command again")
}

/// What is said of a host whose connection has ended; whether its last action was done is not known.
pub(super) fn lost(reason: impl Display) -> Stop {
    let problem = Problem::new(Code::CONNECTION_LOST, "the connection was lost").because(reason);
    Stop::Failed(problem.next(
        "when the host is back, run the same command again; it continues where this run stopped",
    ))
}

/// What is said of a file that was not written, since it is no longer as it was looked at.
pub(super) fn changed_meanwhile(path: &str) -> Problem {
    problem!(
        Code::CHANGED_MEANWHILE,
        "{path} was changed by something else while towline was at work; it was left as it is"
    )
    .because("another run of towline, or something else")
    .next("when the other has ended, run the same command again: it looks at the host anew")
}

impl Runner {
    /// Asks every host about all its steps, in one exchange each, and judges the answers.
    pub async fn judge(&self, plan: &Plan) -> Judged {
        let hosts: BTreeSet<&str> = plan
            .stages
            .iter()
            .flat_map(|stage| &stage.lanes)
            .map(|lane| &*lane.host)
            .collect();
        let asked = hosts.into_iter().filter_map(|host| {
            let remote = Arc::clone(self.remotes.get(host)?);
            let questions: Vec<_> = plan
                .steps_of(host)
                .filter(|(_, _, step)| step.delegated_to.is_none())
                .map(|(_, _, step)| step.task.probe())
                .collect();
            let limit = Arc::clone(&self.limit);
            let asked = async move {
                let _permit = limit.acquire().await;
                (
                    host.to_owned(),
                    ask(&*remote, &questions).await.unwrap_or_default().replies,
                )
            };
            Some(asked.instrument(debug_span!("host", name = host)))
        });
        let replies: BTreeMap<_, _> = futures::future::join_all(asked).await.into_iter().collect();
        plan::judge(plan, &replies)
    }

    /// Tells how an upload goes on, at most once a second.
    fn uploading<'a>(
        &'a self,
        host: &'a str,
        step: &'a str,
        upload: &Upload,
    ) -> impl Fn(u64) + Send + Sync + 'a {
        let total = std::fs::metadata(&upload.source).map_or(0, |file| file.len());
        let begun = tokio::time::Instant::now();
        let told = Mutex::new(begun);
        move |bytes| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.elapsed() < Duration::from_secs(1) {
                return;
            }
            *told = tokio::time::Instant::now();
            let milliseconds = begun.elapsed().as_millis().max(1);
            let rate = u128::from(bytes) * 1000 / milliseconds;
            self.events.send(Event::Uploading {
                host: host.into(),
                step: step.into(),
                bytes,
                total,
                rate: u64::try_from(rate).unwrap_or(u64::MAX),
            });
        }
    }

    /// The connection to the host that does a step of this one.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn remote(&self, host: &str, step: &Step) -> Result<&Arc<dyn Remote>, Stop> {
        let at = step.delegated_to.as_deref().unwrap_or(host);
        let remote = self.remotes.get(at);
        remote.ok_or_else(|| lost(format!("there is no connection to {at}")))
    }

    /// Does one action; a script is followed by `question` in the same exchange. When another run
    /// of towline acts on the host, its end is waited for, and then what guards the action asked again.
    ///
    /// # Errors
    /// Why the host goes no further.
    pub(super) async fn act(
        &self,
        host: &str,
        step: &Step,
        action: &Action,
        question: &Script,
        guard: Option<&Guard>,
    ) -> Result<Acted, Stop> {
        let remote = self.remote(host, step)?;
        let step = &*step.name;
        let timeout = Duration::from_mins(10);
        let begun = tokio::time::Instant::now();
        loop {
            if self.interrupted() {
                return Err(Stop::Interrupted);
            }
            let (status, output, reply) = match action {
                // It was not brought here, because the plan did not need it.
                Action::Put(upload) if !upload.source.is_file() => {
                    return Err(Stop::Failed(
                        problem!(
                            Code::CHANGED_MEANWHILE,
                            "{} is not on this machine",
                            upload.source.display()
                        )
                        .because(
                            "when the plan was made, the host could fetch it itself; now it cannot",
                        )
                        .next(
                            "run the same command again: what the host needs is brought here first",
                        ),
                    ));
                }
                Action::Put(upload) => {
                    let progress = self.uploading(host, step, upload);
                    let output = remote.put(upload, &progress).await;
                    (output.exit.clone(), output, None)
                }
                Action::Run(script) => {
                    let mut batch = Batch::new(nonce());
                    batch.act(script);
                    batch.ask(question);
                    let mut output = remote.run(&batch.script()).await;
                    let mut replies = batch.replies(&output.stdout).into_iter();
                    match replies.next().flatten() {
                        Some(acted) => {
                            output.stderr = acted.stderr;
                            (
                                Exit::Code(acted.status.unsigned_abs()),
                                output,
                                replies.next().flatten(),
                            )
                        }
                        None if output.exit == Exit::Code(0) => {
                            (Exit::Lost("the answer was cut short".into()), output, None)
                        }
                        None => (output.exit.clone(), output, None),
                    }
                }
            };
            match status {
                Exit::Code(0) => return Ok(Acted::Done(reply)),
                Exit::Code(LOCKED) if begun.elapsed() < timeout => {
                    let until = "another run of towline on this host to end".to_owned();
                    self.events.send(Event::Waiting {
                        host: host.into(),
                        step: step.into(),
                        until,
                    });
                    self.rest(self.pause * 2).await;
                    // What its guard was answered is old by now.
                    if let Some(guard) = guard {
                        self.may_stop(host, step, guard).await?;
                    }
                }
                Exit::Code(LOCKED) => {
                    return Err(Stop::Failed(
                        Problem::new(
                            Code::RUN_LOCKED,
                            "another run of towline has been acting on this host for 10 minutes",
                        )
                        .next("on the host, this shows it")
                        .on_host(
                            "ps -fp $(find /proc/[0-9]*/fd -lname /run/towline.lock | cut -d/ -f3)",
                        ),
                    ));
                }
                Exit::Code(CONFLICT) => {
                    let path = last_lines(&output.stderr, 1).concat();
                    return Err(Stop::Failed(changed_meanwhile(&path)));
                }
                Exit::Code(LEFT) => {
                    return Ok(Acted::Left(last_lines(&output.stderr, 1).concat()));
                }
                Exit::Lost(reason) => return Err(lost(reason)),
                Exit::Refused(reason) => return Err(Stop::Failed(no_session(&reason))),
                exit => {
                    let mut problem = problem!(
                        Code::COMMAND_FAILED,
                        "the command on the host failed ({exit})"
                    );
                    for line in last_lines(&output.stderr, 8) {
                        problem = problem.because(line);
                    }
                    return Err(Stop::Failed(problem));
                }
            }
        }
    }
}
