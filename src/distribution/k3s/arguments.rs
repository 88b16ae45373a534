//! k3s's command line: the words that the user types or that stand in a unit, and the keys of
//! config.yaml that they mean.
//!
//! k3s reads config.yaml by turning every key into the long flag of that name, so each long flag
//! has its key.

use serde_json::{Number, Value};

use super::flags::{is_list, is_switch};
use crate::distribution::Settings;

/// Short flags and the long ones that they stand for.
pub const SHORT: [(&str, &str); 8] = [
    ("t", "token"),
    ("s", "server"),
    ("d", "data-dir"),
    ("o", "write-kubeconfig"),
    ("c", "config"),
    ("i", "node-ip"),
    ("l", "log"),
    ("v", "v"),
];

/// What may stand in a command line besides long flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortFlags {
    /// The user types it now: the long form is asked for.
    Refused,
    /// It stands in a unit and has been working.
    Understood,
}

/// Words that are no flags of k3s.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotArguments {
    /// A quote is opened and not closed.
    #[error("a quote is opened and not closed")]
    Quotes,
    /// A word that belongs to no flag.
    #[error("`{0}` belongs to no flag")]
    Loose(String),
    /// A short flag, with the long one if there is one.
    #[error("-{short} is a short flag{}", .long.as_ref().map(|long| format!("; write --{long}")).unwrap_or_default())]
    Short {
        /// The short flag, without its dash.
        short: String,
        /// The long one, with its value where it is no secret.
        long: Option<String>,
    },
    /// A flag that needs a value and has none.
    #[error("--{0} needs a value (a switch that towline does not know is written --{0}=true)")]
    NoValue(String),
    /// A switch with a value that is neither true nor false.
    #[error("--{0} is either true or false")]
    Switch(String),
    /// A flag's name that cannot be one.
    #[error("`{0}` cannot be a flag")]
    Name(String),
}

/// Words as a POSIX shell would divide them. In quotes it leaves the backslash that continues a line.
pub fn words(text: &str) -> Result<Vec<String>, NotArguments> {
    let text = text.replace("\\\r\n", " ").replace("\\\n", " ");
    shlex::split(&text).ok_or(NotArguments::Quotes)
}

/// The settings that typed flags mean.
///
/// # Errors
/// As a sentence.
pub fn typed(text: &str) -> Result<Settings, String> {
    let settings = words(text).and_then(|words| settings(&words, ShortFlags::Refused));
    settings.map_err(|error| error.to_string())
}

/// The settings that command-line words mean. A flag that is repeated and not a list has its last
/// value.
pub fn settings(words: &[String], short: ShortFlags) -> Result<Settings, NotArguments> {
    let mut settings = Settings::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let (flag, given) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => (flag, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let key = match flag.strip_prefix("--") {
            Some(key) => key.to_owned(),
            None => match flag.strip_prefix('-') {
                // Go's flags take a long name behind one dash, too.
                Some(key) if key.len() > 1 => key.to_owned(),
                Some(key) => {
                    let value = given.as_ref().or(words.peek().copied());
                    long(key, value, short)?.to_owned()
                }
                None => return Err(NotArguments::Loose(word.clone())),
            },
        };
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if key.is_empty() || key.starts_with('-') || !key.bytes().all(is_name) {
            return Err(NotArguments::Name(word.clone()));
        }
        // k3s had it before its servers decided the backend, and people still type it.
        if key == "no-flannel" {
            settings.insert("flannel-backend".to_owned(), Value::String("none".into()));
            continue;
        }
        if is_switch(&key) {
            let value = match given.as_deref() {
                None | Some("true" | "1" | "t" | "T" | "TRUE" | "True") => true,
                Some("false" | "0" | "f" | "F" | "FALSE" | "False") => false,
                Some(_) => return Err(NotArguments::Switch(key)),
            };
            settings.insert(key, Value::Bool(value));
            continue;
        }
        let value = match given {
            Some(value) => value,
            None => match words.next_if(|next| !next.starts_with("--")) {
                Some(value) => value.clone(),
                None => return Err(NotArguments::NoValue(key)),
            },
        };
        // `no-deploy` went with k3s 1.25, and stands in many people's notes.
        let key = if key == "no-deploy" {
            "disable".to_owned()
        } else {
            key
        };
        add(&mut settings, key, &value);
    }
    Ok(settings)
}

fn long(
    short: &str,
    value: Option<&String>,
    allowed: ShortFlags,
) -> Result<&'static str, NotArguments> {
    let known = SHORT.iter().find(|(own, _)| *own == short);
    match (known, allowed) {
        (Some((_, long)), ShortFlags::Understood) => Ok(long),
        (known, _) => Err(NotArguments::Short {
            short: short.to_owned(),
            long: known.map(|(_, long)| match value {
                Some(value) if *long == "v" => format!("v={value}"),
                _ => (*long).to_owned(),
            }),
        }),
    }
}

fn add(settings: &mut Settings, key: String, value: &str) {
    if !is_list(&key) {
        settings.insert(key, scalar(value));
        return;
    }
    // What is passed on to another program may hold commas of its own.
    let values: Vec<Value> = if key.ends_with("-arg") {
        vec![Value::String(value.to_owned())]
    } else {
        value
            .split(',')
            .map(|one| Value::String(one.trim().to_owned()))
            .collect()
    };
    match settings
        .entry(key)
        .or_insert_with(|| Value::Array(Vec::new()))
    {
        Value::Array(list) => list.extend(values.into_iter().filter(|value| value != "")),
        other => *other = Value::Array(values),
    }
}

/// A number where writing the number gives the same text again.
fn scalar(value: &str) -> Value {
    match value.parse::<i64>() {
        Ok(number) if number.to_string() == value => Value::Number(Number::from(number)),
        _ => Value::String(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(text: &str) -> Result<Value, NotArguments> {
        settings(&words(text)?, ShortFlags::Refused).map(|settings| json!(settings))
    }

    #[test]
    fn long_flags_become_keys() {
        let table = [
            ("", json!({})),
            (
                "--disable traefik --disable=servicelb,metrics-server",
                json!({"disable": ["traefik", "servicelb", "metrics-server"]}),
            ),
            (
                "--docker --secrets-encryption=false --flannel-backend none",
                json!({"docker": true, "secrets-encryption": false, "flannel-backend": "none"}),
            ),
            (
                "--kubelet-arg 'eviction-hard=memory.available<5%,nodefs.available<10%' --kubelet-arg=max-pods=200",
                json!({"kubelet-arg": ["eviction-hard=memory.available<5%,nodefs.available<10%", "max-pods=200"]}),
            ),
            (
                "--etcd-snapshot-retention 5 --write-kubeconfig-mode 0644",
                json!({"etcd-snapshot-retention": 5, "write-kubeconfig-mode": "0644"}),
            ),
            ("--no-deploy traefik", json!({"disable": ["traefik"]})),
            (
                "--no-flannel --docker",
                json!({"flannel-backend": "none", "docker": true}),
            ),
            (
                "--disable traefik \\\n  --docker\\\r\n --debug",
                json!({"disable": ["traefik"], "docker": true, "debug": true}),
            ),
            (
                "--airgap-extra-registry a.example.org --airgap-extra-registry b.example.org",
                json!({"airgap-extra-registry": ["a.example.org", "b.example.org"]}),
            ),
            (r#"--node-name "my node""#, json!({"node-name": "my node"})),
            (
                "--v 4 --flannel-iface -x",
                json!({"v": 4, "flannel-iface": "-x"}),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(parsed(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_flag_is_named() {
        let table = [
            (
                "--disable",
                "--disable needs a value (a switch that towline does not know is written --disable=true)",
            ),
            (
                "--new --docker",
                "--new needs a value (a switch that towline does not know is written --new=true)",
            ),
            ("-t secret", "-t is a short flag; write --token"),
            ("-v 4", "-v is a short flag; write --v=4"),
            ("-v=6", "-v is a short flag; write --v=6"),
            ("-x 1", "-x is a short flag"),
            ("traefik", "`traefik` belongs to no flag"),
            ("--docker yes", "`yes` belongs to no flag"),
            ("--docker=maybe", "--docker is either true or false"),
            ("--node-name 'a", "a quote is opened and not closed"),
            ("--$(reboot)", "`--$(reboot)` cannot be a flag"),
        ];
        for (text, words) in table {
            let error = parsed(text).expect_err(text);
            assert_eq!(error.to_string(), words);
        }
    }

    #[test]
    fn a_unit_may_have_short_flags() {
        let words = words("-t secret -s https://10.0.0.1:6443 --debug").unwrap();
        assert_eq!(
            settings(&words, ShortFlags::Understood).map(|settings| json!(settings)),
            Ok(json!({"token": "secret", "server": "https://10.0.0.1:6443", "debug": true}))
        );
    }
}
