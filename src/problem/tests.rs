use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::codes::AREAS;
use super::*;

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
