//! Becoming root where sudo asks, on machines that were hardened.

use std::fs;

use towline_lab::{Machine, SUDO_PASSWORD};

use crate::place::Place;
use crate::towline::terminal::CTRL_C;

/// No program runs from /tmp, new files are their owner's alone, and root's programs are few.
const HARDENED: &str = "for folder in /tmp /var/tmp; do
    mount -t tmpfs -o noexec,nosuid,nodev,mode=1777 tmpfs $folder
done
mount -o remount,noexec /dev/shm
sed -i 's/^UMASK.*/UMASK 077/' /etc/login.defs
echo 'session optional pam_umask.so umask=077' >>/etc/pam.d/common-session
echo 'Defaults secure_path=/usr/bin:/bin' >/etc/sudoers.d/path
test \"$(cat /proc/sys/fs/protected_regular)\" = 2";

/// How often sudo was told something wrong.
fn attempts(machine: &Machine) -> usize {
    let journal = machine.succeed("journalctl --no-pager -o cat -t sudo");
    journal.matches("incorrect password attempt").count()
}

#[test]
fn sudo_is_told_its_password_once_and_hardened_machines_become_a_cluster() {
    let place = Place::up(1, 1);
    let (m1, m2) = (place.machine("m1"), place.machine("m2"));
    let inventory = place.inventory().ssh("user", "asker");
    for machine in [m1, m2] {
        machine.succeed(HARDENED);
        let seen = machine.succeed(&format!(
            "su - asker -c \"umask; echo {SUDO_PASSWORD} | sudo -S -p '' sh -c 'umask; echo \\$PATH'\""
        ));
        assert_eq!(seen, "0077\n0077\n/usr/bin:/bin\n");
    }

    // A wrong one is one attempt on one of them.
    fs::write(place.file("wrong"), "not-the-one\n").unwrap();
    let wrong = inventory.clone().ssh("become_password", "{file: wrong}");
    let refused = place.deploy(&wrong).ends(1);
    assert_eq!(refused.outcomes(), "m1 failed, m2 failed");
    refused.says(&[
        "sudo did not take the password of asker",
        "it comes from ssh.become_password, inventory.yaml:",
        "the password of asker was not tried here",
        "refused it, and several hosts may share an account",
    ]);
    assert_eq!(attempts(m1) + attempts(m2), 1);
    for machine in [m1, m2] {
        machine.succeed("! journalctl --no-pager | grep -F -e not-the-one -e 'hostname=$'");
    }

    // What is not there is said before any machine is asked.
    let missing = inventory
        .clone()
        .ssh("become_password", "{command: [./none]}");
    let refused = place.deploy(&missing).ends(2);
    refused.says(&["`./none` could not be started: No such file"]);

    // The user types it once, and it is not shown.
    let mut running = place.towline("plan", &inventory).args("-K").on_a_terminal();
    running.shows("Password for sudo: ");
    running.presses(CTRL_C).unwrap();
    running.wait().ends(1).says(&["nothing was changed"]);
    let mut running = place.towline("plan", &inventory).args("-K").on_a_terminal();
    running.shows("Password for sudo: ");
    running.types(&format!("{SUDO_PASSWORD}\r"));
    let planned = running.wait().ends(0);
    assert!(
        !planned.stdout.contains(SUDO_PASSWORD),
        "{}",
        planned.stdout
    );
    let unasked = place.towline("plan", &inventory).args("-K").run().ends(2);
    unasked.says(&["there is no terminal to ask on"]);

    // Other things that keep a user from root, each in its words.
    for (there, what) in [
        ("Defaults:asker requiretty", "sudo wants a terminal here"),
        (
            "asker ALL=(root) !/bin/sh",
            "asker is not allowed to become root",
        ),
        ("no sense", ""),
    ] {
        m1.succeed(&format!("echo '{there}' >/etc/sudoers.d/zz"));
        let right = inventory.clone().ssh("become_password", "{file: right}");
        fs::write(place.file("right"), format!("{SUDO_PASSWORD}\n")).unwrap();
        let plan = place.json("plan", &right);
        if what.is_empty() {
            // A line that sudo does not understand is noted there, and no more.
            plan.ends(0);
        } else {
            plan.ends(1).says(&[&format!("m1: {what}")]);
        }
        m1.succeed("rm /etc/sudoers.d/zz");
    }

    // One is asked, the other is not; what is uploaded arrives on both.
    m2.succeed("echo 'asker ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/zz");
    let inventory = inventory.ssh("become_password", "{file: right}");
    let deployed = place
        .towline("deploy", &inventory)
        .args("--output json -vv")
        .run()
        .ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed");
    assert!(!deployed.stdout.contains(SUDO_PASSWORD));
    assert!(!deployed.stdout.contains("_password:"), "sudo's prompt");
    let api = place.api();
    api.expect_summary(&m1.address().to_string(), "m1 agent, m2 agent");
    place.deploy(&inventory).changed_nothing();
    for machine in [m1, m2] {
        machine.succeed(&format!(
            "! journalctl --no-pager | grep -F -e ': {SUDO_PASSWORD}'"
        ));
        machine.succeed("test -z \"$(find /etc/rancher -name '*.yaml' -perm /077)\"");
    }
    place.kept_its_secrets();
    let reset = place
        .towline("reset", &inventory)
        .args("--yes --output json");
    assert_eq!(reset.run().ends(0).outcomes(), "m1 changed, m2 changed");
    assert_eq!(attempts(m1) + attempts(m2), 1);
}
