//! What k3s's process and its container runtime are told beside config.yaml.

use serde_json::{Value, json};

use super::*;
use crate::distribution::k3s::documents;
use crate::distribution::k3s::variables::variables;
use crate::inventory::{self, Overrides};

/// What templates know of k3s on a host.
fn known(lab: &Lab, host: &str) -> Value {
    let mut hosts = lab.inventory.hosts.iter();
    let own = hosts.find(|own| own.name == host).expect("a host");
    let (situation, topology) = (lab.situation(), lab.topology());
    variables(&situation, &topology, own, &lab.facts[host], None)
}

#[test]
fn a_proxy_is_not_for_the_clusters_own_addresses() {
    let lab = Lab::new(
        "cluster:
  endpoint: k8s.example.org
  config: {cluster-cidr: 10.52.0.0/16, service-cidr: 10.53.0.0/16}
  environment: {HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'example.org, 10.52.0.0/16'}
hosts:
  m1: {address: 10.0.0.1, role: server}
  w1: {address: 10.0.0.11, role: agent, environment: {CONTAINERD_HTTP_PROXY: 'http://other:3128', HTTPS_PROXY: ''}}
  w2: {address: far.example.org, role: agent}
",
    );
    let environment = |host| known(&lab, host)["environment"].clone();
    assert_eq!(
        environment("m1"),
        json!([
            {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
            {"name": "NO_PROXY", "value": "example.org,10.52.0.0/16,localhost,127.0.0.0/8,10.53.0.0/16,10.0.0.0/24,far.example.org,k8s.example.org,.svc,.cluster.local"},
        ])
    );
    let names = |value: &Value| {
        let list = value.as_array().expect("a list").iter();
        list.map(|one| one["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&environment("w1")),
        [
            "CONTAINERD_HTTP_PROXY",
            "CONTAINERD_NO_PROXY",
            "HTTPS_PROXY",
            "NO_PROXY"
        ]
    );
}

#[test]
fn what_is_let_through_has_both_families() {
    let dual = "cluster:
  config: {cluster-cidr: '10.52.0.0/16,fd00:0052::1/56', service-cidr: '10.53.0.0/16,fd53::/112'}
  environment: {HTTPS_PROXY: 'http://proxy:3128'}
hosts: {m1: {address: 10.0.0.1, role: server}}
";
    let second = |facts: &mut Facts| {
        let net = "fd00:1::5/64".parse().expect("a network");
        facts.addresses.push(("eth0".into(), net));
    };
    let told = known(&Lab::new(dual).with("m1", second), "m1");
    assert_eq!(
        told["environment"][1]["value"],
        "localhost,127.0.0.0/8,10.52.0.0/16,fd00:52::/56,10.53.0.0/16,fd53::/112,10.0.0.0/24,fd00:1::/64,.svc,.cluster.local"
    );
    // Those that k3s takes by itself are of the nodes' family.
    let six = Lab::new("hosts: {m1: {address: 'fd00:1::5', role: server}}\n");
    assert_eq!(
        K3s.ranges(&six.inventory, true),
        ["fd00:42::/56", "fd00:43::/112"]
    );
}

#[test]
fn a_host_that_is_added_or_not_reached_changes_no_other_ones_environment() {
    let text = "cluster: {environment: {HTTP_PROXY: 'http://proxy:3128'}}
hosts:
  m1: {address: 10.0.0.1, role: server}
  w1: {address: 10.0.0.11, role: agent}
";
    let more = format!("{text}  w2: {{address: 10.0.0.12, role: agent}}\n");
    let before = known(&Lab::new(text), "m1")["environment"].clone();
    for lab in [Lab::new(text).without("w1"), Lab::new(&more)] {
        assert_eq!(known(&lab, "m1")["environment"], before);
    }
}

#[test]
fn nodes_share_the_images_of_all_registries_unless_some_are_named() {
    let shared = "cluster: {embedded_registry: true}\n";
    let lab = Lab::new(&format!("{shared}{ONE}"));
    assert_eq!(
        known(&lab, "w1")["registries"],
        json!({"mirrors": {"*": {}}})
    );
    let specs = lab.topology().specs;
    assert_eq!(specs["m1"].config["embedded-registry"], true);
    assert!(!specs["w1"].config.contains_key("embedded-registry"));
    assert_eq!(known(&Lab::new(ONE), "w1")["registries"], Value::Null);
}

#[test]
fn the_kubelet_and_the_api_server_are_told_of_their_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kubelet.yaml");
    let write = |text: &str| std::fs::write(&file, text).expect("written");
    write(
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 42 # few\n",
    );
    let text = format!(
        "cluster:
  audit_policy: {{rules: [{{level: Metadata}}]}}
  config: {{kube-apiserver-arg: [audit-log-maxage=7], kubelet-arg: [v=2]}}
hosts:
  m1: {{address: 10.0.0.1, role: server, kubelet_config: {{maxPods: 200}}}}
  w1: {{address: 10.0.0.11, role: agent, kubelet_config: {}}}
",
        file.display()
    );
    let lab = Lab::new(&text);
    let specs = lab.topology().specs;
    assert_eq!(
        specs["m1"].config["kube-apiserver-arg"],
        json!([
            "audit-log-maxage=7",
            "audit-policy-file=/etc/rancher/k3s/audit-policy.yaml",
            "audit-log-path=/var/lib/rancher/k3s/server/logs/audit.log",
            "audit-log-maxbackup=10",
            "audit-log-maxsize=100",
        ])
    );
    let told = json!(["v=2", "config=/etc/rancher/k3s/kubelet.yaml"]);
    assert_eq!(specs["m1"].config["kubelet-arg"], told);
    let texts = |host| {
        let documents = known(&lab, host)["documents"].clone();
        [0, 1].map(|at| documents[at]["text"].as_str().expect("text").to_owned())
    };
    assert_eq!(
        texts("m1"),
        [
            "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nmaxPods: 200\n",
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n",
        ]
    );
    let [kubelet, audit] = texts("w1");
    assert!(kubelet.ends_with("maxPods: 42 # few\n") && audit.is_empty());
    let twice = text.replace("[v=2]", "[config=/etc/other.yaml]");
    let remarks = documents::remarks(&Lab::new(&twice).inventory);
    let said: Vec<_> = remarks.iter().map(|remark| &*remark.message).collect();
    assert_eq!(
        said,
        ["`kubelet-arg` has `config`, and so would `kubelet_config`"]
    );
    write("kind: Pod\n");
    let overrides = Overrides::default();
    let errors = inventory::parse(&text, &file, None, &overrides).expect_err("it is refused");
    let errors = errors.render(false, 200);
    for wanted in [
        "`apiVersion` is missing",
        "this `kind` is not that of a KubeletConfiguration",
    ] {
        assert!(errors.contains(wanted), "{errors}");
    }
}

#[test]
fn registries_of_a_file_bring_their_certificates_along_and_their_logins_are_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    write("ca.pem", "an authority\n");
    write("client.key", "a private key\n");
    write(
        "registries.yaml",
        "mirrors: {docker.io: {endpoint: 'https://m1:5000'}}\n\
         configs:\n  'm1:5000':\n    auth: {username: operator, password: hunter2hunter2}\n    \
         tls: {ca_file: ca.pem, cert_file: /etc/ssl/client.pem, key_file: client.key}\n",
    );
    let inventory =
        "cluster: {registries: registries.yaml}\nhosts: {m1: {address: 10.0.0.1, role: server}}\n";
    let file = folder.path().join("home.yaml");
    let read = || inventory::parse(inventory, &file, None, &Overrides::default());
    let inventory = read().unwrap_or_else(|errors| panic!("{}", errors.render(false, 100)));
    let registries = &inventory.hosts[0].registries.as_ref().expect("some").value;
    assert_eq!(
        registries.content["mirrors"]["docker.io"]["endpoint"],
        json!(["https://m1:5000"])
    );
    let tls = &registries.content["configs"]["m1:5000"]["tls"];
    let (ca, key) = (
        "/etc/rancher/k3s/registries/m1_5000-ca.pem",
        "/etc/rancher/k3s/registries/m1_5000-key.pem",
    );
    assert_eq!(
        *tls,
        json!({"ca_file": ca, "cert_file": "/etc/ssl/client.pem", "key_file": key})
    );
    let files: Vec<_> = registries.files.iter().map(|(path, _)| &**path).collect();
    assert_eq!(files, [ca, key]);
    let secrets = inventory.secrets();
    let is_secret = |text: &str| secrets.iter().any(|secret| secret.expose().trim() == text);
    assert!(is_secret("hunter2hunter2") && is_secret("a private key"));
    assert!(!is_secret("operator"), "a user is no secret");

    write(
        "registries.yaml",
        "mirrors: {}\nconfigs:\n  m1: {auth: {pasword: hunter2hunter2, password: {env: X}}, tls: {ca_file: none.pem}}\n",
    );
    let errors = read().expect_err("it is refused").render(false, 200);
    let folder = folder.path().to_string_lossy().into_owned();
    insta::assert_snapshot!(errors.replace(&folder, "~"), @r"
      × ~/registries.yaml:3:15: unknown key `pasword` in `registries.configs.m1.auth`
       ╭─[~/home.yaml:1:23]
     1 │ cluster: {registries: registries.yaml}
       ·                       ───────────────
       ╰────
      help: did you mean `password`?

      × ~/registries.yaml:3:50: `password` must be text in this file
       ╭─[~/home.yaml:1:23]
     1 │ cluster: {registries: registries.yaml}
       ·                       ───────────────
       ╰────
      help: write the map in the inventory, where it may say where the secret is

      × ~/registries.yaml:3:76: `none.pem` cannot be read: No such file or directory
       ╭─[~/home.yaml:1:23]
     1 │ cluster: {registries: registries.yaml}
       ·                       ───────────────
       ╰────
      help: towline looks for ~/none.pem

    error[inventory-invalid]: 3 mistakes in ~/home.yaml; nothing was changed
    ");
}
