//! k3s: one binary that is a whole Kubernetes.

use super::Distribution;

pub mod arguments;
pub mod causes;
pub mod flags;
pub mod journal;
pub mod network;
mod questions;
mod release;
pub mod settings;
pub mod token;
pub mod version;

/// What is known of k3s.
pub static DISTRIBUTION: Distribution = Distribution {
    name: "k3s",
    questions: questions::QUESTIONS,
    releases: release::RELEASES,
    api_port: settings::API_PORT,
};
