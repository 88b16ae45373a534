//! Playbooks and templates of the user's own.

use std::path::Path;

use crate::playbook::Assets;
use crate::problem::{Code, Problem, problem};

/// Reads `playbooks/` and `templates/` of a folder.
pub fn read(folder: &Path, assets: &mut Assets) -> Result<(), Problem> {
    if !folder.is_dir() {
        return Err(problem!(
            Code::OVERRIDES_INVALID,
            "--overrides: there is no folder {}",
            folder.display()
        ));
    }
    let unreadable = |path: &Path, error: &std::io::Error| {
        problem!(Code::FILE_UNREADABLE, "{} cannot be read", path.display()).because(error)
    };
    let mut found = 0;
    for (kind, is_playbook) in [("playbooks", true), ("templates", false)] {
        let root = folder.join(kind);
        let mut folders = if root.is_dir() {
            vec![root.clone()]
        } else {
            Vec::new()
        };
        while let Some(current) = folders.pop() {
            for entry in
                std::fs::read_dir(&current).map_err(|error| unreadable(&current, &error))?
            {
                let path = entry.map_err(|error| unreadable(&current, &error))?.path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let text =
                    std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
                let name = path
                    .strip_prefix(&root)
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .into_owned();
                found += 1;
                if is_playbook {
                    assets.set_playbook(name, text);
                } else {
                    assets.set_template(name, text);
                }
            }
        }
    }
    if found == 0 {
        return Err(problem!(
            Code::OVERRIDES_INVALID,
            "{} has no playbooks/ and no templates/",
            folder.display()
        )
        .next("give the folder that contains them"));
    }
    Ok(())
}
