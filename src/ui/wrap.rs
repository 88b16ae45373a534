//! Long lines in a narrow terminal, which would itself break them in the middle of words.

use dialoguer::console::measure_text_width;

/// A text in lines for a terminal of so many columns, if there is one, broken between words. Its
/// lines begin after so many blanks; those of the first are there already.
pub(super) fn wrap(text: &str, indent: usize, columns: Option<usize>) -> String {
    let room = columns.map_or(usize::MAX, |columns| {
        columns.saturating_sub(indent + 1).max(20)
    });
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words() {
        let text = "remove /etc/rancher/k3s, remove /var/lib/kubelet, empty /data";
        assert_eq!(wrap(text, 12, None), text);
        assert_eq!(wrap(text, 12, Some(100)), text);
        assert_eq!(
            wrap(text, 4, Some(40)),
            "remove /etc/rancher/k3s, remove\n    /var/lib/kubelet, empty /data"
        );
        let long = "a /a/path/that/is/longer/than/the/terminal b";
        assert_eq!(
            wrap(long, 2, Some(10)),
            "a\n  /a/path/that/is/longer/than/the/terminal\n  b"
        );
    }
}
