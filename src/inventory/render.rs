//! Shows all the mistakes of an inventory at once, each with the line it stands in.

use std::fmt::{self, Write};
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, MietteError,
    MietteSpanContents, Report, SourceCode, SourceSpan, SpanContents,
};

use super::mask::Guarded;
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
    /// The files, and what may be shown of them.
    files: Vec<Guarded>,
}

impl InputErrors {
    /// Takes the mistakes of all files and what may be shown of each.
    pub(super) fn new(sources: &Sources, mistakes: Mistakes, files: Vec<Guarded>) -> Self {
        let mut mistakes = mistakes.into_sorted();
        for mistake in &mut mistakes {
            if let Some(source) = sources.0.get(mistake.source) {
                mistake.file = source.name.to_string();
            }
            for file in &files {
                file.clean(mistake);
            }
        }
        Self { mistakes, files }
    }

    /// All mistakes as text for a terminal of this width, with the lines they stand in. A line
    /// with a token or another secret is not shown.
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
        let mut out = String::new();
        for mistake in self.mistakes.iter().take(SHOWN) {
            let shown = Self::diagnostic(mistake, self.files.get(mistake.source));
            if handler.render_report(&mut out, shown.as_ref()).is_err() {
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
        let code = self.mistakes.first().map(|mistake| mistake.code);
        let code = code.map_or_else(String::new, |code| format!("[{code}]"));
        let (red, end) = if color {
            ("\u{1b}[31m", "\u{1b}[0m")
        } else {
            ("", "")
        };
        let _ = writeln!(
            out,
            "{red}error{code}:{end} {count} in {}; nothing was changed",
            files.join(", ")
        );
        out
    }

    /// One mistake in miette's terms.
    fn diagnostic(mistake: &Mistake, file: Option<&Guarded>) -> Report {
        let Mistake { line, column, .. } = mistake;
        let name = match line {
            0 => mistake.file.clone(),
            _ => format!("{}:{line}:{column}", mistake.file),
        };
        let mut diagnostic = MietteDiagnostic::new(&mistake.message);
        diagnostic.help.clone_from(&mistake.help);
        let text = file.filter(|_| *line > 0);
        let Some(text) = text.and_then(|file| file.shown(mistake.offset)) else {
            diagnostic.message = format!("{name}: {}", mistake.message);
            return Report::new(diagnostic);
        };
        let (start, end) = (mistake.offset, mistake.offset + mistake.length);
        // Only the first line of a place is underlined.
        let first = text.get(start..end).and_then(|text| text.lines().next());
        let place = start..start + first.map_or(0, str::len);
        let text = Arc::clone(text);
        Report::new(diagnostic.with_label(LabeledSpan::underline(place)))
            .with_source_code(SourceLine { name, text })
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

/// Shows the one line that a place stands in, or what is near the place if the line is long.
#[derive(Debug)]
struct SourceLine {
    name: String,
    text: Arc<str>,
}

impl SourceCode for SourceLine {
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
