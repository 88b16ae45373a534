//! The command line of `towline snapshot`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ClusterArguments, InventoryArguments, KubeconfigFile, path};

/// What to do with snapshots.
#[derive(Debug, Clone, Subcommand)]
pub enum SnapshotCommand {
    /// Take a snapshot, and fetch it to this machine
    ///
    /// Of etcd without a pause. Of sqlite while k3s is stopped for some seconds; pods go on.
    Save {
        /// Of which cluster.
        #[command(flatten)]
        inventory: InventoryArguments,

        /// What its name begins with; the node and the time follow
        #[arg(long, value_name = "NAME", default_value = "on-demand", value_parser = name)]
        name: String,

        /// Where to write it.
        #[command(flatten)]
        target: SnapshotTarget,

        /// Leave it on the server
        #[arg(long, conflicts_with = "output_file")]
        no_fetch: bool,

        /// Show what would be done, without changing anything
        #[arg(long)]
        plan: bool,
    },

    /// List the snapshots on all servers, and those that the cluster knows elsewhere
    List {
        /// Of which cluster.
        #[command(flatten)]
        inventory: InventoryArguments,
    },

    /// Fetch a snapshot to this machine
    ///
    /// What it holds is compared with its hash on the server. Beside it, FILE.json says what it is of.
    Fetch {
        /// Of which cluster.
        #[command(flatten)]
        cluster: ClusterArguments,

        /// The snapshot [default: the latest]
        #[arg(value_name = "NAME")]
        name: Option<String>,

        /// Where to write it.
        #[command(flatten)]
        target: SnapshotTarget,
    },

    /// Replace all that the cluster holds by a snapshot on this machine
    ///
    /// On the machines that it is of, or on new ones of the same inventory. Shows the plan and asks for the cluster's
    /// name before it begins. All servers are stopped, the first one begins with the snapshot, the others join it with
    /// nothing of their own, and agents start again. Their data as it was stays beside it. Run it again to go on.
    Restore(RestoreArguments),

    /// Delete snapshots from the servers
    Delete {
        /// Of which cluster.
        #[command(flatten)]
        cluster: ClusterArguments,

        /// The snapshots
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,

        /// Show what would be done, without changing anything
        #[arg(long)]
        plan: bool,
    },
}

/// What a restore needs to know.
#[derive(Debug, Clone, Args)]
pub struct RestoreArguments {
    /// Of which cluster.
    #[command(flatten)]
    pub cluster: ClusterArguments,

    /// Where the kubeconfig goes.
    #[command(flatten)]
    pub kubeconfig: KubeconfigFile,

    /// The snapshot, as `towline snapshot fetch` has written it
    #[arg(value_name = "SNAPSHOT", value_parser = path())]
    pub file: PathBuf,

    /// Do not ask for confirmation
    #[arg(long, conflicts_with = "plan")]
    pub yes: bool,

    /// Show what would be done, without changing anything
    #[arg(long)]
    pub plan: bool,
}

/// What a recovery needs to know.
#[derive(Debug, Clone, Args)]
pub struct RecoverArguments {
    /// Of which cluster.
    #[command(flatten)]
    pub inventory: InventoryArguments,

    /// Where the kubeconfig goes.
    #[command(flatten)]
    pub kubeconfig: KubeconfigFile,

    /// The server whose data the cluster goes on with, where more than one has any
    #[arg(long, value_name = "HOST")]
    pub from: Option<String>,

    /// Do not ask for confirmation
    #[arg(long, conflicts_with = "plan")]
    pub yes: bool,

    /// Show what would be done, without changing anything
    #[arg(long)]
    pub plan: bool,
}

/// Where a snapshot is written to.
#[derive(Debug, Clone, Args)]
pub struct SnapshotTarget {
    /// Where to write it; an existing file is not replaced [default: CLUSTER-NAME in the current folder]
    #[arg(short, long, value_name = "FILE", value_parser = path())]
    pub output_file: Option<PathBuf>,
}

/// k3s takes letters, digits, `-` and `.` in a name.
fn name(typed: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = typed.len() <= 60
        && typed
            .bytes()
            .all(|byte| is_plain(byte) || b"-.".contains(&byte))
        && typed.bytes().next().is_some_and(is_plain);
    fits.then(|| typed.to_owned()).ok_or(
        "expected at most 60 lower-case letters, digits, `-` and `.`, a letter or digit first",
    )
}
