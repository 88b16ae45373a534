//! What is particular to a Kubernetes distribution: where its binary comes from, where it keeps
//! its files, how it writes its tokens and versions.

pub mod architecture;
pub mod cache;
pub mod download;
pub mod k3s;
pub mod local;

pub use architecture::Architecture;
pub use local::{BinaryArtifact, Download};
