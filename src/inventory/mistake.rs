//! What is wrong with an inventory: every mistake with its place, shown all at once.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};

use super::mask::Masked;
use super::node::Span;

/// As many mistakes are shown in full; a file with more has one cause that shows in these.
const SHOWN: usize = 100;

/// One mistake in an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mistake {
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Line in the file, from 1; 0 when the mistake has no place in it.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// Bytes from the start of the file.
    pub offset: usize,
    /// Length of the place in bytes.
    pub length: usize,
}

/// Collects mistakes while a file is read.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    found: Vec<Mistake>,
    seen: HashSet<Mistake>,
}

impl Mistakes {
    /// Notes a mistake.
    pub fn add(&mut self, span: Span, message: impl Into<String>) {
        self.push(span, message.into(), None);
    }

    /// Notes a mistake and what to write instead.
    pub fn help(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(span, message.into(), Some(help.into()));
    }

    /// Notes a complaint, if there is one.
    pub fn check(&mut self, span: Span, result: Result<(), Complaint>) {
        if let Err(Complaint { message, help }) = result {
            self.push(span, message, help);
        }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.found.len()
    }

    fn push(&mut self, span: Span, message: String, help: Option<String>) {
        let mistake = Mistake {
            message,
            help,
            line: span.line,
            column: span.column,
            offset: span.offset,
            length: span.length,
        };
        // The value behind an anchor is read once for each of its aliases.
        if self.seen.insert(mistake.clone()) {
            self.found.push(mistake);
        }
    }

    /// The mistakes in the order of the file.
    pub fn into_sorted(mut self) -> Vec<Mistake> {
        self.found.sort_by_key(|mistake| (mistake.line, mistake.column));
        self.found
    }
}

/// What is wrong with a value, before its place is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Complaint {
    /// Without help.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }

    /// With what to write instead.
    pub fn with(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: Some(help.into()),
        }
    }
}

/// All the mistakes of one inventory. Its `Debug` does not show the file's text.
#[derive(Clone)]
pub struct InputErrors {
    /// The file, as it was named.
    pub file: PathBuf,
    /// The mistakes in the order of the file; never empty.
    pub mistakes: Vec<Mistake>,
    /// The text that may be shown: secrets are masked, places moved accordingly.
    masked: Masked,
}

impl InputErrors {
    /// Takes the mistakes of a file and the text that may be shown of it.
    pub(super) fn new(file: &Path, mistakes: Mistakes, masked: Masked) -> Self {
        Self {
            file: file.to_owned(),
            mistakes: mistakes.into_sorted(),
            masked,
        }
    }

    /// All mistakes as text for a terminal of this width, with the lines they stand in. Tokens
    /// and other secrets in those lines are masked.
    pub fn render(&self, color: bool, width: usize) -> String {
        let theme = if color {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(width.max(40))
            .with_context_lines(0)
            .with_links(false)
            .without_primary_span_start()
            .without_syntax_highlighting();
        let text = Arc::<str>::from(self.masked.text());
        let mut out = String::new();
        for mistake in self.mistakes.iter().take(SHOWN) {
            let shown = self.show(mistake, &text);
            if handler.render_report(&mut out, &shown).is_err() {
                out.push_str(&mistake.message);
            }
            out.push('\n');
        }
        if let Some(more @ 1..) = self.mistakes.len().checked_sub(SHOWN) {
            out.push_str(&format!("… and {more} more\n"));
        }
        let count = match self.mistakes.len() {
            1 => "1 mistake".to_owned(),
            count => format!("{count} mistakes"),
        };
        out.push_str(&format!("{count} in {}; nothing was touched\n", self.file.display()));
        out
    }

    /// One mistake in miette's terms.
    fn show(&self, mistake: &Mistake, text: &Arc<str>) -> Shown {
        let file = self.file.display();
        let place = (mistake.line > 0).then(|| {
            let start = self.masked.place(mistake.offset);
            let end = self.masked.place(mistake.offset + mistake.length);
            // Only the first line of a place is underlined.
            let first = text.get(start..end).and_then(|text| text.lines().next());
            let length = first.map_or(0, str::len);
            let name = format!("{file}:{}:{}", mistake.line, mistake.column);
            (NamedSource::new(name, Arc::clone(text)), start, length)
        });
        Shown {
            message: match place {
                Some(_) => mistake.message.clone(),
                None => format!("{file}: {}", mistake.message),
            },
            help: mistake.help.clone(),
            place,
        }
    }
}

impl fmt::Debug for InputErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputErrors")
            .field("file", &self.file)
            .field("mistakes", &self.mistakes)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for InputErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false, 100))
    }
}

impl std::error::Error for InputErrors {}

/// One mistake as miette shows it.
#[derive(Debug)]
struct Shown {
    message: String,
    help: Option<String>,
    place: Option<(NamedSource<Arc<str>>, usize, usize)>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|(source, ..)| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, start, length) = self.place.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new(None, *start, *length))))
    }
}
