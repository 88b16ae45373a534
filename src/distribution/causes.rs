//! What a distribution says when it cannot start or join, what that means, and what to do about it.

use super::journal::Words;
use crate::problem::{Code, Problem};

/// A line of a journal and its meaning.
///
/// In `means` and `remedy`, `{value}` is what the journal tells of this very case, `{host}` and
/// `{port}` are its parts where it is an address, `{pattern}` is it for `grep -E`, and `{node}` is
/// the node's name.
pub struct Cause {
    /// Its code.
    pub code: Code,
    /// All of these stand in the line.
    pub words: &'static [&'static str],
    /// Where the journal tells what this case is about.
    pub value: Value,
    /// What it means.
    pub means: &'static str,
    /// What to do; a command for a host stands below the words for it.
    pub remedy: &'static [&'static str],
}

/// What of a case is particular to it.
pub enum Value {
    /// Nothing.
    None,
    /// The text between these two in the line; of several, the first that is there.
    Between(&'static [(&'static str, &'static str)], &'static str),
    /// What the whole journal tells.
    Told(fn(journal: &str) -> String),
}

/// The cause that the newest line of a journal of `name` tells, if one does. `node` is the node's name.
pub fn diagnose(
    (name, words, causes): (&str, &Words, &[Cause]),
    journal: &str,
    node: &str,
) -> Option<Problem> {
    journal.lines().rev().find_map(|line| {
        let cause = causes
            .iter()
            .find(|cause| cause.words.iter().all(|word| line.contains(word)))?;
        let message = words.message(line);
        let value = cause.value.find(journal, &message);
        // A server's own API that is not up yet, or an agent's load balancer: no server is named.
        if value.starts_with("127.0.0.1:") {
            return None;
        }
        let fill = |text: &str| filled(text, &value, node);
        let problem =
            Problem::new(cause.code, fill(cause.means)).because(format!("{name} says: {message}"));
        let remedies = cause.remedy.iter().map(|remedy| fill(remedy));
        Some(
            remedies.fold(problem, |problem, remedy| match remedy.split_once(":\n") {
                Some((words, command)) => problem.next(words).on_host(command),
                None => problem.next(remedy),
            }),
        )
    })
}

fn filled(text: &str, value: &str, node: &str) -> String {
    let (host, port) = value.rsplit_once(':').unwrap_or((value, ""));
    text.replace("{value}", value)
        .replace("{host}", host.trim_matches(['[', ']']))
        .replace("{port}", port)
        .replace("{pattern}", &value.replace(", ", "|"))
        .replace("{node}", node)
}

impl Value {
    fn find(&self, journal: &str, said: &str) -> String {
        match self {
            Self::None => String::new(),
            Self::Between(places, otherwise) => {
                let found = places.iter().find_map(|(after, before)| {
                    let (_, rest) = said.split_once(after)?;
                    let value = rest.split(before).next().unwrap_or(rest);
                    // What stands in a journal goes into a command that the user may copy.
                    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:[]*/".contains(c);
                    (!value.is_empty() && value.chars().all(is_plain)).then(|| value.to_owned())
                });
                found.unwrap_or_else(|| (*otherwise).to_owned())
            }
            Self::Told(find) => find(journal),
        }
    }
}
