//! The words for what keeps a user from root, by what sudo, sudo-rs and doas say.

use std::path::Path;

use super::*;
use crate::inventory::{Overrides, parse};
use crate::ssh::Exit;

fn told(said: &str, password: &str) -> Option<Problem> {
    let text = format!("ssh: {{user: ops{password}}}\nhosts: {{m1: {{role: server}}}}");
    let inventory = parse(&text, Path::new("x.yaml"), None, &Overrides::default()).unwrap();
    let output = CommandOutput {
        exit: Exit::Code(1),
        stdout: String::new(),
        stderr: said.to_owned(),
        start: std::time::Duration::ZERO,
    };
    refused(&inventory.hosts[0], &output, false)
}

#[test]
fn each_reason_has_its_own_words() {
    for (said, what, next) in [
        (
            "sudo: a password is required",
            "sudo asks ops for a password",
            "--ask-become-pass",
        ),
        (
            "sudo: a terminal is required to read the password; either use the -S option",
            "sudo asks ops for a password",
            "NOPASSWD",
        ),
        (
            "sudo: interactive authentication is required",
            "sudo asks ops for a password",
            "become_password",
        ),
        (
            "sudo: sorry, you must have a tty to run sudo",
            "sudo wants a terminal here",
            "Defaults:ops !requiretty",
        ),
        (
            "ops is not in the sudoers file.",
            "ops is not allowed to become root",
            "ops ALL=(ALL) ALL",
        ),
        (
            "Sorry, user ops is not allowed to execute '/bin/sh' as root on m1.",
            "ops is not allowed to become root",
            "/etc/sudoers.d/towline",
        ),
        (
            "sudo: I'm sorry ops. I'm afraid I can't do that",
            "ops is not allowed to become root",
            "user: root",
        ),
        (
            "sudo: command not found",
            "there is no sudo and no doas here, and ops is not root",
            "apt-get install sudo",
        ),
        (
            "doas: Authentication required",
            "doas asks ops for a password",
            "permit nopass ops as root",
        ),
        (
            "doas: Operation not permitted",
            "ops is not allowed to become root",
            "permit nopass ops as root",
        ),
        (
            "/etc/sudoers.d/y:1:10: syntax error\nsudo: no valid sudoers sources found, quitting",
            "ops cannot become root by sudo",
            "sudo true",
        ),
    ] {
        let problem = told(said, "").unwrap_or_else(|| panic!("{said}"));
        assert_eq!(problem.what, what, "{said}");
        let text = problem.to_string();
        assert!(text.contains(next), "{text}");
    }
    assert_eq!(told("cat: /proc/x: Permission denied", ""), None);
}

#[test]
fn a_wrong_password_is_told_with_where_it_comes_from_and_not_tried_elsewhere() {
    let password = ", become_password: hunter2";
    for said in [
        "Sorry, try again.\n\nsudo: no password was provided\nsudo: 1 incorrect password attempt",
        "sudo: Authentication failed, try again.\nsudo: Maximum 1 incorrect authentication attempts",
    ] {
        let problem = told(said, password).unwrap();
        assert_eq!(problem.code, Code::SUDO_PASSWORD_WRONG);
        assert_eq!(problem.what, "sudo did not take the password of ops");
        assert_eq!(
            problem.why[0],
            "it comes from ssh.become_password, x.yaml:1"
        );
    }
    for said in [
        "\nsudo: no password was provided\nsudo: a password is required",
        "sudo: Authentication required but not attempted",
    ] {
        let problem = told(said, password).unwrap();
        assert_eq!(problem.what, "sudo asks ops for more than a password");
    }
    let problem = told(
        &format!("{NOT_TRIED}m2\nsudo: no password was provided\n"),
        password,
    );
    let problem = problem.unwrap();
    assert_eq!(problem.what, "the password of ops was not tried here");
    assert!(problem.why[1].starts_with("m2 refused it"), "{problem}");
}
