//! What users have of their own: playbooks and templates in place of towline's, a network plug-in, and
//! quiet.

use std::fs;

use towline_lab::Source;

use crate::grow::fingerprint;
use crate::inventory::Inventory;
use crate::place::{Place, wait_for};

/// All that is to be done to the operating system, as this user sees it.
const PLAYBOOK: &str = "\
- name: banner
  file: {path: /etc/issue.net, template: site/banner, mode: \"0644\"}
";

const TEMPLATE: &str = "A line.\n{{ host.name }} belongs to {{ cluster.name }}.\n";

/// The words of a text's lines, without numbers, times and empty lines.
fn words(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let lines = lines.map(|line| {
        let words = line
            .split_whitespace()
            .filter(|word| !word.starts_with(|first: char| first.is_ascii_digit()));
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect()
}

#[test]
fn a_playbook_of_ones_own_replaces_towlines_and_quiet_is_quiet() {
    let place = Place::up(1, 0);
    let m1 = place.machine("m1");
    let inventory = place.inventory();
    for folder in ["mine/playbooks/os", "mine/templates/site"] {
        fs::create_dir_all(place.file(folder)).unwrap();
    }
    let write = |name: &str, text: &str| fs::write(place.file("mine").join(name), text).unwrap();
    let (playbook, template) = ("playbooks/os/bootstrap.yml", "templates/site/banner");
    let run = |command: &str, arguments: &str| {
        place
            .towline(command, &inventory)
            .args("--overrides mine")
            .args(arguments)
            .run()
    };

    // Mistakes, each with its place, before a host is touched.
    let before = fingerprint(m1);
    write(template, TEMPLATE);
    for (broken, said) in [
        (PLAYBOOK.replace("file:", "fiel:"), "unknown field `fiel`"),
        (PLAYBOOK.replace("\"}", "\""), "unclosed bracket"),
    ] {
        write(playbook, &broken);
        for command in ["plan", "deploy"] {
            run(command, "").ends(2).says(&[
                playbook,
                "line 2, column",
                said,
                "nothing was changed",
            ]);
        }
    }
    write(playbook, PLAYBOOK);
    write(template, &TEMPLATE.replace("host.name", "host.nmae"));
    for command in ["plan", "deploy"] {
        run(command, "").ends(2).says(&[
            "templates/site/banner, line 2",
            playbook,
            "nothing was changed",
        ]);
    }
    assert_eq!(fingerprint(m1), before, "a mistake touches nothing");

    write(template, TEMPLATE);
    let plan = run("plan", "-v").ends(0);
    for wanted in ["/etc/issue.net", "+m1 belongs to demo."] {
        assert!(plan.stdout.contains(wanted), "{}", plan.stdout);
    }
    assert!(!plan.stdout.contains("towline.conf"), "{}", plan.stdout);
    assert_eq!(fingerprint(m1), before, "a plan touches nothing");

    let deployed = run("deploy", "-q").ends(0);
    assert_eq!(deployed.stderr, "");
    let kubeconfig = place.file("demo.kubeconfig");
    let end = [
        "node status roles address version".to_owned(),
        "m1 Ready".to_owned(),
        "host role outcome changed connections exchanges time".to_owned(),
        "m1 server changed s".to_owned(),
        "slowest".to_owned(),
        "host: changed, in s".to_owned(),
        format!("export KUBECONFIG={}", kubeconfig.display()),
        "kubectl get nodes".to_owned(),
    ];
    let said = words(&deployed.stdout);
    let as_expected = said.len() == end.len()
        && end
            .iter()
            .zip(&said)
            .all(|(end, said)| said.starts_with(end));
    assert!(as_expected, "{said:?}");
    assert_eq!(
        m1.succeed("cat /etc/issue.net"),
        "A line.\nm1 belongs to demo.\n"
    );
    m1.succeed("! ls -d /etc/modules-load.d/towline.conf /etc/sysctl.d/99-towline.conf 2>/dev/null | grep .");
    place
        .api()
        .expect_summary(&m1.address().to_string(), "m1 agent");

    run("deploy", "--output json").changed_nothing();
    // A failure is told also to those who want quiet.
    m1.cut().unwrap();
    let failed = run("deploy", "-q").ends(1);
    assert!(
        failed.stderr.contains("m1: cannot be reached"),
        "{}",
        failed.stderr
    );
    let said = words(&failed.stdout);
    assert!(
        said.contains(&"m1 server unreachable s".to_owned()),
        "{said:?}"
    );
    m1.boot().unwrap();
    place.kept_its_secrets();
}

#[test]
fn a_network_plug_in_is_waited_for_where_a_manifest_brings_it() {
    let place = Place::up(1, 1);
    let [m1, m2] = ["m1", "m2"].map(|name| place.machine(name));
    let address = m1.address().to_string();
    let inventory = place
        .inventory()
        .host("m1", "config", "{flannel-backend: none}");

    let deployed = place.deploy(&inventory).ends(0);
    deployed.says(&[
        "flannel-backend is none",
        "not Ready until a network plug-in (CNI) runs there: m1, m2",
    ]);
    place
        .api()
        .expect_summary(&address, "m1 agent NotReady, m2 agent NotReady");
    // k3s's own network policies wait for the plug-in, and with them this unit.
    let unit = "systemctl is-active k3s-agent || :";
    assert_eq!(m2.succeed(unit).trim(), "activating");
    place.deploy(&inventory).changed_nothing();

    brings_its_network_by_a_manifest(&place, &inventory);
    wait_for("READY", || {
        (m2.succeed(unit).trim() == "active").then_some(())
    });
    place.deploy(&inventory).changed_nothing();
    manifests_come_and_go(&place, &inventory);
    place.kept_its_secrets();
}

/// A plug-in as flannel's is installed: a pod on every node that copies the plug-in's configuration there.
const PLUG_IN: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: own-cni, namespace: kube-system}
data:
  cni-conf.json: '{"cniVersion": "1.0.0", "name": "own", "plugins": [{"type": "loopback"}]}'
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: own-cni, namespace: kube-system}
spec:
  selector: {matchLabels: {app: own-cni}}
  template:
    metadata: {labels: {app: own-cni}}
    spec:
      hostNetwork: true
      tolerations: [{operator: Exists}]
      initContainers:
        - name: install-cni
          image: example.org/own-cni
          command: [cp]
          args: [-f, /etc/own-cni/cni-conf.json, /etc/cni/net.d/10-own.conflist]
          volumeMounts:
            - {name: cni, mountPath: /etc/cni/net.d}
            - {name: conf, mountPath: /etc/own-cni}
      containers:
        - {name: own-cni, image: example.org/own-cni}
      volumes:
        - {name: cni, hostPath: {path: /etc/cni/net.d}}
        - {name: conf, configMap: {name: own-cni}}
"#;

/// A plug-in that comes by a manifest is waited for, on servers and agents. What it has put on the machines stays
/// when its manifest goes.
fn brings_its_network_by_a_manifest(place: &Place, inventory: &Inventory) {
    let machines = ["m1", "m2"].map(|name| place.machine(name));
    fs::write(place.file("cni.yaml"), PLUG_IN).unwrap();
    if place.lab.release().source != Source::StandIn {
        // The images of a real one's pods cannot be had.
        for machine in machines {
            machine.succeed("mkdir -p /etc/cni/net.d && echo '{\"cniVersion\": \"1.0.0\", \"name\": \"own\", \"plugins\": [{\"type\": \"loopback\"}]}' >/etc/cni/net.d/10-own.conflist");
        }
    }
    let with = inventory.clone().cluster("manifests", "[cni.yaml]");
    let deployed = place.deploy(&with).ends(0);
    assert!(
        !deployed.stdout.contains("not Ready until"),
        "{}",
        deployed.stdout
    );
    let api = place.api();
    let address = machines[0].address().to_string();
    api.expect_summary(&address, "m1 agent, m2 agent");
    machines[1].succeed("grep -q '\"own\"' /etc/cni/net.d/10-own.conflist");
    place.deploy(&with).changed_nothing();
    place.deploy(inventory).ends(0);
    machines[0].succeed("! k3s kubectl --namespace kube-system get daemonset own-cni 2>/dev/null");
    api.expect_summary(&address, "m1 agent, m2 agent");
}

/// Manifests of the inventory are applied; one that the API refuses is told with its words; and one that
/// leaves takes its objects along.
fn manifests_come_and_go(place: &Place, inventory: &Inventory) {
    let m1 = place.machine("m1");
    let write = |name: &str, text: &str| fs::write(place.file(name), text).unwrap();
    write(
        "pools.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pools, namespace: default}\ndata: {a: b}\n",
    );
    write(
        "refused.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: refused, namespace: default}\nspec: {replicas: 1}\n",
    );
    let pools = "k3s kubectl get configmap pools --ignore-not-found -o name";
    let with = |list: &str| inventory.clone().cluster("manifests", list);
    place.deploy(&with("[pools.yaml]")).ends(0);
    assert_eq!(m1.succeed(pools).trim(), "configmap/pools");
    place.deploy(&with("[pools.yaml]")).changed_nothing();

    let refused = with("[refused.yaml]");
    let plan = place.towline("plan", &refused).run().ends(0);
    let taken = "take away the manifest pools";
    assert!(plan.stdout.contains(taken), "{}", plan.stdout);
    place.deploy(&refused).ends(1).says(&[
        "the cluster does not take the manifest refused.yaml",
        "spec.selector",
    ]);
    assert_eq!(m1.succeed(pools).trim(), "");
    place.deploy(inventory).ends(0);
    m1.succeed("! find /var/lib/rancher/k3s/server/manifests/towline -type f | grep .");
    m1.succeed("! k3s kubectl --namespace kube-system get addons.k3s.cattle.io pools refused 2>/dev/null | grep .");
    place.deploy(inventory).changed_nothing();
}
