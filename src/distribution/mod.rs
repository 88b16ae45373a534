//! What is particular to a Kubernetes distribution: where its binary comes from, where it keeps
//! its files, how it writes its tokens and versions.

pub mod k3s;
