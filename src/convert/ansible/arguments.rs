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

/// What hides the letters of a template from the rules of a shell: a plane that no flag has letters of.
const HIDDEN: u32 = 0xf_0000;

/// Splits a line as a shell does, templates in one piece. A reference to nothing but another line
/// is that line.
fn split(templates: &Evaluator<'_>, host: usize, text: &str, depth: usize) -> Option<Vec<String>> {
    let moved = |letter: char, by: fn(u32, u32) -> u32| {
        char::from_u32(by(u32::from(letter), HIDDEN)).unwrap_or(letter)
    };
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("{{") {
        let Some((inside, after)) = from.split_once("}}") else {
            break;
        };
        let template = format!("{{{{ {} }}}}", inside.trim());
        plain.push_str(before);
        plain.extend(
            template
                .chars()
                .map(|letter| moved(letter, |one, two| one + two)),
        );
        rest = after;
    }
    plain.push_str(rest);
    let mut words = Vec::new();
    for word in shlex::split(&plain)? {
        let word: String = word
            .chars()
            .map(|letter| moved(letter, |one, two| one.checked_sub(two).unwrap_or(one)))
            .collect();
        let name = word
            .strip_prefix("{{ ")
            .and_then(|word| word.strip_suffix(" }}"));
        match name.and_then(|name| templates.line(host, name)) {
            Some(line) if depth < DEEPEST => {
                words.extend(split(templates, host, &line, depth + 1)?);
            }
            _ => words.push(word),
        }
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
