//! A run on a terminal: what is said scrolls by above, what goes on is seen beneath.

use std::time::Duration;

use super::board::Board;
use super::{Live, Ui, frame};
use crate::run::Event;

/// A run that is watched. It has no clock of its own.
pub(super) struct Watch {
    pub ui: Ui,
    pub live: Live,
    board: Board,
}

impl Watch {
    pub(super) fn new(ui: Ui, live: Live) -> Self {
        Self {
            ui,
            live,
            board: Board::default(),
        }
    }

    /// Takes in an event; it is seen with the next frame.
    pub(super) fn event(&mut self, event: Event, now: Duration) {
        let event = self.ui.safe(event);
        self.board.tell(&event, now);
        self.ui.event(event);
    }

    /// Draws the lines as they are now.
    pub(super) fn draw(&self, now: Duration) {
        let ui = &self.ui;
        self.live
            .draw(|size| frame::lines(&self.board, now, size, ui.style));
    }

    /// Leaves nothing behind but what was said.
    pub(super) fn end(&self) {
        self.live.end();
    }
}
