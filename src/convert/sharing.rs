//! Values of hosts, written where all that share them find them: at the top, below the cluster, in a
//! group.

use serde_json::json;

use super::making::{HostDraft, Making};
use super::placed::{Located, PlacedDraft, SettingKey};
use crate::inventory::{self, Role};

/// The keys of the block `cluster`, in the order in which they are written.
const CLUSTER: [&str; 8] = [
    "name",
    "version",
    "channel",
    "endpoint",
    "tls_sans",
    "token_file",
    "datastore",
    "binary",
];

/// What may stand in the config of one host only.
const OWN: [&str; 3] = ["node-ip", "node-external-ip", "advertise-address"];

impl Making {
    /// Writes each value where most hosts share it.
    pub(super) fn place(mut self) -> PlacedDraft {
        let mut placed = PlacedDraft::default();
        for key in CLUSTER {
            if let Some(said) = self.cluster.remove(key) {
                placed.put(&["cluster", key], said);
            }
        }
        let everyone: Vec<usize> = (0..self.hosts.len()).collect();
        self.share(&everyone, &["ssh"], &mut placed, |key| {
            matches!(key, SettingKey::Ssh(_))
        });
        for (role, block) in [(Role::Server, "config"), (Role::Agent, "agent_config")] {
            let members = self.members(|host| host.role == role);
            self.share(
                &members,
                &["cluster", block],
                &mut placed,
                |key| matches!(key, SettingKey::Config(key) if !OWN.contains(&key.as_str())),
            );
        }
        let used = self.groups(&mut placed);
        for host in std::mem::take(&mut self.hosts) {
            let path = |key: &'static str| ["hosts".to_owned(), host.name.clone(), key.to_owned()];
            placed
                .places
                .insert(path("").to_vec()[..2].to_vec(), host.at.clone());
            for (key, said) in [
                ("address", &host.address),
                ("private_address", &host.private_address),
                ("interface", &host.interface),
            ] {
                if let Some(Located { value, at }) = said
                    && (key != "address" || *value != host.name)
                {
                    let (value, at) = (json!(value), at.clone());
                    placed.put(&path(key), Located { value, at });
                }
            }
            let groups: Vec<&String> = used
                .iter()
                .map(|(name, _)| name)
                .filter(|name| host.groups.contains(name))
                .collect();
            let at = host.at.clone();
            if !used
                .iter()
                .any(|(name, role)| groups.contains(&name) && *role == Some(host.role))
            {
                let value = json!(host.role.to_string());
                placed.put(
                    &path("role"),
                    Located {
                        value,
                        at: at.clone(),
                    },
                );
            }
            match &groups[..] {
                [] => {}
                [one] => placed.put(
                    &path("group"),
                    Located {
                        value: json!(one),
                        at,
                    },
                ),
                more => placed.put(
                    &path("groups"),
                    Located {
                        value: json!(more),
                        at,
                    },
                ),
            }
            if let Some(Located { value, at }) = host.node_name {
                placed.put(
                    &[
                        "hosts".to_owned(),
                        host.name.clone(),
                        "node_name".to_owned(),
                    ],
                    Located {
                        value: json!(value),
                        at,
                    },
                );
            }
            let own = ["hosts".to_owned(), host.name.clone()];
            for (key, said) in host.settings {
                placed.set(&own, key, said);
            }
        }
        placed
    }

    /// Which hosts are like this.
    fn members(&self, is_one: impl Fn(&HostDraft) -> bool) -> Vec<usize> {
        let hosts = self.hosts.iter().enumerate();
        hosts
            .filter(|(_, host)| is_one(host))
            .map(|(index, _)| index)
            .collect()
    }

    /// Moves what all of some hosts have in common to where they share it.
    fn share(
        &mut self,
        members: &[usize],
        block: &[&str],
        placed: &mut PlacedDraft,
        may: impl Fn(&SettingKey) -> bool,
    ) -> bool {
        let Some(first) = members.first() else {
            return false;
        };
        let block: Vec<String> = block.iter().map(|key| (*key).to_owned()).collect();
        let common: Vec<SettingKey> = self.hosts[*first]
            .settings
            .iter()
            .filter(|(key, said)| {
                may(key)
                    && members.iter().all(|member| {
                        let other = self.hosts[*member].settings.get(key);
                        other.is_some_and(|other| other.value == said.value)
                    })
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in &common {
            for member in members {
                let said = self.hosts[*member].settings.remove(key);
                if let Some(said) = said.filter(|_| member == first) {
                    match (key, &block[..]) {
                        (SettingKey::Ssh(name), [_]) => {
                            placed.put(&[block[0].clone(), (*name).to_owned()], said);
                        }
                        (SettingKey::Config(name), [cluster, config]) if cluster == "cluster" => {
                            placed.put(&[cluster.clone(), config.clone(), name.clone()], said);
                        }
                        _ => placed.set(&block, key.clone(), said),
                    }
                }
            }
        }
        !common.is_empty()
    }

    /// Groups whose members share something beyond what all share, with their role.
    fn groups(&mut self, placed: &mut PlacedDraft) -> Vec<(String, Option<Role>)> {
        let mut names: Vec<String> = Vec::new();
        for name in self.hosts.iter().flat_map(|host| &host.groups) {
            if !names.contains(name) && !self.hosts.iter().any(|host| host.name == *name) {
                names.push(name.clone());
            }
        }
        let mut groups: Vec<(String, Vec<usize>)> = names
            .into_iter()
            .map(|name| {
                let members = self.members(|host| host.groups.contains(&name));
                (name, members)
            })
            .filter(|(name, members)| {
                members.len() > 1 && inventory::is_name(&name.replace('_', "-"))
            })
            .collect();
        groups.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
        let mut used = Vec::new();
        for (name, members) in groups {
            let may = |key: &SettingKey| !matches!(key, SettingKey::Config(key) if OWN.contains(&key.as_str()));
            if self.share(&members, &["groups", &name], placed, may) {
                let first = self.hosts[members[0]].role;
                let role = members
                    .iter()
                    .all(|member| self.hosts[*member].role == first)
                    .then_some(first);
                if let Some(role) = role {
                    let at = self.hosts[members[0]].at.clone();
                    let value = json!(role.to_string());
                    placed.put(&["groups", &name, "role"], Located { value, at });
                }
                used.push((name, role));
            }
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use crate::convert::tests::{JUDGE, shown};
    use crate::convert::{Source, ansible};

    #[test]
    fn a_group_that_cannot_be_named_so_is_not_used() {
        let text = "server: {hosts: {m0: }}\nagent: {hosts: {m1: , m2: , m3: }}\n'g x': {vars: {node_labels: {a: b}}, hosts: {m1: , m2: }}\n";
        let shown = shown(ansible::convert(
            &Source::new("hosts.yml", text),
            &[],
            JUDGE,
        ));
        assert_eq!(shown.matches("a: b").count(), 2, "{shown}");
    }
}
