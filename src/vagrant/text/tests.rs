use super::*;
use crate::inventory::Overrides;

fn host(name: &str, address: &str, port: u16, private: Option<&str>) -> VagrantHost {
    let key = format!("/home/me/k/.vagrant/machines/{name}/virtualbox/private_key");
    VagrantHost {
        name: name.into(),
        login: VagrantLogin {
            address: address.into(),
            port,
            user: "vagrant".into(),
            keys: vec![key.into()],
            proxy: None,
        },
        private: private.map(|private| private.parse().expect("an address")),
    }
}

/// What is made of a file with this text.
fn made(
    text: &str,
    hosts: &[VagrantHost],
    gone: &[&str],
    version: Option<&str>,
) -> Result<Made, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("inventory.yaml");
    if !text.is_empty() {
        fs::write(&file, text).expect("written");
    }
    let said = |refusal: Refusal| {
        let problems = refusal.problems();
        let said: Vec<_> = problems.iter().map(ToString::to_string).collect();
        said.join("\n")
            .replace(&folder.path().display().to_string(), "FOLDER")
    };
    let surroundings = Surroundings {
        distributions: &inventory::WITHOUT_RULES,
        home: Some(Path::new("/home/me")),
        overrides: &Overrides::default(),
        variables: |_| None,
        commands: None,
    };
    let before = Before::read(&file, surroundings).map_err(said)?;
    before.with(hosts, gone, version, "k").map_err(said)
}

#[test]
fn a_new_inventory_names_every_machine_as_it_is_reached() {
    let hosts = [
        host("server-1", "192.168.56.11", 22, Some("192.168.56.11")),
        host("agent-1", "127.0.0.1", 2200, Some("192.168.56.101")),
    ];
    let made = made("", &hosts, &[], Some("v1.36.3+k3s1")).expect("made");
    assert_eq!((made.hosts, made.changes, made.is_new), (2, None, true));
    insta::assert_snapshot!(made.text, @r#"
    # Written by towline. When machines have changed, run  towline inventory from-vagrant  again: it
    # changes what is Vagrant's and leaves your own lines as they are.
    cluster:
      name: k
      version: v1.36.3+k3s1
    ssh:
      user: vagrant
      known_hosts: .vagrant/towline_known_hosts
    hosts:
      server-1:
        address: "192.168.56.11"
        role: server
        ssh:
          key: /home/me/k/.vagrant/machines/server-1/virtualbox/private_key
      agent-1:
        address: "127.0.0.1"
        private_address: "192.168.56.101"
        role: agent
        ssh:
          port: 2200
          key: /home/me/k/.vagrant/machines/agent-1/virtualbox/private_key
    "#);
}

#[test]
fn roles_are_read_from_names() {
    for (name, is) in [
        ("server-1", Role::Server),
        ("s1", Role::Server),
        ("k3s-control-plane", Role::Server),
        ("Master", Role::Server),
        ("kmaster", Role::Agent),
        ("store1", Role::Agent),
        ("agent-1", Role::Agent),
        ("default", Role::Agent),
    ] {
        assert_eq!(role(name), is, "{name}");
    }
    let alone = made("", &[host("default", "127.0.0.1", 2222, None)], &[], None).expect("made");
    assert!(alone.text.contains("role: server"), "{}", alone.text);
}

const OURS: &str = "\
# mine
cluster: {name: k, config: {disable: [traefik]}}
ssh: {user: vagrant, known_hosts: .vagrant/towline_known_hosts}
hosts:
  server-1:
    address: 127.0.0.1   # forwarded
    role: server
    labels: {disk: ssd}
    ssh:
      port: 2222
      key: /home/me/k/.vagrant/machines/server-1/virtualbox/private_key
  agent-2:
    address: 127.0.0.1
    role: agent
    ssh: {port: 2201}
  # bought, not virtual
  nas: {address: 192.168.1.9, role: agent, ssh: {user: me}}
";

#[test]
fn what_has_changed_is_changed_and_the_rest_stays() {
    let hosts = [
        host("server-1", "127.0.0.1", 2200, Some("192.168.56.11")),
        host("agent-1", "127.0.0.1", 2222, Some("192.168.56.101")),
    ];
    let once = made(OURS, &hosts, &["agent-2", "never-there"], None).expect("made");
    insta::assert_snapshot!(once.text, @r#"
    # mine
    cluster: {name: k, config: {disable: [traefik]}}
    ssh: {user: vagrant, known_hosts: .vagrant/towline_known_hosts}
    hosts:
      server-1:
        address: 127.0.0.1   # forwarded
        private_address: 192.168.56.11
        role: server
        labels: {disk: ssd}
        ssh:
          port: 2200
          key: /home/me/k/.vagrant/machines/server-1/virtualbox/private_key
      # bought, not virtual
      nas: {address: 192.168.1.9, role: agent, ssh: {user: me}}
      agent-1:
        address: "127.0.0.1"
        private_address: "192.168.56.101"
        role: agent
        ssh:
          port: 2222
          key: /home/me/k/.vagrant/machines/agent-1/virtualbox/private_key
    "#);
    insta::assert_snapshot!(once.changes.expect("a file was there").join("\n"), @r"
    agent-2: no longer in the Vagrantfile; its lines are removed
    server-1: private_address 192.168.56.11 instead of none
    server-1: ssh.port 2200 instead of 2222
    agent-1: new
    ");
    let again = made(&once.text, &hosts, &[], None).expect("made");
    assert_eq!((again.changes, again.is_new), (Some(Vec::new()), false));
    assert_eq!(again.text, once.text);
}

#[test]
fn two_servers_of_a_vagrantfile_are_meant() {
    let one = host("server-1", "192.168.56.11", 22, None);
    let two = [one.clone(), host("server-2", "192.168.56.12", 22, None)];
    let fresh = made("", &two, &[], None).expect("made");
    assert!(
        fresh.text.contains("\n  allow_two_servers: true\n"),
        "{}",
        fresh.text
    );
    let before = made("", &[one], &[], None).expect("made");
    let after = made(&before.text, &two, &[], None).expect("made");
    assert!(
        after.text.contains("\n  allow_two_servers: true\n"),
        "{}",
        after.text
    );
    assert_eq!(after.hosts, 2);
}

#[test]
fn what_is_not_its_own_is_left_alone() {
    let hosts = [host("server-1", "127.0.0.1", 2200, None)];
    let refused = |text: &str| made(text, &hosts, &[], None).expect_err("refused");
    let other = OURS.replace(".vagrant/towline_known_hosts", "~/.ssh/known_hosts");
    insta::assert_snapshot!(refused(&other), @r"
    FOLDER/inventory.yaml is an inventory that was not made from Vagrant
      it does not name .vagrant/towline_known_hosts as its known_hosts file, and nothing is written over it
      → choose another file:
        towline inventory from-vagrant -o FILE
    ");
    assert!(refused("servers: {a: 1}\n").contains("servers"));
    // A range of hosts is no line of one host.
    let range = "cluster: {name: k}\nssh: {user: vagrant, known_hosts: .vagrant/towline_known_hosts}\n\
                 hosts: {\"server-[1:3]\": {address: \"10.0.0.[1:3]\", role: server}}\n";
    let said = refused(range);
    assert!(
        said.starts_with("hosts cannot be changed in FOLDER/inventory.yaml"),
        "{said}"
    );
    assert!(
        said.contains("under hosts:\n      server-1:\n        address:"),
        "{said}"
    );
}
