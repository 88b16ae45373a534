//! The binary on a terminal, with a user who reads and types.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use super::{Running, Towline};
use crate::place::wait_for;

/// What Ctrl-C sends.
pub const CTRL_C: &str = "\u{3}";

impl Towline {
    /// The same with a terminal for all three of its files; it ends as the binary does, or with 99
    /// when the terminal is not left as it was.
    pub fn on_a_terminal(mut self) -> Running {
        let binary = self.command.get_program().to_string_lossy().into_owned();
        let words: Vec<String> = std::iter::once(binary)
            .chain(
                self.command
                    .get_args()
                    .map(|argument| argument.to_string_lossy().into_owned()),
            )
            .map(|word| format!("'{word}'"))
            .collect();
        // Ctrl-C reaches the shell, too, which would end with a status of its own.
        let line = format!(
            "trap : INT; stty cols 100 rows 40; before=$(stty -g); {}; code=$?; [ \"$(stty -g)\" = \"$before\" ] || exit 99; exit $code",
            words.join(" ")
        );
        let mut command = Command::new("script");
        command
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .env_clear()
            .envs(
                self.command
                    .get_envs()
                    .filter_map(|(key, value)| Some((key, value?))),
            )
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        self.command = command;
        self.start()
    }
}

impl Running {
    /// Waits until this is on the terminal.
    #[track_caller]
    pub fn shows(&mut self, wanted: &str) {
        wait_for(wanted, || {
            let running = self.is_running();
            let said = self.said();
            assert!(
                running || said.contains(wanted),
                "it ended without {wanted:?}:\n{said}"
            );
            said.contains(wanted).then_some(())
        });
    }

    /// Types on the terminal.
    pub fn types(&mut self, text: &str) {
        self.presses(text).unwrap();
    }

    /// The same where it may have ended already; an error says so.
    pub fn presses(&mut self, text: &str) -> io::Result<()> {
        let keyboard = self.child.stdin.as_mut().unwrap();
        keyboard.write_all(text.as_bytes())?;
        keyboard.flush()
    }
}
