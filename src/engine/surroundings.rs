//! What an inventory and its paths need to know of where towline runs.

use std::path::{Path, PathBuf};

use crate::cli::Environment;
use crate::distribution::DIALECTS;
use crate::inventory::{Overrides, STANDARD_INPUT, Surroundings};
use crate::ui::ask;

/// What an inventory does not say itself.
pub fn surroundings<'a>(
    environment: &'a Environment,
    overrides: &'a Overrides,
) -> Surroundings<'a> {
    Surroundings {
        distributions: &DIALECTS,
        home: Some(&environment.home),
        overrides,
        variables: Environment::variable,
        commands: None,
    }
}

/// Whether the user can be asked: not where standard input is an inventory.
pub fn can_ask(inventory: &[PathBuf]) -> bool {
    let is_read = inventory
        .iter()
        .any(|file| file == Path::new(STANDARD_INPUT));
    !is_read && ask::possible()
}

/// A path that holds in any folder.
pub fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
