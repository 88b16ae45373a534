//! Questions to a person at a terminal.

use std::io::IsTerminal as _;
use std::sync::atomic::Ordering;

use dialoguer::Confirm;
use dialoguer::console::Term;

use super::Ui;

/// Whether there is a person to ask.
pub fn possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

impl Ui {
    /// Asks whether to trust a host's key. No answer is a no, and Ctrl-C is a no to all that follow.
    pub fn trust_host_key(&self, host: &str, address: &str, kind: &str, fingerprint: &str) -> bool {
        if self.gone.load(Ordering::Relaxed) {
            return false;
        }
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
                // Ctrl-C ends a question where it stands: in its line, and with the cursor hidden.
                let terminal = Term::stderr();
                let _ = terminal
                    .show_cursor()
                    .and_then(|()| terminal.write_line(""));
                self.gone.store(true, Ordering::Relaxed);
            }
            answer.unwrap_or(false)
        };
        match &self.live {
            Some(live) => live.aside(ask),
            None => ask(),
        }
    }
}
