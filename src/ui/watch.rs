//! A run that is told: what is said scrolls by, and what goes on is seen beneath where there is a
//! terminal for it.

use std::time::Duration;

use super::board::Board;
use super::{Format, Ui, frame};
use crate::run::Event;

/// A run that is watched. It has no clock of its own.
pub(super) struct Watch {
    pub ui: Ui,
    board: Board,
}

impl Watch {
    pub(super) fn new(ui: Ui) -> Self {
        Self {
            ui,
            board: Board::default(),
        }
    }

    /// Takes in an event; what goes on is seen with the next frame.
    pub(super) fn event(&mut self, event: Event, now: Duration) {
        let event = self.ui.safe(event);
        self.board.tell(&event, now);
        self.ui.event(event);
    }

    /// Draws the live lines as they are now; without them, says which steps take long.
    pub(super) fn draw(&mut self, now: Duration) {
        let ui = &self.ui;
        if let Some(live) = &ui.live {
            live.draw(|size| frame::lines(&self.board, now, size, ui.style));
        } else if ui.format == Format::Plain {
            for (host, text) in self.board.slow(now) {
                let text = ui.style.dim(&format!("… {text}"));
                ui.line_of_stage(&format!("{}  {text}", ui.host(&host)));
            }
        }
    }

    /// Leaves nothing behind but what was said.
    pub(super) fn end(&self) {
        if let Some(live) = &self.ui.live {
            live.end();
        }
    }
}
