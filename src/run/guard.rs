//! Before a member of etcd is stopped: a server that runs is asked who votes now, and for the turn to
//! stop one.

use tokio::time::Instant;

use super::exchange::ask;
use super::{Event, Runner, Stop};
use crate::plan::Guard;

impl Runner {
    /// Waits until a member of etcd may be stopped.
    ///
    /// # Errors
    /// Why it may not.
    pub(super) async fn may_stop(&self, host: &str, step: &str, guard: &Guard) -> Result<(), Stop> {
        let begun = Instant::now();
        let mut told = String::new();
        while let Err(why) = self.vote(guard).await {
            if self.interrupted() {
                return Err(Stop::Interrupted);
            }
            if begun.elapsed() >= guard.timeout {
                return Err(Stop::Held(format!("not stopped now: {why}")));
            }
            if told != why {
                told.clone_from(&why);
                self.events.send(Event::Waiting {
                    host: host.into(),
                    step: step.into(),
                    until: format!("the other servers, since {why}"),
                });
            }
            self.rest(self.pause * 4).await;
        }
        Ok(())
    }

    /// What the first server says that can tell.
    async fn vote(&self, guard: &Guard) -> Result<(), String> {
        for (server, data_dir) in &guard.ask {
            let Some(remote) = self.remotes.get(server) else {
                continue;
            };
            let answered = ask(&**remote, &[guard.probe(data_dir, &self.run)]).await;
            let reply = answered
                .ok()
                .and_then(|answered| answered.replies.into_iter().next());
            if let Some(verdict) = reply
                .flatten()
                .and_then(|reply| guard.judge(&reply, &self.run))
            {
                return verdict;
            }
        }
        let names: Vec<_> = guard.ask.iter().map(|(server, _)| &**server).collect();
        Err(format!(
            "no server says who votes in etcd and lets this run have its turn ({} asked)",
            names.join(", ")
        ))
    }
}
