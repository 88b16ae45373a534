//! The text of a new inventory, with comments on how to go on.

use std::fmt::Write as _;
use std::path::Path;

use super::InitAnswers;
use crate::cluster::in_flags;
use crate::inventory::literal;
use crate::problem::{Code, Problem};

impl InitAnswers {
    /// The file's text.
    ///
    /// # Errors
    /// A value that YAML cannot hold.
    pub fn text(&self, file: &Path) -> Result<String, Problem> {
        let flags = in_flags(&[file.to_owned()]);
        let mut text = format!(
            "\
# Which machines are a cluster, and how to reach them. Every key:  docs/inventory.md
#
#   towline plan {flags}      shows what a deploy would do, and touches nothing
#   towline deploy {flags}    makes the machines a cluster, or keeps them one

cluster:
  name: {}
  # Exactly this version; without it, what the channel `stable` names when the cluster is made:
  # version: v1.36.3+k3s1
  # The address that clients use, where it is not the first server's:
  # endpoint: k8s.example.org
  # For every server's config.yaml:
  # config: {{disable: [traefik]}}

# How to reach the machines; one of them may say otherwise, under its name.
ssh:
  # One other than root needs sudo; where that asks for a password, towline takes --ask-become-pass.
  user: {}
",
            scalar(&self.name)?,
            scalar(&self.user)?,
        );
        match &self.key {
            Some(key) => {
                let _ = writeln!(text, "  key: {}", scalar(key)?);
            }
            None => text.push_str("  # key: ~/.ssh/id_ed25519\n"),
        }
        text.push_str(
            "
# A server runs the control plane (and workloads), an agent workloads only. Where the machines reach
# each other at another address, as behind NAT, it is their  private_address: 10.0.0.1
hosts:
",
        );
        for host in &self.hosts {
            let role = if host.is_server { "server" } else { "agent" };
            let _ = writeln!(
                text,
                "  {}:\n    address: {}\n    role: {role}",
                scalar(&host.name)?,
                scalar(&host.address)?,
            );
        }
        Ok(text)
    }
}

/// A text as a value in YAML.
fn scalar(text: &str) -> Result<String, Problem> {
    let scalar = serde_yaml::to_string(&literal(text));
    let scalar = scalar.map_err(|error| Problem::new(Code::INTERNAL, error.to_string()))?;
    Ok(scalar.trim_end().to_owned())
}
