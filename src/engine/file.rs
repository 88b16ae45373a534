//! Files that are written as a whole.

use std::path::Path;

use crate::problem::{Code, Problem};

/// Writes a file as a whole, or leaves what was there.
///
/// # Errors
/// What the file system refuses.
pub fn write(file: &Path, text: &str) -> Result<(), Problem> {
    let failed = |error: std::io::Error| {
        Problem::new(
            Code::FILE_UNWRITABLE,
            format!("{} cannot be written", file.display()),
        )
        .because(error.to_string())
    };
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    std::io::Write::write_all(&mut temporary, text.as_bytes()).map_err(failed)?;
    temporary
        .persist(file)
        .map_err(|error| failed(error.error))?;
    Ok(())
}
