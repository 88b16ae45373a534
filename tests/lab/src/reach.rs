//! The way into a machine: OpenSSH with the keys that the machine really has.

use std::ffi::OsString;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::machine::Machine;

/// What `sudo` asks the user `asker` for; `root` and `admin` are never asked.
pub const SUDO_PASSWORD: &str = "ask-me";

/// Two seconds on a quiet host; a minute and more when every core is busy.
const BOOT_LIMIT: Duration = Duration::from_mins(3);

/// Every service that starts wants the same few cores, and so do the machines beside this one.
const SETTLE_LIMIT: Duration = Duration::from_mins(5);

/// What a machine answered to a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The script's exit status.
    pub status: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Machine {
    /// Runs a script in a login shell of root, by OpenSSH, checked against the keys which the machine has now, and
    /// waits for its end and for the end of whatever still holds its output.
    ///
    /// Fails where OpenSSH could not reach the machine or lost it (it says so by status 255, so a script must not).
    pub fn ssh(&self, script: &str) -> Result<Answer> {
        if !self.is_on() {
            bail!("ssh to {}: it is off", self.name());
        }
        let mut command = self.ssh_command();
        command.args(["-n", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]);
        command.args(["-o", "ServerAliveInterval=3", "-o", "ServerAliveCountMax=5"]);
        let output = command
            .arg(self.target("root"))
            .arg("--")
            .arg(script)
            .output()
            .context("start ssh")?;
        let answer = Answer {
            status: output.status.code().unwrap_or(255),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        if answer.status == 255 {
            bail!(
                "ssh to {} ({}) failed: {}",
                self.name(),
                self.address(),
                answer.stderr.trim()
            );
        }
        Ok(answer)
    }

    /// Runs a script like [`Machine::ssh`] and returns its standard output.
    ///
    /// # Panics
    /// When the script's status is not 0, or the machine was not reached; the message has all it said.
    #[track_caller]
    pub fn succeed(&self, script: &str) -> String {
        match self.ssh(script) {
            Ok(Answer {
                status: 0, stdout, ..
            }) => stdout,
            Ok(Answer {
                status,
                stdout,
                stderr,
            }) => {
                panic!(
                    "on {}, status {status} of: {script}\n--- stdout\n{stdout}--- stderr\n{stderr}",
                    self.name()
                )
            }
            Err(error) => panic!("on {}: {script}: {error:#}", self.name()),
        }
    }

    /// `ssh` with the lab's key and this machine's own host keys, still without target and command.
    pub fn ssh_command(&self) -> Command {
        let mut command = Command::new("ssh");
        let mut known_hosts = OsString::from("UserKnownHostsFile=");
        known_hosts.push(self.true_known_hosts());
        command.args([
            "-F",
            "none",
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "IdentitiesOnly=yes",
        ]);
        command.args([
            "-o",
            "GlobalKnownHostsFile=none",
            "-o",
            "UpdateHostKeys=no",
            "-o",
            "LogLevel=ERROR",
            // What OpenSSH prefers against future computers takes each login ten times as long.
            "-o",
            "KexAlgorithms=curve25519-sha256",
            "-o",
        ]);
        command.arg(known_hosts).arg("-i").arg(self.site.key());
        command
    }

    /// `user@address`, as ssh takes it.
    pub fn target(&self, user: &str) -> String {
        format!("{user}@{}", self.address())
    }

    /// Waits until root and everybody else can log in, for instance after the machine rebooted itself. Services may
    /// still be starting then, see [`Machine::settle`].
    ///
    /// Fails where it ends, or keeps silent for three minutes; the message has the end of its console.
    pub fn wait_for_ssh(&self) -> Result<()> {
        let deadline = Instant::now() + BOOT_LIMIT;
        loop {
            if self.greets() {
                // Until systemd removes this file, nobody but root gets in.
                match self.ssh("timeout 20 sh -c 'while [ -e /run/nologin ]; do sleep 0.1; done'") {
                    Ok(_) => return Ok(()),
                    Err(error) if Instant::now() > deadline => return Err(error),
                    Err(_) => {}
                }
            } else if !self.is_on() {
                return Err(anyhow!("{} ended while booting", self.name()))
                    .with_context(|| self.console_end());
            } else if Instant::now() > deadline {
                return Err(anyhow!(
                    "{} did not answer ssh within {} s",
                    self.name(),
                    BOOT_LIMIT.as_secs()
                ))
                .with_context(|| self.console_end());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until systemd has nothing left to start; at last it says what it still waits for.
    pub fn settle(&self) -> Result<()> {
        let seconds = SETTLE_LIMIT.as_secs();
        let answer = self.ssh(&format!("timeout {seconds} systemctl is-system-running --wait >/dev/null; systemctl list-jobs --no-legend"))?;
        ensure!(
            answer.stdout.is_empty(),
            "{} is still starting after {seconds} s:\n{}",
            self.name(),
            answer.stdout.trim_end()
        );
        Ok(())
    }

    /// Whether something on port 22 says that it is SSH.
    fn greets(&self) -> bool {
        let limit = Duration::from_millis(500);
        let Ok(mut stream) =
            TcpStream::connect_timeout(&SocketAddr::from((self.address(), 22)), limit)
        else {
            return false;
        };
        let mut greeting = [0; 4];
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .is_ok()
            && stream.read_exact(&mut greeting).is_ok()
            && greeting == *b"SSH-"
    }
}
