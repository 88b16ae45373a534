//! The files that another tool's inventory is made of.

use std::fs;
use std::path::{Path, PathBuf};

use super::Source;
use super::ansible::{Beside, VarsFolder};
use crate::problem::{Code, Problem, problem};

/// As many files of variables may stand beside an Ansible inventory, in folders this deep.
const MOST_FILES: usize = 1000;
const DEEPEST: usize = 8;

/// The text of a file.
///
/// # Errors
/// One that cannot be read, is larger than 4 MiB, or is not text in UTF-8.
pub fn read(file: &Path) -> Result<Source, Problem> {
    let (source, fault) = Source::read(file, 0);
    let Some((_, why)) = fault else {
        return Ok(source);
    };
    let problem = problem!(Code::FILE_UNREADABLE, "{} {why}", source.name);
    Err(if file.is_dir() {
        problem.next("name the file in it that lists the hosts")
    } else {
        problem
    })
}

/// The files of variables in `group_vars` and `host_vars` beside an Ansible inventory.
///
/// # Errors
/// One that cannot be read, and more of them than are read.
pub fn beside(inventory: &Path) -> Result<Vec<Beside>, Problem> {
    let folder = inventory.parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for (name, kind) in [
        ("group_vars", VarsFolder::Group),
        ("host_vars", VarsFolder::Host),
    ] {
        let vars = folder.join(name);
        let paths = if vars.is_dir() {
            entries(&vars)?
        } else {
            Vec::new()
        };
        for path in paths {
            if let Some(name) = named(&path) {
                collect(&path, 0, (kind, &name), &mut found)?;
            }
        }
    }
    Ok(found)
}

/// The group or host that a file or folder is for; none for what Ansible skips.
fn named(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let stem = ["yml", "yaml", "json"]
        .iter()
        .find_map(|kind| name.strip_suffix(kind)?.strip_suffix('.'))
        .filter(|_| !path.is_dir());
    let skipped = name.starts_with('.') || name.ends_with('~');
    (!skipped).then(|| stem.unwrap_or(name).to_owned())
}

/// All files of variables at a path, in the order of their names.
fn collect(
    path: &Path,
    depth: usize,
    (kind, name): (VarsFolder, &str),
    found: &mut Vec<Beside>,
) -> Result<(), Problem> {
    if depth == DEEPEST || found.len() == MOST_FILES {
        let problem = format!("{} is more than is read", path.display());
        let limit = format!("at most {MOST_FILES} files in folders {DEEPEST} deep are read");
        return Err(Problem::new(Code::SOURCE_TOO_LARGE, problem).because(limit));
    }
    if path.is_file() {
        let (name, source) = (name.to_owned(), read(path)?);
        found.push(Beside { kind, name, source });
        return Ok(());
    }
    // A pipe or a device may never end.
    if !path.is_dir() {
        return Err(problem!(
            Code::FILE_UNREADABLE,
            "{} is neither a file nor a folder",
            path.display()
        ));
    }
    for path in entries(path)? {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let is_read = matches!(ending, None | Some("yml" | "yaml" | "json")) || path.is_dir();
        if named(&path).is_some() && is_read {
            collect(&path, depth + 1, (kind, name), found)?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Problem> {
    let failed = |error: std::io::Error| {
        problem!(Code::FILE_UNREADABLE, "{} cannot be read", folder.display()).because(error)
    };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<Result<_, _>>().map_err(failed)?;
    paths.sort();
    Ok(paths)
}
