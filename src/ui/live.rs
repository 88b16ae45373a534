//! Live lines at the bottom of a terminal, and what is said above them.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::{Device, Size, Standard, StreamText, Terminal};

/// The live lines of a terminal. All clones are the same lines.
#[derive(Clone)]
pub struct Live(Arc<Mutex<LiveState>>);

struct LiveState {
    terminal: Terminal,
    /// What is on the screen, as indicatif knows it; `None` when nothing is.
    bar: Option<ProgressBar>,
    /// Whether there will be another frame, which what is said can wait for.
    running: bool,
    /// Whether the user is being asked something, which nothing may disturb.
    asking: bool,
    said: Vec<StreamText>,
    /// The size of the terminal that the present frame was made for.
    size: Option<Size>,
}

impl Live {
    /// Live lines on standard output, which is a terminal.
    pub fn on_standard_output() -> Self {
        Self::on(Standard)
    }

    pub(super) fn on(device: impl Device + 'static) -> Self {
        Self(Arc::new(Mutex::new(LiveState {
            terminal: Terminal::new(device),
            bar: None,
            running: false,
            asking: false,
            said: Vec::new(),
            size: None,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, LiveState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Columns of the terminal.
    pub(super) fn columns(&self) -> usize {
        self.inner().terminal.measure().columns
    }

    /// Says something, above the next frame when there will be one.
    pub(super) fn say(&self, said: StreamText) {
        let mut inner = self.inner();
        inner.said.push(said);
        if !inner.running && !inner.asking {
            inner.say_all();
        }
    }

    /// Draws a frame, under everything that was said since the last one.
    pub(super) fn draw(&self, frame: impl FnOnce(Size) -> Vec<String>) {
        let mut inner = self.inner();
        inner.running = true;
        if inner.asking {
            return;
        }
        let size = inner.terminal.measure();
        let lines = frame(size);
        if lines.is_empty() {
            inner.erase();
            inner.say_all();
        } else {
            inner.draw(lines.join("\n"), size);
        }
    }

    /// Erases the lines and says what is left to say.
    pub(super) fn end(&self) {
        let mut inner = self.inner();
        inner.running = false;
        inner.erase();
        if !inner.asking {
            inner.say_all();
        }
    }

    /// Does something that needs the terminal for itself. Nothing is drawn or said meanwhile, and
    /// the run goes on.
    pub(super) fn aside<T>(&self, other: impl FnOnce() -> T) -> T {
        {
            let mut inner = self.inner();
            inner.erase();
            inner.say_all();
            inner.asking = true;
        }
        let result = other();
        let mut inner = self.inner();
        inner.asking = false;
        if !inner.running {
            inner.say_all();
        }
        result
    }
}

impl LiveState {
    fn draw(&mut self, frame: String, size: Size) {
        let resized = self.size.replace(size) != Some(size);
        let bar = self.bar.get_or_insert_with(|| {
            let target = ProgressDrawTarget::term_like(Box::new(self.terminal.clone()));
            let bar = ProgressBar::with_draw_target(None, target);
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar
        });
        if resized || bar.message() != frame {
            bar.set_message(frame);
        }
        if !self.said.is_empty() {
            let said = std::mem::take(&mut self.said);
            bar.suspend(|| said.iter().for_each(|said| self.terminal.say(said)));
        }
        self.terminal.show();
    }

    fn erase(&mut self) {
        if let Some(bar) = self.bar.take() {
            self.terminal.measure();
            bar.finish_and_clear();
        }
        self.terminal.show();
    }

    fn say_all(&mut self) {
        for said in std::mem::take(&mut self.said) {
            self.terminal.say(&said);
        }
        self.terminal.show();
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live")
    }
}
