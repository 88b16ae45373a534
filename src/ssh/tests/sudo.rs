//! Becoming root by a sudo that asks, that does not ask, and that refuses.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use proptest::prelude::*;

use super::server::Act;
use super::world::{World, direct, set_mode, world};
use crate::shell::Script;
use crate::ssh::exchange::{BecomePassword, Door, NOT_TRIED, as_root, is_wrong};
use crate::ssh::{CommandOutput, Exit, Remote, Session};
use crate::vars::Secret;

/// A sudo that asks as often as the real one, unless `asks` is `no`, and notes in `heard` what it read.
const SUDO: &str = r#"#!/bin/sh
here=${0%/*}
while [ "$1" != -- ]; do
    [ "$1" = -p ] && prompt=$2
    shift
done
shift
[ "$(cat "$here/asks")" = no ] && exec "$@"
for attempt in 1 2 3; do
    printf %s "$prompt" >&2
    IFS= read -r line || { printf '\nsudo: no password was provided\n' >&2; break; }
    printf '%s\n' "$line" >>"$here/heard"
    [ "$line" = 'right one' ] && exec "$@"
    echo 'Sorry, try again.' >&2
done
echo "sudo: $attempt incorrect password attempt" >&2
exit 1
"#;

/// A host whose sudo asks for a password, or does not.
struct Asking {
    world: World,
    programs: PathBuf,
    _folder: tempfile::TempDir,
}

impl Asking {
    async fn begin(asks: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().to_owned();
        let sudo = programs.join("sudo");
        std::fs::write(&sudo, SUDO).unwrap();
        set_mode(&sudo, 0o755);
        std::fs::write(programs.join("asks"), asks).unwrap();
        Self {
            world: world(Act::With(programs.clone())).await,
            programs,
            _folder: folder,
        }
    }

    async fn login(&self, name: &str, password: &Arc<BecomePassword>) -> Session {
        let mut target = self.world.target();
        name.clone_into(&mut target.name);
        target.user = "ops".to_owned();
        target.become_password = Some(Arc::clone(password));
        direct(&target, &self.world.trust, &self.world.keys().await)
            .await
            .unwrap()
    }

    /// All that sudo read.
    fn heard(&self) -> String {
        std::fs::read_to_string(self.programs.join("heard")).unwrap_or_default()
    }
}

fn password(text: &str) -> Arc<BecomePassword> {
    Arc::new(BecomePassword::new(Secret::new(text)))
}

fn without_traces(output: &CommandOutput) {
    for said in [&output.stdout, &output.stderr] {
        assert!(!said.contains("towline_"), "{said}");
        assert!(!said.contains("one"), "{said}");
    }
}

#[tokio::test]
async fn sudo_is_given_the_password_once_where_it_asks_and_the_script_never() {
    for (asks, heard) in [("yes", "right one\n"), ("no", "")] {
        let host = Asking::begin(asks).await;
        let session = host.login("m1", &password("right one")).await;
        let output = session
            .run(&Script::new("echo it; cat; echo ran >&2"))
            .await;
        assert_eq!(output.exit, Exit::Code(0), "{output:?}");
        assert_eq!((&*output.stdout, &*output.stderr), ("it\n", "ran\n"));
        without_traces(&output);
        assert_eq!(host.heard(), heard, "asks: {asks}");
        // What was done needed no exchange more.
        assert_eq!(session.counts().exchanges, 1);

        let there = host.programs.join("there");
        let upload = host
            .world
            .upload(3_000_001, &format!("cat >{}; echo taken", there.display()));
        let output = session.put(&upload, &|_| {}).await;
        assert_eq!((&output.exit, &*output.stdout), (&Exit::Code(0), "taken\n"));
        without_traces(&output);
        assert!(std::fs::read(there).unwrap() == std::fs::read(&upload.source).unwrap());
    }
}

#[tokio::test]
async fn a_wrong_password_is_one_attempt_on_one_host_and_no_line_of_a_script_is_another() {
    let (first, second) = (Asking::begin("yes").await, Asking::begin("yes").await);
    let wrong = password("wrong one");
    let (m1, m2) = (
        first.login("m1", &wrong).await,
        second.login("m2", &wrong).await,
    );
    let script = Script::new("touch ran; echo secret");
    let output = m1.run(&script).await;
    assert_eq!(output.exit, Exit::Code(1));
    assert!(is_wrong(&output.stderr), "{}", output.stderr);
    without_traces(&output);
    assert_eq!(first.heard(), "wrong one\n");
    let output = m2.run(&script).await;
    assert_eq!(output.exit, Exit::Code(1));
    assert!(
        output.stderr.contains(&format!("{NOT_TRIED}m1\n")),
        "{}",
        output.stderr
    );
    assert_eq!(second.heard(), "", "one account is not locked by two hosts");
}

#[tokio::test]
async fn hosts_at_once_wait_for_the_first_that_is_asked() {
    let (first, second) = (Asking::begin("yes").await, Asking::begin("yes").await);
    for (text, each) in [("right one", 1), ("wrong one", 0)] {
        let shared = password(text);
        let (m1, m2) = (
            first.login("m1", &shared).await,
            second.login("m2", &shared).await,
        );
        let script = Script::new("true");
        let (one, other) = tokio::join!(m1.run(&script), m2.run(&script));
        let taken = [&one, &other].map(|output| output.exit == Exit::Code(0));
        assert_eq!(taken, [each == 1; 2], "{one:?} {other:?}");
        let heard = format!("{}{}", first.heard(), second.heard());
        let expected = if each == 1 { 2 } else { 1 };
        assert_eq!(heard.matches(text).count(), expected, "{heard}");
    }
}

#[tokio::test]
async fn doas_is_used_where_there_is_no_sudo() {
    let folder = tempfile::tempdir().unwrap();
    let only = |names: &[&str]| {
        let path = folder.path().join(names.join("-"));
        std::fs::create_dir_all(&path).unwrap();
        for name in names {
            let file = path.join(name);
            let said = "#!/bin/sh\n[ \"$1\" = -n ] && shift\n[ \"$1\" = -- ] && shift\n";
            std::fs::write(&file, format!("{said}echo {name}\nexec \"$@\"\n")).unwrap();
            set_mode(&file, 0o755);
        }
        path
    };
    let run = |path: &Path, door: Option<&Door>| {
        let output = Command::new("/bin/sh")
            .args(["-c", &as_root("ops", door, " -c 'echo root'")])
            .env("PATH", path)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let expected = |said: &str| (Some(0), said.to_owned(), String::new());
    assert_eq!(run(&only(&["doas"]), None), expected("doas\nroot\n"));
    assert_eq!(
        run(&only(&["doas", "sudo"]), None),
        expected("sudo\nroot\n")
    );
    let none = (
        Some(127),
        String::new(),
        "sudo: command not found\n".to_owned(),
    );
    assert_eq!(run(&only(&[]), None), none);
    // Without the line that it waits for, nothing is run.
    let door = Door::new(&password("right one"), "m1");
    let (code, said, _) = run(&folder.path().join("doas"), Some(&door));
    assert_eq!(code, Some(1));
    assert!(!said.contains("root"), "{said}");
}

/// What a command reads behind the door, when this comes first.
fn behind(shell: &str, door: &Door, first: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut child = Command::new(shell)
        .args(["-c", &door.wrapper(), "sh", "/bin/cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let line = format!("{}\n", door.nonce);
    input
        .write_all(&[first, line.as_bytes(), rest].concat())
        .unwrap();
    drop(input);
    let said = child.wait_with_output().unwrap().stdout;
    said.strip_prefix(line.as_bytes()).unwrap().to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_comes_before_the_line_never_reaches_what_is_run(
        password in "[^\n\0]{0,80}",
        lines in 0_usize..4,
        rest in prop::collection::vec(any::<u8>(), 0..5000),
    ) {
        let door = Door::new(&self::password("any"), "m1");
        let first = format!("{password}\n").repeat(lines);
        for shell in ["dash", "bash"] {
            prop_assert_eq!(&behind(shell, &door, first.as_bytes(), &rest), &rest);
        }
    }
}

#[tokio::test]
async fn a_host_that_talks_instead_of_asking_ends_as_it_ends_and_is_told_nothing() {
    let world = world(Act::Flood(2_000_000, 2_000_000)).await;
    let mut target = world.target();
    target.user = "ops".to_owned();
    target.become_password = Some(password("right one"));
    let session = direct(&target, &world.trust, &world.keys().await)
        .await
        .unwrap();
    let begun = std::time::Instant::now();
    let output = session.run(&Script::new("echo it")).await;
    assert_eq!(output.exit, Exit::Code(0));
    assert_eq!(output.stdout.len(), 2_000_000);
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
