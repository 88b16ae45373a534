//! What is known of a run at a moment: where it stands, and who is busy with what. Pure: it is told
//! events and times.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::run::{Event, Outcome};

/// What a host does, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Busy {
    /// What, as words.
    pub text: String,
    /// How far it is, where that is known.
    pub progress: Option<String>,
    /// The step; empty between steps.
    step: String,
    /// Since when, counted from the beginning of the run.
    pub since: Duration,
    /// Since when with these words.
    words_since: Duration,
    /// Whether that it takes long was told.
    is_told: bool,
}

/// How long a step runs before it is worth a line of its own, where no live lines show it.
const WORTH_A_LINE: Duration = Duration::from_secs(3);

/// How a host stands: what came of it so far, once it was reached, and what it does.
#[derive(Debug, Default)]
struct HostState {
    outcome: Option<Outcome>,
    busy: Option<Busy>,
}

/// How far the run is interrupted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interruption {
    /// Not at all.
    #[default]
    No,
    /// What runs is finished.
    Finish,
    /// The connections are dropped.
    Drop,
}

/// What is known of a run at a moment.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// In the order of the inventory, which is the order of their lines.
    hosts: Vec<(String, HostState)>,
    places: BTreeMap<String, usize>,
    /// What goes on.
    pub title: String,
    /// So many of so many hosts are through with it.
    pub progress: Option<(usize, usize)>,
    /// Whether the run was interrupted.
    pub ending: Interruption,
}

impl Board {
    /// The hosts that are busy, in the order of the inventory.
    pub(super) fn busy(&self) -> impl Iterator<Item = (&str, &Busy)> {
        let hosts = self.hosts.iter();
        hosts.filter_map(|(name, host)| Some((&**name, host.busy.as_ref()?)))
    }

    /// How many hosts are through and stand so.
    pub(super) fn count(&self, outcome: Outcome) -> usize {
        let hosts = self.hosts.iter().filter(|(_, host)| host.busy.is_none());
        hosts
            .filter(|(_, host)| host.outcome == Some(outcome))
            .count()
    }

    /// The hosts whose step is worth a line now, with it; each is told once.
    pub(super) fn slow(&mut self, now: Duration) -> Vec<(String, String)> {
        let hosts = self.hosts.iter_mut();
        let busy = hosts.filter_map(|(name, host)| Some((name, host.busy.as_mut()?)));
        let slow = busy.filter(|(_, busy)| {
            let time = now.saturating_sub(busy.words_since);
            !busy.step.is_empty() && !busy.is_told && time >= WORTH_A_LINE
        });
        slow.map(|(name, busy)| {
            busy.is_told = true;
            (name.clone(), busy.text.clone())
        })
        .collect()
    }

    /// Takes in what happened, and when.
    pub(super) fn tell(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Gathering { hosts } => {
                for host in hosts {
                    self.host(host);
                }
                self.stage("connecting", Some(hosts.len()));
            }
            Event::Connecting { host, .. } => self.begin(host, "", "connecting", now),
            Event::Reached { host, .. } => {
                self.came_to(host, Outcome::Unchanged);
                self.asked();
            }
            Event::Unreached { host, .. } => {
                self.came_to(host, Outcome::Failed);
                self.asked();
            }
            Event::Fetching { what } => self.stage(&format!("fetching {what}"), None),
            Event::Replanning { .. } => self.stage("planning again", None),
            Event::Stage { stage, hosts } => self.stage(stage, Some(*hosts)),
            Event::Entered { host, .. } => self.begin(host, "", "looking", now),
            Event::Begun {
                host,
                step,
                changes,
            } => self.begin(host, step, &changes.join(", "), now),
            Event::Waiting { host, step, until } => {
                self.begin(host, step, &format!("waiting for {until}"), now);
            }
            Event::Uploading {
                host,
                bytes,
                total,
                rate,
                ..
            } => {
                if let Some(busy) = &mut self.host(host).busy {
                    busy.progress = Some(uploaded(*bytes, *total, *rate));
                }
            }
            Event::Changed { host, changes, .. } => {
                if !changes.is_empty() {
                    self.came_to(host, Outcome::Changed);
                }
                self.begin(host, "", "looking", now);
            }
            Event::Left { host, stage, .. } => {
                self.host(host).busy = None;
                if *stage == self.title {
                    self.through();
                }
            }
            Event::Failed { host, .. } => self.came_to(host, Outcome::Failed),
            Event::Cancelled { host, .. } => self.came_to(host, Outcome::Cancelled),
            Event::Trying { .. } => self.stage("trying the kubeconfig", None),
            Event::Interrupted { again } => {
                self.ending = if *again {
                    Interruption::Drop
                } else {
                    Interruption::Finish
                };
            }
            Event::Finished { .. } => self.stage("", None),
            // What is said and stays.
            _ => {}
        }
    }

    fn host(&mut self, name: &str) -> &mut HostState {
        let place = self.places.entry(name.to_owned()).or_insert_with(|| {
            self.hosts.push((name.to_owned(), HostState::default()));
            self.hosts.len() - 1
        });
        &mut self.hosts[*place].1
    }

    fn stage(&mut self, title: &str, hosts: Option<usize>) {
        title.clone_into(&mut self.title);
        self.progress = hosts.map(|hosts| (0, hosts));
    }

    /// A step that goes on keeps its time, also when it now waits.
    fn begin(&mut self, host: &str, step: &str, text: &str, now: Duration) {
        let host = self.host(host);
        let since = match &host.busy {
            Some(busy) if busy.step == step => busy.since,
            _ => now,
        };
        host.busy = Some(Busy {
            text: text.to_owned(),
            progress: None,
            step: step.to_owned(),
            since,
            words_since: now,
            is_told: false,
        });
    }

    /// A host does nothing now, and stands so or worse.
    fn came_to(&mut self, host: &str, outcome: Outcome) {
        let host = self.host(host);
        host.outcome = host.outcome.max(Some(outcome));
        host.busy = None;
    }

    fn through(&mut self) {
        if let Some((done, of)) = &mut self.progress {
            *done = (*done + 1).min(*of);
        }
    }

    /// A host has been asked; after the last of them comes the plan.
    fn asked(&mut self) {
        self.through();
        if self.title == "connecting" && self.progress.is_some_and(|(done, of)| done == of) {
            self.stage("planning", None);
        }
    }
}

/// `48 % of 70 MB, 5.2 MB/s`.
fn uploaded(bytes: u64, total: u64, rate: u64) -> String {
    let percent = (u128::from(bytes) * 100)
        .checked_div(u128::from(total))
        .unwrap_or(100);
    let megabytes = total.div_ceil(1_000_000);
    format!(
        "{percent} % of {megabytes} MB, {:.1} MB/s",
        rate as f64 / 1e6
    )
}
