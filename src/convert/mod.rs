//! Inventories of other tools, made into this one's: pure, from texts to a text. Only [`files`] reads.
//!
//! Nothing of a source is lost: what cannot be carried over is listed with the place where it
//! stands. The reader of inventories is the only judge of what was made.

use std::path::Path;

use crate::inventory::{self, Dialect, InputErrors, Inventory, Overrides, Surroundings};
pub use crate::inventory::{Place, Source};
use crate::problem::Problem;
use crate::vars::mask::without_passwords;

pub mod ansible;
pub mod files;
mod flags;
pub mod k0sctl;
pub mod k3sup;
mod making;
mod placed;
mod reading;
mod sharing;
#[cfg(test)]
mod tests;

/// Something of a source that the inventory does not have, or has in another form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Omission {
    /// Where it stands.
    pub place: Place,
    /// What it is, and why; never a secret's value.
    pub what: String,
}

impl Omission {
    fn new(place: &Place, what: impl Into<String>) -> Self {
        Self {
            place: place.clone(),
            what: what.into(),
        }
    }

    /// A list in the order of the source, each thing once.
    fn in_order(mut list: Vec<Self>) -> Vec<Self> {
        for left in &mut list {
            left.what = without_passwords(&left.what);
        }
        list.sort();
        list.dedup();
        list
    }
}

/// An inventory that was made.
#[derive(Debug, Clone)]
pub struct Converted {
    /// Its text, which the reader of inventories takes.
    pub text: String,
    /// How many hosts it has.
    pub hosts: usize,
    /// What it does not have, in the order of the source.
    pub left_out: Vec<Omission>,
}

/// Why nothing was made.
#[derive(Debug)]
pub enum ConvertError {
    /// The source is broken.
    Input(Box<InputErrors>),
    /// The source cannot be made into an inventory.
    Problem(Problem),
}

impl From<Problem> for ConvertError {
    /// Without the passwords that it may repeat of the source.
    fn from(mut problem: Problem) -> Self {
        problem.what = without_passwords(&problem.what);
        Self::Problem(problem)
    }
}

impl From<InputErrors> for ConvertError {
    fn from(errors: InputErrors) -> Self {
        Self::Input(Box::new(errors))
    }
}

/// What judges an inventory that was made, and completes its paths.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// What `~` stands for.
    pub home: Option<&'a Path>,
    /// The distributions that there are.
    pub distributions: &'static [&'static Dialect],
}

impl Judge<'_> {
    /// Reads what was made.
    fn read(&self, text: &str, file: &Path) -> Result<Inventory, InputErrors> {
        let surroundings = Surroundings {
            distributions: self.distributions,
            home: self.home,
            overrides: &Overrides::default(),
            variables: |_| None,
            commands: None,
        };
        inventory::load_text(text, file, surroundings)
    }
}
