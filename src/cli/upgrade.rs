//! The command line of `towline upgrade`.

use clap::{Args, ValueEnum};

use super::{InventoryArguments, KubeconfigFile};

/// What an upgrade needs to know.
#[derive(Debug, Clone, Args)]
pub struct UpgradeArguments {
    /// The inventory.
    #[command(flatten)]
    pub inventory: InventoryArguments,

    /// Where the kubeconfig goes.
    #[command(flatten)]
    pub kubeconfig: KubeconfigFile,

    /// Version to upgrade to; it is written into the inventory before the first change
    #[arg(long, value_name = "VERSION", conflicts_with = "channel")]
    pub to: Option<String>,

    /// The same with the version that a release channel names today
    #[arg(long, value_name = "CHANNEL")]
    pub channel: Option<String>,

    /// When to cordon a node and move its pods before its host is restarted
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = DrainPolicy::Minor)]
    pub drain: DrainPolicy,

    /// How long the pods of a node may take to move; the upgrade ends when they do not
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub drain_timeout: u32,

    /// Agents that are upgraded at once: a number, or a percentage of all agents
    #[arg(long, value_name = "N|N%", default_value = "1", value_parser = at_once)]
    pub max_unavailable: AtOnce,

    /// Do not save the cluster's data first
    #[arg(long)]
    pub no_snapshot: bool,

    /// Show what would be done, without changing anything
    #[arg(long)]
    pub plan: bool,
}

/// When the pods of a node are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DrainPolicy {
    /// Always
    Always,
    /// To another minor version of Kubernetes
    Minor,
    /// Never
    Never,
}

/// A number of agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtOnce {
    /// So many.
    Count(usize),
    /// Of a hundred.
    Percent(usize),
}

fn at_once(typed: &str) -> Result<AtOnce, String> {
    let within = |digits: &str, most| {
        let number = digits
            .parse()
            .ok()
            .filter(|number| (1..=most).contains(number));
        number.ok_or("expected a number from 1 to 500, or 1% to 100%")
    };
    Ok(match typed.strip_suffix('%') {
        Some(digits) => AtOnce::Percent(within(digits, 100)?),
        None => AtOnce::Count(within(typed, 500)?),
    })
}
