//! Machines that leave a cluster, and clusters that are taken apart.

use super::*;
use crate::cluster::{ResetOrder, reset};

fn voter(name: &str, address: &str) -> ClusterNode {
    ClusterNode {
        voter: Some(true),
        ..node(name, true, address)
    }
}

/// Three servers and an agent that run, as each server lists them.
pub(crate) fn whole() -> Lab {
    let nodes = vec![
        voter("m1", "10.0.0.1"),
        voter("m2", "10.0.0.2"),
        voter("m3", "10.0.0.3"),
        node("w1", true, "10.0.0.11"),
    ];
    let mut lab = running().with("w1", agent("https://10.0.0.1:6443"));
    for name in ["m1", "m2", "m3"] {
        lab = lab.with(name, |facts| facts.node.nodes.clone_from(&nodes));
    }
    lab
}

pub(super) fn decide(lab: &Lab) -> Result<ResetOrder, String> {
    let situation = lab.situation();
    reset(&situation).map_err(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}

/// `VIA: HOSTS -DRAINED xDELETED; …`, or the refusal.
fn told(lab: &Lab) -> String {
    let plan = match decide(lab) {
        Ok(plan) => plan,
        Err(refusal) => return format!("refused: {refusal}"),
    };
    let waves = plan.waves.iter().map(|wave| {
        let drained = wave.drain.iter().map(|node| format!(" -{node}"));
        let deleted = wave.nodes.iter().map(|node| format!(" x{node}"));
        let marks: String = drained.chain(deleted).collect();
        format!("{}{marks}", wave.hosts.join("+"))
    });
    let waves: Vec<_> = waves.collect();
    let via = plan.via.as_deref().unwrap_or("nobody");
    format!("{via}: {}", waves.join("; "))
}

/// Like [`stopped`], and gone from its own list of nodes.
fn dead(facts: &mut Facts) {
    facts.node.server_unit = unit("failed", "failed");
    facts.node.api_ready = false;
    facts.node.nodes.clear();
}

#[test]
fn who_goes_when_and_who_lets_them_go() {
    let table = [
        (whole(), "m3: w1 xw1; m1 xm1; m2+m3"),
        (whole().only(&["w1"]), "m1: w1 -w1 xw1"),
        (whole().only(&["m1", "w1"]), "m2: w1 -w1 xw1; m1 -m1 xm1"),
        // One that is down goes first and takes no vote along.
        (whole().with("m2", dead), "m3: w1 xw1; m2 xm2; m1+m3"),
        (whole().with("m2", dead).only(&["m2"]), "m1: m2 xm2"),
        // No server can be asked: the hosts are reset all the same.
        (
            whole().with("m1", dead).with("m2", dead).with("m3", dead),
            "nobody: w1; m1+m2+m3",
        ),
        (
            whole()
                .with("m1", dead)
                .with("m2", dead)
                .with("m3", dead)
                .only(&["m2"]),
            "nobody: m2",
        ),
        (Lab::new(THREE), "nobody: w1; m1+m2+m3"),
        (whole().without("m3").without("w1"), "m2: m1+m2"),
        // A Ready node of that name elsewhere is another machine.
        (
            whole()
                .with("m1", |facts| {
                    facts.node.nodes[3].internal_ip = "10.0.0.99".parse().ok();
                })
                .only(&["w1"]),
            "m1: w1",
        ),
    ];
    for (lab, expected) in table {
        assert_eq!(told(&lab), expected, "{:?}", lab.selected);
    }
}

#[test]
fn servers_that_stay_keep_their_quorum() {
    insta::assert_snapshot!(told(&whole().only(&["m2", "m3"])), @r"
    refused: without m3, the servers that stay (m1) would lose their quorum
      etcd has 3 members, 3 of them up
      a server is stopped before its member is removed, and more than half of the members have to be up then
      → deploy another server first, or reset fewer servers at once
      → without --limit, the whole cluster is reset
    ");
    // Two that stay with one of them down: 1 of 3 is up when m1 is stopped.
    let down = |facts: &mut Facts| facts.node.nodes[2].ready = false;
    let lab = whole().with("m1", down).with("m2", down).without("m3");
    assert!(told(&lab.only(&["m1"])).starts_with("refused: without m1"));
    // One that is not reached is taken for down, though its node is called Ready for a while.
    let lab = whole().without("m3").only(&["m2"]);
    assert!(told(&lab).starts_with("refused: without m2"));
    let lab = whole().with("m1", dead).with("m2", dead).without("m3");
    assert!(told(&lab.only(&["m2"])).starts_with("refused: without m2"));
    // No server can be asked, and a majority of the data would go.
    let lab = whole().with("m1", dead).with("m2", dead).with("m3", dead);
    assert!(told(&lab.only(&["m1", "m2"])).starts_with("refused: without m2"));
}

#[test]
fn agents_that_stay_keep_a_server() {
    let lab = Lab::new(ONE)
        .with("m1", member)
        .with("w1", agent("https://10.0.0.1:6443"))
        .only(&["m1"]);
    insta::assert_snapshot!(told(&lab), @r"
    refused: no server would be left, and w1 would have none to belong to
      --limit names all servers and not all agents
      → name them as well, or leave out --limit: the whole cluster is reset then
    ");
    let bare = Lab::new(ONE).with("m1", member).only(&["m1"]);
    assert_eq!(told(&bare), "m1: m1");
}

#[test]
fn what_cannot_be_done_is_said() {
    let lab = whole().with("m1", dead).with("m2", dead).with("m3", dead);
    let notes = decide(&lab.only(&["m2", "w1"]))
        .expect("it is decided")
        .notes;
    assert!(
        notes[0].contains("no server of the cluster is READY"),
        "{notes:?}"
    );
    assert!(notes[0].ends_with("kubectl delete node m2 w1"), "{notes:?}");

    // A hostname is what the host says that it is, and the line is there to be copied.
    let lab = whole()
        .with("m1", dead)
        .with("m2", dead)
        .with("m3", dead)
        .with("w1", |facts| facts.hostname = "w1;$(reboot)".into());
    let notes = decide(&lab.only(&["m2", "w1"]))
        .expect("it is decided")
        .notes;
    assert!(
        notes[0].ends_with("kubectl delete node m2 'w1;$(reboot)'"),
        "{notes:?}"
    );
    let none: Vec<String> = Vec::new();
    assert_eq!(decide(&Lab::new(THREE)).expect("decided").notes, none);
    let lab = whole().with("w1", |facts| facts.missing = vec!["flock".into()]);
    let kubeadm = whole().with("w1", |facts| {
        facts.kubernetes = crate::facts::OtherKubernetes::of("kubelet.service");
    });
    for lab in [lab, kubeadm] {
        let plan = decide(&lab).expect("it is decided");
        assert!(plan.unfit.contains_key("w1"));
        assert!(plan.waves.iter().all(|wave| wave.hosts != ["w1"]));
    }
}

#[test]
fn data_is_removed_where_the_host_shows_it_and_nowhere_else() {
    let elsewhere = |facts: &mut Facts| {
        facts.node.data_dir = "/data/k3s".parse().expect("a folder");
    };
    let configured = |facts: &mut Facts, text: &str| {
        facts.node.config = Some(Secret::new(text));
        facts.node.datastore = None;
        facts.node.joined = false;
        facts.node.ca_hash = None;
    };
    let lab = whole()
        .with("m1", elsewhere)
        .with("m2", |facts| configured(facts, "data-dir: /told/k3s\n"))
        .with("m3", |facts| configured(facts, "data-dir: /tmp\n"))
        .with("w1", |facts| {
            *facts = bare("w1", "10.0.0.11");
            elsewhere(facts);
        });
    let plan = decide(&lab).expect("it goes");
    let data: Vec<_> = plan
        .folders
        .iter()
        .map(|(host, folders)| format!("{host} {}", folders.data))
        .collect();
    assert_eq!(
        data,
        [
            "m1 /data/k3s",
            "m2 /told/k3s",
            "m3 /var/lib/rancher/k3s",
            "w1 /var/lib/rancher/k3s"
        ]
    );
    let notes = plan.notes.join("\n");
    assert!(
        notes.contains("m3: k3s is configured with data-dir `/tmp`"),
        "{notes}"
    );
}

#[test]
fn every_folder_that_a_host_names_goes_or_is_listed() {
    let text = "
data-dir: /var/lib/rancher/k3s
write-kubeconfig: /etc/rancher/k3s/admin.yaml
token: /not/a/path
token-file: /root/token
default-local-storage-path: /mnt/volumes
etcd-snapshot-dir: /mnt/snapshots
kubelet-arg: [max-pods=50, root-dir=/srv/kubelet, cert-dir=/srv/kubelet/pki, log-dir=/var/log/kubelet]
kube-apiserver-arg: audit-log-path=/var/log/k3s/audit.log
log: k3s.log
";
    let configured = |facts: &mut Facts| facts.node.config = Some(Secret::new(text));
    let unusual = |facts: &mut Facts| {
        facts.node.config = Some(Secret::new("kubelet-arg: [root-dir=/mnt]\n"));
    };
    let lab = whole().with("m1", configured).with("m2", configured);
    let plan = decide(&lab.with("w1", unusual)).expect("it goes");
    let kubelet = |host: &str| plan.folders[host].kubelet();
    assert_eq!(kubelet("m1"), "/srv/kubelet");
    assert_eq!([kubelet("m3"), kubelet("w1")], ["/var/lib/kubelet"; 2]);
    insta::assert_snapshot!(plan.notes.join("\n"), @r"
    w1: left as it is: /mnt (kubelet-arg root-dir)
    m1, m2: left as it is: /mnt/volumes (default-local-storage-path), /mnt/snapshots (etcd-snapshot-dir), /var/log/k3s/audit.log (kube-apiserver-arg audit-log-path), /var/log/kubelet (kubelet-arg log-dir), /root/token (token-file)
    ");
}

#[test]
fn hosts_that_stay_are_told_of_another_server_than_the_one_that_goes() {
    let names = |url: &'static str| {
        move |facts: &mut Facts| {
            let own = facts.node.config.take().expect("there is one");
            facts.node.config = Some(Secret::new(&format!("{}\nserver: {url}\n", own.expose())));
        }
    };
    let told = |lab: Lab| {
        let plan = decide(&lab).expect("it is decided");
        let told = plan.successors.iter();
        told.map(|one| format!("{} {} -> {}", one.host, one.from, one.to))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let lab = || {
        whole()
            .with("m2", names("https://10.0.0.1:6443"))
            .with("m3", names("https://10.0.0.1:6443"))
    };
    assert_eq!(
        told(lab().only(&["m1"])),
        "m2 https://10.0.0.1:6443 -> https://10.0.0.3:6443\n\
         m3 https://10.0.0.1:6443 -> https://10.0.0.2:6443\n\
         w1 https://10.0.0.1:6443 -> https://10.0.0.2:6443"
    );
    assert_eq!(told(lab().only(&["m2"])), "", "none names it");
    assert_eq!(told(lab()), "", "none stays");
}
