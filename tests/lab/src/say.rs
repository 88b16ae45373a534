//! The only place that prints: results on standard output, progress on standard error.

use std::io::Write;

/// A result, for whoever asked for it.
#[expect(
    clippy::print_stdout,
    reason = "the one place where the lab's command answers"
)]
pub fn result(text: &str) {
    println!("{text}");
}

/// What every run must say, also a run of tests, whose other output is caught until one fails.
pub fn aloud(text: &str) {
    let _ = writeln!(std::io::stderr(), "lab: {text}");
}

/// What goes on, for whoever waits. In a test it is shown only when the test fails.
#[expect(
    clippy::print_stderr,
    reason = "the one place where the lab reports progress"
)]
pub fn progress(text: &str) {
    eprintln!("lab: {text}");
}
