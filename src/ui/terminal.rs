//! What live lines are drawn on: all of a frame in one write, and lines that end as lines.

use std::fmt;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dialoguer::console::{Term, measure_text_width};
use indicatif::TermLike;

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

/// A terminal that indicatif draws on, and that is written to when a frame is complete.
///
/// indicatif fills every line with blanks up to the right edge and lets the terminal wrap it. A
/// terminal that lays its lines out anew when it is resized would join them, so here every line has
/// an end of its own; and when a narrower terminal has broken lines in two, both halves are erased.
#[derive(Clone)]
pub(super) struct Terminal(Arc<Mutex<Inner>>);

struct Inner {
    device: Box<dyn Device>,
    size: Size,
    frame: String,
    /// Widths of the live lines on the screen.
    drawn: Vec<usize>,
    /// Whether the next line begins below the present one.
    ended: bool,
}

impl Terminal {
    pub(super) fn new(device: impl Device + 'static) -> Self {
        let size = device.size();
        Self(Arc::new(Mutex::new(Inner {
            device: Box::new(device),
            size,
            frame: String::new(),
            drawn: Vec::new(),
            ended: false,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The size, which holds until the next time it is asked for.
    pub(super) fn measure(&self) -> Size {
        let mut inner = self.inner();
        inner.size = inner.device.size();
        inner.size
    }

    /// Adds what is said to the frame. Standard error has no frames, so what comes before it is
    /// written first.
    pub(super) fn say(&self, said: &StreamText) {
        let mut inner = self.inner();
        match said {
            StreamText::Output(text) => inner.frame.push_str(text),
            StreamText::Error(text) => {
                inner.show();
                inner.device.error(text);
            }
        }
    }

    /// Writes the frame.
    pub(super) fn show(&self) {
        self.inner().show();
    }
}

impl Inner {
    fn show(&mut self) {
        if !self.frame.is_empty() {
            let frame = std::mem::take(&mut self.frame);
            self.device.output(&frame);
        }
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Terminal")
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        u16::try_from(self.inner().size.columns).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        u16::try_from(self.inner().size.rows).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        let mut inner = self.inner();
        inner.ended = false;
        let columns = inner.size.columns.max(1);
        let drawn = std::mem::take(&mut inner.drawn);
        let broken: usize = drawn
            .iter()
            .map(|width| width.div_ceil(columns).saturating_sub(1))
            .sum();
        if n + broken > 0 {
            inner.frame.push_str(&format!("\u{1b}[{}A", n + broken));
        }
        if broken > 0 {
            inner.frame.push_str("\r\u{1b}[J");
        }
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        if n > 0 {
            self.inner().frame.push_str(&format!("\u{1b}[{n}B"));
        }
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        if n > 0 {
            self.inner().frame.push_str(&format!("\u{1b}[{n}C"));
        }
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        if n > 0 {
            self.inner().frame.push_str(&format!("\u{1b}[{n}D"));
        }
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.inner().ended = true;
        Ok(())
    }

    /// Live lines are never blank: blanks are what a line is filled with.
    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut inner = self.inner();
        match text {
            "\r" => inner.frame.push('\r'),
            _ if text.bytes().all(|byte| byte == b' ') => inner.ended = true,
            _ => {
                if std::mem::take(&mut inner.ended) {
                    inner.frame.push('\n');
                }
                inner.frame.push_str(text);
                inner.drawn.push(measure_text_width(text));
            }
        }
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.inner().frame.push_str("\r\u{1b}[2K");
        Ok(())
    }

    /// A frame is shown as a whole, by [`Terminal::show`].
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
