//! The log, for those who look for a fault in towline or in what it uses: on standard error, in a
//! file, or both. A run without it has no subscriber, and pays nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::Ui;
use super::safe;
use super::terminal::Stream;
use crate::problem::{Code, Problem, problem};
use crate::vars::mask::masked;

/// Where the lines of the log go.
struct Log {
    ui: Ui,
    file: Option<File>,
    /// Whether they are shown on standard error.
    shows: bool,
}

impl Ui {
    /// Begins to log, where it is asked for: until the end of the process.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn log(&self, file: Option<&Path>, shows: bool) -> Result<(), Problem> {
        if file.is_none() && !shows {
            return Ok(());
        }
        let file = file.map(open).transpose()?;
        let ui = self.clone();
        // There is none yet: it is asked for once.
        drop(subscriber(Log { ui, file, shows }).try_init());
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "towline begins");
        Ok(())
    }
}

/// What is there already stays: the log of one run follows that of another.
fn open(path: &Path) -> Result<File, Problem> {
    let mut options = OpenOptions::new();
    let opened = options.create(true).append(true).mode(0o600).open(path);
    opened.map_err(|error| {
        problem!(
            Code::FILE_UNWRITABLE,
            "the log file {} cannot be written",
            path.display()
        )
        .because(error)
        .next("name another")
        .flag("--log-file FILE")
    })
}

fn subscriber(log: Log) -> impl Subscriber + Send + Sync {
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::DEBUG)
        .with_ansi(false)
        // A disk that is full is no reason to stop working on hosts.
        .log_internal_errors(false)
        .with_writer(Arc::new(log))
        .finish()
        .with(targets())
}

/// What is logged of whom. Nothing below debug: there, russh tells packets and kube headers.
fn targets() -> Targets {
    Targets::new()
        .with_default(LevelFilter::WARN)
        .with_targets(
            ["towline", "russh", "kube_client", "ureq", "ureq_proto"]
                .map(|name| (name, LevelFilter::DEBUG)),
        )
        // What an SSH agent signs, and a line for every packet.
        .with_targets(
            ["russh::keys", "russh::sshbuffer", "russh::client"]
                .map(|name| (name, LevelFilter::INFO)),
        )
        .with_target("russh::client::kex", LevelFilter::DEBUG)
}

impl Log {
    /// One line of what was logged, which may quote hosts.
    fn line(&self, text: &str) -> String {
        let text = masked(&safe::clean(text, &self.ui.redactor));
        text.trim_end().replace('\n', "\\n") + "\n"
    }
}

/// An event comes as a whole.
impl Write for &Log {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = self.line(&String::from_utf8_lossy(event));
        if self.shows {
            self.ui.write(Stream::Error, &line);
        }
        if let Some(mut file) = self.file.as_ref() {
            file.write_all(line.as_bytes())?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::Secret;

    #[test]
    fn a_line_has_its_spans_and_neither_secrets_nor_what_a_terminal_obeys() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let ui = Ui::default();
        ui.redactor.learn(&Secret::new("known before"));
        let log = Log {
            ui: ui.clone(),
            file: Some(open(&path).expect("a file")),
            shows: false,
        };
        tracing::subscriber::with_default(subscriber(log), || {
            let _host =
                tracing::debug_span!("host", name = "m\u{1b}]0;known before\u{7}").entered();
            let _step = tracing::debug_span!("step", name = %"a file").entered();
            ui.redactor.learn(&Secret::new("a\"learned\\later"));
            tracing::debug!(answer = ?"has a\"learned\\later", "two\nlines \u{1b}[31mred\u{1b}[0m\u{1b}[2J");
            tracing::debug!("K3S_TOKEN=pw https://ann:pw@10.0.0.1/");
            tracing::trace!("nothing of this");
        });
        let text = std::fs::read_to_string(&path).expect("a text");
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.split_once(' ').expect("a time").1)
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        DEBUG host{name="m\u{1b}]0;***\u{7}"}:step{name=a file}: towline::ui::log::tests: two\nlines \x1b[31mred\x1b[0m\x1b[2J answer="has ***"
        DEBUG host{name="m\u{1b}]0;***\u{7}"}:step{name=a file}: towline::ui::log::tests: K3S_TOKEN=***
        "#);
    }

    #[test]
    fn packets_and_what_an_agent_signs_are_never_logged() {
        let targets = targets();
        let would = |target, level| targets.would_enable(target, &level);
        assert!(would("towline::ssh", tracing::Level::DEBUG));
        assert!(would("russh::client::kex", tracing::Level::DEBUG));
        assert!(would("hyper_util::client", tracing::Level::WARN));
        for target in ["towline", "russh::client", "kube_client", "ureq"] {
            assert!(!would(target, tracing::Level::TRACE));
        }
        for target in [
            "russh::keys::agent::client",
            "russh::sshbuffer",
            "russh::client::encrypted",
            "hyper_util",
        ] {
            assert!(!would(target, tracing::Level::DEBUG), "{target}");
        }
    }
}
