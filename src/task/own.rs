//! An agent's own node, which shows that the agent has missed the report it says READY after.
//!
//! Before its READY a k3s agent starts its network policy controller, which looks at its node every two
//! seconds until a Ready condition that is True has a `lastHeartbeatTime` not before the second in which
//! it began to look, and until the cloud provider's taint is gone (k3s 1.36, pkg/agent/netpol/netpol.go
//! `Run`, called by `startNetwork` in pkg/agent/run.go). On a busy machine the kubelet of a new node has
//! reported Ready in an earlier second. A kubelet reports again when its node's status is not as it
//! last said it, which it looks at every 10 s, and else after 2.5 to 7.5 minutes
//! (`tryUpdateNodeStatus` in `kubelet_node_status.go`). So it is made to: the condition's message is changed
//! in its name. No time is made up, and the kubelet itself writes its message back.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Action, Change, Remedy};
use crate::kubernetes::lacks_network;
use crate::shell::{Reply, acting, quote};

/// The node of an agent, and what its kubelet asks for it with.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Own {
    /// The node's name.
    pub node: String,
    /// The kubelet's kubeconfig on the host.
    pub kubeconfig: String,
    /// Whether the unit is READY only once a network plug-in (CNI) runs that k3s does not bring, since
    /// its network policies wait for a Ready node (k3s 1.36, pkg/agent/netpol/netpol.go).
    #[serde(default)]
    pub awaits_network: bool,
}

/// After so many seconds: an agent is READY within two after the report that it waits for.
pub(super) const MISSED: f64 = 10.0;

/// What only another cloud provider than k3s's own takes away; until then the agent waits rightly.
const TAINT: &str = "node.cloudprovider.kubernetes.io/uninitialized";

impl Own {
    /// Shell text that says when the kubelet reported the node Ready, where a unit has been starting
    /// for so long that it can matter: on a small machine each of these costs a second.
    pub(super) fn probe(&self, unit: &str, kubectl: &str) -> String {
        let (unit, kubeconfig) = (quote(unit), quote(&self.kubeconfig));
        let node = quote(&self.node);
        let mut text = String::new();
        if self.awaits_network {
            let _ = writeln!(
                text,
                "if [ \"$(systemctl show -p SubState --value {unit})\" = start ] && [ -s {kubeconfig} ]; then\n\
                 told=$({kubectl} --kubeconfig {kubeconfig} --request-timeout=5s get node {node} -o \
                 'jsonpath={{range .status.conditions[?(@.type==\"Ready\")]}}{{.lastHeartbeatTime}} {{.status}} {{.reason}}: {{.message}}{{end}}' 2>/dev/null | head -n 1)\n\
                 [ -z \"$told\" ] || printf 'condition=%s\\nsaid=%s\\n' \"${{told#* }}\" \"$(date -d \"${{told%% *}}\" +%s)\"\nfi"
            );
        }
        let _ = writeln!(
            text,
            "started=$(systemctl show -p ExecMainStartTimestampMonotonic --value {unit})\n\
             if [ \"$(systemctl show -p SubState --value {unit})\" = start ] && [ -s {kubeconfig} ] &&\n\
             [ $(($(cut -d . -f 1 /proc/uptime) - ${{started:-0}} / 1000000)) -ge {MISSED} ]; then\n\
             ready=$({kubectl} --kubeconfig {kubeconfig} --request-timeout=5s get node {node} -o \
             'jsonpath={{range .status.conditions[?(@.type==\"Ready\")]}}{{.status}} {{.lastHeartbeatTime}}{{end}} {{.spec.taints[*].key}}' 2>/dev/null)\n\
             case $ready in *{TAINT}*) ;; 'True '*) ready=${{ready#True }}; printf 'ready=%s\\n' \"$(date -d \"${{ready%% *}}\" +%s)\" ;; esac\nfi"
        );
        text
    }

    /// Makes the kubelet report again. `kubectl patch` first reads the subresource that it changes, which
    /// a kubelet may not; the object is replaced instead, and only if nothing else has changed it.
    pub(super) fn report(&self, unit: &str, kubectl: &str, settle: Duration) -> Remedy {
        let (name, kubeconfig) = (&self.node, quote(&self.kubeconfig));
        let node = quote(name);
        let script = format!(
            "kubectl() {{ {kubectl} --kubeconfig {kubeconfig} --request-timeout=10s \"$@\"; }}\n\
             tries=3\n\
             until kubectl get node {node} -o json | sed 's/\"kubelet is posting ready status[^\"]*\"/\"to be reported again\"/' |\n\
             kubectl replace --raw /api/v1/nodes/{node}/status -f - >/dev/null; do\n\
             tries=$((tries - 1)); [ $tries -gt 0 ] || exit 1; sleep 1\ndone\n"
        );
        let what = format!(
            "have the kubelet report node {name} again: it has been Ready for {MISSED} s, and {unit} has not told systemd READY"
        );
        Remedy {
            changes: vec![Change::new(what)],
            actions: vec![Action::Run(acting(&script, Duration::from_mins(1)))],
            settle,
            restarts: false,
            follows: true,
        }
    }
}

/// Whether the unit is not READY for want of a network plug-in that k3s does not bring, as the kubelet
/// of this very process says.
pub(super) fn awaits_network(own: Option<&Own>, seen: &Reply) -> bool {
    let is_starting = (seen.value("ActiveState"), seen.value("SubState"));
    own.is_some_and(|own| own.awaits_network)
        && is_starting == (Some("activating"), Some("start"))
        && is_for_network(seen, "condition")
        && reported(seen, "said").is_some_and(|(age, process)| age <= process + 1.0)
}

/// Whether a condition `Ready` in the form `STATUS REASON: MESSAGE` is wrong for want of a network
/// plug-in alone.
pub(super) fn is_for_network(seen: &Reply, key: &str) -> bool {
    let message = seen.value(key).and_then(|told| {
        let (_, message) = told.strip_prefix("False ")?.split_once(": ")?;
        Some(message)
    });
    message.is_some_and(lacks_network)
}

/// Whether the kubelet of this very process has reported its node Ready, and nothing of it has
/// changed since.
pub(super) fn missed_its_ready(seen: &Reply) -> bool {
    reported(seen, "ready").is_some_and(|(age, process)| age >= MISSED && age <= process + 1.0)
}

/// How old a kubelet's report and the unit's process are, in seconds. A report is dated in whole ones.
fn reported(seen: &Reply, key: &str) -> Option<(f64, f64)> {
    let age = number(seen, "now")? - number(seen, key)?;
    Some((age, process_age(seen)?))
}

/// A number of the answer.
pub(super) fn number(seen: &Reply, key: &str) -> Option<f64> {
    seen.value(key)?.trim().parse().ok()
}

/// For how long the unit's process has been running, in seconds.
pub(super) fn process_age(seen: &Reply) -> Option<f64> {
    let (uptime, start) = (
        number(seen, "uptime")?,
        number(seen, "ExecMainStartTimestampMonotonic")?,
    );
    (start > 0.0).then_some(uptime - start / 1e6)
}
