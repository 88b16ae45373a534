//! What holds whatever a host sends: one function for each target of `fuzz/fuzz_targets`. cargo-fuzz calls it with
//! what it makes of the target's corpus, `cargo test` with the corpus itself.

#![expect(
    clippy::missing_panics_doc,
    reason = "it is all that these functions do"
)]

mod facts;
mod journal;
mod nodes;

pub use crate::kubernetes::kubeconfig::properties::kubeconfig;
pub use crate::ssh::properties::{exchange, host_certificate, known_hosts, ssh_config};
pub use crate::ui::properties::terminal;
pub use facts::{facts, os_release};
pub use journal::journal;
pub use nodes::nodes;

use std::net::IpAddr;

use crate::shell::Reply;

/// The answer of a host, as it is after it was taken out of its frame.
fn reply(stdout: &str) -> Reply {
    Reply {
        status: 0,
        stdout: stdout.to_owned(),
        stderr: String::new(),
    }
}

/// A name of a node becomes part of commands and of addresses: a DNS subdomain (RFC 1123), label by label.
fn assert_node_name(name: &str) {
    let is_label = |label: &str| {
        let inner = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '-');
        let is_edge = |letter: Option<char>| letter.is_some_and(|letter| letter != '-');
        label.chars().all(inner)
            && is_edge(label.chars().next())
            && is_edge(label.chars().next_back())
    };
    assert!(
        name.len() <= 253 && name.split('.').all(is_label),
        "{name:?}"
    );
}

/// Text that stands in a command which a person may copy.
fn assert_typed(command: &str) {
    let is_typed = |letter: char| letter == '\n' || letter == ' ' || letter.is_ascii_graphic();
    assert!(command.chars().all(is_typed), "{command:?}");
}

/// An address is one of a host, whatever it was read from.
fn assert_reads_back(address: IpAddr) {
    assert_eq!(address.to_string().parse(), Ok(address));
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    type Target = (&'static str, fn(&[u8]));

    /// Every target by its name.
    const TARGETS: [Target; 10] = [
        ("exchange", super::exchange),
        ("facts", super::facts),
        ("host_certificate", super::host_certificate),
        ("journal", super::journal),
        ("known_hosts", super::known_hosts),
        ("kubeconfig", super::kubeconfig),
        ("nodes", super::nodes),
        ("os_release", super::os_release),
        ("ssh_config", super::ssh_config),
        ("terminal", super::terminal),
    ];

    #[test]
    fn what_is_in_the_corpora_holds_and_every_target_has_one() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let names = |folder: &str| {
            let entries = fs::read_dir(root.join(folder)).expect("a folder");
            let paths = entries.map(|entry| entry.expect("an entry").path());
            let mut names: Vec<_> = paths
                .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
                .collect();
            names.sort();
            names
        };
        let targets = TARGETS.map(|(name, _)| name.to_owned());
        assert_eq!(names("corpus"), targets);
        assert_eq!(names("fuzz_targets"), targets);
        for (name, target) in TARGETS {
            let files = fs::read_dir(root.join("corpus").join(name)).expect("a folder");
            let files = files.map(|entry| fs::read(entry.expect("an entry").path()));
            let inputs: Vec<Vec<u8>> = files.map(|read| read.expect("a file")).collect();
            let bytes: usize = inputs.iter().map(Vec::len).sum();
            assert!(
                (3..100).contains(&inputs.len()) && bytes < 200_000,
                "{name}: {} files, {bytes} bytes",
                inputs.len()
            );
            for input in &inputs {
                target(input);
            }
        }
    }
}
