//! `docs/inventory.md`, made of the table that the reader checks against.

use std::fmt::Write;

use crate::distribution::DIALECTS;
use crate::inventory::keys::OBJECTS;
use crate::inventory::language::{Key, Kind};

/// What stands before the tables.
const INTRODUCTION: &str = "\
# The inventory

One YAML file describes a cluster completely: its machines, their roles, and how to connect to them.
towline checks all of it before it opens the first connection. `towline inventory init` creates one: it
asks on a terminal, or takes `--servers`, `--agents` and `--user`. `towline inventory from-vagrant` creates
one from Vagrant's machines. The smallest one:

```yaml
";

/// What stands between the two examples.
const LARGER: &str = "\
```

A larger one:

```yaml
";

/// What stands after the examples.
const RULES: &str = include_str!("rules.md");

/// The text of `docs/inventory.md`.
fn document() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str(include_str!("../../../inventories/single.yaml"));
    text.push_str(LARGER);
    text.push_str(include_str!("../../../inventories/rack.yaml"));
    text.push_str(RULES);
    for object in OBJECTS {
        let title = match object.name {
            "Inventory" => "The file",
            "Cluster" => "`cluster`",
            "Binary" => "`cluster.binary`",
            "Ssh" => "`ssh`",
            "Group" => "One of `groups`",
            "Host" => "One of `hosts`",
            "File" => "One of `files`",
            "Registries" => "`registries`",
            "Mirror" => "One of `registries.mirrors`",
            "Registry" => "One of `registries.configs`",
            "RegistryLogin" => "`auth` of a registry",
            "RegistryTls" => "`tls` of a registry",
            name => name,
        };
        let _ = write!(
            text,
            "\n### {title}\n\n{}\n\n| key | value | default | |\n|---|---|---|---|\n",
            object.about
        );
        for key in object.keys() {
            row(&mut text, key);
        }
    }
    text
}

/// A key's row in its table.
fn row(text: &mut String, key: &Key) {
    let default = key
        .default
        .map(|default| format!("`{default}`"))
        .unwrap_or_default();
    let example = match key.kind {
        Kind::Choice(_) | Kind::Distribution | Kind::RoleName | Kind::Secret(_) => String::new(),
        _ => format!(" Example: `{}`", key.example),
    };
    let about = format!("{}{example}", key.about).replace('|', "\\|");
    let _ = writeln!(
        text,
        "| `{}` | {} | {default} | {about} |",
        key.name,
        kind(key.kind)
    );
}

/// Words of which one is chosen.
fn listed(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(" or ")
}

/// A kind of value in words.
fn kind(kind: Kind) -> String {
    match kind {
        Kind::Text(_) | Kind::Ranged(_) => "text".to_owned(),
        Kind::Secret(_) => "[secret](#secrets)".to_owned(),
        Kind::Whole(least, most) => format!("number, {least} to {most}"),
        Kind::Distribution => listed(&DIALECTS.map(|dialect| dialect.name)),
        Kind::RoleName => listed(&crate::distribution::DEFAULT.dialect.role_words()),
        Kind::Choice(words) => listed(words),
        Kind::Texts(_) => "list of texts".to_owned(),
        Kind::TextOrTexts(_) => "text, or list of texts".to_owned(),
        Kind::TextsOrObjects(..) => "list of texts and maps".to_owned(),
        Kind::Labels(_) => "map of texts".to_owned(),
        Kind::Flag => listed(&["true", "false"]),
        Kind::Values(_) => "map of texts and numbers".to_owned(),
        Kind::Config => "map of anything".to_owned(),
        Kind::Object(_) => "map".to_owned(),
        Kind::ObjectOrFile(_) | Kind::Document => "map, or a file with it".to_owned(),
        Kind::Objects(_) => "map of maps".to_owned(),
    }
}

#[test]
fn the_documentation_on_disk_is_the_generated_one() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/inventory.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(file, document()).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == document(),
        "docs/inventory.md is not what the language says now; renew it with: \
         UPDATE_DOCS=1 cargo test --lib document"
    );
}
