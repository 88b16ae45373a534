//! A datastore outside the cluster, as the servers are told of it.

use serde_json::{Value, json};

use crate::cluster::Situation;
use crate::distribution::{Settings, external};
use crate::inventory::ExternalDatastore;

/// What config.yaml says of it.
pub(super) fn settings(datastore: &ExternalDatastore) -> Settings {
    let keys = [
        "datastore-cafile",
        "datastore-certfile",
        "datastore-keyfile",
    ];
    let files = keys.into_iter().zip(external::files(datastore, FOLDER));
    let files = files.filter_map(|(key, file)| Some((key.to_owned(), json!(file?.0))));
    let endpoint = json!(datastore.endpoint.expose());
    files
        .chain([("datastore-endpoint".to_owned(), endpoint)])
        .collect()
}

/// The files that a server is brought, each with `path` and `content`.
pub(super) fn brought(situation: &Situation<'_>) -> Vec<Value> {
    let datastore = situation.inventory.cluster.datastore_endpoint.as_ref();
    let files = datastore.map(|datastore| external::files(datastore, FOLDER));
    let files = files.into_iter().flatten().flatten();
    files
        .map(|(path, content)| json!({"path": path, "content": content}))
        .collect()
}

/// The folder of its files.
const FOLDER: &str = "/etc/rancher/k3s";
