//! The flags of `k0s controller` and `k0s worker`: what an inventory says beside k0s.yaml, and what
//! stands in a unit.

use serde_json::Value;

use crate::distribution::Settings;
use crate::inventory::{Role, similar};

/// What follows a flag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    Value,
    /// Several, with commas between them.
    List,
    /// Arguments of another program, with blanks between them.
    Arguments,
}

use Takes::{Arguments, List, Nothing, Value as One};

/// Each flag, whether workers have it, too, and what follows it: pkg/config/cli.go and
/// cmd/internal/debug.go of v1.36.3.
const FLAGS: [(&str, bool, Takes); 29] = [
    ("api-server-stop-timeout", false, One),
    ("config", false, One),
    ("cri-socket", true, One),
    ("data-dir", true, One),
    ("debug", true, Nothing),
    ("debugListenOn", true, One),
    ("disable-components", false, List),
    ("enable-cloud-provider", true, Nothing),
    ("enable-dynamic-config", false, Nothing),
    ("enable-k0s-cloud-provider", false, Nothing),
    ("enable-metrics-scraper", false, Nothing),
    ("enable-worker", false, Nothing),
    ("feature-gates", false, List),
    ("ignore-pre-flight-checks", true, Nothing),
    ("iptables-mode", true, One),
    ("k0s-cloud-provider-port", false, One),
    ("k0s-cloud-provider-update-frequency", false, One),
    ("kube-controller-manager-extra-args", false, Arguments),
    ("kubelet-extra-args", true, Arguments),
    ("kubelet-root-dir", true, One),
    ("labels", true, List),
    ("logging", true, List),
    ("no-taints", false, Nothing),
    ("profile", true, One),
    ("single", false, Nothing),
    ("status-socket", true, One),
    ("taints", true, List),
    ("token-file", true, One),
    ("verbose", true, Nothing),
];

/// Short flags.
const SHORT: [(&str, &str); 4] = [
    ("-c", "config"),
    ("-d", "debug"),
    ("-l", "logging"),
    ("-v", "verbose"),
];

fn takes(key: &str) -> Option<Takes> {
    let mut all = FLAGS.iter();
    all.find_map(|(name, _, takes)| (*name == key).then_some(*takes))
}

/// Whether a role has this flag.
pub fn is_known(key: &str, role: Role) -> bool {
    let mut all = FLAGS.iter();
    all.any(|(name, worker, _)| *name == key && (*worker || role == Role::Server))
}

/// What was probably meant by a flag that a role does not have, as a sentence.
pub(super) fn instead(key: &str, role: Role) -> Option<String> {
    if role == Role::Agent && is_known(key, Role::Server) {
        return Some("only controllers have it: write it under  config:  of  cluster:".into());
    }
    let own = FLAGS.iter().map(|(name, ..)| *name);
    let meant = similar(key, own.filter(|name| is_known(name, role)))?;
    Some(format!("did you mean `{meant}`?"))
}

/// The words of a value: of a list, or of one text that stands in its place.
pub fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(words).collect(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| {
                words(value)
                    .into_iter()
                    .map(move |value| format!("{key}={value}"))
            })
            .collect(),
        Value::String(text) => vec![text.clone()],
        Value::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}

/// Settings as the words of a command line.
pub(super) fn command_line(settings: &Settings) -> Vec<String> {
    let word = |(key, value): (&String, &Value)| match value {
        Value::Bool(true) => Some(format!("--{key}")),
        Value::Bool(false) | Value::Null => None,
        value => {
            let between = match takes(key) {
                Some(Arguments) => " ",
                _ => ",",
            };
            Some(format!("--{key}={}", words(value).join(between)))
        }
    };
    settings.iter().filter_map(word).collect()
}

/// The settings that the words of a command line say.
pub(super) fn settings(line: &[String]) -> Settings {
    taken_apart(line).0
}

/// The same, and the words that are neither flags nor their values.
pub fn taken_apart(line: &[String]) -> (Settings, Vec<String>) {
    let (mut settings, mut others) = (Settings::new(), Vec::new());
    let mut line = line.iter();
    while let Some(word) = line.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let short = SHORT.iter().find(|(short, _)| *short == flag);
        let long = flag.strip_prefix("--").filter(|long| !long.is_empty());
        let Some(key) = short.map(|(_, long)| *long).or(long) else {
            others.push(word.clone());
            continue;
        };
        let value = match (takes(key), value) {
            (Some(Nothing), value) => Value::Bool(value.is_none_or(|value| is_true(&value))),
            (takes, value) => {
                let value = value.or_else(|| line.next().cloned()).unwrap_or_default();
                match takes {
                    Some(List) => {
                        let items = value.trim_matches(['[', ']']).split(',').map(Value::from);
                        let before = settings.remove(key);
                        let before = before.iter().flat_map(words).map(Value::from);
                        before.chain(items).collect()
                    }
                    _ => Value::String(value),
                }
            }
        };
        settings.insert(key.to_owned(), value);
    }
    (settings, others)
}

/// Whether a flag that needs no value is on with this one.
fn is_true(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "True" | "TRUE")
}

/// The settings that typed flags mean.
///
/// # Errors
/// As a sentence.
pub(super) fn typed(text: &str) -> Result<Settings, String> {
    let text = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let line = shlex::split(&text).ok_or("a quote is opened and not closed")?;
    let mut words = line.iter().peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--").filter(|flag| !flag.is_empty()) else {
            return Err(match word.strip_prefix('-') {
                Some(_) => format!("{word} is a short flag; write the long one"),
                None => format!("`{word}` belongs to no flag"),
            });
        };
        let has_value = flag.contains('=') || takes(flag) == Some(Nothing);
        if !has_value && words.next_if(|next| !next.starts_with("--")).is_none() {
            return Err(format!("--{flag} needs a value"));
        }
    }
    Ok(settings(&line))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_become_a_command_line_and_back() {
        let told: Settings = serde_json::from_value(json!({
            "data-dir": "/srv/k0s",
            "debug": false,
            "enable-worker": true,
            "kubelet-extra-args": ["--node-ip=10.0.0.1", "--max-pods=200"],
            "labels": ["disk=ssd", "rack=1"],
        }))
        .expect("settings");
        let line = command_line(&told);
        assert_eq!(
            line,
            [
                "--data-dir=/srv/k0s",
                "--enable-worker",
                "--kubelet-extra-args=--node-ip=10.0.0.1 --max-pods=200",
                "--labels=disk=ssd,rack=1",
            ]
        );
        let back = settings(&line);
        assert_eq!(back["labels"], json!(["disk=ssd", "rack=1"]));
        assert_eq!(back["enable-worker"], json!(true));
        assert_eq!(command_line(&back), line);
        let apart = "k0s controller --data-dir /srv/k0s -c /k --enable-worker --single=false --labels a=b --labels=c=d,e=f";
        let apart: Vec<_> = apart.split(' ').map(str::to_owned).collect();
        assert_eq!(
            json!(settings(&apart)),
            json!({"config": "/k", "data-dir": "/srv/k0s", "enable-worker": true, "single": false, "labels": ["a=b", "c=d", "e=f"]})
        );
    }

    #[test]
    fn a_flag_is_known_to_its_role_and_a_slip_is_recognised() {
        assert!(is_known("no-taints", Role::Server) && !is_known("no-taints", Role::Agent));
        for (key, role, said) in [
            ("profil", Role::Agent, Some("did you mean `profile`?")),
            (
                "disable-components",
                Role::Agent,
                Some("only controllers have it: write it under  config:  of  cluster:"),
            ),
            ("something-else", Role::Server, None),
        ] {
            assert_eq!(instead(key, role).as_deref(), said, "{key}");
        }
    }
}
