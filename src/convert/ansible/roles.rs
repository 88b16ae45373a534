//! Which host is a server and which an agent.

use super::graph::{ALL, Graph, Scope, Variable};
use super::values;
use super::work::AnsibleConversion;
use crate::convert::making::{CONTROL_PLANE, HostDraft};
use crate::inventory::Role;
use crate::problem::{Code, Problem, problem};

/// Groups of servers: of k3s-ansible now and before, of kubespray now and before, and what users
/// name them with `PyratLabs`' role. `-` and `_` are the same.
const SERVERS: &str = "server servers master masters control controller controllers control_plane \
    controlplane k3s_server k3s_servers k3s_master k3s_masters k3s_control_plane kube_control_plane \
    kube_master";

/// Groups of agents.
const AGENTS: &str = "agent agents node nodes worker workers k3s_agent k3s_agents k3s_node k3s_nodes \
    k3s_worker k3s_workers kube_node";

/// Groups of a whole cluster of k3s.
const CLUSTERS: &str = "k3s_cluster k3s_nodes k3s_node k3s";

/// What a host is that only these groups know.
const OTHERS: [(&str, &str); 3] = [
    (
        "bastion",
        "is a bastion, which is named by  ssh: {bastion: …}",
    ),
    ("etcd", "runs only etcd; k3s runs etcd on its servers"),
    (
        "calico_rr",
        "is a route reflector of Calico, which k3s does not have",
    ),
];

impl AnsibleConversion<'_> {
    /// Makes the hosts that have a role, and lists the others.
    pub fn roles(&mut self, source: &str) -> Result<(), Problem> {
        let mut roles: Vec<Option<Role>> = Vec::new();
        let mut variables = self.graph.variables.iter();
        let marked = variables.any(|variable| variable.name == "k3s_control_node");
        let cluster: Vec<bool> = (0..self.graph.hosts.len())
            .map(|host| CLUSTERS.split(' ').any(|name| self.is_in(host, name)))
            .collect();
        let has_cluster = cluster.contains(&true);
        for (host, in_cluster) in cluster.iter().copied().enumerate() {
            let server_group = self.take(host, &["server_group"]);
            let agent_group = self.take(host, &["agent_group"]);
            let said = |taken: &Option<Variable>, names: &str| {
                let own = taken.as_ref().and_then(|taken| values::text(&taken.value));
                names.split(' ').any(|name| self.is_in(host, name))
                    || own.is_some_and(|name| self.is_in(host, &name))
            };
            let (server, agent) = (said(&server_group, SERVERS), said(&agent_group, AGENTS));
            let control = self.take(host, &["k3s_control_node"]);
            let control = control.and_then(|taken| values::flag(&taken.value));
            let is_other = OTHERS.iter().any(|(name, _)| self.is_in(host, name));
            roles.push(match control {
                Some(true) => Some(Role::Server),
                _ if server => Some(Role::Server),
                Some(false) => Some(Role::Agent),
                None if agent => Some(Role::Agent),
                None if is_other => None,
                None if in_cluster || (marked && !has_cluster) => Some(Role::Agent),
                None => None,
            });
        }
        if !roles.contains(&Some(Role::Server)) {
            // Without a control node, PyratLabs' role takes the first host.
            let first = (0..roles.len()).find(|host| cluster[*host] && roles[*host].is_some());
            let Some(first) = first else {
                return Err(self.no_server(source));
            };
            roles[first] = Some(Role::Server);
            let host = &self.graph.hosts[first];
            let what = format!(
                "no host is marked as a server: the first one, {}, becomes the server",
                host.name
            );
            self.making.leave(&host.at, what);
        }
        for (host, role) in roles.into_iter().enumerate() {
            let named = &self.graph.hosts[host];
            let Some(role) = role else {
                let other = OTHERS.iter().find(|(name, _)| self.is_in(host, name));
                let why = other.map_or("is in no group of servers or agents", |(_, why)| why);
                let own = self.own_variables(host);
                let what = format!("the host {} {why}{own}", named.name);
                self.making.leave(&named.at, what);
                continue;
            };
            let mut made = HostDraft::new(&named.name, named.at.clone(), role);
            let groups = self.groups[host]
                .iter()
                .map(|group| self.graph.groups[*group].name.clone());
            made.groups = groups.filter(|name| name != ALL).collect();
            if role == Role::Server
                && (self.is_in(host, "kube_control_plane") || self.is_in(host, "kube_master"))
                && !self.is_in(host, "kube_node")
            {
                // kubespray's control plane takes no workloads, unless it is among the nodes, too.
                made.taint(CONTROL_PLANE, &named.at);
            }
            self.carried.push(host);
            self.making.hosts.push(made);
        }
        Ok(())
    }

    /// The names of the variables that a host has for itself, as the end of a sentence.
    fn own_variables(&self, host: usize) -> String {
        let variables = self.graph.variables.iter();
        let own = variables.filter(|variable| variable.scope == Scope::Host(host));
        let own: Vec<&str> = own.map(|variable| &*variable.name).collect();
        match own[..] {
            [] => String::new(),
            _ => format!("; of it are left out: {}", own.join(", ")),
        }
    }

    fn is_in(&self, host: usize, name: &str) -> bool {
        let same = |group: &usize| normal(&self.graph.groups[*group].name) == normal(name);
        self.groups[host].iter().any(same)
    }

    fn no_server(&self, source: &str) -> Problem {
        problem!(Code::SOURCE_WITHOUT_SERVER, "no host of {source} is a server")
            .because(format!(
                "a server is in a group like server, master or kube_control_plane, or has k3s_control_node; the groups are: {}",
                names(self.graph)
            ))
            .next("name the group of the servers  server  and the other hosts' group  agent")
    }
}

fn names(graph: &Graph) -> String {
    let names = graph.groups.iter().map(|group| &*group.name);
    names.collect::<Vec<_>>().join(", ")
}

fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}
