//! What is planted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What is planted, by what it is. `~` stands for letters that no other run has.
const PLANTED: [(&str, &str); 17] = [
    ("the servers' token", "Sv~.~$x+y/z=~"),
    ("the agents' token", "Ag~_~%7E"),
    ("a token of install", "In~-~"),
    ("a wrong token", "Wr~-~"),
    (
        "a secret of the environment",
        "S3 ~ \"q~\" 'a~' $HOME \\n~ ü",
    ),
    ("a secret of a variable", "Va~/~+"),
    ("a secret of two lines", "eins ~\nzwei ~"),
    ("the password of sudo", "sü ~ 'q~' \"$d~\" \\ %s"),
    ("the password to log in with", "pä ~ \"q~\" '$d~' `id` %20"),
    ("a wrong password of sudo", "no ~ $~"),
    ("a wrong password to log in with", "nein ~ %~"),
    ("the passphrase of the key", "key ~ 'x~' \"y~\""),
    ("a wrong passphrase", "no ~ key"),
    ("the password of a mirror", "mi~"),
    ("the password of a proxy", "px~"),
    ("the token of another cluster's user", "ot~.~"),
    ("a secret of a template", "tp~"),
];

/// Letters and digits that no other run has.
pub fn random() -> String {
    let letter = || char::from(b"abcdefghjkmnpqrstuvwxyz23456789"[rand::random_range(0..31)]);
    format!("k{}", (0..12).map(|_| letter()).collect::<String>() + "7")
}

/// What is planted, with letters of its own.
pub fn planted() -> BTreeMap<&'static str, String> {
    let fill = |text: &str| {
        let mut parts = text.split('~');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + &random() + part)
    };
    PLANTED
        .iter()
        .map(|(name, text)| (*name, fill(text)))
        .collect()
}

/// The part of a private key that nobody else has, of one in OpenSSH's format without a passphrase.
pub fn seed(key: &Path) -> Vec<u8> {
    let text = fs::read_to_string(key).unwrap();
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let private = STANDARD.decode(body).unwrap();
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    let public = STANDARD.decode(public.split(' ').nth(1).unwrap()).unwrap();
    let public = &public[public.len() - 32..];
    let at = private
        .windows(32)
        .rposition(|part| part == public)
        .unwrap();
    private[at - 32..at].to_vec()
}
