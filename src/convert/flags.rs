//! Flags of `k3s server` and `k3s agent`, as they are typed, made into keys of config.yaml.

use serde_json::Value;

use crate::distribution::k3s::arguments::SHORT;

/// The keys and values that a line of flags stands for, in their order; and the words that are no
/// flags.
pub(super) fn pairs(words: Vec<String>) -> (Vec<(String, Value)>, Vec<String>) {
    let mut pairs: Vec<(String, Value)> = Vec::new();
    let mut others = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let (flag, given) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (&*word, None),
        };
        let long = flag.strip_prefix("--").filter(|name| !name.is_empty());
        let short = || {
            let letter = flag.strip_prefix('-')?;
            let known = SHORT.iter().find(|(short, _)| *short == letter);
            known.map(|(_, long)| *long)
        };
        let Some(key) = long.or_else(short).map(str::to_owned) else {
            others.push(word);
            continue;
        };
        // No flag of k3s is followed by a word that is not its value.
        let given = given.or_else(|| words.next_if(|next| !next.starts_with('-')));
        let value = given.map_or(Value::Bool(true), |value| typed(&value));
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
            (
                "-d /srv/k3s -i 10.0.0.1 -l=/log",
                r#"[["data-dir","/srv/k3s"],["node-ip","10.0.0.1"],["log","/log"]] []"#,
            ),
            ("", "[] []"),
        ];
        for (line, wanted) in table {
            let (pairs, others) = pairs(shlex::split(line).expect("words"));
            let shown = format!("{} {}", serde_json::json!(pairs), serde_json::json!(others));
            assert_eq!(shown, wanted, "{line}");
        }
    }
}
