//! The secrets of a run, masked in all that is told of it.

use std::fmt::Write as _;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::mask::{users, without_users};
use super::{MASK, Secret};

/// Knows every secret of a run and masks it in any text that is shown or written.
///
/// Cheap to clone: all clones share one list, so a secret learned late (a token read from a
/// server) is masked everywhere from then on.
#[derive(Debug, Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<Secret>>>);

/// What has fewer characters is masked nowhere.
const SHORTEST: usize = 6;

/// What stands where a text was cut.
const CUT: char = '…';

/// So many secrets are known before none is learned from hosts any more: a host must not be able
/// to keep towline busy.
const MOST: usize = 256;

impl Redactor {
    /// Remembers a secret, its words, and how it looks where it is quoted or encoded. One of fewer than six characters
    /// is not remembered: masking it would blank out unrelated text and tell more than it hides.
    pub fn learn(&self, secret: &Secret) {
        let text = secret.expose();
        self.remember(forms(text).into_iter().chain(words(text)));
    }

    fn remember(&self, forms: impl Iterator<Item = String>) {
        let mut secrets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms {
            let form = Secret::new(&form);
            if form.expose().chars().count() < SHORTEST || secrets.contains(&form) {
                continue;
            }
            // Longest first, so that a secret inside a longer one leaves no rest behind.
            let longer = |known: &Secret| known.expose().len() >= form.expose().len();
            let place = secrets.partition_point(longer);
            secrets.insert(place, form);
        }
    }

    /// Remembers what a host calls a secret, when it has the form of one: a host must not choose
    /// which words of towline's are masked. Everything else is masked by the name of its key alone.
    pub fn learn_from_host(&self, secret: &Secret) {
        let known = self.0.read().map_or(MOST, |secrets| secrets.len());
        if known < MOST && is_random(secret.expose()) {
            self.remember(forms(secret.expose()).into_iter());
        }
    }

    /// The text with every known secret, and every user in an address, replaced by [`MASK`].
    pub fn clean(&self, text: &str) -> String {
        let secrets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = text.to_owned();
        for secret in secrets.iter().map(Secret::expose) {
            if text.len() >= secret.len() && text.contains(secret) {
                text = text.replace(secret, MASK);
            }
        }
        if text.contains(CUT) {
            text = without_beginnings(&text, &secrets);
        }
        without_users(&text)
    }
}

/// How a secret looks: as it is, its lines, in the quotes of most languages and of two shells, in base64, in a URL.
fn forms(secret: &str) -> Vec<String> {
    if secret.chars().count() < SHORTEST {
        return Vec::new();
    }
    let quoted = format!("{secret:?}");
    // What follows changes the last letters of base64, unless they are whole.
    let whole = secret.len() / 3 * 3;
    let in_url = secret.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    });
    let mut forms = vec![
        secret.to_owned(),
        quoted[1..quoted.len() - 1].to_owned(),
        secret.replace('\'', r"'\''"),
        secret.replace('\'', r#"'"'"'"#),
        STANDARD.encode(&secret.as_bytes()[..whole]),
        in_url,
    ];
    forms.extend(secret.lines().map(str::to_owned));
    forms
}

/// The words of a secret that look made by chance: whatever escapes and cuts the secret leaves them as they are. Of an
/// address only those of its user, since its host is no secret.
fn words(secret: &str) -> Vec<String> {
    if secret.contains("://") {
        let users = users(secret).into_iter();
        return users.flat_map(|user| words(&secret[user])).collect();
    }
    let words = secret.split(|letter: char| !letter.is_ascii_alphanumeric());
    words
        .filter(|word| is_random(word))
        .map(str::to_owned)
        .collect()
}

/// The text without what a secret begins with, where it was cut within one.
fn without_beginnings(text: &str, secrets: &[Secret]) -> String {
    let mut pieces: Vec<String> = text.split(CUT).map(str::to_owned).collect();
    let last = pieces.len() - 1;
    for piece in &mut pieces[..last] {
        let begins = |at: &usize| {
            let rest = &piece[*at..];
            let is_long = rest.chars().count() >= SHORTEST;
            is_long
                && secrets
                    .iter()
                    .any(|secret| secret.expose().starts_with(rest))
        };
        let longest = secrets.first().map_or(0, |secret| secret.expose().len());
        let from = piece.len().saturating_sub(longest);
        let starts = piece
            .char_indices()
            .map(|(at, _)| at)
            .filter(|at| *at >= from);
        if let Some(at) = { starts }.find(begins) {
            piece.replace_range(at.., MASK);
        }
    }
    pieces.join(&CUT.to_string())
}

/// Whether a text has the form of a token, key or password that was made by chance: no words of a
/// language, no path, no punctuation of JSON.
fn is_random(text: &str) -> bool {
    let has = |kind: fn(&char) -> bool| text.chars().any(|letter| kind(&letter));
    let mixed = has(char::is_ascii_digit) && has(char::is_ascii_alphabetic);
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let usual = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_.~:,%@".contains(&byte));
    let is_path = text.starts_with('/');
    mixed
        && text.len() <= 1024
        && (plain && text.len() >= 8 || usual && !is_path && text.len() >= 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_secret_is_masked_first_and_in_all_clones() {
        let redactor = Redactor::default();
        let clone = redactor.clone();
        redactor.learn(&Secret::new("password"));
        redactor.learn(&Secret::new("K10abc::server:password"));
        redactor.learn(&Secret::new("tiny"));
        assert_eq!(
            clone.clean("token K10abc::server:password, password and tiny"),
            "token ***, *** and tiny"
        );
    }

    #[test]
    fn a_secret_is_masked_however_it_is_quoted_encoded_or_cut() {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("it's a \"secret\"\nof two, 100% ü"));
        redactor.learn(&Secret::new("0123456789abcdef"));
        redactor.learn(&Secret::new("two \"w0rds2hide\""));
        redactor.learn(&Secret::new(
            "postgres://u1ser2name:pw@db-server01:5432/k3s",
        ));
        for (said, seen) in [
            (r#"msg="it's a \"secret\"\nof two, 100% ü""#, r#"msg="***""#),
            (
                "+ echo 'it'\\''s a \"secret\"\nof two, 100% ü'",
                "+ echo '***'",
            ),
            (
                "+ echo 'it'\"'\"'s a \"secret\"\nof two, 100% ü'",
                "+ echo '***'",
            ),
            ("the last line: of two, 100% ü", "the last line: ***"),
            (
                "?p=it%27s%20a%20%22secret%22%0Aof%20two%2C%20100%25%20%C3%BC&x",
                "?p=***&x",
            ),
            ("token: MDEyMzQ1Njc4OWFiY2RlZgo=", "token: ***Zgo="),
            (
                r#"{\"a\": \"two \\\"w0rds2hide\\\"\"}"#,
                r#"{\"a\": \"two \\\"***\\\"\"}"#,
            ),
            (
                "db-server01: password of u1ser2name",
                "db-server01: password of ***",
            ),
            ("it said 0123456789ab…", "it said ***…"),
            ("01234…, 012345… and …", "01234…, ***… and …"),
        ] {
            assert_eq!(redactor.clean(said), seen);
        }
    }

    #[test]
    fn the_user_of_an_address_is_masked_wherever_it_comes_from() {
        let redactor = Redactor::default();
        assert_eq!(
            redactor.clean("https://ann:hunter2@a/x and http://b, mirror: ann:hunter2@c"),
            "https://***@a/x and http://b, mirror: ***@c"
        );
    }

    #[test]
    fn a_host_cannot_choose_which_words_are_masked() {
        let redactor = Redactor::default();
        for text in [
            "changed",
            "unreachable",
            "\"event\":\"",
            "/etc/rancher/k3s/config.yaml",
            "k3s-agent",
            "v1.36.3+k3s1",
            "10.0.0.1",
            "nothing to change on 5 hosts",
        ] {
            redactor.learn_from_host(&Secret::new(text));
            assert_eq!(redactor.clean(text), text);
        }
        // Nor a word within something longer.
        redactor.learn_from_host(&Secret::new("m1worker01-0123456789"));
        assert_eq!(redactor.clean("m1worker01"), "m1worker01");
        for text in [
            "hunter2hunter2",
            "568b7ee2f0a8a54b8e8c5d0f6f0f4d2d",
            "K10568b7ee2::server:568b7ee2",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        ] {
            redactor.learn_from_host(&Secret::new(text));
            assert_eq!(redactor.clean(text), "***", "{text}");
        }
    }

    #[test]
    fn a_host_with_very_many_secrets_costs_next_to_nothing() {
        let redactor = Redactor::default();
        let own = Secret::new("of the inventory");
        let begun = std::time::Instant::now();
        for number in 0..50_000 {
            redactor.learn_from_host(&Secret::new(&format!("k{number:0>15}")));
        }
        redactor.learn(&own);
        for _ in 0..1000 {
            assert_eq!(
                redactor.clean("of the inventory, k000000000000001"),
                "***, ***"
            );
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    }
}
