//! Groups, hosts and variables of an Ansible inventory, and what a host gets of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::convert::placed::Located;
use crate::convert::{Omission, Place};
use crate::inventory::MOST_HOSTS;
use crate::problem::{Code, Problem, problem};

/// The group that every host is in.
pub(super) const ALL: &str = "all";

/// Whom a variable is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// A group, by its index.
    Group(usize),
    /// A host, by its index.
    Host(usize),
    /// A group or host that the inventory does not have.
    Nothing,
}

/// A variable as it is written, or with the value that it has for a host.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub name: String,
    pub value: Value,
    pub at: Place,
    /// The lines of the keys of a map.
    pub lines: BTreeMap<String, u64>,
    pub scope: Scope,
    /// Whether it stands in `group_vars` or `host_vars`, which win over the inventory's own file.
    pub beside: bool,
}

impl Variable {
    /// Whether it is encrypted.
    pub fn is_vaulted(&self) -> bool {
        self.value.as_str().is_some_and(is_vaulted)
    }

    /// The same with another value.
    pub fn with(&self, value: Value) -> Self {
        Self {
            value,
            ..self.clone()
        }
    }

    /// The value of a key of a map, in its own line.
    pub fn key(&self, key: &str, value: Value) -> Self {
        let mut variable = self.with(value);
        if let Some(line) = self.lines.get(key) {
            variable.at.line = *line;
        }
        variable
    }

    /// Another value from the same place.
    pub fn said<T>(&self, value: T) -> Located<T> {
        Located::new(value, &self.at)
    }
}

/// Whether a text is what `ansible-vault` makes.
pub(super) fn is_vaulted(text: &str) -> bool {
    text.trim_start().starts_with("$ANSIBLE_VAULT;")
}

/// A group.
#[derive(Debug)]
pub(super) struct Group {
    pub name: String,
    pub at: Place,
    /// Groups below it.
    pub children: Vec<usize>,
    /// Hosts that it names itself.
    pub hosts: Vec<usize>,
}

/// A host.
#[derive(Debug)]
pub(super) struct Named {
    pub name: String,
    /// Where it is named first.
    pub at: Place,
}

/// An Ansible inventory, read.
#[derive(Debug)]
pub(super) struct Graph {
    pub groups: Vec<Group>,
    pub hosts: Vec<Named>,
    pub variables: Vec<Variable>,
    /// What cannot be carried over.
    pub left_out: Vec<Omission>,
}

impl Group {
    fn new(name: &str, at: Place) -> Self {
        Self {
            name: name.to_owned(),
            at,
            children: Vec::new(),
            hosts: Vec::new(),
        }
    }
}

/// A part of the source that Ansible would refuse, too.
pub(super) fn invalid(at: &Place, what: &str) -> Problem {
    problem!(Code::SOURCE_INVALID, "{at}: {what}")
}

impl Graph {
    /// One with the group of all hosts.
    pub fn new(at: Place) -> Self {
        Self {
            groups: vec![Group::new(ALL, at)],
            hosts: Vec::new(),
            variables: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Takes a variable of the inventory's own file.
    pub fn variable(&mut self, name: &str, value: Value, scope: Scope, at: &Place) {
        self.variables.push(Variable {
            name: name.to_owned(),
            value,
            at: at.clone(),
            lines: BTreeMap::new(),
            scope,
            beside: false,
        });
    }

    /// Lists something.
    pub fn leave(&mut self, at: &Place, what: impl Into<String>) {
        self.left_out.push(Omission::new(at, what));
    }

    /// The group of a name, new if there is none.
    pub fn group(&mut self, name: &str, at: &Place) -> usize {
        self.find_group(name).unwrap_or_else(|| {
            self.groups.push(Group::new(name, at.clone()));
            self.groups.len() - 1
        })
    }

    /// The group of a name.
    pub fn find_group(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.name == name)
    }

    /// The host of a name.
    pub fn find_host(&self, name: &str) -> Option<usize> {
        self.hosts.iter().position(|host| host.name == name)
    }

    /// The host of a name, new if there is none, in a group.
    pub fn host(&mut self, name: &str, group: usize, at: &Place) -> Result<usize, Problem> {
        let host = match self.find_host(name) {
            Some(host) => host,
            None if self.hosts.len() == MOST_HOSTS => {
                return Err(problem!(
                    Code::SOURCE_TOO_LARGE,
                    "{at}: there are more than {MOST_HOSTS} hosts"
                ));
            }
            None => {
                self.hosts.push(Named {
                    name: name.to_owned(),
                    at: at.clone(),
                });
                self.hosts.len() - 1
            }
        };
        let hosts = &mut self.groups[group].hosts;
        if !hosts.contains(&host) {
            hosts.push(host);
        }
        Ok(host)
    }

    /// Puts a group below another one.
    pub fn child(&mut self, parent: usize, child: usize) {
        let children = &mut self.groups[parent].children;
        if !children.contains(&child) {
            children.push(child);
        }
    }

    /// How deep each group stands below all: the longest way counts.
    pub fn depths(&self) -> Result<Vec<usize>, Problem> {
        let mut depths = vec![1; self.groups.len()];
        depths[0] = 0;
        for round in 0..=self.groups.len() {
            let mut changed = None;
            for (parent, group) in self.groups.iter().enumerate() {
                for &child in &group.children {
                    if child != 0 && depths[child] <= depths[parent] {
                        depths[child] = depths[parent] + 1;
                        changed = Some(child);
                    }
                }
            }
            match changed {
                None => break,
                Some(child) if round == self.groups.len() => {
                    let group = &self.groups[child];
                    let what = format!("the group {} is below itself", group.name);
                    return Err(invalid(&group.at, &what));
                }
                Some(_) => {}
            }
        }
        Ok(depths)
    }

    /// For each host the groups it is in, by itself or over others; the nearest last, as Ansible
    /// orders them.
    pub fn groups_of_hosts(&self) -> Result<Vec<Vec<usize>>, Problem> {
        let depths = self.depths()?;
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.sort_by_key(|group| {
            let priority = self.variables.iter().rev().find(|variable| {
                variable.scope == Scope::Group(*group) && variable.name == "ansible_group_priority"
            });
            let priority = priority.and_then(|variable| {
                let value = &variable.value;
                value.as_i64().or_else(|| value.as_str()?.parse().ok())
            });
            (
                depths[*group],
                priority.unwrap_or(1),
                self.groups[*group].name.clone(),
            )
        });
        let mut of_hosts = vec![vec![0]; self.hosts.len()];
        for &group in order.iter().filter(|group| **group != 0) {
            for host in self.below(group) {
                of_hosts[host].push(group);
            }
        }
        Ok(of_hosts)
    }

    /// All hosts of a group and of those below it.
    pub fn below(&self, group: usize) -> Vec<usize> {
        let (mut seen, mut hosts, mut next) = (BTreeSet::new(), BTreeSet::new(), vec![group]);
        while let Some(group) = next.pop() {
            if seen.insert(group) {
                hosts.extend(&self.groups[group].hosts);
                next.extend(&self.groups[group].children);
            }
        }
        hosts.into_iter().collect()
    }

    /// For each host, which is in these groups, the variables that count, by name.
    pub fn variables_of_hosts(&self, groups: &[Vec<usize>]) -> Vec<BTreeMap<&str, usize>> {
        let variables = || self.variables.iter().enumerate();
        let of_host = |(host, groups): (usize, &Vec<usize>)| {
            let mut own: Vec<_> = variables()
                .filter_map(|(index, variable)| {
                    let nearness = match variable.scope {
                        Scope::Group(of) => groups.iter().position(|group| *group == of)?,
                        Scope::Host(of) if of == host => usize::MAX,
                        Scope::Host(_) | Scope::Nothing => return None,
                    };
                    let is_own = nearness == usize::MAX;
                    Some(((is_own, variable.beside, nearness), index))
                })
                .collect();
            own.sort_unstable();
            let named = |(_, index): (_, usize)| (&*self.variables[index].name, index);
            own.into_iter().map(named).collect()
        };
        groups.iter().enumerate().map(of_host).collect()
    }
}
