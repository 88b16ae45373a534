//! The lines of the pages for people, run by a shell as they stand there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::adopt;
use crate::grow::fingerprint;
use crate::place::wait_for;
use crate::single::Desk;

const README: &str = include_str!("../../README.md");
const FROM_K3SUP: &str = include_str!("../../docs/from-k3sup.md");
const FROM_ANSIBLE: &str = include_str!("../../docs/from-ansible.md");
const FROM_K0SCTL: &str = include_str!("../../docs/from-k0sctl.md");

/// The shell's lines of a page, block by block.
fn blocks(page: &str) -> Vec<String> {
    let opened = page.split("```sh\n").skip(1);
    opened
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// The one block of a page with these words.
fn block(page: &str, words: &str) -> String {
    let mut found = blocks(page);
    found.retain(|block| block.contains(words));
    assert_eq!(found.len(), 1, "blocks with {words}: {found:?}");
    found.remove(0)
}

/// A user's shell: `towline` is in its path, and needs no more flags than on a user's own machines
/// because of this kernel and of where k3s comes from here.
struct Shell<'a>(&'a Desk);

impl<'a> Shell<'a> {
    fn of(desk: &'a Desk) -> Self {
        let lab = &desk.place.lab;
        let folder = desk.place.file("bin");
        fs::create_dir(&folder).unwrap();
        let script = format!(
            "#!/bin/sh\ncase $1 in install | join) set -- \"$@\" --mirror {} --k3s-extra-args '{}' ;; esac\nexec {} \"$@\"\n",
            desk.mirror.url(),
            desk.kernel().join(" "),
            env!("CARGO_BIN_EXE_towline")
        );
        fs::write(folder.join("towline"), script).unwrap();
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.join("towline"), mode).unwrap();
        let keys = desk.place.file(".ssh");
        fs::create_dir(&keys).unwrap();
        fs::copy(lab.ssh_key(), keys.join("id_ed25519")).unwrap();
        fs::copy(lab.known_hosts(), keys.join("known_hosts")).unwrap();
        for machine in lab.machines() {
            machine.succeed(
                "useradd --create-home ubuntu && cp -r /home/admin/.ssh /home/ubuntu/ && \
                 chown -R ubuntu: /home/ubuntu && echo 'ubuntu ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ubuntu",
            );
        }
        Self(desk)
    }

    /// Runs lines with the addresses of the lab's machines in them, and gives what they said.
    fn runs(&self, lines: &str) -> String {
        let place = &self.0.place;
        let mut lines = lines.to_owned();
        for (name, written) in [
            ("m1", ["192.168.0.100", "203.0.113.10", "192.0.2.11"]),
            ("m2", ["192.168.0.101", "192.0.2.12", ""]),
            ("m3", ["192.168.0.102", "203.0.113.11", ""]),
        ] {
            let machines = place.lab.machines();
            if !machines.iter().any(|machine| machine.name() == name) {
                continue;
            }
            let address = place.machine(name).address().to_string();
            for written in written.iter().filter(|written| !written.is_empty()) {
                lines = lines.replace(written, &address);
            }
        }
        let folder = place.file("bin");
        let output = Command::new("bash")
            .args(["-euc", &lines])
            .env_clear()
            .env("HOME", place.file("."))
            .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
            .current_dir(place.file("."))
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "$ {lines}\n{said}\n{errors}");
        format!("{said}{errors}")
    }
}

#[test]
fn the_lines_of_the_readme_and_of_the_page_for_k3sups_people_work_as_they_stand() {
    let desk = Desk::up(2, 1);
    let place = &desk.place;
    let shell = Shell::of(&desk);
    let address = place.machine("m1").address().to_string();

    shell.runs(&block(README, "towline install --ip"));
    // A server without etcd has no vote.
    place
        .api_of("kubeconfig")
        .expect_summary(&address, "m1 agent, m3 agent");

    // Its first line moves the data of the single server to etcd, as the page says.
    let exported = block(FROM_K3SUP, "export SERVER_IP");
    let said = shell.runs(&exported);
    assert!(said.contains("all 3 nodes are Ready"), "{said}");
    place
        .api_of("kubeconfig")
        .expect_summary(&address, "m1 voter, m2 voter, m3 agent");

    let addresses = exported.lines().next().unwrap();
    let saved = block(FROM_K3SUP, "towline deploy -i home.yaml");
    let said = shell.runs(&format!("{addresses}\n{saved}"));
    assert!(said.contains("2 hosts: 2 ok"), "{said}");
}

#[test]
fn the_lines_of_the_pages_for_ansibles_and_k0sctls_people_work_as_they_stand() {
    let desk = Desk::up(1, 1);
    let place = &desk.place;
    let [m1, m2] = ["m1", "m2"].map(|name| place.machine(name));
    let shell = Shell::of(&desk);
    let (first, second) = (m1.address().to_string(), m2.address().to_string());

    // What the playbook does: the token in config.yaml or the unit's environment, flags in the unit.
    m1.succeed(
        "mkdir -p /etc/rancher/k3s && echo \"token: 'changeme!'\" >/etc/rancher/k3s/config.yaml",
    );
    adopt::install(place, m1, "server", &["--disable", "traefik"], "");
    let url = format!("https://{first}:6443");
    let flags = ["--server", &url, "--node-label", "tier=work"];
    adopt::install(place, m2, "agent", &flags, "K3S_TOKEN=changeme!\n");
    wait_for("two nodes", || {
        let nodes = m1
            .ssh("k3s kubectl get nodes --no-headers | grep -c ' Ready '")
            .unwrap();
        (nodes.stdout.trim() == "2").then_some(())
    });

    let token = m1.succeed("cat /var/lib/rancher/k3s/server/token");
    let page = FROM_ANSIBLE.split("```yaml\n").nth(1).unwrap();
    let page = page.split("```").next().unwrap();
    let kernel = desk.kernel().join(" ");
    let source = page
        .replace("192.0.2.11", &first)
        .replace("192.0.2.12", &second)
        .replace("v1.36.3+k3s1", &place.lab.release().version)
        .replace("--disable traefik", &format!("--disable traefik {kernel}"))
        .replace("tier=work", &format!("tier=work {kernel}"));
    fs::write(place.file("inventory.yml"), source).unwrap();
    let lines = block(FROM_ANSIBLE, "towline plan -i inventory.yaml --adopt");
    let (convert, plan) = lines.split_once('\n').unwrap();
    let said = shell.runs(convert);
    let token_is_left_out = "inventory.yml:12: `token` is a secret";
    assert!(said.contains(token_is_left_out), "{said}");
    from_the_mirror(&desk);
    let before = [m1, m2].map(fingerprint);
    shell.runs(plan);
    assert_eq!([m1, m2].map(fingerprint), before, "a plan touches nothing");
    let said = shell.runs(&block(FROM_ANSIBLE, "deploy -i inventory.yaml --adopt"));
    assert!(said.contains("2 hosts: 2 changed"), "{said}");
    assert!(said.contains("2 hosts: 2 ok"), "{said}");
    assert_eq!(m1.succeed("cat /var/lib/rancher/k3s/server/token"), token);
    let api = place.api_of("inventory.kubeconfig");
    api.expect_summary(&first, "m1 agent, m2 agent");

    // The same in INI, written on Windows: nothing is left to do.
    let version = &place.lab.release().version;
    let ini = format!(
        "[server]\n{first}\n[agent]\nnode ansible_host={second}\n[k3s_cluster:children]\nserver\nagent\n\
         [k3s_cluster:vars]\nansible_user = ubuntu\nk3s_version={version}\n\
         extra_server_args=--disable traefik {kernel}\nextra_agent_args=\"--node-label tier=work {kernel}\"\n"
    );
    fs::write(place.file("hosts"), ini.replace('\n', "\r\n")).unwrap();
    shell.runs(
        "mv inventory.yaml first.yaml && towline inventory from-ansible hosts -o inventory.yaml",
    );
    from_the_mirror(&desk);
    let said = shell.runs("towline deploy -i inventory.yaml");
    assert!(said.contains("2 hosts: 2 ok"), "{said}");

    // The page for k0sctl's people; k0s_adopt.rs goes on from there, on machines that k0sctl has set up.
    shell.runs("rm inventory.yaml");
    let page = FROM_K0SCTL.split("```yaml\n").nth(1).unwrap();
    let page = page.split("```").next().unwrap();
    fs::write(place.file("k0sctl.yaml"), page).unwrap();
    shell.runs(&block(FROM_K0SCTL, "towline inventory from-k0sctl"));
    let made = fs::read_to_string(place.file("inventory.yaml")).unwrap();
    for text in [
        "distribution: k0s",
        "v1.36.3+k0s.2",
        "role: server",
        "role: worker",
        "disk: ssd",
    ] {
        assert!(made.contains(text), "{text} in\n{made}");
    }
}

/// Says in the inventory where k3s comes from here.
fn from_the_mirror(desk: &Desk) {
    let file = desk.place.file("inventory.yaml");
    let made = fs::read_to_string(&file).unwrap();
    let mirror = desk.mirror.url();
    let cluster = format!("cluster:\n  binary: {{mirror: \"{mirror}\"}}\n");
    fs::write(file, made.replacen("cluster:\n", &cluster, 1)).unwrap();
}
