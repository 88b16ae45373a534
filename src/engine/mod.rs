//! From an inventory to hosts that are as it says: connect, ask, look up, decide, run, and what follows.

mod artifacts;
mod connect;
mod context;
pub mod deploy;
pub mod file;
pub mod interrupt;
pub mod kubeconfig;
pub mod plan;
mod refusal;
pub mod reset;
mod surroundings;
mod told;

pub use context::{Context, RunOptions, Survey};
pub use kubeconfig::Target;
pub use refusal::Refusal;
pub use surroundings::{absolute, can_ask, surroundings};
pub use told::{Ended, told};
