//! The texts of playbooks and templates: embedded, or the user's own.

use std::collections::{BTreeMap, BTreeSet};

use crate::distribution::{Distribution, Texts, embedded};
use crate::problem::{Code, Problem, problem};

const PLAYBOOKS: [Texts; 2] = [
    embedded!("playbooks" / "os": "bootstrap.yml"),
    embedded!("playbooks" / "kubernetes": "drain.yml", "labels.yml"),
];

const TEMPLATES: [Texts; 2] = [
    embedded!("templates" / "os": "absent.sh", "modules.conf", "sysctl.conf"),
    embedded!("templates" / "kubernetes":
        "drain.sh", "firewall.sh", "groups.sh", "interfaces.sh", "pods.sh", "processes.sh", "ufw.sh"),
];

/// The texts of all playbooks and templates, by their path inside their folder.
#[derive(Debug, Clone)]
pub struct Assets {
    pub(super) distribution: &'static Distribution,
    playbooks: BTreeMap<String, String>,
    templates: BTreeMap<String, String>,
    /// Those playbooks that the user brought, and those templates.
    own: [BTreeSet<String>; 2],
}

impl Assets {
    /// Those of a distribution, as they are embedded.
    pub fn of(distribution: &'static Distribution) -> Self {
        let texts = |shared: [Texts; 2], own: Texts| {
            let all = shared.into_iter().flatten().chain(own);
            all.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        };
        Self {
            distribution,
            playbooks: texts(PLAYBOOKS, distribution.playbooks).collect(),
            own: Default::default(),
            templates: texts(TEMPLATES, distribution.templates).collect(),
        }
    }

    /// Takes the user's own playbook instead of the embedded one of the same name.
    pub fn set_playbook(&mut self, path: String, text: String) {
        self.own[0].insert(path.clone());
        self.playbooks.insert(path, text);
    }

    /// Takes the user's own template instead of the embedded one of the same name.
    pub fn set_template(&mut self, path: String, text: String) {
        self.own[1].insert(path.clone());
        self.templates.insert(path, text);
    }

    pub(super) fn playbook(&self, name: &str) -> Result<&str, Problem> {
        let found = self.playbooks.get(&format!("{name}.yml"));
        found
            .map(String::as_str)
            .ok_or_else(|| problem!(Code::PLAYBOOK_INVALID, "there is no playbook {name}.yml"))
    }

    /// Refuses a file of the user's that would change nothing: a playbook that no stage names, and a
    /// template that nothing names and that is called as one in another folder.
    pub(super) fn all_are_used(&self, playbooks: &BTreeSet<String>) -> Result<(), Problem> {
        let site = format!("{}/site", self.distribution.rules.product().name);
        let [own, templates] = &self.own;
        let is_named = |path: &str| path == site || playbooks.contains(path);
        let idle = own
            .iter()
            .find(|path| !is_named(path.trim_end_matches(".yml")));
        if let Some(path) = idle {
            let problem = problem!(
                Code::OVERRIDES_INVALID,
                "playbooks/{path}: no stage names this playbook"
            );
            let known: Vec<_> = playbooks.iter().map(String::as_str).collect();
            return Err(problem
                .because(format!("towline's are {site}, {}", known.join(", ")))
                .next(format!("rename it, or add a stage to playbooks/{site}.yml")));
        }
        let texts = || self.playbooks.values().chain(self.templates.values());
        let file = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        for path in templates {
            let others = self.templates.keys().filter(|other| *other != path);
            let twin = others.clone().find(|other| file(other) == file(path));
            let name = ["\"", ",", "}", "\n"].map(|end| match end {
                "\"" => format!("\"{path}\""),
                end => format!(" {path}{end}"),
            });
            let is_named = texts().any(|text| name.iter().any(|name| text.contains(name)));
            if let Some(twin) = twin.filter(|_| !is_named) {
                return Err(problem!(
                    Code::OVERRIDES_INVALID,
                    "templates/{path}: nothing names this template"
                )
                .next(format!("towline's is templates/{twin}")));
            }
        }
        Ok(())
    }

    pub(super) fn templates(&self) -> impl Iterator<Item = (&str, &str)> {
        self.templates
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
    }
}
