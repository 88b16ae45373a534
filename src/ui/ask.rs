//! Questions to a person at a terminal.

use std::io::IsTerminal as _;
use std::sync::atomic::Ordering;

use dialoguer::console::Term;
use dialoguer::{Confirm, Input};

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
        let question = self.clean(&format!("Trust {host} from now on?"));
        self.ask(|| {
            Confirm::new()
                .with_prompt(question)
                .default(false)
                .interact()
        })
        .unwrap_or(false)
    }

    /// Asks for the cluster's name before its data is removed: whether it was typed, or nothing when
    /// the question was left without an answer.
    pub fn confirm_reset(&self, name: &str) -> Option<bool> {
        self.error("\nNothing brings the data back.");
        let typed = self.ask(|| {
            Input::<String>::new()
                .with_prompt(format!("Type the cluster's name, {name}, to go on"))
                .allow_empty(true)
                .interact_text()
        });
        Some(typed?.trim() == name)
    }

    /// Asks while the live lines make room.
    fn ask<T>(&self, question: impl FnOnce() -> dialoguer::Result<T>) -> Option<T> {
        let ask = || {
            let answer = question();
            if answer.is_err() {
                // Ctrl-C ends a question where it stands: in its line, and with the cursor hidden.
                let terminal = Term::stderr();
                let _ = terminal
                    .show_cursor()
                    .and_then(|()| terminal.write_line(""));
                self.gone.store(true, Ordering::Relaxed);
            }
            answer.ok()
        };
        match &self.live {
            Some(live) => live.aside(ask),
            None => ask(),
        }
    }
}
