//! The kubeconfig of a user whom the API has made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::wire::{YamlTree, laid_out};
use super::{Kubeconfig, not_after};
use crate::vars::Secret;

/// How a user proves who it is.
#[derive(Debug, Clone)]
pub enum Credential {
    /// By a certificate.
    Certificate {
        /// The chain, PEM in base64.
        chain: String,
        /// Its private key, PEM in base64.
        key: Secret,
    },
    /// By the token of a service account.
    Token(Secret),
}

impl Credential {
    /// That of a chain and its key, both PEM.
    pub fn certificate(chain: &[u8], key: &str) -> Self {
        Self::Certificate {
            chain: STANDARD.encode(chain),
            key: Secret::new(&STANDARD.encode(key)),
        }
    }

    /// Until when a certificate is valid, in seconds since 1970; nothing of a token.
    pub fn ends(&self) -> Option<i64> {
        match self {
            Self::Certificate { chain, .. } => not_after(chain),
            Self::Token(_) => None,
        }
    }
}

/// A user of the cluster that another kubeconfig is of.
#[derive(Debug, Clone)]
pub struct UserKubeconfig {
    /// Where the cluster is, and what tells it from others. Its own user is not taken over.
    pub cluster: Kubeconfig,
    /// Name of the user.
    pub name: String,
    /// The namespace that commands are for which name none.
    pub namespace: Option<String>,
    /// How the user proves who it is.
    pub credential: Credential,
}

impl UserKubeconfig {
    /// As it stands in a file, with the context `USER@CLUSTER`.
    pub(super) fn tree(&self) -> YamlTree {
        let user = match &self.credential {
            Credential::Certificate { chain, key } => json!({
                "client-certificate-data": chain,
                "client-key-data": key.expose(),
            }),
            Credential::Token(token) => json!({"token": token.expose()}),
        };
        let context = format!("{}@{}", self.name, self.cluster.context);
        laid_out(&self.cluster, &context, self.namespace.as_deref(), &user)
    }
}
