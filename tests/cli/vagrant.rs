//! `towline inventory from-vagrant` beside a `vagrant` that only answers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::screen;

/// What is said where `vagrant` is this script, or is missing.
fn beside(script: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    if !script.is_empty() {
        let vagrant = folder.path().join("vagrant");
        fs::write(&vagrant, format!("#!/bin/sh\n{script}\n")).expect("written");
        fs::set_permissions(&vagrant, fs::Permissions::from_mode(0o755)).expect("executable");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_towline"))
        .args(["inventory", "from-vagrant"])
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .env("PATH", folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let written = folder.path().join("inventory.yaml").exists();
    assert!(!written, "it wrote an inventory");
    screen(&output)
}

#[test]
fn without_vagrant_there_is_nothing_to_ask() {
    insta::assert_snapshot!(beside(""), @r"
    status 2
    --- standard output
    --- standard error
    error[vagrant-missing]: there is no program vagrant in the PATH
      → install Vagrant and a provider, such as VirtualBox or libvirt
    nothing was changed
    for more, type:  towline explain vagrant-missing
    ");
}

#[test]
fn machines_that_cannot_be_asked_are_named_with_the_next_command() {
    let states = "echo 1,server-1,state,not_created; echo 1,server-1,state-human-short,not created; \
                  echo 1,agent-1,state,poweroff; echo 1,agent-1,state-human-short,powered off";
    insta::assert_snapshot!(beside(states), @r"
    status 2
    --- standard output
    --- standard error
    error[vagrant-not-running]: no machine of Vagrant runs in .
      server-1 is in the state: not created
      agent-1 is in the state: powered off
      → vagrant up
    nothing was changed
    for more, type:  towline explain vagrant-not-running
    ");
    let stopped = "case $1 in status) echo 1,a,state,running ;; *) echo 'not yet ready for SSH' >&2; exit 1 ;; esac";
    insta::assert_snapshot!(beside(stopped), @r"
    status 2
    --- standard output
    --- standard error
    error[vagrant-failed]: vagrant ssh-config a failed in .
      exit status 1
      not yet ready for SSH
      → vagrant status
    nothing was changed
    for more, type:  towline explain vagrant-failed
    ");
    let proxied = "case $1 in status) echo 1,a,state,running ;; *) printf 'Host a\\n  HostName 10.0.0.1\\n  Port 22\\n  ProxyCommand ssh kvm nc %%h %%p\\n' ;; esac";
    insta::assert_snapshot!(beside(proxied), @r"
    status 2
    --- standard output
    --- standard error
    error[vagrant-unreachable]: a: Vagrant reaches it through another program
      ProxyCommand ssh kvm nc %h %p
      → run towline on the machine on which the virtual machines run
    nothing was changed
    for more, type:  towline explain vagrant-unreachable
    ");
    let none = "echo '1,,error-exit,Vagrant::Errors::NoEnvironmentError,A Vagrant environment is required'; exit 1";
    insta::assert_snapshot!(beside(none), @r"
    status 2
    --- standard output
    --- standard error
    error[vagrant-failed]: vagrant status --machine-readable failed in .
      exit status 1
      A Vagrant environment is required
      → where the Vagrantfile is in another folder:
        towline inventory from-vagrant FOLDER
    nothing was changed
    for more, type:  towline explain vagrant-failed
    ");
    assert!(
        beside("exec /bin/sh -c 'for i in 1 2 3; do echo $i; done'")
            .contains("no machine of Vagrant runs")
    );
}
