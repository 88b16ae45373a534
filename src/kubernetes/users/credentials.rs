//! What users prove who they are with: made, signed, and tried.

use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestStatus,
};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::config::AuthInfo;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use secrecy::SecretString;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::objects::user_name;
use super::{Issue, Users, client};
use crate::kubernetes::kubeconfig::Credential;
use crate::kubernetes::verify::failure::plain;
use crate::problem::{Code, Problem, problem};
use crate::vars::Secret;

/// How long the cluster may take to sign a certificate, or to know who was just made.
const SIGNED: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(250);

impl Users {
    /// A key made here and its certificate, which is valid until then.
    pub(super) async fn certificate(
        &self,
        issue: &Issue,
    ) -> Result<(Credential, Timestamp), Problem> {
        let cannot = |error: rcgen::Error| {
            Problem::new(Code::CERTIFICATE_NOT_ISSUED, "no key could be made here").because(error)
        };
        let key = KeyPair::generate().map_err(cannot)?;
        let mut subject = DistinguishedName::new();
        if let Some(group) = &issue.wanted.group {
            subject.push(DnType::OrganizationName, group);
        }
        subject.push(DnType::CommonName, &issue.id);
        let mut request = CertificateParams::default();
        request.distinguished_name = subject;
        let request = request.serialize_request(&key).map_err(cannot)?;
        let request = issue.request(&request.pem().map_err(cannot)?);

        let requests = Api::<CertificateSigningRequest>::all(self.client.clone());
        let once = PostParams::default();
        let name = &issue.object();
        self.asked(requests.create(&once, &request)).await?;
        let approval = json!({"status": {"conditions": [{
            "type": "Approved",
            "status": "True",
            "reason": "TowlineUserCreate",
            "message": "made and approved by `towline user create`",
        }]}});
        let (patch, approval) = (PatchParams::default(), Patch::Merge(approval));
        self.asked(requests.patch_approval(name, &patch, &approval))
            .await?;
        let until = Instant::now() + SIGNED;
        let chain = loop {
            let status = self.asked(requests.get(name)).await?.status;
            let status = status.unwrap_or_default();
            if let Some(ByteString(chain)) = status.certificate {
                break chain;
            }
            if let Some(problem) = refused(&status) {
                return Err(problem);
            }
            if Instant::now() >= until {
                return Err(problem!(
                    Code::CERTIFICATE_NOT_ISSUED,
                    "the cluster has not signed a certificate for {} s",
                    SIGNED.as_secs()
                ));
            }
            sleep(PAUSE).await;
        };
        // The cluster forgets it within the hour otherwise.
        self.remove(&requests, name).await?;
        let credential = Credential::certificate(&chain, &key.serialize_pem());
        let ends = credential.ends();
        let ends = ends.and_then(|seconds| Timestamp::from_second(seconds).ok());
        let ends = ends.ok_or_else(|| {
            Problem::new(
                Code::CERTIFICATE_NOT_ISSUED,
                "what the cluster has signed is no certificate",
            )
        })?;
        Ok((credential, ends))
    }

    /// A service account and a token of it, which is valid until then.
    pub(super) async fn token(&self, issue: &Issue) -> Result<(Credential, Timestamp), Problem> {
        let once = PostParams::default();
        let accounts = self.inside::<ServiceAccount>();
        let account = issue.service_account();
        self.asked(accounts.create(&once, &account)).await?;
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(issue.seconds()),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let request = accounts.create_token_request(&issue.id, &once, &request);
        let status = self.asked(request).await?.status.ok_or_else(|| {
            Problem::new(
                Code::API_UNRESPONSIVE,
                "the API has made no token and says no reason",
            )
        })?;
        let token = Credential::Token(Secret::new(&status.token));
        Ok((token, status.expiration_timestamp.0))
    }

    /// Asks the API who a credential is of, until it knows.
    pub(super) async fn verify(
        &self,
        issue: &Issue,
        credential: &Credential,
    ) -> Result<(), Problem> {
        let user = match credential {
            Credential::Certificate { chain, key } => AuthInfo {
                client_certificate_data: Some(chain.clone()),
                client_key_data: Some(SecretString::from(key.expose().to_owned())),
                ..AuthInfo::default()
            },
            Credential::Token(token) => AuthInfo {
                token: Some(SecretString::from(token.expose().to_owned())),
                ..AuthInfo::default()
            },
        };
        let reviews = Api::<SelfSubjectReview>::all(client(&self.cluster, user)?);
        let (once, question) = (PostParams::default(), SelfSubjectReview::default());
        let wanted = user_name(&issue.subject());
        let until = Instant::now() + SIGNED;
        loop {
            let answer = self.asked(reviews.create(&once, &question)).await;
            match answer {
                Ok(review) => {
                    let user = review.status.and_then(|status| status.user_info);
                    let name = user.and_then(|user| user.username).unwrap_or_default();
                    if name == wanted {
                        return Ok(());
                    }
                    return Err(problem!(
                        Code::CERTIFICATE_NOT_ISSUED,
                        "the API takes the new user {wanted} for {name}"
                    ));
                }
                Err(problem) if Instant::now() >= until => return Err(problem),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }
}

/// Why the cluster will never sign a certificate, where it says so.
fn refused(status: &CertificateSigningRequestStatus) -> Option<Problem> {
    let conditions = status.conditions.iter().flatten();
    let mut refusals =
        conditions.filter(|condition| ["Denied", "Failed"].contains(&&*condition.type_));
    let refusal = refusals.next()?;
    let why = refusal.message.as_deref().unwrap_or_default();
    Some(
        Problem::new(
            Code::CERTIFICATE_NOT_ISSUED,
            "the cluster does not sign the certificate",
        )
        .because(plain(why)),
    )
}
