//! The sole owner of standard output and standard error: events become readable lines or JSON,
//! and on a terminal live lines beneath them.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::problem::{Code, Problem};
use crate::run::event::Receiver;
use crate::run::{Event, Report};
use crate::vars::{Redactor, Secret};

pub mod ask;
mod board;
mod frame;
mod lines;
mod live;
mod log;
mod page;
mod plan;
mod safe;
mod shown;
mod snapshots;
mod style;
mod svg;
mod table;
mod terminal;
mod timeline;
mod users;
mod watch;
mod wrap;

#[cfg(any(test, fuzzing))]
#[path = "../../fuzz/properties/terminal.rs"]
pub mod properties;
#[cfg(test)]
mod tests;

pub use live::Live;
pub use style::Style;

use terminal::{Device as _, Stream};
use watch::Watch;

/// The whole text of a plan, without colours.
#[cfg(test)]
pub fn plan_text(about: &str, steps: &[crate::run::event::Planned]) -> String {
    plan::text(about, steps, &[], Style { color: false }, true, None)
}

/// In which form a run is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Readable lines.
    #[default]
    Plain,
    /// One JSON object per line.
    Json,
}

/// Tells a run.
#[derive(Debug, Clone, Default)]
pub struct Ui {
    /// In which form.
    pub format: Format,
    /// 0 is usual, 1 shows what is sent to hosts, 2 their answers too, -1 only failures and the end.
    pub verbosity: i8,
    /// Whether a plan is all that is wanted. Then verbosity 1 shows its long differences to their
    /// end, what is sent to hosts begins at 2, and no table follows.
    pub is_preview: bool,
    /// Whether the scripts that are sent are shown on standard error.
    pub shows_commands: bool,
    /// Whether lines are coloured.
    pub style: Style,
    /// Masks secrets in everything.
    pub redactor: Redactor,
    /// Whether the end shows when which host was busy.
    pub timing: bool,
    /// Columns, where there is no terminal that knows better.
    pub width: usize,
    /// The live lines, where there is a terminal for them.
    pub live: Option<Live>,
    /// Whether the user has left a question without an answer, and is not asked again.
    pub gone: Arc<AtomicBool>,
    /// The heading of a stage in which nothing was told yet.
    pub heading: Arc<Mutex<Option<String>>>,
    /// The codes of the problems that were told.
    pub codes: Arc<Mutex<Vec<Code>>>,
}

/// How often live lines are drawn: often enough to seem at once, seldom enough to be calm.
const FRAME: Duration = Duration::from_millis(100);

impl Ui {
    /// Tells in JSON what nothing else is known of.
    pub fn json() -> Self {
        Self {
            format: Format::Json,
            ..Self::default()
        }
    }

    /// Tells events until their senders are gone.
    pub async fn tell(self, mut events: Receiver) {
        let begun = Instant::now();
        let mut watch = Watch::new(self);
        let mut tick = interval(FRAME);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => watch.event(event, begun.elapsed()),
                    None => return watch.end(),
                },
                _ = tick.tick() => watch.draw(begun.elapsed()),
            }
        }
    }

    /// Columns of the terminal that is written to, if it is one.
    fn columns(&self) -> Option<usize> {
        self.live.as_ref().map(Live::columns)
    }

    /// Says whole lines, safe ones.
    fn write(&self, stream: Stream, text: &str) {
        let text = format!("{}\n", text.trim_end_matches('\n'));
        match &self.live {
            Some(live) => live.say(stream, text),
            None => terminal::Standard.write(stream, &text),
        }
    }

    /// An event that may be shown as it is.
    fn safe(&self, event: Event) -> Event {
        safe::event(event, &self.redactor)
    }

    /// A text that may be shown as it is.
    fn clean(&self, text: &str) -> String {
        safe::clean(text, &self.redactor)
    }

    /// A problem, on standard error.
    pub fn problem(&self, problem: &Problem) {
        self.failure(problem.code, &self.clean(&problem.to_string()));
    }

    /// A problem whose words may be shown as they are.
    fn failure(&self, code: Code, words: &str) {
        self.has_code(code);
        let error = self.style.red(&format!("error[{code}]:"));
        self.write(Stream::Error, &format!("{error} {words}"));
    }

    /// Notes the code of a problem that was told.
    pub fn has_code(&self, code: Code) {
        if let Ok(mut codes) = self.codes.lock()
            && !codes.contains(&code)
        {
            codes.push(code);
        }
    }

    /// How to read more about the problems that were told, if there were any, on standard error.
    pub fn explanations(&self) {
        let codes = self.codes.lock().map(|codes| codes.clone());
        let names: Vec<_> = codes.iter().flatten().map(|code| code.name()).collect();
        if self.format == Format::Plain && self.verbosity >= 0 && !names.is_empty() {
            let text = format!("for more, type:  towline explain {}", names.join(" "));
            self.write(Stream::Error, &self.style.dim(&text));
        }
    }

    /// Text without colours, on standard output.
    pub fn out(&self, text: &str) {
        self.say(&self.clean(text));
    }

    /// What was made of a safe event, on standard output.
    fn say(&self, text: &str) {
        self.write(Stream::Output, text);
    }

    /// When which host was busy, as an SVG.
    pub fn timeline(&self, report: &Report) -> String {
        match self.safe(Event::Finished {
            report: report.clone(),
        }) {
            Event::Finished { report } => svg::timeline(&report),
            _ => String::new(),
        }
    }

    /// Tells an event at once.
    pub fn show(&self, event: Event) {
        self.event(self.safe(event));
    }

    /// A token that was asked for, on standard output: the only way to show one.
    pub fn token(&self, token: &Secret) {
        let token = safe::text(token.expose());
        self.say(&match self.format {
            Format::Plain => token,
            Format::Json => serde_json::to_string(&Event::Token { token }).unwrap_or_default(),
        });
    }

    /// How far what is exchanged with hosts is shown: 1 what is sent, 2 the answers too.
    pub fn traffic(&self) -> i8 {
        self.verbosity - i8::from(self.is_preview)
    }

    /// Text without colours, on standard error.
    pub fn error(&self, text: &str) {
        self.write(Stream::Error, &self.clean(text));
    }

    /// Mistakes that the inventory has laid out in colours, on standard error.
    pub fn mistakes(&self, text: &str) {
        let text = safe::coloured(&self.redactor.clean(text));
        self.write(Stream::Error, &text);
    }
}
