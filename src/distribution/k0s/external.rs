//! A datastore outside the cluster, as controllers are told of it: by kine, which k0s starts for all of them but etcd.

use serde_json::{Value, json};

use super::keys::{is_single, spec};
use super::told::own_yaml;
use crate::cluster::Situation;
use crate::distribution::external;
use crate::facts::Facts;
use crate::inventory::{DatastoreProduct, ExternalDatastore, Inventory, Remark};
use crate::vars::Origin;

/// The folder of its files.
const FOLDER: &str = "/etc/k0s";

/// The prefix of Kubernetes' own keys in an etcd; k0s asks for one.
const PREFIX: &str = "/registry";

/// What `spec.storage` says of it, beside what the inventory has there.
pub(super) fn storage(datastore: &ExternalDatastore) -> Vec<(String, Value)> {
    let endpoint = datastore.endpoint.expose();
    let (kind, place, keys) = if datastore.product == DatastoreProduct::Etcd {
        let keys = ["caFile", "clientCertFile", "clientKeyFile"];
        ("etcd", "/storage/etcd/externalCluster", keys)
    } else {
        let keys = ["ca-file", "cert-file", "key-file"];
        ("kine", "/storage/kine/extraArgs", keys)
    };
    let mut all = vec![("/storage/type".to_owned(), json!(kind))];
    if kind == "etcd" {
        let endpoints: Vec<_> = endpoint.split(',').collect();
        all.push((format!("{place}/endpoints"), json!(endpoints)));
        all.push((format!("{place}/etcdPrefix"), json!(PREFIX)));
    } else {
        all.push((
            "/storage/kine/dataSource".to_owned(),
            json!(source(datastore)),
        ));
    }
    let files = keys.into_iter().zip(external::files(datastore, FOLDER));
    all.extend(files.filter_map(|(key, file)| Some((format!("{place}/{key}"), json!(file?.0)))));
    all
}

/// What kine is told. k0s takes a NATS that might be inside of kine for one controller's own.
fn source(datastore: &ExternalDatastore) -> String {
    let endpoint = datastore.endpoint.expose();
    if datastore.product != DatastoreProduct::Nats || endpoint.contains("noEmbed") {
        return endpoint.to_owned();
    }
    let before = if endpoint.contains('?') { '&' } else { '?' };
    format!("{endpoint}{before}noEmbed=true")
}

/// The files that a controller is brought, each with `path` and `content`.
pub(super) fn brought(situation: &Situation<'_>) -> Vec<Value> {
    let datastore = situation.inventory.cluster.datastore_endpoint.as_ref();
    let files = datastore.map(|datastore| external::files(datastore, FOLDER));
    let files = files.into_iter().flatten().flatten();
    files
        .map(|(path, content)| json!({"path": path, "content": content}))
        .collect()
}

/// The datastore that a controller is told of, as an endpoint. It may hold a password.
pub(super) fn told(facts: &Facts) -> Option<String> {
    let yaml = own_yaml(facts).ok()?;
    let storage = yaml.pointer("/spec/storage")?;
    if storage.get("type") == Some(&json!("kine")) {
        let source = storage.pointer("/kine/dataSource")?.as_str()?;
        return (!source.starts_with("sqlite://")).then(|| source.to_owned());
    }
    let endpoints = storage
        .pointer("/etcd/externalCluster/endpoints")?
        .as_array()?;
    let endpoints: Option<Vec<_>> = endpoints.iter().map(Value::as_str).collect();
    Some(endpoints?.join(","))
}

/// What the user should know of its password.
pub(super) fn note(inventory: &Inventory) -> Option<String> {
    let datastore = inventory.cluster.datastore_endpoint.as_ref()?;
    let is_kine = datastore.product != DatastoreProduct::Etcd;
    is_kine.then(|| "k0s hands the datastore's endpoint to its kine as an argument: every user of a controller can read the password in it, by  ps".to_owned())
}

/// What k0s would not take.
pub(super) fn remarks(inventory: &Inventory) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut add = |key: &str, origin: Option<Origin>, message: String, help: &str| {
        remarks.push(Remark {
            section: "config",
            key: key.to_owned(),
            origin,
            message,
            help: Some(help.to_owned()),
        });
    };
    for path in [
        "/storage/type",
        "/storage/kine/dataSource",
        "/storage/etcd/externalCluster",
    ] {
        if spec(inventory, path).is_some_and(|said| said != "etcd") {
            let path = path.replace('/', ".");
            let help = "say it with `datastore_endpoint` under `cluster`: {env: NAME}, {file: PATH} or {command: […]} keeps its password out of this file";
            add(
                "spec",
                None,
                format!("`spec{path}` does not belong into `config`"),
                help,
            );
        }
    }
    let Some(datastore) = &inventory.cluster.datastore_endpoint else {
        return remarks;
    };
    let mut said = inventory.said.iter();
    let said = said.find(|(path, _)| path.starts_with("cluster.datastore_endpoint"));
    let origin = said.map(|(_, said)| said.origin.clone());
    let count = external::files(datastore, FOLDER).iter().flatten().count();
    if datastore.product == DatastoreProduct::Etcd && !matches!(count, 0 | 3) {
        let message = "k0s takes an etcd outside with all three of its files, or with none";
        let help =
            "name `datastore_ca_file`, `datastore_certificate_file` and `datastore_key_file`";
        add("", origin.clone(), message.to_owned(), help);
    }
    if let Some(host) = inventory.hosts.iter().find(|host| is_single(host)) {
        let message = format!(
            "{} is a `single`, which keeps its data in sqlite",
            host.name
        );
        add(
            "role",
            Some(host.role.origin.clone()),
            message,
            "write `role: server`",
        );
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::bare;
    use crate::distribution::k0s::meaning::set;
    use crate::distribution::k0s::tests::read;
    use crate::inventory::external_datastore;
    use crate::vars::Secret;

    #[test]
    fn controllers_are_told_of_kine_or_of_an_etcd_and_tell_it_again() {
        for (endpoint, expected) in [
            (
                "postgres://a:b@10.0.0.9/k0s",
                json!({"type": "kine", "kine": {"dataSource": "postgres://a:b@10.0.0.9/k0s", "extraArgs": {"ca-file": "/etc/k0s/datastore-ca.crt"}}}),
            ),
            (
                "nats://a:b@10.0.0.9",
                json!({"type": "kine", "kine": {"dataSource": "nats://a:b@10.0.0.9?noEmbed=true", "extraArgs": {"ca-file": "/etc/k0s/datastore-ca.crt"}}}),
            ),
            (
                "https://10.0.0.8:2379,https://10.0.0.9:2379",
                json!({"type": "etcd", "etcd": {"externalCluster": {
                    "endpoints": ["https://10.0.0.8:2379", "https://10.0.0.9:2379"],
                    "etcdPrefix": "/registry", "caFile": "/etc/k0s/datastore-ca.crt",
                }}}),
            ),
        ] {
            let mut datastore = external_datastore(endpoint).expect("an endpoint");
            datastore.ca = Some(Secret::new("-----BEGIN CERTIFICATE-----"));
            let mut spec = Value::Null;
            for (path, value) in storage(&datastore) {
                set(&mut spec, &path, value);
            }
            assert_eq!(spec["storage"], expected);
            let mut facts = bare("m1", "10.0.0.1");
            facts.node.config = Some(Secret::new(&json!({"spec": spec}).to_string()));
            assert_eq!(told(&facts), Some(source(&datastore)));
        }
    }

    #[test]
    fn what_k0s_would_not_take_is_refused_with_its_place() {
        let wrong = |cluster: &str, role: &str| {
            let text = format!(
                "cluster:\n  distribution: k0s\n{cluster}\nhosts: {{m1: {{address: 10.0.0.1, role: {role}}}}}\n"
            );
            read(&text).expect_err("a mistake")
        };
        let said = wrong("  config: {spec: {storage: {type: kine}}}", "server");
        assert!(
            said.contains("`spec.storage.type` does not belong into `config`"),
            "{said}"
        );
        assert!(said.contains("k0s.yaml:3:"), "{said}");
        let said = wrong(
            "  datastore_endpoint: postgres://a:hunter2@10.0.0.9/k0s",
            "single",
        );
        assert!(
            said.contains("m1 is a `single`, which keeps its data in sqlite"),
            "{said}"
        );
        assert!(
            said.contains("k0s.yaml:4:") && !said.contains("hunter2"),
            "{said}"
        );
    }
}
