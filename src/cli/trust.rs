//! The command line of `towline trust`.

use std::path::PathBuf;

use clap::Args;

use super::{InventoryArguments, path};

/// What `towline trust` needs to know.
#[derive(Debug, Clone, Args)]
pub struct TrustArguments {
    /// The inventory.
    #[command(flatten)]
    pub inventory: InventoryArguments,

    /// Do not ask: record the keys that this file lists, and no others
    ///
    /// Its lines are those of `ssh-keygen -l`, `ssh-keyscan` or `known_hosts`, or fingerprints `SHA256:…`. A
    /// host's name before a fingerprint makes it count for this host only.
    #[arg(long, value_name = "FILE", value_parser = path(), conflicts_with = "accept_new_host_keys")]
    pub fingerprints: Option<PathBuf>,
}
