//! Flags of `k3s server` and `k3s agent`, as they are typed, made into keys of config.yaml.

use serde_json::Value;

/// The flags that have one letter.
const SHORT: [(&str, &str); 6] = [
    ("c", "config"),
    ("d", "data-dir"),
    ("o", "write-kubeconfig"),
    ("s", "server"),
    ("t", "token"),
    ("v", "v"),
];

/// The keys and values that a line of flags stands for, in their order; and the words that are no
/// flags.
pub(super) fn pairs(words: Vec<String>) -> (Vec<(String, Value)>, Vec<String>) {
    let mut pairs: Vec<(String, Value)> = Vec::new();
    let mut others = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let long = word.strip_prefix("--").filter(|name| !name.is_empty());
        let short = || {
            let letter = word.strip_prefix('-')?;
            let known = SHORT.iter().find(|(short, _)| *short == letter);
            known.map(|(_, long)| *long)
        };
        let Some(flag) = long.or_else(short) else {
            others.push(word);
            continue;
        };
        let (key, value) = match flag.split_once('=') {
            Some((key, value)) => (key.to_owned(), typed(value)),
            // No flag of k3s is followed by a word that is not its value.
            None => match words.next_if(|next| !next.starts_with('-')) {
                Some(value) => (flag.to_owned(), typed(&value)),
                None => (flag.to_owned(), Value::Bool(true)),
            },
        };
        match pairs.iter_mut().find(|(known, _)| *known == key) {
            Some((_, Value::Array(values))) => values.push(value),
            Some((_, before)) => *before = Value::Array(vec![before.take(), value]),
            None => pairs.push((key, value)),
        }
    }
    (pairs, others)
}

/// A value as it stands in config.yaml.
fn typed(text: &str) -> Value {
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match text.parse::<u32>() {
            Ok(number) if number.to_string() == text => number.into(),
            _ => text.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_keys() {
        let table = [
            (
                "--disable traefik --disable=servicelb",
                r#"[["disable",["traefik","servicelb"]]] []"#,
            ),
            (
                "--secrets-encryption --debug --kubelet-arg max-pods=200",
                r#"[["secrets-encryption",true],["debug",true],["kubelet-arg","max-pods=200"]] []"#,
            ),
            (
                "--https-listen-port 7443 -v 2 --docker=false",
                r#"[["https-listen-port",7443],["v",2],["docker",false]] []"#,
            ),
            ("server -x --", r#"[] ["server","-x","--"]"#),
            ("-d /srv/k3s", r#"[["data-dir","/srv/k3s"]] []"#),
            ("", "[] []"),
        ];
        for (line, wanted) in table {
            let (pairs, others) = pairs(shlex::split(line).expect("words"));
            let shown = format!("{} {}", serde_json::json!(pairs), serde_json::json!(others));
            assert_eq!(shown, wanted, "{line}");
        }
    }
}
