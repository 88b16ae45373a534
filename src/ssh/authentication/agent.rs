//! The keys of an agent, offered one after the other.

use std::path::PathBuf;

use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{HashAlg, PublicKey};
use russh::{AgentAuthError, Signer};
use tokio::net::UnixStream;

use super::{Attempt, Offer};
use crate::problem::Problem;
use crate::ssh::keys::{AGENT_TIMEOUT, AgentKey, Keys};
use crate::ssh::known_hosts::fingerprint;

type Agent = AgentClient<UnixStream>;

impl Attempt<'_> {
    /// Offers what the agent holds: named keys first, and certificates before all keys.
    pub(super) async fn offer_agent(
        &mut self,
        socket: &PathBuf,
        keys: &Keys,
    ) -> Result<Offer, Problem> {
        let asked = tokio::time::timeout(AGENT_TIMEOUT, self.ask_agent(socket)).await;
        let (mut agent, mut identities) = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Ok(self.without_agent(socket, &error.to_string())),
            Err(_) => return Ok(self.without_agent(socket, "it does not answer")),
        };
        if identities.is_empty() {
            return Ok(self.without_agent(socket, "it holds no keys"));
        }
        let same = |key: &AgentKey, public: &PublicKey| {
            let own = key.public.as_ref();
            own.is_some_and(|own| own.key_data() == public.key_data())
        };
        let place = |identity: &AgentIdentity| {
            let public = identity.public_key();
            let mut preferred = keys.for_agent.iter();
            preferred.position(|key| same(key, &public))
        };
        if keys.only {
            identities.retain(|identity| place(identity).is_some());
        }
        identities.sort_by_key(|identity| place(identity).unwrap_or(usize::MAX));
        let certified = keys.certificates.iter().filter_map(|certificate| {
            let mut all = identities.iter();
            let is_its =
                |one: &&AgentIdentity| one.public_key().key_data() == certificate.public_key();
            let AgentIdentity::PublicKey { comment, .. } = all.find(is_its)? else {
                return None;
            };
            Some(AgentIdentity::Certificate {
                certificate: certificate.clone(),
                comment: comment.clone(),
            })
        });
        let certified: Vec<_> = certified.collect();
        for identity in certified.into_iter().chain(identities) {
            let offer = self.offer_identity(&mut agent, identity).await?;
            if offer != Offer::Refused {
                return Ok(offer);
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
    ) -> Result<Offer, Problem> {
        let public = identity.public_key().into_owned();
        let hash = self.hash_for(&public).await?;
        let result = match identity {
            AgentIdentity::PublicKey { key, comment } => {
                if !self.is_new(&key, &format!("the agent's {comment}")) {
                    return Ok(Offer::Refused);
                }
                self.handle
                    .authenticate_publickey_with(&self.target.user, key, hash, agent)
                    .await
            }
            AgentIdentity::Certificate {
                certificate,
                comment,
            } => {
                let offered = format!(
                    "the agent's certificate {comment} ({})",
                    fingerprint(&public)
                );
                if self.denied.offered.contains(&offered) {
                    return Ok(Offer::Refused);
                }
                self.denied.offered.push(offered);
                self.handle
                    .authenticate_certificate_with(
                        &self.target.user,
                        certificate,
                        hash,
                        &mut KeyHolder(agent),
                    )
                    .await
            }
        };
        match result {
            Ok(result) => self.judge(Ok(result)).await,
            Err(AgentAuthError::Send(_)) => self.judge(Err(russh::Error::SendError)).await,
            Err(AgentAuthError::Key(error)) => {
                self.denied
                    .notes
                    .push(format!("the agent did not sign: {error}"));
                Ok(Offer::Refused)
            }
        }
    }
}

/// An agent that may hold a key without its certificate, which then comes from a file.
struct KeyHolder<'a>(&'a mut Agent);

impl Signer for KeyHolder<'_> {
    type Error = AgentAuthError;

    async fn auth_sign(
        &mut self,
        certified: &AgentIdentity,
        hash: Option<HashAlg>,
        data: Vec<u8>,
    ) -> Result<Vec<u8>, Self::Error> {
        let signed = self.0.sign_request(certified, hash, data.clone()).await;
        if let Ok(signed) = signed {
            return Ok(signed);
        }
        let key = AgentIdentity::from(certified.public_key().into_owned());
        Ok(self.0.sign_request(&key, hash, data).await?)
    }
}
