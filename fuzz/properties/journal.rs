//! What a unit said before it ended.

use super::assert_typed;
use crate::distribution;
use crate::problem::AdviceKind;
use crate::ui::properties::assert_shown_safely;

/// The lines of a journal.
pub fn journal(data: &[u8]) {
    let said = String::from_utf8_lossy(data);
    for distribution in distribution::ALL {
        let journal = &distribution.journal;
        let relevant = (journal.relevant)(&said);
        assert!(relevant.len() <= 20);
        for line in &relevant {
            // With a mark where it was cut, and how often it was said.
            assert!(
                line.chars().count() <= 300 + 1 + " (1234567 times)".len(),
                "{line:?}"
            );
            assert!(!line.contains('\n'), "{line:?}");
        }
        if let Some(words) = (journal.last_words)(&said) {
            assert!(!relevant.is_empty() && !words.chars().any(|letter| letter.is_ascii_digit()));
        }
        if let Some(problem) = (journal.cause)(&said, "m1") {
            assert!(
                problem.why.iter().all(|why| why.chars().count() < 400),
                "{problem:?}"
            );
            for advice in &problem.next {
                if matches!(advice.kind, AdviceKind::Command | AdviceKind::CommandOnHost) {
                    assert_typed(&advice.text);
                    // No quote of it is ended by what the journal says.
                    assert!(shlex::split(&advice.text).is_some(), "{advice:?}");
                }
            }
            assert_shown_safely(&problem.to_string());
        }
        if let Some((_, notes)) = journal.warning {
            for note in notes(&said) {
                let (_, command) = note.rsplit_once(":\n").expect("a command");
                assert_typed(command);
                let words = shlex::split(command).expect("words");
                assert_eq!(words.len(), 4, "{note:?}");
                assert!(command.starts_with("grep -rn '"), "{note:?}");
            }
        }
        let _seeks = (journal.seeks_leader)(&said);
    }
}
