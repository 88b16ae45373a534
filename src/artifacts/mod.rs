//! Files that are fetched for hosts: HTTP, the cache on this machine, hashes, and the processor that a
//! program is for. What a project's releases are called and where they lie is given as [`Releases`].

mod architecture;
pub mod cache;
pub mod fetch;
mod http;
mod local;
pub mod manifest;
pub mod releases;
mod saved;

pub use architecture::Architecture;
pub use fetch::Fetch;
pub use http::Proxy;
pub use local::{BinaryArtifact, Download, local, sha256_of};
pub use releases::Releases;
pub use saved::{Saved, saved, unpack};
