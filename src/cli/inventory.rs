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
        /// The inventory file, or - for standard input; repeatable, a later one lies over the others
        #[arg(short, long, value_name = "FILE", required = true, value_parser = path())]
        inventory: Vec<PathBuf>,
    },
}
