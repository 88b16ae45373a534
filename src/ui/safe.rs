//! What hosts, files and users said, made safe to show: no secrets, nothing that a terminal takes
//! for a command, nothing that turns the order of a line around. Every text that is told passes
//! here once, before it is laid out, coloured or serialised.

use serde_json::Value;

use crate::run::Event;
use crate::vars::Redactor;

/// What stands for a character that is not shown.
const HIDDEN: char = '\u{fffd}';

/// Fields of an event whose values are words of towline's own.
const WORDS: [&str; 4] = ["event", "state", "outcome", "code"];

/// The event with every text in it made safe.
pub(super) fn event(event: Event, redactor: &Redactor) -> Event {
    let safe = serde_json::to_value(event).and_then(|mut value| {
        each_text(&mut value, &|said| clean(said, redactor));
        serde_json::from_value(value)
    });
    safe.unwrap_or_else(|error| Event::Note {
        text: format!("an event could not be shown: {error}"),
    })
}

/// The text without secrets, made safe. A secret with colours in it is whole again without them.
pub(super) fn clean(said: &str, redactor: &Redactor) -> String {
    redactor.clean(&text(&redactor.clean(said)))
}

fn each_text(value: &mut Value, safe: &impl Fn(&str) -> String) {
    match value {
        Value::String(said) => *said = safe(said),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, safe)),
        Value::Object(fields) => fields
            .iter_mut()
            .filter(|(name, _)| !WORDS.contains(&name.as_str()))
            .for_each(|(_, value)| each_text(value, safe)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text without colours; control characters other than newline and tab, and characters that
/// are not seen and move others, become U+FFFD. No text around it is ever taken along.
pub(super) fn text(said: &str) -> String {
    shown(said, false)
}

/// The same for a text that towline has coloured.
pub(super) fn coloured(said: &str) -> String {
    shown(said, true)
}

fn shown(said: &str, keeps_colours: bool) -> String {
    let mut shown = String::with_capacity(said.len());
    let mut rest = said;
    while let Some(letter) = rest.chars().next() {
        let colour = colour(rest);
        if let Some(code) = colour {
            if keeps_colours {
                shown.push_str(code);
            }
            rest = &rest[code.len()..];
            continue;
        }
        shown.push(if is_harmless(letter) { letter } else { HIDDEN });
        rest = &rest[letter.len_utf8()..];
    }
    shown
}

/// The code of a colour that a text begins with: `ESC [ 1 ; 31 m`.
fn colour(text: &str) -> Option<&str> {
    let code = text.strip_prefix("\u{1b}[")?;
    let end = code.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    let length = text.len() - code.len() + end + "m".len();
    code[end..].starts_with('m').then(|| &text[..length])
}

fn is_harmless(letter: char) -> bool {
    match letter {
        '\n' | '\t' => true,
        // Marks, embeddings, overrides and isolates of the bidirectional algorithm.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            false
        }
        // Separators of lines and paragraphs, what has no width, annotations, tags.
        '\u{ad}'
        | '\u{200b}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{2060}'..='\u{2064}'
        | '\u{206a}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => false,
        letter => !letter.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::NodeRow;
    use crate::vars::Secret;

    #[test]
    fn what_a_terminal_would_obey_is_seen_instead() {
        for (said, seen) in [
            ("plain\ttext\n", "plain\ttext\n"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            (
                "\u{1b}]52;c;aGk=\u{7}after",
                "\u{fffd}]52;c;aGk=\u{fffd}after",
            ),
            ("\u{9b}2Jcleared", "\u{fffd}2Jcleared"),
            ("10%\r20%", "10%\u{fffd}20%"),
            ("a\u{202e}b\u{2066}c\u{200f}", "a\u{fffd}b\u{fffd}c\u{fffd}"),
            ("caf\u{e9} 東京 👩\u{200d}🔧", "caf\u{e9} 東京 👩\u{200d}🔧"),
            ("ends \u{1b}[", "ends \u{fffd}["),
        ] {
            assert_eq!(text(said), seen, "{said:?}");
        }
        assert_eq!(
            coloured("\u{1b}[31merror\u{1b}[0m \u{1b}[2J"),
            "\u{1b}[31merror\u{1b}[0m \u{fffd}[2J"
        );
    }

    #[test]
    fn all_that_an_event_says_is_safe_and_it_stays_the_event_that_it_is() {
        let redactor = Redactor::default();
        for secret in ["kubeconfig", "a\"quoted\\secret", "changed"] {
            redactor.learn(&Secret::new(secret));
        }
        let told = Event::Kubeconfig {
            path: "/a\"quoted\u{1b}[1m\\secret".into(),
            server: "https://ann:hunter2@10.0.0.1:6443".into(),
            nodes: vec![NodeRow {
                name: "m1".into(),
                ready: true,
                roles: "etcd".into(),
                version: "v1\u{1b}]52;c;aGk=\u{7}".into(),
                internal_ip: "10.0.0.1\u{202e}".into(),
                last_heard: true,
            }],
            members: Vec::new(),
            over_ssh: false,
        };
        let line = serde_json::to_string(&event(told, &redactor)).expect("JSON");
        insta::assert_snapshot!(line, @r#"{"event":"kubeconfig","path":"/***","server":"https://***@10.0.0.1:6443","nodes":[{"name":"m1","ready":true,"roles":"etcd","version":"v1�]52;c;aGk=�","internal_ip":"10.0.0.1�","last_heard":true}],"over_ssh":false}"#);
    }
}
