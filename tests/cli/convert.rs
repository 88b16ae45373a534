//! `towline inventory from-ansible`, `from-k0sctl` and `from-k3sup`, with files in the forms that
//! these tools and their documentation use.

use std::fs;
use std::path::{Path, PathBuf};

use super::{screen, towline};

fn foreign(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/inventory/foreign")
        .join(name)
}

/// Converts a file and gives the screen. What was made has no mistakes.
fn converted(command: &str, folder: &str, file: &str) -> String {
    let folder = foreign(folder);
    let shown = towline(&folder, &["inventory", command, file]);
    let made = tempfile::tempdir().expect("a folder");
    let made = made.path().join("inventory.yaml");
    let name = made.to_str().expect("a name");
    let written = towline(&folder, &["inventory", command, file, "-o", name]);
    assert_eq!(written.status.code(), Some(0), "{}", screen(&written));
    let text = fs::read_to_string(&made).expect("written");
    assert_eq!(String::from_utf8_lossy(&shown.stdout), text, "one text");
    let checked = towline(&folder, &["inventory", "check", "-i", name]);
    let shown_check = screen(&checked);
    // What the tool reads from the environment, the inventory reads from there, too.
    let waits =
        shown_check.contains("`CONTROLLER` is not set") && shown_check.contains("1 mistake");
    assert!(checked.status.success() || waits, "{shown_check}");
    screen(&shown)
}

#[test]
fn inventories_of_other_tools_become_ones_of_towline() {
    for (name, command, file) in [
        ("kubespray", "from-ansible", "inventory.ini"),
        ("k3s-ansible", "from-ansible", "inventory.yml"),
        ("k3s-ansible-old", "from-ansible", "hosts.ini"),
        ("pyratlabs", "from-ansible", "inventory.yml"),
        ("odd", "from-ansible", "hosts"),
        ("k0sctl", "from-k0sctl", "k0sctl.yaml"),
        ("k0sctl", "from-k0sctl", "documents.yaml"),
        ("k3sup", "from-k3sup", "hosts.json"),
    ] {
        let stem = file.split('.').next().expect("a stem");
        insta::assert_snapshot!(format!("{name}-{stem}"), converted(command, name, file));
    }
}

#[test]
fn a_file_of_another_tool_is_answered_with_the_line_that_converts_it() {
    let mut screens = String::new();
    for (folder, file) in [
        ("kubespray", "inventory.ini"),
        ("k3s-ansible", "inventory.yml"),
        ("odd", "hosts"),
        ("k0sctl", "k0sctl.yaml"),
        ("k0sctl", "documents.yaml"),
        ("k3sup", "hosts.json"),
    ] {
        let output = towline(&foreign(folder), &["deploy", "-i", file]);
        screens.push_str(&format!(
            "$ towline deploy -i {file}\n{}\n",
            screen(&output)
        ));
    }
    insta::assert_snapshot!("files-of-other-tools", screens);
    let folder = super::folder("");
    fs::write(folder.path().join("my hosts"), "[server]\nm1\n").expect("written");
    let said = screen(&towline(folder.path(), &["plan", "-i", "my hosts"]));
    let line = "towline inventory from-ansible 'my hosts' -o inventory.yaml";
    assert!(said.contains(line), "{said}");
}

#[test]
fn nothing_is_written_over_a_file_that_is_there() {
    let folder = super::folder("hosts: {}\n");
    fs::write(folder.path().join("hosts"), "[server]\nm1\n").expect("written");
    let line = ["inventory", "from-ansible", "hosts", "-o", "home.yaml"];
    insta::assert_snapshot!(screen(&towline(folder.path(), &line)), @r"
    status 2
    --- standard output
    --- standard error
    error[file-exists]: home.yaml already exists
      towline does not overwrite it
      → remove that one, or choose another file:  --output-file FILE
    nothing was changed
    for more, type:  towline explain file-exists
    ");
    let line = ["inventory", "from-ansible", "."];
    insta::assert_snapshot!(screen(&towline(folder.path(), &line)), @r"
    status 2
    --- standard output
    --- standard error
    error[file-unreadable]: . is a folder, not an inventory
      → name the file in it that lists the hosts
    nothing was changed
    for more, type:  towline explain file-unreadable
    ");
    let line = [
        "inventory",
        "from-ansible",
        "hosts",
        "-o",
        "new.yaml",
        "--output",
        "json",
    ];
    let output = towline(folder.path(), &line);
    let events = String::from_utf8_lossy(&output.stdout).into_owned();
    let events: Vec<serde_json::Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(events[0]["event"], "written");
    assert_eq!(events[0]["hosts"], 1);
}

#[test]
fn what_cannot_be_read_or_written_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    put("hosts.ini", "[server]\nm1\n");
    fs::copy(
        foreign("k0sctl/k0sctl.yaml"),
        folder.path().join("k0sctl.yaml"),
    )
    .expect("copied");
    let mut screens = String::new();
    let mut run = |arguments: &[&str]| {
        let arguments = [&["inventory"], arguments].concat();
        screens.push_str(&format!("$ towline {}\n", arguments.join(" ")));
        screens.push_str(&screen(&towline(folder.path(), &arguments)));
    };
    run(&["from-ansible", "k0sctl.yaml"]);
    run(&["from-ansible", "hosts.ini", "-o", "-"]);
    run(&["init", "--servers", "192.0.2.1", "-o", "-"]);
    fs::create_dir(folder.path().join("group_vars")).expect("made");
    let pipe = folder.path().join("group_vars/all.yml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    run(&["from-ansible", "hosts.ini"]);
    insta::assert_snapshot!("what-cannot-be-read-or-written", screens);
}
