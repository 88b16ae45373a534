//! The command line of the commands that name their hosts by address, with the flags that people
//! know from k3sup.

use std::path::PathBuf;

use clap::Args;

use super::{SshConfiguration, path};

/// `--flag`, `--flag=true` and `--flag=false`, as programs in Go take them.
fn switch(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("write true or false".into()),
    }
}

/// How a host is reached.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Login")]
pub struct Login {
    /// User to log in as [default: as in ~/.ssh/config, else root]
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,

    /// Private key to try first [default: the SSH agent's keys, then ~/.ssh/id_*]
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub ssh_key: Option<PathBuf>,

    /// Port of sshd [default: as in ~/.ssh/config, else 22]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub ssh_port: Option<u16>,

    /// What ssh's configuration says of them.
    #[command(flatten)]
    pub ssh: SshConfiguration,

    /// Use sudo when the user is not root; towline needs root
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true",
          default_missing_value = "true", hide_possible_values = true, action = clap::ArgAction::Set, value_parser = switch)]
    pub sudo: bool,

    /// Ask for the password to log in with, where the host takes no key
    #[arg(short = 'k', long, hide_short_help = true)]
    pub ask_pass: bool,

    /// Ask once for the password that sudo wants on the hosts
    #[arg(short = 'K', long)]
    pub ask_become_pass: bool,

    /// File with trusted host keys, instead of `~/.ssh/known_hosts`
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub known_hosts: Option<PathBuf>,

    /// Trust the keys of new hosts and add them to `known_hosts`; a changed key is still refused
    #[arg(long)]
    pub accept_new_host_keys: bool,

    /// Print every script to standard error as it is sent, secrets as ***
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_default_value = true, hide_short_help = true, action = clap::ArgAction::Set, value_parser = switch)]
    pub print_command: bool,
}

/// Which Kubernetes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kubernetes")]
pub struct Kubernetes {
    /// Distribution of Kubernetes
    #[arg(long, value_name = "NAME", default_value = "k3s", value_parser = ["k3s", "k0s"])]
    pub distribution: String,
}

/// Which version.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kubernetes")]
pub struct Release {
    /// Version, such as v1.36.3+k3s1 or v1.36.3+k0s.2; a running cluster keeps its version
    #[arg(
        long,
        value_name = "VERSION",
        visible_alias = "k3s-version",
        alias = "k0s-version"
    )]
    pub version: Option<String>,

    /// Release channel for a new cluster; a running cluster keeps its version. Ignored with --version
    #[arg(
        long,
        value_name = "CHANNEL",
        default_value = "stable",
        visible_alias = "k3s-channel",
        alias = "k0s-channel"
    )]
    pub channel: String,
}

/// Where the kubeconfig goes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kubeconfig")]
pub struct Destination {
    /// Where to write the kubeconfig
    #[arg(long, value_name = "FILE", default_value = "kubeconfig", value_parser = path())]
    pub local_path: PathBuf,

    /// Name of the context, cluster and user in it
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub context: String,

    /// Merge into the file; entries of the same name are replaced
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_default_value = true, action = clap::ArgAction::Set, value_parser = switch)]
    pub merge: bool,

    /// With --merge: make it the current context, even if another one is set
    #[arg(long, requires = "merge")]
    pub use_context: bool,
}

/// A host by its address; without one, this machine itself.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Host")]
pub struct Address {
    /// Address of the host [default: this machine, without SSH]
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Option<String>,

    /// DNS name of the host; takes precedence over --ip
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,

    /// The host is this machine, even if --ip is given; uses no SSH and needs root
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_default_value = true, action = clap::ArgAction::Set, value_parser = switch)]
    pub local: bool,
}

/// A host that becomes a node, by `install` or `join`.
#[derive(Debug, Clone, Args)]
pub struct NodeArguments {
    /// Where it is.
    #[command(flatten)]
    pub address: Address,
    /// How it is reached.
    #[command(flatten)]
    pub login: Login,
    /// The distribution.
    #[command(flatten)]
    pub kubernetes: Kubernetes,
    /// The version.
    #[command(flatten)]
    pub release: Release,

    /// Role of the host, such as k0s's `controller`, which is no node
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,

    /// Disable k3s's servicelb and traefik; must be the same on all servers
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_default_value = true, action = clap::ArgAction::Set, value_parser = switch)]
    pub no_extras: bool,

    /// Long flags of k3s or k0s, in quotes; written to config.yaml or the unit; repeatable
    #[arg(
        long,
        value_name = "FLAGS",
        allow_hyphen_values = true,
        visible_alias = "k3s-extra-args",
        alias = "k0s-extra-args"
    )]
    pub extra_args: Vec<String>,

    /// Additional name or address for the server's certificate; repeatable. The host's own address is
    /// always included (in k3sup, this flag replaces it)
    #[arg(long, value_name = "NAME")]
    pub tls_san: Vec<String>,

    /// Show what would change, without changing anything
    #[arg(long)]
    pub plan: bool,

    /// Remove settings from the host's configuration that are not given here
    #[arg(long, hide_short_help = true)]
    pub reset_config: bool,

    /// Folder with playbooks/ and templates/ that replace towline's files of the same name
    #[arg(long, value_name = "FOLDER", hide_short_help = true, value_parser = path())]
    pub overrides: Option<PathBuf>,

    /// Write the equivalent inventory for `towline deploy -i FILE`, or add the host to an existing one
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub save_inventory: Option<PathBuf>,

    /// Base URL to download from, in the layout of the release site
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
}

/// What `towline install` needs to know.
#[derive(Debug, Clone, Args)]
pub struct InstallArguments {
    /// The host.
    #[command(flatten)]
    pub node: NodeArguments,

    /// Use embedded etcd, so that more servers can join; k0s always does
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_default_value = true, action = clap::ArgAction::Set, value_parser = switch)]
    pub cluster: bool,

    /// Token for a new cluster. Visible in process lists: prefer --token-file
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    pub token: Option<String>,

    /// File with the token for a new cluster [default: a token is generated]
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub token_file: Option<PathBuf>,

    /// Only fetch the kubeconfig, without changing anything
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_default_value = true, action = clap::ArgAction::Set, value_parser = switch)]
    pub skip_install: bool,

    /// Not in a typed line: an inventory has `datastore_endpoint`; --cluster uses embedded etcd
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub datastore: Option<String>,

    /// Not supported: k3s removed the flannel backend `ipsec` in 1.27; wireguard-native encrypts
    #[arg(long, hide_short_help = true)]
    pub ipsec: bool,

    /// The kubeconfig.
    #[command(flatten)]
    pub destination: Destination,
}

/// What `towline join` needs to know.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Cluster")]
pub struct JoinArguments {
    /// Address of a server of the cluster
    #[arg(long, value_name = "ADDRESS")]
    pub server_ip: Option<String>,

    /// DNS name of such a server; takes precedence over --server-ip
    #[arg(long, value_name = "NAME")]
    pub server_host: Option<String>,

    /// URL that the host joins at, if not that server's: `https://NAME:6443`
    #[arg(long, value_name = "URL")]
    pub server_url: Option<String>,

    /// User to log in to the server as [default: that of --user]
    #[arg(long, value_name = "USER")]
    pub server_user: Option<String>,

    /// Port of the server's sshd [default: that of --ssh-port]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub server_ssh_port: Option<u16>,

    /// Data folder of the server [default: from its configuration, else the distribution's own]
    #[arg(long, value_name = "FOLDER", hide_short_help = true)]
    pub server_data_dir: Option<String>,

    /// Join as a server, not as an agent
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_default_value = true, action = clap::ArgAction::Set, value_parser = switch)]
    pub server: bool,

    /// Token to join with, instead of reading it from the server. Visible in process lists: prefer
    /// --node-token-path
    #[arg(long, value_name = "TOKEN", conflicts_with = "node_token_path")]
    pub node_token: Option<String>,

    /// File with the token to join with, instead of reading it from the server
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub node_token_path: Option<PathBuf>,

    /// Accepted and without effect, as in k3sup
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = switch)]
    pub skip_install: Option<bool>,

    /// The host that joins.
    #[command(flatten)]
    pub node: NodeArguments,
}

/// What `towline get-config` needs to know.
#[derive(Debug, Clone, Args)]
pub struct GetConfigArguments {
    /// The server.
    #[command(flatten)]
    pub address: Address,
    /// How it is reached.
    #[command(flatten)]
    pub login: Login,
    /// The distribution.
    #[command(flatten)]
    pub kubernetes: Kubernetes,
    /// The kubeconfig.
    #[command(flatten)]
    pub destination: Destination,
}

/// What `towline node-token` needs to know.
#[derive(Debug, Clone, Args)]
pub struct NodeTokenArguments {
    /// The server.
    #[command(flatten)]
    pub address: Address,
    /// How it is reached.
    #[command(flatten)]
    pub login: Login,
    /// The distribution.
    #[command(flatten)]
    pub kubernetes: Kubernetes,

    /// Print the token for servers; agents of k3s can use it only when the cluster has no agent token
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", hide_default_value = true, action = clap::ArgAction::Set, value_parser = switch)]
    pub server: bool,

    /// Data folder of the server [default: from its configuration, else the distribution's own]
    #[arg(long, value_name = "FOLDER", hide_short_help = true)]
    pub server_data_dir: Option<String>,
}

/// What `towline ready` needs to know.
#[derive(Debug, Clone, Args)]
pub struct ReadyArguments {
    /// The kubeconfig; towline also waits for the file to exist [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE", value_parser = path())]
    pub kubeconfig: Option<PathBuf>,

    /// Context in the kubeconfig [default: its current context]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,

    /// Maximum number of attempts
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..))]
    pub attempts: u32,

    /// Time between attempts in ms, s or m, at most 60m
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub pause: std::time::Duration,
}

/// A duration as Go writes simple ones.
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let wrong = || format!("`{text}` is not a duration such as 500ms, 2s or 1m");
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(wrong()),
    };
    let hour = std::time::Duration::from_hours(1);
    std::time::Duration::try_from_secs_f64(number * unit)
        .map_err(|_| wrong())
        .and_then(|time| {
            let too_long = || format!("`{text}` is longer than an hour");
            (time <= hour).then_some(time).ok_or_else(too_long)
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, expected) in [
            ("2s", Some(Duration::from_secs(2))),
            ("500ms", Some(Duration::from_millis(500))),
            ("1.5m", Some(Duration::from_secs(90))),
            ("2", None),
            ("", None),
            ("-1s", None),
            ("60m", Some(Duration::from_hours(1))),
            ("61m", None),
            ("10000000000000000000s", None),
            ("99999999999999999999999s", None),
            ("2 hours", None),
        ] {
            assert_eq!(duration(text).ok(), expected, "{text}");
        }
    }
}
