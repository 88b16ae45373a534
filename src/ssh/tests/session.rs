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
fn lines_for_a_shell_pass_a_login_shell_as_one() {
    let text =
        "printf '%s\\n' \"a  b\\\\n!\"\nif read -r line; then\n  echo \"$line\"\n  exit 3\nfi\n";
    let line = on_one_line(text);
    assert!(!line.contains('\n'), "{line}");
    let mut shell = std::process::Command::new("/bin/sh")
        .args(["-c", &format!("exec /bin/sh{line}")])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(b"the file\n").unwrap();
    drop(stdin);
    let output = shell.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        (said.as_str(), output.status.code()),
        ("a  b\\n!\nthe file\n", Some(3))
    );
}
