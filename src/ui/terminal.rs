//! Where text is written to: standard output and standard error, or a screen of the tests.

use std::io::{self, Write as _};

use dialoguer::console::Term;

/// Where something is said that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Output,
    Error,
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
    /// Writes to standard output or standard error.
    fn write(&mut self, stream: Stream, text: &str);
}

/// This process' own standard output and standard error.
pub(super) struct Standard;

impl Device for Standard {
    fn size(&self) -> Size {
        let (rows, columns) = Term::stdout().size_checked().unwrap_or((24, 80));
        Size {
            columns: columns.into(),
            rows: rows.into(),
        }
    }

    // A reader that has gone away (`| head`) is no reason to stop working on hosts.
    fn write(&mut self, stream: Stream, text: &str) {
        let _ = match stream {
            Stream::Output => {
                let mut output = io::stdout().lock();
                let written = output.write_all(text.as_bytes());
                written.and_then(|()| output.flush())
            }
            Stream::Error => io::stderr().lock().write_all(text.as_bytes()),
        };
    }
}
