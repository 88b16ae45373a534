//! Proving who we are: which keys are offered, in which order, and what the host said to them.

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKey};
use russh::{MethodKind, MethodSet};

use crate::problem::Problem;
use crate::ssh::client::{Client, Shared, brief};
use crate::ssh::fault::{ConnectError, Denied};
use crate::ssh::keys::{FileKey, Keys, private_beside};
use crate::ssh::known_hosts::fingerprint;
use crate::ssh::target::Target;
use crate::vars::Secret;

mod agent;

/// So often a host may ask something of a keyboard, where one question is the password.
const MOST_QUESTIONS: usize = 10;

/// What became of one offer.
#[derive(Clone, Copy, PartialEq)]
enum Offer {
    Taken,
    Refused,
    /// No use in offering more keys.
    Over,
}

/// What was offered to a host so far, over all connections to it.
#[derive(Default)]
pub(super) struct Tried {
    denied: Denied,
    keys: Vec<PublicKey>,
}

struct Attempt<'a> {
    handle: &'a mut Handle<Client>,
    shared: &'a Shared,
    target: &'a Target,
    denied: &'a mut Denied,
    seen: &'a mut Vec<PublicKey>,
    rsa_hash: Option<HashAlg>,
}

/// Offers the configured keys, then the agent's, then the usual ones, until the host takes one; none that
/// was tried before. A host that hangs up after so many (`MaxAuthTries`) may take one of the others.
pub(super) async fn authenticate(
    handle: &mut Handle<Client>,
    shared: &Shared,
    target: &Target,
    keys: &Keys,
    tried: &mut Tried,
) -> Result<(), ConnectError> {
    let before = tried.keys.len();
    tried.denied.too_many = false;
    tried.denied.notes.clone_from(&keys.unusable);
    let mut attempt = Attempt {
        handle,
        shared,
        target,
        denied: &mut tried.denied,
        seen: &mut tried.keys,
        rsa_hash: None,
    };
    if attempt.all(keys).await? == Offer::Taken {
        return Ok(());
    }
    let Tried { denied, keys: seen } = tried;
    let mut denied = denied.clone();
    for key in &keys.for_agent {
        let path = &key.path;
        if key
            .public
            .as_ref()
            .is_some_and(|public| contains(seen, public))
        {
            continue;
        }
        if key.is_public {
            denied.notes.push(format!(
                "{} is a public key, and the agent does not hold its private half: {}",
                path.display(),
                private_beside(path)
            ));
        } else {
            denied.protected.push(path.clone());
        }
    }
    Err(ConnectError {
        has_more: denied.too_many && seen.len() > before,
        ..target.denied(&denied).into()
    })
}

impl Attempt<'_> {
    async fn all(&mut self, keys: &Keys) -> Result<Offer, Problem> {
        let mut offer = self.offer_files(&keys.configured).await?;
        if let (Offer::Refused, Some(socket)) = (offer, &keys.agent) {
            offer = self.offer_agent(socket, keys).await?;
        }
        if offer == Offer::Refused {
            offer = self.offer_files(&keys.usual).await?;
        }
        if offer == Offer::Refused && self.denied.offered.is_empty() {
            // Nothing to offer: ask which methods there are, for the words of the error.
            let result = self.handle.authenticate_none(&self.target.user).await;
            offer = self.judge(result).await?;
        }
        match &self.target.password {
            Some(password) if offer != Offer::Taken && !self.handle.is_closed() => {
                self.offer_password(password).await
            }
            _ => Ok(offer),
        }
    }

    /// Offers the password by the methods that the host allows.
    async fn offer_password(&mut self, password: &Secret) -> Result<Offer, Problem> {
        let allows = |denied: &Denied, name| denied.methods.iter().any(|method| method == name);
        let user = self.target.user.clone();
        if allows(self.denied, "password") {
            self.denied.offered.push("the password".to_owned());
            let result = self.handle.authenticate_password(user, password.expose());
            let result = result.await;
            return self.judge(result).await;
        }
        if !allows(self.denied, "keyboard-interactive") {
            return Ok(Offer::Over);
        }
        self.denied.offered.push("the password".to_owned());
        let asked = self
            .handle
            .authenticate_keyboard_interactive_start(user, None);
        let mut asked = asked.await;
        let mut is_told = false;
        for _ in 0..MOST_QUESTIONS {
            let prompts = match asked {
                Ok(KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. }) => prompts,
                Ok(KeyboardInteractiveAuthResponse::Success) => return Ok(Offer::Taken),
                Ok(KeyboardInteractiveAuthResponse::Failure {
                    remaining_methods,
                    partial_success,
                }) => {
                    let result = AuthResult::Failure {
                        remaining_methods,
                        partial_success,
                    };
                    return self.judge(Ok(result)).await;
                }
                Err(error) => return self.judge(Err(error)).await,
            };
            let answers = match &*prompts {
                [] => Vec::new(),
                [one] if !one.echo && !is_told => {
                    is_told = true;
                    vec![password.expose().to_owned()]
                }
                [one, ..] => {
                    let prompt = brief(&one.prompt);
                    self.denied
                        .notes
                        .push(format!("the host asks for more: {prompt}"));
                    return Ok(Offer::Over);
                }
            };
            asked = self
                .handle
                .authenticate_keyboard_interactive_respond(answers)
                .await;
        }
        let note = format!("the host asked {MOST_QUESTIONS} times without an end");
        self.denied.notes.push(note);
        Ok(Offer::Over)
    }

    async fn offer_files(&mut self, files: &[FileKey]) -> Result<Offer, Problem> {
        for file in files {
            let offer = self.offer_file(file).await?;
            if offer != Offer::Refused {
                return Ok(offer);
            }
        }
        Ok(Offer::Refused)
    }

    async fn offer_file(&mut self, file: &FileKey) -> Result<Offer, Problem> {
        let public = file.key.public_key();
        for certificate in &file.certificates {
            let path = file.path.display();
            let number = certificate.serial();
            let offered = format!("the certificate of {path} (serial {number})");
            if self.denied.offered.contains(&offered) {
                continue;
            }
            self.denied.offered.push(offered);
            let (user, key) = (&self.target.user, file.key.clone());
            let result = self
                .handle
                .authenticate_openssh_cert(user, key, certificate.clone())
                .await;
            let offer = self.judge(result).await?;
            if offer != Offer::Refused {
                return Ok(offer);
            }
        }
        if !self.is_new(public, &file.path.display().to_string()) {
            return Ok(Offer::Refused);
        }
        let hash = self.hash_for(public).await?;
        let key = PrivateKeyWithHashAlg::new(file.key.clone(), hash);
        let result = self
            .handle
            .authenticate_publickey(&self.target.user, key)
            .await;
        self.judge(result).await
    }

    /// Remembers a key as offered; `false` when it already was.
    fn is_new(&mut self, public: &PublicKey, origin: &str) -> bool {
        if contains(self.seen, public) {
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
    async fn hash_for(&mut self, public: &PublicKey) -> Result<Option<HashAlg>, Problem> {
        if !public.algorithm().is_rsa() {
            return Ok(None);
        }
        if self.rsa_hash.is_none() {
            let best = match self.handle.best_supported_rsa_hash().await {
                Ok(best) => best.flatten(),
                Err(_) => return Err(self.lost(&self.shared.farewell().await)),
            };
            self.rsa_hash = Some(best.unwrap_or(HashAlg::Sha512));
        }
        Ok(self.rsa_hash)
    }

    async fn judge(&mut self, result: Result<AuthResult, russh::Error>) -> Result<Offer, Problem> {
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

    async fn ended(&mut self, methods: &MethodSet) -> Result<Offer, Problem> {
        self.note_methods(methods);
        let reason = self.shared.farewell().await;
        if reason.to_lowercase().contains("too many authentication") {
            self.denied.too_many = true;
            return Ok(Offer::Over);
        }
        if self.handle.is_closed() {
            Err(self.lost(&reason))
        } else {
            Ok(Offer::Over)
        }
    }

    fn lost(&self, reason: &str) -> Problem {
        let place = self.target.place();
        let why = format!("the connection to {place} ended during authentication: {reason}");
        self.target.broken(&why)
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
