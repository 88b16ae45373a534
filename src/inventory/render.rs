//! Shows all the mistakes of an inventory at once, each with the line it stands in.

use std::fmt::{self, Write};
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError,
    MietteSpanContents, SourceCode, SourceSpan, SpanContents,
};

use super::mask::Masked;
use super::mistake::{Mistake, Mistakes};
use super::source::Sources;

/// As many mistakes are shown in full; a file with more has one cause that shows in these.
const SHOWN: usize = 100;

/// Of a line, as many bytes are shown before and after the place of a mistake.
const AROUND: usize = 160;

/// All the mistakes of one inventory. Its `Debug` does not show the files' texts.
#[derive(Clone)]
pub struct InputErrors {
    /// The mistakes in the order of the files; never empty.
    pub mistakes: Vec<Mistake>,
    /// What may be shown of each file: secrets are masked, places moved accordingly.
    masked: Vec<Masked>,
}

impl InputErrors {
    /// Takes the mistakes of all files and the text that may be shown of each.
    pub(super) fn new(sources: &Sources, mistakes: Mistakes, masked: Vec<Masked>) -> Self {
        let mut mistakes = mistakes.into_sorted();
        for mistake in &mut mistakes {
            if let Some(source) = sources.0.get(mistake.source) {
                mistake.file = source.name.to_string();
            }
            for masked in &masked {
                masked.clean(mistake);
            }
        }
        Self { mistakes, masked }
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
            .with_break_words(false)
            .without_primary_span_start()
            .without_syntax_highlighting();
        let texts = self.masked.iter().map(|masked| masked.text().into());
        let texts: Vec<Arc<str>> = texts.collect();
        let mut out = String::new();
        for mistake in self.mistakes.iter().take(SHOWN) {
            let shown = self.show(mistake, &texts);
            if handler.render_report(&mut out, &shown).is_err() {
                out.push_str(&mistake.message);
            }
            out.push('\n');
        }
        if let Some(more @ 1..) = self.mistakes.len().checked_sub(SHOWN) {
            let _ = writeln!(out, "… and {more} more");
        }
        let count = match self.mistakes.len() {
            1 => "1 mistake".to_owned(),
            count => format!("{count} mistakes"),
        };
        let mut files: Vec<&str> = Vec::new();
        for mistake in &self.mistakes {
            if !files.contains(&&*mistake.file) {
                files.push(&mistake.file);
            }
        }
        let _ = writeln!(out, "{count} in {}; nothing was touched", files.join(", "));
        out
    }

    /// One mistake in miette's terms.
    fn show(&self, mistake: &Mistake, texts: &[Arc<str>]) -> Shown {
        let file = &mistake.file;
        let source = self
            .masked
            .get(mistake.source)
            .zip(texts.get(mistake.source));
        let source = source.filter(|_| mistake.line > 0);
        let place = source.map(|(masked, text)| {
            let start = masked.place(mistake.offset);
            let end = masked.place(mistake.offset + mistake.length);
            // Only the first line of a place is underlined.
            let first = text.get(start..end).and_then(|text| text.lines().next());
            let span = SourceSpan::from((start, first.map_or(0, str::len)));
            let name = format!("{file}:{}:{}", mistake.line, mistake.column);
            (
                Line {
                    name,
                    text: Arc::clone(text),
                },
                span,
            )
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
    place: Option<(Line, SourceSpan)>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help
            .as_ref()
            .map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|(line, _)| line as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, span) = self.place.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(
            None, *span,
        ))))
    }
}

/// Shows the one line that a place stands in, or what is near the place if the line is long.
#[derive(Debug)]
struct Line {
    name: String,
    text: Arc<str>,
}

impl SourceCode for Line {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text = &*self.text;
        let (before, after) = text
            .split_at_checked(span.offset())
            .ok_or(MietteError::OutOfBounds)?;
        let mut start = before.rfind('\n').map_or(0, |at| at + 1);
        let mut end = after.find('\n').map_or(text.len(), |at| span.offset() + at);
        start = start.max(span.offset().saturating_sub(AROUND));
        end = end.min(span.offset() + span.len() + AROUND);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let data = text
            .get(start..end)
            .ok_or(MietteError::OutOfBounds)?
            .as_bytes();
        let line = before.matches('\n').count();
        let shown = SourceSpan::from((start, end - start));
        let contents = MietteSpanContents::new_named(self.name.clone(), data, shown, line, 0, 1);
        Ok(Box::new(contents))
    }
}
