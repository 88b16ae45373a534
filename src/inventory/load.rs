//! From a file to an [`Inventory`], or to everything that is wrong with it.

use std::fs;
use std::path::Path;

use super::mask::Masked;
use super::mistake::{Mistakes, Rules};
use super::node::{self, Span};
use super::reader::{Reader, sentence};
use super::{InputErrors, Inventory, Overrides, check, cluster, hosts, language, shape, yaml};

/// An inventory may be this large; 2000 hosts take a tenth of it.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Reads an inventory's file. Opens no connection. `home` is what `~` stands for.
///
/// All mistakes are found at once, unless the file cannot be read or is no YAML at all. `rules` look
/// at an inventory that has none.
pub fn load(
    file: &Path,
    home: Option<&Path>,
    overrides: &Overrides,
    rules: Rules,
) -> Result<Inventory, InputErrors> {
    match read(file) {
        Ok(source) => parse_by(&source, file, home, overrides, rules),
        Err((source, span, message)) => {
            let mut mistakes = Mistakes::default();
            mistakes.add(span, message);
            Err(InputErrors::new(file, mistakes, Masked::by_lines(&source)))
        }
    }
}

/// Reads an inventory from memory by the language alone. `file` is its name in messages and the start
/// of relative paths; files that it names (a token's) are read.
pub fn parse(
    source: &str,
    file: &Path,
    home: Option<&Path>,
    overrides: &Overrides,
) -> Result<Inventory, InputErrors> {
    parse_by(source, file, home, overrides, |_| Vec::new())
}

/// The same with rules.
pub fn parse_by(
    source: &str,
    file: &Path,
    home: Option<&Path>,
    overrides: &Overrides,
    rules: Rules,
) -> Result<Inventory, InputErrors> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    let mut reader = Reader {
        source,
        folder: file.parent().unwrap_or(Path::new("")),
        home,
        overrides,
        mistakes: Mistakes::default(),
        warnings: Vec::new(),
    };
    let Some(root) = yaml::parse(source, &mut reader.mistakes) else {
        return Err(InputErrors::new(
            file,
            reader.mistakes,
            Masked::by_lines(source),
        ));
    };
    shape::object(&root, "", &language::INVENTORY, &mut reader.mistakes);
    if matches!(root.tree, node::Tree::Map(_)) {
        let (cluster, places) = cluster::cluster(&mut reader, &root, file);
        let hosts = hosts::hosts(&mut reader, &root);
        check::across(&mut reader, &root, &places, &hosts);
        if reader.mistakes.len() == 0 {
            let inventory = Inventory {
                file: file.to_owned(),
                cluster,
                hosts: hosts.placed.into_iter().map(|placed| placed.host).collect(),
                whole: true,
                warnings: reader.warnings,
            };
            let remarks = rules(&inventory);
            if remarks.is_empty() {
                return Ok(inventory);
            }
            for remark in remarks {
                reader.mistakes.remark(&root, remark);
            }
        }
    }
    Err(InputErrors::new(
        file,
        reader.mistakes,
        Masked::by_tree(source, &root),
    ))
}

/// The text of a file, or what can be shown of it and what is wrong.
fn read(file: &Path) -> Result<String, (String, Span, String)> {
    let fail = |message: String| (String::new(), Span::default(), message);
    let failed = |error: std::io::Error| fail(format!("cannot be read: {}", sentence(&error)));
    let metadata = fs::metadata(file).map_err(failed)?;
    if metadata.is_dir() {
        return Err(fail("is a folder, not an inventory".to_owned()));
    }
    if metadata.len() > LARGEST {
        return Err(fail(
            "is larger than 4 MiB, too large for an inventory".to_owned(),
        ));
    }
    let bytes = fs::read(file).map_err(failed)?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let bytes = error.into_bytes();
        let text = String::from_utf8_lossy(&bytes[..good]).into_owned();
        let start = text.rfind('\n').map_or(0, |at| at + 1);
        let span = Span {
            line: text.matches('\n').count() as u64 + 1,
            column: text[start..].chars().count() as u64 + 1,
            offset: good,
            length: 0,
        };
        (text, span, "this is not text in UTF-8".to_owned())
    })
}
