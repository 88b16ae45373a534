//! Which room of the house may see which, as a table.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::READ;

/// Room, and the rooms that it may see. What is not named here, it may not see.
const ROOMS: &[(&str, &[&str])] = &[
    // Ground: words for people, values that know where they came from, shell text.
    ("digest", &[]),
    ("problem", &[]),
    ("vars", &[]),
    ("shell", &[]),
    // What is given and what is known; all of it data.
    ("inventory", &["problem", "vars"]),
    ("artifacts", &["digest", "problem"]),
    (
        "facts",
        &[
            "artifacts",
            "digest",
            "inventory",
            "kubernetes",
            "shell",
            "vars",
        ],
    ),
    ("kubernetes", &["problem", "vars"]),
    // What other tools' inventories become.
    ("convert", &["distribution", "problem", "inventory", "vars"]),
    // What decides; all of it pure. Of `ssh` a task only names the file that is to be sent, of
    // `kubernetes` the rules only take the form of a server's address.
    (
        "task",
        &[
            "artifacts",
            "digest",
            "problem",
            "kubernetes",
            "shell",
            "ssh",
            "vars",
        ],
    ),
    (
        "cluster",
        &[
            "facts",
            "inventory",
            "kubernetes",
            "problem",
            "shell",
            "vars",
        ],
    ),
    // What is known of products: it answers what the rules ask.
    (
        "distribution",
        &[
            "artifacts",
            "cluster",
            "digest",
            "facts",
            "inventory",
            "kubernetes",
            "problem",
            "shell",
            "task",
            "vars",
        ],
    ),
    (
        "playbook",
        &["artifacts", "distribution", "problem", "shell", "task"],
    ),
    (
        "plan",
        &[
            "artifacts",
            "cluster",
            "distribution",
            "problem",
            "facts",
            "inventory",
            "playbook",
            "shell",
            "task",
        ],
    ),
    // What talks to hosts.
    ("ssh", &["problem", "shell", "vars"]),
    (
        "run",
        &[
            "distribution",
            "problem",
            "facts",
            "inventory",
            "plan",
            "shell",
            "ssh",
            "task",
            "vars",
        ],
    ),
    // What talks to people.
    ("ui", &["problem", "run", "vars"]),
    ("cli", &[]),
    // The way from an inventory to hosts that are as it says, and the inventory of a typed line.
    (
        "engine",
        &[
            "artifacts",
            "cli",
            "cluster",
            "distribution",
            "problem",
            "facts",
            "inventory",
            "kubernetes",
            "plan",
            "playbook",
            "run",
            "shell",
            "ssh",
            "task",
            "ui",
            "vars",
        ],
    ),
    (
        "adhoc",
        &[
            "cli",
            "cluster",
            "distribution",
            "engine",
            "problem",
            "facts",
            "inventory",
            "kubernetes",
            "run",
            "shell",
            "ui",
            "vars",
        ],
    ),
    // An inventory of Vagrant's machines.
    (
        "vagrant",
        &[
            "adhoc",
            "cli",
            "cluster",
            "engine",
            "inventory",
            "problem",
            "run",
            "shell",
            "ssh",
            "ui",
        ],
    ),
    (
        "commands",
        &[
            "adhoc",
            "artifacts",
            "cli",
            "cluster",
            "convert",
            "distribution",
            "engine",
            "problem",
            "inventory",
            "run",
            "shell",
            "ui",
            "vagrant",
        ],
    ),
    ("main", &["cli", "commands", "problem"]),
    ("lib", &[]),
];

/// Items of a room that is seen only for them.
const ONLY: &[(&str, &str, &[&str])] = &[
    ("task", "ssh", &["Upload"]),
    ("cluster", "kubernetes", &["kubeconfig::server_url"]),
    (
        "distribution",
        "kubernetes",
        &["kubeconfig::parse", "kubeconfig::server_url"],
    ),
    ("facts", "kubernetes", &["lacks_network"]),
    ("task", "kubernetes", &["lacks_network"]),
    // Words that a person is told to type.
    ("cluster", "shell", &["quote"]),
    (
        "convert",
        "distribution",
        &["k0s::flags", "k0s::keys", "k3s::arguments"],
    ),
];

#[test]
fn every_room_sees_only_what_the_design_lets_it_see() {
    let mut wrong = String::new();
    let mut used = BTreeSet::new();
    for source in &*READ {
        let (room, path) = (&source.room, &source.path);
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            let _ = writeln!(wrong, "{}: the table knows no room {room}", path.display());
            continue;
        };
        for (line, named) in &source.named {
            let Some(named) = named.strip_prefix("crate::") else {
                continue;
            };
            let (seen, item) = named.split_once("::").unwrap_or((named, ""));
            if seen == room || room == "lib" {
                continue;
            }
            used.insert((room.clone(), seen.to_owned()));
            let only = ONLY
                .iter()
                .find(|(from, to, _)| *from == room && *to == seen);
            let fits =
                only.is_none_or(|(_, _, items)| items.iter().any(|only| item.starts_with(only)));
            if !allowed.contains(&seen) || !fits {
                let _ = writeln!(
                    wrong,
                    "{}:{line}: {room} may not see {named}",
                    path.display()
                );
            }
        }
    }
    for (room, allowed) in ROOMS {
        for seen in *allowed {
            if !used.contains(&((*room).to_owned(), (*seen).to_owned())) {
                let _ = writeln!(wrong, "{room} no longer needs to see {seen}");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn no_arrow_points_back() {
    // A room that is seen must not see back, over any way round.
    fn reaches(from: &str, to: &str, seen: &mut BTreeSet<String>) -> bool {
        let next = ROOMS
            .iter()
            .find(|(room, _)| *room == from)
            .map_or(&[][..], |(_, next)| next);
        next.iter()
            .any(|room| *room == to || (seen.insert((*room).to_owned()) && reaches(room, to, seen)))
    }
    for (room, _) in ROOMS {
        assert!(
            !reaches(room, room, &mut BTreeSet::new()),
            "{room} sees itself over others"
        );
    }
}
