//! What is shown of what hosts say.

#![expect(
    clippy::missing_panics_doc,
    reason = "it is all that these functions do"
)]

use super::safe;
use crate::problem::{Code, Problem};
use crate::run::event::Event;
use crate::vars::{Redactor, Secret};

/// A secret of the run.
const SECRET: &str = "hunter2hunter2";

/// Any text that a host says.
pub fn terminal(data: &[u8]) {
    let said = String::from_utf8_lossy(data);
    assert_shown_safely(&said);
    let coloured = safe::coloured(&said);
    assert_eq!(safe::text(&coloured), safe::text(&said));

    let redactor = Redactor::default();
    redactor.learn(&Secret::new(SECRET));
    let cleaned = safe::clean(&said, &redactor);
    assert!(!cleaned.contains(SECRET), "{cleaned:?}");
    assert_safe(&cleaned);
    let problem = Problem::new(Code::ANSWER_UNUSABLE, said.clone())
        .because(&said)
        .on_host(said.clone());
    let event = Event::Unreached {
        host: said.clone().into_owned(),
        problem,
    };
    let event = safe::event(event, &redactor);
    let Event::Unreached { host, problem } = event else {
        panic!("it was another event: {event:?}");
    };
    for text in [&host, &problem.what, &problem.why[0], &problem.next[0].text] {
        assert_eq!(*text, cleaned);
    }
}

/// What is left of a text where it is shown is nothing that a terminal obeys, and the same when it is shown
/// again.
pub(crate) fn assert_shown_safely(said: &str) {
    let shown = safe::text(said);
    assert_safe(&shown);
    assert_eq!(safe::text(&shown), shown);
    // Nothing around what is hidden goes along; a colour ends with its letter.
    let is_kept = |letter: &char| *letter == '\n' || letter.is_alphabetic() && *letter != 'm';
    let (before, after) = (said.chars().filter(is_kept), shown.chars().filter(is_kept));
    assert!(before.eq(after), "{said:?}");
}

fn assert_safe(shown: &str) {
    let moves = |letter: char| {
        (letter.is_control() && !matches!(letter, '\n' | '\t'))
            || matches!(u32::from(letter), 0x61c | 0x200e..=0x200f | 0x2028..=0x202e | 0x2066..=0x2069 | 0xe0000..=0xe007f)
    };
    assert!(!shown.contains(moves), "{shown:?}");
}
