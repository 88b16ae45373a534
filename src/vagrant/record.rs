//! The host keys that were pinned, beside the inventory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::MetMachine;
use super::answers::Machine;
use super::text::VagrantHost;
use crate::problem::{Code, Problem, problem};
use crate::ssh;

/// The file of pinned keys. The comment of each line is the machine's name, which tells later whose lines in
/// the inventory are from here.
pub(super) struct KeyRecord(Vec<String>);

impl KeyRecord {
    pub fn read(file: &Path) -> Result<Self, Problem> {
        match fs::read_to_string(file) {
            Ok(text) => Ok(Self(text.lines().map(str::to_owned).collect())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self(Vec::new())),
            Err(error) => Err(
                problem!(Code::FILE_UNREADABLE, "{} cannot be read", file.display())
                    .because(error.to_string()),
            ),
        }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names: BTreeSet<_> = self
            .0
            .iter()
            .filter_map(|line| line.split_whitespace().nth(3))
            .collect();
        names.into_iter()
    }

    /// The keys of a machine, if it has been here.
    pub fn keys(&self, name: &str) -> Option<Vec<String>> {
        let words = self
            .0
            .iter()
            .map(|line| line.split_whitespace().collect::<Vec<_>>());
        let own = words.filter(|words| words.get(3) == Some(&name));
        let keys: Vec<_> = own.map(|words| words[1..3].join(" ")).collect();
        (!keys.is_empty()).then_some(keys)
    }

    /// The file as it is to be: machines that were not met keep what they have.
    pub fn with(&self, met: &[MetMachine], hosts: &[VagrantHost], machines: &[Machine]) -> String {
        let mut lines: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for line in &self.0 {
            if let Some(name) = line.split_whitespace().nth(3) {
                lines.entry(name).or_default().push(line.clone());
            }
        }
        lines.retain(|name, _| machines.iter().any(|machine| machine.name == *name));
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
        let record = KeyRecord(vec![
            "[127.0.0.1]:2222 ssh-ed25519 OLD b".to_owned(),
            "192.168.56.12 ssh-ed25519 OLD b".to_owned(),
        ]);
        let met = MetMachine {
            name: "a".into(),
            way: VagrantLogin {
                address: "127.0.0.1".into(),
                port: 2222,
                ..VagrantLogin::default()
            },
            key: "ssh-ed25519 NEW".into(),
            seen: Seen::default(),
        };
        let host = VagrantHost {
            name: "a".into(),
            address: "127.0.0.1".into(),
            port: 2222,
            private: None,
            user: "vagrant".into(),
            keys: Vec::new(),
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
