//! Secrets from commands, files and the environment.

use std::cell::RefCell;
use std::ffi::OsString;

use super::*;
use crate::inventory::{InputErrors, Overrides, Surroundings, WITHOUT_RULES, load_text};
use crate::vars::Secret;

thread_local! {
    /// The commands that were run, with their folders.
    static RUN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn run(words: &[String], folder: &Path) -> Result<String, String> {
    let line = words.join(" ");
    RUN.with_borrow_mut(|run| run.push(format!("{}: {line}", folder.display())));
    match &*line {
        "false" => Err("failed (exit status 1): no such entry".to_owned()),
        "nothing" => Ok("\n".to_owned()),
        "lines" => Ok("hunter2\nlogin: ops\n".to_owned()),
        _ => Ok(format!("said-by-{}\n", words[words.len() - 1])),
    }
}

fn variables(name: &str) -> Option<OsString> {
    (name == "SET").then(|| "from-environment".into())
}

/// Reads an inventory, and says which commands were run for it.
fn read(text: &str, overrides: &Overrides) -> (Result<Inventory, InputErrors>, Vec<String>) {
    RUN.with_borrow_mut(Vec::clear);
    let surroundings = Surroundings {
        distributions: &WITHOUT_RULES,
        home: None,
        overrides,
        variables,
        commands: Some(run),
    };
    let read = load_text(text, Path::new("tests/inventory/good/x.yaml"), surroundings);
    (read, RUN.take())
}

fn good(text: &str) -> (Inventory, Vec<String>) {
    let (read, run) = read(text, &Overrides::default());
    (
        read.unwrap_or_else(|errors| panic!("{}", errors.render(false, 100))),
        run,
    )
}

/// The passwords of all hosts.
fn passwords(inventory: &Inventory) -> Vec<Option<&str>> {
    let hosts = inventory.hosts.iter();
    hosts
        .map(|host| Some(host.ssh.become_password.as_ref()?.value.expose()))
        .collect()
}

#[test]
fn a_secret_comes_from_a_command_a_file_or_the_environment_and_is_never_shown() {
    let (inventory, run) = good(
        "cluster:\n  token: {command: [pass, show, k3s]}\n  agent_token: {file: token}\n  config:\n    \
         etcd-s3-secret-key: {env: SET}\n    kubelet-arg: [x=y]\nhosts: {a: {role: server}}\n",
    );
    assert_eq!(run, ["tests/inventory/good: pass show k3s"]);
    let cluster = &inventory.cluster;
    assert_eq!(cluster.token, Some(Secret::new("said-by-k3s")));
    let file = std::fs::read_to_string("tests/inventory/good/token").unwrap();
    assert_eq!(cluster.agent_token, Some(Secret::new(&file)));
    assert_eq!(cluster.config["etcd-s3-secret-key"], "from-environment");
    for text in ["said-by-k3s", file.trim(), "from-environment"] {
        assert!(inventory.secrets().contains(&Secret::new(text)), "{text}");
        let shown = format!("{:?}{:?}", inventory.said, inventory.cluster.token);
        assert!(!shown.contains(text), "{shown}");
    }
}

const GROUPS: &str = "cluster: {allow_two_servers: true}
ssh: {user: ops, become_password: {command: [top]}}
groups:
  one: {role: server, ssh: {become_password: {command: [one]}}}
  two: {role: agent, ssh: {user: root, become_password: {command: [two]}}}
  three: {role: agent, ssh: {become_password: {env: SET}}}
hosts:
  a: {group: one}
  b: {group: two}
  c: {group: three}
  d: {group: one}
";

#[test]
fn a_password_is_read_once_and_only_where_a_host_needs_it() {
    let (inventory, run) = good(GROUPS);
    let found = passwords(&inventory);
    assert_eq!(found[0], Some("said-by-one"));
    assert_eq!(found[2], Some("from-environment"));
    assert_eq!(found[3], found[0]);
    // Neither is the one that all groups override, nor that of hosts with root.
    assert_eq!(run, ["tests/inventory/good: one"]);
    let overrides = Overrides {
        ask_become_pass: true,
        ..Overrides::default()
    };
    let (_, run) = read(GROUPS, &overrides);
    assert_eq!(run, Vec::<String>::new());
    let shown = inventory.shown();
    let setting = shown[0].settings.iter();
    let setting = setting
        .clone()
        .find(|setting| setting.key == "ssh.become_password");
    assert_eq!(setting.unwrap().value, MASK);
}

#[test]
fn where_openssh_may_name_the_user_the_password_is_read() {
    let (inventory, run) =
        good("ssh: {become_password: {command: [top]}}\nhosts: {a: {role: server}}");
    assert_eq!(inventory.hosts[0].ssh.user.value, "root");
    assert_eq!(passwords(&inventory), [Some("said-by-top")]);
    assert_eq!(run.len(), 1);
}

#[test]
fn no_secret_is_read_where_none_is_needed_or_the_inventory_is_wrong() {
    let text = "cluster: {token: {command: [no]}}\nssh: {user: ops, become_password: {env: UNSET}}\nhosts: {a: {role: server}}";
    let surroundings = Surroundings {
        distributions: &WITHOUT_RULES,
        home: None,
        overrides: &Overrides::default(),
        variables,
        commands: None,
    };
    RUN.with_borrow_mut(Vec::clear);
    load_text(text, Path::new("x.yaml"), surroundings).unwrap();
    assert_eq!(RUN.take(), Vec::<String>::new());
    let (wrong, run) = read(
        "cluster: {token: {command: [no]}}\nhosts: {a: {role: sever}}",
        &Overrides::default(),
    );
    assert_eq!(wrong.unwrap_err().mistakes.len(), 1);
    assert_eq!(run, Vec::<String>::new());
}

#[test]
fn what_cannot_be_read_has_its_place() {
    let mut all = String::new();
    for secret in [
        "{command: ['false']}",
        "{command: [nothing]}",
        "{command: [lines]}",
        "{command: pass show sudo}",
        "{command: []}",
        "{command: [a], file: b}",
        "{file: missing}",
        "{env: UNSET}",
        "{env: 'no name'}",
        "{comand: [a]}",
        "[a]",
        "12",
    ] {
        let text = format!(
            "ssh:\n  user: ops\n  become_password: {secret}\nhosts: {{a: {{role: server}}}}\n"
        );
        let (read, _) = read(&text, &Overrides::default());
        let errors = read.err().unwrap_or_else(|| panic!("{secret}"));
        let rendered = errors.render(false, 100);
        assert!(!rendered.contains("hunter2"), "{rendered}");
        all.push_str(&rendered);
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_later_file_says_anew_where_a_secret_is() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        (
            "a.yaml",
            "cluster: {name: a, token: {command: [no]}}\nhosts: {a: {role: server}}",
        ),
        ("b.yaml", "cluster: {name: b, token: {env: SET}}"),
    ]
    .map(|(name, text)| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    });
    let overrides = Overrides::default();
    let surroundings = Surroundings {
        distributions: &WITHOUT_RULES,
        home: None,
        overrides: &overrides,
        variables,
        commands: Some(run),
    };
    let inventory = crate::inventory::load(&files, surroundings).unwrap();
    assert_eq!(
        inventory.cluster.token,
        Some(Secret::new("from-environment"))
    );
    assert_eq!(RUN.take(), Vec::<String>::new());
}
