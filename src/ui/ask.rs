//! Questions to a person at a terminal.

use std::io::IsTerminal as _;

use dialoguer::Confirm;

/// Whether there is a person to ask.
pub fn possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks whether to trust a host's key. No answer is a no.
pub fn trust_host_key(host: &str, address: &str, kind: &str, fingerprint: &str) -> bool {
    let question = format!(
        "The key of {host} ({address}) is not known.\n  {kind}  {fingerprint}\nCompare it with what the machine's own console shows. Trust it from now on?"
    );
    Confirm::new()
        .with_prompt(question)
        .default(false)
        .interact()
        .unwrap_or(false)
}
