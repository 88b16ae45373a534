//! The command lines of what is done with a cluster: `plan`, `deploy`, `kubeconfig`, `reset`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::TypedValueParser;

use super::{InventoryArguments, path};

/// What `towline plan` needs to know.
#[derive(Debug, Clone, Args)]
pub struct PlanArguments {
    /// The inventory.
    #[command(flatten)]
    pub inventory: InventoryArguments,

    /// Plan for `deploy --adopt`, which takes over hosts whose k3s or k0s was not installed by towline
    #[arg(long)]
    pub adopt: bool,
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
    /// Where to write the kubeconfig [default: CLUSTER.kubeconfig in the current folder]
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub kubeconfig: Option<PathBuf>,

    /// Name of the context, cluster and user in it [default: the cluster's name]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,

    /// Merge into the file; entries of the same name are replaced
    #[arg(long)]
    pub merge: bool,

    /// With --merge: make it the current context, even if another one is set
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

    /// Take over hosts whose k3s or k0s was not installed by towline; `towline plan --adopt` shows the changes
    #[arg(long)]
    pub adopt: bool,

    /// Print a timeline of the run at the end, or draw it to FILE.svg
    #[arg(long, value_name = "FILE.svg", require_equals = true, value_parser = drawing())]
    pub timing: Option<Option<PathBuf>>,
}

/// What a reset needs to know.
#[derive(Debug, Clone, Args)]
pub struct ResetArguments {
    /// The inventory.
    #[command(flatten)]
    pub inventory: InventoryArguments,

    /// Do not ask for confirmation
    #[arg(long, conflicts_with = "plan")]
    pub yes: bool,

    /// Show what would be done, without changing anything
    #[arg(long)]
    pub plan: bool,
}

/// A drawing's file: its name says what it becomes.
fn drawing() -> impl TypedValueParser<Value = PathBuf> {
    path().try_map(|path| match path.extension() {
        Some(kind) if kind == "svg" => Ok(path),
        _ => Err("the timeline is an SVG file: its name must end in .svg"),
    })
}
