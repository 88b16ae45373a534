//! The real binary in an empty environment: whole screens, exit codes, words.

mod convert;
mod events;
mod explain;
mod hosts;
mod inventory;
mod liars;
mod pages;
mod ssh_config;
mod vagrant;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs the binary in an empty folder with nothing in its environment but a home.
fn towline(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_towline"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        // Without a program ssh there, this machine's configuration of it plays no part.
        .env("PATH", folder)
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Everything that a user sees, with the status.
fn screen(output: &Output) -> String {
    format!(
        "status {}\n--- standard output\n{}--- standard error\n{}",
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr)
    )
}

fn folder(inventory: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("home.yaml"), inventory).expect("written");
    folder
}

/// A tall window on a screen of today. Most commands need half of it; `install` has k3sup's flags.
const LINES: usize = 60;
/// What a window is wide that no one has made wider for it.
const COLUMNS: usize = 100;

/// Every command as it is typed, with those below it.
fn commands(of: &clap::Command, typed: &[String], found: &mut Vec<Vec<String>>) {
    found.push(typed.to_vec());
    for command in of
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
    {
        let mut typed = typed.to_vec();
        typed.push(command.get_name().to_owned());
        commands(command, &typed, found);
    }
}

#[test]
fn every_command_explains_itself() {
    use clap::CommandFactory as _;
    let folder = folder("");
    let mut found = Vec::new();
    commands(&towline::cli::Cli::command(), &[], &mut found);
    assert!(found.len() > 12, "{found:?}");
    for command in found {
        let help = |flag: &str| {
            let mut arguments: Vec<_> = command.iter().map(String::as_str).collect();
            arguments.push(flag);
            let output = towline(folder.path(), &arguments);
            let wide = text(&output.stdout)
                .lines()
                .find(|line| line.chars().count() > COLUMNS)
                .map(str::to_owned);
            assert_eq!(
                wide, None,
                "{command:?} {flag}: wider than {COLUMNS} columns"
            );
            output
        };
        // The short help is what fits on a screen; the long one explains every flag.
        let lines = text(&help("-h").stdout).lines().count();
        assert!(lines <= LINES, "{command:?} -h: {lines} lines");
        let name = match command.join("-") {
            none if none.is_empty() => "help-towline".to_owned(),
            command => format!("help-{command}"),
        };
        insta::assert_snapshot!(name, screen(&help("--help")));
    }
}

#[test]
fn it_tells_its_version() {
    let output = towline(folder("").path(), &["--version"]);
    assert_eq!(
        text(&output.stdout),
        format!("towline {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn the_schema_of_the_inventory_is_json_that_names_its_draft() {
    let output = towline(folder("").path(), &["schema", "inventory"]);
    assert!(output.status.success());
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(
        schema["$schema"]
            .as_str()
            .is_some_and(|draft| draft.contains("json-schema.org")),
        "{schema}"
    );
    for key in ["cluster", "hosts", "groups", "ssh"] {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
}

#[test]
fn completions_are_scripts_of_their_shell() {
    let output = towline(folder("").path(), &["completions", "bash"]);
    assert!(output.status.success() && !output.stdout.is_empty());
    let mut shell = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .spawn()
        .expect("bash runs");
    std::io::Write::write_all(&mut shell.stdin.take().expect("a pipe"), &output.stdout)
        .expect("written");
    assert!(shell.wait().expect("bash ends").success());
}

#[test]
fn what_is_wrong_with_the_input_ends_with_2_and_words() {
    let wrong = folder("hosts:\n  m1: {adress: 10.0.0.1, role: server}\n");
    let mut screens = String::new();
    for arguments in [
        &["plan", "-i", "home.yaml"][..],
        &["deploy", "--inventory", "home.yaml"],
        &["plan", "-i", "nowhere.yaml"],
        &["plan"],
        &["plan", "-i", "home.yaml", "--frobnicate"],
        &["frobnicate"],
        &["plan", "-i", "home.yaml", "--parallel", "0"],
        &["schema", "cluster"],
    ] {
        let output = towline(wrong.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            output.stdout.is_empty(),
            "{arguments:?}: {}",
            text(&output.stdout)
        );
        screens.push_str(&format!(
            "$ towline {}\n{}\n",
            arguments.join(" "),
            text(&output.stderr)
        ));
    }
    insta::assert_snapshot!("input-that-is-wrong", screens);
}

#[test]
fn words_of_other_programs_have_an_answer() {
    let folder = folder("");
    let mut screens = String::new();
    for (line, status) in [
        ("version", 0),
        ("completion bash", 0),
        ("uninstall", 2),
        ("uninstall --ip 10.0.0.1 --user pi", 2),
        ("plan hosts.json --user pi", 2),
        ("plan home.yaml", 2),
        ("plan hosts.json -i home.yaml", 2),
    ] {
        let arguments: Vec<_> = line.split(' ').collect();
        let output = towline(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(status), "{}", screen(&output));
        if status > 0 {
            screens.push_str(&format!("$ towline {line}\n{}\n", text(&output.stderr)));
        }
    }
    insta::assert_snapshot!("words-of-other-programs", screens);
}

#[test]
fn ready_waits_for_a_kubeconfig_that_is_not_there_yet() {
    let folder = folder("");
    let line = [
        "ready",
        "--kubeconfig",
        "later",
        "--attempts",
        "2",
        "--pause",
        "1ms",
    ];
    let output = towline(folder.path(), &line);
    insta::assert_snapshot!(screen(&output), @r"
    status 1
    --- standard output
    1 of 2: later does not exist
    2 of 2: later does not exist
    --- standard error
    error[kubeconfig-missing]: later does not exist
      asked 2 times
    for more, type:  towline explain kubeconfig-missing
    ");
}

#[test]
fn a_limit_or_a_folder_that_names_nothing_is_refused() {
    let right = folder("hosts:\n  m1: {address: 10.0.0.1, role: server}\n");
    for more in [["--limit", "m9"], ["--overrides", "."]] {
        let output = towline(right.path(), &["plan", "-i", "home.yaml", more[0], more[1]]);
        assert_eq!(output.status.code(), Some(2), "{}", screen(&output));
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn playbooks_of_ones_own_are_read_before_a_host_is_reached_whatever_the_command() {
    let folder = folder("hosts:\n  m1: {address: 127.0.0.1, role: server}\n");
    let playbooks = folder.path().join("mine/playbooks/k3s");
    fs::create_dir_all(&playbooks).expect("made");
    fs::write(playbooks.join("files.yml"), "- nam: x\n").expect("written");
    for line in [
        "plan -i home.yaml",
        "deploy -i home.yaml",
        "install --ip 127.0.0.1 --ssh-port 1",
        "join --ip 127.0.0.1 --ssh-port 1 --server-ip 127.0.0.2",
    ] {
        let words: Vec<_> = line.split(' ').chain(["--overrides", "mine"]).collect();
        let output = towline(folder.path(), &words);
        let screen = screen(&output);
        assert_eq!(output.status.code(), Some(2), "{screen}");
        for said in [
            "playbooks/k3s/files.yml",
            "unknown field `nam`",
            "--overrides is ",
        ] {
            assert!(screen.contains(said), "{screen}");
        }
    }
}
