//! The lines of a journal: their frames taken off, and those kept that tell of trouble.

/// How many lines of a journal are shown.
const SHOWN: usize = 20;
/// How long a line is shown at most.
const LONGEST: usize = 300;

/// What is particular to a distribution's journal.
pub struct Words {
    /// What it says at every start, also at one that succeeds.
    pub usual: &'static [&'static str],
    /// What it says, with the reason, when one of its parts has ended and it ends, too.
    pub ends: &'static str,
    /// What a process ends with that waits for others.
    pub passes: &'static [&'static str],
    /// The address of an agent's own balancer, which misleads its reader.
    pub balancer: &'static str,
}

/// What makes a message matter that is logged for information.
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

impl Words {
    /// The message of a line in logrus's or klog's form, or the whole line, without the address of an
    /// agent's own load balancer, which is no place to look at; cut if it is long.
    pub fn message(&self, line: &str) -> String {
        cut(&self.text(line).1)
    }

    /// The last lines of a journal that tell of trouble: without what is said at every start, without
    /// frames, each once (with how often it was said). If none does, its last line.
    pub fn relevant(&self, journal: &str) -> Vec<String> {
        let mut kept: Vec<(String, String, usize)> = Vec::new();
        let mut last = None;
        for line in journal.lines() {
            let (level, text) = self.text(line);
            if text.trim().is_empty() {
                continue;
            }
            last = Some(cut(&text));
            if !self.matters(level, &text) {
                continue;
            }
            let likeness = likeness(&text);
            let said = kept.iter().position(|(known, _, _)| *known == likeness);
            let times = said.map_or(0, |index| kept.remove(index).2);
            kept.push((likeness, cut(&text), times + 1));
        }
        // What makes it end is followed by the complaints of all of its parts.
        let why = |(_, text, _): &(String, String, usize)| text.starts_with(self.ends);
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

    /// The last words of trouble in the journal of a process that has ended, alike for two that differ
    /// in numbers only. `None` where there are none, or where they tell of what passes by itself.
    pub fn last_words(&self, journal: &str) -> Option<String> {
        let mut lines = journal.lines().rev().map(|line| self.text(line));
        let (_, last) =
            lines.find(|(level, text)| !text.trim().is_empty() && self.matters(*level, text))?;
        let passes = self.passes.iter().any(|words| last.contains(words));
        (!passes).then(|| likeness(&last))
    }

    fn matters(&self, level: LogLevel, text: &str) -> bool {
        if self.usual.iter().any(|usual| text.contains(usual)) {
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
    fn text(&self, line: &str) -> (LogLevel, String) {
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
        (level, self.without_own_balancer(&text))
    }

    /// An agent asks its servers through a port of its own, whose address misleads its reader.
    fn without_own_balancer(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (begin, end) in [
            (&*format!("Get \"https://{}", self.balancer), "\": "),
            ("read tcp 127.0.0.1:", ": "),
        ] {
            if let Some(from) = text.find(begin)
                && let Some(length) = text[from + begin.len()..].find(end)
                && text[from..from + begin.len() + length].contains(self.balancer)
            {
                text.replace_range(from..from + begin.len() + length + end.len(), "");
            }
        }
        text
    }
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
