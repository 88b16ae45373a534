//! A terminal that is looked at instead of the user's.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::ui::terminal::{Device, Size, Stream};

/// A terminal that lays its lines out anew when it is resized, as most do today.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<vt100::Parser>>);

/// A row, and whether the terminal broke its line there.
pub struct Row {
    pub text: String,
    pub broken: bool,
}

/// Letters of a row that look the same.
pub struct Span {
    pub column: u16,
    pub class: &'static str,
    pub text: String,
}

impl Screen {
    pub fn new(columns: u16, rows: u16) -> Self {
        Self(Arc::new(Mutex::new(parser(columns, rows))))
    }

    fn parser(&self) -> MutexGuard<'_, vt100::Parser> {
        self.0.lock().expect("a screen")
    }

    fn take(&self, text: &str) {
        // What the terminal driver does with the end of a line.
        let text = text.replace('\n', "\r\n");
        self.parser().process(text.as_bytes());
    }

    /// What is seen now.
    pub fn rows(&self) -> Vec<Row> {
        seen(self.parser().screen())
    }

    /// What is seen now, as text.
    pub fn text(&self) -> String {
        let rows: Vec<String> = self.rows().into_iter().map(|row| row.text).collect();
        rows.join("\n").trim_end().to_owned()
    }

    /// The rows that are seen now, in pieces of one colour.
    pub fn spans(&self) -> Vec<Vec<Span>> {
        let parser = self.parser();
        let screen = parser.screen();
        let (rows, columns) = screen.size();
        let row = |row| {
            let mut spans: Vec<Span> = Vec::new();
            for column in 0..columns {
                let Some(cell) = screen.cell(row, column) else {
                    continue;
                };
                let class = match cell.fgcolor() {
                    vt100::Color::Idx(1) => "red",
                    vt100::Color::Idx(2) => "green",
                    vt100::Color::Idx(3) => "yellow",
                    vt100::Color::Idx(6) => "cyan",
                    _ if cell.bold() => "bold",
                    _ if cell.dim() => "dim",
                    _ => "",
                };
                let letter = match cell.contents() {
                    "" => " ",
                    letter => letter,
                };
                // What is empty is no piece: drawings lose spaces that follow on each other.
                match spans.last_mut() {
                    Some(last) if last.class == class && !last.text.ends_with("  ") => {
                        last.text.push_str(letter);
                    }
                    _ if letter == " " => {}
                    _ => spans.push(Span {
                        column,
                        class,
                        text: letter.to_owned(),
                    }),
                }
            }
            for span in &mut spans {
                span.text.truncate(span.text.trim_end().len());
            }
            spans
        };
        (0..rows).map(row).collect()
    }

    pub fn is_cursor_hidden(&self) -> bool {
        self.parser().screen().hide_cursor()
    }

    /// All lines that were ever scrolled away or are still seen, as they were written.
    pub fn transcript(&self) -> Vec<String> {
        let mut parser = self.parser();
        let screen = parser.screen_mut();
        let (_, columns) = screen.size();
        screen.set_scrollback(usize::MAX);
        let mut rows = Vec::new();
        for above in (1..=screen.scrollback()).rev() {
            screen.set_scrollback(above);
            rows.push(Row {
                text: screen.rows(0, columns).next().unwrap_or_default(),
                broken: screen.row_wrapped(0),
            });
        }
        screen.set_scrollback(0);
        rows.extend(seen(screen));
        let mut lines = Vec::new();
        let mut line = String::new();
        for row in rows {
            line.push_str(&row.text);
            if !row.broken {
                lines.push(std::mem::take(&mut line).trim_end().to_owned());
            }
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let (_, column) = self.parser().screen().cursor_position();
        let end = if column == 0 { "\n" } else { "" };
        let lines = self.transcript();
        *self.parser() = parser(columns, rows);
        self.take(&format!("{}{end}", lines.join("\n")));
    }
}

fn parser(columns: u16, rows: u16) -> vt100::Parser {
    vt100::Parser::new(rows, columns, 100_000)
}

fn seen(screen: &vt100::Screen) -> Vec<Row> {
    let (_, columns) = screen.size();
    let rows = screen.rows(0, columns).zip(0..);
    rows.map(|(text, row)| Row {
        text,
        broken: screen.row_wrapped(row),
    })
    .collect()
}

impl Device for Screen {
    fn size(&self) -> Size {
        let (rows, columns) = self.parser().screen().size();
        Size {
            columns: columns.into(),
            rows: rows.into(),
        }
    }

    fn write(&mut self, _: Stream, text: &str) {
        self.take(text);
    }
}
