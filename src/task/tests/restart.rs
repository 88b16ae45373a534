//! Which invocation of a unit is restarted.

use super::*;

/// A systemctl that says what it is told to say, and notes what it does.
const SYSTEMCTL: &str = r#"#!/bin/sh
cd "${0%/*}"
case "$*" in
*InvocationID*) cat invocation ;;
*NeedDaemonReload*) cat unread ;;
*) echo "$*" >>done ;;
esac
"#;

#[test]
fn a_unit_that_runs_anew_is_not_restarted_once_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = quote(&folder.path().to_string_lossy());
    let write =
        |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    // What this process has open for writing, no other can run.
    let made = format!("cat >{at}/systemctl <<'END'\n{SYSTEMCTL}END\nchmod 755 {at}/systemctl\n");
    assert!(
        shell(&made)
            .wait_with_output()
            .expect("sh ends")
            .status
            .success()
    );
    let service = Task::Service(Service {
        unit: "k3s".into(),
        newer_than: Vec::new(),
        ready: None,
        journal: None,
        diagnose: None,
        kubectl: "/usr/local/bin/k3s kubectl",
        own: None,
        quorum: None,
        timeout: std::time::Duration::from_mins(1),
    });
    let seen = Reply {
        status: 0,
        stdout: "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n\
                 Job=0\nNeedDaemonReload=yes\nInvocationID=one\n"
            .into(),
        stderr: String::new(),
    };
    let Ok(Verdict::Drifted(remedy)) = service.judge(&seen, &Changes::default()) else {
        panic!("it does not differ");
    };
    for (invocation, unread, restarts) in [
        ("one", "no", true),
        // Another run has restarted it.
        ("two", "no", false),
        // It has ended and was started by systemd, which still has not read its files.
        ("two", "yes", true),
    ] {
        write("invocation", invocation);
        write("unread", unread);
        write("done", "");
        let [Action::Run(script)] = remedy.actions.as_slice() else {
            panic!("not one script");
        };
        let text = format!("PATH={at}:$PATH\n{}", unlocked(script, folder.path()).text);
        let output = shell(&text).wait_with_output().expect("sh ends");
        assert!(output.status.success(), "{output:?}");
        let done = fs::read_to_string(folder.path().join("done")).expect("read");
        let has_restarted = done.contains("restart --no-block k3s");
        assert_eq!(has_restarted, restarts, "{invocation} {unread}: {done}");
    }
}
