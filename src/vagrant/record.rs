//! The host keys that were pinned, beside the inventory.

use std::collections::{BTreeMap, BTreeSet};

use super::MetMachine;
use super::answers::Machine;
use super::text::VagrantHost;
use crate::ssh;

/// The file of pinned keys: its lines in words. The comment of each is the machine's name, which tells later
/// whose lines in the inventory are from here.
pub(super) struct KeyRecord(Vec<[String; 4]>);

impl KeyRecord {
    pub fn of(text: &str) -> Self {
        let lines = text.lines().map(|line| line.split_whitespace());
        let lines = lines.map(|words| words.take(4).map(str::to_owned).collect::<Vec<_>>());
        Self(lines.filter_map(|words| words.try_into().ok()).collect())
    }

    pub fn names(&self) -> BTreeSet<&str> {
        self.0.iter().map(|[.., name]| &**name).collect()
    }

    /// Whether a machine has been here with other keys than this one.
    pub fn has_another(&self, name: &str, key: &str) -> bool {
        let mut own = self.0.iter().filter(|[.., of]| of == name).peekable();
        own.peek().is_some() && own.all(|[_, kind, base64, _]| format!("{kind} {base64}") != key)
    }

    /// The file as it is to be: machines that were not met keep what they have.
    pub fn with(&self, met: &[MetMachine], hosts: &[VagrantHost], machines: &[Machine]) -> String {
        let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for line in &self.0 {
            if machines.iter().any(|machine| machine.name == line[3]) {
                lines.entry(&line[3]).or_default().push(line.join(" "));
            }
        }
        for (met, host) in met.iter().zip(hosts) {
            let specs = [
                Some(ssh::entry_name(&met.way.address, met.way.port)),
                host.private
                    .map(|own| ssh::entry_name(&own.to_string(), 22)),
            ];
            let specs: BTreeSet<_> = specs.into_iter().flatten().collect();
            // What another machine showed at this place before is no key for it any more.
            for known in lines.values_mut() {
                known.retain(|line| !specs.contains(line.split(' ').next().unwrap_or(line)));
            }
            let own = specs
                .iter()
                .map(|place| format!("{place} {} {}", met.key, met.name));
            lines.insert(&met.name, own.collect());
        }
        lines
            .into_values()
            .flatten()
            .map(|line| line + "\n")
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vagrant::answers::VagrantLogin;
    use crate::vagrant::network::Seen;

    #[test]
    fn what_another_machine_showed_at_a_place_is_no_key_for_it_any_more() {
        let record =
            KeyRecord::of("[127.0.0.1]:2222 ssh-ed25519 OLD b\n192.168.56.12 ssh-ed25519 OLD b\n");
        let login = VagrantLogin {
            address: "127.0.0.1".into(),
            port: 2222,
            ..VagrantLogin::default()
        };
        let met = MetMachine {
            name: "a".into(),
            way: login.clone(),
            key: "ssh-ed25519 NEW".into(),
            seen: Seen::default(),
        };
        let host = VagrantHost {
            name: "a".into(),
            login,
            private: None,
        };
        let machines = ["a", "b"].map(|name| Machine {
            name: name.into(),
            state: String::new(),
            runs: name == "a",
        });
        assert_eq!(
            record.with(&[met], &[host], &machines),
            "[127.0.0.1]:2222 ssh-ed25519 NEW a\n192.168.56.12 ssh-ed25519 OLD b\n"
        );
    }
}
