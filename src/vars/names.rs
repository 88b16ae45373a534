//! Which values are secrets, by the name of their key. The one definition of it: inventories, k3s's
//! configuration, differences of files, traces and the redactor ask here.

use serde_json::Value;

use super::Secret;

/// What names a secret wherever it stands in a key that is written without its dashes, dots and
/// underscores. The last three are k3s's own: `--vpn-auth` holds a joinKey, a datastore's endpoint
/// its password, and a kubeconfig the key of its user.
const WORDS: [&str; 14] = [
    "token",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "accesskey",
    "privatekey",
    "apikey",
    "authkey",
    "joinkey",
    "vpnauth",
    "datastoreendpoint",
    "clientkeydata",
];

/// Whole keys that name a secret.
const KEYS: [&str; 2] = ["auth", "authorization"];

/// Last words of keys that name a secret: `db_pass`.
const LAST_WORDS: [&str; 3] = ["pass", "pwd", "pw"];

/// How keys end that only say where a secret is, what it is called, or how secrets are handled.
const ABOUT: [&str; 7] = [
    "file",
    "path",
    "dir",
    "name",
    "ttl",
    "encryption",
    "encryptionprovider",
];

/// Whether the value of a key, flag or variable of this name is a secret. A misspelled `token`
/// counts, too.
pub fn names_a_secret(key: &str) -> bool {
    let last = key.trim_end_matches('+').rsplit(['-', '_', '.']).next();
    if last.is_some_and(|last| {
        LAST_WORDS
            .iter()
            .any(|word| last.eq_ignore_ascii_case(word))
    }) {
        return true;
    }
    let key: String = key
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    !ABOUT.iter().any(|end| key.ends_with(end))
        && (WORDS.iter().any(|word| key.contains(word))
            || KEYS.contains(&key.as_str())
            || strsim::osa_distance(&key, "token") < 2)
}

/// The secrets among keys with values, however deep. In a list of words like `key=value`, each word
/// counts for itself.
pub fn secrets_among<'a>(keys: impl IntoIterator<Item = (&'a String, &'a Value)>) -> Vec<Secret> {
    let mut found = Vec::new();
    for (key, value) in keys {
        collect(value, is_secret(key, value), &mut found);
    }
    found
}

/// A login under `auth` has a user, too, who is none.
fn is_secret(key: &str, value: &Value) -> bool {
    names_a_secret(key) && !(value.is_object() && KEYS.contains(&key))
}

fn collect(value: &Value, secret: bool, found: &mut Vec<Secret>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, secret, found)),
        Value::Object(keys) => keys
            .iter()
            .for_each(|(key, value)| collect(value, secret || is_secret(key, value), found)),
        Value::String(text) if secret => found.push(Secret::new(text)),
        // A token of digits is a number for YAML and text for k3s.
        Value::Number(number) if secret => found.push(Secret::new(&number.to_string())),
        Value::String(text) => {
            if let Some((key, value)) = text.split_once('=')
                && names_a_secret(key)
            {
                found.push(Secret::new(value));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_the_name_of_its_key() {
        for key in [
            "token",
            "toekn",
            "TOKEN",
            "agent-token",
            "agent-token+",
            "K3S_TOKEN",
            "K3S_AGENT_TOKEN",
            "vpn-auth",
            "K3S_VPN_AUTH",
            "joinKey",
            "datastore-endpoint",
            "K3S_DATASTORE_ENDPOINT",
            "AWS_SECRET_ACCESS_KEY",
            "aws_access_key_id",
            "etcd-s3-secret-key",
            "etcd-s3-access-key",
            "etcd-s3-session-token",
            "identity_token",
            "client-key-data",
            "db.password",
            "pass",
            "db_pass",
            "ROOT_PW",
            "auth",
        ] {
            assert!(names_a_secret(key), "{key}");
        }
        for key in [
            "token-file",
            "K3S_TOKEN_FILE",
            "agent_token_file",
            "vpn-auth-file",
            "node-ip",
            "server",
            "secrets-encryption",
            "secrets-encryption-provider",
            "secretName",
            "bootstrap-token-ttl",
            "anonymous-auth",
            "authorization-mode",
            "kubelet-arg",
            "bypass",
            "pass-through",
            "broken",
            "key",
        ] {
            assert!(!names_a_secret(key), "{key}");
        }
    }

    #[test]
    fn secrets_are_found_however_deep_they_are() {
        let keys: serde_json::Map<String, Value> = serde_json::from_str(
            r#"{"token": 123456, "tls-san": ["a"], "kube-apiserver-arg": ["etcd-password=one", "v=2"],
                "extra": {"deep": [{"password": "two"}]}, "vpn-auth": ["three"], "secrets-encryption": true}"#,
        )
        .expect("JSON");
        let found: Vec<_> = secrets_among(&keys)
            .iter()
            .map(|secret| secret.expose().to_owned())
            .collect();
        assert_eq!(found, ["123456", "one", "two", "three"]);
    }
}
