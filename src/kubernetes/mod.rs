//! Kubernetes as its clients see it: the kubeconfig, and the API reached from outside.

pub mod kubeconfig;
pub mod users;
pub mod verify;

/// Seconds since 1970 of a time as Kubernetes writes it (RFC 3339).
pub fn seconds(time: &str) -> Option<u64> {
    let time: k8s_openapi::jiff::Timestamp = time.parse().ok()?;
    time.as_second().try_into().ok()
}

/// Whether a node is not Ready for this reason alone: no network plug-in (CNI) runs on it. `message` is
/// that of its condition `Ready`. A kubelet writes a list in brackets where there are more reasons
/// (Kubernetes 1.36, pkg/kubelet/nodestatus/setters.go).
pub fn lacks_network(message: &str) -> bool {
    message.starts_with("container runtime network not ready: ")
}
