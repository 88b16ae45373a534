//! The folders that k3s is told to use on a host: those that go with it, and those that stay.

use std::path::Path;

use serde_json::Value;

use super::dialect::DIALECT;
use super::effective::{configured_data_dir, effective_config};
use crate::cluster::Folders;
use crate::cluster::rules::Belongings;
use crate::facts::Facts;
use crate::inventory::{DataDir, external_datastore};
use crate::vars::names_a_secret;

/// Where k3s has its data on a host, by what is there and by what k3s is told there: a folder that
/// only the inventory names may be the user's own.
pub(super) fn folders(facts: &Facts) -> Belongings {
    let mut told = Belongings {
        folders: Folders::usual(DIALECT.data_dir()),
        left: Vec::new(),
        unread: None,
    };
    if facts.has_data() {
        told.folders.data = facts.node.data_dir.clone();
    } else {
        match configured_data_dir(facts) {
            Ok(Some(folder)) => told.folders.data = folder,
            Ok(None) => {}
            Err(why) => told.unread = Some(why),
        }
    }
    let settings = match effective_config(facts) {
        Ok(settings) => settings,
        Err(why) => {
            told.unread = Some(format!("which folders k3s uses cannot be read: {why}"));
            return told;
        }
    };
    told.folders.kubelet = kubelet(&settings);
    for (key, value) in &settings {
        let texts = texts(value);
        for text in texts.filter(|text| !names_a_secret(key) && !text.contains(char::is_control)) {
            let (name, path) = match text.split_once('=') {
                Some((name, path)) if !text.starts_with('/') => (format!("{key} {name}"), path),
                _ => (key.clone(), text),
            };
            let one = format!("{path} ({name})");
            if path.starts_with('/') && !covers(&told.folders, path) && !told.left.contains(&one) {
                told.left.push(one);
            }
        }
    }
    let endpoint = settings.get("datastore-endpoint").and_then(Value::as_str);
    let datastore = endpoint.and_then(external_datastore);
    told.left.extend(datastore.map(|datastore| {
        format!(
            "the cluster's data in {} (datastore-endpoint)",
            datastore.shown()
        )
    }));
    // The folder of the data itself goes when nothing else is in it.
    let data = format!("{} (data-dir)", told.folders.data);
    told.left.retain(|one| *one != data);
    told
}

/// Whether a reset takes away what is at this path.
fn covers(folders: &Folders, path: &str) -> bool {
    let usual = ["/etc/rancher/k3s", "/run/k3s", "/var/lib/rancher/k3s"];
    let own = usual
        .into_iter()
        .chain([Folders::KUBELET, folders.kubelet()]);
    let own = own.map(str::to_owned);
    let data = ["agent", "data", "server", "storage"];
    let data = data.map(|name| format!("{}/{name}", folders.data));
    own.chain(data)
        .any(|folder| Path::new(path).starts_with(folder))
}

/// The kubelet's folder as settings of k3s name it, where it is another than the usual one and one
/// that towline works with.
pub(super) fn kubelet<'a, T>(settings: T) -> Option<DataDir>
where
    T: IntoIterator<Item = (&'a String, &'a Value)>,
{
    let mut settings = settings.into_iter();
    let (_, arguments) = settings.find(|(key, _)| *key == "kubelet-arg")?;
    let folder = |text: &'a str| text.trim_start_matches('-').strip_prefix("root-dir=");
    let folder = texts(arguments).filter_map(folder).last()?;
    folder.parse().ok()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    let one = value.as_str().into_iter();
    let many = value.as_array().into_iter().flatten();
    one.chain(many.filter_map(Value::as_str))
}
