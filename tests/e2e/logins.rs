//! Ways to log in to a machine: certificates, agents, passphrases and passwords.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use towline_lab::{Machine, SUDO_PASSWORD};

use crate::place::{Place, wait_for};
use crate::security_key::agent_with_security_key;
use crate::towline::{Answer, Towline};

/// What opens a key; it ends with a space.
pub const PASSPHRASE: &str = "open sesame ";

/// A new pair of keys in the user's folder; the private one.
pub fn key(place: &Place, name: &str) -> PathBuf {
    let path = place.file(name);
    keygen(&["-t", "ed25519", "-N", "", "-C", name, "-f"], &path);
    path
}

pub fn keygen(arguments: &[&str], file: &Path) {
    let mut command = Command::new("ssh-keygen");
    command.arg("-q").args(arguments).arg(file);
    assert!(command.status().unwrap().success(), "{arguments:?}");
}

pub fn public(key: &Path) -> String {
    fs::read_to_string(key.with_extension("pub")).unwrap()
}

pub fn authorize(machine: &Machine, home: &str, key: &Path) {
    let line = public(key);
    machine.succeed(&format!("echo '{line}' >{home}/.ssh/authorized_keys"));
}

/// The hosts of an inventory, whose `ssh` is left to the configuration.
pub fn inventory(place: &Place, name: &str, hosts: &str) {
    let usual = place.inventory().to_string();
    let (head, _) = usual.split_once("ssh: {").unwrap();
    fs::write(place.file(name), format!("{head}hosts:\n{hosts}")).unwrap();
}

pub fn towline(place: &Place, command: &str) -> Towline {
    place.command().args(command).args("-F config")
}

pub fn json(place: &Place, command: &str) -> Answer {
    towline(place, command).args("--output json").run()
}

/// An agent with these keys, until it is dropped.
struct Agent(Child);

impl Agent {
    fn with(socket: &Path, keys: &[PathBuf]) -> Self {
        let mut command = Command::new("ssh-agent");
        command
            .arg("-D")
            .arg("-a")
            .arg(socket)
            .stdout(Stdio::null());
        let agent = Self(command.spawn().unwrap());
        wait_for("the agent", || socket.exists().then_some(()));
        let mut add = Command::new("ssh-add");
        add.arg("-q").args(keys).env("SSH_AUTH_SOCK", socket);
        assert!(add.status().unwrap().success());
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A machine takes certificates alone, with the key in a file and in an agent that holds eight others before
/// it, and then passwords alone. `config` is ssh's configuration for all hosts.
pub fn every_way_in(place: &Place, machine: &Machine, config: &str) {
    let folder = place.file("");
    let folder = folder.display();
    let configure = |more: &str| {
        fs::write(place.file("config"), format!("{more}\n{config}")).unwrap();
    };
    let authority = key(place, "authority");
    let certified = key(place, "certified");
    let sign = format!("-s {} -I it -n admin -V +1h", authority.display());
    keygen(
        &sign.split(' ').collect::<Vec<_>>(),
        &certified.with_extension("pub"),
    );
    machine.succeed(&format!(
        "echo '{}' >/etc/ssh/authority; echo 'TrustedUserCAKeys /etc/ssh/authority
Match User admin
AuthorizedKeysFile none' \
         >/etc/ssh/sshd_config.d/aa.conf; systemctl reload ssh",
        public(&authority)
    ));
    let reaches = |ssh: &str, more: &str| {
        let host = format!(
            "  m2: {{address: {}, role: server, ssh: {{{ssh}}}}}\n",
            machine.address()
        );
        inventory(place, "two.yaml", &host);
        configure(more);
        let planned = json(place, "plan -i two.yaml");
        let row = planned.row("m2");
        (row.outcome == "observed", row.problem)
    };
    let is_reached = |ssh: &str, more: &str| {
        let (is_reached, problem) = reaches(ssh, more);
        assert!(is_reached, "{ssh}, {more}: {problem}");
    };
    is_reached("user: admin, key: certified", "");
    fs::rename(
        place.file("certified-cert.pub"),
        place.file("elsewhere.pub"),
    )
    .unwrap();
    let (is_taken, problem) = reaches("user: admin, key: certified", "");
    assert!(
        !is_taken && problem.contains("refused the login as admin"),
        "{problem}"
    );
    is_reached(
        "user: admin, key: certified, certificate: elsewhere.pub",
        "",
    );
    let others = (0..8).map(|number| key(place, &format!("other{number}")));
    let held: Vec<_> = others.chain([certified.clone()]).collect();
    let socket = place.file("agent");
    let _agent = Agent::with(&socket, &held);
    fs::remove_file(&certified).unwrap();
    let agent = format!("IdentityAgent {}", socket.display());
    let (is_taken, problem) = reaches("user: admin", &agent);
    assert!(
        !is_taken && problem.contains("the agent's certified"),
        "{problem}"
    );
    let more = format!("{agent}\nCertificateFile {folder}/elsewhere.pub");
    is_reached(
        "user: admin",
        &format!("{more}\nIdentityFile {folder}/certified.pub"),
    );
    // As with ssh, the public key beside a private one that is not there says which of the agent's.
    is_reached(
        "user: admin",
        &format!("{more}\nIdentityFile {folder}/certified\nIdentitiesOnly yes"),
    );

    // A hardware key, of which the agent has the handle alone.
    let socket = place.file("token");
    let line = agent_with_security_key(&socket);
    machine.succeed(&format!(
        "rm /etc/ssh/sshd_config.d/aa.conf; systemctl reload ssh; echo '{line}' >/home/admin/.ssh/authorized_keys"
    ));
    is_reached(&format!("user: admin, agent: {}", socket.display()), "");

    // Passwords, by each of the two ways in which servers ask for one; sudo wants it, too.
    for (way, other) in [
        ("Password", "KbdInteractive"),
        ("KbdInteractive", "Password"),
    ] {
        machine.succeed(&format!(
            "printf 'Match User asker\n{way}Authentication yes\n{other}Authentication no\nPubkeyAuthentication no\n' \
             >/etc/ssh/sshd_config.d/aa.conf; systemctl reload ssh"
        ));
        let password = format!("{{command: [echo, {SUDO_PASSWORD}]}}");
        is_reached(
            &format!("user: asker, password: {password}, become_password: {password}"),
            "",
        );
        let (is_taken, problem) =
            reaches("user: asker, password: {command: [echo, wrong-one]}", "");
        assert!(
            !is_taken && problem.contains("password") && !problem.contains("wrong-one"),
            "{problem}"
        );
    }
    machine.succeed("rm /etc/ssh/sshd_config.d/aa.conf; systemctl reload ssh");

    // A key with a passphrase that a command says.
    let locked = key(place, "locked");
    keygen(&["-p", "-P", "", "-N", PASSPHRASE, "-f"], &locked);
    authorize(machine, "/home/admin", &locked);
    is_reached(
        &format!("user: admin, key: locked, passphrase: {{command: [echo, {PASSPHRASE:?}]}}"),
        "",
    );
    let (is_taken, problem) = reaches("user: admin, key: locked", "");
    assert!(!is_taken && problem.contains("passphrase"), "{problem}");
}
