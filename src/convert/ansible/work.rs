//! What became of each variable of an Ansible inventory: none is lost.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Graph, Scope, Variable};
use super::is_nothing;
use super::template::Evaluator;
use crate::convert::making::{HostDraft, Making};

/// Variables that mean nothing here: they only say how Ansible does its own work, or what towline
/// does anyway (it becomes root where it is not).
const MEANINGLESS: &str = "ansible_become ansible_become_exe ansible_become_flags ansible_group_priority \
    ansible_pipelining ansible_python_interpreter ansible_remote_tmp ansible_shell_executable \
    ansible_shell_type ansible_ssh_pipelining ansible_ssh_retries ansible_ssh_transfer_method \
    etcd_member_name k3s_become";

/// An inventory on its way from Ansible's form.
pub(super) struct AnsibleConversion<'a> {
    pub graph: &'a Graph,
    /// For each host of the source, the groups it is in.
    pub groups: &'a [Vec<usize>],
    /// For each host of the source, the variables that count.
    pub variables: &'a [BTreeMap<&'a str, usize>],
    pub templates: Evaluator<'a>,
    pub making: Making,
    /// For each host in the making, which of the source it is.
    pub carried: Vec<usize>,
    /// Variables of which something was made, or that are listed.
    done: BTreeSet<usize>,
}

impl<'a> AnsibleConversion<'a> {
    pub fn new(
        graph: &'a Graph,
        groups: &'a [Vec<usize>],
        variables: &'a [BTreeMap<&'a str, usize>],
    ) -> Self {
        Self {
            graph,
            groups,
            variables,
            templates: Evaluator::new(graph, variables),
            making: Making {
                left_out: graph.left_out.clone(),
                ..Making::default()
            },
            carried: Vec::new(),
            done: BTreeSet::new(),
        }
    }

    /// The host in the making that one of the source became.
    pub fn made(&mut self, host: usize) -> Option<&mut HostDraft> {
        let index = self.carried.iter().position(|carried| *carried == host)?;
        self.making.hosts.get_mut(index)
    }

    /// Lists a variable that was taken, or a part of it.
    pub fn leave(&mut self, taken: &Variable, why: &str) {
        let what = format!("`{}` {why}", taken.name);
        self.making.leave(&taken.at, what);
    }

    /// The first of the variables that a host has. The others of the same meaning are listed, unless
    /// they say the same.
    pub fn take(&mut self, host: usize, names: &[&str]) -> Option<Variable> {
        let (name, index) = self.find(host, names)?;
        let taken = self.resolve(host, index);
        for other in names.iter().filter(|other| **other != name) {
            let Some(&index) = self.variables[host].get(other) else {
                continue;
            };
            let other = self.resolve(host, index);
            if let (Some(taken), Some(other)) = (&taken, other)
                && taken.value != other.value
            {
                self.leave(&other, &format!("differs from `{name}`, which is used"));
            }
        }
        taken.filter(|taken| !is_nothing(&taken.value))
    }

    /// The first of these variables that a host has.
    fn find<'n>(&self, host: usize, names: &[&'n str]) -> Option<(&'n str, usize)> {
        let variables = &self.variables[host];
        names
            .iter()
            .find_map(|name| Some((*name, *variables.get(name)?)))
    }

    /// A variable with its value for a host; listed, if it has none.
    pub fn resolve(&mut self, host: usize, index: usize) -> Option<Variable> {
        self.done.insert(index);
        let graph = self.graph;
        let variable = &graph.variables[index];
        let resolved = self.templates.resolve(host, &variable.value);
        let why = match resolved {
            Ok(value) => return Some(variable.with(value)),
            Err(why) => why,
        };
        self.leave(variable, &why);
        None
    }

    /// A variable as it is written, without looking into templates.
    pub fn raw(&mut self, host: usize, name: &str) -> Option<Variable> {
        let &index = self.variables[host].get(name)?;
        self.done.insert(index);
        let variable = &self.graph.variables[index];
        if variable.is_vaulted() {
            return self.resolve(host, index);
        }
        Some(variable.clone()).filter(|variable| !is_nothing(&variable.value))
    }

    /// The first of the variables that the cluster has as a whole: what the first server has counts,
    /// then what any other host has. Others are listed.
    pub fn shared(&mut self, names: &[&str]) -> Option<Variable> {
        let mut found: Option<(usize, Option<Variable>)> = None;
        for host in self.carried.clone() {
            let Some((_, index)) = self.find(host, names) else {
                continue;
            };
            match &found {
                None => found = Some((index, self.take(host, names))),
                Some((first, _)) if *first == index => {}
                Some((_, taken)) => {
                    let taken = taken.as_ref().map(|taken| taken.value.clone());
                    let Some(other) = self.resolve(host, index) else {
                        continue;
                    };
                    if taken.is_some_and(|taken| taken != other.value) {
                        self.leave(
                            &other,
                            "applies to the whole cluster, and the value of another host is used",
                        );
                    }
                }
            }
        }
        found.and_then(|(_, taken)| taken)
    }

    /// The inventory in the making, with all that is left of the source listed.
    pub fn finish(mut self) -> Making {
        let used: BTreeSet<usize> = self.templates.used.take().into_iter().collect();
        let carried = self.carried.iter();
        let applies: BTreeSet<usize> = carried
            .flat_map(|host| self.variables[*host].values().copied())
            .collect();
        let graph = self.graph;
        let done = self.done.iter();
        let names_done: BTreeSet<&str> = done.map(|done| &*graph.variables[*done].name).collect();
        for (index, variable) in graph.variables.iter().enumerate() {
            let name = &*variable.name;
            // What a host had that is not carried over is listed with the host.
            let is_carried = match variable.scope {
                Scope::Host(host) => self.carried.contains(&host),
                Scope::Group(_) => true,
                Scope::Nothing => false,
            };
            if self.done.contains(&index)
                || used.contains(&index)
                || MEANINGLESS.split(' ').any(|known| known == name)
                || !is_carried
            {
                continue;
            }
            match (applies.contains(&index), names_done.contains(name)) {
                (true, false) => self.leave(variable, "has no counterpart here"),
                (true, true) => self.leave(variable, "is set for hosts that do not use it"),
                (false, false) => self.leave(variable, "is used by no host of the new inventory"),
                // What stands nearer was taken, or is listed.
                (false, true) => {}
            }
        }
        self.making
    }
}
