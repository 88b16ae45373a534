//! Whole files: bad ones with the exact text that is shown, good ones with what is read.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::problem::Code;
use crate::vars::Origin;

mod document;
mod hostile;
mod overlay;
mod passwords;
mod variables;

/// The distributions without their own rules.
pub static WITHOUT_RULES: [&Dialect; 1] = [&Dialect {
    remarks: |_| Vec::new(),
    ..crate::distribution::k3s::DIALECT
}];

/// Reads an inventory from memory by the language alone. No variable is set.
pub fn parse(
    source: &str,
    file: &Path,
    home: Option<&Path>,
    overrides: &Overrides,
) -> Result<Inventory, InputErrors> {
    let surroundings = Surroundings {
        distributions: &WITHOUT_RULES,
        home,
        overrides,
        variables: |_| None,
        commands: None,
    };
    load_text(source, file, surroundings)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .filter(|path| !path.ends_with("demo.yaml"))
        .collect();
    files.sort();
    files
}

fn read(file: &Path) -> Result<Inventory, InputErrors> {
    layered(&[file.to_owned()], &Overrides::default())
}

fn layered(files: &[PathBuf], overrides: &Overrides) -> Result<Inventory, InputErrors> {
    let surroundings = Surroundings {
        distributions: &WITHOUT_RULES,
        home: Some(Path::new("/home/me")),
        overrides,
        variables: |_| None,
        commands: None,
    };
    load(files, surroundings)
}

fn good(source: &str) -> Inventory {
    match parse(source, Path::new("good.yaml"), None, &Overrides::default()) {
        Ok(inventory) => inventory,
        Err(errors) => panic!("{errors}"),
    }
}

#[test]
fn every_bad_file_says_everything_that_is_wrong_with_it() {
    for file in files("tests/inventory/bad") {
        let errors = read(&file).expect_err(&file.display().to_string());
        let text = errors.render(false, 100);
        assert!(!text.contains("hunter"), "a secret is shown: {text}");
        assert!(
            !format!("{errors:?}").contains("hunter"),
            "a secret is shown"
        );
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn the_examples_load_without_a_warning() {
    let files = files("inventories");
    assert!(files.len() >= 3);
    for file in files {
        match read(&file) {
            Ok(inventory) => assert_eq!(inventory.warnings, Vec::<String>::new()),
            Err(errors) => panic!("{errors}"),
        }
    }
}

#[test]
fn a_rack_is_expanded_in_the_order_of_the_file() {
    let rack = read(Path::new("inventories/rack.yaml")).unwrap();
    let hosts: Vec<String> = rack
        .hosts
        .iter()
        .map(|host| format!("{} {} {}", host.name, host.address, host.role.value))
        .collect();
    assert_eq!(hosts.len(), 25);
    assert_eq!(hosts[2], "server3 10.0.0.3 server");
    assert_eq!(hosts[3], "worker01 10.0.1.11 agent");
    assert_eq!(hosts[22], "worker20 10.0.1.30 agent");
    assert_eq!(hosts[24], "gpu02 10.0.2.12 agent");
}

#[test]
fn the_nearest_layer_wins_and_every_setting_knows_its_place() {
    let overrides = Overrides {
        ssh_port: Some(22022),
        ..Overrides::default()
    };
    let file = Path::new("tests/inventory/good/layers.yaml");
    let inventory = layered(&[file.to_owned()], &overrides).unwrap();
    let host = &inventory.hosts[2];
    let mut text = String::new();
    let mut line = |key: &str, value: &dyn std::fmt::Debug, origin: &Origin| {
        text.push_str(&format!("{key}: {value:?} ({origin})\n"));
    };
    line("role", &host.role.value, &host.role.origin);
    for (key, label) in &host.labels {
        line(key, &label.value, &label.origin);
    }
    for taint in &host.taints {
        line("taint", &taint.value, &taint.origin);
    }
    for (key, value) in &host.config {
        line(key, &value.value.to_string(), &value.origin);
    }
    let private = host.private_address.as_ref().unwrap();
    line("private address", &private.value, &private.origin);
    let node_name = host.node_name.as_ref().unwrap();
    line("node name", &node_name.value, &node_name.origin);
    let ssh = &host.ssh;
    line("user", &ssh.user.value, &ssh.user.origin);
    line("port", &ssh.port.value, &ssh.port.origin);
    line("keys", &ssh.key.value, &ssh.key.origin);
    let known_hosts = &ssh.known_hosts;
    line("known_hosts", &known_hosts.value, &known_hosts.origin);
    let timeout = &ssh.connect_timeout_seconds;
    line("timeout", &timeout.value, &timeout.origin);
    insta::assert_snapshot!(text, @r#"
    role: Agent (groups.workers.role, tests/inventory/good/layers.yaml:6)
    disk: "ssd" (groups.workers.labels.disk, tests/inventory/good/layers.yaml:7)
    zone: "c" (hosts.worker[08:10].labels.zone, tests/inventory/good/layers.yaml:22)
    taint: "a=b:NoSchedule" (groups.workers.taints, tests/inventory/good/layers.yaml:8)
    taint: "c:NoExecute" (groups.special.taints, tests/inventory/good/layers.yaml:13)
    kubelet-arg: "[\"max-pods=200\"]" (hosts.worker[08:10].config.kubelet-arg, tests/inventory/good/layers.yaml:23)
    node-ip: "\"10.0.1.1\"" (hosts.worker[08:10].config.node-ip, tests/inventory/good/layers.yaml:23)
    private address: 10.0.1.9 (hosts.worker[08:10].private_address, tests/inventory/good/layers.yaml:19)
    node name: "node-009" (hosts.worker[08:10].node_name, tests/inventory/good/layers.yaml:20)
    user: "admin" (groups.special.ssh.user, tests/inventory/good/layers.yaml:14)
    port: 22022 (--ssh-port)
    keys: ["/home/me/.ssh/id"] (ssh.key, tests/inventory/good/layers.yaml:3)
    known_hosts: ["tests/inventory/good/trusted"] (hosts.worker[08:10].ssh.known_hosts, tests/inventory/good/layers.yaml:24)
    timeout: 3 (ssh.connect_timeout_seconds, tests/inventory/good/layers.yaml:3)
    "#);
    assert_eq!(host.name, "worker09");
    assert_eq!(host.address, "fd00::9");
    assert_eq!(host.groups, ["workers", "special"]);
    assert_eq!(
        inventory.cluster.token.unwrap().expose(),
        "a-token-of-the-tests"
    );
}

#[test]
fn a_key_that_is_not_set_has_its_default() {
    let inventory = good("hosts: {alpha.example.org: {role: server}}");
    let (cluster, host) = (&inventory.cluster, &inventory.hosts[0]);
    assert_eq!(cluster.name, "good");
    assert_eq!(cluster.version, VersionChoice::Channel("stable".to_owned()));
    assert_eq!(cluster.join, Join::Parallel);
    assert_eq!(cluster.agent_batch, 50);
    assert_eq!(
        cluster.binary,
        BinarySource::Download {
            mirror: None,
            proxy: None
        }
    );
    assert_eq!(host.address, "alpha.example.org");
    assert_eq!(
        host.ssh.user,
        crate::vars::Sourced::default("root".to_owned())
    );
    assert_eq!(host.ssh.port, crate::vars::Sourced::default(22));
    assert!(host.ssh.known_hosts.value.is_empty());
}

#[test]
fn an_even_number_of_servers_is_a_warning_and_two_have_to_be_meant() {
    let servers = |cluster: &str, count: usize| {
        format!(
            "cluster: {{{cluster}}}\nhosts: {{'s[1:{count}]': {{address: '10.0.0.[1:{count}]', role: server}}}}"
        )
    };
    for refused in ["", "allow_two_servers: false"] {
        let text = servers(refused, 2);
        let read = parse(&text, Path::new("bad.yaml"), None, &Overrides::default());
        let [mistake] = &*read.expect_err("refused").mistakes else {
            panic!("one mistake");
        };
        assert_eq!(mistake.code, Code::SERVER_COUNT);
    }
    good(&servers(
        "datastore_endpoint: 'postgres://u:p@10.0.0.9/k'",
        2,
    ));
    for (count, wanted) in [
        (1, None),
        (
            2,
            Some("etcd of 2 servers needs both: the cluster stops when either is lost; use 1 or 3"),
        ),
        (3, None),
        (
            4,
            Some("4 servers survive the loss of 1, no more than 3 would; use 3 or 5"),
        ),
    ] {
        let inventory = good(&servers("allow_two_servers: true", count));
        assert_eq!(inventory.warnings.first().map(String::as_str), wanted);
    }
}

#[test]
fn a_binary_is_pinned_by_its_hash_and_a_mirror_without_encryption_is_a_warning() {
    let hash = "AB".repeat(32);
    let with = |binary: &str| {
        good(&format!(
            "cluster: {{binary: {{{binary}}}}}\nhosts: {{a: {{address: 10.0.0.1, role: server}}}}"
        ))
    };
    assert_eq!(with("mirror: 'https://m/k3s'").warnings.len(), 0);
    let plain = with("source: push, mirror: 'http://m/k3s'");
    assert!(
        plain.warnings[0].starts_with("http://m/k3s is not encrypted: "),
        "{:?}",
        plain.warnings
    );
    let pinned = with(&format!(
        "mirror: 'http://m/k3s', sha256: {{arm64: {hash}}}"
    ));
    assert_eq!(pinned.warnings.len(), 0);
    assert_eq!(
        pinned.cluster.binary_sha256["arm64"],
        hash.to_ascii_lowercase()
    );
}

#[test]
fn machines_behind_one_address_are_told_apart_by_their_ports() {
    let inventory = good(
        "hosts: {a: {address: 127.0.0.1, role: server, ssh: {port: 1}}, b: {address: 127.0.0.1, role: agent}}",
    );
    assert_eq!(inventory.hosts.len(), 2);
}

#[test]
fn an_address_and_a_name_that_is_one_are_the_same() {
    let source = "hosts: {alpha: {role: server}, beta: {address: Alpha, role: agent}}";
    let errors = parse(source, Path::new("x.yaml"), None, &Overrides::default()).unwrap_err();
    assert_eq!(
        errors.mistakes[0].message,
        "the address `Alpha` is used twice"
    );
    assert_eq!(errors.mistakes.len(), 1);
}

#[test]
fn the_secrets_of_an_inventory_are_its_tokens_and_what_configs_hide() {
    let inventory = good(
        "
cluster:
  token: token-one
  agent_token: token-two
  config: {etcd-s3-access-key: 's2', disable: [traefik], kube-apiserver-arg: [a]}
hosts: {a: {role: server, config: {etcd-s3-secret-key: s3}}}
",
    );
    let secrets: Vec<String> = inventory
        .secrets()
        .iter()
        .map(|secret| secret.expose().to_owned())
        .collect();
    assert_eq!(secrets, ["token-one", "token-two", "s2", "s3"]);
}

#[test]
fn agents_alone_may_join_a_cluster_elsewhere_with_the_token_of_agents() {
    let cluster = |token: &str| {
        let source = format!(
            "cluster: {{server_url: 'https://10.0.0.1:6443/', {token}: abcdef}}\nhosts: {{a: {{role: agent}}}}"
        );
        good(&source).cluster.server_url
    };
    assert_eq!(cluster("token").as_deref(), Some("https://10.0.0.1:6443"));
    assert_eq!(
        cluster("agent_token").as_deref(),
        Some("https://10.0.0.1:6443")
    );
}

#[cfg(unix)]
#[test]
fn a_token_that_everyone_can_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, "0123456789\n").unwrap();
    let file = folder.path().join("home.yaml");
    fs::write(
        &file,
        "cluster: {token_file: token}\nhosts: {a: {role: server}}",
    )
    .unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let inventory = read(&file).unwrap();
    assert_eq!(inventory.cluster.name, "home");
    assert_eq!(inventory.warnings.len(), 1);
    assert!(
        inventory.warnings[0].contains("chmod 600"),
        "{:?}",
        inventory.warnings
    );
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(read(&file).unwrap().warnings.len(), 0);
}

#[test]
fn a_file_that_is_not_there_is_one_mistake() {
    let errors = read(Path::new("tests/inventory/none.yaml")).unwrap_err();
    insta::assert_snapshot!(errors.render(false, 100), @r"
      × tests/inventory/none.yaml: cannot be read: No such file or directory

    error[inventory-unreadable]: 1 mistake in tests/inventory/none.yaml; nothing was changed
    ");
}

#[test]
fn a_byte_order_mark_does_no_harm() {
    assert_eq!(good("\u{feff}hosts: {a: {role: server}}").hosts.len(), 1);
}

#[test]
fn two_thousand_hosts_are_read_in_a_blink() {
    let mut source = String::from("hosts:\n  s: {role: server}\n");
    for index in 0..1999 {
        source.push_str(&format!(
            "  h{index}: {{address: h{index}.example.org, role: agent, labels: {{a: b}}}}\n"
        ));
    }
    let start = std::time::Instant::now();
    assert_eq!(good(&source).hosts.len(), 2000);
    assert!(
        start.elapsed() < std::time::Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
