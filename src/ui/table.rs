//! Tables: what came of the hosts, and the nodes as they are seen from outside.

use dialoguer::console::truncate_str;

use super::Style;
use crate::run::event::NodeRow;
use crate::run::{Outcome, Report, Row};

/// A column's text is right-aligned when it holds numbers.
struct Column {
    title: &'static str,
    right: bool,
}

const fn left(title: &'static str) -> Column {
    Column {
        title,
        right: false,
    }
}

const fn right(title: &'static str) -> Column {
    Column { title, right: true }
}

/// How wide each column has to be.
fn widths(columns: &[Column], rows: &[Vec<String>]) -> Vec<usize> {
    let width = |index: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(index))
            .map(|cell| cell.chars().count());
        cells
            .chain([columns[index].title.chars().count()])
            .max()
            .unwrap_or(0)
    };
    (0..columns.len()).map(width).collect()
}

/// How wide a table is.
fn width(columns: &[Column], rows: &[Vec<String>]) -> usize {
    let widths = widths(columns, rows);
    widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)
}

/// Lays out rows under their titles; `paint` colours a finished cell, given its column's title.
fn layout(
    columns: &[Column],
    rows: &[Vec<String>],
    style: Style,
    paint: impl Fn(&str, &str, String) -> String,
) -> String {
    let widths = widths(columns, rows);
    let cell = |index: usize, text: &str| {
        let (column, width) = (&columns[index], widths[index]);
        if column.right {
            format!("{text:>width$}")
        } else {
            format!("{text:<width$}")
        }
    };
    let mut lines = vec![
        style.dim(
            columns
                .iter()
                .enumerate()
                .map(|(index, column)| cell(index, column.title))
                .collect::<Vec<_>>()
                .join("  ")
                .trim_end(),
        ),
    ];
    for row in rows {
        let cells = row
            .iter()
            .enumerate()
            .map(|(index, text)| paint(columns[index].title, text, cell(index, text)));
        lines.push(cells.collect::<Vec<_>>().join("  ").trim_end().to_owned());
    }
    lines.join("\n")
}

/// The word for an outcome.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unchanged => "ok",
        Outcome::Changed => "changed",
        Outcome::Observed => "only read",
        Outcome::Cancelled => "cancelled",
        Outcome::Unreachable => "unreachable",
        Outcome::Failed => "failed",
    }
}

/// The table of hosts, the slowest steps and the sum. In a terminal of so many columns it leaves out
/// what matters least when it is too wide.
pub(super) fn report(report: &Report, columns: Option<usize>, style: Style) -> String {
    let mut titles = vec![
        left("host"),
        left("role"),
        left("outcome"),
        right("changed"),
        right("connections"),
        right("exchanges"),
        right("time"),
    ];
    let mut rows: Vec<Vec<String>> = report
        .rows
        .iter()
        .map(|row| {
            vec![
                row.host.clone(),
                row.role.clone(),
                word(row.outcome).to_owned(),
                row.changed.to_string(),
                row.connections.to_string(),
                row.exchanges.to_string(),
                format!("{:.1} s", row.seconds),
            ]
        })
        .collect();
    for spare in [5, 4, 1] {
        if columns.is_some_and(|columns| width(&titles, &rows) > columns) {
            titles.remove(spare);
            for row in &mut rows {
                row.remove(spare);
            }
        }
    }
    let paint = |title: &str, text: &str, cell: String| match (title, text) {
        ("host", _) => style.cyan(&cell),
        ("outcome", "ok" | "changed") => style.green(&cell),
        ("outcome", "failed" | "unreachable") => style.red(&cell),
        ("outcome", "cancelled") => style.yellow(&cell),
        _ => cell,
    };
    let mut text = format!("\n{}", layout(&titles, &rows, style, paint));
    if report.rows.len() > ONE_SCREEN {
        text.push_str(&wrong(report, columns, style));
    }
    if !report.slowest.is_empty() {
        text.push_str(&format!("\n\n{}", slowest(report, columns)));
    }
    let order = [
        Outcome::Unchanged,
        Outcome::Changed,
        Outcome::Observed,
        Outcome::Cancelled,
        Outcome::Unreachable,
        Outcome::Failed,
    ];
    let sum: Vec<_> = order
        .into_iter()
        .map(|outcome| (report.count(outcome), word(outcome)))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let hosts = if report.rows.len() == 1 {
        "1 host".to_owned()
    } else {
        format!("{} hosts", report.rows.len())
    };
    text.push_str(&format!(
        "\n\n{hosts}: {}, in {:.1} s\n",
        sum.join(", "),
        report.seconds
    ));
    text
}

/// Rows that are seen together with the end of the table on a usual terminal.
const ONE_SCREEN: usize = 20;

/// The hosts that went wrong, a line each: among many hosts, their rows are out of sight.
fn wrong(report: &Report, columns: Option<usize>, style: Style) -> String {
    let rows: Vec<_> = report
        .rows
        .iter()
        .filter(|row| row.outcome >= Outcome::Cancelled)
        .collect();
    let widest = |text: fn(&&Row) -> usize| rows.iter().map(text).max().unwrap_or(0);
    let hosts = widest(|row| row.host.chars().count());
    let words = widest(|row| word(row.outcome).chars().count());
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let why = row.problem.as_ref().and_then(|why| why.what.lines().next());
        let why = why.unwrap_or_default();
        let why = why.strip_prefix(&format!("{}: ", row.host)).unwrap_or(why);
        let room = columns.map_or(usize::MAX, |columns| {
            columns.saturating_sub(hosts + words + 4)
        });
        let why = truncate_str(why, room, "…");
        let outcome = format!("{:<words$}", word(row.outcome));
        let outcome = match row.outcome {
            Outcome::Cancelled => style.yellow(&outcome),
            _ => style.red(&outcome),
        };
        let host = style.cyan(&format!("{:<hosts$}", row.host));
        let gap = if number == 0 { "\n\n" } else { "\n" };
        text.push_str(&format!("{gap}{host}  {outcome}  {why}"));
    }
    text
}

/// The slowest steps, in as many lines as it takes.
fn slowest(report: &Report, columns: Option<usize>) -> String {
    let mut lines = vec![String::new()];
    for timing in &report.slowest {
        let item = format!("{} {} {:.1} s", timing.host, timing.step, timing.seconds);
        let line = lines.last_mut().map(std::mem::take).unwrap_or_default();
        let joined = match line.as_str() {
            "" => item.clone(),
            line => format!("{line} · {item}"),
        };
        let fits = columns.is_none_or(|columns| 9 + joined.chars().count() <= columns);
        lines.pop();
        if fits || line.is_empty() {
            lines.push(joined);
        } else {
            lines.extend([line, item]);
        }
    }
    format!("slowest  {}", lines.join("\n         "))
}

/// The nodes as an API request from here shows them.
pub(super) fn nodes(nodes: &[NodeRow], style: Style) -> String {
    let columns = [
        left("node"),
        left("status"),
        left("roles"),
        left("address"),
        left("version"),
    ];
    let rows: Vec<Vec<String>> = nodes
        .iter()
        .map(|node| {
            let status = if node.ready { "Ready" } else { "NotReady" };
            let heard = if node.last_heard {
                ", as last heard"
            } else {
                ""
            };
            vec![
                node.name.clone(),
                format!("{status}{heard}"),
                node.roles.clone(),
                node.internal_ip.clone(),
                node.version.clone(),
            ]
        })
        .collect();
    let table = layout(&columns, &rows, style, |title, text, cell| {
        match (title, text) {
            ("status", "Ready") => style.green(&cell),
            ("status", text) if text.starts_with("Ready") => style.yellow(&cell),
            ("status", _) => style.red(&cell),
            _ => cell,
        }
    });
    format!("\n{table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_whose_host_was_not_reached_is_told_as_last_heard() {
        let row = |name: &str, last_heard| NodeRow {
            name: name.into(),
            ready: true,
            roles: "etcd".into(),
            version: "v1.36.3+k3s1".into(),
            internal_ip: "10.0.0.1".into(),
            last_heard,
        };
        let text = nodes(&[row("m1", false), row("m2", true)], Style { color: false });
        insta::assert_snapshot!(text.trim(), @r"
        node  status                roles  address   version
        m1    Ready                 etcd   10.0.0.1  v1.36.3+k3s1
        m2    Ready, as last heard  etcd   10.0.0.1  v1.36.3+k3s1
        ");
    }

    #[test]
    fn a_report_is_readable_without_colour() {
        let row = |host: &str, outcome, changed, seconds| Row {
            host: host.into(),
            role: "server".into(),
            outcome,
            changed,
            connections: 1,
            exchanges: 2,
            seconds,
            problem: None,
        };
        let slowest = vec![crate::run::report::Timing {
            host: "beta".into(),
            step: "service".into(),
            seconds: 26.14,
        }];
        let rows = vec![
            row("alpha", Outcome::Unchanged, 0, 0.52),
            row("beta", Outcome::Changed, 12, 31.0),
            row("gamma-long", Outcome::Unreachable, 0, 10.0),
        ];
        let text = report(
            &Report {
                rows,
                slowest,
                timeline: Vec::new(),
                seconds: 41.2,
                trouble: false,
            },
            None,
            Style { color: false },
        );
        insta::assert_snapshot!(text.trim_start(), @r"
        host        role    outcome      changed  connections  exchanges    time
        alpha       server  ok                 0            1          2   0.5 s
        beta        server  changed           12            1          2  31.0 s
        gamma-long  server  unreachable        0            1          2  10.0 s

        slowest  beta service 26.1 s

        3 hosts: 1 ok, 1 changed, 1 unreachable, in 41.2 s
        ");
    }
}
