//! Files of other tools: told apart from inventories, and read with their parser.

use std::path::{Path, PathBuf};

use serde_yaml::DuplicateKeyPolicy;

use super::InputErrors;
use super::mask::Guarded;
use super::mistake::Mistakes;
use super::node::{Span, YamlEntry, YamlNode, YamlValue};
use super::source::{STANDARD_INPUT, Source, Sources};
use super::yaml;

/// Reads all documents of a text in YAML or JSON; those that hold nothing are none. Tags say
/// nothing: what stands behind `!vault` is its text.
///
/// # Errors
/// It is no YAML, or a key stands twice in a map.
pub fn documents(source: &str, file: &Path) -> Result<Vec<YamlNode>, InputErrors> {
    let sources = Sources(vec![Source::new(file, source)]);
    let source = &*sources.0[0].text;
    let mut mistakes = Mistakes::default();
    let options = yaml::options(DuplicateKeyPolicy::LastWins);
    let mut documents: Vec<YamlNode> = serde_yaml::from_multiple_with_options(source, options)
        .unwrap_or_else(|error| {
            yaml::broken(source, 0, &error, &mut mistakes);
            Vec::new()
        });
    for document in &mut documents {
        yaml::settle(source, 0, document, &mut mistakes);
    }
    if mistakes.len() == 0 {
        return Ok(documents);
    }
    let files = vec![Guarded::new(source, None)];
    Err(InputErrors::new(&sources, mistakes, files))
}

/// A text that is no inventory, but one of a tool that is known.
#[derive(Debug, Clone, Copy)]
pub struct Foreign {
    /// What it is.
    pub what: &'static str,
    /// The command that makes an inventory of it.
    pub command: &'static str,
}

/// Whose text it is, where that is known.
pub fn foreign(text: &str) -> Option<Foreign> {
    let tree = yaml::parse(text, 0, &mut Mistakes::default());
    tool(text, tree.as_ref())
}

const ANSIBLE: Foreign = Foreign {
    what: "this is an Ansible inventory",
    command: "from-ansible",
};
const K0SCTL: Foreign = Foreign {
    what: "this is a file of k0sctl",
    command: "from-k0sctl",
};
const K3SUP: Foreign = Foreign {
    what: "this is a list of hosts of k3sup plan",
    command: "from-k3sup",
};

/// What is said in place of mistakes where a file is another tool's: the line that converts it.
pub(super) fn recognised(
    sources: &Sources,
    files: &[PathBuf],
    trees: &[Option<YamlNode>],
) -> Option<Mistakes> {
    let mut mistakes = Mistakes::default();
    for (index, (source, tree)) in sources.0.iter().zip(trees).enumerate() {
        let Some(foreign) = tool(&source.text, tree.as_ref()) else {
            continue;
        };
        let span = Span {
            file: index,
            ..Span::default()
        };
        let name = &*source.name;
        let to = if Path::new(name).ends_with("inventory.yaml") {
            "towline.yaml"
        } else {
            "inventory.yaml"
        };
        let file = match files.get(index) {
            Some(file) if file != Path::new(STANDARD_INPUT) => shlex::try_quote(name).ok(),
            _ => None,
        };
        let file = file.unwrap_or("FILE".into());
        let help = format!("towline inventory {} {file} -o {to}", foreign.command);
        mistakes.help(span, foreign.what, help);
    }
    (mistakes.len() > 0).then_some(mistakes)
}

/// Whose text it is.
fn tool(text: &str, tree: Option<&YamlNode>) -> Option<Foreign> {
    let of_k0sctl = |line: &str| {
        line.strip_prefix("apiVersion:")
            .is_some_and(|version| version.contains("k0sctl.k0sproject.io/"))
    };
    if text.lines().any(of_k0sctl) {
        return Some(K0SCTL);
    }
    let is_of = match tree.map(|node| &node.tree) {
        Some(YamlValue::Map(entries)) => is_of_groups(entries).then_some(ANSIBLE),
        Some(YamlValue::List(hosts)) if !hosts.is_empty() => {
            let has = |host: &YamlNode, key: &str| host.get(key).is_some();
            let is_host = |host| has(host, "hostname") || has(host, "ip");
            let is_all = hosts.iter().all(is_host) && hosts.iter().any(|host| has(host, "ip"));
            is_all.then_some(K3SUP)
        }
        _ => None,
    };
    let is_map = matches!(tree.map(|node| &node.tree), Some(YamlValue::Map(_)));
    is_of.or_else(|| (!is_map && is_ini(text)).then_some(ANSIBLE))
}

/// Whether a map has Ansible's groups and nothing of an inventory's own.
fn is_of_groups(entries: &[YamlEntry]) -> bool {
    let is_part = |entry: &YamlEntry| ["hosts", "vars", "children"].contains(&entry.key.as_str());
    let is_group = |entry: &YamlEntry| {
        entry.value.entries().iter().all(is_part)
            && !matches!(entry.key.as_str(), "cluster" | "ssh" | "groups" | "hosts")
    };
    entries.iter().all(is_group)
        && entries
            .iter()
            .any(|entry| !entry.value.entries().is_empty())
}

/// Whether a text has the sections and the variables of Ansible's INI.
fn is_ini(text: &str) -> bool {
    let lines = || text.lines().map(str::trim);
    let is_section = |line: &str| {
        let name = line.strip_prefix('[').and_then(|line| line.split_once(']'));
        name.is_some_and(|(name, rest)| {
            !name.is_empty()
                && !name.contains([' ', ',', '"', '[', '{'])
                && rest
                    .split('#')
                    .next()
                    .is_some_and(|rest| rest.trim().is_empty())
        })
    };
    let is_word = |line: &str| !line.is_empty() && !line.contains([' ', '=', ':', '[', '{', ',']);
    let has_variable = lines().any(|line| line.contains("ansible_") && line.contains('='));
    text.starts_with("$ANSIBLE_VAULT;")
        || has_variable
        || (lines().any(is_section) && lines().any(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_tools_are_known_and_broken_inventories_are_not() {
        let table = [
            ("[server]\n10.0.0.1\n", "from-ansible"),
            ("m1 ansible_host=10.0.0.1\nm2\n", "from-ansible"),
            (
                "[kube_node]\r\nnode1\r\n\r\n[k8s_cluster:children]\r\nkube_node\r\n",
                "from-ansible",
            ),
            (
                "all:\n  children:\n    server: {hosts: {10.0.0.1: }}\n",
                "from-ansible",
            ),
            ("k3s_cluster:\n  hosts:\n    m1:\nother:\n", "from-ansible"),
            ("$ANSIBLE_VAULT;1.1;AES256\n61\n", "from-ansible"),
            (
                "a: 1\n---\napiVersion: k0sctl.k0sproject.io/v1beta1\n",
                "from-k0sctl",
            ),
            (
                "apiVersion: \"k0sctl.k0sproject.io/v1beta1\"\nspec: [}\n",
                "from-k0sctl",
            ),
            (
                "[{\"hostname\": \"a\", \"ip\": \"10.0.0.1\"}]",
                "from-k3sup",
            ),
            ("hosts: {m1: {adress: 10.0.0.1, role: server}}\n", ""),
            ("host: {m1: {address: 10.0.0.1, role: server}}\n", ""),
            ("clusters: {name: a}\nhosts: {hosts: {m1: }}\n", ""),
            ("[a, b]\n", ""),
            ("- {address: 10.0.0.1}\n", ""),
            ("hosts:\n\tm1: {}\n", ""),
            ("just words\n", ""),
            ("", ""),
            ("{}", ""),
        ];
        for (text, command) in table {
            let found = foreign(text).map_or("", |foreign| foreign.command);
            assert_eq!(found, command, "{text:?}");
        }
    }

    #[test]
    fn a_text_may_hold_several_documents_and_tags() {
        let text = "a: !vault |\n  $ANSIBLE_VAULT;1.1\n---\n# nothing\n---\nb: {c: 1}\n";
        let documents = documents(text, Path::new("x.yaml")).expect("read");
        let shown: Vec<_> = documents
            .iter()
            .flat_map(YamlNode::entries)
            .map(|entry| (entry.key.as_str(), entry.at.line, entry.value.kind()))
            .collect();
        assert_eq!(
            shown,
            [("a", 1, "text"), ("b", 6, "a map of keys and values")]
        );
        let twice = super::documents("a: 1\na: 2\n", Path::new("x.yaml"));
        assert!(twice.is_err());
    }
}
