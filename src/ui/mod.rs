//! The sole owner of standard output and standard error: events become lines for people or JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::error::Problem;
use crate::run::Event;
use crate::vars::{Redactor, Secret};

pub mod ask;
mod plan;
mod style;
mod table;

pub use style::Style;

/// The whole text of a plan, without colours.
pub fn plan_text(about: &str, steps: &[crate::run::event::Planned]) -> String {
    plan::text(about, steps, Style { color: false }, true)
}

/// In which form a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines for people.
    Plain,
    /// One JSON object per line.
    Json,
}

/// Tells a run.
#[derive(Debug, Clone)]
pub struct Ui {
    /// In which form.
    pub format: Format,
    /// 0 is usual, 1 shows what is sent to hosts, 2 their answers too, -1 only failures and the end.
    pub verbosity: i8,
    /// Whether the scripts that are sent are shown on standard error.
    pub shows_commands: bool,
    /// Whether lines are coloured.
    pub style: Style,
    /// Masks secrets in everything.
    pub redactor: Redactor,
}

/// A step that runs on a host and has not been told yet.
struct Busy {
    since: Instant,
    text: String,
}

/// How long a step runs before it is worth a line of its own.
const WORTH_A_LINE: Duration = Duration::from_secs(3);

impl Ui {
    /// Tells events until their senders are gone.
    pub async fn tell(self, mut events: mpsc::UnboundedReceiver<Event>) {
        let mut busy: BTreeMap<String, Busy> = BTreeMap::new();
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.event(event, &mut busy),
                    None => return,
                },
                _ = tick.tick() => self.long_steps(&mut busy),
            }
        }
    }

    fn long_steps(&self, busy: &mut BTreeMap<String, Busy>) {
        if self.format == Format::Json || self.verbosity < 0 {
            return;
        }
        busy.retain(|host, step| {
            if step.since.elapsed() < WORTH_A_LINE {
                return true;
            }
            self.line(&format!(
                "{}  {}",
                self.host(host),
                self.style.dim(&step.text)
            ));
            false
        });
    }

    fn event(&self, event: Event, busy: &mut BTreeMap<String, Busy>) {
        let verbose = match &event {
            Event::Sent { host, script } if self.shows_commands => {
                self.error(&format!("# {host}\n{script}"));
                false
            }
            Event::Sent { .. } => self.verbosity >= 1,
            Event::Answered { .. } => self.verbosity >= 2,
            _ => true,
        };
        if !verbose {
            return;
        }
        if self.format == Format::Json {
            if let Ok(line) = serde_json::to_string(&event) {
                self.out(&line);
            }
            return;
        }
        match event {
            Event::Reached { host, seconds } => {
                if self.verbosity >= 1 {
                    self.line(&format!(
                        "{}  reached  {}",
                        self.host(&host),
                        self.seconds(seconds)
                    ));
                }
            }
            Event::Unreached { problem, .. } | Event::Trouble { problem } => self.problem(&problem),
            Event::Plan { about, steps } => {
                self.out(&plan::text(&about, &steps, self.style, self.verbosity >= 1));
            }
            Event::Sent { host, script } => self.block(&host, "→", &script),
            Event::Answered { host, answer } => self.block(&host, "←", &answer),
            Event::Note { text } => self.line(&format!("{} {text}", self.style.yellow("note:"))),
            Event::Fetching { what } => self.line(&format!("fetching {what}")),
            Event::Replanning { reason } => self.line(&self.style.dim(&reason)),
            Event::Stage { stage, hosts } => {
                let hosts = if hosts == 1 {
                    "1 host".into()
                } else {
                    format!("{hosts} hosts")
                };
                self.line(&format!(
                    "{} {}",
                    self.style.bold(&stage),
                    self.style.dim(&format!("({hosts})"))
                ));
            }
            Event::Begun { host, changes, .. } => {
                let text = format!("… {}", changes.join(", "));
                busy.insert(
                    host,
                    Busy {
                        since: Instant::now(),
                        text,
                    },
                );
            }
            Event::Waiting { host, until, .. } => {
                busy.insert(
                    host,
                    Busy {
                        since: Instant::now(),
                        text: format!("… waiting for {until}"),
                    },
                );
            }
            Event::Changed {
                host,
                changes,
                seconds,
                step,
            } => {
                busy.remove(&host);
                let what = if changes.is_empty() {
                    format!("{step}: as it should be")
                } else {
                    changes.join(", ")
                };
                let time = if seconds >= 1.0 {
                    format!("  {}", self.seconds(seconds))
                } else {
                    String::new()
                };
                self.line(&format!("{}  {what}{time}", self.host(&host)));
            }
            Event::Failed {
                host,
                step,
                mut problem,
            } => {
                busy.remove(&host);
                if !problem.what.starts_with(&host) {
                    problem.what = format!("{host}: {step}: {}", problem.what);
                }
                self.problem(&problem);
            }
            Event::Cancelled { host, reason } => {
                busy.remove(&host);
                self.line(&format!(
                    "{}  {} {reason}",
                    self.host(&host),
                    self.style.yellow("cancelled:")
                ));
            }
            Event::Kubeconfig {
                path,
                server,
                nodes,
            } => {
                self.out(&table::nodes(&nodes, self.style));
                self.line(&format!(
                    "kubeconfig  {path}  for {server}, tried from here"
                ));
            }
            Event::Finished { report } => self.out(&table::report(&report, self.style)),
            Event::Gathering { .. }
            | Event::Connecting { .. }
            | Event::Entered { .. }
            | Event::Left { .. }
            | Event::Trying { .. }
            | Event::Interrupted { .. } => {}
        }
    }

    /// Names are padded so that what follows stands in one column for usual names.
    fn host(&self, host: &str) -> String {
        self.style.cyan(&format!("{host:<10}"))
    }

    fn seconds(&self, seconds: f64) -> String {
        self.style.dim(&format!("{seconds:.1} s"))
    }

    fn block(&self, host: &str, sign: &str, text: &str) {
        for line in text.lines() {
            self.line(&format!(
                "{}  {} {}",
                self.host(host),
                self.style.dim(sign),
                self.style.dim(line)
            ));
        }
    }

    /// A line that is left out when only failures and the end are wanted.
    fn line(&self, text: &str) {
        if self.verbosity >= 0 {
            self.out(text);
        }
    }

    /// A problem, on standard error.
    pub fn problem(&self, problem: &Problem) {
        let text = self.redactor.clean(&problem.to_string());
        let _ = writeln!(io::stderr().lock(), "{} {text}", self.style.red("error:"));
    }

    /// Text as it is, on standard output.
    pub fn out(&self, text: &str) {
        let text = self.redactor.clean(text);
        // A reader that has gone away (`| head`) is no reason to stop working on hosts.
        let _ = writeln!(io::stdout().lock(), "{}", text.trim_end_matches('\n'));
    }

    /// A secret that was asked for, on standard output: the only way to show one.
    pub fn secret(&self, secret: &Secret) {
        let _ = writeln!(io::stdout().lock(), "{}", secret.expose());
    }

    /// Text as it is, on standard error.
    pub fn error(&self, text: &str) {
        let _ = writeln!(
            io::stderr().lock(),
            "{}",
            self.redactor.clean(text).trim_end_matches('\n')
        );
    }
}
