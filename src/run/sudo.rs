//! Why a user cannot become root on a host.

use crate::inventory::Host;
use crate::problem::{Code, Problem, problem};
use crate::ssh::{CommandOutput, NOT_TRIED, is_wrong};

/// What is said of a host where the user does not become root, if that is what the answer means. The words
/// are those of sudo, sudo-rs and doas in English. `is_here` says that the host is this machine, without SSH.
pub(super) fn refused(host: &Host, output: &CommandOutput, is_here: bool) -> Option<Problem> {
    let (user, said) = (&host.ssh.user.value, output.stderr.trim());
    let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
    let last = said.lines().last().unwrap_or_default();
    let password = host.ssh.become_password.as_ref();
    let wrong = |what: String| {
        let origin = password.map(|password| format!("it comes from {}", password.origin));
        origin.into_iter().fold(
            Problem::new(Code::SUDO_PASSWORD_WRONG, what),
            Problem::because,
        )
    };
    if let Some((_, first)) = said.split_once(NOT_TRIED) {
        let first = first.lines().next().unwrap_or_default();
        return Some(
            wrong(format!("the password of {user} was not tried here"))
                .because(format!("{first} refused it, and several hosts may share an account that is locked after too many attempts"))
                .next(format!("correct it for {first}, then run the same command again")),
        );
    }
    if is_wrong(said) && password.is_some() {
        return Some(
            wrong(format!("sudo did not take the password of {user}"))
                .because("it was tried once, and on no host after this one")
                .next("if the password is right, the account may be locked after too many attempts; this shows it")
                .on_host(format!("faillock --user {user}")),
        );
    }
    if password.is_some() && has(&["no password was provided", "but not attempted"]) {
        return Some(
            problem!(
                Code::SUDO_REFUSED,
                "sudo asks {user} for more than a password"
            )
            .because("it took the password and asked again, perhaps for a second factor")
            .next("let the user use sudo without")
            .on_host(sudoers(&format!("{user} ALL=(ALL) NOPASSWD: ALL")))
            .next("or log in as root")
            .inventory("ssh: {user: root}"),
        );
    }
    if has(&["must have a tty"]) {
        return Some(
            problem!(Code::SUDO_REFUSED, "sudo wants a terminal here")
                .because("`requiretty` is set in the host's sudoers")
                .on_host(sudoers(&format!("Defaults:{user} !requiretty"))),
        );
    }
    if has(&[
        "doas: Authentication required",
        "doas: Authentication failed",
    ]) {
        return Some(
            problem!(Code::SUDO_PASSWORD, "doas asks {user} for a password")
                .because("doas takes a password only on a terminal, and there is no sudo here")
                .on_host(format!(
                    "echo 'permit nopass {user} as root' >> /etc/doas.conf"
                ))
                .next("or install sudo, or log in as root")
                .inventory("ssh: {user: root}"),
        );
    }
    if has(&[
        "a password is required",
        "terminal is required",
        "interactive authentication is required",
        "Interaction is required",
    ]) {
        if is_here {
            return Some(
                problem!(
                    Code::SUDO_PASSWORD,
                    "sudo asks for a password on this machine"
                )
                .next("run the same command with  sudo  in front"),
            );
        }
        return Some(
            problem!(Code::SUDO_PASSWORD, "sudo asks {user} for a password")
                .next("type it once for all hosts")
                .flag("--ask-become-pass")
                .next("or say where it is")
                .inventory("ssh: {become_password: {command: [pass, show, sudo]}}")
                .next("or let the user use sudo without one")
                .on_host(sudoers(&format!("{user} ALL=(ALL) NOPASSWD: ALL")))
                .next("or log in as root")
                .inventory("ssh: {user: root}"),
        );
    }
    if has(&["sudo: command not found"]) {
        return Some(
            problem!(
                Code::SUDO_REFUSED,
                "there is no sudo and no doas here, and {user} is not root"
            )
            .because("su takes a password only on a terminal")
            .next("install sudo, on Debian and Ubuntu with")
            .on_host(format!("apt-get install sudo && adduser {user} sudo"))
            .next("or log in as root")
            .inventory("ssh: {user: root}"),
        );
    }
    if has(&[
        "not in the sudoers file",
        "may not run",
        "is not allowed to",
        "afraid I can't do that",
        "doas: Operation not permitted",
    ]) {
        let allow = if has(&["doas:"]) {
            format!("echo 'permit nopass {user} as root' >> /etc/doas.conf")
        } else {
            sudoers(&format!("{user} ALL=(ALL) ALL"))
        };
        return Some(
            problem!(Code::SUDO_REFUSED, "{user} is not allowed to become root")
                .because(last)
                .next("towline runs a shell as root; allow it")
                .on_host(allow)
                .next("or log in as root")
                .inventory("ssh: {user: root}"),
        );
    }
    has(&["sudo", "doas:"]).then(|| {
        let lines: Vec<_> = said.lines().collect();
        let lines = &lines[lines.len().saturating_sub(4)..];
        let problem = problem!(Code::SUDO_REFUSED, "{user} cannot become root by sudo");
        let problem = lines
            .iter()
            .fold(problem, |problem, line| problem.because(*line));
        problem
            .next("on the host as that user, this has to end well")
            .on_host("sudo true")
            .next("or log in as root")
            .inventory("ssh: {user: root}")
    })
}

/// The command that adds a line to the host's sudoers. A file whose name holds a dot would not be read.
fn sudoers(line: &str) -> String {
    format!("echo '{line}' > /etc/sudoers.d/towline && chmod 440 /etc/sudoers.d/towline")
}

#[cfg(test)]
#[path = "tests/sudo.rs"]
mod tests;
