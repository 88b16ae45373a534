//! Proving who we are: which keys are offered, in which order, and what the host said to them.

use std::path::PathBuf;
use std::time::Duration;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey};
use russh::{MethodKind, MethodSet};
use tokio::net::UnixStream;

use crate::ssh::client::{Client, Shared};
use crate::ssh::keys::{FileKey, Keys, private_beside};
use crate::ssh::known_hosts::fingerprint;

/// An agent that does not answer within this time is left out.
const AGENT_TIMEOUT: Duration = Duration::from_secs(5);

/// What was offered to a host that refused the login.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Denied {
    /// The keys that were offered, in order, each with its fingerprint.
    pub offered: Vec<String>,
    /// The methods that the host allows, for example `publickey`; empty when it did not say.
    pub methods: Vec<String>,
    /// A key was accepted and the host asked for something more.
    pub more_wanted: bool,
    /// The host hung up after too many keys.
    pub too_many: bool,
    /// Keys that were left out because of their passphrase.
    pub protected: Vec<PathBuf>,
    /// What else was found wrong, as sentences: no agent, a key that cannot be read.
    pub notes: Vec<String>,
}

/// Why the login was refused.
#[derive(Debug)]
pub(super) enum Failed {
    /// The host said no.
    Denied(Denied),
    /// The connection ended.
    Lost(String),
}

/// What became of one offer.
enum Offer {
    Taken,
    Refused,
    /// No use in offering more keys.
    Over,
}

type Agent = AgentClient<UnixStream>;

struct Attempt<'a> {
    handle: &'a mut Handle<Client>,
    shared: &'a Shared,
    user: &'a str,
    denied: Denied,
    seen: Vec<PublicKey>,
    rsa_hash: Option<HashAlg>,
}

/// Offers the configured keys, then the agent's, then the usual ones, until the host takes one.
pub(super) async fn authenticate(
    handle: &mut Handle<Client>,
    shared: &Shared,
    user: &str,
    keys: &Keys,
) -> Result<(), Failed> {
    let mut attempt = Attempt {
        handle,
        shared,
        user,
        denied: Denied {
            notes: keys.unusable.clone(),
            ..Denied::default()
        },
        seen: Vec::new(),
        rsa_hash: None,
    };
    let taken = attempt.all(keys).await?;
    if taken {
        return Ok(());
    }
    let mut denied = attempt.denied;
    let seen = attempt.seen;
    let left_out = keys.protected.iter().filter(|key| {
        key.public
            .as_ref()
            .is_none_or(|public| !contains(&seen, public))
    });
    denied.protected = left_out.map(|key| key.path.clone()).collect();
    let absent = keys.halves.iter().filter(|half| {
        half.public
            .as_ref()
            .is_some_and(|public| !contains(&seen, public))
    });
    denied.notes.extend(absent.map(|half| {
        format!(
            "{} is a public key, and the agent does not hold its private half: {}",
            half.path.display(),
            private_beside(&half.path)
        )
    }));
    Err(Failed::Denied(denied))
}

impl Attempt<'_> {
    async fn all(&mut self, keys: &Keys) -> Result<bool, Failed> {
        for key in &keys.configured {
            match self.offer_file(key).await? {
                Offer::Taken => return Ok(true),
                Offer::Refused => {}
                Offer::Over => return Ok(false),
            }
        }
        if let Some(socket) = &keys.agent {
            match self.offer_agent(socket, &keys.preferred).await? {
                Offer::Taken => return Ok(true),
                Offer::Refused => {}
                Offer::Over => return Ok(false),
            }
        }
        for key in &keys.usual {
            match self.offer_file(key).await? {
                Offer::Taken => return Ok(true),
                Offer::Refused => {}
                Offer::Over => return Ok(false),
            }
        }
        if self.denied.offered.is_empty() {
            // Nothing to offer: ask which methods there are, for the words of the error.
            let result = self.handle.authenticate_none(self.user).await;
            return Ok(matches!(self.judge(result).await?, Offer::Taken));
        }
        Ok(false)
    }

    async fn offer_file(&mut self, file: &FileKey) -> Result<Offer, Failed> {
        let public = file.key.public_key();
        if !self.is_new(public, &file.path.display().to_string()) {
            return Ok(Offer::Refused);
        }
        let hash = self.hash_for(public).await?;
        let key = PrivateKeyWithHashAlg::new(file.key.clone(), hash);
        let result = self.handle.authenticate_publickey(self.user, key).await;
        self.judge(result).await
    }

    async fn offer_agent(
        &mut self,
        socket: &PathBuf,
        preferred: &[PublicKey],
    ) -> Result<Offer, Failed> {
        let asked = tokio::time::timeout(AGENT_TIMEOUT, self.ask_agent(socket)).await;
        let (mut agent, mut identities) = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Ok(self.without_agent(socket, &error.to_string())),
            Err(_) => return Ok(self.without_agent(socket, "it does not answer")),
        };
        if identities.is_empty() {
            return Ok(self.without_agent(socket, "it holds no keys"));
        }
        identities.sort_by_key(|identity| !contains(preferred, &identity.public_key()));
        for identity in identities {
            match self.offer_identity(&mut agent, identity).await? {
                Offer::Refused => {}
                last => return Ok(last),
            }
        }
        Ok(Offer::Refused)
    }

    async fn ask_agent(
        &self,
        socket: &PathBuf,
    ) -> Result<(Agent, Vec<AgentIdentity>), russh::keys::Error> {
        let mut agent = AgentClient::connect_uds(socket).await?;
        if let Some(binding) = self.handle.agent_session_binding() {
            // Agents that do not know the request say no and go on as before.
            let _unknown = agent.bind_session(binding, false).await;
        }
        let identities = agent.request_identities().await?;
        Ok((agent, identities))
    }

    fn without_agent(&mut self, socket: &std::path::Path, reason: &str) -> Offer {
        self.denied.notes.push(format!(
            "the agent at {} was of no help: {reason}",
            socket.display()
        ));
        Offer::Refused
    }

    async fn offer_identity(
        &mut self,
        agent: &mut Agent,
        identity: AgentIdentity,
    ) -> Result<Offer, Failed> {
        let public = identity.public_key().into_owned();
        let hash = self.hash_for(&public).await?;
        let result = match identity {
            AgentIdentity::PublicKey { key, comment } => {
                if !self.is_new(&key, &format!("the agent's {comment}")) {
                    return Ok(Offer::Refused);
                }
                self.handle
                    .authenticate_publickey_with(self.user, key, hash, agent)
                    .await
            }
            AgentIdentity::Certificate {
                certificate,
                comment,
            } => {
                self.denied.offered.push(format!(
                    "the agent's certificate {comment} ({})",
                    fingerprint(&public)
                ));
                self.handle
                    .authenticate_certificate_with(self.user, certificate, hash, agent)
                    .await
            }
        };
        match result {
            Ok(result) => self.judge(Ok(result)).await,
            Err(russh::AgentAuthError::Send(_)) => self.judge(Err(russh::Error::SendError)).await,
            Err(russh::AgentAuthError::Key(error)) => {
                self.denied
                    .notes
                    .push(format!("the agent did not sign: {error}"));
                Ok(Offer::Refused)
            }
        }
    }

    /// Remembers a key as offered; `false` when it already was.
    fn is_new(&mut self, public: &PublicKey, origin: &str) -> bool {
        if contains(&self.seen, public) {
            return false;
        }
        self.seen.push(public.clone());
        self.denied.offered.push(format!(
            "{origin} ({} {})",
            public.algorithm(),
            fingerprint(public)
        ));
        true
    }

    /// RSA keys sign with the best hash that the host announces, never with SHA-1.
    async fn hash_for(&mut self, public: &PublicKey) -> Result<Option<HashAlg>, Failed> {
        if !public.algorithm().is_rsa() {
            return Ok(None);
        }
        if self.rsa_hash.is_none() {
            let best = match self.handle.best_supported_rsa_hash().await {
                Ok(best) => best.flatten(),
                Err(_) => return Err(Failed::Lost(self.shared.farewell().await)),
            };
            self.rsa_hash = Some(best.unwrap_or(HashAlg::Sha512));
        }
        Ok(self.rsa_hash)
    }

    async fn judge(&mut self, result: Result<AuthResult, russh::Error>) -> Result<Offer, Failed> {
        match result {
            Ok(AuthResult::Success) => Ok(Offer::Taken),
            // russh says "refused, no methods left" when the connection ended.
            Ok(AuthResult::Failure {
                remaining_methods, ..
            }) if remaining_methods.is_empty() || self.handle.is_closed() => {
                self.ended(&remaining_methods).await
            }
            Ok(AuthResult::Failure {
                remaining_methods,
                partial_success,
            }) => {
                self.note_methods(&remaining_methods);
                self.denied.more_wanted |= partial_success;
                if remaining_methods.contains(&MethodKind::PublicKey) {
                    Ok(Offer::Refused)
                } else {
                    Ok(Offer::Over)
                }
            }
            Err(_) => self.ended(&MethodSet::empty()).await,
        }
    }

    async fn ended(&mut self, methods: &MethodSet) -> Result<Offer, Failed> {
        self.note_methods(methods);
        let reason = self.shared.farewell().await;
        if reason.to_lowercase().contains("too many authentication") {
            self.denied.too_many = true;
            return Ok(Offer::Over);
        }
        if self.handle.is_closed() {
            Err(Failed::Lost(reason))
        } else {
            Ok(Offer::Over)
        }
    }

    fn note_methods(&mut self, methods: &MethodSet) {
        if !methods.is_empty() {
            self.denied.methods = methods.iter().map(String::from).collect();
        }
    }
}

fn contains(keys: &[PublicKey], key: &PublicKey) -> bool {
    keys.iter().any(|known| known.key_data() == key.key_data())
}
