//! Live lines at the bottom of a terminal, and what is said above them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dialoguer::console::measure_text_width;

use super::terminal::{Device, Size, Standard, Stream};

/// The live lines of a terminal. All clones are the same lines.
#[derive(Clone)]
pub struct Live(Arc<Mutex<LiveState>>);

struct LiveState {
    device: Box<dyn Device>,
    /// What is on the screen.
    lines: Vec<String>,
    /// The size of the terminal that they were made for.
    size: Option<Size>,
    /// Whether there will be another frame, which what is said can wait for.
    running: bool,
    /// Whether the user is being asked something, which nothing may disturb.
    asking: bool,
    said: Vec<(Stream, String)>,
}

impl Live {
    /// Live lines on standard output, which is a terminal.
    pub fn on_standard_output() -> Self {
        Self::on(Standard)
    }

    pub(super) fn on(device: impl Device + 'static) -> Self {
        Self(Arc::new(Mutex::new(LiveState {
            device: Box::new(device),
            lines: Vec::new(),
            size: None,
            running: false,
            asking: false,
            said: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, LiveState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Columns of the terminal.
    pub(super) fn columns(&self) -> usize {
        self.state().device.size().columns
    }

    /// Says something, above the next frame when there will be one.
    pub(super) fn say(&self, stream: Stream, text: String) {
        let mut state = self.state();
        state.said.push((stream, text));
        if !state.running && !state.asking {
            state.show(Vec::new());
        }
    }

    /// Draws a frame, under everything that was said since the last one.
    pub(super) fn draw(&self, frame: impl FnOnce(Size) -> Vec<String>) {
        let mut state = self.state();
        state.running = true;
        if state.asking {
            return;
        }
        let size = state.device.size();
        let lines = frame(size);
        let is_resized = state.size.replace(size) != Some(size);
        if is_resized || state.lines != lines || !state.said.is_empty() {
            state.show(lines);
        }
    }

    /// Erases the lines and says what is left to say.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.running = false;
        if !state.asking {
            state.show(Vec::new());
        }
    }

    /// Does something that needs the terminal for itself. Nothing is drawn or said meanwhile, and
    /// the run goes on.
    pub(super) fn aside<T>(&self, other: impl FnOnce() -> T) -> T {
        {
            let mut state = self.state();
            state.show(Vec::new());
            state.asking = true;
        }
        let result = other();
        let mut state = self.state();
        state.asking = false;
        if !state.running {
            state.show(Vec::new());
        }
        result
    }
}

impl LiveState {
    /// Puts these lines in the place of those on the screen, below what is to be said. All of it is
    /// one write, so that nothing flickers; standard error is another stream, so what comes before
    /// it is written first.
    fn show(&mut self, lines: Vec<String>) {
        let mut text = self.to_first_line();
        if !text.is_empty() && (lines.is_empty() || !self.said.is_empty()) {
            text.push_str("\u{1b}[J");
        }
        for (stream, said) in std::mem::take(&mut self.said) {
            if stream == Stream::Error {
                self.device
                    .write(Stream::Output, &std::mem::take(&mut text));
                self.device.write(stream, &said);
            } else {
                text.push_str(&said);
            }
        }
        // Each line clears its row before it is written: behind a line that fills its row, some
        // terminals would clear its last letter.
        if let Some((last, others)) = lines.split_last() {
            for line in others {
                text.push_str(&format!("\u{1b}[K{line}\n"));
            }
            text.push_str(&format!("\u{1b}[J{last}"));
        }
        self.lines = lines;
        if !text.is_empty() {
            self.device.write(Stream::Output, &text);
        }
    }

    /// Moves the cursor from the end of the lines on the screen to their beginning. A terminal that
    /// has become narrower has broken them.
    fn to_first_line(&self) -> String {
        let columns = self.device.size().columns.max(1);
        let widths = self.lines.iter().map(|line| measure_text_width(line));
        let rows: usize = widths.map(|width| width.div_ceil(columns).max(1)).sum();
        match rows {
            0 => String::new(),
            1 => "\r".to_owned(),
            rows => format!("\u{1b}[{}A\r", rows - 1),
        }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}
