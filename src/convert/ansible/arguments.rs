//! Lines of flags with references to variables.

use super::template::Evaluator;
use super::values;

/// As many references to whole lines may lead into each other.
const DEEPEST: usize = 8;

/// The words of a line of flags for a host; and the flags whose values are not known, with why.
pub(super) fn words(
    templates: &Evaluator<'_>,
    host: usize,
    text: &str,
) -> (Vec<String>, Vec<(String, String)>) {
    let mut words = Vec::new();
    let mut unresolved = Vec::new();
    let Some(split) = split(templates, host, text, 0) else {
        return (
            words,
            vec![("a quote".to_owned(), "is not closed".to_owned())],
        );
    };
    let mut split = split.into_iter().peekable();
    while let Some(word) = split.next() {
        let mut together = vec![word];
        if together[0].starts_with('-') && !together[0].contains('=') {
            together.extend(split.next_if(|next| !next.starts_with('-')));
        }
        let flag = together[0].split('=').next().unwrap_or_default().to_owned();
        let resolved: Result<Vec<_>, _> = together
            .into_iter()
            .map(|word| {
                let value = templates.resolve(host, &word.as_str().into())?;
                let text =
                    values::text(&value).ok_or("is a template whose value is not plain text")?;
                // A template on its own may stand for several flags, or for none.
                if word.starts_with("{{") {
                    shlex::split(&text).ok_or("has a quote that is not closed".to_owned())
                } else {
                    Ok(vec![text])
                }
            })
            .collect();
        match resolved {
            Ok(resolved) => words.extend(resolved.into_iter().flatten()),
            Err(why) if flag.starts_with("--") => unresolved.push((format!("`{flag}`"), why)),
            Err(why) => unresolved.push(("a part".to_owned(), why)),
        }
    }
    (words, unresolved)
}

/// Splits a line as a shell does, templates in one piece. A reference to nothing but another line
/// is that line.
fn split(templates: &Evaluator<'_>, host: usize, text: &str, depth: usize) -> Option<Vec<String>> {
    // A template holds spaces and quotes of its own: a sign that no flag holds stands for it.
    let mut held = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("{{") {
        let Some((inside, after)) = from.split_once("}}") else {
            break;
        };
        plain.push_str(before);
        plain.push('\u{1}');
        plain.push_str(&held.len().to_string());
        plain.push('\u{1}');
        held.push(inside.trim().to_owned());
        rest = after;
    }
    plain.push_str(rest);
    let mut words = Vec::new();
    for word in shlex::split(&plain)? {
        let parts: Vec<&str> = word.split('\u{1}').collect();
        let template = |index: &str| {
            index
                .parse::<usize>()
                .ok()
                .and_then(|index| held.get(index))
        };
        if let ["", only, ""] = parts[..]
            && depth < DEEPEST
            && let Some(line) = template(only).and_then(|name| templates.line(host, name))
        {
            words.extend(split(templates, host, &line, depth + 1)?);
            continue;
        }
        let mut whole = String::new();
        for (index, part) in parts.iter().enumerate() {
            match template(part).filter(|_| index % 2 == 1) {
                Some(inside) => whole.push_str(&format!("{{{{ {inside} }}}}")),
                None => whole.push_str(part),
            }
        }
        words.push(whole);
    }
    Some(words)
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
