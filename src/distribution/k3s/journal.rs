//! What is particular to k3s's journal.

use std::collections::BTreeSet;

use super::flags::instead;
use crate::distribution::journal::Words;
use crate::inventory::Role;

/// The words of k3s.
pub(super) const WORDS: Words = Words {
    usual: &[
        "but the token does not include a CA hash",
        "Unknown flag --",
        "remote dialer",
        "remotedialer",
    ],
    ends: "Shutdown request received",
    // A member of etcd waits for its turn or its quorum, an agent for its server.
    passes: &[
        "too many learner",
        "unhealthy cluster",
        "members to finish joining",
        "leaderelection lost",
        "leader changed",
        "no leader",
        "timed out",
        "timeout",
        "deadline exceeded",
        "connection refused",
        "connection reset",
        "no route to host",
        "network is unreachable",
        "not ready",
        "EOF",
    ],
    balancer: "127.0.0.1:6444",
};

/// What a server warns with, early after its start, of a key of config.yaml or config.yaml.d that it does
/// not know (k3s 1.36, pkg/configfilearg/parser.go `stripInvalidFlags`). An agent does not start.
pub const SKIPS: &str = " found in config.yaml, skipping";

/// What to tell of lines with [`SKIPS`]: each key once, with what was probably meant.
pub fn skipped(lines: &str) -> Vec<String> {
    let key = |line: &str| {
        let message = WORDS.message(line);
        let (_, rest) = message.split_once("Unknown flag --")?;
        Some(rest.split_once(SKIPS)?.0.to_owned())
    };
    let keys: BTreeSet<String> = lines.lines().filter_map(key).collect();
    let note = |key: String| {
        let meant = instead(&key, Role::Server).map(|meant| format!(" ({meant})"));
        // It goes into a command that the user may copy.
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '.'
            }
        };
        let pattern: String = key.chars().map(plain).collect();
        format!(
            "k3s skips `{key}` of its configuration: it has no such flag{}. On the host, this shows where it stands:\ngrep -rn '{pattern}' /etc/rancher/k3s",
            meant.unwrap_or_default()
        )
    };
    keys.into_iter().map(note).collect()
}

#[cfg(test)]
mod tests;
