//! Who removes a lab: the test that fails, the guard of one that was killed, the sweep, the person who kept it.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, their helpers included"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use towline_lab::{Lab, sweep};

mod common;

use common::{assert_no_traces, machines, output, wait_for};

#[test]
fn a_panic_takes_the_lab_with_it() {
    let id = thread::spawn(|| {
        let lab = Lab::up(&machines(1, 0)).unwrap();
        let id = lab.id().to_owned();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            lab.machine("m1").succeed("echo said; exit 7")
        }));
        let message = *panic.unwrap_err().downcast::<String>().unwrap();
        assert!(
            message.contains("on m1, status 7") && message.contains("said"),
            "{message}"
        );
        id
    })
    .join()
    .unwrap();
    assert_no_traces(&id);
}

/// The command with a run area of its own, so that no lab of another test is in its way.
fn command(area: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towline-lab"));
    command
        .args(arguments)
        .env("TOWLINE_LAB_RUN", area)
        .stdin(Stdio::null());
    command
}

fn only_lab_in(area: &Path) -> Option<PathBuf> {
    let folders = fs::read_dir(area).ok()?.flatten().map(|entry| entry.path());
    folders.into_iter().find(|path| path.is_dir())
}

#[test]
fn the_lab_of_a_killed_owner_is_removed() {
    let area = tempfile::tempdir().unwrap();
    // Once with its guard, which removes at once; once with the guard killed as well, which leaves it to the sweep.
    for guarded in [true, false] {
        let mut up = command(area.path(), &["up", "1", "--bare"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(|| {
            only_lab_in(area.path()).is_some_and(|lab| lab.join("m1/console.log").exists())
        });
        let lab = only_lab_in(area.path()).unwrap();
        let id = lab.file_name().unwrap().to_str().unwrap().to_owned();
        // As `Lab::translate` makes it.
        output("nft", &["add", "table", "ip", &format!("towline_{id}")]);
        if !guarded {
            let guard = output("pgrep", &["-f", &format!("host.sh guard {id} ")]);
            assert!(
                Command::new("kill")
                    .arg("-KILL")
                    .args(guard.split_whitespace())
                    .status()
                    .unwrap()
                    .success()
            );
        }
        up.kill().unwrap();
        up.wait().unwrap();
        if !guarded {
            thread::sleep(Duration::from_secs(2));
            assert!(lab.exists());
            assert!(output("nft", &["list", "tables"]).contains(&id));
            let swept = command(area.path(), &["sweep"]).output().unwrap();
            assert_eq!(
                String::from_utf8(swept.stdout).unwrap(),
                format!("swept {id}\n")
            );
        }
        assert_no_traces_of(&id, &lab);
    }
}

#[track_caller]
fn assert_no_traces_of(id: &str, directory: &Path) {
    assert_no_traces(id);
    assert!(
        !directory.exists(),
        "{} is still there",
        directory.display()
    );
}

#[test]
fn the_command_keeps_a_lab_until_down() {
    let area = tempfile::tempdir().unwrap();
    let inventory = area.path().join("demo.yaml");
    let up = command(
        area.path(),
        &[
            "up",
            "1+1",
            "--bare",
            "--inventory",
            inventory.to_str().unwrap(),
        ],
    )
    .output()
    .unwrap();
    assert!(up.status.success(), "{up:?}");
    let lab = only_lab_in(area.path()).unwrap();
    let id = lab.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(
        fs::read_to_string(&inventory)
            .unwrap()
            .contains("  m2: {address: 10.77.")
    );

    let say = |arguments: &[&str]| {
        let output = command(area.path(), arguments).output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr),
        )
    };
    assert_eq!(say(&["sweep"]), (Some(0), "nothing to sweep\n".to_owned()));
    assert_eq!(
        say(&["ssh", "m2", "hostname; exit 5"]),
        (Some(5), "m2\n".to_owned())
    );
    assert_eq!(say(&["cut", "m2"]).0, Some(0));
    let (_, listed) = say(&["list"]);
    assert!(
        listed.contains(&format!("{id} (kept)"))
            && listed.contains("server  on")
            && listed.contains("agent   off"),
        "{listed}"
    );
    assert_eq!(say(&["boot", "m2"]).0, Some(0));
    assert_eq!(
        say(&["ssh", "m2", "--user", "admin", "sudo", "id", "-u"]),
        (Some(0), "0\n".to_owned())
    );
    let (status, unknown) = say(&["ssh", "m3"]);
    assert_eq!(
        (status, unknown.contains("it has m1, m2")),
        (Some(1), true),
        "{unknown}"
    );
    assert_eq!(say(&["down"]), (Some(0), format!("down: {id}\n")));
    assert_eq!(
        say(&["down"]),
        (Some(0), "no lab to take down\n".to_owned())
    );
    assert_no_traces_of(&id, &lab);
}

#[test]
fn a_sweep_spares_what_is_alive() {
    let lab = Lab::up(&machines(1, 0)).unwrap();
    assert!(!sweep().unwrap().contains(&lab.id().to_owned()));
    lab.machine("m1").succeed("true");
    assert!(
        Lab::attach(lab.id()).unwrap().down().is_err(),
        "it has a living owner"
    );
    lab.machine("m1").succeed("true");
}
