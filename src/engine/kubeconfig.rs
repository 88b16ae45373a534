//! The cluster's kubeconfig, tried from here.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::cli::{Destination, Environment, KubeconfigFile};
use crate::cluster::node_name;
use crate::distribution;
use crate::facts::{Facts, Member};
use crate::inventory::Host;
use crate::kubernetes::kubeconfig::{Written, merge, parse, pick, rewrite, server_url, write};
use crate::kubernetes::verify::NodeLine;
use crate::problem::{Code, Problem};
use crate::run::Event;
use crate::run::event::{MemberRow, NodeRow};
use crate::run::gather::{self, Gathered};
use crate::run::report::Report;
use crate::shell::quote;
use crate::vars::Secret;

use super::context::Context;
use super::refusal::Refusal;
use super::surroundings::absolute;
use super::told::Conclusion;

mod tried;

use tried::{is_behind, over_ssh, tried, way};

/// k3s puts a new name into its certificate at the first handshake that asks for it, and the other
/// servers follow some seconds later.
const PATIENCE: Duration = Duration::from_secs(45);
/// An address that has worked before works at once, or another one is taken.
const STANDING: Duration = Duration::from_secs(10);

/// Days before the end of a server's certificates at which they are told of. They are made for a year.
const SOON: u64 = 60;

/// Where a kubeconfig goes, and under which name.
#[derive(Debug, Clone)]
pub struct KubeconfigTarget {
    /// The file; by default `NAME.kubeconfig` in this folder, after the cluster.
    path: Option<PathBuf>,
    /// Name of the context; by default the cluster's.
    context: Option<String>,
    /// Whether it is the file that kubectl reads unless it is told another one.
    usual: bool,
    /// Whether what else is in the file stays.
    merge: bool,
    /// Whether it becomes the current context of a file that has one.
    use_it: bool,
}

impl KubeconfigTarget {
    /// Where a command with an inventory puts it. Merged, it goes where kubectl looks: the first
    /// file of `KUBECONFIG` that is there, else the last of them, else `~/.kube/config`.
    pub fn new(arguments: &KubeconfigFile, environment: &Environment) -> Self {
        let usual = || {
            let listed = &environment.kubeconfigs;
            let there = listed.iter().find(|path| path.exists());
            there
                .or(listed.last())
                .cloned()
                .unwrap_or_else(|| environment.home.join(".kube/config"))
        };
        let given = arguments.kubeconfig.clone();
        Self {
            usual: given.is_none() && arguments.merge,
            path: given.or_else(|| arguments.merge.then(usual)),
            context: arguments.context.clone(),
            merge: arguments.merge,
            use_it: arguments.use_context,
        }
    }

    /// What to type to use the kubeconfig.
    fn next(&self, path: &Path, context: &str) -> String {
        let mut text = String::new();
        if !self.usual {
            text = format!("\n  export KUBECONFIG={}", quote(&path.to_string_lossy()));
        }
        // Another context may be the current one.
        if self.merge {
            format!("{text}\n  kubectl --context {} get nodes", quote(context))
        } else {
            format!("{text}\n  kubectl get nodes")
        }
    }
}

impl From<&Destination> for KubeconfigTarget {
    fn from(destination: &Destination) -> Self {
        Self {
            path: Some(destination.local_path.clone()),
            context: Some(destination.context.clone()),
            usual: false,
            merge: destination.merge,
            use_it: destination.use_context,
        }
    }
}

/// Fetches the kubeconfig and does nothing else. Nothing is planned for it, so nothing has to be
/// known of any release.
pub async fn only(context: &Context, target: &KubeconfigTarget) -> Result<Conclusion, Refusal> {
    let gathered = context.gather().await?;
    let next = match fetch(context, &gathered, target, false).await {
        Ok(next) => Some(next),
        Err(problem) => {
            context.events.send(Event::Trouble { problem });
            None
        }
    };
    let report = Report::without_hosts(context.begun, next.is_some());
    Ok((report, next))
}

/// Takes the kubeconfig of a live server, tries it at an address that works from here with a real
/// request, and writes it. Returns what to type to use it. `has_grown`: servers have joined since the
/// hosts were asked.
pub async fn fetch(
    context: &Context,
    gathered: &Gathered,
    target: &KubeconfigTarget,
    has_grown: bool,
) -> Result<String, Problem> {
    let (host, source, facts) = source(context, gathered, has_grown).await?;
    let rules = distribution::of(&context.inventory).rules;
    let node_name = node_name(rules, host, &facts);
    let mut own = facts.node.nodes.iter();
    let node_ip = own.find(|node| node.name == node_name);
    let node_ip = node_ip.and_then(|node| node.internal_ip);
    let cluster = &context.inventory.cluster;
    let address = cluster.endpoint.as_deref().or(host.name_for_others());
    let address = match (address, node_ip) {
        (Some(address), _) => address.to_owned(),
        (None, Some(ip)) => ip.to_string(),
        (None, None) => host.address.clone(),
    };
    let distribution = distribution::of(&context.inventory);
    let server = server_url(&address, distribution.rules.product().api_port);
    let name = target.context.as_deref().unwrap_or(&cluster.name);
    let fresh = rewrite(source.expose(), &server, name).map_err(|problem| {
        problem
            .next(
                "look at the file on the server; it is written anew when it is missing at a start",
            )
            .on_host(distribution.renew_kubeconfig)
    })?;
    let default = || PathBuf::from(format!("{}.kubeconfig", cluster.name));
    let path = absolute(target.path.clone().unwrap_or_else(default));

    // By a port that is forwarded towline reaches sshd, and the API may be on a network that this
    // machine is in, too.
    let is_forwarded = cluster.endpoint.is_none() && is_forwarded(context, host);
    let node_ip = node_ip.filter(|_| is_forwarded);
    let direct =
        node_ip.map(|ip| server_url(&ip.to_string(), distribution.rules.product().api_port));
    let direct = direct.map(|server| rewrite(source.expose(), &server, name));
    let direct = direct.transpose()?;

    let standing = pick(&path, Some(name)).ok();
    let standing = standing.and_then(|standing| fresh.at_the_address_of(&standing));
    let standing = standing.filter(|standing| *standing != fresh);
    let mut reason = match &cluster.endpoint {
        Some(_) => "that is the cluster's endpoint",
        None => "that is the address that was typed",
    }
    .to_owned();
    let mut kept = None;
    let address_is_said = cluster.endpoint.is_some() || !context.inventory.whole;
    if let Some(standing) = standing.as_ref().filter(|_| !address_is_said) {
        match tried(context, standing, STANDING).await {
            Ok(verified) => kept = Some((standing.clone(), verified)),
            Err(problem) => reason = problem.what,
        }
    }
    // The one that stands was tried already.
    let direct = direct.filter(|direct| address_is_said || standing.as_ref() != Some(direct));
    if let (Some(direct), None) = (direct, &kept)
        && let Ok(verified) = tried(context, &direct, STANDING).await
    {
        "that is the server's own address, and it is reached from here".clone_into(&mut reason);
        kept = Some((direct, verified));
    }
    let patience = if is_behind(host) { STANDING } else { PATIENCE };
    let mut untried = None;
    let (kubeconfig, verified) = match kept {
        Some(kept) => kept,
        None => match tried(context, &fresh, patience).await {
            Ok(verified) => (fresh, verified),
            Err(problem)
                if is_behind(host)
                    && let Some(verified) = over_ssh(context, gathered, host, &fresh).await =>
            {
                untried = Some(way(context, host, &fresh, &problem));
                (fresh, verified)
            }
            // Nothing is lost by a file that did not work where there was none.
            Err(problem) if !path.exists() => {
                write(&path, &fresh)?;
                let why = format!(
                    "the kubeconfig was written to {} all the same",
                    path.display()
                );
                return Err(problem.because(why));
            }
            Err(problem) => {
                return Err(problem.because(format!("{} was left as it was", path.display())));
            }
        },
    };
    let written = if target.merge {
        tokio::task::block_in_place(|| merge(&path, &kubeconfig, target.use_it))?
    } else {
        write(&path, &kubeconfig)?
    };
    let note = |text| context.events.send(Event::Note { text });
    if let Some(standing) = standing.filter(|standing| standing.server != kubeconfig.server) {
        note(format!(
            "{}: its server was {} and is {} now: {reason}",
            path.display(),
            standing.server,
            kubeconfig.server
        ));
    }
    if let Written::Kept(backup) = written {
        note(format!(
            "{}: what was in it before is in {}",
            path.display(),
            backup.display()
        ));
    }
    let lacking = verified.nodes.iter().filter(|node| node.lacks_network);
    let lacking: Vec<_> = lacking.map(|node| node.name.clone()).collect();
    let nodes = verified.nodes.into_iter().map(|node| {
        let mut row = row(node);
        let is_row = |host: &Host| is_node(host, &row);
        let hosts = context.inventory.hosts.iter();
        let mut api_unresponsive = hosts.filter(|host| gathered.unreached.contains_key(&host.name));
        row.last_heard = api_unresponsive.any(is_row);
        row
    });
    let nodes: Vec<_> = nodes.collect();
    let is_node = |member: &Member| nodes.iter().any(|node| node.name == member.node);
    let members = match facts.node.members.as_slice() {
        members if members.iter().all(is_node) => Vec::new(),
        members => members.iter().map(member).collect(),
    };
    context.events.send(Event::Kubeconfig {
        path: path.display().to_string(),
        server: kubeconfig.server.clone(),
        nodes,
        members,
        over_ssh: untried.is_some(),
    });
    for host in context.inventory.servers() {
        let facts = gathered.facts.get(&host.name);
        let days = facts.and_then(|facts| days_left(facts, SystemTime::now()));
        if let Some(days) = days.filter(|days| *days < SOON) {
            note(format!(
                "{}: the certificates of {} are valid for {days} more days, and are renewed when it starts:\n{}",
                host.name, distribution.dialect.name, distribution.renew_kubeconfig
            ));
        }
    }
    if let Some(text) = untried {
        note(text);
    }
    if !lacking.is_empty() {
        note(format!(
            "not Ready until a network plug-in (CNI) runs there: {}; this shows when they are:\ntowline ready --kubeconfig {} --context {}",
            lacking.join(", "),
            quote(&path.to_string_lossy()),
            quote(name)
        ));
    }
    Ok(target.next(&path, name))
}

/// A node as it is told.
pub fn row(node: NodeLine) -> NodeRow {
    NodeRow {
        name: node.name,
        ready: node.ready,
        roles: node.roles.join(","),
        version: node.kubelet_version,
        internal_ip: node.internal_ip.unwrap_or_default(),
        last_heard: false,
    }
}

/// For how many days the certificates of a server are valid, by the one of its admin: all are made at
/// its start, and some are not renewed while it runs.
fn days_left(facts: &Facts, now: SystemTime) -> Option<u64> {
    let kubeconfig = facts.node.kubeconfig.as_ref()?;
    let ends = parse(kubeconfig.expose()).ok()?.ends()?;
    let left = ends.duration_since(now).unwrap_or_default();
    Some(left.as_secs() / (24 * 60 * 60))
}

fn member(member: &Member) -> MemberRow {
    let address = member.address.map(|address| address.to_string());
    MemberRow {
        name: member.node.clone(),
        votes: !member.is_learner,
        address: address.unwrap_or_default(),
    }
}

/// Whether a host is reached by a port that this machine or a router forwards, as several hosts behind
/// one address are: its other ports may lead nowhere, or to another host.
fn is_forwarded(context: &Context, host: &Host) -> bool {
    let is_here = host
        .address
        .parse()
        .is_ok_and(|ip: IpAddr| ip.is_loopback());
    let mut others = context.inventory.hosts.iter();
    (is_here && host.ssh.port.value != 22)
        || others.any(|other| other.name != host.name && other.address == host.address)
}

/// Whether a node is a host's, as far as that is known of a host that said nothing.
fn is_node(host: &Host, node: &NodeRow) -> bool {
    let private = host.private_address.as_ref();
    let name = host
        .node_name
        .as_ref()
        .map_or(&host.name, |name| &name.value);
    *name == node.name
        || host.address == node.internal_ip
        || private.is_some_and(|private| private.value.to_string() == node.internal_ip)
}

/// The first server that answers, with its kubeconfig: known from the first exchange where the
/// cluster already ran, asked for where it has only just begun to, or is to be asked `anew`.
async fn source<'a>(
    context: &'a Context,
    gathered: &Gathered,
    anew: bool,
) -> Result<(&'a Host, Secret, Facts), Problem> {
    for host in context.inventory.servers() {
        let facts = gathered.facts.get(&host.name).filter(|_| !anew);
        if let Some(facts) = facts
            && let Some(source) = facts.node.kubeconfig.clone()
        {
            return Ok((host, source, facts.clone()));
        }
        let Some(remote) = gathered.remotes.get(&host.name) else {
            continue;
        };
        if let Ok(facts) = gather::facts(&context.inventory, host, &**remote).await
            && let Some(source) = facts.node.kubeconfig.clone()
        {
            return Ok((host, source, facts));
        }
    }
    if gathered.remotes.is_empty() {
        return Err(Problem::new(
            Code::HOST_UNREACHABLE,
            "no kubeconfig: no server was reached",
        ));
    }
    let problem = Problem::new(Code::NO_CLUSTER, "no server has a kubeconfig to give");
    let mut others = context.inventory.servers().filter_map(|host| {
        let other = gathered.facts.get(&host.name)?.kubernetes?;
        Some(format!("{} runs on {}", other.name, host.name))
    });
    Err(match others.next() {
        Some(why) => problem.because(why),
        None => problem
            .next("make the cluster first")
            .command("towline deploy"),
    })
}

#[cfg(test)]
mod tests;
