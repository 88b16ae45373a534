//! Where things come from: k3s from a mirror, packages from a repository.

use towline_lab::{Fault, Mirror};

use crate::place::{Place, wait_for};

/// Makes a package, installed from nowhere yet: its control file, then what is run to fill `root`.
fn package(name: &str, version: &str, fill: &str) -> String {
    format!(
        "set -e; root=$(mktemp -d); mkdir -p $root/DEBIAN /srv/repo; cd $root
         printf 'Package: {name}\\nVersion: {version}\\nArchitecture: all\\nMaintainer: test <test@example.org>\\nDescription: test\\n' >DEBIAN/control
         {fill}
         chmod -R go-w,a+rX $root; dpkg-deb --build --root-owner-group $root /srv/repo/{name}.deb >/dev/null; rm -rf $root\n"
    )
}

#[test]
fn k3s_is_fetched_once_and_checked_and_packages_come_from_the_hosts_repository() {
    let place = Place::up(1, 0);
    let m1 = place.machine("m1");
    let k3s = place.lab.release();
    let mirror = Mirror::release(k3s).unwrap();
    let asset = k3s.asset_path();
    let inventory = place
        .inventory()
        .without_cluster("version")
        .cluster("channel", "stable")
        .cluster(
            "binary",
            &format!("{{source: push, mirror: \"{}\"}}", mirror.url()),
        );

    // sshd there is as strict as can be: it has one session for a connection.
    m1.succeed("echo 'MaxSessions 1' >>/etc/ssh/sshd_config && systemctl reload ssh && sshd -T | grep -qx 'maxsessions 1'");

    // A repository on the machine itself, which has what the machine has lost.
    let certificates = "mkdir -p etc/ssl/certs; cp /root/ca-certificates.crt etc/ssl/certs/";
    let slow = "printf '#!/bin/sh\\nuntil [ -e /run/go-on ]; do sleep 0.1; done\\n' >DEBIAN/preinst; chmod 755 DEBIAN/preinst";
    m1.succeed("cp /etc/ssl/certs/ca-certificates.crt /root/");
    m1.succeed(&package("ca-certificates", "99990101", certificates));
    m1.succeed(&package("slow", "1", slow));
    m1.succeed(
        "set -e; cd /srv/repo; mv slow.deb /root/; deb=ca-certificates.deb
         { dpkg-deb --field $deb; printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' $deb \"$(stat -c %s $deb)\" \"$(sha256sum $deb | cut -d ' ' -f 1)\"; } >Packages
         rm -f /etc/apt/sources.list.d/*; echo 'deb [trusted=yes] file:/srv/repo ./' >/etc/apt/sources.list
         dpkg --purge --force-depends ca-certificates >/dev/null 2>&1; rm -f /etc/ssl/certs/ca-certificates.crt",
    );

    mirror.break_path(&asset, Fault::Corrupt);
    let refused = place.deploy(&inventory).ends(2);
    refused.says(&[
        "is not the file that the release announces",
        "expected sha256 ",
        "received sha256 ",
        "nothing was changed",
    ]);
    m1.succeed("! ls -d /usr/local/bin/k3s /etc/rancher /etc/modules-load.d/towline.conf 2>/dev/null | grep .");
    let cached = place.file(".cache/towline/k3s").join(&k3s.version);
    let cached = walk(&cached);
    assert!(
        !cached.iter().any(|file| file.ends_with("/k3s")),
        "{cached:?}"
    );
    mirror.heal(&asset);
    let asked = mirror.requests(&asset);

    // Another program holds dpkg's lock until the run has come to it, and some time longer.
    m1.succeed("systemd-run --unit=slow dpkg -i /root/slow.deb 2>&1");
    wait_for("dpkg to hold its lock", || {
        (m1.ssh("pgrep -f slow.preinst || pgrep -f tmp.ci/preinst")
            .unwrap()
            .status
            == 0)
            .then_some(())
    });
    let mut running = place
        .towline("deploy", &inventory)
        .args("--output json")
        .start();
    running.tells("who holds the lock", |event| {
        let until = event["until"].as_str().unwrap_or_default();
        event["event"] == "waiting"
            && until.starts_with("dpkg (process ")
            && until.ends_with(") to release dpkg's lock")
    });
    m1.succeed("touch /run/go-on");
    let deployed = running.wait().ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed");
    let packages = &deployed.changes()[&("m1".to_owned(), "packages".to_owned())];
    assert_eq!(packages, &["install ca-certificates"]);
    let version =
        "dpkg-query --show --showformat='${Version} ${db:Status-Status}\n' ca-certificates slow";
    assert_eq!(m1.succeed(version), "99990101 installed\n1 installed\n");
    deployed.says(&[&format!("channel stable is {} today", k3s.version)]);
    assert_eq!(mirror.requests(&asset), asked + 1);

    place.deploy(&inventory).changed_nothing();
    assert_eq!(mirror.requests(&asset), asked + 1, "it is fetched once");
    drop(mirror);
    place.deploy(&inventory).changed_nothing();

    // What dpkg calls installed is not installed again by apt.
    m1.succeed("rm /etc/ssl/certs/ca-certificates.crt");
    let plan = place.json("plan", &inventory).ends(1).stdout;
    for words in [
        "/etc/ssl/certs/ca-certificates.crt is missing, and dpkg calls the package that brings it installed: ca-certificates",
        "apt-get install --reinstall ca-certificates",
    ] {
        assert!(plan.contains(words), "{plan}");
    }
    m1.succeed("cp /root/ca-certificates.crt /etc/ssl/certs/");
    place.kept_its_secrets();
}

/// All files below a folder.
pub fn walk(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path.display().to_string()]
            }
        })
        .collect()
}
