//! The tokens by which hosts join: bootstrap tokens of Kubernetes, in a kubeconfig that pins the
//! cluster's CA. A running cluster has none; those of a run are made with it and taken back at its end.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::Rng as _;
use serde_json::json;

use crate::distribution::JoinToken;
use crate::facts::Facts;
use crate::inventory::Role;
use crate::shell::Script;
use crate::vars::Secret;

/// A token for workers and one for controllers, each `ID.SECRET` of 6 and 16 characters.
pub(super) fn generate() -> Vec<Secret> {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    let mut letters = |count| -> String {
        let letter = |_| char::from(LETTERS[random.random_range(0..LETTERS.len())]);
        (0..count).map(letter).collect()
    };
    let mut token = || Secret::new(&format!("{}.{}", letters(6), letters(16)));
    vec![token(), token()]
}

/// What a host joins with: a kubeconfig for that user at that address, packed as k0s reads it.
/// `authority` is the cluster's CA, PEM in base64.
pub(super) fn join_token(user: &str, server: &str, authority: &str, token: &Secret) -> String {
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "k0s", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "contexts": [{"name": "k0s", "context": {"cluster": "k0s", "user": user}}],
        "current-context": "k0s",
        "users": [{"name": user, "user": {"token": token.expose()}}],
    });
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to memory does not fail.
    let written = packed.write_all(kubeconfig.to_string().as_bytes());
    STANDARD.encode(written.and_then(|()| packed.finish()).unwrap_or_default())
}

/// The token by which hosts of a role join a controller's cluster, for an hour.
pub(super) fn made(facts: &Facts, role: Role) -> JoinToken {
    if facts.node.datastore.is_none() {
        let data = &facts.node.data_dir;
        return JoinToken::Missing(format!("no controller of a cluster has run in {data}"));
    }
    let role = match role {
        Role::Server => "controller",
        Role::Agent => "worker",
    };
    let make = format!("timeout 30 /usr/local/bin/k0s token create --role={role} --expiry=1h");
    // Packed, it is in no log.
    let script = format!(
        "token=$({make}) || exit\necho \"token=$(printf base64:; printf %s \"$token\" | base64 | tr -d '\\n')\""
    );
    JoinToken::Made(Script::new(script).within(Duration::from_secs(40)))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn tokens_have_the_form_of_bootstrap_tokens_and_are_random() {
        let all = [generate(), generate()].concat();
        let texts: std::collections::BTreeSet<_> = all.iter().map(Secret::expose).collect();
        assert_eq!(texts.len(), 4);
        for text in texts {
            let (id, secret) = text.split_once('.').expect("two parts");
            assert_eq!((id.len(), secret.len()), (6, 16));
            let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
            assert!(id.chars().chain(secret.chars()).all(plain), "{text}");
        }
    }

    #[test]
    fn a_host_gets_a_kubeconfig_that_pins_the_ca() {
        let token = Secret::new("abcdef.0123456789abcdef");
        let text = join_token("kubelet-bootstrap", "https://10.0.0.1:6443", "Q0E=", &token);
        assert!(text.starts_with("H4sI"), "{text}");
        let packed = STANDARD.decode(text).expect("base64");
        let mut kubeconfig = String::new();
        let mut reader = flate2::read::GzDecoder::new(&*packed);
        reader.read_to_string(&mut kubeconfig).expect("gzip");
        for part in [
            "\"kubelet-bootstrap\"",
            "\"https://10.0.0.1:6443\"",
            "\"Q0E=\"",
            token.expose(),
        ] {
            assert!(kubeconfig.contains(part), "{kubeconfig}");
        }
    }
}
