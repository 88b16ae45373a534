//! What of a host's own settings is kept, and what needs a line.

use super::*;

/// One of every kind of setting: switches, words, numbers, lists of words, lists of other programs'
/// flags, what towline works out itself, secrets, and what k3s does not know.
const EVERY_KIND: &str = "\
token: secret-one
agent-token: secret-two
cluster-init: true
node-label: [disk=ssd]
node-name: Old
tls-san: [old.example.org, 10.0.0.1]
disable: traefik,servicelb
debug: true
protect-kernel-defaults: false
snapshotter: native
write-kubeconfig-mode: '0644'
etcd-snapshot-retention: 9
kubelet-arg: [max-pods=50, 'eviction-hard=memory.available<5%,nodefs.available<10%']
kube-apiserver-arg: --audit-log-path=/a
node-external-dns: [m1.example.org]
node-external-ip: 203.0.113.9
node-ip: 10.0.0.1
flannel-iface: eth0
etcd-s3-secret-key: bucket-secret
old: 1
";

fn typed(inventory: &str) -> Lab {
    let mut lab = Lab::new(inventory).with("m1", member).with("m1", |facts| {
        facts.node.config = Some(Secret::new(EVERY_KIND));
    });
    lab.inventory.whole = false;
    lab.keep = true;
    lab
}

#[test]
fn a_line_that_says_less_takes_nothing_away_and_says_so() {
    let lab = typed("hosts:\n  m1: {address: 10.0.0.1, role: server}\n");
    let topology = lab.topology();
    let config = serde_json::to_string_pretty(&topology.specs["m1"].config).expect("JSON");
    insta::assert_snapshot!("kept", config);
    insta::assert_snapshot!("kept_is_said", topology.notes.join("\n"));
    // With --reset-config it does.
    let mut lab = typed("hosts:\n  m1: {address: 10.0.0.1, role: server}\n");
    lab.keep = false;
    let config = lab.topology().specs["m1"].config.clone();
    assert!(!config.contains_key("kubelet-arg") && !config.contains_key("snapshotter"));
}

#[test]
fn what_the_line_names_is_as_it_says_and_of_a_list_the_rest_is_kept() {
    let lab = typed(
        "cluster: {config: {kubelet-arg: [max-pods=110], snapshotter: overlayfs, debug: null}, tls_sans: [new.example.org]}\n\
         hosts:\n  m1: {address: 10.0.0.1, role: server}\n",
    );
    let config = &lab.topology().specs["m1"].config;
    assert_eq!(
        config["kubelet-arg"],
        serde_json::json!([
            "eviction-hard=memory.available<5%,nodefs.available<10%",
            "max-pods=110"
        ])
    );
    assert_eq!(
        config["tls-san"],
        serde_json::json!(["old.example.org", "10.0.0.1", "new.example.org"])
    );
    assert_eq!(config["snapshotter"], "overlayfs");
    assert!(!config.contains_key("debug"), "null has it gone");
}

#[test]
fn of_a_list_that_is_the_same_in_another_order_nothing_changes() {
    let lab = typed(
        "cluster: {config: {kubelet-arg: ['eviction-hard=memory.available<5%,nodefs.available<10%']}}\n\
         hosts:\n  m1: {address: 10.0.0.1, role: server}\n",
    );
    assert_eq!(
        lab.topology().specs["m1"].config["kubelet-arg"],
        serde_json::json!([
            "max-pods=50",
            "eviction-hard=memory.available<5%,nodefs.available<10%"
        ])
    );
}

/// [`EVERY_KIND`] in the flags of a foreign unit, the tokens in its variables.
fn foreign(facts: &mut Facts) {
    let flags = "--cluster-init --node-label disk=ssd --node-name old --tls-san old.example.org --tls-san 10.0.0.1 \
        --disable traefik,servicelb --debug --protect-kernel-defaults=false --snapshotter native \
        --write-kubeconfig-mode 0644 --etcd-snapshot-retention 9 --kubelet-arg max-pods=50 \
        --kube-apiserver-arg=audit-log-path=/a --node-external-dns m1.example.org \
        --node-external-ip 203.0.113.9 --node-ip 10.0.0.1 --flannel-iface eth0 --etcd-s3-secret-key bucket-secret";
    facts.node.config = Some(Secret::new(
        "kubelet-arg: [eviction-hard=1]\nresolv-conf: /etc/own\n",
    ));
    facts.node.drop_ins = vec![DropIn {
        name: "10-more.yaml".into(),
        text: Secret::new("resolv-conf: /etc/other\npause-image: own\n"),
    }];
    facts.node.foreign = Some(ForeignUnit {
        unit: "k3s".into(),
        text: Secret::new(&format!(
            "[Service]\nExecStart=/usr/local/bin/k3s server {flags}\n"
        )),
        environment: Secret::new(
            "K3S_TOKEN=secret-one\nK3S_AGENT_TOKEN=secret-two\nK3S_SELINUX=true\n",
        ),
    });
}

#[test]
fn taking_a_host_over_loses_nothing_that_the_inventory_does_not_name() {
    let lab = |inventory: &str| {
        let mut lab = Lab::new(inventory).with("m1", member).with("m1", foreign);
        lab.adopt = true;
        lab
    };
    let topology = lab(
        "cluster: {config: {disable: [servicelb, traefik], kubelet-arg: [cgroup-driver=systemd]}}\n\
         hosts:\n  m1: {address: 10.0.0.1, role: server}\n",
    )
    .topology();
    insta::assert_snapshot!("needs_lines", topology.unfit["m1"]);
    let lab = lab(
        "cluster:\n  tls_sans: [old.example.org]\n  config:\n    disable: [servicelb, traefik]\n    \
         kubelet-arg: [max-pods=50, eviction-hard=1, cgroup-driver=systemd]\n    debug: true\n    snapshotter: native\n    \
         write-kubeconfig-mode: '0644'\n    etcd-snapshot-retention: 9\n    kube-apiserver-arg: [audit-log-path=/b]\n    \
         etcd-s3-secret-key: bucket-secret\n\
         hosts:\n  m1:\n    address: 203.0.113.9\n    private_address: 10.0.0.1\n    role: server\n    \
         config: {flannel-iface: null, node-external-dns: []}\n",
    );
    let address = "10.0.0.1/24".parse().expect("a network");
    let topology = lab
        .with("m1", |facts| facts.addresses.push(("eth1".into(), address)))
        .topology();
    assert_eq!(topology.unfit.get("m1").map(ToString::to_string), None);
    let config = &topology.specs["m1"].config;
    assert!(!config.contains_key("flannel-iface"), "null has it gone");
    assert_eq!(config["tls-san"][0], "old.example.org");
}
