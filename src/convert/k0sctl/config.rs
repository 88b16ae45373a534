//! What k0s.yaml says, in k0sctl's file or beside it.

use std::net::IpAddr;

use serde_json::json;

use super::{K0sctlConversion, environment, in_our_form};
use crate::convert::Place;
use crate::convert::placed::Located;
use crate::distribution::k0s::keys::of_towline;
use crate::inventory::{YamlNode, YamlValue};

impl K0sctlConversion<'_> {
    /// What k0s.yaml says.
    pub(super) fn config(&mut self, config: &YamlNode) {
        for known in ["apiVersion", "kind", "metadata"] {
            self.reading.take(config, known);
        }
        let Some(spec) = config.entries().iter().find(|entry| entry.key == "spec") else {
            return;
        };
        if let Some(api) = spec.value.get("api")
            && let Some(entry) = self.reading.take(api, "sans")
        {
            let at = self.reading.at(entry);
            for (name, _) in entry.value.texts() {
                match environment(name) {
                    Ok(name) => self.making.tls_san(&name, &at),
                    Err(why) => self.making.leave(&at, format!("`sans` {why}")),
                }
            }
        }
        if matches!(spec.value.tree, YamlValue::Map(_)) {
            self.spec(&spec.value, &mut Vec::new());
            self.reading.take(config, "spec");
        }
    }

    /// Each value of k0s.yaml by its path below `spec`.
    fn spec(&mut self, node: &YamlNode, path: &mut Vec<String>) {
        for entry in node.entries() {
            path.push(entry.key.clone());
            let at = self.reading.at(entry);
            let dotted = path.join(".");
            let why = of_towline(&format!("/{}", path.join("/")));
            let is_map =
                matches!(&entry.value.tree, YamlValue::Map(entries) if !entries.is_empty());
            if dotted == "api.sans" {
                // It stands where towline has it.
            } else if let Some(why) = why {
                let usual = ["6443", "9443"];
                let text = entry.value.text().map(str::to_owned);
                let text = text.or_else(|| match entry.value.tree {
                    YamlValue::Whole(number) => Some(number.to_string()),
                    _ => None,
                });
                if !(dotted.ends_with("ort") && text.is_some_and(|port| usual.contains(&&*port))) {
                    self.making.leave(&at, format!("`{dotted}`: {why}"));
                }
            } else if is_map {
                self.spec(&entry.value, path);
            } else {
                let mut value = self.reading.value(&entry.value);
                match in_our_form(&mut value) {
                    Ok(()) => {
                        if dotted == "api.externalAddress"
                            && let Some(name) = value.as_str()
                            && (!name.contains(':') || name.parse::<IpAddr>().is_ok())
                        {
                            let said = Located::new(json!(name), &at);
                            self.making.cluster.insert("endpoint", said);
                        }
                        self.making.spec.push((path.clone(), Located { value, at }));
                    }
                    Err(why) => self.making.leave(&at, format!("`{dotted}` {why}")),
                }
            }
            path.pop();
        }
    }

    /// towline would give workers a balancer of their own; k0sctl leaves them without.
    pub(super) fn balancer(&mut self, at: &Place) {
        let is_said = |start: &str| {
            let mut said = self.making.spec.iter();
            said.any(|(path, _)| path.join(".").starts_with(start))
        };
        let is_other = [
            "network.nodeLocalLoadBalancing",
            "network.controlPlaneLoadBalancing",
            "api.externalAddress",
        ]
        .into_iter()
        .any(is_said);
        if !is_other && self.making.servers().count() > 1 {
            let path = ["network", "nodeLocalLoadBalancing", "enabled"].map(str::to_owned);
            let off = Located::new(json!(false), at);
            self.making.spec.push((path.into(), off));
            let what = "`network.nodeLocalLoadBalancing` is not said, so workers know one controller alone; towline would give them a balancer, and the inventory leaves it off: see docs/k0s.md";
            self.making.leave(at, what);
        }
    }
}
