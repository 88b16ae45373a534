//! Questions to a person at a terminal.

use std::io::{IsTerminal as _, Write as _};

use dialoguer::Confirm;

/// Whether there is a person to ask.
pub fn possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks whether to trust a host's key. No answer is a no.
pub fn trust_host_key(host: &str, address: &str, kind: &str, fingerprint: &str) -> bool {
    // Said before the question: what is asked is drawn again when it is answered, one line of it.
    let _ = writeln!(
        std::io::stderr().lock(),
        "The key of {host} ({address}) is not known:\n  {kind}  {fingerprint}\n\
         Compare it with what the machine's own console shows."
    );
    Confirm::new()
        .with_prompt(format!("Trust {host} from now on?"))
        .default(false)
        .interact()
        .unwrap_or(false)
}
