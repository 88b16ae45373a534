//! The design as a table: which room of the house may see which. Read from the sources, so that an
//! edge that points back fails here and not in a review.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

#[path = "architecture/source.rs"]
mod source;

use source::Source;

#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/names.rs"]
mod names;
#[path = "architecture/product.rs"]
mod product;
#[path = "architecture/pure.rs"]
mod pure;
#[path = "architecture/rooms.rs"]
mod rooms;

/// Words that only some rooms may use, with the reason.
const WORDS: &[(&str, &[&str], &str)] = &[
    (
        "println!",
        &[],
        "only ui prints, and it does not panic when nobody reads",
    ),
    (
        "eprintln!",
        &[],
        "only ui prints, and it does not panic when nobody reads",
    ),
    (
        "print!",
        &[],
        "only ui prints, and it does not panic when nobody reads",
    ),
    (
        "stdout()",
        &["ui", "cli"],
        "only ui prints; cli asks whether there is a terminal",
    ),
    ("stderr()", &["ui"], "only ui prints"),
    ("env::", &["cli"], "only cli reads the environment"),
    (
        "process::Command",
        &["ssh"],
        "towline runs no programs on this machine, but the shell of --local, and vagrant, which alone knows its machines",
    ),
    (
        "/bin/sh",
        &["shell", "ssh"],
        "only shell makes remote scripts, and ssh runs them",
    ),
    ("russh", &["ssh"], "only ssh speaks SSH"),
    (
        "tokio::",
        &[
            "ssh",
            "run",
            "ui",
            "engine",
            "adhoc",
            "vagrant",
            "commands",
            "main",
            "kubernetes",
        ],
        "what decides does not wait",
    ),
];

/// The code of a file without comments and without what only tests see, by line.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).expect("a source file");
    let body = text
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let body = body
        .split("\n#[cfg(test)]\npub(super) mod ")
        .next()
        .unwrap_or_default();
    let lines = body.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(number, line)| (number + 1, line.to_owned()))
        .collect()
}

/// Whether a file is compiled for tests only: some file beside it or above says so.
fn is_test(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.contains("/tests/") || text.ends_with("tests.rs") || text.ends_with("/ssh/server.rs")
}

fn sources() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !is_test(&path) {
                let inner = path
                    .strip_prefix(&root)
                    .expect("inside")
                    .to_string_lossy()
                    .into_owned();
                let room = inner
                    .split(['/', '.'])
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                found.push((room, path));
            }
        }
    }
    found.sort();
    found
}

/// All files with what they name.
static READ: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources().into_iter();
    files
        .map(|(room, path)| {
            let inner = path.strip_prefix(&root).expect("inside").to_path_buf();
            let text = fs::read_to_string(&path).expect("a source file");
            source::read(&room, path, &inner.to_string_lossy(), &text)
        })
        .collect()
});

#[test]
fn use_is_read_in_all_its_forms() {
    let text = "mod own;\nuse crate::{plan::{self, Plan}, run::{\n    step::End as Stop,\n}};\n\
                use super::super::ssh::*;\npub use own::Passed;\nuse std::fs;\n\
                #[cfg(test)]\nuse crate::never::Seen;\n\
                fn f(x: super::Lane) { format!(\"{}\", crate::shell::quote(x)); fs::read(own::y()) }\n\
                #[cfg(test)]\nmod tests { use crate::never::Again; }";
    let read = source::read("a", PathBuf::new(), "a/b/mod.rs", text);
    let named: BTreeSet<_> = read.named.iter().map(|(_, path)| &**path).collect();
    assert_eq!(
        Vec::from_iter(named),
        [
            "crate::a::Lane",
            "crate::a::b::own::y",
            "crate::plan",
            "crate::plan::Plan",
            "crate::run::step::End",
            "crate::shell::quote",
            "crate::ssh",
            "fs::read",
            "std::fs",
        ]
    );
}

#[test]
fn printing_the_environment_and_remote_shells_have_one_place_each() {
    let mut wrong = String::new();
    for (room, path) in sources() {
        for (line, text) in code(&path) {
            for (word, rooms, why) in WORDS {
                let used = text.match_indices(word).any(|(at, _)| {
                    !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"')
                });
                if used && !rooms.contains(&room.as_str()) {
                    let _ = writeln!(wrong, "{}:{line}: {word}: {why}", path.display());
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A trace shows nothing of what travels packed, and knows it by its beginning.
#[test]
fn what_travels_packed_says_so() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scripts =
        ["src/facts", "src/distribution", "templates", "playbooks"].map(|folder| root.join(folder));
    let mut files: Vec<_> = sources().into_iter().map(|(_, path)| path).collect();
    let mut folders = Vec::from(scripts);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    let packs = |line: &str| line.contains("base64") && line.contains("| tr -d");
    let says_so = |line: &str| line.contains("{PACKED}") || line.contains("printf base64:");
    let mut found = 0;
    for path in files {
        for line in fs::read_to_string(&path).expect("read").lines() {
            found += usize::from(packs(line));
            assert!(!packs(line) || says_so(line), "{}: {line}", path.display());
        }
    }
    assert!(found > 3, "{found}");
}
