//! Reads YAML into a tree, or says why it is none.

use std::collections::HashMap;

use serde_yaml::{DuplicateKeyPolicy, Error, NonFiniteFloatPolicy};

use super::mistake::Mistakes;
use super::node::{DEEPEST, Span, YamlNode, YamlValue};

/// Reads YAML, the text of the file of this number, into a tree. Broken YAML gives `None` and its one mistake; duplicate keys are
/// mistakes, too, but the reading goes on with the first of them.
pub(super) fn parse(source: &str, file: usize, mistakes: &mut Mistakes) -> Option<YamlNode> {
    // Last-wins hands every duplicate to the visitor, which lets all of them be reported.
    let mut root = match read(source, DuplicateKeyPolicy::LastWins) {
        Ok(root) => root,
        Err(error) => {
            broken(source, file, &error, mistakes);
            return None;
        }
    };
    let before = mistakes.len();
    settle(source, file, &mut root, mistakes);
    if mistakes.len() == before {
        // The library unites duplicate keys that are numbers before a visitor sees them.
        if let Err(error) = read(source, DuplicateKeyPolicy::Error) {
            broken(source, file, &error, mistakes);
        }
    }
    Some(root)
}

/// One reading by the library.
fn read(source: &str, duplicates: DuplicateKeyPolicy) -> Result<YamlNode, Error> {
    serde_yaml::from_str_with_options(source, options(duplicates))
}

/// How YAML is read.
pub(super) fn options(duplicates: DuplicateKeyPolicy) -> serde_yaml::Options {
    serde_yaml::options! {
        duplicate_keys: duplicates,
        strict_booleans: true,
        budget: serde_yaml::budget! { max_depth: DEEPEST },
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

/// Turns the library's error into a mistake.
pub(super) fn broken(source: &str, file: usize, error: &Error, mistakes: &mut Mistakes) {
    let span = error
        .location()
        .map(Span::from)
        .map(|span| within(source, span));
    let span = Span {
        file,
        ..span.unwrap_or_default()
    };
    let mut cause = error.without_snippet();
    while let Error::AliasError { error, .. } = cause {
        cause = error.without_snippet();
    }
    match cause {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("this key");
            mistakes.add(span, format!("duplicate key `{key}`"));
            return;
        }
        Error::Budget { .. } => {
            let message = "this is more than an inventory can hold";
            mistakes.help(
                span,
                message,
                "anchors that repeat each other grow without measure",
            );
            return;
        }
        Error::MultipleDocuments { .. } => {
            mistakes.help(
                span,
                "a second document starts here",
                "one file holds one inventory",
            );
            return;
        }
        _ => {}
    }
    // The library repeats the position in its text; the snippet shows it better.
    let text = cause.to_string();
    let text = text.split(" at line ").next().unwrap_or(&text);
    let text = text.split(": line ").next().unwrap_or(text);
    let message = format!("this is not valid YAML: {text}");
    // In flow style a brace ends what has no quotes.
    let before = source.get(..=span.offset);
    let help = before.filter(|text| text.ends_with("${")).map(|_| {
        "inside of braces a value with a variable needs quotes: {port: \"${PORT}\"}".into()
    });
    mistakes.unreadable(span, message, help);
}

/// A span of which only line and column are sure, in the source.
fn within(source: &str, mut span: Span) -> Span {
    let mut start = 0;
    let mut lines = source.split_inclusive('\n');
    for line in lines
        .by_ref()
        .take(usize::try_from(span.line.saturating_sub(1)).unwrap_or(0))
    {
        start += line.len();
    }
    let line = lines.next().unwrap_or("").trim_end_matches(['\r', '\n']);
    let column = usize::try_from(span.column.saturating_sub(1)).unwrap_or(0);
    let at = line
        .char_indices()
        .nth(column)
        .map_or(line.len(), |(at, _)| at);
    span.offset = start + at;
    span.length = span.length.min(line.len() - at);
    span
}

/// Gives places their file and keys their names, reports those that stand twice or are no names, and drops them.
pub(super) fn settle(source: &str, file: usize, node: &mut YamlNode, mistakes: &mut Mistakes) {
    node.span.file = file;
    match &mut node.tree {
        YamlValue::List(items) => {
            for item in items {
                settle(source, file, item, mistakes);
            }
        }
        YamlValue::Map(entries) => {
            let mut seen = HashMap::<String, Span>::new();
            entries.retain_mut(|entry| {
                entry.at.file = file;
                if entry.key.is_empty() {
                    let end = entry.at.offset + entry.at.length;
                    let written = source.get(entry.at.offset..end).unwrap_or("").trim();
                    if written.is_empty() || written.contains(['[', '{', '"', '\'', '\n']) {
                        mistakes.add(entry.at, "a key must be a word");
                        return false;
                    }
                    written.clone_into(&mut entry.key);
                }
                if let Some(first) = seen.get(&entry.key) {
                    let message = format!("duplicate key `{}`", entry.key);
                    if first.offset != entry.at.offset {
                        let help = format!("the first one is in line {}", first.line);
                        mistakes.help(entry.at, message, help);
                    }
                    return false;
                }
                seen.insert(entry.key.clone(), entry.at);
                settle(source, file, &mut entry.value, mistakes);
                true
            });
        }
        _ => {}
    }
}
