//! Hosts as OpenSSH's own configuration reaches them: behind bastions, with certificates and agents.

use std::fs;

use towline_lab::Machine;

use crate::logins::{
    PASSPHRASE, authorize, every_way_in, inventory, json, key, keygen, public, towline,
};
use crate::place::Place;
use crate::towline::Answer;

/// The target's sshd and API answer the second hop alone; it takes one session at a time.
const TARGET: &str = "printf 'Port 22\nPort 2222\nMaxSessions 1\nBanner /etc/issue.net\n' >/etc/ssh/sshd_config.d/aa.conf
echo 'echo this profile talks' >>/root/.bashrc
systemctl restart ssh
nft add table inet gate
nft add chain inet gate in '{ type filter hook input priority 0; }'
nft add rule inet gate in iif lo accept
nft add rule inet gate in iifname host0 tcp dport '{ 2222, 6443 }' ip saddr != ";

/// A bastion on which nothing can be run, as sshd comes otherwise.
const FIRST: &str = "printf 'MaxStartups 10:30:100\nMatch User admin\nMaxSessions 0\nForceCommand /bin/false\n' \
    >/etc/ssh/sshd_config.d/aa.conf; systemctl restart ssh";

const PORTS: std::ops::Range<u16> = 2301..2341;

/// How often a user logged in.
fn logins(machine: &Machine, user: &str) -> usize {
    let journal = machine.succeed("journalctl --no-pager -o cat -t sshd");
    journal
        .matches(&format!("Accepted publickey for {user}"))
        .count()
}

/// What is not behind the bastion is reached all the same.
#[track_caller]
fn only_the_third_is_reached(answer: &Answer) {
    for (host, row) in answer.rows() {
        let is_third = host == "m3";
        assert_eq!(row.outcome != "unreachable", is_third, "{host}: {row:?}");
        assert_eq!(row.connections, u64::from(is_third), "{host}: {row:?}");
    }
}

#[test]
fn a_cluster_behind_two_bastions_is_reached_as_ssh_reaches_it() {
    let place = Place::up(1, 2);
    let [target, second, first] = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let keys = ["first", "second", "target"].map(|name| key(&place, name));
    authorize(first, "/home/admin", &keys[0]);
    authorize(second, "/home/asker", &keys[1]);
    let line = public(&keys[2]);
    target.succeed(&format!("echo '{line}' >>/root/.ssh/authorized_keys"));
    first.succeed(FIRST);
    target.succeed(&format!(
        "{TARGET}{} reject with tcp reset",
        second.address()
    ));
    let folder = place.file("");
    let folder = folder.display();
    let known = place.lab.known_hosts();
    let hops = format!(
        "Host hop-*\n  IdentitiesOnly yes\n\
         Host hop-first\n  HostName {}\n  User admin\n  IdentityFile {folder}/%n.key\n\
         Host hop-second\n  HostName {}\n  User asker\n  ProxyJump hop-first\n\
         Match originalhost hop-second user asker\n  IdentityFile {folder}/second\n",
        first.address(),
        second.address(),
    );
    fs::rename(&keys[0], place.file("hop-first.key")).unwrap();
    fs::write(place.file("hops"), &hops).unwrap();
    let config = format!(
        "Include {folder}/hops\n\
         Host prod-*\n  Port 2222\n  ProxyJump hop-second\n  IdentityFile {folder}/target\n\
         Host prod-one\n  HostName {target}\n  HostKeyAlias {target}\n\
         Host node-*\n  HostName {target}\n  HostKeyAlias {target}\n  ProxyJump hop-first\n  IdentityFile {folder}/target\n\
         Host *\n  UserKnownHostsFile {known}\n",
        target = target.address(),
        known = known.display(),
    );
    let configure = |change: &dyn Fn(&str) -> String| {
        fs::write(place.file("config"), change(&config)).unwrap();
    };
    configure(&str::to_owned);
    inventory(
        &place,
        "one.yaml",
        "  m1: {address: prod-one, role: server}\n",
    );

    // Where the values come from.
    let shown = towline(&place, "inventory show -i one.yaml --host m1");
    let shown = shown.run().ends(0).stdout;
    for (key, value, layer) in [
        ("address", target.address().to_string(), "ssh_config"),
        ("ssh.port", "2222".to_owned(), "ssh_config"),
        ("ssh.bastion", "[\"hop-second\"]".to_owned(), "ssh_config"),
        (
            "ssh_config.hostkeyalias",
            target.address().to_string(),
            "ssh_config",
        ),
    ] {
        let wanted = [key, value.as_str(), layer];
        let is_there = |line: &str| {
            wanted
                .iter()
                .all(|&word| line.split_whitespace().any(|one| one == word))
        };
        assert!(shown.lines().any(is_there), "{wanted:?} in\n{shown}");
    }

    let told = towline(&place, "plan -i one.yaml -v").run().words();
    assert!(
        told.lines()
            .any(|line| line.contains("ssh.port ") && line.trim_end().ends_with("ssh_config")),
        "{told}"
    );

    // Lost with its bastion in the middle, the work is no success, and is taken up again.
    let arguments = "deploy -i one.yaml --output json";
    let mut running = towline(&place, arguments).start();
    running.tells("an upload", |event| {
        event["event"] == "begun" && event["step"] == "k3s"
    });
    second.succeed("pkill -f '^sshd: asker'");
    let lost = running.wait().ends(1);
    assert_ne!(lost.row("m1").outcome, "changed");
    lost.says(&["its bastion hop-second was lost"]);
    let deployed = json(&place, "deploy -i one.yaml").ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed");
    let before = (logins(first, "admin"), logins(second, "asker"));
    let again = json(&place, "deploy -i one.yaml").changed_nothing();
    let finished = again.events().pop().unwrap();
    assert_eq!(finished["report"]["bastion_connections"], 2);
    let after = (logins(first, "admin"), logins(second, "asker"));
    assert_eq!(after, (before.0 + 1, before.1 + 1), "one connection a hop");

    // Host keys: that of the target, and that of a bastion.
    let own = place.file("known");
    let all = fs::read_to_string(&known).unwrap();
    let without = |address: &dyn std::fmt::Display| {
        let begin = format!("{address} ");
        let lines = all.lines().filter(|line| !line.starts_with(&begin));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    let with_own = |text: &str| text.replace(&*known.to_string_lossy(), &own.to_string_lossy());
    configure(&with_own);
    let (other, _) = line.rsplit_once(' ').unwrap();
    let changed = format!(
        "{}{} {other}\n",
        without(&target.address()),
        target.address()
    );
    fs::write(&own, changed).unwrap();
    let refused = json(&place, "plan -i one.yaml").ends(1);
    assert_eq!(refused.outcomes(), "m1 unreachable");
    refused.says(&[
        "m1: THE HOST KEY HAS CHANGED",
        &format!("ssh-keygen -R {} -f {}", target.address(), own.display()),
    ]);
    fs::write(&own, without(&first.address())).unwrap();
    let three = format!(
        "  m1: {{address: prod-one, role: server}}\n  m2: {{address: prod-two, role: agent}}\n  \
         m3: {{address: {}, role: agent, ssh: {{key: {}}}}}\n",
        second.address(),
        place.lab.ssh_key().display(),
    );
    inventory(&place, "three.yaml", &three);
    let refused = json(&place, "plan -i three.yaml").ends(1);
    only_the_third_is_reached(&refused);
    refused.says(&["hop-first: the host key is not known", "see m1"]);
    let told = refused.row("m1").problem + &refused.row("m2").problem;
    assert_eq!(told.matches("ssh-keyscan").count(), 1, "{told}");
    assert_eq!(fs::read_to_string(&own).unwrap(), without(&first.address()));

    // A bastion that is not there, and one that forwards nothing.
    configure(&str::to_owned);
    fs::write(place.file("hops"), hops.replace("User admin", "Port 1")).unwrap();
    let refused = json(&place, "plan -i three.yaml").ends(1);
    only_the_third_is_reached(&refused);
    let [one, two] = ["m1", "m2"].map(|host| refused.row(host).problem);
    assert!(
        one.contains("hop-first: cannot be reached") && one.contains("connection refused"),
        "{one}"
    );
    assert_eq!(two, "m2: its bastion hop-first cannot be used\nsee m1");
    fs::write(place.file("hops"), &hops).unwrap();
    second.succeed(
        "echo 'AllowTcpForwarding no' >/etc/ssh/sshd_config.d/aa.conf; systemctl reload ssh",
    );
    let refused = json(&place, "plan -i three.yaml").ends(1);
    only_the_third_is_reached(&refused);
    for host in ["m1", "m2"] {
        let problem = refused.row(host).problem;
        let said = "hop-second answered: administratively prohibited";
        assert!(
            problem.contains(said) && problem.contains("AllowTcpForwarding"),
            "{problem}"
        );
    }
    second.succeed("rm /etc/ssh/sshd_config.d/aa.conf; systemctl reload ssh");

    // Forty hosts behind a bastion that would drop most of forty connections.
    target.succeed(&format!(
        "for port in $(seq {} {}); do /usr/sbin/sshd -p $port; done",
        PORTS.start,
        PORTS.end - 1
    ));
    let hosts = PORTS.map(|port| {
        let role = if port == PORTS.start {
            "server"
        } else {
            "agent"
        };
        format!("  n{port}: {{address: node-{port}, role: {role}, ssh: {{port: {port}}}}}\n")
    });
    inventory(&place, "forty.yaml", &hosts.collect::<String>());
    let before = logins(first, "admin");
    let planned = json(&place, "plan -i forty.yaml");
    let reached = planned
        .events()
        .into_iter()
        .filter(|event| event["event"] == "reached");
    assert_eq!(reached.count(), PORTS.len());
    assert_eq!(logins(first, "admin"), before + 1);
    planned.says(&["n2340 have the same hostname, m1"]);

    // A key with a passphrase is asked for once for all of them.
    keygen(&["-p", "-P", "", "-N", PASSPHRASE, "-f"], &keys[2]);
    let mut running = towline(&place, "plan -i forty.yaml").on_a_terminal();
    running.shows("Passphrase for ");
    running.types(&format!("{PASSPHRASE}\r"));
    let planned = running.wait();
    planned.says(&["n2340 have the same hostname, m1"]);
    let words = planned.words();
    assert_eq!(words.matches("Passphrase for").count(), 1, "{words}");
    assert!(
        !words.contains(PASSPHRASE) && !words.contains("unreachable"),
        "{words}"
    );
    keygen(&["-p", "-P", PASSPHRASE, "-N", "", "-f"], &keys[2]);

    every_way_in(&place, second, &config);

    // Through a command.
    let jump = "ProxyJump hop-second";
    let command = format!("ProxyCommand ssh -F {folder}/config -W %h:%p hop-second");
    configure(&|config| config.replace(jump, &command));
    let planned = json(&place, "plan -i one.yaml").ends(0);
    assert_eq!(planned.outcomes(), "m1 observed");
}
