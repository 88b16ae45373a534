//! A firewall that drops what it does not know.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use towline_lab::Machine;

use crate::place::Place;

/// Installs the real ufw, whose packages this host fetches: the machine has no way out.
fn install_ufw(machine: &Machine, folder: &Path) {
    let status = folder.join("status");
    fs::write(&status, machine.succeed("cat /var/lib/dpkg/status")).unwrap();
    fs::create_dir_all(folder.join("archives/partial")).unwrap();
    let fetched = Command::new("apt-get")
        .args([
            "install",
            "--download-only",
            "--yes",
            "--quiet",
            "--no-install-recommends",
        ])
        .args(["-o", &format!("Dir::State::status={}", status.display())])
        .args([
            "-o",
            &format!("Dir::Cache::archives={}", folder.join("archives").display()),
        ])
        .arg("ufw")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        fetched.status.success(),
        "{}",
        String::from_utf8_lossy(&fetched.stderr)
    );
    let mut archive = Command::new("tar")
        .args([
            "--directory",
            &folder.join("archives").to_string_lossy(),
            "--create",
            "--wildcards",
        ])
        .args(["--exclude=partial", "--exclude=lock", "."])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let unpacked = machine
        .ssh_command()
        .arg(machine.target("root"))
        .arg("mkdir -p /root/debs && tar --directory /root/debs --extract")
        .stdin(archive.stdout.take().unwrap())
        .status()
        .unwrap();
    assert!(archive.wait().unwrap().success() && unpacked.success());
    // Every round unpacks and sets up what the next one needs to be there before it.
    machine.succeed(
        "for round in 1 2 3 4; do \
             dpkg --install /root/debs/*.deb >/root/debs/log 2>&1 && exit 0; dpkg --configure -a >/dev/null 2>&1; \
         done; cat /root/debs/log; exit 1",
    );
}

#[test]
fn an_active_ufw_lets_the_cluster_through_and_keeps_its_own_rules() {
    let place = Place::up(1, 1);
    for machine in place.lab.machines() {
        let folder = place.file(machine.name());
        fs::create_dir_all(&folder).unwrap();
        install_ufw(machine, &folder);
        machine.succeed("ufw allow 22/tcp && ufw allow 9999/udp && ufw --force enable");
    }
    let inventory = place.inventory();
    let deployed = place.deploy(&inventory).ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed");
    for (name, clients) in [("m1", true), ("m2", false)] {
        let rules = place.machine(name).succeed("ufw status");
        for source in ["10.42.0.0/16", "10.43.0.0/16"] {
            assert!(rules.contains(source), "{name}: {source} in\n{rules}");
        }
        assert_eq!(rules.contains("6443/tcp"), clients, "{name}:\n{rules}");
        assert!(
            rules.contains("9999/udp") && rules.contains("22/tcp"),
            "{name}:\n{rules}"
        );
    }
    assert_eq!(
        place
            .api()
            .summary(&place.machine("m1").address().to_string()),
        "m1 agent, m2 agent"
    );
    place.deploy(&inventory).changed_nothing();
}
