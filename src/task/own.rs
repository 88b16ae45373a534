//! An agent's own node, which shows that the agent has missed the moment at which it says READY.
//!
//! A k3s agent that was started while the first server was still beginning to give nodes their range
//! of pod addresses can miss that moment (k3s 1.36, seen in 5 of 20 new clusters): its node is Ready,
//! and the unit stays `activating` until the kubelet's next report, five minutes later. One more start
//! mostly cures it (on a machine whose cores were five times overloaded, three of six; so it is tried
//! again).

use crate::shell::{Reply, quote};

/// The node of an agent, and what its kubelet asks for it with.
#[derive(Debug, Clone)]
pub struct Own {
    /// The node's name.
    pub node: String,
    /// The kubelet's kubeconfig on the host.
    pub kubeconfig: String,
}

/// After so many seconds: an agent is READY within one after its node.
pub(super) const MISSED: f64 = 20.0;

impl Own {
    /// Shell text that says when the kubelet reported the node Ready, where a unit has been starting
    /// for so long that it can matter: on a small machine each of these costs a second.
    pub(super) fn probe(&self, unit: &str) -> String {
        let (unit, kubeconfig) = (quote(unit), quote(&self.kubeconfig));
        let node = quote(&self.node);
        format!(
            "started=$(systemctl show -p ExecMainStartTimestampMonotonic --value {unit})\n\
             if [ \"$(systemctl show -p SubState --value {unit})\" = start ] && [ -s {kubeconfig} ] &&\n\
             [ $(($(cut -d . -f 1 /proc/uptime) - ${{started:-0}} / 1000000)) -ge {MISSED} ]; then\n\
             ready=$(/usr/local/bin/k3s kubectl --kubeconfig {kubeconfig} --request-timeout=5s get node {node} -o \
             'jsonpath={{range .status.conditions[?(@.type==\"Ready\")]}}{{.status}} {{.lastHeartbeatTime}}{{end}}' 2>/dev/null)\n\
             case $ready in 'True '*) printf 'ready=%s\\n' \"$(date -d \"${{ready#True }}\" +%s)\" ;; esac\nfi\n"
        )
    }
}

/// Whether the kubelet of this very process has reported its node Ready, and nothing of it has
/// changed since.
pub(super) fn missed_its_ready(seen: &Reply) -> bool {
    let age = number(seen, "now").zip(number(seen, "ready"));
    age.zip(process_age(seen))
        .is_some_and(|((now, ready), process)| {
            let age = now - ready;
            // The report is dated in whole seconds.
            age >= MISSED && age <= process + 1.0
        })
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
