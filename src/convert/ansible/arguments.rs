//! Lines of flags with references to variables.

use super::template::{Evaluator, unknown};

/// Flags whose values are not known, as they are listed, with the reason.
type Unresolved = Vec<(String, String)>;

/// The words of a line of flags for a host, without the flags whose values are not known.
pub(super) fn words(
    templates: &Evaluator<'_>,
    host: usize,
    text: &str,
) -> Result<(Vec<String>, Unresolved), String> {
    let mut reasons = Vec::new();
    let line = templates.line(host, text, 0, &mut reasons)?;
    let split = shlex::split(&line).ok_or("has a quote that is not closed")?;
    let (mut words, mut unresolved) = (Vec::new(), Vec::new());
    let mut split = split.into_iter().peekable();
    while let Some(word) = split.next() {
        let mut together = vec![word];
        if together[0].starts_with('-') && !together[0].contains('=') {
            together.extend(split.next_if(|next| !next.starts_with('-')));
        }
        let Some(why) = together.iter().find_map(|word| unknown(word, &reasons)) else {
            words.append(&mut together);
            continue;
        };
        let flag = together[0].split('=').next().unwrap_or_default();
        let is_known = flag.starts_with("--") && unknown(flag, &reasons).is_none();
        let flag = if is_known {
            format!("`{flag}`")
        } else {
            "a part".to_owned()
        };
        unresolved.push((flag, why.clone()));
    }
    Ok((words, unresolved))
}

/// YAML in which values that begin with a template have quotes, which Ansible needs only where the
/// YAML is its own.
pub(super) fn with_quotes(text: &str) -> String {
    let quoted = |line: &str| {
        let at = line.find("{{")?;
        let (before, value) = line.split_at(at);
        let begins = before.ends_with(": ") || before.ends_with("- ");
        begins.then(|| format!("{before}'{}'", value.trim_end().replace('\'', "''")))
    };
    text.lines()
        .map(|line| quoted(line).unwrap_or_else(|| line.to_owned()) + "\n")
        .collect()
}
