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

impl OtherKubernetes {
    const KNOWN: [Self; 6] = [
        Self::new(
            "kubelet.service",
            "a Kubernetes of kubeadm or kubespray",
            "kubeadm reset",
        ),
        Self::new("k0scontroller.service", "k0s", "k0s stop && k0s reset"),
        Self::new("k0sworker.service", "k0s", "k0s stop && k0s reset"),
        Self::new("rke2-server.service", "RKE2", "rke2-uninstall.sh"),
        Self::new("rke2-agent.service", "RKE2", "rke2-uninstall.sh"),
        Self::new(
            "snap.microk8s.daemon-kubelite.service",
            "MicroK8s",
            "snap remove microk8s",
        ),
    ];

    const fn new(unit: &'static str, name: &'static str, removal: &'static str) -> Self {
        Self {
            unit,
            name,
            removal,
        }
    }

    /// The units of all that are known.
    pub(super) fn units() -> String {
        Self::KNOWN.map(|known| known.unit).join(" ")
    }

    /// The one that runs in this unit.
    pub fn of(unit: &str) -> Option<Self> {
        Self::KNOWN.into_iter().find(|known| known.unit == unit)
    }
}
