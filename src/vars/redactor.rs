//! The secrets of a run, masked in all that is told of it.

use std::sync::{Arc, PoisonError, RwLock};

use super::mask::without_users;
use super::{MASK, Secret};

/// Knows every secret of a run and masks it in any text that is shown or written.
///
/// Cheap to clone: all clones share one list, so a secret learned late (a token read from a
/// server) is masked everywhere from then on.
#[derive(Debug, Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<Secret>>>);

/// So many secrets are known before none is learned from hosts any more: a host must not be able
/// to keep towline busy.
const MOST: usize = 256;

impl Redactor {
    /// Remembers a secret. One of fewer than six characters is not remembered: masking it would
    /// blank out unrelated text and tell more than it hides.
    pub fn learn(&self, secret: &Secret) {
        if secret.expose().chars().count() < 6 {
            return;
        }
        let mut secrets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // In a text that quotes it, some of its characters may be escaped.
        let quoted = format!("{:?}", secret.expose());
        for form in [secret, &Secret::new(&quoted[1..quoted.len() - 1])] {
            if secrets.contains(form) {
                continue;
            }
            // Longest first, so that a secret inside a longer one leaves no rest behind.
            let longer = |known: &Secret| known.expose().len() >= form.expose().len();
            let place = secrets.partition_point(longer);
            secrets.insert(place, form.clone());
        }
    }

    /// Remembers what a host calls a secret, when it has the form of one: a host must not choose
    /// which words of towline's are masked. Everything else is masked by the name of its key alone.
    pub fn learn_from_host(&self, secret: &Secret) {
        let known = self.0.read().map_or(MOST, |secrets| secrets.len());
        if known < MOST && is_random(secret.expose()) {
            self.learn(secret);
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
        without_users(&text)
    }
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
