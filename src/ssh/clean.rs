//! What a host printed, made safe to show: no terminal escapes, no control characters.

/// Where the cleaner stands in the text.
#[derive(Clone, Copy)]
enum State {
    /// Ordinary text.
    Text,
    /// After an escape character.
    Escape,
    /// In a control sequence (`ESC [`), up to its final character.
    Sequence,
    /// In a string for the terminal (a title, a link), up to its terminator.
    String,
    /// In such a string, after an escape character.
    StringEscape,
}

impl State {
    /// The state after a character that is no newline; `None` when the character is text.
    fn after(self, character: char) -> Option<Self> {
        let within_string = matches!(self, Self::String | Self::StringEscape);
        Some(match character {
            '\u{7}' | '\u{9c}' if within_string => Self::Text,
            '\\' if matches!(self, Self::StringEscape) => Self::Text,
            '\u{1b}' if within_string => Self::StringEscape,
            _ if within_string => Self::String,
            '\u{1b}' => Self::Escape,
            '\u{9b}' => Self::Sequence,
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => Self::String,
            '[' if matches!(self, Self::Escape) => Self::Sequence,
            'P' | 'X' | ']'..='_' if matches!(self, Self::Escape) => Self::String,
            // Intermediate characters and parameters go on, the first other one is the last.
            ' '..='/' if matches!(self, Self::Escape) => Self::Escape,
            '0'..='~' if matches!(self, Self::Escape) => Self::Text,
            ' '..='?' if matches!(self, Self::Sequence) => Self::Sequence,
            '@'..='~' if matches!(self, Self::Sequence) => Self::Text,
            _ => return None,
        })
    }
}

/// The text of some bytes without terminal escapes and without control characters other than
/// newline and tab. Bytes that are no UTF-8 become U+FFFD.
///
/// A newline ends every escape, also an unfinished one: no host can hide more than one line.
pub fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut state = State::Text;
    let mut kept = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\n' {
            kept.push(character);
            state = State::Text;
        } else if let Some(next) = state.after(character) {
            state = next;
        } else {
            state = State::Text;
            if character == '\t' || !character.is_control() {
                kept.push(character);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_and_control_characters_go_and_the_text_stays() {
        for (said, shown) in [
            ("plain\ttext\n", "plain\ttext\n"),
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;a title\u{7}after", "after"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}(Bascii\u{1b}7\u{1b}=", "ascii"),
            ("\u{9b}2Jcleared", "cleared"),
            ("\u{1b}Pq#0\u{1b}\\sixel", "sixel"),
            (
                "never ended \u{1b}]0;rest\nnext line",
                "never ended \nnext line",
            ),
            ("progress 10%\r\n\u{8}\u{0}", "progress 10%\n"),
            ("broken \u{1b}[1\u{fc}mlaut", "broken \u{fc}mlaut"),
        ] {
            assert_eq!(clean(said.as_bytes()), shown, "{said:?}");
        }
        assert_eq!(clean(b"caf\xc3\xa9 \xff"), "caf\u{e9} \u{fffd}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn nothing_that_moves_a_cursor_survives(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let shown = clean(&bytes);
            prop_assert!(shown.chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
            prop_assert_eq!(shown.matches('\n').count(), String::from_utf8_lossy(&bytes).matches('\n').count());
            prop_assert_eq!(clean(shown.as_bytes()), shown);
        }

        #[test]
        fn plain_text_is_kept_as_it_is(text in "[^\\p{Cc}]*") {
            prop_assert_eq!(clean(text.as_bytes()), text);
        }
    }
}
