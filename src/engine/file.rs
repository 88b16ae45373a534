//! Files that are written as a whole, and what a folder is called.

use std::path::Path;

use crate::problem::{Code, Problem, problem};

/// Writes a file as a whole, or leaves what was there.
///
/// # Errors
/// What the file system refuses.
pub fn write(file: &Path, text: &str) -> Result<(), Problem> {
    let failed = |error: std::io::Error| {
        problem!(
            Code::FILE_UNWRITABLE,
            "{} cannot be written",
            file.display()
        )
        .because(error)
    };
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    // Another's mode stays; a new file is for its owner alone.
    if let Ok(there) = std::fs::metadata(file) {
        let temporary = temporary.as_file();
        temporary
            .set_permissions(there.permissions())
            .map_err(failed)?;
    }
    std::io::Write::write_all(&mut temporary, text.as_bytes()).map_err(failed)?;
    temporary
        .persist(file)
        .map_err(|error| failed(error.error))?;
    Ok(())
}

/// The name of a cluster whose inventory is in this folder: the folder's own.
pub fn cluster_name(folder: &Path) -> String {
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let name = folder
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let name: String = name
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '-'
            }
        })
        .collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        "cluster".to_owned()
    } else {
        name.to_owned()
    }
}
