//! A run that is shown again, moment by moment.

use super::*;

pub(super) fn ui(live: Live, color: bool) -> Ui {
    Ui {
        style: Style { color },
        width: 80,
        live: Some(live),
        ..Ui::default()
    }
}

/// Half as often as on the user's terminal, which is enough for what is asked here.
const FRAME: Duration = Duration::from_millis(200);

/// A run that is replayed, with a clock that stands where the test puts it.
pub(super) struct Replay {
    pub events: std::iter::Peekable<std::vec::IntoIter<Timed>>,
    last: f64,
    pub watch: Watch,
    pub screen: Screen,
    /// What is said, without live lines.
    said: Screen,
    pub plain: Ui,
    frame: u32,
}

impl Replay {
    pub fn new(events: Vec<Timed>, columns: u16, rows: u16) -> Self {
        Self::coloured(events, columns, rows, false)
    }

    pub fn coloured(events: Vec<Timed>, columns: u16, rows: u16, color: bool) -> Self {
        let (screen, said) = (Screen::new(columns, rows), Screen::new(columns, rows));
        Self {
            last: events.last().map_or(0.0, |timed| timed.at),
            events: events.into_iter().peekable(),
            watch: Watch::new(ui(Live::on(screen.clone()), color)),
            screen,
            plain: ui(Live::on(said.clone()), color),
            said,
            frame: 0,
        }
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        self.screen.resize(columns, rows);
        self.said.resize(columns, rows);
    }

    /// Something that was not part of the run.
    pub fn happens(&mut self, event: Event) {
        self.tell(event, FRAME * self.frame);
    }

    pub fn tell(&mut self, event: Event, now: Duration) {
        self.plain.event(self.plain.safe(event.clone()));
        self.watch.event(event, now);
    }

    /// Goes on to a moment, frame by frame, and shows what is seen then.
    pub fn at(&mut self, seconds: f64) -> String {
        loop {
            let now = FRAME * self.frame;
            if now.as_secs_f64() > seconds {
                return self.screen.text();
            }
            let is_now = |timed: &Timed| timed.at <= now.as_secs_f64();
            while let Some(timed) = self.events.next_if(is_now) {
                self.tell(timed.event, now);
            }
            self.watch.draw(now);
            self.check();
            self.frame += 1;
        }
    }

    /// What holds in every frame.
    pub fn check(&self) {
        let rows = self.screen.rows();
        let text = || self.screen.text();
        let is_live = |text: &str| text.starts_with(['│', '└']);
        let broken = rows.iter().filter(|row| row.broken && is_live(&row.text));
        assert_eq!(broken.count(), 0, "a line is broken:\n{}", text());
        assert!(!self.screen.is_cursor_hidden());
        // One block at the bottom, and its last line is the summary.
        let seen: Vec<_> = rows.iter().filter(|row| !row.text.is_empty()).collect();
        let live = seen.iter().filter(|row| is_live(&row.text)).count();
        let block = &seen[seen.len() - live..];
        assert!(block.iter().all(|row| is_live(&row.text)), "\n{}", text());
        let wide = block.iter().filter(|row| row.text.chars().count() > 100);
        assert_eq!(wide.count(), 0, "\n{}", text());
        let summaries = block.iter().filter(|row| row.text.starts_with('└')).count();
        assert_eq!(summaries, usize::from(live > 0), "\n{}", text());
    }

    /// The end, where only what was said is left, all of it.
    pub fn end(mut self) -> String {
        self.at(self.last + 1.0);
        self.end_now()
    }

    pub fn end_now(self) -> String {
        self.watch.end();
        self.check();
        let (seen, said) = (self.screen.transcript(), self.said.transcript());
        for (seen, said) in seen.iter().zip(&said) {
            assert_eq!(seen, said);
        }
        assert_eq!(seen.len(), said.len(), "\n{}", self.screen.text());
        self.screen.text()
    }
}
