//! From files to an [`Inventory`], or to everything that is wrong with them.

use std::path::{Path, PathBuf};

use super::mask::Masked;
use super::mistake::{Mistakes, Rules};
use super::node::{Node, Span, Tree};
use super::reader::Reader;
use super::source::{STANDARD_INPUT, Source, Sources};
use super::{
    InputErrors, Inventory, Overrides, check, cluster, hosts, language, overlay, shape, yaml,
};

/// What an inventory does not say itself.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// What `~` stands for.
    pub home: Option<&'a Path>,
    /// What the command line says.
    pub overrides: &'a Overrides,
}

/// Reads an inventory's files, each laid over the ones before it; `-` is standard input. Opens no
/// connection.
///
/// All mistakes are found at once, unless a file cannot be read or is no YAML at all. `rules` look
/// at an inventory that has none.
pub fn load(
    files: &[PathBuf],
    surroundings: Surroundings<'_>,
    rules: Rules,
) -> Result<Inventory, InputErrors> {
    let mut mistakes = Mistakes::default();
    let mut sources = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let is_again = file == Path::new(STANDARD_INPUT) && files[..index].contains(file);
        let (source, wrong) = if is_again {
            let message = "cannot be read twice".to_owned();
            (Source::new(file, ""), Some((in_file(index), message)))
        } else {
            Source::read(file, index)
        };
        sources.push(source);
        if let Some((span, message)) = wrong {
            mistakes.add(span, message);
        }
    }
    let sources = Sources(sources);
    if mistakes.len() > 0 {
        let masks = sources
            .0
            .iter()
            .map(|source| Masked::by_lines(&source.text));
        return Err(InputErrors::new(&sources, mistakes, masks.collect()));
    }
    read(&sources, files, surroundings, rules)
}

/// Reads an inventory from memory by the language alone. `file` is its name in messages and the start
/// of relative paths; files that it names (a token's) are read.
pub fn parse(
    source: &str,
    file: &Path,
    home: Option<&Path>,
    overrides: &Overrides,
) -> Result<Inventory, InputErrors> {
    let surroundings = Surroundings { home, overrides };
    parse_by(source, file, surroundings, |_| Vec::new())
}

/// The same with rules.
pub fn parse_by(
    source: &str,
    file: &Path,
    surroundings: Surroundings<'_>,
    rules: Rules,
) -> Result<Inventory, InputErrors> {
    let sources = Sources(vec![Source::new(file, source)]);
    read(&sources, &[file.to_owned()], surroundings, rules)
}

fn in_file(file: usize) -> Span {
    Span {
        file,
        ..Span::default()
    }
}

fn read(
    sources: &Sources,
    files: &[PathBuf],
    surroundings: Surroundings<'_>,
    rules: Rules,
) -> Result<Inventory, InputErrors> {
    let mut reader = Reader {
        sources,
        files,
        surroundings,
        mistakes: Mistakes::default(),
        warnings: Vec::new(),
    };
    let trees = sources.0.iter().enumerate();
    let trees: Vec<Option<Node>> = trees
        .map(|(index, source)| yaml::parse(&source.text, index, &mut reader.mistakes))
        .collect();
    let inventory = joined(&trees, &mut reader).and_then(|root| whole(&mut reader, &root, rules));
    inventory.ok_or_else(|| {
        let masks = sources.0.iter().zip(&trees);
        let masks = masks.map(|(source, tree)| match tree {
            Some(root) => Masked::by_tree(&source.text, root),
            None => Masked::by_lines(&source.text),
        });
        InputErrors::new(sources, reader.mistakes, masks.collect())
    })
}

/// The one tree that the files' trees are together; none when one of them is missing.
fn joined(trees: &[Option<Node>], reader: &mut Reader<'_>) -> Option<Node> {
    let trees: Option<Vec<&Node>> = trees.iter().map(Option::as_ref).collect();
    let mut trees = trees?.into_iter();
    let mut root = trees.next()?.clone();
    for tree in trees {
        match (&tree.tree, &root.tree) {
            (Tree::Null, _) => {}
            (Tree::Map(_), Tree::Map(_) | Tree::Null) => {
                overlay::lay(
                    &mut root,
                    tree.clone(),
                    &language::INVENTORY,
                    reader.sources,
                );
            }
            (Tree::Map(_), _) => {}
            _ => shape::object(tree, "", &language::INVENTORY, &mut reader.mistakes),
        }
    }
    Some(root)
}

/// The inventory that a tree describes, or nothing but mistakes.
fn whole(reader: &mut Reader<'_>, root: &Node, rules: Rules) -> Option<Inventory> {
    shape::object(root, "", &language::INVENTORY, &mut reader.mistakes);
    if !matches!(root.tree, Tree::Map(_)) {
        return None;
    }
    let (cluster, places) = cluster::cluster(reader, root);
    let hosts = hosts::hosts(reader, root);
    check::across(reader, root, &places, &hosts);
    if reader.mistakes.len() > 0 {
        return None;
    }
    let inventory = Inventory {
        files: reader.files.to_vec(),
        cluster,
        hosts: hosts.placed.into_iter().map(|placed| placed.host).collect(),
        whole: true,
        warnings: std::mem::take(&mut reader.warnings),
    };
    let remarks = rules(&inventory);
    if remarks.is_empty() {
        return Some(inventory);
    }
    for remark in remarks {
        reader.mistakes.remark(root, reader.sources, remark);
    }
    None
}
