//! k3s: one binary that is a whole Kubernetes.

pub mod arguments;
pub mod causes;
pub mod flags;
pub mod journal;
pub mod network;
pub mod release;
pub mod settings;
pub mod token;
pub mod version;
