//! The tokens and variables of ssh's configuration.

use std::path::{Path, PathBuf};

use crate::cli::Environment;

/// What the tokens of ssh's configuration stand for.
pub struct ConfigTokens<'a> {
    pub home: &'a Path,
    pub address: &'a str,
    pub typed: &'a str,
    pub port: u16,
    pub user: &'a str,
    pub local_user: &'a str,
    pub alias: Option<&'a str>,
}

impl ConfigTokens<'_> {
    /// A path, absolute; nothing where a token or a variable of it is not known.
    pub fn path(&self, text: &str) -> Option<PathBuf> {
        let mut pieces = text.trim_matches('"').split("${");
        let mut text = pieces.next()?.to_owned();
        for piece in pieces {
            let (name, rest) = piece.split_once('}')?;
            text.push_str(&Environment::variable(name)?.to_string_lossy());
            text.push_str(rest);
        }
        let text = self.line(&text)?;
        let path = match text.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None => PathBuf::from(text),
        };
        Some(self.home.join(".ssh").join(path))
    }

    /// A line for the shell; nothing where a value in it would be more than a word there.
    pub fn command(&self, text: &str) -> Option<String> {
        let is_word = |value: &&str| {
            let plain = |c: char| c.is_alphanumeric() || "._-:@%+,[]/".contains(c);
            value.chars().all(plain) && !value.starts_with('-')
        };
        let alias = self.alias.unwrap_or_default();
        let values = [self.address, self.typed, self.user, alias];
        values.iter().all(is_word).then(|| self.line(text))?
    }

    /// A text with its tokens filled in.
    fn line(&self, text: &str) -> Option<String> {
        let mut pieces = text.split('%');
        let mut line = pieces.next()?.to_owned();
        while let Some(piece) = pieces.next() {
            let mut letters = piece.chars();
            match letters.next() {
                // Two signs stand for one.
                None => {
                    line.push('%');
                    letters = pieces.next()?.chars();
                }
                Some('d') => line.push_str(&self.home.to_string_lossy()),
                Some('h') => line.push_str(self.address),
                Some('k') => line.push_str(self.alias.unwrap_or(self.typed)),
                Some('n') => line.push_str(self.typed),
                Some('p') => line.push_str(&self.port.to_string()),
                Some('r') => line.push_str(self.user),
                Some('u') => line.push_str(self.local_user),
                Some(_) => {
                    tracing::debug!(text, "a token of ssh's configuration is not known");
                    return None;
                }
            }
            line.push_str(letters.as_str());
        }
        Some(line)
    }
}
