//! What towline takes from its environment.

use std::env;
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// What towline takes from its environment; read once, here.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The user's home.
    pub home: PathBuf,
    /// The socket of an SSH agent.
    pub agent: Option<PathBuf>,
    /// Where fetched binaries are kept.
    pub cache: PathBuf,
    /// The proxy for fetching them.
    pub proxy: Option<String>,
    /// What is fetched without it: names and addresses with commas.
    pub no_proxy: Option<String>,
    /// The files of `KUBECONFIG`, in order.
    pub kubeconfigs: Vec<PathBuf>,
    /// Whether standard output may be coloured.
    pub color: bool,
    /// Whether standard output is a terminal that can take lines back.
    pub live: bool,
    /// Columns of the terminal, for messages about the inventory.
    pub width: usize,
}

impl Environment {
    /// A variable that an inventory names.
    pub fn variable(name: &str) -> Option<OsString> {
        env::var_os(name)
    }

    /// The kubeconfig that was named, or the one that kubectl would read.
    pub fn usual_kubeconfig(&self, named: Option<&Path>) -> PathBuf {
        let named = named.or(self.kubeconfigs.first().map(PathBuf::as_path));
        named.map_or_else(|| self.home.join(".kube/config"), Path::to_owned)
    }

    /// Reads the environment.
    pub fn read() -> Self {
        let path = |name: &str| {
            env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let text = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let home = path("HOME").unwrap_or_else(|| PathBuf::from("/"));
        let terminal = std::io::stdout().is_terminal();
        let term = text("TERM");
        let dumb = term.as_deref() == Some("dumb");
        let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || dumb;
        Self {
            agent: path("SSH_AUTH_SOCK"),
            cache: path("XDG_CACHE_HOME")
                .unwrap_or_else(|| home.join(".cache"))
                .join("towline"),
            proxy: ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
                .into_iter()
                .find_map(text),
            no_proxy: ["NO_PROXY", "no_proxy"].into_iter().find_map(text),
            kubeconfigs: env::var_os("KUBECONFIG")
                .map(|list| {
                    env::split_paths(&list)
                        .filter(|path| !path.as_os_str().is_empty())
                        .collect()
                })
                .unwrap_or_default(),
            color: !plain && terminal,
            live: terminal && term.is_some() && !dumb,
            width: text("COLUMNS")
                .and_then(|columns| columns.parse().ok())
                .unwrap_or(100),
            home,
        }
    }
}
