//! The command line of `towline inventory`.

use std::path::PathBuf;

use clap::Subcommand;

use super::path;

/// What to do with inventories.
#[derive(Debug, Clone, Subcommand)]
pub enum InventoryCommand {
    /// Check an inventory without connecting to its hosts
    ///
    /// All mistakes are shown at once, with their lines; then the status is 2.
    Check {
        /// The inventory file
        #[arg(short, long, value_name = "FILE", value_parser = path())]
        inventory: PathBuf,
    },
}
