//! Questions to a person at a terminal.

use std::io::IsTerminal as _;

use dialoguer::Confirm;
use dialoguer::console::Term;

use super::Ui;

/// Whether there is a person to ask.
pub fn possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

impl Ui {
    /// Asks whether to trust a host's key. No answer is a no.
    pub fn trust_host_key(&self, host: &str, address: &str, kind: &str, fingerprint: &str) -> bool {
        // Said before the question: what is asked is drawn again when it is answered, one line of it.
        self.error(&format!(
            "The key of {host} ({address}) is not known:\n  {kind}  {fingerprint}\n\
             Compare it with what the machine's own console shows."
        ));
        let question = self.redactor.clean(&format!("Trust {host} from now on?"));
        let ask = || {
            let answer = Confirm::new()
                .with_prompt(question)
                .default(false)
                .interact();
            if answer.is_err() {
                // The question hides the cursor, and forgets it when Ctrl-C ends it.
                let _ = Term::stderr().show_cursor();
            }
            answer.unwrap_or(false)
        };
        match &self.live {
            Some(live) => live.aside(ask),
            None => ask(),
        }
    }
}
