//! What comes over SSH before it has a meaning, and who it is that sends it.

#![expect(
    clippy::missing_panics_doc,
    reason = "it is all that these functions do"
)]

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Output};

use russh::ChannelMsg;
use russh::keys::{Certificate, PublicKey};

use super::config::{ConfigFiles, SshConfig, parse};
use super::exchange::{LONGEST_ERRORS, Received, whole_characters};
use super::host_certificate::doubt;
use super::known_hosts::{KnownHostVerdict, Records, fingerprint, line};
use super::{Fingerprints, entry_name};
use crate::shell::{Batch, Reply, Script, decode, encode, end};

/// What no host can know beforehand: each has another one.
fn nonce(data: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    format!("towline_{:032x}", hasher.finish())
}

/// What a command says; with `|` between what arrives at once, by turns on standard output and on standard
/// error.
pub fn exchange(data: &[u8]) {
    let nonce = nonce(data);
    framed(&String::from_utf8_lossy(data), &nonce);
    received(data, &nonce);
    assert_eq!(
        decode(&format!("base64:{}", encode(data))).as_deref(),
        Some(data)
    );
}

fn framed(said: &str, nonce: &str) {
    let mut batch = Batch::new(nonce);
    batch.ask(&Script::new("true"));
    batch.ask(&Script::new("false"));
    assert_eq!(batch.replies(said), [None, None]);
    let (one, other) = said.split_at(said.floor_char_boundary(said.len() / 2));
    let stdout = format!(
        "{other}\n{nonce} begin 0\n{one}\n{nonce} error 0 0\n{other}\n{nonce} end 0\n\
         {other}\n{nonce} begin 1\n{other}\n{nonce} error 1 1\n{one}\n{nonce} end 1\n"
    );
    let reply = |status, stdout: &str, stderr: &str| {
        Some(Reply {
            status,
            stdout: stdout.to_owned(),
            stderr: end(stderr).to_owned(),
        })
    };
    let whole = [reply(0, one, other), reply(1, other, one)];
    assert_eq!(batch.replies(&stdout), whole);
    // A connection that ends early takes whole answers away, and changes none.
    for part in 1..8 {
        let cut = stdout.floor_char_boundary(stdout.len() * part / 8);
        for (reply, whole) in batch.replies(&stdout[..cut]).iter().zip(&whole) {
            assert!(reply.is_none() || reply == whole, "{reply:?}");
        }
    }
    for reply in whole.iter().flatten() {
        for (key, _) in reply.stdout.lines().filter_map(|line| line.split_once('=')) {
            assert_eq!(reply.value(key), reply.values(key).next(), "{key:?}");
        }
    }
}

fn received(data: &[u8], nonce: &str) {
    let mut received = Received::default();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    for (piece, nth) in data.split(|&byte| byte == b'|').zip(0..) {
        if nth % 2 == 0 {
            stdout.extend_from_slice(piece);
            let data = piece.to_vec().into();
            received.take(ChannelMsg::Data { data });
        } else {
            // The first ones come again and again, until not all of it is kept.
            let times = if nth < 8 {
                1 + 100_000 / (piece.len() + 1)
            } else {
                1
            };
            stderr.extend(piece.repeat(times));
            let data = piece.repeat(times).into();
            received.take(ChannelMsg::ExtendedData { data, ext: 1 });
        }
    }
    assert_eq!(received.stdout, stdout);
    let kept = whole_characters(&received.stderr);
    let most = stderr.len().min(LONGEST_ERRORS);
    assert!(stderr.ends_with(kept) && (most.saturating_sub(3)..=most).contains(&kept.len()));
    assert!(str::from_utf8(&stderr).is_err() || str::from_utf8(kept).is_ok());

    // The prompt of sudo is taken out where it stands, whatever is said around it.
    let prompt = format!("{nonce}_password:");
    let said = [data, prompt.as_bytes(), data].concat();
    received.stderr = said;
    assert!(received.without(&prompt) && received.stderr == data.repeat(2));
    assert!(!received.without(&prompt));
}

/// A key of no host.
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPnHkLDutjgjQHwMGDg81/uuCuP+sJR7S8wQ75Fo/sEV";

/// A `known_hosts` file, which others have written to as well; its first line is also taken for the name of a host.
pub fn known_hosts(data: &[u8]) {
    let key = PublicKey::from_openssh(KEY).expect("a key");
    let file = Path::new("known_hosts");
    let read = |content: &[u8]| {
        let mut records = Records::default();
        records.add(file, content);
        records
    };
    let said = String::from_utf8_lossy(data);
    let given = said.lines().next().unwrap_or_default();
    let lines = data.split(|&byte| byte == b'\n').count();
    let before = read(data);
    for (host, port) in [
        ("h1", 22),
        ("h1", 2222),
        ("fd00::1", 22),
        (given, 22),
        (given, 2222),
    ] {
        let verdict = before.verdict(host, port, &key);
        let types = before.known_types(host, port);
        match &verdict {
            KnownHostVerdict::Known => assert!(types.contains(&key.algorithm())),
            KnownHostVerdict::Unknown => {}
            KnownHostVerdict::OtherType { types: told, place } => {
                assert!(!types.is_empty() && !told.contains(&key.algorithm().to_string()));
                assert!((1..=lines).contains(&place.line));
            }
            KnownHostVerdict::Changed { place, known } => {
                assert!((1..=lines).contains(&place.line) && *known != fingerprint(&key));
            }
            KnownHostVerdict::Revoked(place) | KnownHostVerdict::RevokedAuthority { place, .. } => {
                assert!((1..=lines).contains(&place.line));
            }
        }
        let _authorities = before.authorities(host, port);
        for hashed in [false, true] {
            let Ok(line) = line(host, port, &key, hashed) else {
                assert!(host == given);
                continue;
            };
            assert!(
                line.ends_with('\n') && line.lines().count() == 1,
                "{line:?}"
            );
            let name = entry_name(host, port);
            assert_eq!(hashed, !line.starts_with(&format!("{name} ")), "{line:?}");
            let alone = read(line.as_bytes());
            assert_eq!(
                alone.verdict(host, port, &key),
                KnownHostVerdict::Known,
                "{line:?}"
            );
            assert_eq!(
                alone.verdict(&format!("not-{host}"), port, &key),
                KnownHostVerdict::Unknown,
                "{line:?}"
            );
            // Whatever else the file holds; but what is revoked stays so.
            let mut after = before.clone();
            after.add(file, line.as_bytes());
            match after.verdict(host, port, &key) {
                KnownHostVerdict::Known => {}
                KnownHostVerdict::Revoked(_) => assert_ne!(verdict, KnownHostVerdict::Unknown),
                other => panic!("{line:?}: {other:?}"),
            }
        }
    }
    let _listed = Fingerprints::read(&said);
}

/// The certificates of this authority that vouch for m1.example.org now: one by its name, one by a wildcard.
const SIGNED: [&[u8]; 2] = [
    include_bytes!("../corpus/host_certificate/signed"),
    include_bytes!("../corpus/host_certificate/wildcard"),
];
/// The authority's key. Its private half is gone.
const AUTHORITY: &str = "SHA256:v1lihwxRTP20gLv+ffg68qcyyAj/xGI7T0+gx3BZvAg";
/// A time at which the certificate is valid, in seconds since 1970.
const NOW: u64 = 1_800_000_000;

/// A host certificate as a host shows it.
pub fn host_certificate(data: &[u8]) {
    let Ok(certificate) = Certificate::from_bytes(data) else {
        return;
    };
    let authority = AUTHORITY.parse().expect("a fingerprint");
    for host in ["m1.example.org", "m2.example.com"] {
        match doubt(&certificate, host, &[authority], NOW) {
            None => {
                let bytes = certificate.to_bytes().expect("its bytes");
                assert!(SIGNED.contains(&&*bytes), "{certificate:?}");
                assert_eq!(host, "m1.example.org");
            }
            Some(why) => assert!(why.chars().count() < 400, "{why}"),
        }
        let stranger = doubt(&certificate, host, &[], NOW);
        assert!(stranger.is_some());
    }
    let _revoked = Records::default().revoked("m1.example.org", 22, &certificate);
}

/// What `ssh -G` prints.
pub fn ssh_config(data: &[u8]) {
    let files = ConfigFiles::Usual;
    let output = |status| Output {
        status: ExitStatus::from_raw(status),
        stdout: data.to_vec(),
        stderr: data.to_vec(),
    };
    let values = parse(&output(0), &files).expect("it succeeded");
    let lines = String::from_utf8_lossy(data).lines().count();
    assert!(values.values().map(Vec::len).sum::<usize>() <= lines);
    let config = SshConfig(values.clone());
    for (keyword, values) in &values {
        let is_plain = |letter: char| !letter.is_ascii_uppercase() && !" \n".contains(letter);
        assert!(keyword.chars().all(is_plain), "{keyword:?}");
        assert_eq!(config.get(keyword), Some(&*values[0]));
        assert_eq!(config.all(keyword), values);
    }
    let problem = parse(&output(256), &files).expect_err("it failed");
    assert!(problem.why.len() <= 5, "{problem:?}");
}
