//! The command line: these comments are the help texts. The only reader of the environment.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

mod cluster;
mod environment;
mod inventory;
mod single;
mod snapshot;
mod trust;
mod upgrade;
mod users;

pub use cluster::{
    DeployArguments, KubeconfigArguments, KubeconfigFile, PlanArguments, ResetArguments,
};
pub use environment::Environment;
pub use inventory::{
    ClusterArguments, Conversion, InitArguments, InventoryCommand, InventoryFiles,
};
pub use single::{
    Address, Destination, GetConfigArguments, InstallArguments, JoinArguments, Kubernetes, Login,
    NodeArguments, NodeTokenArguments, ReadyArguments, Release,
};
pub use snapshot::{RecoverArguments, RestoreArguments, SnapshotCommand, SnapshotTarget};
pub use trust::TrustArguments;
pub use upgrade::{AtOnce, DrainPolicy, UpgradeArguments};
pub use users::{AdminArguments, NewUserArguments, UserCommand};

/// Turns bare Linux machines into a Kubernetes cluster over SSH.
#[derive(Debug, Parser)]
#[command(name = "towline", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Output format
    #[arg(long, global = true, value_enum, default_value_t = Output::Plain, display_order = 1000)]
    pub output: Output,

    /// Show the scripts that are sent (-v), their answers (-vv), and the log (-vvv). For a plan: long
    /// diffs in full (-v), scripts (-vv), answers and the log (-vvv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet", display_order = 1001)]
    pub verbose: u8,

    /// Show only failures and the final result
    #[arg(short, long, global = true, display_order = 1002)]
    pub quiet: bool,

    /// Append a diagnostic log to this file, for bug reports
    #[arg(long, global = true, value_name = "FILE", value_parser = path(), hide_short_help = true, display_order = 1003)]
    pub log_file: Option<PathBuf>,
}

impl Cli {
    /// Reads the command line.
    ///
    /// # Errors
    /// What is wrong with it, or the help that it asks for; and how to tell it.
    pub fn read() -> Result<Self, (clap::Error, Output)> {
        let words: Vec<_> = env::args_os().collect();
        Self::try_parse_from(&words).map_err(|error| (error, Output::of(&words)))
    }
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Plain text
    Plain,
    /// One JSON object per line
    Json,
}

impl Output {
    /// What is asked for by words that may not be understood.
    pub fn of(words: &[OsString]) -> Self {
        let is_json = words.iter().any(|word| word == "--output=json")
            || words.windows(2).any(|pair| pair == ["--output", "json"]);
        if is_json { Self::Json } else { Self::Plain }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create or update the cluster of an inventory
    ///
    /// Changes only what differs from the inventory; a second run changes nothing. Exit status: 0
    /// when every host is as the inventory says; 1 when a host failed or was unreachable; 2 when the
    /// inventory or the state of the hosts was refused and nothing was changed.
    Deploy(DeployArguments),

    /// Install the first server of a cluster on one host, and fetch its kubeconfig
    ///
    /// The flags are k3sup's and mean the same, unless their help says otherwise.
    Install(Box<InstallArguments>),

    /// Join one host to a cluster, as an agent or, with --server, as a server
    ///
    /// The token and the settings that all servers must share are read from the given server, which is
    /// not changed. The flags are k3sup's and mean the same, unless their help says otherwise.
    Join(Box<JoinArguments>),

    /// Show what a deploy would change, without changing anything
    Plan(PlanArguments),

    /// Bring a cluster that runs to another version
    ///
    /// To the inventory's version, or to that of --to. A snapshot of etcd is taken first, the new release is brought
    /// beside the old one everywhere, servers are restarted one by one while the others answer, then agents. The first
    /// failure ends it: no further host is changed. Run it again to go on. Whatever else differs from the inventory is
    /// changed with it, as by a deploy.
    Upgrade(Box<UpgradeArguments>),

    /// Take, list, fetch and delete snapshots of a cluster's data
    ///
    /// docs/backup.md says what is in them, and how a cluster is restored from one.
    Snapshot {
        /// What to do
        #[command(subcommand)]
        what: Box<SnapshotCommand>,
    },

    /// Go on with what one server still has, after most servers are lost for good
    ///
    /// etcd stands still when half of its members or more are gone. If they come back, it goes on by itself; this is for
    /// machines that never will. Take them out of the inventory first. What remains becomes a cluster with the data of
    /// one server, as k3s's --cluster-reset makes it; the other servers of the inventory join it anew.
    Recover(Box<RecoverArguments>),

    /// Remove the cluster and its data from the hosts of an inventory
    ///
    /// Shows the plan and asks for the cluster's name before it begins. With --limit, the nodes are
    /// drained and deleted, and the rest of the cluster keeps running. docs/reset.md lists what is
    /// removed and what is kept. A second reset changes nothing.
    Reset(ResetArguments),

    /// Fetch the cluster's kubeconfig and test it
    ///
    /// Without an inventory, use `towline get-config`.
    Kubeconfig(KubeconfigArguments),

    /// Fetch the kubeconfig of one server, without an inventory
    GetConfig(GetConfigArguments),

    /// Print a token that agents (or, with --server, servers) join a cluster with
    ///
    /// k3s keeps one, which is read. k0s has none that lasts: one is made that is valid for an hour.
    NodeToken(NodeTokenArguments),

    /// Make, list or delete users of a cluster
    User {
        /// What to do
        #[command(subcommand)]
        what: UserCommand,
    },

    /// Wait until all nodes of a cluster are Ready
    Ready(ReadyArguments),

    /// Show the host keys of all hosts of an inventory, and record them in `known_hosts`
    ///
    /// Asks on a terminal which of those that are not known are right. Logs in to bastions only. Exit
    /// status: 0 when the keys of all hosts are known.
    Trust(TrustArguments),

    /// Check, show, create or convert an inventory
    Inventory {
        /// What to do
        #[command(subcommand)]
        what: InventoryCommand,
    },

    /// Print a JSON schema, for editors and scripts
    Schema {
        /// The schema to print
        #[arg(value_enum)]
        of: Schema,
    },

    /// List or clear the download cache
    Cache {
        /// What to do with it
        #[command(subcommand)]
        what: Cache,
    },

    /// Say what the code of an error means, and what to do
    ///
    /// Without a code, all of them are listed. docs/errors.md has the same pages.
    Explain {
        /// The code, as it stands behind `error`: host-key-unknown
        #[arg(value_name = "CODE")]
        codes: Vec<String>,
    },

    /// Print a completion script for a shell
    #[command(alias = "completion")]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },

    /// Print the version, as --version does
    #[command(hide = true)]
    Version,

    /// Answered with the command that does it here
    #[command(hide = true, disable_help_flag = true)]
    Uninstall {
        /// Whatever was typed behind it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<OsString>,
    },
}

/// What to do with fetched files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Cache {
    /// List the cached files: version, architecture, size
    List,
    /// Remove all cached files; they are downloaded again when needed
    Clean,
}

/// A path in which `~/` is the home also where the shell has left it: in quotes, and behind `=`.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| at_home(path, env::var_os("HOME").as_deref()))
}

fn at_home(path: PathBuf, home: Option<&OsStr>) -> PathBuf {
    match (path.strip_prefix("~"), home) {
        (Ok(rest), Some(home)) if !home.is_empty() => Path::new(home).join(rest),
        _ => path,
    }
}

/// What there is a schema of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Schema {
    /// The inventory file
    Inventory,
    /// The events of --output json
    Events,
}

/// An inventory, and how to reach its hosts.
#[derive(Debug, Clone, Args)]
pub struct InventoryArguments {
    /// The files.
    #[command(flatten)]
    pub files: InventoryFiles,

    /// How to reach them.
    #[command(flatten)]
    pub hosts: HostsArguments,
}

/// Which hosts of an inventory, and how to reach them.
#[derive(Debug, Clone, Args)]
pub struct HostsArguments {
    /// Only these: hosts, groups, `servers`, `agents`, globs, separated by commas; `!` excludes.
    /// The other hosts are still read
    #[arg(long, value_name = "HOSTS")]
    pub limit: Option<String>,

    /// Maximum number of hosts at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub parallel: u16,

    /// User to log in as
    #[arg(long, value_name = "USER")]
    pub ssh_user: Option<String>,

    /// Port of sshd
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub ssh_port: Option<u16>,

    /// Private key to try first; repeatable
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub ssh_key: Vec<PathBuf>,

    /// File with trusted host keys, instead of `~/.ssh/known_hosts`
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub known_hosts: Option<PathBuf>,

    /// Trust the keys of new hosts and add them to `known_hosts`; a changed key is still refused
    #[arg(long)]
    pub accept_new_host_keys: bool,

    /// Ask once for the password to log in with, for hosts that take no key
    #[arg(short = 'k', long, hide_short_help = true)]
    pub ask_pass: bool,

    /// Ask once for the password that sudo wants on the hosts
    #[arg(short = 'K', long)]
    pub ask_become_pass: bool,

    /// What ssh's configuration says of them.
    #[command(flatten)]
    pub ssh: SshConfiguration,

    /// Folder with playbooks/ and templates/ that replace towline's files of the same name
    #[arg(long, value_name = "FOLDER", value_parser = path())]
    pub overrides: Option<PathBuf>,
}

/// The way to hosts, as the flags of ssh name it.
#[derive(Debug, Clone, Default, Args)]
pub struct SshConfiguration {
    /// Connect through these hosts, as with ssh's -J
    ///
    /// The nearest first, separated by commas: `[USER@]HOST[:PORT]`, or hosts of the inventory.
    #[arg(short = 'J', long, value_name = "HOSTS", value_delimiter = ',')]
    pub bastion: Vec<String>,

    /// Configuration file of ssh, instead of `~/.ssh/config` and `/etc/ssh/ssh_config`
    #[arg(short = 'F', long, value_name = "FILE", value_parser = path(), hide_short_help = true)]
    pub ssh_config: Option<PathBuf>,

    /// Do not read the configuration of ssh
    #[arg(long, conflicts_with = "ssh_config", hide_short_help = true)]
    pub no_ssh_config: bool,
}

#[cfg(test)]
mod tests;
