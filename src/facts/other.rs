//! Other distributions of Kubernetes, as far as a host has to be left alone for them.

/// Another Kubernetes, by the unit in which its kubelet runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherKubernetes {
    /// The unit.
    pub unit: &'static str,
    /// What runs in it.
    pub name: &'static str,
    /// What removes it.
    pub removal: &'static str,
}

/// Unit, name, removal.
const KNOWN: [(&str, &str, &str); 8] = [
    (
        "kubelet.service",
        "a Kubernetes of kubeadm or kubespray",
        "kubeadm reset",
    ),
    ("k0scontroller.service", "k0s", "k0s stop && k0s reset"),
    ("k0sworker.service", "k0s", "k0s stop && k0s reset"),
    ("k3s.service", "k3s", "k3s-uninstall.sh"),
    ("k3s-agent.service", "k3s", "k3s-agent-uninstall.sh"),
    ("rke2-server.service", "RKE2", "rke2-uninstall.sh"),
    ("rke2-agent.service", "RKE2", "rke2-uninstall.sh"),
    (
        "snap.microk8s.daemon-kubelite.service",
        "MicroK8s",
        "snap remove microk8s",
    ),
];

impl OtherKubernetes {
    /// The units of all that are known.
    pub(super) fn units() -> String {
        KNOWN.map(|(unit, ..)| unit).join(" ")
    }

    /// The one that runs in this unit.
    pub fn of(unit: &str) -> Option<Self> {
        let (unit, name, removal) = KNOWN.into_iter().find(|(own, ..)| *own == unit)?;
        Some(Self {
            unit,
            name,
            removal,
        })
    }
}
