//! The texts of playbooks and templates: embedded, or the user's own.

use std::collections::BTreeMap;

use crate::distribution::Distribution;
use crate::problem::{Code, Problem};

macro_rules! embedded {
    ($folder:literal: $($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../", $folder, "/", $name)))),*]
    };
}

const PLAYBOOKS: [(&str, &str); 11] = embedded!("playbooks":
    "site.yml", "bootstrap-os.yml", "k3s-files.yml", "k3s-server.yml", "k3s-agent.yml",
    "k3s-forget.yml", "reset-drain.yml", "reset-stop.yml", "reset-delete.yml", "reset-host.yml",
    "reset-stay.yml",
);

const TEMPLATES: [(&str, &str); 15] = embedded!("templates":
    "modules.conf", "sysctl.conf", "k3s/config.yaml", "k3s/k3s.service", "k3s/killall.sh",
    "k3s/membership.sh", "k3s/uninstall.sh", "reset/absent.sh", "reset/firewall.sh", "reset/groups.sh",
    "reset/interfaces.sh", "reset/mounts.sh", "reset/pods.sh", "reset/processes.sh", "reset/ufw.sh",
);

/// The texts of all playbooks and templates, by their path inside their folder.
#[derive(Debug, Clone)]
pub struct Assets {
    pub(super) distribution: &'static Distribution,
    playbooks: BTreeMap<String, String>,
    templates: BTreeMap<String, String>,
}

impl Assets {
    /// Those of a distribution, as they are embedded.
    pub fn of(distribution: &'static Distribution) -> Self {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        Self {
            distribution,
            playbooks: PLAYBOOKS.iter().map(owned).collect(),
            templates: TEMPLATES.iter().map(owned).collect(),
        }
    }

    /// Takes the user's own playbook instead of the embedded one of the same name.
    pub fn set_playbook(&mut self, path: String, text: String) {
        self.playbooks.insert(path, text);
    }

    /// Takes the user's own template instead of the embedded one of the same name.
    pub fn set_template(&mut self, path: String, text: String) {
        self.templates.insert(path, text);
    }

    pub(super) fn playbook(&self, name: &str) -> Result<&str, Problem> {
        let found = self.playbooks.get(&format!("{name}.yml"));
        found.map(String::as_str).ok_or_else(|| {
            Problem::new(
                Code::PLAYBOOK_INVALID,
                format!("there is no playbook {name}.yml"),
            )
        })
    }

    pub(super) fn templates(&self) -> impl Iterator<Item = (&str, &str)> {
        self.templates
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }
}
