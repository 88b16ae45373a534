//! Before a member of etcd is stopped: a server that runs is asked who votes now, and for the turn to
//! stop one. Before one joins: the others are asked whether they reach it.

use tokio::time::Instant;

use super::exchange::ask;
use super::{Event, Runner, Stop};
use crate::plan::{Guard, PeerCheck};
use crate::shell::{Reply, Script};

impl Runner {
    /// Tries whether the other servers reach a host that is about to join.
    ///
    /// # Errors
    /// Which of them do not.
    pub(super) async fn is_reached(&self, host: &str, reached: &PeerCheck) -> Result<(), Stop> {
        let begun = Instant::now();
        let own = self.asked(host, &reached.listen()).await;
        let listener = own.as_ref().and_then(PeerCheck::listener);
        let verdict = loop {
            let asked = reached.by.iter().map(|server| async {
                let reply = self.asked(server, &reached.probe()).await;
                Some((&**server, reply?))
            });
            let answers: Vec<_> = futures::future::join_all(asked).await;
            let answers: Vec<_> = answers.into_iter().flatten().collect();
            match reached.judge(&answers, listener.is_some()) {
                None => break Ok(()),
                Some(_) if self.interrupted() => break Err(Stop::Interrupted),
                Some(problem) if begun.elapsed() >= reached.timeout => {
                    break Err(Stop::Failed(problem));
                }
                Some(_) => self.rest(self.pause * 4).await,
            }
        };
        if let Some(listener) = listener {
            self.asked(host, &PeerCheck::end(listener)).await;
        }
        verdict
    }

    /// What a host answers to one question; `None` where it does not answer.
    async fn asked(&self, host: &str, question: &Script) -> Option<Reply> {
        let answered = ask(&**self.remotes.get(host)?, std::slice::from_ref(question)).await;
        answered.ok()?.replies.into_iter().next().flatten()
    }

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
            let reply = self.asked(server, &guard.probe(data_dir, &self.run)).await;
            if let Some(verdict) = reply.and_then(|reply| guard.judge(&reply, &self.run)) {
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
