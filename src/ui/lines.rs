//! Events as readable lines. What stays on the screen is the same with live lines and without.

use super::plan::{self, counted};
use super::wrap::wrap;
use super::{Format, Stream, Ui, page, shown, snapshots, table, timeline, users};
use crate::run::Event;
use crate::run::event::LeftOut;

impl Ui {
    /// Tells an event that is safe; the live lines tell what is left out here.
    pub(super) fn event(&self, mut event: Event) {
        let verbose = match &mut event {
            Event::Connecting { settings, .. } if self.verbosity < 1 => {
                settings.clear();
                true
            }
            Event::Sent { host, script } if self.shows_commands => {
                self.write(Stream::Error, &format!("# {host}\n{script}"));
                false
            }
            Event::Sent { .. } => self.traffic() >= 1,
            Event::Answered { .. } => self.traffic() >= 2,
            _ => true,
        };
        if !verbose {
            return;
        }
        if self.format == Format::Json {
            if let Ok(line) = serde_json::to_string(&event) {
                self.say(&line);
            }
            return;
        }
        match event {
            Event::Reached { host, seconds } if self.traffic() >= 1 => {
                let (host, time) = (self.host(&host), self.seconds(seconds));
                self.line(&format!("{host}  reached  {time}"));
            }
            Event::Unreached { problem, .. } | Event::Trouble { problem } => {
                self.failure(problem.code, &problem.to_string());
            }
            Event::Plan {
                about,
                steps,
                unknown,
            } => {
                let (whole, columns) = (self.verbosity >= 1, self.columns());
                let text = plan::text(&about, &steps, &unknown, self.style, whole, columns);
                self.say(&text);
            }
            Event::Connecting { host, settings } => {
                self.block(&host, "·", &shown::settings(&settings));
            }
            Event::Sent { host, script } => self.block(&host, "→", &script),
            Event::Answered { host, answer } => self.block(&host, "←", &answer),
            Event::Note { text } => self.line(&format!("{} {text}", self.style.yellow("note:"))),
            Event::Fetching { what } => self.line(&format!("fetching {what}")),
            Event::Replanning { reason } => {
                self.begin_stage(None);
                self.line(&self.style.dim(&reason));
            }
            Event::Stage { stage, hosts } => {
                let hosts = counted(hosts, "host");
                let (stage, hosts) = (
                    self.style.bold(&stage),
                    self.style.dim(&format!("({hosts})")),
                );
                self.begin_stage(Some(format!("{stage} {hosts}")));
            }
            Event::Changed {
                host,
                changes,
                seconds,
                step,
            } => {
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
                let indent = host.chars().count().max(10) + 2;
                let text = wrap(&format!("{what}{time}"), indent, self.columns());
                self.line_of_stage(&format!("{}  {text}", self.host(&host)));
            }
            Event::Failed {
                step, mut problem, ..
            } => {
                problem.what = format!("{step}: {}", problem.what);
                self.head();
                self.failure(problem.code, &problem.to_string());
            }
            Event::Cancelled { host, reason } => {
                let (host, word) = (self.host(&host), self.style.yellow("cancelled:"));
                self.line_of_stage(&format!("{host}  {word} {reason}"));
            }
            Event::Kubeconfig {
                path,
                server,
                nodes,
                members,
                over_ssh,
            } => {
                self.begin_stage(None);
                if !nodes.is_empty() {
                    self.say(&table::nodes(&nodes, self.style));
                }
                if !members.is_empty() {
                    self.say(&table::members(&members, self.style));
                }
                let tried = if over_ssh { "over SSH" } else { "from here" };
                self.line(&format!(
                    "\nkubeconfig  {path}  for {server}, tried {tried}"
                ));
            }
            Event::Snapshots { snapshots } => self.say(&snapshots::table(&snapshots, self.style)),
            Event::SnapshotSaved {
                host,
                snapshot,
                bytes,
            } => {
                let size = snapshots::size(bytes);
                self.line(&format!("{}  saved {snapshot} ({size})", self.host(&host)));
            }
            Event::SnapshotFetched {
                path,
                bytes,
                sha256,
                ..
            } => {
                let size = snapshots::size(bytes);
                self.say(&format!("{path}  {size}, sha256 {sha256}"));
            }
            Event::SnapshotDeleted { host, snapshot } => {
                self.line(&format!("{}  deleted {snapshot}", self.host(&host)));
            }
            Event::Refused { problems, .. } => {
                for problem in &problems {
                    self.failure(problem.code, &problem.to_string());
                }
            }
            Event::NotReady {
                attempt,
                attempts,
                problem,
            } => self.line(&format!("{attempt} of {attempts}: {}", problem.what)),
            Event::Ready { context, nodes } => {
                let nodes = match nodes.len() {
                    1 => "the node is Ready".to_owned(),
                    count => format!("all {count} nodes are Ready"),
                };
                self.say(&format!("{context}: {nodes}"));
            }
            Event::HostKeys { keys } => self.say(&table::host_keys(&keys, self.style)),
            Event::Users { users: rows } if rows.is_empty() => self.say("no users"),
            Event::Users { users: rows } => self.say(&users::table(&rows, self.style)),
            Event::UserCreated { user, path, server } => {
                let (id, may, until) = (&user.id, users::may(&user), &user.expires);
                self.line(&format!("user {id}: {may}, until {until}"));
                self.line(&format!(
                    "kubeconfig  {path}  for {server}, tried from here"
                ));
            }
            Event::UserDeleted { user } => self.line(&format!("deleted {}", user.id)),
            Event::Token { token } => self.say(&token),
            Event::Explained {
                code,
                cause,
                remedy,
            } => self.say(&page::text(code, &cause, &remedy, self.width, self.style)),
            Event::Cached {
                distribution,
                version,
                architecture,
                mirror,
                path,
                bytes,
                removed,
            } => {
                let word = if removed { "removed " } else { "" };
                let size = match bytes {
                    0 => "its hash".to_owned(),
                    bytes => format!("{} MB", bytes.div_ceil(1 << 20)),
                };
                let from = mirror.map_or_else(String::new, |mirror| format!(" from {mirror}"));
                self.say(&format!(
                    "{word}{distribution} {version} {architecture} ({size}){from} in {path}"
                ));
            }
            Event::CachedManifest {
                sha256,
                path,
                bytes,
                removed,
            } => {
                let word = if removed { "removed " } else { "" };
                let size = bytes.div_ceil(1 << 10);
                self.say(&format!("{word}manifest {sha256} ({size} kB) in {path}"));
            }
            Event::Checked {
                files,
                cluster,
                servers,
                agents,
            } => self.say(&format!(
                "{}: no mistakes; cluster {cluster}: {}, {}",
                files.join(", "),
                counted(servers, "server"),
                counted(agents, "agent")
            )),
            Event::Shown { cluster, hosts } => self.say(&shown::text(&cluster, &hosts)),
            Event::Written {
                file,
                text,
                hosts,
                changes,
                left_out,
            } => self.written(file, &text, hosts, changes, &left_out),
            // What came before has said it all.
            Event::Finished { report } if self.is_preview || report.rows.is_empty() => {}
            Event::Finished { report } => {
                self.say(&table::report(&report, self.columns(), self.style));
                if self.timing && !report.timeline.is_empty() {
                    let columns = self.columns().unwrap_or(self.width);
                    self.say(&timeline::text(&report, columns, self.style));
                }
            }
            Event::Reached { .. }
            | Event::Gathering { .. }
            | Event::Entered { .. }
            | Event::Left { .. }
            | Event::Begun { .. }
            | Event::Waiting { .. }
            | Event::Uploading { .. }
            | Event::Trying { .. }
            | Event::Interrupted { .. } => {}
        }
    }

    fn written(
        &self,
        file: Option<String>,
        text: &str,
        hosts: usize,
        changes: Option<Vec<String>>,
        left_out: &[LeftOut],
    ) {
        let hosts = counted(hosts, "host");
        match (file, changes) {
            (None, _) => self.say(text.trim_end()),
            (Some(file), None) => self.say(&format!("wrote {file}: {hosts}")),
            (Some(file), Some(changes)) if changes.is_empty() => {
                self.say(&format!("{file}: nothing has changed, {hosts}"));
            }
            (Some(file), Some(changes)) => {
                let changes = changes.join("\n  ");
                self.say(&format!("updated {file}: {hosts}\n  {changes}"));
            }
        }
        for LeftOut { place, what } in left_out {
            let word = self.style.yellow("left out:");
            self.write(Stream::Error, &format!("{word} {place}: {what}"));
        }
    }

    /// Names are padded so that what follows stands in one column for usual names.
    pub(super) fn host(&self, host: &str) -> String {
        self.style.cyan(&format!("{host:<10}"))
    }

    fn seconds(&self, seconds: f64) -> String {
        self.style.dim(&format!("{seconds:.1} s"))
    }

    fn block(&self, host: &str, sign: &str, text: &str) {
        let (host, sign) = (self.host(host), self.style.dim(sign));
        for line in text.lines() {
            self.line(&format!("{host}  {sign} {}", self.style.dim(line)));
        }
    }

    /// Another stage begins, or none. Its heading is told with the first line below it: a stage in
    /// which nothing had to be done has none.
    fn begin_stage(&self, heading: Option<String>) {
        if let Ok(mut pending) = self.heading.lock() {
            *pending = heading;
        }
    }

    /// The heading of the stage, unless it was told.
    fn head(&self) {
        let pending = self.heading.lock().map(|mut heading| heading.take());
        if let Ok(Some(heading)) = pending {
            self.line(&heading);
        }
    }

    /// A line below the heading of its stage.
    pub(super) fn line_of_stage(&self, text: &str) {
        self.head();
        self.line(text);
    }

    /// A line that is left out when only failures and the end are wanted.
    pub(super) fn line(&self, text: &str) {
        if self.verbosity >= 0 {
            self.say(text);
        }
    }
}
