//! Kubernetes as its clients see it: the kubeconfig, and the API reached from outside.

pub mod kubeconfig;
pub mod verify;
