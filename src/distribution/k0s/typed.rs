//! What a typed line of k0s means in an inventory, and what a controller that is joined says for it.

use serde_json::{Map, Value, json};

use super::flags::words;
use super::keys::of_towline;
use super::meaning::{set, values};
use super::rules::SHARED;
use super::told::{own_flags, own_yaml};
use crate::distribution::{PlacedFlags, Settings};
use crate::facts::Facts;

/// Takes the flags out that have a place of their own in an inventory.
pub(super) fn placed(settings: &mut Settings) -> PlacedFlags {
    let mut take = |key: &str| settings.remove(key);
    let mut host = Map::new();
    let labels = take("labels");
    let labels = labels.iter().flat_map(words).map(|label| {
        let (key, value) = label.split_once('=').unwrap_or((&label, ""));
        (key.to_owned(), json!(value))
    });
    host.insert("labels".into(), Value::Object(labels.collect()));
    let taints = take("taints");
    let taints: Vec<_> = taints.iter().flat_map(words).collect();
    host.insert("taints".into(), json!(taints));
    // A disk is one machine's, not the cluster's.
    let config = take("data-dir").map(|folder| ("data-dir".to_owned(), folder));
    host.insert("config".into(), Value::Object(config.into_iter().collect()));
    host.retain(|_, value| value.as_object().is_none_or(|keys| !keys.is_empty()));
    PlacedFlags {
        cluster: Map::new(),
        host,
    }
}

/// What all controllers of a cluster share, as this one has it.
///
/// # Errors
/// Why its k0s.yaml cannot be read.
pub(super) fn shared_on(facts: &Facts) -> Result<Settings, String> {
    let mut shared = own_flags(facts);
    shared.retain(|key, value| SHARED.contains(&key.as_str()) && *value != false);
    let yaml = own_yaml(facts).map_err(|why| format!("/etc/k0s/k0s.yaml {why}"))?;
    let mut spec = Value::Null;
    for (path, value) in values(yaml.get("spec").unwrap_or(&Value::Null)) {
        // Names have a place of their own, and where the data is follows from the role.
        let is_placed = ["/api/sans", "/storage/type"].contains(&path.as_str());
        if !is_placed && of_towline(&path).is_none() {
            set(&mut spec, &path, value.clone());
        }
    }
    if !spec.is_null() {
        shared.insert("spec".to_owned(), spec);
    }
    Ok(shared)
}

/// What this controller is.
pub(super) fn role_on(facts: &Facts) -> &'static str {
    let flags = own_flags(facts);
    let is_on = |key| flags.get(key) == Some(&Value::Bool(true));
    match (is_on("enable-worker"), is_on("no-taints")) {
        _ if is_on("single") => "single",
        (true, true) => "server",
        (true, false) => "controller+worker",
        (false, _) => "controller",
    }
}

/// The names in a controller's certificate that are not its own addresses: those of its cluster.
pub(super) fn certificate_names(facts: &Facts) -> Vec<String> {
    let yaml = own_yaml(facts).unwrap_or_default();
    let names = yaml
        .pointer("/spec/api/sans")
        .map(words)
        .unwrap_or_default();
    let is_own = |name: &String| name.parse().is_ok_and(|ip| facts.has_address(ip));
    names.into_iter().filter(|name| !is_own(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::bare;
    use crate::facts::DropIn;
    use crate::vars::Secret;

    #[test]
    fn a_controller_that_is_joined_says_what_all_share() {
        let mut facts = bare("m1", "10.0.0.1");
        let yaml = "spec:\n  api: {address: 10.0.0.1, port: 6443, k0sApiPort: 9443, sans: [10.0.0.1, k8s.example.org]}\n  storage: {type: etcd, etcd: {peerAddress: 10.0.0.1}}\n  network: {provider: calico}\n";
        facts.node.config = Some(Secret::new(yaml));
        let unit = "[Service]\nExecStart=/usr/local/bin/k0s controller --enable-worker --labels=a=b --disable-components=autopilot,helm\n";
        facts.node.drop_ins = vec![DropIn {
            name: "k0scontroller.service".into(),
            text: Secret::new(unit),
        }];
        assert_eq!(
            json!(shared_on(&facts).expect("it can be read")),
            json!({
                "disable-components": ["autopilot", "helm"],
                "spec": {"network": {"provider": "calico"}},
            })
        );
        assert_eq!(certificate_names(&facts), ["k8s.example.org"]);
        assert_eq!(role_on(&facts), "controller+worker");
        facts.node.config = Some(Secret::new("{"));
        let why = shared_on(&facts).expect_err("it is cut off");
        assert_eq!(why, "/etc/k0s/k0s.yaml cannot be read as YAML");
    }
}
