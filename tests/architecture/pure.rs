//! What decides is pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::READ;

/// Rooms that decide: they read no files, know no time, no network and no chance.
const PURE: &[&str] = &["cluster", "facts", "inventory", "plan", "playbook", "task"];

/// What they may not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "tokio",
    "ureq",
    "std::net::Tcp",
    "std::net::Udp",
    "std::net::ToSocketAddrs",
    "std::time::SystemTime::now",
    "SystemTime::now",
    "std::time::Instant::now",
    "Instant::now",
    "rand",
];

/// Files of theirs that do, and why.
const EXCEPT: &[(&str, &str, &str)] = &[
    ("inventory::manifests", "std::fs", "it loads"),
    ("inventory::reader", "std::fs", "it loads"),
    ("inventory::source", "std::fs", "it loads"),
];

#[test]
fn what_decides_reads_no_files_and_knows_neither_time_nor_network_nor_chance() {
    let mut wrong = String::new();
    let mut used = BTreeSet::new();
    for source in READ.iter().filter(|source| PURE.contains(&&*source.room)) {
        let file = source.module.join("::");
        for (line, named) in &source.named {
            let begins = |word: &&&str| {
                named.strip_prefix(**word).is_some_and(|rest| {
                    rest.is_empty()
                        || rest.starts_with("::")
                        || word.ends_with("Tcp")
                        || word.ends_with("Udp")
                })
            };
            let Some(word) = IMPURE.iter().find(begins) else {
                continue;
            };
            match EXCEPT
                .iter()
                .position(|(of, what, _)| *of == file && what == word)
            {
                Some(except) => drop(used.insert(except)),
                None => drop(writeln!(wrong, "{}:{line}: {named}", source.path.display())),
            }
        }
    }
    for (index, (file, word, _)) in EXCEPT.iter().enumerate() {
        if !used.contains(&index) {
            let _ = writeln!(wrong, "{file} no longer needs {word}");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
