//! From what came in to text.

use russh::Sig;

use super::{LONGEST_ERRORS, LONGEST_OUTPUT};
use crate::ssh::client::brief;

/// A signal as it is told.
pub(super) fn name(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => brief(name),
        known => format!("{known:?}"),
    }
}

/// Text no longer than the bytes may be, of which each that is none becomes a U+FFFD, three bytes.
pub(super) fn characters(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let mut text = String::new();
        for chunk in error.as_bytes().utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            if text.len() > LONGEST_OUTPUT {
                break;
            }
        }
        text
    })
}

/// The last 64 KiB, without the rest of a character that the cut went through.
pub(in crate::ssh) fn whole_characters(bytes: &[u8]) -> &[u8] {
    let tail = &bytes[bytes.len().saturating_sub(LONGEST_ERRORS)..];
    let torn = if tail.len() < bytes.len() {
        tail.iter()
            .take(3)
            .take_while(|&&byte| byte & 0xc0 == 0x80)
            .count()
    } else {
        0
    };
    &tail[torn..]
}
