//! Playbooks and templates: what they render to, and what is said when they are wrong.

use std::process::{Command, Stdio};

use proptest::prelude::{
    Just, ProptestConfig, Strategy, TestCaseError, any, prop_assert, prop_assert_eq, prop_oneof,
    proptest,
};
use serde_json::{Map, json};

use super::*;
use crate::artifacts::Architecture;

mod context;

use context::context;

fn binary() -> BinaryArtifact {
    BinaryArtifact {
        path: "/tmp/k3s".into(),
        sha256: "ab".repeat(32),
        size: Some(1),
        download: None,
        version: Some("v1.36.3+k3s1".into()),
        architecture: Architecture::Amd64,
    }
}

fn templates() -> Templates {
    Templates::read(&Assets::of(&crate::distribution::k3s::DISTRIBUTION))
        .expect("the embedded ones are right")
}

#[test]
fn every_template_and_playbook_renders_for_both_roles_without_words_of_another_language() {
    let all = crate::distribution::ALL.into_iter();
    for (distribution, role) in all.flat_map(|one| [(one, "server"), (one, "agent")]) {
        let assets = Assets::of(distribution);
        let book = Book::read(&assets).expect("the embedded ones are right");
        let templates = Templates::read(&assets).expect("the embedded ones are right");
        let context = context(
            role,
            &json!({"token": "x", "cluster-init": true, "list": ["a", 1, false]}),
        );
        for (name, _) in assets.templates() {
            let text = templates
                .render(name, &context)
                .unwrap_or_else(|problem| panic!("{problem}"));
            let foreign = ["True", "False", "None", "undefined", "{{", "{%"];
            assert!(
                !foreign.iter().any(|word| text.contains(word)),
                "{name} for {role}:\n{text}"
            );
            if text.starts_with("#!/bin/sh") {
                let mut shell = Command::new("sh")
                    .arg("-n")
                    .stdin(Stdio::piped())
                    .spawn()
                    .expect("sh runs");
                std::io::Write::write_all(
                    &mut shell.stdin.take().expect("a pipe"),
                    text.as_bytes(),
                )
                .expect("written");
                assert!(
                    shell.wait().expect("sh ends").success(),
                    "{name} for {role}"
                );
            }
        }
        for playbook in book.playbooks.keys() {
            let tasks = book.tasks(playbook, &context, &binary());
            let tasks = tasks.unwrap_or_else(|problem| panic!("{problem}"));
            assert!(tasks.iter().all(|task| !task.name.is_empty()), "{playbook}");
        }
    }
}

#[test]
fn the_unit_runs_k3s_as_its_own_installer_does() {
    let text = templates().render("k3s/k3s.service", &context("agent", &json!({})));
    insta::assert_snapshot!("unit-of-an-agent", text.expect("rendered"));
}

#[test]
fn scripts_of_all_tasks_are_shell() {
    let all = crate::distribution::ALL.into_iter();
    for (distribution, role) in all.flat_map(|one| [(one, "server"), (one, "agent")]) {
        let book = Book::read(&Assets::of(distribution)).expect("right");
        for playbook in book.playbooks.keys() {
            let tasks = book
                .tasks(playbook, &context(role, &json!({})), &binary())
                .expect("rendered");
            for NamedTask { name, task, .. } in tasks {
                let mut texts = vec![task.probe().text];
                if let Task::ShellCommand(command) = &task {
                    texts.push(command.run.clone());
                }
                for text in texts {
                    let status = Command::new("sh")
                        .args(["-n", "-c", &text])
                        .status()
                        .expect("sh runs");
                    assert!(status.success(), "{name}: {text}");
                }
            }
        }
    }
}

/// The question whether a source is let in, asked about what ufw says.
fn lets_in(source: &str, status: &str) -> bool {
    let mut assets = Assets::of(&crate::distribution::k3s::DISTRIBUTION);
    let site = "- {stage: s, hosts: all, strategy: parallel, playbook: os/bootstrap}\n";
    assets.set_playbook("k3s/site.yml".into(), site.into());
    let mut context = context("agent", &json!({}));
    context["cluster"]["sources"] = json!([source]);
    let tasks = Book::read(&assets)
        .expect("right")
        .tasks("os/bootstrap", &context, &binary())
        .expect("rendered");
    let Some(Task::ShellCommand(command)) = tasks.into_iter().last().map(|last| last.task) else {
        panic!("the last task opens the firewall");
    };
    let text = format!(
        "ufw() {{ printf '%s\\n' {}; }}\n{}",
        crate::shell::quote(status),
        command.unless
    );
    Command::new("sh")
        .args(["-c", &text])
        .status()
        .expect("sh runs")
        .success()
}

#[test]
fn a_firewall_lets_in_exactly_who_is_named() {
    let status = "Status: active\n\nTo                         Action      From\n\
                  --                         ------      ----\n\
                  Anywhere                   ALLOW       10.0.0.10\n\
                  Anywhere                   DENY        10.0.0.3\n\
                  22/tcp                     ALLOW       10.0.0.4\n\
                  Anywhere (v6)              ALLOW       fd00::1   \n";
    for (source, expected) in [
        ("10.0.0.10", true),
        ("10.0.0.1", false),
        ("10.0.0.3", false),
        ("10.0.0.4", false),
        ("10x0.0.10", false),
        ("fd00::1", true),
        ("fd00::", false),
    ] {
        assert_eq!(lets_in(source, status), expected, "{source}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "\\PC{0,20}|[\\x00-\\x9f\\u{2028}\\u{feff}\n]{0,20}".prop_map(Value::from),
        prop_oneof![
            Just("true"),
            Just("~"),
            Just("0644"),
            Just("{{ x }}"),
            Just("- a: b #"),
            Just("")
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z: #']{1,8}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn a_config_is_read_back_as_it_was_meant(
        config in proptest::collection::btree_map("[a-z][a-z0-9-]{0,12}\\+?|no|\\PC{1,8}", value(), 0..6)
    ) {
        let config: Map<String, Value> = config.into_iter().collect();
        let config = Value::Object(config);
        let text = templates().render("k3s/config.yaml", &context("server", &config)).expect("rendered");
        let control = |letter: char| letter != '\n' && letter.is_control();
        prop_assert!(!text.contains(control), "{text:?}");
        let read: Value = match serde_yaml::from_str(&text) {
            Ok(Value::Null) => json!({}),
            Ok(read) => read,
            Err(error) => return Err(TestCaseError::fail(format!("{error}\n{text}"))),
        };
        prop_assert_eq!(read, config, "{}", text);
    }
}

/// What is said of a playbook that is wrong, when it is read or when it is used.
fn complaint(playbook: &str) -> String {
    let mut assets = Assets::of(&crate::distribution::k3s::DISTRIBUTION);
    let site = "- {stage: s, hosts: all, strategy: parallel, playbook: mine}\n";
    assets.set_playbook("k3s/site.yml".into(), site.into());
    assets.set_playbook("mine.yml".into(), playbook.into());
    assets.set_template("broken".into(), "fine\n{{ k3s.nothing }}\n".into());
    let context = context("server", &json!({"token": "hunter2hunter2"}));
    let used = Book::read(&assets).and_then(|book| book.tasks("mine", &context, &binary()));
    let problem = used.expect_err("it is refused").to_string();
    assert!(!problem.contains("hunter2"), "{problem}");
    problem
}

#[test]
fn a_playbook_that_is_wrong_is_refused_with_its_place() {
    let mut said = String::new();
    for playbook in [
        "- name: x\n  fiel: {path: /x}\n",
        "- name: x\n  file: {path: /x, template: broken, mod: '0644'}\n",
        "- name: x\n",
        "- name: x\n  link: {path: /x, target: y}\n  binary: {path: /x}\n",
        "- link: {path: /x, target: y}\n",
        "- name: x\n  file: {path: /x, template: nowhere, mode: '0644'}\n",
        "- name: x\n  file: {path: /x, template: broken, mode: '0644'}\n",
        "- name: x\n  file: {path: /x, template: os/sysctl.conf, mode: rwx}\n",
        "- name: x\n  link: {path: '/{{ nothing }}', target: y}\n",
        "- name: x\n  link: {path: '/{{ k3s.unit', target: y}\n",
        "- name: x\n  when: facts.nothing\n  link: {path: /x, target: y}\n",
        "- name: x\n  for_each: k3s.unit\n  link: {path: /x, target: y}\n",
        "- name: x\n  service: {unit: k3s, newer_than: [], diagnose: k0s, timeout: 1}\n",
        "- name: x\n  node: {name: m1, service: {unit: k3s, timeout: 1}, voter: maybe, network: true, kubeconfig: /x, timeout: 1}\n",
        "- name: x\n  wait: {until: ':', description: x, timeout: soon}\n",
        "- name: x\n  wait:\n    until: ':'\n    timeout: 1\n",
        "- name: x\n  node: {name: m1, service: {unit: k3s, timeout: 1}, network: '{{ k3s.unit }}', kubeconfig: /x, timeout: 1}\n",
        "- name: x\n  command:\n    unless: |\n      a\n      {{ b }}\n    run: ':'\n    description: x\n",
        "- name: x\n  file: {path: /x, template: broken, mode: '0644'\n",
        "- name: [\n",
        "name: x\n",
    ] {
        said.push_str(&format!("{playbook}{}\n\n", complaint(playbook)));
    }
    insta::assert_snapshot!("playbooks-that-are-wrong", said);
    let mut assets = Assets::of(&crate::distribution::k3s::DISTRIBUTION);
    assets.set_template("k3s/k3s.service".into(), "one\n{% if %}\n".into());
    let problem = Book::read(&assets).expect_err("refused").to_string();
    assert!(
        problem.starts_with("templates/k3s/k3s.service, line 2: "),
        "{problem}"
    );
    let mut assets = Assets::of(&crate::distribution::k3s::DISTRIBUTION);
    assets.set_playbook(
        "k3s/site.yml".into(),
        "- {stage: s, hosts: all, strategy: parallel, playbook: gone}\n".into(),
    );
    assert_eq!(
        Book::read(&assets).expect_err("refused").to_string(),
        "there is no playbook gone.yml"
    );
}

/// Every kind has a section on the page, with the example of its file and each of its keys; and all
/// examples are playbooks.
#[test]
fn the_page_about_playbooks_has_every_kind_with_an_example_that_works() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect(path);
    let page = read("docs/playbooks.md");
    let tasks = |text: &str| {
        let mut assets = Assets::of(&crate::distribution::k3s::DISTRIBUTION);
        let site = "- {stage: s, hosts: all, strategy: parallel, playbook: mine}\n";
        assets.set_playbook("k3s/site.yml".into(), site.into());
        assets.set_playbook("mine.yml".into(), text.into());
        assets.set_template("site/banner".into(), "text\n".into());
        Book::read(&assets)
            .and_then(|book| book.tasks("mine", &context("server", &json!({})), &binary()))
    };
    for kind in Task::KINDS {
        let code = read(&format!("src/task/{kind}.rs"));
        let example = code
            .split("//! ```")
            .nth(1)
            .expect(kind)
            .replace("\n//! ", "\n");
        let example = example.trim_start_matches("yaml\n").trim_end();
        let made = tasks(example).unwrap_or_else(|problem| panic!("{kind}: {problem}"));
        assert!(!made.is_empty(), "{kind}");
        let section = page.split(&format!("\n### `{kind}`\n")).nth(1).expect(kind);
        let section = section.split("\n##").next().expect(kind);
        assert!(
            section.contains(&format!("```yaml\n{example}\n```")),
            "{kind}:\n{example}"
        );
        // serde says itself which keys there are.
        let said = tasks(&format!("- name: x\n  {kind}: {{no-such-key: []}}\n"));
        let said = said.expect_err(kind).to_string();
        if *kind != "package" {
            let keys = said.split_once(", expected ").expect(&said).1;
            for key in keys.split('`').skip(1).step_by(2) {
                let is_told = [format!("`{key}`"), format!("`{key}: ")];
                assert!(
                    is_told.iter().any(|key| section.contains(key)),
                    "{kind}: {key}"
                );
            }
        }
    }
    for example in page.split("```yaml\n").skip(1) {
        let example = example.split("```").next().expect("its end");
        if !example.contains("- stage:") {
            tasks(example).unwrap_or_else(|problem| panic!("{example}\n{problem}"));
        }
    }
    let site = yaml::<Vec<StageEntry>>(
        "k3s/site.yml",
        Assets::of(&crate::distribution::k3s::DISTRIBUTION)
            .playbook("k3s/site")
            .expect("it is there"),
    );
    for stage in site.expect("right") {
        assert!(
            page.contains(&format!("| {} | `", stage.stage)),
            "{}",
            stage.stage
        );
    }
}

#[test]
fn a_file_of_ones_own_that_would_change_nothing_is_refused() {
    let refused = |own: &dyn Fn(&mut Assets)| {
        let mut assets = Assets::of(&crate::distribution::k3s::DISTRIBUTION);
        own(&mut assets);
        let read = Book::read(&assets);
        read.err().map(|problem| problem.to_string())
    };
    let playbook = refused(&|assets| assets.set_playbook("k3s-server.yml".into(), "[]".into()));
    let said = playbook.expect("refused");
    for words in ["playbooks/k3s-server.yml: no stage names", "k3s/server"] {
        assert!(said.contains(words), "{said}");
    }
    let template = refused(&|assets| assets.set_template("sysctl.conf".into(), "x\n".into()));
    let said = template.expect("refused");
    for words in [
        "templates/sysctl.conf: nothing names",
        "templates/os/sysctl.conf",
    ] {
        assert!(said.contains(words), "{said}");
    }
    // Its name may be made by a template.
    assert_eq!(
        refused(&|assets| assets.set_template("site/server".into(), "x\n".into())),
        None
    );
    assert_eq!(
        refused(&|assets| assets.set_playbook("os/bootstrap.yml".into(), "[]".into())),
        None
    );
}
