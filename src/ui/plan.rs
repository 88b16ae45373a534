//! A plan as text: stage by stage, hosts with the same changes together, diffs indented.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Style;
use super::wrap::wrap;
use crate::run::event::{Planned, PlannedState};

/// So many lines of a longer difference are shown.
const SHOWN: usize = 12;

/// The text of a plan; `whole` shows long differences to their end. Of the hosts that are `unknown`
/// nothing is known. In a terminal of so many columns lines end between words.
pub(super) fn text(
    about: &str,
    steps: &[Planned],
    unknown: &[String],
    style: Style,
    whole: bool,
    columns: Option<usize>,
) -> String {
    let mut text = format!("{}\n", style.bold(&wrap(about, 0, columns)));
    let mut stages: Vec<(&str, Vec<(&str, String)>)> = Vec::new();
    for step in steps {
        let hosts = slot(&mut stages, &*step.stage);
        slot(hosts, &*step.host).push_str(&planned(step, style, whole, columns));
    }
    for (stage, hosts) in stages {
        let _ = write!(text, "\n{}\n", style.bold(stage));
        let mut same: Vec<(String, Vec<&str>)> = Vec::new();
        for (host, changes) in hosts {
            slot(&mut same, changes).push(host);
        }
        for (changes, hosts) in same {
            let names = wrap(&hosts.join(", "), 2, columns);
            let _ = write!(text, "  {}\n{changes}", style.cyan(&names));
        }
    }
    let count = |state| {
        let steps = steps.iter().filter(|step| step.state == state);
        steps.map(|step| step.changes.len()).sum::<usize>()
    };
    let (change, failed) = (count(PlannedState::Change), count(PlannedState::Failed));
    let hosts: BTreeSet<_> = steps.iter().map(|step| &step.host).collect();
    let changes = format!(
        "{} on {}",
        counted(change, "change"),
        counted(hosts.len(), "host")
    );
    let sum = match (change, failed) {
        (0, 0) => "nothing to change".to_owned(),
        (_, 0) => changes,
        (_, failed) => format!("{changes}, {failed} that cannot be done"),
    };
    let _ = match unknown {
        [] => writeln!(text, "\n{sum}"),
        unknown => writeln!(
            text,
            "\nnot known of {}; otherwise {sum}",
            unknown.join(", ")
        ),
    };
    text
}

/// The value of a key, in the order in which keys come first.
fn slot<K: PartialEq, V: Default>(list: &mut Vec<(K, V)>, key: K) -> &mut V {
    let known = list.iter().position(|(known, _)| *known == key);
    let place = known.unwrap_or_else(|| {
        list.push((key, V::default()));
        list.len() - 1
    });
    &mut list[place].1
}

/// So many of something, in words.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn planned(step: &Planned, style: Style, whole: bool, columns: Option<usize>) -> String {
    let sign = match step.state {
        PlannedState::Change => style.green("~"),
        PlannedState::Pending => style.yellow("…"),
        PlannedState::Unknown => style.dim("?"),
        PlannedState::Failed => style.red("✗"),
    };
    let mut text = String::new();
    for change in &step.changes {
        let what = change.what.lines().map(|line| wrap(line, 6, columns));
        let what = what.collect::<Vec<_>>().join("\n      ");
        let _ = writeln!(text, "    {sign} {what}");
        // Where a hunk stands says little about a file of a few lines.
        let lines = change.diff.iter().flat_map(|diff| diff.lines());
        let lines: Vec<&str> = lines.filter(|line| !line.starts_with("@@")).collect();
        // A new file that is long is one of towline's own scripts: its beginning tells enough.
        let shown = if whole || lines.len() <= SHOWN + 3 {
            lines.len()
        } else {
            SHOWN
        };
        for line in &lines[..shown] {
            let painted = match line.chars().next() {
                Some('+') => style.green(line),
                Some('-') => style.red(line),
                _ => style.dim(line),
            };
            let _ = writeln!(text, "        {painted}");
        }
        if shown < lines.len() {
            let rest = format!("… {} more lines; plan -v shows them", lines.len() - shown);
            let _ = writeln!(text, "        {}", style.dim(&rest));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::PlannedChange;

    #[test]
    fn every_line_is_counted_and_names_of_many_hosts_stay_whole() {
        let change = |what: &str| PlannedChange {
            what: what.into(),
            diff: None,
        };
        let step = |host: String| Planned {
            stage: "servers: remove k3s".into(),
            host,
            step: "files".into(),
            state: PlannedState::Change,
            problem: None,
            changes: vec![
                change("remove /usr/local/bin/k3s"),
                change("remove /run/k3s"),
            ],
        };
        let steps: Vec<_> = (1..=6)
            .map(|number| step(format!("server{number}")))
            .collect();
        let told = text(
            "home: k3s is removed",
            &steps,
            &[],
            Style { color: false },
            false,
            Some(30),
        );
        insta::assert_snapshot!(told, @r"
        home: k3s is removed

        servers: remove k3s
          server1, server2, server3,
          server4, server5, server6
            ~ remove
              /usr/local/bin/k3s
            ~ remove /run/k3s

        12 changes on 6 hosts
        ");
    }
}
