//! Secrets in a text of any form: YAML, a systemd unit, variables, a script, JSON. Where the form
//! is not clear, rather too much is masked than too little.

use std::collections::BTreeSet;
use std::ops::Range;

use super::names::names_a_secret;
use super::{LATER, MASK};

/// A part of a text that must not be shown. It never spans lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// Where it is.
    pub range: Range<usize>,
    /// The key whose value it belongs to; empty for the user of an address.
    key: String,
}

mod objects;

/// The text with every secret replaced by [`MASK`]; lines keep their numbers.
pub fn masked(text: &str) -> String {
    without(text, holes(text).into_iter().map(|hole| hole.range))
}

/// Two versions of a text, masked so that they differ where a secret does.
pub fn masked_pair(old: &str, new: &str) -> (String, String) {
    let before = holes(old);
    let keys: BTreeSet<&str> = before.iter().map(|hole| &*hole.key).collect();
    let values: BTreeSet<&str> = before.iter().map(|hole| &old[hole.range.clone()]).collect();
    let mark = |hole: Hole| {
        let is_changed = keys.contains(&*hole.key) && !values.contains(&new[hole.range.clone()]);
        let mark = if is_changed { CHANGED } else { MASK };
        (hole.range, mark)
    };
    (masked(old), replaced(new, holes(new).into_iter().map(mark)))
}

/// What stands for a secret that is another one than before.
const CHANGED: &str = "*** (changed)";

/// What must not be shown of a text, in order and without overlap. The name of a key says whether its
/// value is a secret.
pub fn holes(text: &str) -> Vec<Hole> {
    let mut holes: Vec<Hole> = Vec::new();
    let mut open = Open::No;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let indentation = content.len() - content.trim_start().len();
        let at = |range: Range<usize>| start + range.start..start + range.end;
        if content.is_empty() && matches!(open, Open::Deeper { .. }) {
            // A blank line ends no value that is indented.
        } else if open.covers(content, indentation) {
            if indentation < content.len() {
                let key = holes.last().map(|hole| hole.key.clone());
                holes.push(Hole {
                    range: at(indentation..content.len()),
                    key: key.unwrap_or_default(),
                });
            }
        } else if let Some(found) = secret_in(content) {
            open = found.open;
            holes.extend((found.start < content.len()).then(|| Hole {
                range: at(found.start..content.len()),
                key: found.key,
            }));
        }
        start += line.len();
    }
    holes.extend(users(text).into_iter().map(|range| Hole {
        range,
        key: String::new(),
    }));
    holes.extend(objects::secrets(text));
    holes.sort_by_key(|hole| (hole.range.start, std::cmp::Reverse(hole.range.end)));
    // The list is in order, so that the one before is the one that overlaps.
    holes.dedup_by(|hole, before| {
        let overlaps = hole.range.start < before.range.end;
        if overlaps {
            before.range.end = before.range.end.max(hole.range.end);
        }
        overlaps
    });
    holes
}

/// How a value goes on behind its line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Open {
    No,
    /// In the next line, whatever it is: the value of a flag, or of a key within braces.
    Next,
    /// In lines that begin behind this column; of an empty value also in items that begin at it.
    Deeper {
        column: usize,
        items: bool,
    },
    /// To this quote.
    Quoted(char),
    /// To the end of so many brackets.
    Within(usize),
    /// To the end of a private key.
    Key,
}

impl Open {
    /// Whether a line belongs to the value; closes it where it ends.
    fn covers(&mut self, line: &str, indentation: usize) -> bool {
        let text = line.trim();
        match self {
            Self::No => return false,
            Self::Next => *self = Self::No,
            Self::Deeper { column, items } => {
                let is_item = *items && indentation == *column && text.starts_with('-');
                if indentation <= *column && !is_item {
                    *self = Self::No;
                    return false;
                }
            }
            Self::Quoted(quote) => {
                if closes(text, *quote) {
                    *self = Self::No;
                }
            }
            Self::Within(depth) => {
                *depth = brackets(text, *depth);
                if *depth == 0 {
                    *self = Self::No;
                }
            }
            Self::Key => {
                if text.contains("-----END ") {
                    *self = Self::No;
                }
            }
        }
        true
    }
}

/// The first secret of a line.
struct SecretStart {
    key: String,
    /// From here on nothing of the line is shown.
    start: usize,
    open: Open,
}

fn secret_in(line: &str) -> Option<SecretStart> {
    if let Some(at) = line.find("-----BEGIN ")
        && line.contains("PRIVATE KEY-----")
    {
        return Some(SecretStart {
            key: "private key".into(),
            start: at,
            open: Open::Key,
        });
    }
    // What runs a node takes its token behind `-t`, too.
    let is_node = [" server ", " agent "]
        .iter()
        .any(|role| line.contains(role));
    let mut from = 0;
    while let Some((start, end)) = word(line, from) {
        from = end;
        let name = &line[start..end];
        if !(names_a_secret(name) || is_node && name == "-t") {
            continue;
        }
        let rest = line[end..].trim_start_matches(['"', '\'', '+']);
        let sign = rest.trim_start();
        let (value, open) = if let Some(value) = sign.strip_prefix(':') {
            if value.starts_with("//") {
                continue;
            }
            let before = &line[..start];
            let column = before.trim_end_matches(['"', '\'']).len();
            let text = value.trim();
            let is_empty = text.is_empty();
            let open = match unclosed(text) {
                Some(open) => open,
                None if is_empty && before.contains('{') => Open::Next,
                None => Open::Deeper {
                    column,
                    items: is_empty,
                },
            };
            (value, open)
        } else if let Some(value) = sign.strip_prefix('=') {
            (value, unclosed(value.trim()).unwrap_or(Open::No))
        } else if name.starts_with('-')
            && name.len() > 1
            && (rest.is_empty() || rest.starts_with([' ', '\t', '\\']))
        {
            let value = rest.trim_matches(['\'', '"', '\\', ' ', '\t']);
            if value.is_empty() {
                return Some(SecretStart {
                    key: name.into(),
                    start: line.len(),
                    open: Open::Next,
                });
            }
            (rest, Open::No)
        } else {
            continue;
        };
        let is_plain = is_no_secret(value);
        if is_plain && !(value.trim().is_empty() && open != Open::No) {
            continue;
        }
        return Some(SecretStart {
            key: name.into(),
            start: line.len() - value.trim_start().len(),
            open,
        });
    }
    packed(line).map(|start| SecretStart {
        key: String::new(),
        start,
        open: Open::No,
    })
}

/// Where something begins that is gzipped and in base64, as a file may hold a token with no key before it.
fn packed(line: &str) -> Option<usize> {
    let is_long = |at: &usize| {
        let letters = line[*at..].bytes();
        let letters =
            letters.take_while(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte));
        letters.count() >= 40
    };
    line.find("H4sI").filter(is_long)
}

/// The next word of letters, digits, dashes, dots and underscores.
fn word(line: &str, from: usize) -> Option<(usize, usize)> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let start = from + line.get(from..)?.find(is_part)?;
    let length = line[start..].find(|letter| !is_part(letter));
    Some((start, length.map_or(line.len(), |length| start + length)))
}

/// What a value that is quoted or in brackets needs to end, unless it ends in its line.
fn unclosed(value: &str) -> Option<Open> {
    let first = value.chars().next()?;
    match first {
        '"' | '\'' => (!closes(&value[1..], first)).then_some(Open::Quoted(first)),
        '[' | '{' => match brackets(value, 0) {
            0 => None,
            depth => Some(Open::Within(depth)),
        },
        _ => None,
    }
}

/// Whether a quote ends here. In double quotes a backslash takes the meaning of what follows it.
fn closes(text: &str, quote: char) -> bool {
    let mut escaped = false;
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            _ if letter == quote => return true,
            _ => {}
        }
    }
    false
}

/// How deep in brackets a text ends that begins so deep.
fn brackets(text: &str, depth: usize) -> usize {
    text.chars().fold(depth, |depth, letter| match letter {
        '[' | '{' => depth + 1,
        ']' | '}' => depth.saturating_sub(1),
        _ => depth,
    })
}

/// Whether a value tells nothing: a switch, or what stands for a token that is not known yet.
fn is_no_secret(value: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'', ',', '}', ']']).trim();
    matches!(value, "" | "true" | "false" | "null" | "~" | MASK | LATER)
}

/// How keys end that hold an address.
const ADDRESSES: [&str; 4] = ["mirror", "proxy", "url", "endpoint"];

/// Where a user, with or without a password, stands in an address: `https://ann:secret@host`, also
/// without its scheme behind a key that takes an address.
pub fn users(text: &str) -> Vec<Range<usize>> {
    let mut users = Vec::new();
    // Whether the last word is a key that takes an address, and whether its sign has been seen.
    let (mut is_address, mut has_sign) = (false, false);
    let mut start = 0;
    for piece in text.split_inclusive(|c: char| c.is_whitespace() || c == '"' || c == '\'') {
        let word = piece.trim_end_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
        if let Some(end) = word.rfind('@') {
            let scheme = word.find("://").map(|at| at + "://".len());
            let bare = (is_address && has_sign).then_some(0);
            let own = word
                .match_indices([':', '='])
                .find(|(at, _)| takes_address(&word[..*at]))
                .map(|(at, _)| at + 1);
            let begin = scheme.or(own).or(bare).filter(|begin| *begin < end);
            users.extend(begin.map(|begin| start + begin..start + end));
        }
        let key = word.trim_end_matches([':', '=']);
        if !key.is_empty() {
            is_address = takes_address(key);
            has_sign = false;
        }
        has_sign |= key.len() < word.len();
        start += piece.len();
    }
    users
}

fn takes_address(key: &str) -> bool {
    let key = key.as_bytes();
    ADDRESSES.iter().any(|end| {
        let last = key.len().checked_sub(end.len()).map(|from| &key[from..]);
        last.is_some_and(|last| last.eq_ignore_ascii_case(end.as_bytes()))
    })
}

/// Where the password stands in a word like `ann:secret@host`, with or without a scheme.
pub fn password(word: &str) -> Option<Range<usize>> {
    let end = word.rfind('@')?;
    let mut colons = word[..end].match_indices(':').map(|(at, _)| at + 1);
    let start = colons.find(|start| !word[*start..].starts_with("//"))?;
    // A digest stands behind the name and the tag of an image in the same way.
    (start < end && !word[end..].starts_with("@sha256:")).then_some(start..end)
}

/// Where passwords stand in the words of a text.
pub fn passwords(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let pieces = text.split_inclusive(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    let found = pieces.filter_map(|piece| {
        let at = start;
        start += piece.len();
        password(piece).map(|hole| at + hole.start..at + hole.end)
    });
    found.collect()
}

/// The text with every user in an address replaced by [`MASK`].
pub fn without_users(text: &str) -> String {
    without(text, users(text))
}

/// The text with every password before an address replaced by [`MASK`].
pub fn without_passwords(text: &str) -> String {
    without(text, passwords(text))
}

/// The text with these parts, in order and without overlap, replaced by [`MASK`].
pub fn without(text: &str, parts: impl IntoIterator<Item = Range<usize>>) -> String {
    replaced(text, parts.into_iter().map(|part| (part, MASK)))
}

fn replaced(text: &str, parts: impl Iterator<Item = (Range<usize>, &'static str)>) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut kept = 0;
    for (part, mark) in parts {
        shown.push_str(&text[kept..part.start]);
        shown.push_str(mark);
        kept = part.end;
    }
    shown + &text[kept..]
}

/// Whether the value of a key holds something that must not be shown.
pub fn holds_a_secret(key: &str, value: &str) -> bool {
    !holes(&format!("{key}: {value}")).is_empty() || !passwords(value).is_empty()
}

#[cfg(test)]
mod tests;
