//! The values of a Kubernetes Secret in a manifest, whatever their keys are called.

use super::Hole;

/// The keys of a Secret that hold its values.
const VALUES: [&str; 2] = ["data", "stringData"];

/// What must not be shown of the Secrets in a text: what is behind `data` and `stringData` in each document that
/// has one. A document that does not say its kind may be the beginning of one.
pub(super) fn secrets(text: &str) -> Vec<Hole> {
    let mut holes = Vec::new();
    if !VALUES.iter().any(|key| text.contains(key)) {
        return holes;
    }
    let mut start = 0;
    for document in documents(text) {
        if may_be_secret(document) {
            values(document, start, &mut holes);
        }
        start += document.len();
    }
    holes
}

fn documents(text: &str) -> Vec<&str> {
    let (mut documents, mut start, mut at) = (Vec::new(), 0, 0);
    for line in text.split_inclusive('\n') {
        if line.starts_with("---") {
            documents.push(&text[start..at]);
            start = at;
        }
        at += line.len();
    }
    documents.push(&text[start..]);
    documents
}

/// Where a key's value begins, if the key stands here: it may be quoted, and stand in a list or in braces.
fn value_of(line: &str, key: &str) -> Option<usize> {
    line.match_indices(key).find_map(|(at, _)| {
        let before = line[..at].trim_end_matches(['"', '\'']);
        let is_whole = before.is_empty() || before.ends_with([' ', '{', ',', '[', '\t']);
        let rest = line[at + key.len()..].trim_start_matches(['"', '\'']);
        let value = rest.trim_start().strip_prefix(':')?;
        is_whole.then(|| line.len() - value.len())
    })
}

fn may_be_secret(document: &str) -> bool {
    let kinds = document.lines().filter_map(|line| {
        let value = &line[value_of(line, "kind")?..];
        Some(value.trim_start().trim_start_matches(['"', '\'']))
    });
    let kinds: Vec<_> = kinds.collect();
    // A sentence may say something of data, too.
    let begins = |line: &str| {
        let line = line.trim_start_matches([' ', '-', '{', '"']);
        VALUES.iter().any(|key| line.starts_with(key))
    };
    kinds.iter().any(|kind| kind.starts_with("Secret"))
        || kinds.is_empty() && document.lines().any(begins)
}

/// Everything that is indented deeper than such a key, without the keys themselves where a line has one.
fn values(document: &str, mut start: usize, holes: &mut Vec<Hole>) {
    // The column of the key whose values these lines are, and that of the first line below it.
    let mut open: Option<(usize, Option<usize>)> = None;
    for line in document.split_inclusive('\n') {
        let content = line.trim_end();
        let indentation = content.len() - content.trim_start().len();
        let mut hide = |from: usize, key: &str| {
            let from = from + content[from..].len() - content[from..].trim_start().len();
            if from < content.len() {
                holes.push(Hole {
                    range: start + from..start + content.len(),
                    key: key.to_owned(),
                });
            }
        };
        match &mut open {
            Some(_) if content.is_empty() => {}
            Some((column, first)) if indentation > *column => {
                let first = *first.get_or_insert(indentation);
                let own = content.split_once(':').filter(|_| indentation == first);
                // A key in quotes may hold a colon: then all of the line is hidden.
                let own = own.filter(|(key, _)| key.matches('"').count() != 1);
                match own {
                    Some((key, _)) => hide(key.len() + 1, key.trim()),
                    None => hide(indentation, "data"),
                }
            }
            _ => {
                open = None;
                for key in VALUES {
                    if let Some(value) = value_of(content, key) {
                        hide(value, key);
                        let list = content.len() - content.trim_start_matches([' ', '-']).len();
                        open = Some((list, None));
                        break;
                    }
                }
            }
        }
        start += line.len();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{masked, masked_pair};

    #[test]
    fn the_values_of_a_secret_are_hidden_and_those_of_other_objects_are_not() {
        let text = "kind: ConfigMap\ndata:\n  a: plain\n---\napiVersion: v1\ndata:\n  one: aHVudGVy\n  two: |\n    hunter\n\n    hunter\nkind: Secret\n\
                    stringData: {x: hunter, y: hunter}\n---\n- kind: Secret\n  stringData:\n    url: hunter\n  type: Opaque\n---\n\
                    {\"kind\": \"Secret\", \"data\": {\"a\": \"hunter\"}}\n---\n{\n  \"kind\": \"Secret\",\n  \"data\": {\n    \"a\": \"hunter\"\n  },\n  \"type\": \"x\"\n}\n";
        let shown = masked(text);
        assert!(
            !shown.contains("hunter") && !shown.contains("aHVudGVy"),
            "{shown}"
        );
        for kept in [
            "a: plain",
            "one: ***",
            "type: Opaque",
            "\"type\": \"x\"",
            "kind: Secret",
        ] {
            assert!(shown.contains(kept), "{kept}: {shown}");
        }
        assert_eq!(shown.lines().count(), text.lines().count());
    }

    #[test]
    fn a_beginning_that_does_not_say_its_kind_may_be_a_secret() {
        assert_eq!(masked("data:\n  a: hunter\n"), "data:\n  a: ***\n");
        assert_eq!(masked("data-dir: /srv\n"), "data-dir: /srv\n");
        let (_, new) = masked_pair(
            "kind: Secret\ndata:\n  a: old\n",
            "kind: Secret\ndata:\n  a: new\n",
        );
        assert_eq!(new, "kind: Secret\ndata:\n  a: *** (changed)\n");
    }
}
