//! Nodes that leave a cluster with pods on them.

use crate::place::{Place, wait_for};
use crate::towline::Answer;

/// Pods of two kinds on m2: one that may go, and six that a budget holds.
const WORKLOADS: &str = "
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: held}
spec: {minAvailable: 6, selector: {matchLabels: {app: held}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: held}
spec:
  replicas: 6
  selector: {matchLabels: {app: held}}
  template:
    metadata: {labels: {app: held}}
    spec:
      nodeSelector: {kubernetes.io/hostname: m2}
      containers: [{name: pause, image: pause}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: free}
spec:
  replicas: 1
  selector: {matchLabels: {app: free}}
  template:
    metadata: {labels: {app: free}}
    spec:
      nodeSelector: {kubernetes.io/hostname: m2}
      containers: [{name: pause, image: pause}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: everywhere}
spec:
  selector: {matchLabels: {app: everywhere}}
  template:
    metadata: {labels: {app: everywhere}}
    spec: {containers: [{name: pause, image: pause}]}
";

/// What is noted about a node that was drained; nothing where there is no such note.
fn note(reset: &Answer) -> Option<String> {
    let lines = reset.stdout.lines();
    let mut notes = lines.filter(|line| line.starts_with("note: m1: drain m2"));
    notes.next().map(str::to_owned)
}

#[test]
fn pods_that_a_budget_holds_are_named_and_their_node_is_removed_all_the_same() {
    let place = Place::up(1, 1);
    let inventory = place.inventory();
    place.deploy(&inventory).ends(0);
    let (m1, m2) = (place.machine("m1"), place.machine("m2"));
    let apply = || {
        m1.succeed(&format!(
            "k3s kubectl apply -f - <<'END'\n{WORKLOADS}\nEND\n"
        ));
        wait_for("pods on m2", || {
            let pods = m1.succeed("k3s kubectl get pods -o wide --field-selector spec.nodeName=m2");
            (pods.matches("Running").count() == 8).then_some(())
        });
    };
    let reset = || {
        let reset = place.towline("reset", &inventory);
        let reset = reset.args("--yes --limit m2").run().ends(0);
        m2.succeed(
            "! ls -d /var/lib/rancher/* /etc/rancher /usr/local/bin/k3s 2>/dev/null | grep .",
        );
        let address = m1.address().to_string();
        place.api().expect_summary(&address, "m1 agent");
        reset
    };

    apply();
    let held = m1.succeed(
        "k3s kubectl get pods -l app=held -o 'jsonpath={range .items[*]}default/{.metadata.name}{\"\\n\"}{end}'",
    );
    let names: Vec<_> = held.lines().take(5).collect();
    assert_eq!(
        note(&reset()).unwrap(),
        format!(
            "note: m1: drain m2: only partly done, continuing: tried for 60 s, where a \
             PodDisruptionBudget does not allow it; these pods stay and end with the node: {} and 1 more",
            names.join(", ")
        )
    );

    // Without the budget all of them go, and nothing is to be said.
    m1.succeed("k3s kubectl delete deployment,daemonset,pod --all --force");
    place.deploy(&inventory).ends(0);
    apply();
    m1.succeed("k3s kubectl delete pdb held");
    assert_eq!(note(&reset()), None);
}
