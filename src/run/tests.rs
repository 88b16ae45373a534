//! The runner with hosts that follow a script, under a clock that only the tests move.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::event::{Events, Receiver};
use super::report::{Outcome, Report};
use super::state::RunState;
use super::{Event, Interrupt, Runner};
use crate::plan::{Lane, Order, Plan, Stage, Step};
use crate::shell::Script;
use crate::ssh::{Answer, CommandOutput, ExchangeCounts, Exit, Remote, Upload, UploadProgress};
use crate::task::{Binary, Node, Service, ShellCommand, Task};

mod document;
mod fixtures;
mod gather;
mod guard;
mod lasting;
mod order;
mod reached;
mod steps;
mod waits;

use fixtures::{node, service, single, stage, step, unit};

/// What a host says to one part of an exchange.
#[derive(Clone)]
enum Said {
    /// What follows from what was done before.
    Usual,
    /// The same, after so many seconds.
    Slow(u64),
    /// This, with this status.
    Out(i32, String),
    /// Nothing: the answer is cut short before it.
    Cut,
    /// The connection ends.
    Lost,
    /// The code that talks to the host fails.
    Panic,
}

type Hook = Box<dyn Fn(usize) -> Said + Send + Sync>;

/// A host on which `a:NAME` makes `q:NAME` true, unless a hook says otherwise.
struct Scripted {
    name: &'static str,
    done: Mutex<BTreeSet<String>>,
    asked: Mutex<BTreeMap<String, usize>>,
    hooks: BTreeMap<&'static str, Hook>,
    log: Arc<Mutex<Vec<String>>>,
    begun: Instant,
    exchanges: AtomicU32,
}

impl Scripted {
    async fn part(&self, tag: &str) -> Said {
        let count = {
            let mut asked = self.asked.lock().expect("no panic");
            let count = asked.entry(tag.to_owned()).or_default();
            *count += 1;
            *count
        };
        let second = self.begun.elapsed().as_secs();
        if !tag.starts_with("q:") {
            let line = format!("{second} {} {tag}", self.name);
            self.log.lock().expect("no panic").push(line);
        }
        let said = self.hooks.get(tag).map_or(Said::Usual, |hook| hook(count));
        if let Said::Slow(seconds) = said {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
        match (said, tag.split_once(':')) {
            (Said::Usual | Said::Slow(_), Some(("a", name))) => {
                self.done.lock().expect("no panic").insert(name.to_owned());
                Said::Out(0, String::new())
            }
            (Said::Usual | Said::Slow(_), Some(("q", name))) => {
                let yes = self.done.lock().expect("no panic").contains(name);
                Said::Out(0, format!("answer={}\n", if yes { "yes" } else { "no" }))
            }
            (Said::Usual | Said::Slow(_), _) => Said::Out(0, String::new()),
            (said, _) => said,
        }
    }

    async fn answer(&self, script: &Script) -> CommandOutput {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        let lost = |stdout: String| CommandOutput {
            exit: Exit::Lost("the network is down".into()),
            stdout,
            stderr: String::new(),
            start: Duration::ZERO,
        };
        let (mut stdout, marker) = (String::new(), "printf '\\n");
        let nonce = script
            .text
            .split(marker)
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let nonce = nonce.expect("a batch").to_owned();
        let begin = format!("{marker}{nonce} begin ");
        for (index, body) in script.text.split(&begin).skip(1).enumerate() {
            match self.part(&tag(body)).await {
                Said::Out(status, text) => stdout.push_str(&format!(
                    "\n{nonce} begin {index}\n{text}\n{nonce} error {index} {status}\n\n{nonce} end {index}\n"
                )),
                Said::Cut => {}
                Said::Lost => return lost(stdout),
                Said::Panic => panic!("a mistake in the program"),
                Said::Usual | Said::Slow(_) => unreachable!("answered above"),
            }
        }
        CommandOutput {
            exit: Exit::Code(0),
            stdout,
            stderr: String::new(),
            start: Duration::ZERO,
        }
    }
}

/// What a part of a script is about: `q:NAME`, `a:NAME`, or what it runs.
fn tag(body: &str) -> String {
    let words = body.split(|c: char| c.is_whitespace() || c == '\'');
    let mut marked = words.filter(|word| word.starts_with("q:") || word.starts_with("a:"));
    if let Some(word) = marked.next() {
        return word.to_owned();
    }
    for (sign, tag) in [
        ("/v3/cluster", "voters"),
        ("replace --raw", "report"),
        ("--no-block", "start"),
        ("--request-timeout=10s get node", "node"),
        ("systemctl show", "unit"),
        ("/dev/tcp", "port"),
        ("kill 4711", "kill"),
    ] {
        if body.contains(sign) {
            return tag.into();
        }
    }
    "other".into()
}

impl Remote for Scripted {
    fn run<'a>(&'a self, script: &'a Script) -> Answer<'a> {
        Box::pin(self.answer(script))
    }

    fn put<'a>(&'a self, _: &'a Upload, progress: UploadProgress<'a>) -> Answer<'a> {
        Box::pin(async move {
            self.part("put").await;
            for bytes in [0, 1000, 2000] {
                progress(bytes);
                tokio::time::sleep(Duration::from_millis(600)).await;
            }
            CommandOutput {
                exit: Exit::Code(0),
                stdout: String::new(),
                stderr: String::new(),
                start: Duration::ZERO,
            }
        })
    }

    fn counts(&self) -> ExchangeCounts {
        ExchangeCounts {
            connections: 1,
            exchanges: self.exchanges.load(Ordering::Relaxed),
        }
    }

    fn peer(&self) -> Option<IpAddr> {
        None
    }
}

/// Hosts, and the runner that works on them.
struct World {
    runner: Runner,
    hosts: BTreeMap<&'static str, Scripted>,
    log: Arc<Mutex<Vec<String>>>,
    events: Receiver,
    interrupt: watch::Sender<Interrupt>,
    begun: Instant,
    /// Whether nothing follows a stage in which a host fails.
    stops: bool,
}

/// What came of a run.
struct Came {
    result: Result<(), String>,
    report: Report,
    log: Vec<String>,
    seconds: u64,
    events: Vec<Event>,
}

impl World {
    fn new(names: &[&'static str]) -> Self {
        let (events, receiver) = Events::channel();
        let (interrupt, asked) = watch::channel(Interrupt::None);
        let (log, begun) = (Arc::default(), Instant::now());
        let host = |name: &'static str| Scripted {
            name,
            done: Mutex::default(),
            asked: Mutex::default(),
            hooks: BTreeMap::new(),
            log: Arc::clone(&log),
            begun,
            exchanges: AtomicU32::new(0),
        };
        Self {
            hosts: names.iter().map(|name| (*name, host(name))).collect(),
            runner: Runner {
                run: "run".into(),
                remotes: BTreeMap::new(),
                events,
                limit: Arc::new(Semaphore::new(32)),
                interrupt: asked,
                pause: Duration::from_millis(500),
            },
            log,
            events: receiver,
            interrupt,
            begun,
            stops: false,
        }
    }

    fn on(
        mut self,
        host: &'static str,
        tag: &'static str,
        hook: impl Fn(usize) -> Said + Send + Sync + 'static,
    ) -> Self {
        let host = self.hosts.get_mut(host).expect("a host");
        host.hooks.insert(tag, Box::new(hook));
        self
    }

    /// All of what the hosts say to this.
    fn all(
        mut self,
        tag: &'static str,
        hook: impl Fn(usize) -> Said + Send + Sync + Copy + 'static,
    ) -> Self {
        for host in self.hosts.values_mut() {
            host.hooks.insert(tag, Box::new(hook));
        }
        self
    }

    fn done(self, host: &str, name: &str) -> Self {
        self.hosts[host]
            .done
            .lock()
            .expect("no panic")
            .insert(name.to_owned());
        self
    }

    async fn run(self, stages: Vec<Stage>) -> Came {
        self.planned_again_after(None, stages).await
    }

    /// The same, of a plan after whose stage the rest is planned again.
    async fn planned_again_after(mut self, stage: Option<usize>, stages: Vec<Stage>) -> Came {
        let names: Vec<_> = self.hosts.keys().copied().collect();
        let hosts = std::mem::take(&mut self.hosts);
        let hosts: BTreeMap<_, _> = hosts
            .into_iter()
            .map(|(name, host)| (name, Arc::new(host)))
            .collect();
        for (name, host) in &hosts {
            let remote: Arc<dyn Remote> = Arc::<Scripted>::clone(host);
            self.runner.remotes.insert((*name).to_owned(), remote);
        }
        let plan = Plan {
            stages,
            replan_after: stage,
            stops: self.stops,
        };
        let judged = Arc::new(self.runner.judge(&plan).await);
        let mut run_state = RunState::default();
        let last = plan.stages.len() - 1;
        let result = self
            .runner
            .stages(&plan, &judged, last, &mut run_state)
            .await;
        self.runner.look_again(&mut run_state).await;
        let rows = names.iter().map(|name| {
            (
                (*name).to_owned(),
                "server".to_owned(),
                true,
                hosts[name].counts(),
            )
        });
        Came {
            result,
            report: run_state.report(rows, Duration::ZERO, false),
            log: std::mem::take(&mut *self.log.lock().expect("no panic")),
            seconds: self.begun.elapsed().as_secs(),
            events: self.events.drain(),
        }
    }
}

impl Came {
    fn outcomes(&self) -> Vec<Outcome> {
        self.report.rows.iter().map(|row| row.outcome).collect()
    }

    fn problem(&self, host: &str) -> String {
        let row = self.report.rows.iter().find(|row| row.host == host);
        row.and_then(|row| row.problem.as_ref())
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    fn exchanges(&self, host: &str) -> u32 {
        let row = self.report.rows.iter().find(|row| row.host == host);
        row.map_or(0, |row| row.exchanges)
    }
}
