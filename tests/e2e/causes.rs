//! Joins that fail, and what is said of them: the cause, what it means, what to do.

use crate::place::Place;

/// Says something of its own and gives up, as a program does that towline has never heard of. All
/// of it in one write: what looks between two would see half of it in the journal.
const WINGS: &str = r#"#!/bin/sh
printf '%s\n' \
    'time="2026-01-02T03:04:05Z" level=info msg="Starting k3s agent v0"' \
    'I0102 03:04:05.000000       7 server.go:1] chatter' \
    'time="2026-01-02T03:04:05Z" level=error msg="the left wing is missing"' \
    'time="2026-01-02T03:04:05Z" level=fatal msg="cannot fly"'
exit 3
"#;

#[test]
fn a_join_that_fails_ends_with_its_cause_and_an_unknown_one_with_the_journal() {
    let place = Place::up(2, 3);
    let [m2, m3, m4, m5] = ["m2", "m3", "m4", "m5"].map(|name| place.machine(name));
    // A file beside towline's, which k3s reads as well.
    m2.succeed(
        "mkdir -p /etc/rancher/k3s/config.yaml.d
         printf 'cluster-cidr: 10.99.0.0/16\ndisable-network-policy: true\n' >/etc/rancher/k3s/config.yaml.d/mine.yaml",
    );
    m4.succeed(
        "mkdir -p /etc/rancher/k3s/config.yaml.d && echo 'nosuchkey: 1' >/etc/rancher/k3s/config.yaml.d/mine.yaml",
    );
    m3.succeed(
        "nft add table inet test && nft add chain inet test out '{ type filter hook output priority 0; }' &&
         nft add rule inet test out tcp dport 6443 drop",
    );
    m5.succeed(&format!(
        "cat >/root/wings <<'END'\n{WINGS}END\nchmod 755 /root/wings; mkdir -p /etc/systemd/system/k3s-agent.service.d
         printf '[Service]\nExecStart=\nExecStart=/root/wings\n' >/etc/systemd/system/k3s-agent.service.d/mine.conf"
    ));
    let failed = place.deploy(&place.inventory()).ends(1);
    assert_eq!(
        failed.outcomes(),
        "m1 changed, m2 failed, m3 failed, m4 failed, m5 failed"
    );
    let server = place.machine("m1").address();
    for (host, words) in [
        (
            "m2",
            vec![
                "all servers must have the same settings, and this one differs from the others in: cluster-cidr, disable-network-policy\n".to_owned(),
                "k3s says: Error: preparing server: failed to validate server configuration: critical configuration value mismatch between servers\n".to_owned(),
                "grep -rnE 'cluster-cidr|disable-network-policy' /etc/rancher/k3s/\n".to_owned(),
            ],
        ),
        (
            "m3",
            vec![
                format!("{server}:6443 could not be reached from this host: nothing listens there, a firewall is between, or the address is wrong\n"),
                format!("k3s says: Failed to validate connection to cluster at https://{server}:6443: failed to get CA certs: "),
                format!("timeout 5 bash -c '</dev/tcp/{server}/6443' && echo open\n"),
            ],
        ),
        (
            "m4",
            vec![
                "the configuration has a key that this k3s does not know: nosuchkey\n".to_owned(),
                "grep -rn 'nosuchkey' /etc/rancher/k3s/".to_owned(),
            ],
        ),
        (
            "m5",
            vec![
                "its process ends again and again: ".to_owned(),
                " s, with the same last words\nthe left wing is missing\ncannot fly\non the host, this shows all that it said:\njournalctl -u k3s-agent --no-pager -n 200".to_owned(),
            ],
        ),
    ] {
        let problem = failed.row(host).problem;
        for wanted in words {
            assert!(problem.contains(&wanted), "{host}: {wanted:?} in\n{problem}");
        }
        assert!(!problem.contains("6444"), "{host}: {problem}");
    }

    // In the inventory such a key is refused before anything is asked to start with it.
    let refused = place
        .inventory()
        .host("m4", "config", "{kubelet-args: [a=b]}");
    place
        .deploy(&refused)
        .ends(2)
        .says(&["did you mean `kubelet-arg`?", "nothing was changed"]);

    // Without what stood in their way they join by themselves, all but the one whose systemd still
    // has what was removed.
    for host in [m2, m4] {
        host.succeed("rm /etc/rancher/k3s/config.yaml.d/mine.yaml");
    }
    m3.succeed("nft delete table inet test");
    m5.succeed("rm -r /etc/systemd/system/k3s-agent.service.d");
    let deployed = place.deploy(&place.inventory()).ends(0);
    assert_eq!(
        deployed.outcomes(),
        "m1 unchanged, m2 unchanged, m3 unchanged, m4 unchanged, m5 changed"
    );
    assert_eq!(
        deployed.changes()[&("m5".to_owned(), "service".to_owned())],
        [
            "reload systemd and restart k3s-agent: its unit or drop-ins changed since systemd read them"
        ]
    );
    place.kept_its_secrets();
}
