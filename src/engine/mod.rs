//! From an inventory to hosts that are as it says: connect, ask, look up, decide, run, and what follows.

mod artifacts;
mod connect;
mod context;
mod deploy;
mod execute;
pub mod file;
pub mod interrupt;
pub mod kubeconfig;
mod operation;
mod overrides;
mod preview;
mod ready;
mod refusal;
mod reset;
mod secrets;
mod ssh_config;
mod surroundings;
mod survey;
mod told;
mod trust;
mod upgrade;

pub use connect::RunOptions;
pub use context::Context;
pub use deploy::{Deploy, Deployment};
pub use execute::execute;
pub use kubeconfig::KubeconfigTarget;
pub use operation::Survey;
pub use preview::preview;
pub use ready::ready;
pub use refusal::Refusal;
pub use reset::Reset;
pub use ssh_config::{config_files, configure};
pub use surroundings::{absolute, can_ask, surroundings};
pub use told::{Conclusion, told};
pub use trust::{fingerprints, trust};
pub use upgrade::{Rewritten, Upgrade, version};
