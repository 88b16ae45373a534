//! From one version to another, under a client that asks and one that writes.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use towline_lab::{Machine, Mirror};

use crate::asking::never_without_an_answer;
use crate::place::{Place, wait_for};

const BEFORE: &str = "v1.35.8+k3s1";

/// Pods on both agents, of which one may be missing at a time.
const WORKLOAD: &str = "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: held}
spec: {minAvailable: 1, selector: {matchLabels: {app: held}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: held}
spec:
  replicas: 2
  selector: {matchLabels: {app: held}}
  template:
    metadata: {labels: {app: held}}
    spec:
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [m4, m5]}]}]
      containers: [{name: pause, image: pause}]
";

/// Writes objects one after the other until `stop`, each by the first server that takes it, and returns how many.
fn write_until(servers: &[&Machine], stop: &AtomicBool) -> usize {
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let line = format!(
            "k3s kubectl --request-timeout=10s create configmap written-{written} --from-literal=n={written} 2>&1 || true"
        );
        let is_taken = |machine: &&Machine| {
            let said = machine.succeed(&line);
            said.contains("created") || said.contains("AlreadyExists")
        };
        written += usize::from(servers.iter().any(is_taken));
    }
    written
}

/// Ends the writer when it goes.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_cluster_is_upgraded_under_its_clients_and_the_first_failure_ends_it() {
    let place = Place::up(3, 2);
    let [m1, m2, m3] = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let servers = [m1, m2, m3];
    let addresses = servers.map(|machine| machine.address().to_string());
    let after = "v1.36.2+k3s1";
    let mirror = Mirror::release_on(
        place.lab.gateway().into(),
        &place.lab.release_of(BEFORE).unwrap(),
    )
    .unwrap();
    let inventory = place
        .inventory()
        .cluster("binary", &format!("{{mirror: \"{}\"}}", mirror.url()))
        .cluster("version", BEFORE);
    place.deploy(&inventory).ends(0);
    m1.succeed(&format!(
        "k3s kubectl apply -f - <<'END'\n{WORKLOAD}\nEND\n"
    ));
    wait_for("pods on the agents", || {
        let pods = m1.succeed("k3s kubectl get pods -l app=held");
        (pods.matches("Running").count() == 2).then_some(())
    });
    m1.succeed("k3s kubectl cordon m3 && kubectl label node m3 kept=yes");
    mirror
        .publish(&place.lab.release_of(after).unwrap())
        .unwrap();

    // What is not done, and is not begun.
    place
        .towline("deploy", &inventory.clone().cluster("version", after))
        .run()
        .ends(2)
        .says(&[
            "an upgrade is a command of its own",
            "towline upgrade -i inventory.yaml --plan",
        ]);
    place
        .towline("upgrade", &inventory)
        .args("--to v1.34.1+k3s1")
        .run()
        .ends(2)
        .says(&["v1.34.1+k3s1 is older than what runs"]);
    let plan = place.towline("upgrade", &inventory);
    let plan = plan.args("--plan").arg("--to").arg(after).run().ends(0);
    plan.says(&[
        "take a snapshot of etcd",
        "cordon the node m1 and move its pods",
    ]);
    assert!(inventory.to_string() == fs::read_to_string(place.file("inventory.yaml")).unwrap());

    // To the next minor version; killed after the first server, and run again.
    let api = place.api();
    let stop = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let writer = scope.spawn(|| write_until(&servers, &stop));
        // Also where this thread panics.
        let _stopped = Stop(&stop);
        never_without_an_answer(&api, &addresses, || {
            let upgrade = place.towline("upgrade", &inventory).arg("--to").arg(after);
            let mut running = upgrade.args("--output json").start();
            running.tells("the next server", |event| {
                event["event"] == "entered"
                    && event["host"] == "m2"
                    && event["stage"] == "servers of the cluster"
            });
            running.kill();
            let said = fs::read_to_string(place.file("inventory.yaml")).unwrap();
            assert!(said.contains(&format!("version: {after}")), "{said}");
            let again = place.json("upgrade", &inventory.clone().cluster("version", after));
            again.ends(0);
        });
        drop(Stop(&stop));
        writer.join().unwrap()
    });
    let inventory = inventory.cluster("version", after);
    let there = m1.succeed("k3s kubectl get configmaps -o name | grep -c /written-");
    assert!(
        there.trim().parse::<usize>().unwrap() >= written && written > 5,
        "{there} of {written}"
    );
    let nodes = m1.succeed(
        "k3s kubectl get nodes -o 'jsonpath={range .items[*]}{.metadata.name} {.status.nodeInfo.kubeletVersion} {.spec.unschedulable} {.metadata.labels.towline/cordoned}{\"\\n\"}{end}'",
    );
    let expected = ["m1", "m2", "m3", "m4", "m5"].map(|name| {
        let cordoned = if name == "m3" { "true" } else { "" };
        format!("{name} {after} {cordoned} \n")
    });
    assert_eq!(nodes, expected.concat());
    m1.succeed("ls /var/lib/rancher/k3s/server/db/snapshots/before-*");
    let here = fs::read_dir(place.file("")).unwrap();
    let here = here.map(|file| file.unwrap().file_name().into_string().unwrap());
    let saved = here.filter(|name| name.starts_with("demo-before-"));
    // The snapshot and what is known of it, once, though the run was killed.
    assert_eq!(saved.count(), 2);
    for name in ["m1", "m2", "m3", "m4", "m5"] {
        place.machine(name).succeed(&format!(
            "mkdir /run/old && cp /usr/local/bin/k3s.previous /run/old/k3s &&
             /run/old/k3s --version | grep -F 'k3s version {BEFORE} ' &&
             rm -r /run/old && [ ! -e /usr/local/bin/k3s.next ] &&
             journalctl --no-pager --output cat --unit {} | grep -c '^Stopping ' | grep -x 1",
            if name < "m4" { "k3s" } else { "k3s-agent" }
        ));
    }
    place.json("upgrade", &inventory).ends(0).changed_nothing();
    place.deploy(&inventory).ends(0).changed_nothing();

    // A budget that allows nothing: the servers are done, the first agent is not, and no other is begun.
    m1.succeed("k3s kubectl patch pdb held --type merge -p '{\"spec\": {\"minAvailable\": 2}}'");
    let next = "v1.36.9+k3s1";
    mirror
        .publish(&place.lab.release_of(next).unwrap())
        .unwrap();
    let inventory = inventory.cluster("version", next);
    let held = place.towline("upgrade", &inventory);
    let held = held.args("--drain always --drain-timeout 10").run().ends(1);
    held.says(&["a PodDisruptionBudget does not allow it (default/held)"]);
    let cordoned = m1.succeed(
        "k3s kubectl get nodes -o 'jsonpath={.items[?(@.spec.unschedulable==true)].metadata.name}'",
    );
    assert_eq!(cordoned, "m3");
    let runs = m1.succeed("k3s kubectl get nodes -o 'jsonpath={range .items[*]}{.status.nodeInfo.kubeletVersion}{\"\\n\"}{end}'");
    assert_eq!(runs.matches(next).count(), 3, "{runs}");
    // A patch needs no drain.
    place.json("upgrade", &inventory).ends(0);
    place.json("upgrade", &inventory).ends(0).changed_nothing();

    // A release that does not run: the first server is not READY, and nothing else is touched.
    let broken = "v1.36.10+k3s1";
    mirror
        .publish(&place.lab.broken_release(broken).unwrap())
        .unwrap();
    let bad = inventory.clone().cluster("version", broken);
    let failed = place.towline("upgrade", &bad).run().ends(1);
    failed.says(&[
        &format!("to put {next} back on it"),
        "mv /usr/local/bin/k3s.previous /usr/local/bin/k3s",
    ]);
    let back = failed.stdout.lines().chain(failed.stderr.lines());
    let back = back
        .map(str::trim)
        .find(|line| line.contains("mv /usr/local/bin/k3s.previous"));
    let back = back.unwrap().trim_start_matches("m1# ").to_owned();
    m1.succeed(&back);
    m1.succeed("rm -f /usr/local/bin/k3s.next");
    place.deploy(&inventory).ends(0);
    place.kept_its_secrets();
}
