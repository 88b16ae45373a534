//! `${NAME}` and `${NAME:-default}` in the values of an inventory, filled in after it was parsed: what
//! a variable holds is text in one value, and no YAML.

use std::ffi::OsString;

use super::mistake::Mistakes;
use super::node::{Filled, Span, YamlNode, YamlValue};
use super::source::Sources;
use crate::vars::mask::users;
use crate::vars::{Secret, names_a_secret};

/// How the environment is asked for a variable.
pub type Lookup = fn(&str) -> Option<OsString>;

/// What begins a variable.
const BEGIN: &str = "${";

/// Whether a variable can be called so.
pub fn is_name(text: &str) -> bool {
    !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What a value is filled with.
pub(super) struct Filling<'a> {
    /// The files' texts.
    pub sources: &'a Sources,
    /// The environment.
    pub lookup: Lookup,
    /// Values that must not be shown, whatever key they stand behind: of variables whose names say so,
    /// and the users in addresses.
    pub secrets: &'a mut Vec<Secret>,
    /// What is wrong.
    pub mistakes: &'a mut Mistakes,
}

impl Filling<'_> {
    /// Fills in all values of a tree; keys stay as they are written.
    pub fn fill(&mut self, node: &mut YamlNode) {
        match &mut node.tree {
            YamlValue::List(items) => items.iter_mut().for_each(|item| self.fill(item)),
            YamlValue::Map(entries) => {
                for entry in entries {
                    self.fill(&mut entry.value);
                }
            }
            YamlValue::Text(text) if text.contains(BEGIN) => {
                let before = self.mistakes.len();
                let (filled, has_variable) = self.filled(text, node.span);
                if self.mistakes.len() > before || !has_variable {
                    node.tree = YamlValue::Text(filled);
                    return;
                }
                let addresses = users(&filled).into_iter();
                self.secrets
                    .extend(addresses.map(|user| Secret::new(&filled[user])));
                let written = self.sources.written(node.span);
                node.filled = if written.starts_with(['"', '\'', '|', '>']) {
                    Filled::Quoted
                } else {
                    Filled::Plain
                };
                node.tree = YamlValue::Text(filled);
            }
            _ => {}
        }
    }

    /// A text with its variables filled in, and whether it has any.
    fn filled(&mut self, text: &str, span: Span) -> (String, bool) {
        let mut filled = String::with_capacity(text.len());
        let (mut rest, mut has_variable) = (text, false);
        while let Some(at) = rest.find(BEGIN) {
            let (before, behind) = rest.split_at(at);
            let inner = &behind[BEGIN.len()..];
            if let Some(before) = before.strip_suffix('$') {
                filled.push_str(before);
                filled.push_str(BEGIN);
                rest = inner;
                continue;
            }
            filled.push_str(before);
            let Some((variable, after)) = inner.split_once('}') else {
                let place = self.place(span, BEGIN);
                let message = "`${` begins a variable, and there is no `}` behind it";
                let help = "for these two characters themselves, write $${";
                self.mistakes.help(place, message, help);
                return (filled, true);
            };
            filled.push_str(&self.value(variable, span).unwrap_or_default());
            has_variable = true;
            rest = after;
        }
        filled.push_str(rest);
        (filled, has_variable)
    }

    /// What stands for what is between the braces.
    fn value(&mut self, variable: &str, span: Span) -> Option<String> {
        let (name, default) = match variable.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (variable, None),
        };
        let place = self.place(span, &format!("{BEGIN}{variable}}}"));
        if !is_name(name) || default.is_some_and(|text| text.contains(BEGIN)) {
            let message = "this names no variable of the environment";
            let help = "write ${NAME} or ${NAME:-default}; for the characters themselves, $${";
            self.mistakes.help(place, message, help);
            return None;
        }
        let found = (self.lookup)(name).map(OsString::into_string);
        let value = match (found, default) {
            (Some(Err(_)), _) => {
                let message = format!("what the environment has for `{name}` is no text in UTF-8");
                self.mistakes.add(place, message);
                return None;
            }
            (Some(Ok(value)), None) => value,
            (Some(Ok(value)), Some(_)) if !value.is_empty() => value,
            (_, Some(default)) => default.to_owned(),
            (None, None) => {
                let message = format!("`{name}` is not set in the environment");
                let help = format!(
                    "set it:  export {name}=…  , or give it a default: ${{{name}:-…}}; for the characters themselves, write $${{"
                );
                self.mistakes.help(place, message, help);
                return None;
            }
        };
        if names_a_secret(name) {
            self.secrets.push(Secret::new(&value));
        }
        Some(value)
    }

    /// Where these words stand in a value.
    fn place(&self, span: Span, words: &str) -> Span {
        let source = self.sources.0.get(span.file);
        let text = source.map_or("", |source| &source.text);
        // A block's span may end with its indicator.
        let is_block = text
            .get(span.offset..)
            .is_some_and(|rest| rest.starts_with(['|', '>']));
        let end = if is_block {
            text.len()
        } else {
            span.offset + span.length
        };
        let found = text.get(span.offset..end).and_then(|rest| {
            let mut all = rest.match_indices(words);
            all.find(|(at, _)| !rest[..*at].ends_with('$'))
        });
        let Some((at, _)) = found else {
            return span;
        };
        let offset = span.offset + at;
        let start = text[..offset].rfind('\n').map_or(0, |end| end + 1);
        Span {
            file: span.file,
            line: text[..offset].matches('\n').count() as u64 + 1,
            column: text[start..offset].chars().count() as u64 + 1,
            offset,
            length: words.len(),
        }
    }
}
