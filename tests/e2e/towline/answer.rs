//! What a run said, taken apart.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Towline;

/// What a run said and how it ended.
#[derive(Debug)]
pub struct Answer {
    /// Its exit status; none where a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// What was run.
    pub(super) of: Towline,
}

/// A host's line in the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// `unchanged`, `changed`, `failed` and so on.
    pub outcome: String,
    /// Steps that changed something.
    pub changed: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Exchanges on them.
    pub exchanges: u64,
    /// What is said about a failure, its parts in lines; empty where there is none.
    pub problem: String,
}

/// A change, by host and step.
pub type Changes = BTreeMap<(String, String), Vec<String>>;

impl Answer {
    /// Asserts the exit status.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit status");
        self
    }

    /// The events; every line of standard output has to be one.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        let parse = |line: &str| {
            let value: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(value["event"].is_string(), "no event: {line}");
            value
        };
        self.stdout.lines().map(parse).collect()
    }

    /// The report's lines by host.
    #[track_caller]
    pub fn rows(&self) -> BTreeMap<String, Row> {
        let events = self.events();
        let last = events.last().expect("no events at all");
        assert_eq!(last["event"], "finished", "the last event is the report");
        let row = |row: &Value| {
            let number = |key: &str| row[key].as_u64().unwrap();
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            let row_of = Row {
                outcome: text("outcome"),
                changed: number("changed"),
                connections: number("connections"),
                exchanges: number("exchanges"),
                problem: problem(&row["problem"]),
            };
            (text("host"), row_of)
        };
        last["report"]["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(row)
            .collect()
    }

    /// The report's line of one host.
    #[track_caller]
    pub fn row(&self, host: &str) -> Row {
        self.rows()
            .remove(host)
            .unwrap_or_else(|| panic!("no row for {host}"))
    }

    /// Outcomes by host, `m1 changed, m2 unchanged`: short enough to compare with a text.
    #[track_caller]
    pub fn outcomes(&self) -> String {
        let rows = self.rows().into_iter();
        let words: Vec<String> = rows
            .map(|(host, row)| format!("{host} {}", row.outcome))
            .collect();
        words.join(", ")
    }

    /// What a deploy changed.
    #[track_caller]
    pub fn changes(&self) -> Changes {
        let events = self.events().into_iter();
        collect(
            events.filter(|event| event["event"] == "changed"),
            Value::clone,
        )
    }

    /// What a plan says would be changed.
    #[track_caller]
    pub fn planned(&self) -> Changes {
        let events = self.events();
        let plan = events
            .iter()
            .find(|event| event["event"] == "plan")
            .expect("no plan");
        let steps = plan["steps"].as_array().unwrap().iter().cloned();
        collect(steps.filter(|step| step["state"] == "change"), |change| {
            change["what"].clone()
        })
    }

    /// Everything it said about problems and notes, as lines of text.
    pub fn words(&self) -> String {
        let mut words = self.stderr.clone();
        for line in self.stdout.lines() {
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                words.push_str(line);
                words.push('\n');
                continue;
            };
            let problems = event["problems"].as_array().into_iter().flatten();
            let mistakes = event["mistakes"].as_array().into_iter().flatten();
            let parts = [
                problem(&event["problem"]),
                text(&event["text"]),
                text(&event["reason"]),
            ];
            let parts = parts.into_iter().chain(problems.map(problem));
            let of_mistake = |mistake: &Value| {
                format!("{}\n{}", text(&mistake["message"]), text(&mistake["help"]))
            };
            for part in parts.chain(mistakes.map(of_mistake)) {
                words.push_str(&part);
                words.push('\n');
            }
            if event["event"] == "refused" {
                words.push_str("nothing was changed\n");
            }
        }
        words
    }

    /// Asserts that each of these was said.
    #[track_caller]
    pub fn says(&self, wanted: &[&str]) {
        let words = self.words();
        for wanted in wanted {
            assert!(
                words.contains(wanted),
                "{wanted:?} was not said, but:\n{words}"
            );
        }
    }

    /// Asserts that everything was as it should be: nothing changed, and it cost one connection and
    /// two exchanges a host. Hosts outside a limit are only read.
    ///
    /// On a busy machine an API may answer so late that a host is looked at once more; that this
    /// happens to two hosts of one run is no chance any more.
    #[track_caller]
    pub fn changed_nothing(self) -> Self {
        self.left_all_as_it_was();
        let more: BTreeMap<String, u64> = self
            .rows()
            .into_iter()
            .map(|(host, row)| {
                let looks = 2 + self.looks_while_waiting(&host);
                (host, row.exchanges.saturating_sub(looks))
            })
            .filter(|(_, more)| *more > 0)
            .collect();
        assert!(
            more.values().sum::<u64>() <= 1,
            "more than two exchanges: {more:?}"
        );
        self
    }

    /// Asserts that all hosts were fine, that none was changed, and that each had one connection.
    #[track_caller]
    fn left_all_as_it_was(&self) {
        assert_eq!(self.code, Some(0), "exit status");
        for (host, row) in self.rows() {
            let is_so = row.outcome == "unchanged" || row.outcome == "observed";
            assert!(is_so && row.changed == 0, "{host}: {row:?}");
            assert_eq!(row.connections, 1, "{host}: {row:?}");
        }
    }

    /// Asserts that a host on which nothing was to be done was asked no more than that takes: two
    /// exchanges, one for a node whose API was late, and those of the waits that it tells of.
    #[track_caller]
    pub fn asked_little_of(&self, host: &str) {
        let row = self.row(host);
        let most = 3 + self.looks_while_waiting(host);
        assert!(
            row.connections == 1 && row.exchanges <= most,
            "{host}, at most {most} exchanges: {row:?}"
        );
    }

    /// How often a host may have been looked at in the steps of it that only waited: twice a second
    /// at first, every two seconds after 15.
    fn looks_while_waiting(&self, host: &str) -> u64 {
        let waited = self.events().into_iter().filter(|event| {
            let changes = event["changes"].as_array();
            event["event"] == "changed"
                && event["host"] == host
                && changes.is_some_and(Vec::is_empty)
        });
        let looks = waited.map(|event| {
            let seconds = event["seconds"].as_f64().unwrap_or_default();
            let looks = seconds.min(15.0) * 2.0 + (seconds - 15.0).max(0.0) / 2.0;
            (1_u32..10_000)
                .find(|most| f64::from(*most) > looks)
                .unwrap_or(0)
        });
        looks.map(u64::from).sum()
    }
}

/// Steps with their changes; those that only waited are left out.
fn collect(steps: impl Iterator<Item = Value>, what: impl Fn(&Value) -> Value) -> Changes {
    let mut changes = Changes::new();
    for step in steps {
        let texts = step["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| text(&what(change)));
        let texts: Vec<String> = texts.collect();
        if !texts.is_empty() {
            changes
                .entry((text(&step["host"]), text(&step["step"])))
                .or_default()
                .extend(texts);
        }
    }
    changes
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A problem's parts in lines, as they were meant.
fn problem(problem: &Value) -> String {
    let host = problem["host"].as_str();
    let host = host.map_or_else(String::new, |host| format!("{host}: "));
    let list = |part: &str| problem[part].as_array().cloned().unwrap_or_default();
    let mut lines = vec![host + &text(&problem["what"])];
    lines.extend(list("why").iter().map(text));
    let mut words = false;
    for advice in list("next") {
        let is_words = advice["kind"] == "words";
        if words && !is_words {
            lines.last_mut().unwrap().push(':');
        }
        words = is_words;
        lines.push(text(&advice["text"]));
    }
    lines.join("\n")
}
