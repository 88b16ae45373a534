//! Questions to the user at a terminal.

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::sync::atomic::Ordering;

use dialoguer::console::Term;
use dialoguer::{Confirm, Input};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{LocalModes, OptionalActions, QueueSelector, tcflush, tcgetattr, tcsetattr};

use super::{Ui, table};
use crate::vars::Secret;

/// A host whose key the user is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHost {
    /// Its name in the inventory.
    pub name: String,
    /// The address that it was reached at.
    pub address: String,
    /// The type of its key, for example `ssh-ed25519`.
    pub kind: String,
    /// The key's fingerprint, `SHA256:…`.
    pub fingerprint: String,
}

/// An answer about a host's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyAnswer {
    Yes,
    No,
    All,
}

/// What a line means as an answer about the key with this fingerprint, of so many that are shown;
/// or what to ask instead. As with ssh, an answer is a whole word, or the fingerprint itself.
fn understood(line: &str, fingerprint: &str, shown: usize) -> Result<KeyAnswer, String> {
    match line.trim() {
        typed if typed == fingerprint => Ok(KeyAnswer::Yes),
        typed if typed.eq_ignore_ascii_case("yes") => Ok(KeyAnswer::Yes),
        typed if typed.eq_ignore_ascii_case("no") => Ok(KeyAnswer::No),
        "a" if shown > 1 => Ok(KeyAnswer::All),
        typed if typed.starts_with("SHA256:") => {
            Err("That is not the fingerprint that it shows; yes, no or its fingerprint".to_owned())
        }
        _ => Err("Please type yes, no or its fingerprint".to_owned()),
    }
}

/// Whether there is a user to ask.
pub fn possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

impl Ui {
    /// Shows the keys of hosts that are not known yet and asks about one after the other; the hosts
    /// that the user trusts. Whatever was typed before a question is no answer to it. Ctrl-C, which
    /// `interrupted` tells, and the end of the input are a no to all that follow.
    pub fn trust_host_keys(
        &self,
        hosts: &[NewHost],
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> BTreeSet<String> {
        let rows = hosts.iter().map(|host| {
            [&host.name, &host.address, &host.kind, &host.fingerprint]
                .map(Clone::clone)
                .to_vec()
        });
        let rows = table::padded(&rows.collect::<Vec<_>>(), |_| false, usize::MAX);
        let lines: Vec<_> = rows
            .iter()
            .map(|row| format!("  {}", row.join("  ")))
            .collect();
        let ask = || {
            self.terminal(&format!(
                "{}\n{}\nCompare with what the machine's own console shows:  ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub\n",
                match hosts.len() {
                    1 => "The key of this host is not known yet:".to_owned(),
                    count => format!("The keys of these {count} hosts are not known yet:"),
                },
                lines.join("\n")
            ));
            let mut trusted = BTreeSet::new();
            for (asked, host) in hosts.iter().enumerate() {
                match self.trust_host_key(host, hosts.len(), interrupted) {
                    Some(KeyAnswer::Yes) => {
                        trusted.insert(host.name.clone());
                    }
                    Some(KeyAnswer::No) => {}
                    Some(KeyAnswer::All) => {
                        let rest = hosts[asked..].iter().map(|host| host.name.clone());
                        trusted.extend(rest);
                        break;
                    }
                    None => {
                        self.terminal("\n");
                        break;
                    }
                }
            }
            trusted
        };
        match &self.live {
            Some(live) => live.aside(ask),
            None => ask(),
        }
    }

    /// Asks about one host until there is an answer; none at Ctrl-C and at the end of the input.
    fn trust_host_key(
        &self,
        host: &NewHost,
        count: usize,
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Option<KeyAnswer> {
        let all = if count > 1 {
            ", or a for all that are shown above"
        } else {
            ""
        };
        let mut question = format!("Trust {}? yes, no, its fingerprint{all}: ", host.name);
        loop {
            let line = self.line_typed(&question, interrupted)?;
            match understood(&line, &host.fingerprint, count) {
                Ok(answer) => return Some(answer),
                Err(what) => question = format!("{what}: "),
            }
        }
    }

    /// A whole line that is typed after the question was asked.
    fn line_typed(
        &self,
        question: &str,
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Option<String> {
        let stdin = std::io::stdin();
        // Without a terminal there is nothing typed ahead, and no user was asked.
        let _ = tcflush(&stdin, QueueSelector::IFlush);
        self.terminal(question);
        loop {
            if interrupted() {
                return None;
            }
            let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
            let tenth = Timespec {
                tv_sec: 0,
                tv_nsec: 100_000_000,
            };
            match poll(&mut ready, Some(&tenth)) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => break,
                Err(_) => return None,
            }
        }
        let mut line = String::new();
        match stdin.read_line(&mut line) {
            Ok(1..) => Some(line),
            _ => None,
        }
    }

    /// Asks for a line that is not shown while it is typed. Nothing when the question was left: by
    /// Ctrl-C, which `interrupted` tells, or by the end of the input.
    pub fn ask_secret(
        &self,
        question: &str,
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Option<Secret> {
        let ask = || {
            let stdin = std::io::stdin();
            let usual = tcgetattr(&stdin).ok()?;
            let mut hidden = usual.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            hidden.local_modes.insert(LocalModes::ECHONL);
            tcsetattr(&stdin, OptionalActions::Now, &hidden).ok()?;
            let line = self.line_typed(question, interrupted);
            // Nothing helps where it cannot be set back.
            let _ = tcsetattr(&stdin, OptionalActions::Now, &usual);
            if line.is_none() {
                self.terminal("\n");
            }
            line.map(|line| Secret::new(&line))
        };
        match &self.live {
            Some(live) => live.aside(ask),
            None => ask(),
        }
    }

    /// Text on the user's terminal, without a newline of its own.
    fn terminal(&self, text: &str) {
        // Nothing is left to say it to when this fails; the answer is a no then.
        let _ = Term::stderr().write_str(&self.clean(text));
    }

    /// Asks for the cluster's name before what cannot be undone: whether it was typed, or nothing when
    /// the question was left without an answer.
    pub fn confirm(&self, name: &str) -> Option<bool> {
        self.error("\nThis cannot be undone.");
        let typed = self.ask(|| {
            Input::<String>::new()
                .with_prompt(format!("Type the cluster's name, {name}, to go on"))
                .allow_empty(true)
                .interact_text()
        });
        Some(typed?.trim() == name)
    }

    /// Asks for a line until the check takes it; without an answer typed, the default, if there is
    /// one. Nothing when the question was left.
    pub fn ask_line(
        &self,
        question: &str,
        default: &str,
        check: &dyn Fn(&str) -> Result<(), String>,
    ) -> Option<String> {
        let input = Input::<String>::new()
            .with_prompt(question)
            .allow_empty(true)
            .validate_with(|line: &String| check(line));
        let input = if default.is_empty() {
            input
        } else {
            input.default(default.to_owned())
        };
        self.ask(|| input.interact_text())
    }

    /// Asks for yes or no, yes without an answer typed. Nothing when the question was left.
    pub fn ask_yes_or_no(&self, question: &str) -> Option<bool> {
        let question = Confirm::new().with_prompt(question).default(true);
        self.ask(|| question.interact())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_about_a_key_is_a_whole_word_or_the_fingerprint() {
        let shown = "SHA256:abc";
        for (line, expected) in [
            ("yes\n", Some(KeyAnswer::Yes)),
            (" Yes \n", Some(KeyAnswer::Yes)),
            ("no\n", Some(KeyAnswer::No)),
            ("SHA256:abc\n", Some(KeyAnswer::Yes)),
            ("a\n", Some(KeyAnswer::All)),
            ("SHA256:abd\n", None),
            ("sha256:abc\n", None),
            ("y\n", None),
            ("yes no\n", None),
            ("\n", None),
        ] {
            assert_eq!(understood(line, shown, 2).ok(), expected, "{line:?}");
        }
        assert!(understood("a\n", shown, 1).is_err());
    }
}
