//! When which host was busy, as bars: what a run spent its time on.

use super::{Style, table};
use crate::run::{Report, report::Turn};

/// The narrowest bars that still tell something.
const NARROWEST: usize = 10;

/// The text, with bars as wide as the columns allow.
pub(super) fn text(report: &Report, columns: usize, style: Style) -> String {
    let mut rows = vec![["host", "stage", "time"].map(str::to_owned).to_vec()];
    let mut last = "";
    for turn in &report.timeline {
        let host = if turn.host == last { "" } else { &turn.host };
        last = &turn.host;
        rows.push(vec![
            host.to_owned(),
            turn.stage.clone(),
            seconds(turn.seconds),
        ]);
    }
    // The last column stays free: some terminals break a line that fills it.
    let around = table::width(&rows) + 3;
    let cells = columns.saturating_sub(around).max(NARROWEST);
    let ends = format!("{:>1$}", seconds(report.seconds), cells.saturating_sub(3));
    rows[0].insert(2, format!("0 s{ends}"));
    for (row, turn) in rows.iter_mut().skip(1).zip(&report.timeline) {
        row.insert(2, bar(turn, report.seconds, cells));
    }
    let mut lines = vec![String::new()];
    for mut cells in table::padded(&rows, |column| column == 3, usize::MAX) {
        lines.push(if lines.len() == 1 {
            style.dim(&table::line(&cells))
        } else {
            cells[0] = style.cyan(&cells[0]);
            table::line(&cells)
        });
    }
    lines.join("\n")
}

/// A turn's place in the whole time. A short one is still seen.
fn bar(turn: &Turn, whole: f64, cells: usize) -> String {
    let place = |moment: f64| {
        let share = if whole > 0.0 { moment / whole } else { 0.0 };
        cell(share.clamp(0.0, 1.0) * cells as f64, cells)
    };
    let begin = place(turn.begun).min(cells.saturating_sub(1));
    let end = place(turn.begun + turn.seconds).max(begin + 1);
    let (before, after) = (" ".repeat(begin), " ".repeat(cells.saturating_sub(end)));
    format!("{before}{}{after}", "━".repeat(end - begin))
}

/// The nearest cell; a float has no other way to a count.
fn cell(place: f64, cells: usize) -> usize {
    (0..=cells)
        .find(|cell| place < *cell as f64 + 0.5)
        .unwrap_or(cells)
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_shows_who_waited_for_whom() {
        let turn = |host: &str, stage: &str, begun: f64, seconds: f64| Turn {
            host: host.into(),
            stage: stage.into(),
            begun,
            seconds,
            steps: Vec::new(),
        };
        let report = Report {
            rows: Vec::new(),
            slowest: Vec::new(),
            timeline: vec![
                turn("alpha", "connection", 0.0, 0.412),
                turn("alpha", "operating system", 1.2, 3.0),
                turn("alpha", "k3s files", 4.3, 6.0),
                turn("alpha", "first server", 10.4, 20.0),
                turn("beta", "connection", 0.0, 0.5),
                turn("beta", "operating system", 1.2, 2.1),
                turn("beta", "k3s files", 4.3, 5.5),
                turn("beta", "agents", 31.0, 10.1),
                turn("gamma-long", "connection", 0.0, 10.0),
            ],
            bastion_connections: 0,
            seconds: 41.2,
            trouble: false,
        };
        let style = Style { color: false };
        insta::assert_snapshot!("timeline-80", text(&report, 80, style));
        insta::assert_snapshot!("timeline-120", text(&report, 120, style));
        for columns in [0, 20, 60, 80, 300] {
            let text = text(&report, columns, style);
            let widths = text.lines().skip(1).map(|line| line.chars().count());
            let widest = widths.max().unwrap_or(0);
            assert!(widest < columns.max(60), "{columns} columns: {text}");
        }
        let nothing = Report {
            timeline: vec![turn("alpha", "connection", 0.0, 0.0)],
            seconds: 0.0,
            ..report
        };
        assert!(text(&nothing, 80, style).contains("0.0 s"));
    }
}
