//! The page of a code on a terminal.

use super::Style;
use super::wrap::wrap;
use crate::problem::Code;

/// How a problem with this code comes about, and what to do.
pub(super) fn text(code: Code, cause: &str, remedy: &str, width: usize, style: Style) -> String {
    let heading = style.bold(code.name());
    let (cause, remedy) = (plain(cause, width), plain(remedy, width));
    format!(
        "{heading}\n\n{cause}\n\n{}\n\n{remedy}",
        style.bold("What to do")
    )
}

/// Markdown as it is read on a terminal: paragraphs fill the width, code is indented.
fn plain(markdown: &str, width: usize) -> String {
    let paragraphs = markdown.split("\n\n").map(|paragraph| {
        match paragraph
            .strip_prefix("```")
            .and_then(|code| code.split_once('\n'))
        {
            Some((_, code)) => {
                let code = code.trim_end_matches("```").trim_end();
                format!("    {}", code.replace('\n', "\n    "))
            }
            None => wrap(&paragraph.replace('\n', " "), 0, Some(width)),
        }
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_fills_the_width_and_indents_commands() {
        let text = text(
            Code::UNIT_MASKED,
            "A unit is masked,\nso it does not start.",
            "As root:\n\n```sh\nsystemctl unmask UNIT\nreboot\n```",
            20,
            Style { color: false },
        );
        assert_eq!(
            text,
            "unit-masked\n\nA unit is masked, so\nit does not start.\n\nWhat to do\n\nAs root:\n\n    \
             systemctl unmask UNIT\n    reboot"
        );
    }
}
