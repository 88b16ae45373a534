//! A distribution is a folder: what is k3s's own stands in src/distribution/k3s.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use super::{code, sources};

/// Words that only a distribution's own folder, the list of distributions and the command line say.
const WORDS: [&str; 3] = ["k3s", "k0s", "6443"];

/// Where they may stand.
const HOME: [&str; 4] = [
    "src/distribution/k3s/",
    "src/distribution/k0s/",
    "src/distribution/mod.rs",
    "src/cli",
];

/// Files and folders that say them all the same, with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "src/convert/",
        "most of the tools whose inventories it reads are tools of k3s",
    ),
    (
        "src/adhoc/",
        "it names the flags of install and join, of which some begin with k3s",
    ),
    (
        "src/commands/",
        "commands and flags are called so: from-k3sup, --k3s-version",
    ),
    ("src/facts/other.rs", "it lists what else may run on a host"),
    (
        "src/inventory/foreign.rs",
        "it recognises files of other tools by their words",
    ),
    (
        "src/inventory/keys.rs",
        "the words of `distribution`, and examples for the documentation",
    ),
];

#[test]
fn a_distribution_is_named_in_its_own_folder_only() {
    let root = env!("CARGO_MANIFEST_DIR");
    let scripts = ["src/facts", "src/task"].map(|folder| format!("{root}/{folder}"));
    let scripts = scripts
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "sh"));
    let files = sources().into_iter().map(|(_, path)| path).chain(scripts);
    let (mut wrong, mut used) = (String::new(), BTreeSet::new());
    for path in files {
        let file = path.strip_prefix(root).expect("inside").to_string_lossy();
        if HOME.iter().any(|home| file.starts_with(home)) {
            continue;
        }
        for (number, line) in code(&path) {
            let line = line.to_lowercase();
            if line.trim_start().starts_with("# ") || !WORDS.iter().any(|word| line.contains(word))
            {
                continue;
            }
            match EXCEPTIONS.iter().find(|(place, _)| file.starts_with(place)) {
                Some((place, _)) => {
                    used.insert(place);
                }
                None => {
                    let _ = writeln!(wrong, "{file}:{number}: {}", line.trim());
                }
            }
        }
    }
    for (place, _) in EXCEPTIONS {
        if !used.contains(place) {
            let _ = writeln!(wrong, "{place} needs no exception");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
