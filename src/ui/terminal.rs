//! Where text is written to: standard output and standard error, or a screen of the tests.

use std::io::{self, Write as _};

use dialoguer::console::Term;

/// Something that is said once and stays: whole lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StreamText {
    /// On standard output.
    Output(String),
    /// On standard error.
    Error(String),
}

impl StreamText {
    pub(super) fn out(text: &str) -> Self {
        Self::Output(format!("{}\n", text.trim_end_matches('\n')))
    }

    pub(super) fn error(text: &str) -> Self {
        Self::Error(format!("{}\n", text.trim_end_matches('\n')))
    }
}

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// Where bytes go in the end.
pub(super) trait Device: Send {
    /// The size as it is now.
    fn size(&self) -> Size;
    /// Writes to standard output.
    fn output(&mut self, text: &str);
    /// Writes to standard error.
    fn error(&mut self, text: &str);
}

/// This process' own standard output and standard error.
pub(super) struct Standard;

impl Standard {
    /// Writes one thing that is said.
    pub(super) fn write(mut self, said: &StreamText) {
        match said {
            StreamText::Output(text) => self.output(text),
            StreamText::Error(text) => self.error(text),
        }
    }
}

impl Device for Standard {
    fn size(&self) -> Size {
        let (rows, columns) = Term::stdout().size_checked().unwrap_or((24, 80));
        Size {
            columns: columns.into(),
            rows: rows.into(),
        }
    }

    // A reader that has gone away (`| head`) is no reason to stop working on hosts.
    fn output(&mut self, text: &str) {
        let mut output = io::stdout().lock();
        let _ = output
            .write_all(text.as_bytes())
            .and_then(|()| output.flush());
    }

    fn error(&mut self, text: &str) {
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}
