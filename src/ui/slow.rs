//! Steps that take long, where no live lines show them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::run::Event;

/// How long a step runs before it is worth a line of its own.
const WORTH_A_LINE: Duration = Duration::from_secs(3);

/// The steps that run and have not been told yet, by host.
#[derive(Default)]
pub(super) struct Slow(BTreeMap<String, (Instant, String)>);

impl Slow {
    /// Takes note of an event.
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::Begun { host, changes, .. } => self.begin(host, changes.join(", ")),
            Event::Waiting { host, until, .. } => self.begin(host, format!("waiting for {until}")),
            Event::Changed { host, .. }
            | Event::Failed { host, .. }
            | Event::Cancelled { host, .. } => {
                self.0.remove(host);
            }
            _ => {}
        }
    }

    fn begin(&mut self, host: &str, text: String) {
        self.0.insert(host.to_owned(), (Instant::now(), text));
    }

    /// The hosts whose step is worth a line now, with it; each is told once.
    pub(super) fn due(&mut self) -> Vec<(String, String)> {
        let is_due =
            |_: &String, (since, _): &mut (Instant, String)| since.elapsed() >= WORTH_A_LINE;
        self.0
            .extract_if(.., is_due)
            .map(|(host, (_, text))| (host, text))
            .collect()
    }
}
