//! The parts of a connection that need no server.

use std::io::Write;

use super::*;

#[test]
fn a_script_that_is_cut_anywhere_runs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let marker = directory.path().join("marker");
    let text = format!(
        "touch {}\ncat <<END\n}}\nEND\nif true; then\n  :\nfi\n",
        marker.display()
    );
    let whole = wrap(&text);
    let end = whole.rfind('}').unwrap();
    for cut in 0..whole.len() {
        let mut shell = std::process::Command::new("/bin/sh")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        shell
            .stdin
            .take()
            .unwrap()
            .write_all(&whole.as_bytes()[..cut])
            .unwrap();
        shell.wait().unwrap();
        // From the closing brace on the script has arrived in full.
        assert!(
            cut > end || !marker.exists(),
            "ran after {:?}",
            &whole[..cut]
        );
    }
}

#[test]
fn known_types_are_asked_for_first_and_sha1_never() {
    let names = |known: &[Algorithm]| {
        host_key_order(known)
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        names(&[Algorithm::Rsa { hash: None }]),
        "rsa-sha2-512 rsa-sha2-256 ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521"
    );
    assert_eq!(names(&[]).split(' ').next(), Some("ssh-ed25519"));
    assert!(names(&[Algorithm::Dsa]).starts_with("ssh-ed25519 "));
}
