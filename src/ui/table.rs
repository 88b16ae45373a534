//! Tables: what came of the hosts, and the nodes as they are seen from outside.

use dialoguer::console::truncate_str;

use super::Style;
use super::plan::counted;
use crate::run::event::{HostKeyRow, HostKeyState, MemberRow, NodeRow};
use crate::run::{Outcome, Report};

/// The cells of rows, as wide as the widest of their column: cells that are wider than `widest` stand
/// out. Numbers end at the right.
pub(super) fn padded(
    rows: &[Vec<String>],
    is_number: impl Fn(usize) -> bool,
    widest: usize,
) -> Vec<Vec<String>> {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.filter(|width| *width <= widest).max().unwrap_or(0)
    };
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let cell = |(column, cell): (usize, &String)| match (is_number(column), widths[column]) {
        (true, width) => format!("{cell:>width$}"),
        (false, width) => format!("{cell:<width$}"),
    };
    let rows = rows.iter();
    rows.map(|row| row.iter().enumerate().map(cell).collect())
        .collect()
}

/// How wide rows are in columns.
pub(super) fn width(rows: &[Vec<String>]) -> usize {
    let rows = padded(rows, |_| false, usize::MAX);
    rows.first().map_or(0, |row| row.join("  ").chars().count())
}

/// A line of cells.
pub(super) fn line(cells: &[String]) -> String {
    cells.join("  ").trim_end().to_owned()
}

/// Lays out rows, the first of which are titles; `paint` colours a finished cell, given its title and
/// its text.
pub(super) fn layout(
    rows: &[Vec<String>],
    numbers: &[&str],
    style: Style,
    paint: impl Fn(&str, &str, String) -> String,
) -> String {
    let titles = &rows[0];
    let is_number = |column: usize| numbers.contains(&&*titles[column]);
    let mut lines = Vec::new();
    for (row, mut cells) in rows.iter().zip(padded(rows, is_number, usize::MAX)) {
        if lines.is_empty() {
            lines.push(style.dim(&line(&cells)));
            continue;
        }
        for ((cell, title), text) in cells.iter_mut().zip(titles).zip(row) {
            *cell = paint(title, text, std::mem::take(cell));
        }
        lines.push(line(&cells));
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
    let numbers = ["changed", "connections", "exchanges", "time"];
    let titles = [&["host", "role", "outcome"], &numbers[..]].concat();
    let mut rows = vec![titles.into_iter().map(str::to_owned).collect()];
    rows.extend(report.rows.iter().map(|row| {
        vec![
            row.host.clone(),
            row.role.clone(),
            word(row.outcome).to_owned(),
            row.changed.to_string(),
            row.connections.to_string(),
            row.exchanges.to_string(),
            format!("{:.1} s", row.seconds),
        ]
    }));
    for spare in [5, 4, 1] {
        if columns.is_some_and(|columns| width(&rows) > columns) {
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
    let mut text = format!("\n{}", layout(&rows, &numbers, style, paint));
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
    let hosts = counted(report.rows.len(), "host");
    let bastions = match report.bastion_connections {
        0 => String::new(),
        some => format!("; {} to bastions", counted(some, "connection")),
    };
    text.push_str(&format!(
        "\n\n{hosts}: {}, in {:.1} s{bastions}\n",
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
    let cells = rows.iter();
    let cells = cells.map(|row| vec![row.host.clone(), word(row.outcome).to_owned()]);
    let cells: Vec<_> = cells.collect();
    let room = columns.map_or(usize::MAX, |columns| {
        columns.saturating_sub(width(&cells) + 2)
    });
    let mut text = "\n".to_owned();
    for (row, cells) in rows.iter().zip(padded(&cells, |_| false, usize::MAX)) {
        let why = row.problem.as_ref().and_then(|why| why.what.lines().next());
        let why = why.unwrap_or_default();
        let why = truncate_str(why, room, "…");
        let outcome = match row.outcome {
            Outcome::Cancelled => style.yellow(&cells[1]),
            _ => style.red(&cells[1]),
        };
        text.push_str(&format!("\n{}  {outcome}  {why}", style.cyan(&cells[0])));
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
    let titles = ["node", "status", "roles", "address", "version"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    rows.extend(nodes.iter().map(|node| {
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
    }));
    let table = layout(&rows, &[], style, |title, text, cell| match (title, text) {
        ("status", "Ready") => style.green(&cell),
        ("status", text) if text.starts_with("Ready") => style.yellow(&cell),
        ("status", _) => style.red(&cell),
        _ => cell,
    });
    format!("\n{table}\n")
}

/// The members of etcd, of which some are no nodes.
pub(super) fn members(members: &[MemberRow], style: Style) -> String {
    let titles = ["member of etcd", "status", "address"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    rows.extend(members.iter().map(|member| {
        let name = match member.name.as_str() {
            "" => "not started yet",
            name => name,
        };
        let status = if member.votes { "votes" } else { "learns" };
        [name, status, &member.address].map(str::to_owned).to_vec()
    }));
    let table = layout(&rows, &[], style, |_, _, cell| cell);
    format!("\n{table}\n")
}

/// The keys that hosts show, in whole: they are compared with what a console shows.
pub(super) fn host_keys(keys: &[HostKeyRow], style: Style) -> String {
    let titles = ["host", "address", "state", "type", "fingerprint"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    rows.extend(keys.iter().map(|key| {
        let state = match key.state {
            HostKeyState::Known => "known",
            HostKeyState::Recorded => "recorded",
            HostKeyState::Unknown => "not known",
            HostKeyState::Changed => "CHANGED",
            HostKeyState::Revoked => "REVOKED",
            HostKeyState::Unreached => "not reached",
        };
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            key.host.clone(),
            key.address.clone(),
            state.to_owned(),
            text(&key.key_type),
            text(&key.fingerprint),
        ]
    }));
    let table = layout(&rows, &[], style, |title, text, cell| match (title, text) {
        ("host", _) => style.cyan(&cell),
        ("state", "known" | "recorded") => style.green(&cell),
        ("state", "not known") => style.yellow(&cell),
        ("state", _) => style.red(&cell),
        _ => cell,
    });
    format!("{table}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::report::Row;

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
    fn members_that_are_no_nodes_have_a_table_of_their_own() {
        let member = |name: &str, votes| MemberRow {
            name: name.into(),
            votes,
            address: "10.0.0.1".into(),
        };
        let text = members(
            &[member("m1", true), member("", false)],
            Style { color: false },
        );
        insta::assert_snapshot!(text.trim(), @r"
        member of etcd   status  address
        m1               votes   10.0.0.1
        not started yet  learns  10.0.0.1
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
                bastion_connections: 2,
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

        3 hosts: 1 ok, 1 changed, 1 unreachable, in 41.2 s; 2 connections to bastions
        ");
    }
}
