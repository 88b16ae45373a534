//! Looks for secrets: whole, cut at any word, and in the forms that programs give them.

use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// A word of a secret that is shorter tells nothing: it is found by chance.
const SHORTEST: usize = 6;

/// Of a longer form its first and its last so many letters are looked for: texts are cut short at both ends.
const PLAIN: usize = 8;
const CODED: usize = 12;

/// A secret's name, and what stands around it.
pub type Hit = (&'static str, String);

/// Secrets, ready to be looked for.
pub struct Search {
    /// Whose each pattern is.
    owners: Vec<&'static str>,
    patterns: AhoCorasick,
}

impl Search {
    /// For these secrets, each with what it is said to be where it is found.
    pub fn of(secrets: &BTreeMap<&'static str, Vec<u8>>) -> Self {
        let (mut owners, mut patterns) = (Vec::new(), Vec::new());
        for (name, secret) in secrets {
            let forms: Vec<_> = words(secret).into_iter().flat_map(forms).collect();
            assert!(!forms.is_empty(), "{name} has no word that can be found");
            owners.extend(forms.iter().map(|_| *name));
            patterns.extend(forms);
        }
        Self {
            owners,
            patterns: AhoCorasick::new(patterns).unwrap(),
        }
    }

    /// For one word that is no secret.
    pub fn for_word(word: &str) -> Self {
        Self::of(&BTreeMap::from([("a word", word.as_bytes().to_vec())]))
    }

    /// The first secret in a text, and what stands around it. Also one that is divided by the end of a line or by
    /// the colours of a terminal.
    pub fn find(&self, text: &[u8]) -> Option<Hit> {
        self.find_in(text).or_else(|| self.find_in(&joined(text)))
    }

    /// The same in one piece.
    pub fn find_in(&self, text: &[u8]) -> Option<Hit> {
        let found = self.patterns.find(text)?;
        let around = found.start().saturating_sub(120)..(found.end() + 60).min(text.len());
        let around = String::from_utf8_lossy(&text[around]).into_owned();
        Some((self.owners[found.pattern()], around))
    }
}

/// The words of a secret, which quoting and escaping leave as they are. A secret without any counts as one.
fn words(secret: &[u8]) -> Vec<&[u8]> {
    let is_long = |word: &&[u8]| word.len() >= SHORTEST;
    let words = secret.split(|byte| !byte.is_ascii_alphanumeric());
    let words: Vec<_> = words.filter(is_long).collect();
    if std::str::from_utf8(secret).is_ok() && !words.is_empty() {
        return words;
    }
    vec![secret]
}

/// A word as it is, in base64 wherever in it the word begins, in hexadecimal digits, percent-encoded.
fn forms(word: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = ends(word, PLAIN);
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for before in 0..3 {
            let text = [&[0; 3][..before], word].concat();
            let coded = engine.encode(&text);
            // Letters that hold bits of what stands before and behind it are not the word's.
            let own = (before * 8).div_ceil(6)..text.len() * 8 / 6;
            forms.extend(ends(&coded.as_bytes()[own], CODED));
        }
    }
    let hex = |upper: bool, sign: &str| -> Vec<u8> {
        let digits: String = word
            .iter()
            .map(|byte| format!("{sign}{byte:02x}"))
            .collect();
        let digits = if upper {
            digits.to_uppercase().replace("\\X", "\\x")
        } else {
            digits
        };
        digits.into_bytes()
    };
    for sign in ["", "%", "\\x"] {
        forms.extend([true, false].map(|upper| hex(upper, sign)));
    }
    forms.sort();
    forms.dedup();
    forms
}

/// The beginning and the end of a form, or the whole of a short one.
fn ends(form: &[u8], length: usize) -> Vec<Vec<u8>> {
    let length = length.min(form.len());
    vec![
        form[..length].to_vec(),
        form[form.len() - length..].to_vec(),
    ]
}

/// A text without white space and without the codes of colours.
fn joined(text: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        if *byte == b'\x1b' {
            rest.find(|byte| byte.is_ascii_alphabetic());
        } else if !byte.is_ascii_whitespace() {
            joined.push(*byte);
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn search(secret: &[u8]) -> Search {
        Search::of(&BTreeMap::from([("it", secret.to_vec())]))
    }

    fn hex(text: &[u8]) -> String {
        text.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn percent(text: &[u8]) -> String {
        text.iter().map(|byte| format!("%{byte:02X}")).collect()
    }

    const SECRET: &str = "pä ss 'Kupfer123' \"$Kessel456\"\nund-ende789";

    #[test]
    fn every_word_of_a_secret_is_one_and_short_words_are_none() {
        let search = search(SECRET.as_bytes());
        for text in [
            "a Kupfer123",
            "x$Kessel456x",
            "ende789",
            "Kup\n  fer\u{1b}[1;31m123",
            "Kupfer12…",
            "…essel456",
        ] {
            assert!(search.find(text.as_bytes()).is_some(), "{text}");
        }
        for text in ["pä ss und", "Kupfer-12", "essel45", "***"] {
            assert!(search.find(text.as_bytes()).is_none(), "{text}");
        }
        assert!(self::search(&[7; 32]).find(&[7; 40]).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn it_is_found_in_every_form_wherever_it_stands(
            secret in "\\PC{0,9}[a-zA-Z0-9]{9,30}\\PC{0,9}",
            before in "\\PC{0,9}",
            behind in "\\PC{0,9}",
        ) {
            let text = format!("{before}{secret}{behind}");
            let bytes = text.as_bytes();
            let search = search(secret.as_bytes());
            for form in [
                text.clone(),
                STANDARD_NO_PAD.encode(bytes),
                URL_SAFE_NO_PAD.encode(bytes),
                hex(bytes),
                hex(bytes).to_uppercase(),
                percent(bytes),
                format!("{text:?}"),
                serde_json::to_string(&text).unwrap(),
                shlex::try_quote(&text).unwrap().into_owned(),
            ] {
                prop_assert!(search.find(form.as_bytes()).is_some(), "{form}");
            }
        }

        #[test]
        fn what_is_none_is_not_found(text in "[a-z $:/+=.-]{0,200}") {
            prop_assert!(search(b"Kupfer123 Kessel456").find(text.as_bytes()).is_none());
        }
    }
}
