//! `towline inventory`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{folder, screen, text, towline};

/// The same with this on its standard input, and with these variables.
fn fed(folder: &Path, input: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_towline"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it is read");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

#[test]
fn an_inventory_is_checked_without_its_hosts() {
    let folder = folder(
        "hosts: {a: {address: 192.0.2.1, role: server}, b: {address: 192.0.2.2, role: server}}\n",
    );
    let line = ["inventory", "check", "-i", "home.yaml"];
    insta::assert_snapshot!(screen(&towline(folder.path(), &line)), @r"
    status 0
    --- standard output
    note: 2 servers survive no loss, no more than 1 would; use 1 or 3
    home.yaml: no mistakes; cluster home: 2 servers, 0 agents
    --- standard error
    ");
    let json = [&line[..], &["--output", "json"]].concat();
    let events = text(&towline(folder.path(), &json).stdout);
    let names: Vec<String> = events
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["event"].to_string()
        })
        .collect();
    assert_eq!(names, [r#""note""#, r#""checked""#, r#""finished""#]);
}

#[test]
fn an_inventory_is_read_from_standard_input() {
    let folder = folder("");
    fs::create_dir(folder.path().join("keys")).expect("a folder");
    let token = folder.path().join("keys/token");
    fs::write(&token, "a-token-of-the-tests").expect("written");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("set");
    let good =
        "cluster: {token_file: keys/token}\nhosts: {a: {address: 192.0.2.1, role: server}}\n";
    let check = ["inventory", "check", "-i", "-"];
    insta::assert_snapshot!(screen(&fed(folder.path(), good, &check, &[])), @r"
    status 0
    --- standard output
    standard input: no mistakes; cluster cluster: 1 server, 0 agents
    --- standard error
    ");
    let bad = "hosts: {a: {address: 192.0.2.1}}\n";
    insta::assert_snapshot!(screen(&fed(folder.path(), bad, &["plan", "-i", "-"], &[])), @r"
    status 2
    --- standard output
    --- standard error
      × `a` has no role
       ╭─[standard input:1:9]
     1 │ hosts: {a: {address: 192.0.2.1}}
       ·         ─
       ╰────
      help: add `role: server` or `role: agent`, here or in its group

    1 mistake in standard input; nothing was touched
    ");
    let twice = ["inventory", "check", "-i", "-", "-i", "-"];
    insta::assert_snapshot!(screen(&fed(folder.path(), good, &twice, &[])), @r"
    status 2
    --- standard output
    --- standard error
      × standard input: cannot be read twice

    1 mistake in standard input; nothing was touched
    ");
    // A question has its answer on standard input.
    insta::assert_snapshot!(screen(&fed(folder.path(), good, &["reset", "-i", "-"], &[])), @r"
    status 2
    --- standard output
    --- standard error
    error: a reset removes a cluster with its data, and standard input, where the answer would be typed, is the inventory
      → to see what it would do:  towline reset -i - --plan
      → to do it:  towline reset -i - --yes
    nothing was changed
    ");
}

#[test]
fn what_is_typed_next_names_all_files() {
    let folder = folder("hosts: {a: {address: 192.0.2.1, role: server}}\n");
    fs::write(folder.path().join("site a.yaml"), "cluster: {name: a}\n").expect("written");
    let line = ["reset", "-i", "home.yaml", "-i", "site a.yaml"];
    insta::assert_snapshot!(screen(&towline(folder.path(), &line)), @r"
    status 2
    --- standard output
    --- standard error
    error: a reset removes a cluster with its data, and there is no terminal to ask on
      → to see what it would do:  towline reset -i home.yaml -i 'site a.yaml' --plan
      → to do it:  towline reset -i home.yaml -i 'site a.yaml' --yes
    nothing was changed
    ");
    let check = ["inventory", "check", "-i", "home.yaml", "-i", "site a.yaml"];
    insta::assert_snapshot!(screen(&towline(folder.path(), &check)), @r"
    status 0
    --- standard output
    home.yaml, site a.yaml: no mistakes; cluster a: 1 server, 0 agents
    --- standard error
    ");
    fs::write(folder.path().join("site a.yaml"), "ssh: {user: u}\n").expect("written");
    insta::assert_snapshot!(screen(&towline(folder.path(), &check)), @r"
    status 2
    --- standard output
    --- standard error
      × site a.yaml: an inventory of several files names its cluster
      help: add `cluster: {name: site-a}` to this file

    1 mistake in site a.yaml; nothing was touched
    ");
}
