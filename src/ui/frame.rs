//! The live lines at a moment: one for every busy host, and a summary. Pure.

use std::time::Duration;

use dialoguer::console::{measure_text_width, truncate_str};

use super::Style;
use super::board::{Board, Interruption};
use super::plan::counted;
use super::terminal::Size;
use crate::run::Outcome;

/// In wider lines the eye no longer finds the time that belongs to a text: in a terminal of 200 columns,
/// too, the times stand here, beside what the run has said at the left.
const WIDEST: usize = 100;

/// So many rows are left to what has been said, where there is room.
const LOG: usize = 4;

/// The lines, none of them blank, wider than the terminal, or more than it has rows.
pub(super) fn lines(board: &Board, now: Duration, size: Size, style: Style) -> Vec<String> {
    if board.title.is_empty() {
        return Vec::new();
    }
    // The last column stays free: terminals differ in what they do after it.
    let width = size.columns.saturating_sub(1).clamp(1, WIDEST);
    let rows = match size.rows.saturating_sub(LOG) {
        rows @ 4.. => rows,
        _ => size.rows.saturating_sub(1).max(1),
    };
    let ending = match board.ending {
        Interruption::No => None,
        Interruption::Finish => {
            Some("finishing the running steps; press Ctrl-C again to disconnect now")
        }
        Interruption::Drop => Some("dropping the connections"),
    };
    let busy: Vec<_> = board.busy().collect();
    let room = rows.saturating_sub(1 + usize::from(ending.is_some()));
    // The line that counts the others takes the place of one of them.
    let shown = match busy.len() {
        all if all <= room => all,
        _ => room.saturating_sub(1),
    };
    let hosts: Vec<_> = busy[..shown]
        .iter()
        .map(|(name, busy)| {
            // In front, where a narrow terminal cuts nothing off.
            let text = match &busy.progress {
                Some(progress) => plain(&format!("{progress}: {}", busy.text)),
                None => plain(&busy.text),
            };
            (plain(name), text, time(now.saturating_sub(busy.since)))
        })
        .collect();
    let names = hosts.iter().map(|(name, ..)| measure_text_width(name));
    let name_width = names.max().unwrap_or(0).clamp(8, (width / 3).max(8));
    // The same for every text, so that the times stand still.
    let time_width = 9.min(width / 4);
    let text_width = width.saturating_sub(2 + name_width + 2 + 2 + time_width);
    // What stands between the mark and the time.
    let whole = name_width + 2 + text_width;
    let line = |mark: &str, text: &str, time: &str| {
        let time = style.dim(&format!("{time:>time_width$}"));
        format!("{} {text}  {time}", style.dim(mark))
    };

    let mut lines: Vec<String> = hosts
        .iter()
        .map(|(name, text, time)| {
            let name = style.cyan(&fit(name, name_width));
            line("│", &format!("{name}  {}", fit(text, text_width)), time)
        })
        .collect();
    if shown < busy.len() && room > 0 {
        let rest = counted(busy.len() - shown, "more host");
        lines.push(style.dim(&format!("│ … and {rest}")));
    }
    if let Some(ending) = ending.filter(|_| rows > 1) {
        let text = truncate_str(ending, width.saturating_sub(2), "…").into_owned();
        lines.push(format!("{} {}", style.dim("│"), style.yellow(&text)));
    }
    lines.push(line("└", &fit(&summary(board, style), whole), &time(now)));
    // Nothing is left of the columns in a terminal of a few; what remains is cut.
    lines
        .iter()
        .map(|line| truncate_str(line, width, "…").into_owned())
        .collect()
}

/// Where the run stands: `joining servers 2/5 · 3 ok · 40 changed · 17 busy · 1 failed`.
fn summary(board: &Board, style: Style) -> String {
    let mut parts = vec![style.bold(&plain(&board.title))];
    if let Some((done, of)) = board.progress {
        parts[0].push_str(&format!(" {done}/{of}"));
    }
    let through = |outcome| board.count(outcome);
    let plainly: fn(Style, &str) -> String = |_, text| text.to_owned();
    for (count, word, paint) in [
        (through(Outcome::Unchanged), "ok", plainly),
        (through(Outcome::Changed), "changed", Style::green),
        (board.busy().count(), "busy", plainly),
        (through(Outcome::Cancelled), "cancelled", Style::yellow),
        (through(Outcome::Failed), "failed", Style::red),
    ] {
        if count > 0 {
            parts.push(paint(style, &format!("{count} {word}")));
        }
    }
    parts.join(" · ")
}

/// A text in exactly so many columns.
fn fit(text: &str, width: usize) -> String {
    let cut = truncate_str(text, width, "…");
    let blanks = width.saturating_sub(measure_text_width(&cut));
    format!("{cut}{}", " ".repeat(blanks))
}

/// A text of one line: the control characters of several would move the cursor.
fn plain(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `12 s`, `3 m 05 s`, `1 h 02 m`.
fn time(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60),
    }
}
