//! Colours. Everything is readable without them; each has one meaning.

/// Whether and how text is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Whether there are colours at all.
    pub color: bool,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Failures.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// What is good.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// What wants attention.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// Names of hosts.
    pub fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// Headings.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// What may be skipped.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }
}
