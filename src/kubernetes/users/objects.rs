//! The objects that make a user, and what they say of one.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::certificates::v1::{
    CertificateSigningRequest, CertificateSigningRequestSpec,
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;

use super::{Grant, NewUser, User, UserKind};

/// Where the records of users and the service accounts are. Who may make pods in a namespace may use its
/// service accounts, so these are in none where anything runs.
pub(super) const NAMESPACE: &str = "towline-users";

/// What all objects of a user are labelled with; its value is the user's name.
pub(super) const LABEL: &str = "towline/user";

const RBAC: &str = "rbac.authorization.k8s.io";

/// A user who is being made.
#[derive(Debug, Clone)]
pub struct Issue {
    /// What was asked for.
    pub wanted: NewUser,
    /// The name that no user before had: a certificate stays valid when its user is deleted, and must not
    /// get the role of who is given the name next.
    pub id: String,
}

impl Issue {
    /// The next user of this name.
    pub fn new(wanted: NewUser) -> Self {
        // Kubernetes ends the names of pods with letters that make no words.
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        let letters = (0..5).map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())]));
        let id = format!("{}-{}", wanted.name, letters.collect::<String>());
        Self { wanted, id }
    }

    /// The name of what belongs to no namespace, or to one of others.
    pub(super) fn object(&self) -> String {
        format!("towline:{}", self.id)
    }

    /// Whom the bindings name.
    pub(super) fn subject(&self) -> Subject {
        subject(self.kind(), &self.id)
    }

    fn kind(&self) -> UserKind {
        if self.wanted.service_account {
            UserKind::ServiceAccount
        } else {
            UserKind::Certificate
        }
    }

    fn metadata(&self, name: String, namespace: Option<&str>) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: namespace.map(str::to_owned),
            labels: Some(BTreeMap::from([
                (LABEL.to_owned(), self.wanted.name.clone()),
                ("app.kubernetes.io/managed-by".into(), "towline".into()),
            ])),
            ..ObjectMeta::default()
        }
    }

    pub(super) fn request(&self, request: &str) -> CertificateSigningRequest {
        CertificateSigningRequest {
            metadata: self.metadata(self.object(), None),
            spec: CertificateSigningRequestSpec {
                expiration_seconds: Some(i32::try_from(self.seconds()).unwrap_or(i32::MAX)),
                request: ByteString(request.as_bytes().to_vec()),
                signer_name: "kubernetes.io/kube-apiserver-client".into(),
                usages: Some(vec!["client auth".into()]),
                ..CertificateSigningRequestSpec::default()
            },
            status: None,
        }
    }

    pub(super) fn service_account(&self) -> ServiceAccount {
        ServiceAccount {
            metadata: self.metadata(self.id.clone(), Some(NAMESPACE)),
            // What runs with it by mistake gets no token.
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        }
    }

    /// What keeps that there is such a user: nothing in the cluster lists its certificates.
    pub(super) fn record(&self, expires: Timestamp) -> ConfigMap {
        let mut data = BTreeMap::from([
            ("kind".to_owned(), self.kind().word().to_owned()),
            ("expires".into(), expires.to_string()),
        ]);
        if let Some(group) = &self.wanted.group {
            data.insert("group".into(), group.clone());
        }
        ConfigMap {
            metadata: self.metadata(self.id.clone(), Some(NAMESPACE)),
            data: Some(data),
            ..ConfigMap::default()
        }
    }

    pub(super) fn role_binding(&self, role: &str, namespace: &str) -> RoleBinding {
        RoleBinding {
            metadata: self.metadata(self.object(), Some(namespace)),
            role_ref: cluster_role(role),
            subjects: Some(vec![self.subject()]),
        }
    }

    pub(super) fn cluster_role_binding(&self, role: &str) -> ClusterRoleBinding {
        ClusterRoleBinding {
            metadata: self.metadata(self.object(), None),
            role_ref: cluster_role(role),
            subjects: Some(vec![self.subject()]),
        }
    }

    /// For how long it is to be valid.
    pub(super) fn seconds(&self) -> i64 {
        i64::try_from(self.wanted.lifetime.as_secs()).unwrap_or(i64::MAX)
    }
}

pub(super) fn namespace() -> Namespace {
    Namespace {
        metadata: ObjectMeta {
            name: Some(NAMESPACE.into()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    }
}

fn cluster_role(name: &str) -> RoleRef {
    RoleRef {
        api_group: RBAC.into(),
        kind: "ClusterRole".into(),
        name: name.into(),
    }
}

fn subject(kind: UserKind, id: &str) -> Subject {
    match kind {
        UserKind::Certificate => named("User", id),
        UserKind::ServiceAccount => Subject {
            api_group: None,
            kind: "ServiceAccount".into(),
            name: id.into(),
            namespace: Some(NAMESPACE.into()),
        },
    }
}

fn named(kind: &str, name: &str) -> Subject {
    Subject {
        api_group: Some(RBAC.into()),
        kind: kind.into(),
        name: name.into(),
        namespace: None,
    }
}

/// What the API calls a subject when it asks itself who it is.
pub(super) fn user_name(subject: &Subject) -> String {
    match &subject.namespace {
        Some(namespace) => format!("system:serviceaccount:{namespace}:{}", subject.name),
        None => subject.name.clone(),
    }
}

/// A binding, of one namespace or of all.
pub(super) struct Binding {
    metadata: ObjectMeta,
    role: RoleRef,
    subjects: Vec<Subject>,
}

impl From<RoleBinding> for Binding {
    fn from(binding: RoleBinding) -> Self {
        Self {
            metadata: binding.metadata,
            role: binding.role_ref,
            subjects: binding.subjects.unwrap_or_default(),
        }
    }
}

impl From<ClusterRoleBinding> for Binding {
    fn from(binding: ClusterRoleBinding) -> Self {
        Self {
            metadata: binding.metadata,
            role: binding.role_ref,
            subjects: binding.subjects.unwrap_or_default(),
        }
    }
}

/// What bindings let a subject do.
fn grants(bindings: &[Binding], wanted: &Subject) -> Vec<Grant> {
    let of_subject = bindings.iter().filter(|binding| {
        binding.subjects.iter().any(|subject| {
            subject.kind == wanted.kind
                && subject.name == wanted.name
                && subject.namespace == wanted.namespace
        })
    });
    let grant = |binding: &Binding| Grant {
        role: binding.role.name.clone(),
        namespace: binding.metadata.namespace.clone(),
        binding: binding.metadata.name.clone().unwrap_or_default(),
        is_own: label(&binding.metadata).is_some(),
    };
    of_subject.map(grant).collect()
}

/// The name of the user whose object it is.
pub(super) fn label(metadata: &ObjectMeta) -> Option<&str> {
    let labels = metadata.labels.as_ref()?;
    Some(labels.get(LABEL)?.as_str())
}

/// The user of a record, with all that bindings let it do; nothing where it is no record.
pub(super) fn user(record: &ConfigMap, bindings: &[Binding]) -> Option<User> {
    let data = record.data.as_ref()?;
    let kind = UserKind::of(data.get("kind")?)?;
    let id = record.metadata.name.clone()?;
    let group = data.get("group").cloned();
    let of_group = |group: &String| grants(bindings, &named("Group", group));
    Some(User {
        name: label(&record.metadata)?.to_owned(),
        grants: grants(bindings, &subject(kind, &id)),
        group_grants: group.as_ref().map(of_group).unwrap_or_default(),
        expires: data.get("expires")?.parse().ok()?,
        id,
        kind,
        group,
    })
}
