//! Registries of the inventory on hosts with nodes, beside drop-ins of their user.

use std::fs;

use super::lives;
use crate::inventory::Inventory;
use crate::place::Place;

/// A login at a mirror.
const PASSWORD: &str = "mirror-\"pa$word";

/// The same with its user, as a registry is shown it.
const SHOWN: &str = "cHVsbDptaXJyb3ItInBhJHdvcmQ=";

/// They are told to containerd where there is one, for root alone, and taken away again; k0s goes on.
pub fn come_and_go(place: &Place, inventory: &Inventory) {
    let hosts = ["m1", "m2", "m3", "m4"].map(|name| place.machine(name));
    fs::write(place.file("ca.pem"), "an authority\n").unwrap();
    let registries = "{mirrors: {docker.io: {endpoint: [\"https://mirror.test:5000\"]}}, \
        configs: {\"mirror.test:5000\": {auth: {username: pull, password: {env: MIRROR}}, tls: {ca_file: ca.pem}}}}";
    let with = inventory.clone().cluster("registries", registries);
    let run = |command: &str, inventory: &Inventory| {
        let towline = place.towline(command, inventory).env("MIRROR", PASSWORD);
        let answer = towline.args("-vvv --output json").run().ends(0);
        for said in [&answer.stdout, &answer.stderr] {
            assert!(!said.contains(PASSWORD) && !said.contains(SHOWN));
        }
        answer
    };
    for machine in hosts {
        machine.succeed(
            "mkdir -p /etc/k0s/containerd.d && echo 'version = 3' >/etc/k0s/containerd.d/mine.toml",
        );
    }
    let before = hosts.map(lives);
    assert_eq!(
        run("deploy", &with).outcomes(),
        "m1 changed, m2 changed, m3 unchanged, m4 changed"
    );
    run("deploy", &with).changed_nothing();
    let told = "cd /etc/k0s && stat -c '%a %n' containerd.d/towline* registries/*/* registries/*.pem && cat registries/docker.io/hosts.toml";
    let [m1, m2, m3, m4] = hosts;
    for machine in [m1, m2, m4] {
        assert_eq!(
            machine.succeed(told),
            format!(
                "600 containerd.d/towline-registries.toml\n\
                 600 registries/docker.io/hosts.toml\n\
                 600 registries/mirror.test_5000_/hosts.toml\n\
                 600 registries/mirror.test_5000-ca.pem\n\
                 \n[host.\"https://mirror.test:5000/v2\"]\n\
                 capabilities = [\"pull\", \"resolve\"]\n\
                 ca = \"/etc/k0s/registries/mirror.test_5000-ca.pem\"\n\
                 [host.\"https://mirror.test:5000/v2\".header]\n\
                 Authorization = \"Basic {SHOWN}\"\n"
            )
        );
    }

    assert_eq!(
        run("deploy", inventory).outcomes(),
        "m1 changed, m2 changed, m3 unchanged, m4 changed"
    );
    for machine in hosts {
        machine.succeed(
            "! test -e /etc/k0s/registries
             ! grep -s plugins /etc/k0s/containerd.d/*.toml
             grep -qx 'version = 3' /etc/k0s/containerd.d/mine.toml",
        );
    }
    m3.succeed("[ \"$(ls /etc/k0s/containerd.d)\" = mine.toml ]");
    assert_eq!(hosts.map(lives), before);
    run("deploy", inventory).changed_nothing();
}
