//! Settings that cannot be, with each other, with the hosts, or with what the cluster has.

use super::*;

/// What a lab with this under `cluster: config:` is refused with, or nothing.
fn refused(lab: Lab, config: &str) -> String {
    let inventory = format!("cluster: {{config: {{{config}}}}}{THREE}");
    let inventory = Lab::new(&inventory).inventory;
    match (Lab { inventory, ..lab }).try_shape() {
        Ok(_) => String::new(),
        Err(problems) => problems
            .iter()
            .map(|problem| format!("{problem}\n"))
            .collect(),
    }
}

/// A running cluster whose servers are told this, too.
fn told(more: &str) -> Lab {
    ["m1", "m2", "m3"].iter().fold(running(), |lab, name| {
        lab.with(name, |facts| {
            let own = facts.node.config.as_ref().map_or("", Secret::expose);
            facts.node.config = Some(Secret::new(&format!("{own}\n{more}\n")));
        })
    })
}

#[test]
fn what_a_running_cluster_cannot_change_is_refused_with_what_it_has() {
    for (has, wants, said) in [
        (
            "",
            "cluster-cidr: 10.50.0.0/16",
            "m1, m2, m3: cluster-cidr is 10.42.0.0/16 in this cluster, and would be 10.50.0.0/16",
        ),
        (
            "cluster-cidr: 10.52.0.0/16",
            "",
            "cluster-cidr is 10.52.0.0/16 in this cluster, and would be 10.42.0.0/16",
        ),
        (
            "",
            "service-cidr: 10.99.0.0/16",
            "service-cidr is 10.43.0.0/16 in this cluster",
        ),
        (
            "",
            "cluster-dns: 10.43.0.99",
            "cluster-dns is 10.43.0.10 in this cluster",
        ),
        (
            "",
            "cluster-domain: example.org",
            "cluster-domain is cluster.local in this cluster",
        ),
        (
            "",
            "flannel-backend: host-gw",
            "flannel-backend is vxlan in this cluster",
        ),
        (
            "secrets-encryption: true",
            "",
            "secrets-encryption is true in this cluster, and would be false",
        ),
        (
            "secrets-encryption: true",
            "secrets-encryption: true, secrets-encryption-provider: secretbox",
            "secrets-encryption-provider is aescbc in this cluster",
        ),
    ] {
        let refusal = refused(told(has), wants);
        assert!(refusal.contains(said), "{has} {wants}: {refusal}");
    }
    for (has, wants) in [
        ("", ""),
        (
            "",
            "cluster-cidr: 10.42.0.0/16, cluster-dns: 10.43.0.10, cluster-domain: cluster.local",
        ),
        (
            "cluster-cidr: 10.52.0.0/16\nservice-cidr: 10.53.0.0/16",
            "cluster-cidr: [10.52.0.0/16], service-cidr: 10.53.0.0/16, cluster-dns: 10.53.0.10",
        ),
        ("", "secrets-encryption: true"),
        ("", "disable: [traefik]"),
    ] {
        assert_eq!(refused(told(has), wants), "", "{has} {wants}");
    }
    let lab =
        Lab::new("cluster: {datastore: sqlite}\nhosts:\n  m1: {address: 10.0.0.1, role: server}\n");
    let refusal = lab.with("m1", member).refusal();
    assert!(
        refusal.contains("m1: it keeps its cluster in embedded etcd"),
        "{refusal}"
    );
}

#[test]
fn what_a_file_says_of_the_pods_network_is_held_against_the_nodes() {
    let lab = |has: &str| {
        told(has).with("m1", |facts| {
            let mut node = node("m1", true, "10.0.0.1");
            node.pods = vec!["10.42.0.0/24".parse().expect("a range")];
            facts.node.nodes = vec![node];
        })
    };
    let said = "m1: cluster-cidr is 10.50.0.0/16, and its node has the pod addresses 10.42.0.0/24";
    let by_hand = lab("").with("m1", |facts| {
        facts.node.drop_ins = vec![DropIn {
            name: "50-mine.yaml".into(),
            text: Secret::new("cluster-cidr: 10.50.0.0/16\n"),
        }];
    });
    let refusal = refused(by_hand, "");
    assert!(refusal.contains(said), "{refusal}");
    // The inventory repairs what was written into the file by hand.
    let wrong = "cluster-cidr: 10.50.0.0/16";
    let only_m1 = |has: &str| Lab {
        selected: ["m1".into()].into(),
        ..lab(has)
    };
    assert_eq!(refused(only_m1(wrong), ""), "");
    assert_eq!(refused(lab(""), "cluster-cidr: 10.42.0.0/16"), "");
    let refusal = refused(lab(""), "cluster-cidr: 10.50.0.0/16");
    assert!(
        refusal.contains("is 10.42.0.0/16 in this cluster") && !refusal.contains(said),
        "{refusal}"
    );
}

#[test]
fn a_server_that_joins_beside_servers_that_are_not_changed_has_to_fit_them() {
    let lab = running()
        .with("m3", |facts| *facts = bare("m3", "10.0.0.3"))
        .only(&["m3"]);
    let refusal = refused(lab, "disable: [traefik]");
    assert!(
        refusal.contains("m3 would join with other values than m1 has for disable"),
        "{refusal}"
    );
    let lab = running()
        .with("m3", |facts| *facts = bare("m3", "10.0.0.3"))
        .only(&["m3"]);
    assert_eq!(refused(lab, ""), "");
}

#[test]
fn networks_that_cannot_be_are_refused_for_a_new_cluster() {
    for (config, said) in [
        (
            "cluster-cidr: 10.42.0.0",
            "config.cluster-cidr: `10.42.0.0` is not a range of addresses",
        ),
        (
            "cluster-dns: 10.44.0.10",
            "config.cluster-dns: 10.44.0.10 is not in service-cidr, 10.43.0.0/16",
        ),
        (
            "cluster-cidr: 10.0.0.0/16",
            "cluster-cidr is 10.0.0.0/16, and hosts have addresses in it: m1 has 10.0.0.1, m2 has 10.0.0.2, m3 has 10.0.0.3, w1 has 10.0.0.11",
        ),
    ] {
        let refusal = refused(Lab::new(THREE), config);
        assert!(refusal.contains(said), "{config}: {refusal}");
    }
    let inside = "hosts:\n  m1: {address: 10.42.0.7, role: server}\n";
    let refusal = Lab::new(inside).refusal();
    assert!(refusal.contains("cluster-cidr: 172.30.0.0/16"), "{refusal}");
    // A cluster that runs so is not refused for it.
    assert!(Lab::new(inside).with("m1", member).try_shape().is_ok());
}

#[test]
fn a_node_has_an_address_of_every_family_that_its_pods_have() {
    let dual = "cluster: {config: {cluster-cidr: '10.52.0.0/16,fd00:52::/56', service-cidr: '10.53.0.0/16,fd00:53::/112'}}";
    let six = "cluster: {config: {cluster-cidr: 'fd00:52::/56', service-cidr: 'fd00:53::/112'}}";
    let with = |head: &str, host: &str| {
        let lab = Lab::new(&format!(
            "{head}\nhosts:\n  m1: {{address: 192.0.2.5, role: server{host}}}\n"
        ));
        lab.with("m1", |facts| {
            facts.addresses = vec![
                ("eth0".into(), "192.0.2.5/24".parse().expect("a network")),
                ("eth0".into(), "2001:db8::5/64".parse().expect("a network")),
            ];
        })
    };
    assert_eq!(
        text(&with(dual, "").topology().specs["m1"], "node-ip"),
        "192.0.2.5,2001:db8::5"
    );
    assert_eq!(
        text(&with(six, "").topology().specs["m1"], "node-ip"),
        "2001:db8::5"
    );
    assert_eq!(
        text(&with("cluster: {}", "").topology().specs["m1"], "node-ip"),
        "192.0.2.5"
    );
    let own = ", config: {node-ip: '192.0.2.5,2001:db8::9'}";
    assert_eq!(
        text(&with(dual, own).topology().specs["m1"], "node-ip"),
        "192.0.2.5,2001:db8::9"
    );
    let lacks = with(dual, "")
        .with("m1", |facts| drop(facts.addresses.pop()))
        .topology();
    let problem = lacks.unfit["m1"].to_string();
    assert!(
        problem
            .contains("m1: the pods' network has IPv4 and IPv6, and the node no address of IPv6"),
        "{problem}"
    );
    assert!(
        problem.contains("node-ip: \"192.0.2.5,IPV6_ADDRESS\""),
        "{problem}"
    );
    let problem = with(dual, ", config: {node-ip: 192.0.2.5}")
        .topology()
        .unfit["m1"]
        .to_string();
    assert!(problem.contains("no address of IPv6"), "{problem}");
    // Agents, too.
    let agent = format!(
        "{dual}\nhosts:\n  m1: {{address: 10.0.0.1, role: server}}\n  w1: {{address: 10.0.0.11, role: agent}}\n"
    );
    let six = |facts: &mut Facts| {
        let address = format!("2001:db8::{}/64", facts.hostname.len());
        facts
            .addresses
            .push(("eth0".into(), address.parse().expect("a network")));
    };
    let topology = Lab::new(&agent).with("m1", six).with("w1", six).topology();
    assert!(topology.unfit.is_empty(), "{topology:?}");
    assert_eq!(
        text(&topology.specs["w1"], "node-ip"),
        "10.0.0.11,2001:db8::2"
    );
}

#[test]
fn a_key_that_k3s_does_not_know_is_refused_and_for_a_newer_k3s_a_note() {
    let inventory = "
cluster: {config: {kubelet-args: [a=b], nosuchkey: 1}, agent_config: {disable: [traefik]}}
hosts:
  m1: {address: 10.0.0.1, role: server}
  w1: {address: 10.0.0.11, role: agent, config: {no-flannel: true}}
";
    let refusal = Lab::new(inventory).refusal();
    for said in [
        "cluster.config.kubelet-args: `kubelet-args` is no flag of k3s server",
        "did you mean `kubelet-arg`?",
        "cluster.config.nosuchkey",
        "cluster.agent_config.disable: `disable` is no flag of k3s agent",
        "only servers have it",
        "hosts.w1.config.no-flannel, lab.yaml:5",
    ] {
        assert!(refusal.contains(said), "{said} in\n{refusal}");
    }
    let lab = Lab::new(inventory);
    let situation = lab.situation();
    let notes = topology(&situation, "v1.37.0+k3s1")
        .expect("it is not refused")
        .notes
        .join("\n");
    assert!(notes.contains("did you mean `kubelet-arg`?"), "{notes}");
}

#[test]
fn backends_of_flannel_that_k3s_gave_up_are_refused() {
    for (backend, said) in [
        ("wireguard", "wireguard-native"),
        ("ipsec", "wireguard-native"),
        ("udp", "it is vxlan"),
    ] {
        let refusal = refused(Lab::new(THREE), &format!("flannel-backend: {backend}"));
        assert!(
            refusal.contains(&format!("k3s has no backend `{backend}`")) && refusal.contains(said),
            "{refusal}"
        );
    }
    for backend in ["none", "vxlan", "host-gw", "wireguard-native"] {
        assert_eq!(
            refused(Lab::new(THREE), &format!("flannel-backend: {backend}")),
            ""
        );
    }
}

#[test]
fn a_range_that_one_part_of_k3s_alone_would_have_is_refused() {
    let said = |config: &str| refused(Lab::new(THREE), config);
    let other = said("kube-controller-manager-arg: [v=2, cluster-cidr=10.99.0.0/16]");
    insta::assert_snapshot!(other, @r"
    config.kube-controller-manager-arg: cluster-cidr is given to it by k3s
      with another range than the rest of k3s has, k3s ends when this part of it begins to work
      → for a new cluster (a running one keeps its ranges):
        cluster-cidr: 10.99.0.0/16
    ");
    let services = said("kube-apiserver-arg: --service-cluster-ip-range=10.99.0.0/16");
    assert!(
        services.contains("service-cidr: 10.99.0.0/16"),
        "{services}"
    );
    for same in [
        "kube-controller-manager-arg: [cluster-cidr=10.42.0.0/16]",
        "cluster-cidr: 10.99.0.0/16, kube-proxy-arg: [cluster-cidr=10.99.0.0/16]",
        "kube-controller-manager-arg: [node-cidr-mask-size=23]",
    ] {
        assert_eq!(said(same), "");
    }
}

#[test]
fn a_line_that_says_less_does_not_bring_a_running_host_where_a_new_one_is_refused() {
    let mut lab = Lab::new("hosts:\n  m1: {address: 10.0.0.1, role: server}\n").with("m1", member);
    lab = lab.with("m1", |facts| {
        facts.cgroup = 1;
        facts.node.config = Some(Secret::new(
            "token: secret-one\nkubelet-arg: [fail-cgroupv1=false]\n",
        ));
    });
    lab.inventory.whole = false;
    let unfit = |lab: &Lab| lab.topology().unfit.contains_key("m1");
    lab.keep = true;
    assert!(!unfit(&lab));
    lab.keep = false;
    assert!(unfit(&lab));
}

#[test]
fn a_network_plug_in_of_ones_own_is_told_until_it_runs() {
    let new =
        |config: &str| Lab::new(&format!("cluster: {{config: {{{config}}}}}{THREE}")).topology();
    let said = |topology: &Topology| topology.notes.join("\n");
    let usual = new("");
    assert!(usual.network.itself && said(&usual).is_empty());
    let own = new("flannel-backend: none");
    assert!(!own.network.itself && own.network.policies);
    insta::assert_snapshot!(said(&own), @"flannel-backend is none: nodes are not Ready until a network plug-in (CNI) is installed in the cluster; towline does not wait for it. k3s's network policies wait for it: until then k3s-agent stays activating, and k3s restarts every 15 minutes on each node; with  disable-network-policy: true  it does not");
    let alone = new("flannel-backend: none, disable-network-policy: true");
    assert!(!alone.network.itself && !alone.network.policies);
    insta::assert_snapshot!(said(&alone), @"flannel-backend is none: nodes are not Ready until a network plug-in (CNI) is installed in the cluster; towline does not wait for it");

    // An agent is told nothing of it; its servers are.
    let runs = |lacks_network: bool| {
        let lab = told("flannel-backend: none").with("m1", |facts| {
            facts.node.nodes = vec![ClusterNode {
                lacks_network,
                ..node("m1", !lacks_network, "10.0.0.1")
            }];
        });
        lab.only(&["w1"]).topology()
    };
    assert!(!runs(true).network.itself && said(&runs(true)).contains("is none"));
    assert!(!runs(false).network.itself && !said(&runs(false)).contains("is none"));
}
