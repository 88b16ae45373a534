//! The kubeconfig as it stands in a file.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::Kubeconfig;
use crate::vars::Secret;

/// What is read from a file.
pub(super) struct Read {
    pub context: String,
    pub server: String,
    pub certificate_authority: String,
    pub client_certificate: String,
    pub client_key: Secret,
}

#[derive(Deserialize)]
struct Source {
    kind: Option<String>,
    clusters: Option<Vec<NamedCluster>>,
    users: Option<Vec<NamedUser>>,
    contexts: Option<Vec<NamedContext>>,
    #[serde(rename = "current-context")]
    current_context: Option<String>,
}

#[derive(Deserialize)]
struct NamedCluster {
    name: String,
    cluster: SourceCluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SourceCluster {
    server: String,
    certificate_authority_data: Option<String>,
    certificate_authority: Option<IgnoredAny>,
    insecure_skip_tls_verify: Option<bool>,
    proxy_url: Option<IgnoredAny>,
    tls_server_name: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: SourceUser,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct SourceUser {
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    client_certificate: Option<IgnoredAny>,
    client_key: Option<IgnoredAny>,
    token: Option<IgnoredAny>,
    #[serde(rename = "tokenFile")]
    token_file: Option<IgnoredAny>,
    username: Option<IgnoredAny>,
    password: Option<IgnoredAny>,
    exec: Option<IgnoredAny>,
    auth_provider: Option<IgnoredAny>,
    #[serde(rename = "as")]
    impersonate: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct NamedContext {
    name: String,
    context: SourceContext,
}

#[derive(Deserialize)]
struct SourceContext {
    cluster: String,
    user: String,
}

/// Reads the text of a file. An error is a sentence that holds nothing of the content: the line
/// that is wrong may well be the one with the private key.
pub(super) fn read(source: &str) -> Result<Read, String> {
    let options = serde_yaml::options! {
        with_snippet: false,
        strict_booleans: true,
    };
    let source: Source = serde_yaml::from_str_with_options(source, options).map_err(|error| {
        match error.location() {
            Some(place) => format!(
                "it is not a kubeconfig in YAML: line {}, column {} is not what is expected there",
                place.line(),
                place.column()
            ),
            None => "it is not a kubeconfig in YAML".to_owned(),
        }
    })?;
    if source.kind.is_some_and(|kind| kind != "Config") {
        return Err("its `kind` is not `Config`".to_owned());
    }
    let NamedCluster {
        name: cluster_name,
        cluster,
    } = only("clusters", source.clusters)?;
    let NamedUser {
        name: user_name,
        user,
    } = only("users", source.users)?;
    let NamedContext { name, context } = only("contexts", source.contexts)?;
    if context.cluster != cluster_name || context.user != user_name {
        return Err("its context names a cluster or user that is not in it".to_owned());
    }
    if source
        .current_context
        .is_some_and(|current| !current.is_empty() && current != name)
    {
        return Err("its `current-context` names a context that is not in it".to_owned());
    }

    let refused = [
        (
            user.exec.is_some(),
            "exec",
            "would run a program on this machine",
        ),
        (
            user.auth_provider.is_some(),
            "auth-provider",
            "would run a plug-in on this machine",
        ),
        (
            user.client_certificate.is_some(),
            "client-certificate",
            "refers to a file",
        ),
        (user.client_key.is_some(), "client-key", "refers to a file"),
        (user.token_file.is_some(), "tokenFile", "refers to a file"),
        (
            cluster.certificate_authority.is_some(),
            "certificate-authority",
            "refers to a file",
        ),
        (
            user.token.is_some(),
            "token",
            "is not a client certificate, which is expected here",
        ),
        (
            user.username.is_some() || user.password.is_some(),
            "username",
            "is not a client certificate, which is expected here",
        ),
        (
            user.impersonate.is_some(),
            "as",
            "would act as another user",
        ),
        (
            cluster.insecure_skip_tls_verify == Some(true),
            "insecure-skip-tls-verify",
            "would trust any server",
        ),
        (
            cluster.proxy_url.is_some(),
            "proxy-url",
            "would send requests elsewhere",
        ),
        (
            cluster.tls_server_name.is_some(),
            "tls-server-name",
            "would accept another server's name",
        ),
    ];
    if let Some((_, key, why)) = refused.iter().find(|(found, ..)| *found) {
        return Err(format!("its `{key}` {why}"));
    }
    let present = |key: &str, value: Option<String>| {
        value
            .filter(|value| !value.trim().is_empty())
            .ok_or_else(|| format!("it has no `{key}`"))
    };
    Ok(Read {
        context: name,
        server: cluster.server,
        certificate_authority: present(
            "certificate-authority-data",
            cluster.certificate_authority_data,
        )?,
        client_certificate: present("client-certificate-data", user.client_certificate_data)?,
        client_key: Secret::new(&present("client-key-data", user.client_key_data)?),
    })
}

fn only<T>(key: &str, entries: Option<Vec<T>>) -> Result<T, String> {
    let mut entries = entries.unwrap_or_default();
    match (entries.pop(), entries.len()) {
        (Some(entry), 0) => Ok(entry),
        (None, _) => Err(format!("it has no `{key}`")),
        (Some(_), more) => Err(format!(
            "it has {} `{key}` and only one is expected",
            more + 1
        )),
    }
}

/// Names of the contexts in any kubeconfig, however it authenticates; `None` when the text is no
/// kubeconfig. An empty file has no contexts.
pub(super) fn context_names(source: &str) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    struct Any {
        contexts: Option<Vec<Named>>,
        clusters: Option<Vec<Named>>,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    if source.trim().is_empty() {
        return Some(Vec::new());
    }
    let any: Any = serde_yaml::from_str(source).ok()?;
    (any.contexts.is_some() || any.clusters.is_some()).then(|| {
        any.contexts
            .unwrap_or_default()
            .into_iter()
            .map(|context| context.name)
            .collect()
    })
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct File<'a> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    clusters: [ClusterEntry<'a>; 1],
    contexts: [ContextEntry<'a>; 1],
    current_context: &'a str,
    kind: &'static str,
    users: [UserEntry<'a>; 1],
}

/// One entry of `clusters`.
#[derive(Serialize)]
struct ClusterEntry<'a> {
    cluster: Cluster<'a>,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster<'a> {
    certificate_authority_data: &'a str,
    server: &'a str,
}

/// One entry of `contexts`.
#[derive(Serialize)]
struct ContextEntry<'a> {
    context: Context<'a>,
    name: &'a str,
}

#[derive(Serialize)]
struct Context<'a> {
    cluster: &'a str,
    user: &'a str,
}

/// One entry of `users`.
#[derive(Serialize)]
struct UserEntry<'a> {
    name: &'a str,
    user: User<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct User<'a> {
    client_certificate_data: &'a str,
    client_key_data: &'a str,
}

/// The text of a file.
pub(super) fn to_yaml(kubeconfig: &Kubeconfig) -> Result<String, serde_yaml::SerializeError> {
    let name = kubeconfig.context.as_str();
    let file = File {
        api_version: "v1",
        clusters: [ClusterEntry {
            cluster: Cluster {
                certificate_authority_data: &kubeconfig.certificate_authority,
                server: &kubeconfig.server,
            },
            name,
        }],
        contexts: [ContextEntry {
            context: Context {
                cluster: name,
                user: name,
            },
            name,
        }],
        current_context: name,
        kind: "Config",
        users: [UserEntry {
            name,
            user: User {
                client_certificate_data: &kubeconfig.client_certificate,
                client_key_data: kubeconfig.client_key.expose(),
            },
        }],
    };
    // Long base64 on its one line, as every other tool writes it.
    serde_yaml::to_string_with_options(
        &file,
        serde_yaml::ser_options! { prefer_block_scalars: false },
    )
}
