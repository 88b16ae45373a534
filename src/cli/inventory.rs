//! The command line of `towline inventory`.

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args, Subcommand};

use super::{InventoryFiles, path};

/// What to do with inventories.
#[derive(Debug, Clone, Subcommand)]
pub enum InventoryCommand {
    /// Check an inventory without connecting to its hosts
    ///
    /// All mistakes are shown at once, with their lines; then the status is 2.
    Check {
        /// The files.
        #[command(flatten)]
        files: InventoryFiles,
    },

    /// Make an inventory of Vagrant's machines, or bring one up to date
    ///
    /// Asks `vagrant status` and `vagrant ssh-config`, and then the machines that run. Host keys are
    /// taken as the machines show them on the way that Vagrant itself goes, and pinned. Run again, it
    /// changes addresses, ports, keys and machines, and leaves all other lines as they are.
    FromVagrant {
        /// The folder in which `vagrant` is run [default: this one]
        #[arg(value_name = "DIR", value_parser = path())]
        folder: Option<PathBuf>,

        /// Where the inventory goes [default: inventory.yaml in DIR]
        #[arg(short, long, value_name = "FILE", value_parser = output_file())]
        output_file: Option<PathBuf>,

        /// Exactly this version, such as v1.36.3+k3s1
        #[arg(long, value_name = "VERSION")]
        k3s_version: Option<String>,
    },

    /// Make an inventory of machines that are there
    ///
    /// Asks on a terminal for what it needs to know; with --servers, nothing is asked and nothing is
    /// connected to. Writes a file with comments, and over none that is there.
    Init(InitArguments),

    /// Show what a host gets, and where each value comes from
    ///
    /// Reads no host. Of several hosts, one line each; secrets are masked.
    Show {
        /// The files.
        #[command(flatten)]
        files: InventoryFiles,

        /// The host; without it, all of them
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
    },

    /// Make an inventory of an Ansible inventory
    ///
    /// Takes INI and YAML, with the variables of groups and hosts in folders beside the file: hosts,
    /// how to reach them, roles, labels, taints and flags of k3s, by the groups and variables of
    /// k3s-ansible, the role xanmanning.k3s and kubespray. What cannot be carried over is listed with
    /// its line.
    FromAnsible {
        /// From which file to which.
        #[command(flatten)]
        what: Conversion,
    },
    /// Make an inventory of a file of k0sctl
    ///
    /// Takes the machines and how to reach them. k0s itself is not carried over: k3s is another
    /// distribution. What cannot be carried over is listed with its line.
    FromK0sctl {
        /// From which file to which.
        #[command(flatten)]
        what: Conversion,
    },
    /// Make an inventory of the JSON list of hosts that `k3sup plan` takes
    FromK3sup {
        /// From which file to which.
        #[command(flatten)]
        what: Conversion,
        /// How many of the hosts are servers, from the first on
        #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
        servers: u16,
    },
}

/// From which file to which.
#[derive(Debug, Clone, clap::Args)]
pub struct Conversion {
    /// The file to read; it stays as it is
    #[arg(value_name = "FILE", value_parser = path())]
    pub file: PathBuf,
    /// Write the inventory to this new file, in place of standard output
    #[arg(short, long, value_name = "FILE", value_parser = output_file())]
    pub output_file: Option<PathBuf>,
}

/// What `towline inventory init` needs to know.
#[derive(Debug, Clone, Args)]
pub struct InitArguments {
    /// Addresses of the servers, with commas: one, or for high availability three or five
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
    pub servers: Vec<String>,

    /// Addresses of the agents, with commas
    #[arg(
        long,
        value_name = "ADDRESSES",
        value_delimiter = ',',
        requires = "servers"
    )]
    pub agents: Vec<String>,

    /// User to log in as [default: root]
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,

    /// Private key to offer first
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub ssh_key: Option<PathBuf>,

    /// Name of the cluster [default: the folder's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Where the inventory goes [default: inventory.yaml]
    #[arg(short, long, value_name = "FILE", value_parser = output_file())]
    pub output_file: Option<PathBuf>,
}

/// A file that is written. `-` would be one of that name.
fn output_file() -> impl TypedValueParser<Value = PathBuf> {
    path().try_map(|path| match path.to_str() {
        Some("-") => Err("a file is needed here; `from-ansible`, `from-k0sctl` and `from-k3sup` write to standard output without this flag"),
        _ => Ok(path),
    })
}
