//! Values of hosts, written where all that share them find them: at the top, below the cluster, in a
//! group.

use serde_json::{Value, json};

use super::making::{HostDraft, Making};
use super::placed::{Located, PlacedDraft, SettingKey};
use crate::inventory::{self, Role};

/// The keys of the block `cluster`, in the order in which they are written.
const CLUSTER: [&str; 9] = [
    "name",
    "distribution",
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

/// Whether hosts may share a setting.
fn is_shared(key: &SettingKey) -> bool {
    !matches!(key, SettingKey::Config(key) if OWN.contains(&key.as_str()))
}

impl Making {
    /// Writes each value where most hosts share it.
    pub(super) fn place(mut self) -> PlacedDraft {
        let mut placed = PlacedDraft::default();
        for key in CLUSTER {
            if let Some(said) = self.cluster.remove(key) {
                placed.put(&["cluster", key], said);
            }
        }
        let is_ssh = |key: &SettingKey| key.parts().0 == "ssh";
        for (key, said) in self.common(|_| true, is_ssh) {
            placed.put(&["ssh", key.parts().1], said);
        }
        for (role, block) in [(Role::Server, "config"), (Role::Agent, "agent_config")] {
            let is_config = |key: &SettingKey| key.parts().0 == "config" && is_shared(key);
            for (key, said) in self.common(|host| host.role == role, is_config) {
                placed.put(&["cluster", block, key.parts().1], said);
            }
        }
        for (path, said) in std::mem::take(&mut self.spec) {
            let path = ["cluster", "config", "spec"]
                .into_iter()
                .chain(path.iter().map(String::as_str));
            placed.put(&path.collect::<Vec<_>>(), said);
        }
        let used = self.groups(&mut placed);
        for host in self.hosts {
            let (name, at) = (&*host.name, &host.at);
            let own = used.iter().filter(|(name, _)| host.groups.contains(name));
            let (groups, roles): (Vec<_>, Vec<_>) = own.cloned().unzip();
            let word = host
                .word
                .map_or_else(|| host.role.to_string(), str::to_owned);
            let role = (!roles.contains(&Some(host.role))).then(|| json!(word));
            let (group_key, group) = match &groups[..] {
                [] => ("", None),
                [one] => ("group", Some(json!(one))),
                more => ("groups", Some(json!(more))),
            };
            let here = |value: Option<Value>| value.map(|value| Located::new(value, at));
            let text = |said: Option<Located<String>>| said.map(Located::into_value);
            placed.put(&["hosts", name], Located::new(json!({}), at));
            for (key, said) in [
                (
                    "address",
                    text(host.address.filter(|said| said.value != name)),
                ),
                ("private_address", text(host.private_address)),
                ("interface", text(host.interface)),
                ("role", here(role)),
                (group_key, here(group)),
                ("node_name", text(host.node_name)),
            ] {
                if let Some(said) = said {
                    placed.put(&["hosts", name, key], said);
                }
            }
            for (key, said) in host.settings {
                placed.set(&["hosts", name], &key, said);
            }
        }
        placed
    }

    /// Takes what all hosts like this have in common.
    fn common(
        &mut self,
        is_member: impl Fn(&HostDraft) -> bool,
        may: impl Fn(&SettingKey) -> bool,
    ) -> Vec<(SettingKey, Located<Value>)> {
        let hosts = self.hosts.iter_mut();
        let mut members: Vec<_> = hosts.filter(|host| is_member(host)).collect();
        let Some((first, others)) = members.split_first_mut() else {
            return Vec::new();
        };
        let is_common = |key: &SettingKey, said: &mut Located<Value>| {
            let same = |other: &Located<Value>| other.value == said.value;
            may(key)
                && others
                    .iter()
                    .all(|host| host.settings.get(key).is_some_and(same))
        };
        let common: Vec<_> = first.settings.extract_if(.., is_common).collect();
        for host in others {
            for (key, _) in &common {
                host.settings.remove(key);
            }
        }
        common
    }

    /// Groups whose members share something beyond what all share, with their role.
    fn groups(&mut self, placed: &mut PlacedDraft) -> Vec<(String, Option<Role>)> {
        let mut groups: Vec<(String, usize)> = Vec::new();
        for name in self.hosts.iter().flat_map(|host| &host.groups) {
            match groups.iter_mut().find(|(known, _)| known == name) {
                Some((_, members)) => *members += 1,
                None => groups.push((name.clone(), 1)),
            }
        }
        groups.retain(|(name, members)| {
            *members > 1
                && inventory::is_name(&name.replace('_', "-"))
                && self.hosts.iter().all(|host| host.name != *name)
        });
        groups.sort_by_key(|(_, members)| std::cmp::Reverse(*members));
        let mut used = Vec::new();
        for (name, _) in groups {
            let is_member = |host: &HostDraft| host.groups.contains(&name);
            let common = self.common(is_member, is_shared);
            if common.is_empty() {
                continue;
            }
            placed.put(&["groups", &name], Located::new(json!({}), &common[0].1.at));
            for (key, said) in common {
                placed.set(&["groups", &name], &key, said);
            }
            let mut members = self.hosts.iter().filter(|host| is_member(host));
            let first = members.next();
            let first = first.filter(|first| members.all(|host| host.role == first.role));
            if let Some(first) = first {
                let said = Located::new(json!(first.role.to_string()), &first.at);
                placed.put(&["groups", &name, "role"], said);
            }
            let role = first.map(|first| first.role);
            used.push((name, role));
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
