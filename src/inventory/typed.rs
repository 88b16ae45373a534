//! What is typed elsewhere and will stand in an inventory.

use super::mistake::Complaint;
use super::syntax;
use crate::problem::{Code, Problem};

/// Whether this can be a host's name.
pub fn is_name(text: &str) -> bool {
    syntax::name(text).is_ok()
}

/// That this is an address.
///
/// # Errors
/// What is no IP address and no DNS name, with what to type instead.
pub fn address(text: &str) -> Result<(), Problem> {
    syntax::host_address(text).map_err(|Complaint { message, help }| {
        help.into_iter()
            .fold(Problem::new(Code::FLAG_VALUE, message), Problem::next)
    })
}

/// A text as it is written so that no variable is filled in.
pub fn literal(text: &str) -> String {
    text.replace("${", "$${")
}
