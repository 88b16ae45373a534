//! What the kubelet of newer versions needs on cgroup v1.

use super::effective::{effective_config, told};
use crate::distribution::Settings;
use crate::distribution::version::Version;
use crate::facts::Facts;
use crate::inventory::Host;
use crate::problem::{Code, Problem, problem};

/// The kubelet of Kubernetes 1.35 and later refuses to start on cgroup v1 unless told to; `config` is
/// what the host's config.yaml would say.
pub(super) fn cgroup_v1(
    host: &Host,
    facts: &Facts,
    config: &Settings,
    version: &str,
) -> Option<Problem> {
    if facts.cgroup != 1 || !refuses(version) {
        return None;
    }
    let allows = |told: Result<Settings, String>| {
        let told = told.unwrap_or_default();
        told.get("kubelet-arg")
            .is_some_and(|arguments| arguments.to_string().contains("fail-cgroupv1=false"))
    };
    // One that has joined was told, wherever; but an older one did not have to be.
    let has_to = facts.node.joined && facts.node.version.as_deref().is_none_or(refuses);
    let was_told_elsewhere = has_to && !allows(effective_config(facts));
    if was_told_elsewhere || allows(told(facts, config)) {
        return None;
    }
    Some(
        problem!(Code::CGROUP_V1, host = &host.name, "its kernel runs cgroup v1, and the kubelet of {version} refuses that")
            .next("boot it with systemd.unified_cgroup_hierarchy=1, or set for servers (config) and agents (agent_config)").inventory("kubelet-arg: [fail-cgroupv1=false]"),
    )
}

/// Whether the kubelet of this version needs a setting to start on cgroup v1.
fn refuses(version: &str) -> bool {
    let version = version.parse::<Version>();
    version.is_ok_and(|version| (version.major, version.minor) >= (1, 35))
}
