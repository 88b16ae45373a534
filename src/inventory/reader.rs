//! What reading every part of an inventory needs: mistakes, origins, paths and secrets.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::mistake::{Complaint, Mistakes};
use super::node::{Span, YamlNode};
use super::source::{Sources, sentence};
use super::syntax;
use super::{Dialect, Surroundings};
use crate::vars::{Origin, Secret, Sourced};

/// A secret's file may be this large; anything larger is the wrong file.
const LARGEST_SECRET: u64 = 64 * 1024;

/// A text for a host may be this large.
const LARGEST_TEXT: u64 = 256 * 1024;

/// Reads one inventory.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    /// The texts.
    pub sources: &'a Sources,
    /// The files that they came from.
    pub files: &'a [PathBuf],
    /// What the inventory does not say itself.
    pub surroundings: Surroundings<'a>,
    /// The distribution that the inventory names.
    pub dialect: &'static Dialect,
    /// What must not be shown: the values of secret keys, and of variables whose names say so.
    pub secrets: Vec<Secret>,
    /// What is wrong so far.
    pub mistakes: Mistakes,
    /// What is unwise so far.
    pub warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader to which the inventory has said nothing.
    pub fn new(sources: &'a Sources, files: &'a [PathBuf], surroundings: Surroundings<'a>) -> Self {
        Self {
            sources,
            files,
            surroundings,
            dialect: surroundings.distributions[0],
            secrets: Vec::new(),
            mistakes: Mistakes::default(),
            warnings: Vec::new(),
        }
    }
    /// A value that the inventory set at this path.
    pub fn setting<T>(&self, value: T, path: String, span: Span) -> Sourced<T> {
        let origin = self.origin(path, span);
        Sourced { value, origin }
    }

    /// A place of the inventory.
    pub fn origin(&self, path: String, span: Span) -> Origin {
        Origin::Inventory {
            path,
            file: self.sources.name(span),
            line: span.line,
            column: span.column,
        }
    }

    /// Notes that of two keys only one may stand in a map.
    pub fn exclusive(&mut self, map: &YamlNode, path: &str, first: &str, second: &str) {
        if let (Some(one), Some(other)) = (map.entry(first), map.entry(second)) {
            let (early, late) = if one.at.file > other.at.file {
                (other, one)
            } else {
                (one, other)
            };
            let message = format!("`{path}` has both `{first}` and `{second}`");
            let help = if early.at.file == late.at.file {
                "keep one of them".to_owned()
            } else {
                let place = self.sources.line(early.at, late.at);
                let key = &early.key;
                format!("`{key}` is set in {place};  {key}: null  here removes it")
            };
            self.mistakes.help(late.at, message, help);
        }
    }

    /// A path as it is written, relative to the folder of the file that it stands in, `~` replaced.
    pub fn path(&mut self, text: &str, span: Span) -> Option<PathBuf> {
        if text.is_empty() {
            self.mistakes.add(span, "the path is empty");
            return None;
        }
        let Some(rest) = text.strip_prefix('~') else {
            let folder = self.files.get(span.file).and_then(|file| file.parent());
            return Some(folder.unwrap_or(Path::new("")).join(text));
        };
        let message = match (rest.strip_prefix('/'), self.surroundings.home) {
            (Some(rest), Some(home)) => return Some(home.join(rest)),
            (None, Some(home)) if rest.is_empty() => return Some(home.to_owned()),
            (None, _) if !rest.is_empty() => format!("`{text}` names the home of another user"),
            _ => format!("`{text}` cannot be found: the home directory is not known"),
        };
        self.mistakes.help(span, message, "write the whole path");
        None
    }

    /// The token of `key`, or of the file of `key_file`.
    pub fn token(&mut self, map: &YamlNode, path: &str, key: &str) -> Option<Secret> {
        let file_key = format!("{key}_file");
        self.exclusive(map, path, key, &file_key);
        let said = map.get(key).and_then(YamlNode::text);
        if let Some(token) = said.filter(|token| syntax::token(token).is_ok()) {
            return Some(self.secret(token));
        }
        let node = map.get(&file_key)?;
        let written = node.text()?;
        let text = self.secret_file(written, node.span)?;
        if let Err(complaint) = syntax::token(text.trim()) {
            let message = format!("in `{written}`, {}", complaint.message);
            let help = complaint.help;
            self.mistakes
                .check(node.span, Err(Complaint { message, help }));
            return None;
        }
        Some(self.secret(&text))
    }

    /// What is in a file that holds a secret.
    pub fn secret_file(&mut self, written: &str, span: Span) -> Option<String> {
        let file = self.path(written, span)?;
        let text = match read_text(&file, LARGEST_SECRET, "it is too large for a secret") {
            Ok(text) => text,
            Err(error) => {
                let message = format!("`{written}` cannot be read: {}", sentence(&error));
                let help = looked_for(written, &file);
                self.mistakes.check(span, Err(Complaint { message, help }));
                return None;
            }
        };
        if is_world_readable(&file) {
            let shown = file.display();
            self.warnings.push(format!(
                "everyone on this machine can read the secret in {shown}; keep it to yourself with: chmod 600 {shown}"
            ));
        }
        Some(text)
    }

    /// The text of a file of this machine that a value names; none where it cannot be read, which is a
    /// mistake by then.
    pub fn text_file(&mut self, node: &YamlNode) -> Option<String> {
        let written = node.text()?;
        let file = self.path(written, node.span)?;
        match read_text(&file, LARGEST_TEXT, "it is larger than 256 KiB") {
            Ok(text) => Some(text),
            Err(error) => {
                let message = format!("`{written}` cannot be read: {}", sentence(&error));
                let help = looked_for(written, &file);
                self.mistakes
                    .check(node.span, Err(Complaint { message, help }));
                None
            }
        }
    }

    /// A secret, which is remembered as one.
    pub fn secret(&mut self, text: &str) -> Secret {
        let secret = Secret::new(text);
        self.secrets.push(secret.clone());
        secret
    }
}

/// The text of a file that is not larger than this.
pub(super) fn read_text(file: &Path, largest: u64, too_large: &str) -> std::io::Result<String> {
    if !fs::metadata(file)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    fs::File::open(file)?
        .take(largest + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > largest {
        return Err(std::io::Error::other(too_large));
    }
    Ok(text)
}

#[cfg(unix)]
fn is_world_readable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_world_readable(_: &Path) -> bool {
    false
}

/// The whole path of a file that was not found, where less of it was written.
pub(super) fn looked_for(written: &str, file: &Path) -> Option<String> {
    (file != Path::new(written)).then(|| format!("towline looks for {}", file.display()))
}
