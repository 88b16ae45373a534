//! The lines of k3s's journal: their frames taken off, and those kept that tell of trouble.

use std::collections::BTreeSet;

use super::flags::instead;
use crate::inventory::Role;

/// How many lines of a journal are shown.
const SHOWN: usize = 20;
/// How long a line is shown at most.
const LONGEST: usize = 300;

/// What k3s says, with the reason, when one of its parts has ended and it ends, too.
const ENDS: &str = "Shutdown request received";

/// What k3s says at every start, also at one that succeeds.
const USUAL: &[&str] = &[
    "but the token does not include a CA hash",
    "Unknown flag --",
    "remote dialer",
    "remotedialer",
];

/// What makes a message matter that k3s itself holds for information.
const TROUBLE: &[&str] = &[
    "waiting",
    "fail",
    "error",
    "refused",
    "reject",
    "denied",
    "not ready",
    "unable",
    "cannot",
    "timed out",
    "timeout",
    "invalid",
    "unauthorized",
    "not found",
    "exit",
];

/// The message of a line in logrus's or klog's form, or the whole line, without the address of an
/// agent's own load balancer, which is no place to look at; cut if it is long.
pub fn message(line: &str) -> String {
    cut(&text(line).1)
}

/// The last lines of a journal that tell of trouble: without what is said at every start, without
/// frames, each once (with how often it was said). If none does, its last line.
pub fn relevant(journal: &str) -> Vec<String> {
    let mut kept: Vec<(String, String, usize)> = Vec::new();
    let mut last = None;
    for line in journal.lines() {
        let (level, text) = text(line);
        if text.trim().is_empty() {
            continue;
        }
        last = Some(cut(&text));
        if !matters(level, &text) {
            continue;
        }
        let likeness = likeness(&text);
        let said = kept.iter().position(|(known, _, _)| *known == likeness);
        let times = said.map_or(0, |index| kept.remove(index).2);
        kept.push((likeness, cut(&text), times + 1));
    }
    // What makes k3s end is followed by the complaints of all of its parts.
    let why = |(_, text, _): &(String, String, usize)| text.starts_with(ENDS);
    if let Some(index) = kept.iter().rposition(why) {
        let why = kept.remove(index);
        kept.push(why);
    }
    if kept.is_empty() {
        return last.into_iter().collect();
    }
    let from = kept.len().saturating_sub(SHOWN);
    let shown = kept.into_iter().skip(from);
    shown
        .map(|(_, text, times)| match times {
            1 => text,
            _ => format!("{text} ({times} times)"),
        })
        .collect()
}

/// What a process ends with that waits for others: a member of etcd for its turn or its quorum, an
/// agent for its server.
const PASSES: &[&str] = &[
    "too many learner",
    "unhealthy cluster",
    "members to finish joining",
    "leaderelection lost",
    "leader changed",
    "no leader",
    "timed out",
    "timeout",
    "deadline exceeded",
    "connection refused",
    "connection reset",
    "no route to host",
    "network is unreachable",
    "not ready",
    "EOF",
];

/// The last words of trouble in the journal of a process that has ended, alike for two that differ
/// in numbers only. `None` where there are none, or where they tell of what passes by itself.
pub fn last_words(journal: &str) -> Option<String> {
    let mut lines = journal.lines().rev().map(text);
    let (_, last) = lines.find(|(level, text)| !text.trim().is_empty() && matters(*level, text))?;
    let passes = PASSES.iter().any(|words| last.contains(words));
    (!passes).then(|| likeness(&last))
}

/// What a server warns with, early after its start, of a key of config.yaml or config.yaml.d that it does
/// not know (k3s 1.36, pkg/configfilearg/parser.go `stripInvalidFlags`). An agent does not start.
pub const SKIPS: &str = " found in config.yaml, skipping";

/// What to tell of lines with [`SKIPS`]: each key once, with what was probably meant.
pub fn skipped(lines: &str) -> Vec<String> {
    let key = |line: &str| {
        let message = text(line).1;
        let (_, rest) = message.split_once("Unknown flag --")?;
        Some(rest.split_once(SKIPS)?.0.to_owned())
    };
    let keys: BTreeSet<String> = lines.lines().filter_map(key).collect();
    let note = |key: String| {
        let meant = instead(&key, Role::Server).map(|meant| format!(" ({meant})"));
        // It goes into a command that the user may copy.
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '.'
            }
        };
        let pattern: String = key.chars().map(plain).collect();
        format!(
            "k3s skips `{key}` of its configuration: it has no such flag{}. On the host, this shows where it stands:\ngrep -rn '{pattern}' /etc/rancher/k3s",
            meant.unwrap_or_default()
        )
    };
    keys.into_iter().map(note).collect()
}

/// Whether etcd's newest word about its leader is that it holds an election, so that too few of its
/// members answer (raft 3.6, node.go and raft.go). One that is alone is elected at once.
pub fn seeks_leader(journal: &str) -> bool {
    let leader = |line: &str| {
        let has_one = line.contains(" elected leader ") || line.contains(" became leader at term ");
        let seeks = line.contains(" is starting a new election at term ");
        (has_one || seeks).then_some(seeks)
    };
    journal.lines().rev().find_map(leader).unwrap_or_default()
}

/// How much a line claims to matter.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LogLevel {
    Chatter,
    Trouble,
    Unsaid,
}

fn matters(level: LogLevel, text: &str) -> bool {
    if USUAL.iter().any(|usual| text.contains(usual)) {
        return false;
    }
    match level {
        LogLevel::Trouble => true,
        // The list of flags that follows a wrong one.
        LogLevel::Unsaid => !text.starts_with("   "),
        LogLevel::Chatter => {
            let text = text.to_lowercase();
            TROUBLE.iter().any(|word| text.contains(word))
        }
    }
}

/// A line's level and message.
fn text(line: &str) -> (LogLevel, String) {
    let (level, text) = if let Some((frame, rest)) = line
        .split_once("msg=")
        .filter(|(frame, _)| frame.contains("level="))
    {
        let is_chatter = ["level=info", "level=debug", "level=trace"]
            .iter()
            .any(|level| frame.contains(level));
        let level = if is_chatter {
            LogLevel::Chatter
        } else {
            LogLevel::Trouble
        };
        (level, quoted(rest))
    } else if let Some((level, rest)) = klog(line) {
        (level, rest.to_owned())
    } else {
        (LogLevel::Unsaid, line.trim_end().to_owned())
    };
    (level, without_own_balancer(&text))
}

/// A value as logrus writes it: in quotes where it needs them.
fn quoted(text: &str) -> String {
    let Some(text) = text.strip_prefix('"') else {
        return text.split(' ').next().unwrap_or_default().to_owned();
    };
    let (mut value, mut characters) = (String::new(), text.chars());
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => match characters.next() {
                Some('n' | 't') => value.push(' '),
                Some(escaped) => value.push(escaped),
                None => {}
            },
            plain => value.push(plain),
        }
    }
    value
}

/// `E1121 04:20:05.123456    1234 file.go:12] message`
fn klog(line: &str) -> Option<(LogLevel, &str)> {
    let (head, rest) = line.split_once("] ")?;
    let (letter, date) = head.split_at_checked(1)?;
    let is_date = date.get(..4)?.bytes().all(|byte| byte.is_ascii_digit());
    let level = match letter {
        "I" | "W" => LogLevel::Chatter,
        "E" | "F" => LogLevel::Trouble,
        _ => return None,
    };
    (is_date && date.contains(".go:")).then_some((level, rest))
}

/// An agent asks its servers through a port of its own, whose address misleads its reader.
fn without_own_balancer(text: &str) -> String {
    let mut text = text.to_owned();
    for (begin, end) in [
        ("Get \"https://127.0.0.1:6444", "\": "),
        ("read tcp 127.0.0.1:", ": "),
    ] {
        if let Some(from) = text.find(begin)
            && let Some(length) = text[from + begin.len()..].find(end)
            && text[from..from + begin.len() + length].contains("127.0.0.1:6444")
        {
            text.replace_range(from..from + begin.len() + length + end.len(), "");
        }
    }
    text
}

/// The same for two lines that differ in numbers only: ports, counters, times.
fn likeness(text: &str) -> String {
    text.split(|c: char| c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("#")
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let mut text: String = text.chars().take(LONGEST).collect();
    text.push('…');
    text
}

#[cfg(test)]
mod tests;
