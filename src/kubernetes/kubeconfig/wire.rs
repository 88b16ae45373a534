//! The kubeconfig as it stands in a file: a tree, so that what towline does not know of one stays in it.

use serde_json::{Map, Value, json};

use super::Kubeconfig;
use crate::vars::Secret;

/// A kubeconfig as its keys.
pub(super) type YamlTree = Map<String, Value>;

/// The lists of a kubeconfig, with the key under which each entry's content stands.
pub(super) const LISTS: [(&str, &str); 3] = [
    ("clusters", "cluster"),
    ("contexts", "context"),
    ("users", "user"),
];

/// What a client would do with these keys of a cluster or user, which no server's kubeconfig needs.
const REFUSED: [(&str, &str); 13] = [
    ("exec", "would run a program on this machine"),
    ("auth-provider", "would run a plug-in on this machine"),
    ("client-certificate", "refers to a file"),
    ("client-key", "refers to a file"),
    ("tokenFile", "refers to a file"),
    ("certificate-authority", "refers to a file"),
    ("token", NO_CERTIFICATE),
    ("username", NO_CERTIFICATE),
    ("password", NO_CERTIFICATE),
    ("as", "would act as another user"),
    ("insecure-skip-tls-verify", "would trust any server"),
    ("proxy-url", "would send requests elsewhere"),
    ("tls-server-name", "would accept another server's name"),
];

const NO_CERTIFICATE: &str = "is not a client certificate, which is expected here";

/// The text of a file as a tree; one of nothing has no keys. An error is a sentence that holds nothing of
/// the content: the line that is wrong may well be the one with the private key.
pub(super) fn tree(text: &str) -> Result<YamlTree, String> {
    if text.trim().is_empty() {
        return Ok(YamlTree::new());
    }
    let options = serde_yaml::options! {
        with_snippet: false,
        strict_booleans: true,
    };
    let tree = match serde_yaml::from_str_with_options::<Value>(text, options) {
        Ok(tree) => tree,
        Err(error) => {
            let place = error.location();
            let place = place.map(|place| format!(", line {}", place.line()));
            return Err(format!("it is not YAML{}", place.unwrap_or_default()));
        }
    };
    let lists = LISTS.map(|(list, _)| tree.get(list));
    let is_list = |list: &Value| list.is_array() || list.is_null();
    match &tree {
        Value::Object(keys)
            if lists.iter().flatten().count() > 0 && lists.into_iter().flatten().all(is_list) =>
        {
            Ok(keys.clone())
        }
        _ => Err("it is not a kubeconfig".into()),
    }
}

/// The entries of one of [`LISTS`].
pub(super) fn entries<'a>(tree: &'a YamlTree, list: &str) -> impl Iterator<Item = &'a Value> {
    let list = tree.get(list).and_then(Value::as_array);
    list.into_iter().flatten()
}

/// What an entry is called.
pub(super) fn name(entry: &Value) -> Option<&str> {
    entry.get("name")?.as_str()
}

/// Reads a tree of one cluster, one user and one context. An error is a sentence, as for [`tree`].
pub(super) fn read(tree: &YamlTree) -> Result<Kubeconfig, String> {
    if tree.get("kind").is_some_and(|kind| kind != "Config") {
        return Err("its `kind` is not `Config`".into());
    }
    let mut found = Vec::new();
    for (list, key) in LISTS {
        let entries: Vec<_> = entries(tree, list).collect();
        let [entry] = entries[..] else {
            return Err(match entries.len() {
                0 => format!("it has no `{list}`"),
                more => format!("it has {more} `{list}` and only one is expected"),
            });
        };
        let content = entry.get(key).and_then(Value::as_object);
        let (Some(name), Some(content)) = (name(entry), content) else {
            return Err(format!(
                "the entry of its `{list}` lacks a `name` or a `{key}`"
            ));
        };
        found.push((name, content));
    }
    let (cluster, context, user) = (&found[0], &found[1], &found[2]);
    if context.1.get("cluster") != Some(&json!(cluster.0))
        || context.1.get("user") != Some(&json!(user.0))
    {
        return Err("its context names a cluster or user that is not in it".into());
    }
    let current = tree.get("current-context").and_then(Value::as_str);
    if current.is_some_and(|current| !current.is_empty() && current != context.0) {
        return Err("its `current-context` names a context that is not in it".into());
    }
    let is_set = |content: &YamlTree, key| {
        !matches!(
            content.get(key),
            None | Some(Value::Null | Value::Bool(false))
        )
    };
    let refused = REFUSED
        .iter()
        .find(|(key, _)| is_set(cluster.1, *key) || is_set(user.1, *key));
    if let Some((key, why)) = refused {
        return Err(format!("its `{key}` {why}"));
    }
    // Base64 without the line breaks that some writers put in.
    let data = |content: &YamlTree, key: &str| {
        let value = content.get(key).and_then(Value::as_str).unwrap_or_default();
        let value: String = value.split_ascii_whitespace().collect();
        if value.is_empty() {
            Err(format!("it has no `{key}`"))
        } else {
            Ok(value)
        }
    };
    let server = cluster.1.get("server").and_then(Value::as_str);
    Ok(Kubeconfig {
        context: context.0.to_owned(),
        server: server.unwrap_or_default().to_owned(),
        certificate_authority: data(cluster.1, "certificate-authority-data")?,
        client_certificate: data(user.1, "client-certificate-data")?,
        client_key: Secret::new(&data(user.1, "client-key-data")?),
    })
}

/// A kubeconfig as a tree, laid out as k3s itself does.
pub(super) fn written(kubeconfig: &Kubeconfig) -> YamlTree {
    let user = json!({
        "client-certificate-data": kubeconfig.client_certificate,
        "client-key-data": kubeconfig.client_key.expose(),
    });
    laid_out(kubeconfig, &kubeconfig.context, None, &user)
}

/// The same with a context of another name, in a namespace, for another user of the cluster.
pub(super) fn laid_out(
    of_cluster: &Kubeconfig,
    name: &str,
    namespace: Option<&str>,
    user: &Value,
) -> YamlTree {
    let cluster = json!({
        "certificate-authority-data": of_cluster.certificate_authority,
        "server": of_cluster.server,
    });
    let mut context = json!({"cluster": name, "user": name});
    if let Some(namespace) = namespace {
        context["namespace"] = json!(namespace);
    }
    YamlTree::from_iter([
        ("apiVersion".into(), json!("v1")),
        (
            "clusters".into(),
            json!([{"cluster": cluster, "name": name}]),
        ),
        (
            "contexts".into(),
            json!([{"context": context, "name": name}]),
        ),
        ("current-context".into(), json!(name)),
        ("kind".into(), json!("Config")),
        ("users".into(), json!([{"name": name, "user": user}])),
    ])
}

/// The text of a file: long base64 on its one line, as every other tool writes it.
pub(super) fn to_yaml(tree: &YamlTree) -> Result<String, String> {
    let options = serde_yaml::ser_options! { prefer_block_scalars: false };
    serde_yaml::to_string_with_options(tree, options).map_err(|error| error.to_string())
}
