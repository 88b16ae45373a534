//! Connects to all hosts at once and reads their facts: one connection and one exchange each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Semaphore;
use tracing::{Instrument as _, debug_span, instrument};

use super::event::{Event, Events};
use super::exchange::Answered;
use super::report::Outcome;
use super::{Connector, contained, exchange, notice, sudo};
use crate::distribution::{self, Distribution};
use crate::facts::{self, Around, Facts, Questions};
use crate::inventory::DataDir;
use crate::inventory::{Host, Inventory};
use crate::problem::{Code, Problem, problem};
use crate::shell::{Reply, Script, decode};
use crate::ssh::{Exit, Remote};
use crate::vars::{Redactor, Secret};

/// Why a host has no facts.
#[derive(Debug, Clone)]
pub struct Unreached {
    /// `Unreachable`, or `Failed` when it was reached and is of no use.
    pub outcome: Outcome,
    /// The words for it.
    pub problem: Problem,
}

/// What gathering brought.
#[derive(Default, Clone)]
pub struct Gathered {
    /// The hosts that are connected.
    pub remotes: BTreeMap<String, Arc<dyn Remote>>,
    /// What the hosts said that were reached.
    pub facts: BTreeMap<String, Facts>,
    /// Why the others have no facts.
    pub unreached: BTreeMap<String, Unreached>,
    /// When each host was first connected to, and the time until it had answered.
    pub times: BTreeMap<String, (Instant, Duration)>,
}

/// A connection, what came over it, when it was begun, and the time until then.
type One = (
    Option<Arc<dyn Remote>>,
    Result<HostAnswer, Unreached>,
    (Instant, Duration),
);

/// What a host said of itself, and what of it is worth a word.
struct HostAnswer {
    facts: Facts,
    /// How far its clock is ahead of this machine's, seconds.
    ahead: Option<i64>,
    /// Why commands take long to start there.
    slow: Option<String>,
}

/// Connects to every host of the inventory and reads its facts.
pub async fn gather(
    inventory: &Inventory,
    connector: Arc<dyn Connector>,
    limit: &Arc<Semaphore>,
    events: &Events,
    redactor: &Redactor,
) -> Gathered {
    events.send(Event::Gathering {
        hosts: inventory
            .hosts
            .iter()
            .map(|host| host.name.clone())
            .collect(),
    });
    let distribution = distribution::of(inventory);
    let (connector, limit) = (&*connector, &**limit);
    let asked = inventory.hosts.iter().map(|host| async move {
        let asking = async {
            let _permit = limit.acquire().await;
            events.send(Event::Connecting {
                host: host.name.clone(),
                settings: inventory.reached_by(host),
            });
            one(host, distribution, &inventory.data_dir(host), connector).await
        };
        (&host.name, contained(asking).await)
    });
    let mut asked: FuturesUnordered<_> = asked.collect();
    let mut gathered = Gathered::default();
    let mut clocks = BTreeMap::new();
    while let Some((name, found)) = asked.next().await {
        let (remote, found, time) = found.unwrap_or_else(|problem| {
            let unreached = Unreached {
                outcome: Outcome::Failed,
                problem: problem.of(name),
            };
            (None, Err(unreached), (Instant::now(), Duration::ZERO))
        });
        if let Some(remote) = remote {
            gathered.remotes.insert(name.clone(), remote);
        }
        gathered.times.insert(name.clone(), time);
        match found {
            Ok(found) => {
                learn(distribution, &found.facts, redactor);
                events.send(Event::Reached {
                    host: name.clone(),
                    seconds: time.1.as_secs_f64(),
                });
                if let Some(text) = found.slow {
                    events.send(Event::Note { text });
                }
                clocks.extend(found.ahead.map(|ahead| (name.clone(), ahead)));
                gathered.facts.insert(name.clone(), found.facts);
            }
            Err(unreached) => {
                let problem = unreached.problem.clone();
                events.send(Event::Unreached {
                    host: name.clone(),
                    problem,
                });
                gathered.unreached.insert(name.clone(), unreached);
            }
        }
    }
    for text in notice::clocks(&clocks) {
        events.send(Event::Note { text });
    }
    gathered
}

#[instrument(level = "debug", name = "host", skip_all, fields(name = host.name))]
async fn one(
    host: &Host,
    distribution: &Distribution,
    data_dir: &DataDir,
    connector: &dyn Connector,
) -> One {
    let begun = Instant::now();
    let connected = connector.connect(host).await;
    let (remote, found) = match connected {
        Err(unreached) => (None, Err(unreached)),
        Ok(remote) => {
            let found = find(host, distribution, data_dir, &*remote).await;
            (Some(remote), found)
        }
    };
    (remote, found, (begun, begun.elapsed()))
}

/// Asks hosts whether they reach others, all at once; what they answer is a fact of
/// theirs. One that does not answer has said nothing.
pub async fn ask_around(
    inventory: &Inventory,
    wanted: &BTreeMap<String, Around>,
    gathered: &mut Gathered,
    limit: &Arc<Semaphore>,
) {
    let api_port = distribution::of(inventory).rules.product().api_port;
    let asked = wanted.iter().filter_map(|(name, around)| {
        let remote = gathered.remotes.get(name)?.clone();
        let asked = async move {
            let _permit = limit.acquire().await;
            let answered = exchange::ask(&*remote, &[facts::reach_probe(around, api_port)]).await;
            (name, around, answered.unwrap_or_default())
        };
        Some(asked.instrument(debug_span!("host", name)))
    });
    for (name, around, answered) in futures::future::join_all(asked).await {
        let reply = answered.replies.into_iter().next().flatten();
        if let (Some(facts), Some(reply)) = (gathered.facts.get_mut(name), reply) {
            facts.reaches = facts::reach_told(&reply);
            facts.services = facts::services_told(&reply, &around.services);
        }
    }
}

/// Asks every connected host again; one that does not answer now counts as not reached.
pub async fn refresh(inventory: &Inventory, gathered: &mut Gathered, redactor: &Redactor) {
    let asked = inventory.hosts.iter().filter_map(|host| {
        let remote = gathered.remotes.get(&host.name)?.clone();
        Some(async move { (host.name.clone(), facts(inventory, host, &*remote).await) })
    });
    let answers = futures::future::join_all(asked).await;
    for (name, facts) in answers {
        match facts {
            Ok(facts) => {
                gathered.unreached.remove(&name);
                learn(distribution::of(inventory), &facts, redactor);
                gathered.facts.insert(name, facts);
            }
            Err(unreached) => {
                gathered.facts.remove(&name);
                gathered.unreached.insert(name, unreached);
            }
        }
    }
}

/// Reads the facts of a host that is connected. The distribution's data is looked for where the
/// inventory says, and where the distribution itself is told that it is; what is there counts.
///
/// # Errors
/// Why its answer cannot be used.
#[instrument(level = "debug", name = "host", skip_all, fields(name = host.name))]
pub async fn facts(
    inventory: &Inventory,
    host: &Host,
    remote: &dyn Remote,
) -> Result<Facts, Unreached> {
    let distribution = distribution::of(inventory);
    let found = find(host, distribution, &inventory.data_dir(host), remote).await;
    Ok(found?.facts)
}

async fn find(
    host: &Host,
    distribution: &Distribution,
    data_dir: &DataDir,
    remote: &dyn Remote,
) -> Result<HostAnswer, Unreached> {
    let before = SystemTime::now();
    let (mut facts, answered) = look(host, &distribution.questions, data_dir, remote).await?;
    let ahead = notice::ahead(facts.clock, before, SystemTime::now());
    let slow = notice::slow_start(host, &facts, remote, &answered).await;
    // A folder that cannot be used is said where the host would be changed.
    let told = distribution.rules.told(&facts).data_dir.unwrap_or_default();
    if let Some(told) = told.filter(|told| told != data_dir) {
        let (second, _) = look(host, &distribution.questions, &told, remote).await?;
        if second.has_data() {
            facts = second;
        }
    }
    Ok(HostAnswer { facts, ahead, slow })
}

async fn look(
    host: &Host,
    questions: &Questions,
    data_dir: &DataDir,
    remote: &dyn Remote,
) -> Result<(Facts, Answered), Unreached> {
    let failed = |problem: Problem| Unreached {
        outcome: Outcome::Failed,
        problem: problem.of(&host.name),
    };
    let asked = exchange::ask(remote, &[questions.facts(data_dir)]).await;
    let answered = asked.map_err(|output| {
        failed(if let Exit::Refused(reason) = &output.exit {
            exchange::no_session(reason)
        } else if let Some(problem) = sudo::refused(host, &output, remote.counts().connections == 0)
        {
            problem
        } else {
            problem!(
                Code::ANSWER_UNUSABLE,
                "connected, but the facts script failed"
            )
            .because(exchange::complaint(&output))
        })
    })?;
    let reply = answered
        .replies
        .first()
        .and_then(Option::as_ref)
        .ok_or_else(|| {
            failed(problem!(
                Code::ANSWER_UNUSABLE,
                "its answer about itself was cut short"
            ))
        })?;
    match Facts::parse(reply, questions, data_dir) {
        Ok(mut facts) => {
            facts.reached_at = remote.peer();
            Ok((facts, answered))
        }
        Err(why) => Err(failed(problem!(Code::ANSWER_UNUSABLE, "{why}"))),
    }
}

impl Gathered {
    /// What a host answers to a script.
    ///
    /// # Errors
    /// What it says instead of an answer.
    pub async fn ask(&self, host: &str, script: &Script) -> Result<Reply, String> {
        let gone = || "it does not answer".to_owned();
        let remote = self.remotes.get(host).ok_or_else(gone)?;
        let answered = exchange::ask(&**remote, std::slice::from_ref(script)).await;
        let answered = answered.map_err(|output| exchange::complaint(&output))?;
        answered
            .replies
            .into_iter()
            .next()
            .flatten()
            .ok_or_else(gone)
    }

    /// What a server says as `token` to a script that makes one. It travels packed, so no log has it.
    ///
    /// # Errors
    /// What it says instead.
    pub async fn token(&self, host: &str, script: &Script) -> Result<Secret, Problem> {
        let failed = |why: String| {
            problem!(
                Code::SERVER_NOT_READY,
                host = host,
                "no token can be made here"
            )
            .because(why)
        };
        let reply = self.ask(host, script).await.map_err(failed)?;
        let token = reply.value("token").and_then(decode);
        let token = token.and_then(|token| String::from_utf8(token).ok());
        let token = token.map(|token| token.trim().to_owned());
        match token.filter(|token| !token.is_empty()) {
            Some(token) => Ok(Secret::new(&token)),
            None => Err(failed(reply.stderr.trim().to_owned())),
        }
    }
}

/// Every secret that a host knows is masked from now on, as far as it has the form of one.
pub fn learn(distribution: &Distribution, facts: &Facts, redactor: &Redactor) {
    let rules = distribution.rules;
    let told = rules.secrets(facts);
    for secret in facts.secrets().chain(&told) {
        redactor.learn_from_host(&Secret::new(rules.token(secret.expose()).password));
        redactor.learn_from_host(secret);
    }
}
