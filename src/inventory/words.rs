//! Words for sentences: the one that was probably meant, and lists of several.

use std::fmt::Write;

/// A word without what people spell differently.
pub(super) fn plain(word: &str) -> String {
    word.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// The word of a list that is most like this one, if any is.
pub fn similar<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = plain(word);
    words
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&wanted, &plain(candidate)),
                candidate,
            )
        })
        .filter(|(distance, candidate)| {
            *distance <= 1.max(candidate.len().min(word.len()) / 3)
                && *distance < candidate.len().max(2)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `write a, b or c`, or the one that was probably meant.
pub(super) fn one_of(word: &str, words: &[&str]) -> String {
    similar(word, words.iter().copied()).map_or_else(
        || format!("write {}", or(words)),
        |meant| format!("did you mean `{meant}`?"),
    )
}

/// `a`, `b` or `c`.
pub(super) fn or(words: &[&str]) -> String {
    listed(words, "or")
}

/// `a`, `b` and `c`.
pub(super) fn listed(words: &[&str], last: &str) -> String {
    let mut out = String::new();
    for (index, word) in words.iter().enumerate() {
        let before = match index {
            0 => "",
            _ if index + 1 == words.len() => &format!(" {last} "),
            _ => ", ",
        };
        let _ = write!(out, "{before}`{word}`");
    }
    out
}
