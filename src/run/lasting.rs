//! The last look: what was started in a run is believed to run when it has stayed READY.

use std::time::Duration;

use tokio::time::Instant;

use super::exchange::ask;
use super::report::Outcome;
use super::state::{RunState, Started};
use super::{Event, Runner};
use crate::problem::Problem;
use crate::shell::Reply;
use crate::task::{ENDING, GRACE, Service, Since};

/// A restarted unit with a setting that its cluster cannot have was seen to die up to 11 s after its
/// READY.
const SETTLED: Duration = Duration::from_secs(10);

/// What this is called among the stages of a run.
const STAGE: &str = "last look";

impl Runner {
    /// Looks once more at every unit that was started, all hosts together; a host whose unit does not
    /// stay READY fails.
    pub async fn look_again(&self, run_state: &mut RunState) {
        let started = run_state.take_started();
        // Some parts of k3s run on one server at a time: what one cannot bear shows when it takes over
        // from another that is restarted.
        let last = started.values().filter(|started| started.restarted);
        let last = last.map(|started| started.ready).max();
        let looks = started.into_iter().map(|(host, started)| async move {
            let begun = Instant::now();
            self.events.send(Event::Entered {
                host: host.clone(),
                stage: STAGE.into(),
            });
            let lasts = self.lasts(&host, &started, last).await;
            self.events.send(Event::Left {
                host: host.clone(),
                stage: STAGE.into(),
                seconds: begun.elapsed().as_secs_f64(),
            });
            (host, started.step, lasts)
        });
        for (host, step, lasts) in futures::future::join_all(looks).await {
            if let Err(problem) = lasts {
                let problem = problem.of(&host);
                self.events.send(Event::Failed {
                    host: host.clone(),
                    step,
                    problem: problem.clone(),
                });
                run_state.end(&host, Outcome::Failed, Some(problem));
            }
        }
    }

    async fn lasts(
        &self,
        host: &str,
        started: &Started,
        last: Option<Instant>,
    ) -> Result<(), Problem> {
        let Some(remote) = self.remotes.get(host) else {
            return Ok(());
        };
        let Started { service, ready, .. } = started;
        let waiting = || Event::Waiting {
            host: host.into(),
            step: started.step.clone(),
            until: format!("{} to stay READY", service.unit),
        };
        let rest = SETTLED.saturating_sub(last.unwrap_or(*ready).elapsed());
        if started.restarted && !rest.is_zero() {
            self.events.send(waiting());
            self.rest(rest).await;
        }
        let (begun, mut first, mut was_again) = (Instant::now(), None, false);
        while !self.interrupted() {
            let since = ready.elapsed();
            let permit = self.limit.acquire().await;
            let answered = ask(&**remote, &[service.look_again(since)]).await;
            drop(permit);
            // Without an answer, what was seen before stands.
            let answered = answered.unwrap_or_default();
            let Some(seen) = answered.replies.into_iter().next().flatten() else {
                return Ok(());
            };
            let ended_again = match service.since(&seen, since) {
                None | Some(Since::Lasted) => {
                    self.tell_notes(host, service, &seen);
                    return Ok(());
                }
                Some(Since::Again(time)) if time >= GRACE => {
                    if service.ends_again(&seen) {
                        return Err(service.did_not_last(&seen));
                    }
                    let text = format!(
                        "{host}: {} ended after it was READY; systemd has restarted it, and it has been READY for {} s since",
                        service.unit,
                        time.as_secs()
                    );
                    self.events.send(Event::Note { text });
                    self.tell_notes(host, service, &seen);
                    return Ok(());
                }
                Some(Since::Again(_)) => {
                    was_again = true;
                    false
                }
                Some(Since::Ended) => was_again,
            };
            let restarts = Service::restarts(&seen);
            let before = *first.get_or_insert_with(|| {
                self.events.send(waiting());
                restarts
            });
            if ended_again || restarts > before + 1 || begun.elapsed() >= ENDING {
                return Err(service.did_not_last(&seen));
            }
            self.rest(self.pause * 4).await;
        }
        Ok(())
    }

    /// Tells what is to be known of a unit although it runs.
    fn tell_notes(&self, host: &str, service: &Service, seen: &Reply) {
        for note in service.notes(seen) {
            let text = format!("{host}: {note}");
            self.events.send(Event::Note { text });
        }
    }
}
