//! The command line: these comments are the help texts. The only reader of the environment.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

mod environment;
mod inventory;
mod single;

pub use environment::Environment;
pub use inventory::{Conversion, InitArguments, InventoryCommand};
pub use single::{
    Address, Destination, GetConfigArguments, InstallArguments, JoinArguments, Login,
    NodeArguments, NodeTokenArguments, ReadyArguments, Release,
};

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

    /// Show what is sent to the hosts; twice: and what they answer; -vvv: and the log. Of a plan,
    /// first its long differences to their end
    #[arg(short, long, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet", display_order = 1001)]
    pub verbose: u8,

    /// Show only failures and the end
    #[arg(short, long, global = true, display_order = 1002)]
    pub quiet: bool,

    /// Append a log for reports of faults to this file: how long what took on which host
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
    /// Lines for people
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
    /// Make the machines of an inventory a cluster, or keep them one
    ///
    /// Changes only what is not as the inventory says; a second run changes nothing. Ends with
    /// status 0 when every host is as it should be, 1 when a host failed or was not reached, 2 when
    /// the inventory or what the hosts say was refused and nothing was touched.
    Deploy(DeployArguments),

    /// Make one machine a k3s server, and bring its kubeconfig back
    ///
    /// The flags are those of k3sup, and mean the same unless their help says otherwise.
    Install(Box<InstallArguments>),

    /// Join one machine to a cluster, as an agent or, with --server, as a server
    ///
    /// The server that is named is read for the token and for what all servers must share, and not
    /// changed. The flags are those of k3sup, and mean the same unless their help says otherwise.
    Join(Box<JoinArguments>),

    /// Show what a deploy would change, host by host, and touch nothing
    Plan(PlanArguments),

    /// Remove k3s and its data from the machines of an inventory
    ///
    /// With --limit the nodes are drained and deleted from the cluster that stays. Shows what it
    /// would do, and begins when the cluster's name has been typed. What other things have put on
    /// the machines stays; docs/reset.md lists it. A second reset changes nothing.
    Reset(ResetArguments),

    /// Fetch the cluster's kubeconfig again, and try it from here
    ///
    /// Of a server without an inventory, `towline get-config` fetches it.
    Kubeconfig(KubeconfigArguments),

    /// Fetch the kubeconfig of a server that is named by its address
    GetConfig(GetConfigArguments),

    /// Print the token with which agents join a server's cluster, or with --server, servers
    NodeToken(NodeTokenArguments),

    /// Wait until all nodes of a cluster are Ready
    Ready(ReadyArguments),

    /// Check inventories, show what they say, or make one
    Inventory {
        /// What to do
        #[command(subcommand)]
        what: InventoryCommand,
    },

    /// Print a JSON schema, for editors and scripts
    Schema {
        /// Of what
        #[arg(value_enum)]
        of: Schema,
    },

    /// List or clear the download cache
    Cache {
        /// What to do with it
        #[command(subcommand)]
        what: Cache,
    },

    /// Print a completion script for a shell
    #[command(alias = "completion")]
    Completions {
        /// For which shell
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
    /// List them: version, architecture, size
    List,
    /// Remove them all; what is needed is fetched again
    Clean,
}

/// A path in which `~/` is the home also where the shell has left it: in quotes, and behind `=`.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| at_home(path, env::var_os("HOME").as_deref()))
}

/// A drawing's file: its name says what it becomes.
fn drawing() -> impl TypedValueParser<Value = PathBuf> {
    path().try_map(|path| match path.extension() {
        Some(kind) if kind == "svg" => Ok(path),
        _ => Err("a timeline is drawn as SVG: the file's name has to end in .svg"),
    })
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
    /// A line of --output json
    Events,
}

/// The files of an inventory.
#[derive(Debug, Clone, Args)]
pub struct InventoryFiles {
    /// The inventory file, or - for standard input; repeatable, a later one lies over the others
    #[arg(short, long, value_name = "FILE", required = true, value_parser = path())]
    pub inventory: Vec<PathBuf>,
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
    /// Change only these: hosts, groups, `servers`, `agents`, globs, `!` excludes; the others are
    /// still read
    #[arg(long, value_name = "HOSTS")]
    pub limit: Option<String>,

    /// Maximum number of hosts at once
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub parallel: u16,

    /// User to log in as
    #[arg(long, value_name = "USER")]
    pub ssh_user: Option<String>,

    /// Port of sshd
    #[arg(long, value_name = "PORT")]
    pub ssh_port: Option<u16>,

    /// Private key to offer first; repeatable
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub ssh_key: Vec<PathBuf>,

    /// File with the host keys to trust, instead of `~/.ssh/known_hosts`
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub known_hosts: Option<PathBuf>,

    /// Trust hosts that are not known yet, and remember their keys; a changed key is still refused
    #[arg(long)]
    pub accept_new_host_keys: bool,

    /// Folder with playbooks/ and templates/ of your own; they replace towline's of the same name
    #[arg(long, value_name = "FOLDER", value_parser = path())]
    pub overrides: Option<PathBuf>,
}

/// What `towline plan` needs to know.
#[derive(Debug, Clone, Args)]
pub struct PlanArguments {
    /// The inventory.
    #[command(flatten)]
    pub inventory: InventoryArguments,

    /// Of a `deploy --adopt`, which takes over hosts on which something else set up k3s
    #[arg(long)]
    pub adopt: bool,

    /// Refused: an inventory is named by its flag.
    #[arg(hide = true, trailing_var_arg = true, value_parser = no_list_of_hosts)]
    pub hosts: Vec<String>,
}

/// k3sup's plan takes a list of hosts in JSON.
fn no_list_of_hosts(text: &str) -> Result<String, String> {
    let is_yaml = [".yaml", ".yml"].iter().any(|end| text.ends_with(end));
    Err(if is_yaml {
        format!("write  towline plan -i {text}")
    } else {
        format!(
            "first  towline inventory from-k3sup {text} -o inventory.yaml  , then  towline plan -i inventory.yaml"
        )
    })
}

/// What `towline kubeconfig` needs to know.
#[derive(Debug, Clone, Args)]
pub struct KubeconfigArguments {
    /// The inventory.
    #[command(flatten)]
    pub inventory: InventoryArguments,

    /// Where it goes.
    #[command(flatten)]
    pub kubeconfig: KubeconfigFile,
}

/// Where the kubeconfig goes.
#[derive(Debug, Clone, Args)]
pub struct KubeconfigFile {
    /// Where to write the kubeconfig [default: NAME.kubeconfig in this folder, after the cluster]
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub kubeconfig: Option<PathBuf>,

    /// Name of its context, cluster and user [default: the cluster's name]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,

    /// Keep what else is in the file; of the same name, the new one wins
    #[arg(long)]
    pub merge: bool,

    /// With --merge: make it the current context, also where there is one
    #[arg(long, requires = "merge")]
    pub use_context: bool,
}

/// What a deploy needs to know.
#[derive(Debug, Clone, Args)]
pub struct DeployArguments {
    /// The inventory.
    #[command(flatten)]
    pub inventory: InventoryArguments,

    /// Where the kubeconfig goes.
    #[command(flatten)]
    pub kubeconfig: KubeconfigFile,

    /// Take over hosts on which something else set up k3s; `towline plan` shows what that changes
    #[arg(long)]
    pub adopt: bool,

    /// Show at the end when which host was busy with what, or draw it in a file
    #[arg(long, value_name = "FILE.svg", require_equals = true, value_parser = drawing())]
    pub timing: Option<Option<PathBuf>>,
}

/// What a reset needs to know.
#[derive(Debug, Clone, Args)]
pub struct ResetArguments {
    /// The inventory.
    #[command(flatten)]
    pub inventory: InventoryArguments,

    /// Do it without asking
    #[arg(long, conflicts_with = "plan")]
    pub yes: bool,

    /// Show what it would do, and touch nothing
    #[arg(long)]
    pub plan: bool,
}

#[cfg(test)]
mod tests;
