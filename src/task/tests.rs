//! The scripts of tasks in a real shell, with unexpected names and contents.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};

use proptest::prelude::*;

use super::*;
use crate::shell::{Batch, LOCK, LOCKED, acting, quote};

mod restart;

/// What tasks write belongs to root; without root their scripts cannot be tried, and are not taken
/// for right.
fn needs_root() {
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    assert!(
        is_root,
        "this test writes files that belong to root: run it as root, as CI does"
    );
}

fn shell(text: &str) -> Child {
    use std::io::Write as _;
    let mut child = Process::new("sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(text.as_bytes()).expect("written");
    child
}

/// A script with a lock of its own, so that tests do not wait for each other.
fn unlocked(script: &Script, folder: &Path) -> Script {
    let lock = quote(&folder.join(".lock").to_string_lossy());
    Script::new(script.text.replace(LOCK, &lock)).within(script.timeout)
}

/// Does what a verdict says, and asks the question after it in the same exchange.
fn exchange(actions: &[Action], question: &Script, folder: &Path) -> Vec<Reply> {
    let mut batch = Batch::new("n0nce");
    for action in actions {
        match action {
            Action::Run(script) => batch.act(&unlocked(script, folder)),
            Action::Put(_) => panic!("not a script"),
        }
    }
    batch.ask(question);
    let output = shell(&batch.script().text)
        .wait_with_output()
        .expect("sh ends");
    let replies = batch.replies(&String::from_utf8_lossy(&output.stdout));
    replies
        .into_iter()
        .map(|reply| reply.expect("answered"))
        .collect()
}

/// Whether a task is judged to have drifted, and converged once its remedy was applied.
fn converges(task: &Task, folder: &Path) -> Result<(), TestCaseError> {
    let nothing = Changes::default();
    let seen = exchange(&[], &task.probe(), folder);
    let Ok(Verdict::Drifted(remedy)) = task.judge(&seen[0], &nothing) else {
        return Err(TestCaseError::fail(format!("it does not differ: {seen:?}")));
    };
    let replies = exchange(&remedy.actions, &task.probe(), folder);
    prop_assert_eq!(replies[0].status, 0, "{:?}", replies);
    prop_assert_eq!(
        task.judge(&replies[1], &nothing),
        Ok(Verdict::Converged),
        "{:?}",
        replies
    );
    Ok(())
}

/// Names of files with quotes, blanks, signs and newlines in them.
fn name() -> impl Strategy<Value = String> {
    let usual = "[^/\\x00]{1,40}";
    let evil = prop_oneof![
        Just("-rf".to_owned()),
        Just("$(touch pwned)'\"`".to_owned()),
        Just("a\nTOWLINE_ACTION\nTOWLINE_CONTENT\nn0nce_0".to_owned()),
        Just("*? [x] {a,b} ~".to_owned()),
    ];
    prop_oneof![3 => usual.prop_map(|name| format!("f{name}")), 1 => evil]
}

fn left_behind(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    names.filter(|name| name.contains(".towline.")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_file_arrives_as_it_is(
        name in name(),
        content in "\\PC{0,200}|[\\x01-\\x7f\n]{0,200}",
        mode in prop_oneof![Just(0o600_u32), Just(0o644), Just(0o755)],
        before in proptest::option::of("[a-z\n]{0,20}"),
        nested in any::<bool>(),
    ) {
        needs_root();
        let folder = tempfile::tempdir().expect("a folder");
        let parent = if nested { folder.path().join("new ' one/two") } else { folder.path().to_owned() };
        let path = parent.join(name);
        if let (Some(before), false) = (&before, nested) {
            prop_assume!(*before != content);
            fs::write(&path, before).expect("written");
        }
        let file = File { mode, ..file(&path, &content) };
        converges(&Task::File(file), folder.path())?;
        prop_assert_eq!(fs::read(&path).expect("read"), content.as_bytes());
        let metadata = fs::metadata(&path).expect("there");
        prop_assert_eq!((metadata.mode() & 0o7777, metadata.uid()), (mode, 0));
        if nested {
            prop_assert_eq!(fs::metadata(&parent).expect("there").mode() & 0o777, 0o755);
        }
        prop_assert_eq!(left_behind(&parent), Vec::<String>::new());
    }

    #[test]
    fn a_link_points_where_it_should(name in "[^/\\x00\n]{1,30}", target in "-?\\PC{1,40}", wrong in any::<bool>()) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(format!("towline-test {name}"));
        if wrong {
            std::os::unix::fs::symlink("elsewhere", &path).expect("linked");
        }
        prop_assume!(target != "elsewhere");
        let link = Link { path: path.to_string_lossy().into_owned(), target: target.clone() };
        converges(&Task::Link(link), folder.path())?;
        let shown = fs::read_link(&path).expect("a link").to_string_lossy().into_owned();
        prop_assert_eq!(shown, target);
    }

    #[test]
    fn a_command_runs_once_and_is_answered(name in name()) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = quote(&folder.path().join(name).to_string_lossy());
        let command = ShellCommand {
            unless: format!("test -f {path}"),
            run: format!("[ ! -e {path} ] && touch {path}"),
            description: "touch it".into(),
            path: None,
            timeout: Duration::from_secs(60),
            is_delegated: false,
        };
        converges(&Task::ShellCommand(command), folder.path())?;
        prop_assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "the file and the lock");
    }
}

#[test]
fn a_file_of_another_mode_is_not_written_again() {
    needs_root();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.yaml");
    fs::write(&path, "a: 1\n").expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("changed");
    let before = fs::metadata(&path).expect("there");
    let file = file(&path, "a: 1\n");
    converges(&Task::File(file), folder.path()).expect("it converges");
    let after = fs::metadata(&path).expect("there");
    assert_eq!(
        (after.ino(), after.mtime_nsec()),
        (before.ino(), before.mtime_nsec())
    );
    assert_eq!(after.mode() & 0o7777, 0o600);
}

#[test]
fn a_file_that_says_what_is_in_effect_is_no_newer_than_what_read_it() {
    needs_root();
    let folder = tempfile::tempdir().expect("a folder");
    let started = std::time::SystemTime::now();
    let read_before = started - Duration::from_mins(1);
    for old in [None, Some(read_before)] {
        let path = folder.path().join("config.yaml");
        if let Some(time) = old {
            fs::write(&path, "a: 2\n").expect("written");
            let opened = fs::File::options().write(true).open(&path);
            opened
                .and_then(|file| file.set_modified(time))
                .expect("old");
        }
        let file = File {
            effective: true,
            ..file(&path, "a: 1\n")
        };
        converges(&Task::File(file), folder.path()).expect("it converges");
        let modified = fs::metadata(&path).and_then(|there| there.modified());
        let modified = modified.expect("there");
        assert!(modified < started && old.is_none_or(|time| time == modified));
        fs::remove_file(&path).expect("removed");
    }
}

#[test]
fn what_a_killed_run_left_beside_a_file_is_swept() {
    needs_root();
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(
        folder.path().join(".config.yaml.towline.Ab12Cd"),
        "token: old\n",
    )
    .expect("written");
    let path = folder.path().join("config.yaml");
    let file = file(&path, "a: 1\n");
    converges(&Task::File(file), folder.path()).expect("it converges");
    assert_eq!(left_behind(folder.path()), Vec::<String>::new());
}

fn binary(path: &Path, content: &[u8]) -> (Task, Script, std::path::PathBuf) {
    let folder = path.parent().expect("a folder");
    let task = Task::Binary(Binary {
        path: path.to_string_lossy().into_owned(),
        snapshot: false,
        source: "/nonexistent".into(),
        sha256: crate::digest::sha256(content),
        size: Some(content.len() as u64),
        download: None,
        description: "k3s v1".into(),
    });
    let seen = exchange(&[], &task.probe(), folder);
    let Ok(Verdict::Drifted(remedy)) = task.judge(&seen[0], &Changes::default()) else {
        panic!("it does not differ: {seen:?}");
    };
    match remedy.actions.as_slice() {
        [Action::Put(upload)] => (task, unlocked(&upload.receive, folder), folder.to_owned()),
        other => panic!("{other:?}"),
    }
}

fn receive(script: &Script, content: &[u8]) -> std::process::Output {
    use std::io::Write as _;
    let mut child = Process::new("sh")
        .args(["-c", &script.text])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh runs");
    child
        .stdin
        .take()
        .expect("a pipe")
        .write_all(content)
        .expect("written");
    child.wait_with_output().expect("sh ends")
}

#[test]
fn an_upload_that_was_cut_short_leaves_the_old_binary_and_nothing_else() {
    needs_root();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("k3s it's");
    fs::write(&path, "old").expect("written");
    let content = vec![7_u8; 100_000];
    let (task, script, folder) = binary(&path, &content);
    for part in [&content[..99_999], b""] {
        let output = receive(&script, part);
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.starts_with("what arrived is not what was sent\nexpected sha256 "),
            "{said}"
        );
        assert_eq!(fs::read(&path).expect("read"), b"old");
        assert_eq!(left_behind(&folder), Vec::<String>::new());
    }
    assert!(receive(&script, &content).status.success());
    let seen = exchange(&[], &task.probe(), &folder);
    assert_eq!(
        task.judge(&seen[0], &Changes::default()),
        Ok(Verdict::Converged)
    );
}

#[test]
fn a_second_action_does_nothing_while_the_first_one_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| quote(&folder.path().join(name).to_string_lossy());
    let limit = Duration::from_mins(1);
    let first = format!(
        "touch {}; while [ ! -e {} ]; do sleep 0.05; done\n",
        at("begun"),
        at("go")
    );
    let first = shell(&unlocked(&acting(&first, limit), folder.path()).text);
    while !folder.path().join("begun").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let second = unlocked(
        &acting(&format!("touch {}\n", at("second")), limit),
        folder.path(),
    );
    let status = || shell(&second.text).wait().expect("sh ends").code();
    assert_eq!(status(), i32::try_from(LOCKED).ok());
    assert!(!folder.path().join("second").exists());
    fs::write(folder.path().join("go"), "").expect("written");
    first.wait_with_output().expect("sh ends");
    assert_eq!(status(), Some(0));
    assert!(folder.path().join("second").exists());
}

#[test]
fn actions_and_their_question_share_an_exchange_and_let_the_lock_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = quote(&folder.path().join("count").to_string_lossy());
    let add = |status| {
        Action::Run(acting(
            &format!("echo x >>{at}; cat; exit {status}"),
            Duration::from_mins(1),
        ))
    };
    let replies = exchange(
        &[add(0), add(3)],
        &Script::new(format!("wc -l <{at}")),
        folder.path(),
    );
    let seen: Vec<_> = replies
        .iter()
        .map(|reply| (reply.status, reply.stdout.trim()))
        .collect();
    assert_eq!(seen, [(0, ""), (3, ""), (0, "2")]);
}

/// A file of root's.
fn file(path: &Path, content: &str) -> File {
    File {
        path: path.to_string_lossy().into_owned(),
        template: None,
        content: Some(content.to_owned()),
        render: false,
        mode: 0o600,
        owner: "0:0".into(),
        only_where_written: false,
        effective: false,
        once: Vec::new(),
        validate: None,
    }
}

#[test]
fn what_is_done_to_a_host_is_not_shown_by_its_debugging_form() {
    let file = file(Path::new("/x"), "token: hunter2hunter2");
    let seen = Reply {
        status: 0,
        stdout: "state=absent\n".into(),
        stderr: String::new(),
    };
    let verdict = Task::File(file.clone()).judge(&seen, &Changes::default());
    let packed = crate::shell::encode(b"token: hunter2hunter2");
    let shown = format!("{verdict:?} {file:?}");
    assert!(
        !shown.contains("hunter2") && !shown.contains(packed.trim()),
        "{shown}"
    );
}
