//! The command line of `towline inventory`.

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args, Subcommand};

use super::{HostsArguments, InventoryArguments, SshConfiguration, path};

/// What to do with inventories.
#[derive(Debug, Clone, Subcommand)]
pub enum InventoryCommand {
    /// Check an inventory without connecting to its hosts
    ///
    /// Shows all mistakes at once, with file, line and column, and exits with status 2 if there are any.
    Check {
        /// The files.
        #[command(flatten)]
        files: InventoryFiles,
    },

    /// Create or update an inventory from Vagrant's machines
    ///
    /// Runs `vagrant status` and `vagrant ssh-config`, then connects to the running machines. Their host
    /// keys are read over Vagrant's own SSH connection and pinned. A second run updates addresses,
    /// ports, keys and machines, and keeps all other lines.
    FromVagrant {
        /// Folder to run `vagrant` in [default: the current folder]
        #[arg(value_name = "FOLDER", value_parser = path())]
        folder: Option<PathBuf>,

        /// Where to write the inventory [default: inventory.yaml in FOLDER]
        #[arg(short, long, value_name = "FILE", value_parser = output_file())]
        output_file: Option<PathBuf>,

        /// Version of k3s, such as v1.36.3+k3s1
        #[arg(long, value_name = "VERSION")]
        k3s_version: Option<String>,
    },

    /// Create a new inventory
    ///
    /// Asks for the values on a terminal; with --servers, it asks nothing and connects to nothing.
    /// Writes a commented file, and never overwrites an existing one.
    Init(InitArguments),

    /// Show the values of each host, and where they come from
    ///
    /// Connects to no host. Prints one line per host, or with --host all its values; secrets are masked.
    Show {
        /// The files.
        #[command(flatten)]
        files: InventoryFiles,

        /// What ssh's configuration says of the hosts.
        #[command(flatten)]
        ssh: SshConfiguration,

        /// The host to show [default: all of them]
        #[arg(long, value_name = "NAME")]
        host: Option<String>,
    },

    /// Convert an Ansible inventory
    ///
    /// Reads INI and YAML with `group_vars` and `host_vars`: hosts, SSH settings, roles, labels, taints and
    /// flags of k3s, as k3s-ansible, the role xanmanning.k3s and kubespray define them. What cannot be
    /// converted is listed with its line.
    FromAnsible {
        /// From which file to which.
        #[command(flatten)]
        what: Conversion,
    },
    /// Convert a file of k0sctl
    ///
    /// Writes an inventory of k0s: hosts, SSH settings, roles, flags, the version and k0s.yaml. What
    /// cannot be converted is listed with its line.
    FromK0sctl {
        /// From which file to which.
        #[command(flatten)]
        what: Conversion,
    },
    /// Convert the JSON list of hosts that `k3sup plan` reads
    FromK3sup {
        /// From which file to which.
        #[command(flatten)]
        what: Conversion,
        /// How many of the hosts are servers, counted from the first
        #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
        servers: u16,
    },
}

/// The files of an inventory.
#[derive(Debug, Clone, Args)]
pub struct InventoryFiles {
    /// Inventory file, or - for standard input; repeatable, later files override earlier ones
    #[arg(short, long, value_name = "FILE", required = true, value_parser = path())]
    pub inventory: Vec<PathBuf>,

    /// Refused: an inventory is named by its flag.
    #[arg(hide = true, trailing_var_arg = true, value_name = "ARGUMENT", value_parser = no_argument)]
    pub rest: Vec<String>,
}

/// An inventory, and how to reach its hosts, where arguments without a flag are something else.
#[derive(Debug, Clone, Args)]
pub struct ClusterArguments {
    /// Inventory file, or - for standard input; repeatable, later files override earlier ones
    #[arg(short, long, value_name = "FILE", required = true, value_parser = path())]
    pub inventory: Vec<PathBuf>,

    /// How to reach them.
    #[command(flatten)]
    pub hosts: HostsArguments,
}

impl From<ClusterArguments> for InventoryArguments {
    fn from(ClusterArguments { inventory, hosts }: ClusterArguments) -> Self {
        let files = InventoryFiles {
            inventory,
            rest: Vec::new(),
        };
        Self { files, hosts }
    }
}

/// What to type instead of an argument without a flag. k3sup's plan takes a list of hosts in JSON.
fn no_argument(text: &str) -> Result<String, String> {
    let ends = |ends: &[&str]| ends.iter().any(|end| text.ends_with(end));
    Err(if ends(&[".yaml", ".yml"]) {
        format!("write  -i {text}")
    } else if ends(&[".json"]) {
        format!(
            "first  towline inventory from-k3sup {text} -o inventory.yaml , then  -i inventory.yaml"
        )
    } else {
        "it belongs to no flag; an inventory is named with  -i FILE".to_owned()
    })
}

/// From which file to which.
#[derive(Debug, Clone, clap::Args)]
pub struct Conversion {
    /// File to convert; it is not changed
    #[arg(value_name = "FILE", value_parser = path())]
    pub file: PathBuf,
    /// New file for the inventory, instead of standard output
    #[arg(short, long, value_name = "FILE", value_parser = output_file())]
    pub output_file: Option<PathBuf>,
}

/// What `towline inventory init` needs to know.
#[derive(Debug, Clone, Args)]
pub struct InitArguments {
    /// Addresses of the servers, separated by commas: one, or three or five for high availability
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
    pub servers: Vec<String>,

    /// Addresses of the agents, separated by commas
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

    /// Private key to try first
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub ssh_key: Option<PathBuf>,

    /// Name of the cluster [default: the folder's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Where to write the inventory [default: inventory.yaml]
    #[arg(short, long, value_name = "FILE", value_parser = output_file())]
    pub output_file: Option<PathBuf>,
}

/// A file that is written. `-` would be one of that name.
pub(super) fn output_file() -> impl TypedValueParser<Value = PathBuf> {
    path().try_map(|path| match path.to_str() {
        Some("-") => Err("this flag needs a file; without it, `from-ansible`, `from-k0sctl` and `from-k3sup` write to standard output"),
        _ => Ok(path),
    })
}
