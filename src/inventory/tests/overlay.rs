//! Several files of one inventory.

use super::*;

/// The files in a folder of their own, and what is read of them; places without that folder.
fn read(texts: &[&str]) -> Result<Inventory, String> {
    let folder = tempfile::tempdir().unwrap();
    let names = ["base.yaml", "site/paris.yaml", "third.yaml"];
    fs::create_dir(folder.path().join("site")).unwrap();
    let files = texts.iter().zip(names).map(|(text, name)| {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        file
    });
    let files: Vec<_> = files.collect();
    let root = format!("{}/", folder.path().display());
    layered(&files, &Overrides::default())
        .map_err(|errors| errors.render(false, 200).replace(&root, ""))
}

const BASE: &str = "\
cluster:
  name: base
  channel: stable
  config: {disable: [traefik, servicelb], write-kubeconfig-mode: '0644'}
ssh: {user: ubuntu, key: id}
groups:
  workers: {role: agent, labels: {disk: ssd, zone: a}, taints: ['a=b:NoSchedule']}
hosts:
  m1: {address: 10.0.0.1, role: server}
  w1: {address: 10.0.0.11, group: workers}
";

#[test]
fn a_later_file_lies_over_the_earlier_ones() {
    let inventory = read(&[
        BASE,
        "\
cluster:
  name: paris
  version: v1.36.3+k3s1
  channel: null
  config: {disable: [traefik], write-kubeconfig-mode: null}
ssh: {key: id}
groups:
  workers: {labels: {zone: p}, taints: null}
hosts:
  m1: {address: 192.0.2.1}
  w1:
  w2: {address: 192.0.2.12, groups: [workers]}
",
    ])
    .unwrap();
    let cluster = &inventory.cluster;
    assert_eq!(cluster.name, "paris");
    assert_eq!(cluster.version, VersionChoice::Exact("v1.36.3+k3s1".into()));
    let config = serde_json::to_string(&cluster.config).unwrap();
    assert_eq!(
        config,
        r#"{"disable":["traefik"],"write-kubeconfig-mode":null}"#
    );
    let hosts = inventory.hosts.iter().map(|host| {
        let labels = host.labels.iter();
        let labels = labels.map(|(key, label)| format!("{key}={}", label.value));
        format!(
            "{} {} {} {} {}",
            host.name,
            host.address,
            host.role.value,
            host.ssh.user.value,
            labels.collect::<Vec<_>>().join(",")
        )
    });
    assert_eq!(
        hosts.collect::<Vec<_>>(),
        [
            "m1 192.0.2.1 server ubuntu ",
            "w1 10.0.0.11 agent ubuntu disk=ssd,zone=p",
            "w2 192.0.2.12 agent ubuntu disk=ssd,zone=p",
        ]
    );
    let worker = &inventory.hosts[1];
    assert!(worker.taints.is_empty(), "{:?}", worker.taints);
    for (origin, end) in [
        (&worker.labels["disk"].origin, "/base.yaml:7"),
        (&worker.labels["zone"].origin, "/site/paris.yaml:8"),
        (&worker.ssh.user.origin, "/base.yaml:5"),
        (&inventory.hosts[0].address_origin, "/site/paris.yaml:10"),
    ] {
        assert!(origin.to_string().ends_with(end), "{origin}");
    }
    // Of a path, the folder is that of the file that says it.
    let key = &worker.ssh.key.value[0];
    assert!(key.ends_with("site/id"), "{}", key.display());
}

#[test]
fn null_takes_away_a_host_and_nothing_leaves_it() {
    let inventory = read(&[BASE, "cluster: {name: a}\nhosts: {w1: null}\n"]).unwrap();
    assert_eq!(inventory.hosts.len(), 1);
    for nothing in ["hosts:\n", "hosts: {w1: }\n", "# nothing\n", "hosts: {}\n"] {
        let inventory = read(&[BASE, nothing, "cluster: {name: a}\n"]).unwrap();
        assert_eq!(inventory.hosts.len(), 2, "{nothing}");
    }
}

#[test]
fn null_takes_away_what_may_not_be_there() {
    let site = "cluster: {name: a, version: null}\nhosts: {w2: null, w3: {address: 10.0.0.3, private_address: null, role: agent, config: {a: null}}}\n";
    let inventory = read(&[BASE, site]).unwrap();
    assert_eq!(inventory.hosts.len(), 3);
    let config = &inventory.hosts[2].config["a"];
    assert_eq!(config.value, serde_json::Value::Null);
}

#[test]
fn a_mistake_is_shown_in_the_file_that_it_stands_in() {
    let shown = |texts: &[&str]| read(texts).unwrap_err();
    insta::assert_snapshot!(
        "overlay-mistakes",
        shown(&[
            BASE,
            "cluster: {version: v1.36.3+k3s1}\nhosts:\n  w2: {address: 10.0.0.11, group: wrkers}\n  w3:\n",
            "cluster: {token: hunter22hunter, nmae: b}\nhosts: {hunter22hunter: {address: a b}}\n",
        ])
    );
    insta::assert_snapshot!(
        "overlay-broken",
        shown(&["hosts: {a: \n", "- a\n", "\tb: c\n"])
    );
    insta::assert_snapshot!(
        "overlay-no-maps",
        shown(&[BASE, "- a\n", "cluster: {token: {a: b}}\n"])
    );
}

#[test]
fn a_host_of_a_range_cannot_be_taken_out_alone() {
    let base = "hosts:\n  n[1:3]: {role: server}\n  m: {role: agent}\n";
    for key in ["n2", "n[2:4]"] {
        let shown = read(&[base, &format!("hosts:\n  {key}: null\n")]).unwrap_err();
        let message = "n2 comes from `n[1:3]` in line 2 of base.yaml and cannot be taken out alone";
        assert!(shown.contains(message), "{shown}");
        assert!(shown.contains("[site/paris.yaml:2:3]"), "{shown}");
    }
    let left = read(&[
        base,
        "cluster: {name: a}\nhosts: {'n[1:3]': null, n1: {role: server}}\n",
    ])
    .unwrap();
    assert_eq!(left.hosts.len(), 2);
}
