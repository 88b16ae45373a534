//! A host as the connection to it sees it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::inventory::Host;
use crate::problem::{Code, Problem, problem};
use crate::ssh::{AddressFamily, Identities, KnownHosts, Route, Target};

/// What ssh's configuration says of a host besides the keys of the inventory.
pub fn configured<'a>(host: &'a Host, keyword: &str) -> Option<&'a str> {
    host.ssh.configured.get(keyword).map(String::as_str)
}

/// The keys that a login is tried with; `agent` is that of hosts that name none.
pub fn identities(host: &Host, agent: Option<&PathBuf>) -> Identities {
    let ssh = &host.ssh;
    Identities {
        files: ssh.key.value.clone(),
        certificates: ssh.certificate.value.clone(),
        agent: match &ssh.agent {
            Some(own) if own.value.as_os_str().is_empty() => None,
            Some(own) => Some(own.value.clone()),
            None => agent.cloned(),
        },
        only: configured(host, "identitiesonly") == Some("yes"),
    }
}

/// Where the keys of a host are known.
pub fn known_hosts(host: &Host, home: &Path) -> KnownHosts {
    let mut files = host.ssh.known_hosts.value.clone();
    if let Some(global) = configured(host, "globalknownhostsfile") {
        if files.is_empty() {
            files.push(home.join(".ssh/known_hosts"));
        }
        let global = global.split_ascii_whitespace();
        let global = global.filter(|file| *file != "none");
        files.extend(global.map(PathBuf::from));
    }
    KnownHosts::new(&files, home).hashed(configured(host, "hashknownhosts") == Some("yes"))
}

/// Whether ssh would not ask about its key.
pub fn is_strict(host: &Host) -> bool {
    let strict = configured(host, "stricthostkeychecking");
    matches!(strict, Some("yes" | "true"))
}

/// How the first host of a way is reached.
pub fn first(host: &Host) -> Route {
    match configured(host, "proxycommand") {
        Some(line) => Route::Command(line.to_owned()),
        None => Route::Direct,
    }
}

/// A host as `ssh -J` names it.
pub fn login(host: &Host) -> String {
    let address = match &host.address {
        ip if ip.contains(':') => format!("[{ip}]"),
        address => address.clone(),
    };
    let port = match host.ssh.port.value {
        22 => String::new(),
        port => format!(":{port}"),
    };
    format!("{}@{address}{port}", host.ssh.user.value)
}

pub fn target(host: &Host, before: &[Host]) -> Target {
    let number = |keyword| configured(host, keyword).and_then(|text| text.parse::<u64>().ok());
    let interval = number("serveraliveinterval").filter(|seconds| *seconds > 0);
    let count = number("serveralivecountmax").and_then(|count| usize::try_from(count).ok());
    Target {
        name: host.name.clone(),
        address: host.address.clone(),
        port: host.ssh.port.value,
        user: host.ssh.user.value.clone(),
        connect_timeout: Duration::from_secs(host.ssh.connect_timeout_seconds.value),
        password: host
            .ssh
            .password
            .as_ref()
            .map(|password| password.value.clone()),
        become_password: None,
        alive_interval: Duration::from_secs(interval.unwrap_or(15)),
        alive_count: count.unwrap_or(3),
        family: match configured(host, "addressfamily") {
            Some("inet") => AddressFamily::Inet,
            Some("inet6") => AddressFamily::Inet6,
            _ => AddressFamily::Any,
        },
        key_alias: configured(host, "hostkeyalias").map(str::to_owned),
        through: before.iter().map(login).collect(),
    }
}

/// A host's problem with one that stands before it.
pub fn no_bastion(host: &Host, hop: &Host) -> Problem {
    problem!(
        Code::BASTION_UNREACHABLE,
        host = &host.name,
        "its bastion {} cannot be used",
        hop.name
    )
}
