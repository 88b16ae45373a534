//! The texts that an inventory is made of: files, and standard input.

use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::node::Span;

/// An inventory may be this large; 2000 hosts take a tenth of it.
const LARGEST: u64 = 4 * 1024 * 1024;

/// What names standard input where a file is named.
pub const STANDARD_INPUT: &str = "-";

/// One text, and where it came from.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name in messages: the file as it was named.
    pub name: Arc<str>,
    /// The text; of one that cannot be read, what can be shown of it.
    pub text: String,
}

impl Source {
    /// A text that is in memory.
    pub fn new(file: impl AsRef<Path>, text: &str) -> Self {
        Self {
            name: name(file.as_ref()).into(),
            text: text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        }
    }

    /// The place of a line, from 1.
    pub fn at(&self, line: u64) -> Place {
        Place {
            file: Arc::clone(&self.name),
            line,
        }
    }

    /// Reads a file; what is wrong with it, and where.
    pub fn read(file: &Path, index: usize) -> (Self, Option<(Span, String)>) {
        let at_its_start = |message: String| {
            let span = Span {
                file: index,
                ..Span::default()
            };
            (Self::new(file, ""), Some((span, message)))
        };
        let bytes = match bytes(file) {
            Ok(bytes) if bytes.len() as u64 > LARGEST => {
                let message = "is larger than 4 MiB, too large for an inventory";
                return at_its_start(message.to_owned());
            }
            Ok(bytes) => bytes,
            Err(message) => return at_its_start(message),
        };
        match String::from_utf8(bytes) {
            Ok(text) => (Self::new(file, &text), None),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let bytes = error.into_bytes();
                let text = String::from_utf8_lossy(&bytes[..good]);
                let source = Self::new(file, &text);
                let start = source.text.rfind('\n').map_or(0, |at| at + 1);
                let span = Span {
                    file: index,
                    line: source.text.matches('\n').count() as u64 + 1,
                    column: source.text[start..].chars().count() as u64 + 1,
                    offset: source.text.len(),
                    length: 0,
                };
                (source, Some((span, "this is not text in UTF-8".to_owned())))
            }
        }
    }
}

/// Where something stands in a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as it is named in messages.
    pub file: Arc<str>,
    /// Its line, from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The name of a file in messages.
pub fn name(file: &Path) -> String {
    if file == Path::new(STANDARD_INPUT) {
        return "standard input".to_owned();
    }
    file.display().to_string()
}

/// No more of a file than shows that it is too large, or why it cannot be read.
fn bytes(file: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {}", sentence(&error));
    let mut bytes = Vec::new();
    if file == Path::new(STANDARD_INPUT) {
        let mut input = std::io::stdin().lock().take(LARGEST + 1);
        input.read_to_end(&mut bytes).map_err(failed)?;
        return Ok(bytes);
    }
    if fs::metadata(file).map_err(failed)?.is_dir() {
        return Err("is a folder, not an inventory".to_owned());
    }
    let file = fs::File::open(file).map_err(failed)?;
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

/// An operating system's error without its number.
pub(super) fn sentence(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

/// All texts of one inventory, in the order in which they were named.
#[derive(Debug)]
pub(super) struct Sources(pub Vec<Source>);

impl Sources {
    /// What stands at a place, as it is written.
    pub fn written(&self, span: Span) -> &str {
        let Some(source) = self.0.get(span.file) else {
            return "";
        };
        let end = span.offset + span.length;
        source.text.get(span.offset..end).unwrap_or("").trim()
    }

    /// The name of the text that a place is in.
    pub fn name(&self, span: Span) -> Arc<str> {
        self.0
            .get(span.file)
            .map_or_else(|| "".into(), |source| Arc::clone(&source.name))
    }

    /// How a place is named in a sentence about another one.
    pub fn line(&self, span: Span, other: Span) -> String {
        if span.file == other.file {
            format!("line {}", span.line)
        } else {
            format!("line {} of {}", span.line, self.name(span))
        }
    }
}
