use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::Parser as _;
use clap::error::ErrorKind;

use super::codes::AREAS;
use super::*;
use crate::cli::Cli;

/// What stands before the pages of `docs/errors.md`.
const INTRODUCTION: &str = "\
# Errors

A problem is told with its code, such as `error[host-key-unknown]`. A code keeps its name and its
meaning; the words of a message may change. `towline explain CODE` prints what stands here about it,
and `towline explain` lists all codes. With `--output json` each problem has it as `code`.
";

#[test]
fn the_documentation_on_disk_is_made_of_the_codes() {
    let mut text = String::from(INTRODUCTION);
    for area in AREAS {
        let _ = write!(text, "\n## {}\n", area.title);
        for code in area.codes {
            let (cause, remedy) = (code.cause(), code.remedy());
            let _ = write!(
                text,
                "\n### `{code}`\n\n{cause}\n\n**What to do.** {remedy}\n"
            );
        }
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(file, &text).unwrap();
    }
    assert!(
        fs::read_to_string(file).unwrap_or_default() == text,
        "docs/errors.md is not what the codes are now; renew it with: \
         UPDATE_DOCS=1 cargo test --lib problem"
    );
}

#[test]
fn what_is_to_be_typed_or_written_stands_below_the_words_for_it() {
    let problem = problem!(Code::API_UNRESPONSIVE, host = "m1", "no answer")
        .because("two\nlines")
        .next("look at it")
        .on_host("journalctl -n 50")
        .on_host("systemctl status k3s\ndmesg")
        .command("ping m1")
        .next("or write")
        .inventory("cluster:\n  version: v1")
        .inventory("hosts: {}")
        .next("or type")
        .flag("--plan")
        .flag("--yes")
        .next("done");
    insta::assert_snapshot!(problem, @r"
    m1: no answer
      two
      lines
      → look at it:
        journalctl -n 50
      → on the host, as root:
        systemctl status k3s
        dmesg
      → ping m1
      → or write:
        cluster:
          version: v1
      → in the inventory:
        hosts: {}
      → or type:  --plan
      → use  --yes
      → done
    ");
    let json = serde_json::to_value(&problem).unwrap();
    assert_eq!(json["host"], "m1");
    assert_eq!(
        json["next"][1],
        serde_json::json!({"kind": "command_on_host", "text": "journalctl -n 50"})
    );
}

#[test]
fn every_code_has_a_name_of_its_own_a_cause_and_a_remedy() {
    let mut names = BTreeSet::new();
    for code in Code::all() {
        assert!(names.insert(code.name()), "{code} is there twice");
        assert!(
            code.name()
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
            "{code}"
        );
        assert!(
            code.cause().len() > 20 && code.remedy().len() > 20,
            "{code}"
        );
        let summary = code.summary();
        assert!(
            summary.ends_with('.') && !summary.contains('\n'),
            "{code}: {summary}"
        );
        assert_eq!(Code::named(code.name()), Some(code));
    }
}

#[test]
fn every_code_is_used() {
    fn read(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, text);
            } else if !path.ends_with("tests.rs") {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut text = String::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut text,
    );
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let unused = Code::all().filter(|code| {
        let constant = format!("Code::{}", code.name().to_uppercase().replace('-', "_"));
        let mut places = text.match_indices(&constant);
        !places.any(|(at, _)| {
            !text
                .as_bytes()
                .get(at + constant.len())
                .is_some_and(is_word)
        })
    });
    assert_eq!(
        unused.map(Code::name).collect::<Vec<_>>(),
        Vec::<&str>::new()
    );
}

#[test]
fn the_commands_of_towline_on_the_pages_are_commands_of_towline() {
    let placeholders = [
        ("ADDRESS", "10.0.0.1"),
        ("CODE", Code::INTERNAL.name()),
        ("COMMAND", "deploy"),
    ];
    let mut wrong = String::new();
    for code in Code::all() {
        let page = code.cause() + "\n" + &code.remedy();
        // In a code block, and between backticks, where a command may stand without its flags.
        let blocks = page.split("```").skip(1).step_by(2);
        let typed = blocks.flat_map(str::lines).map(|line| (line, true));
        let named = page.split('`').skip(1).step_by(2);
        let lines = typed.chain(named.map(|word| (word, false)));
        for (line, is_whole) in lines.filter(|(line, _)| line.starts_with("towline ")) {
            let words = placeholders
                .iter()
                .fold(line.to_owned(), |line, (name, value)| {
                    line.replace(name, value)
                });
            if let Err(error) = Cli::try_parse_from(shlex::split(&words).unwrap())
                && error.use_stderr()
                && (is_whole || error.kind() != ErrorKind::MissingRequiredArgument)
            {
                let _ = writeln!(wrong, "{code}: {line}\n{error}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
