//! Every code of a problem, by area: its name, and a page that says how it comes about and what to do.

#![expect(
    clippy::doc_markdown,
    reason = "the comments of codes are pages of documentation, in which MySQL is no code"
)]

use super::Code;

mod api;
mod artifacts;
mod cluster;
mod connection;
mod input;
mod machine;
mod network;
mod run;
mod sources;
mod users;

/// What is said of a code.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Page {
    /// The name that is printed.
    pub name: &'static str,
    /// How it comes about, then the heading `# Remedy` and what to do; each line begins with a space.
    pub text: &'static str,
}

/// Codes that belong together.
#[derive(Debug)]
pub(super) struct Area {
    /// What they are about.
    pub title: &'static str,
    /// The codes.
    pub codes: &'static [Code],
}

/// Declares each code of an area as a constant of [`Code`]; its doc comment is its page.
macro_rules! codes {
    ($title:literal; $($(#[doc = $line:literal])+ $constant:ident $name:literal;)+) => {
        use crate::problem::Code;
        use crate::problem::codes::{Area, Page};

        impl Code {
            $($(#[doc = $line])+
            pub const $constant: Self = Self(&Page {
                name: $name,
                text: concat!($($line, "\n"),+),
            });)+
        }

        pub(super) const AREA: Area = Area {
            title: $title,
            codes: &[$(Code::$constant),+],
        };
    };
}
use codes;

/// All of them, in the order of the documentation.
pub(super) const AREAS: &[Area] = &[
    connection::AREA,
    machine::AREA,
    network::AREA,
    cluster::AREA,
    run::AREA,
    artifacts::AREA,
    api::AREA,
    users::AREA,
    input::AREA,
    sources::AREA,
];
