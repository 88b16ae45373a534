//! The host that k0sctl connects to another one through.

use serde_json::Value;

use super::K0sctlConversion;
use crate::convert::placed::Located;
use crate::inventory::YamlNode;

impl K0sctlConversion<'_> {
    /// The bastion of a host's `ssh`, as towline names it. k0sctl logs in to it as root unless told.
    pub(super) fn bastion(&mut self, ssh: &YamlNode) -> Option<Located<Value>> {
        let bastion = ssh.get("bastion")?;
        let Located { value, at } = self.text(bastion, "address")?;
        let mut part = |key| self.text(bastion, key).map(|said| said.value);
        let user = part("user").unwrap_or_else(|| "root".to_owned());
        let port = part("port").filter(|port| port != "22");
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let address = if value.contains(':') {
            format!("[{value}]")
        } else {
            value
        };
        let value = format!("{user}@{address}{port}").into();
        Some(Located { value, at })
    }
}
