//! People and programs that use a cluster: made, listed and deleted through its API.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, RoleBinding};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams, Resource};
use kube::config::AuthInfo;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::kubeconfig::{Kubeconfig, UserKubeconfig};
use super::verify::failure::{Asked, plain};
use super::verify::{certificate_of, config};
use crate::problem::{Code, Problem, problem};

pub use objects::Issue;
use objects::{Binding, LABEL, NAMESPACE};

mod credentials;
mod objects;
#[cfg(test)]
mod tests;

/// How long one answer of the API may take.
const ANSWER: Duration = Duration::from_secs(10);

/// What is wanted of a user.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// What the user is called: small letters, digits and `-`.
    pub name: String,
    /// The group in its certificate.
    pub group: Option<String>,
    /// The `ClusterRole` that it is given.
    pub role: Option<String>,
    /// The only namespace in which it has that role; all of them without one.
    pub namespace: Option<String>,
    /// For how long it is.
    pub lifetime: Duration,
    /// Whether it is a service account, whose token can be revoked.
    pub service_account: bool,
}

/// How a user proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserKind {
    /// By a certificate, which nobody can revoke.
    Certificate,
    /// By the token of a service account.
    ServiceAccount,
}

impl UserKind {
    fn word(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::ServiceAccount => "service-account",
        }
    }

    fn of(word: &str) -> Option<Self> {
        let mut all = [Self::Certificate, Self::ServiceAccount].into_iter();
        all.find(|kind| kind.word() == word)
    }
}

/// A user that towline has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// What the user is called.
    pub name: String,
    /// What the cluster calls it: the name with some letters that no user before had.
    pub id: String,
    /// How it proves who it is.
    pub kind: UserKind,
    /// The group in its certificate.
    pub group: Option<String>,
    /// What bindings let it do.
    pub grants: Vec<Grant>,
    /// What bindings let its group do.
    pub group_grants: Vec<Grant>,
    /// Until when its certificate or token is valid.
    pub expires: Timestamp,
}

/// What one binding lets a user do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: String,
    /// The only namespace that it is for.
    pub namespace: Option<String>,
    /// The name of the binding.
    pub binding: String,
    /// Whether towline has made the binding.
    pub is_own: bool,
}

/// The users of a cluster, as somebody sees them who may make some.
pub struct Users {
    client: Client,
    cluster: Kubeconfig,
    units: Vec<&'static str>,
}

impl Users {
    /// Those of the cluster of a kubeconfig, as its user sees them. `units` are the systemd units that
    /// servers may have.
    pub fn of(cluster: Kubeconfig, units: &[&'static str]) -> Result<Self, Problem> {
        let units = units.to_vec();
        let client = client(&cluster, certificate_of(&cluster))?;
        Ok(Self {
            client,
            cluster,
            units,
        })
    }

    /// All that towline has made, by name.
    pub async fn list(&self) -> Result<Vec<User>, Problem> {
        let bindings = self.bindings().await?;
        let records: Vec<ConfigMap> = self.labelled(self.inside(), LABEL).await?;
        let records = records.iter();
        let mut users: Vec<_> = records
            .filter_map(|record| objects::user(record, &bindings))
            .collect();
        users.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        Ok(users)
    }

    /// Refuses what cannot be made, before anything is.
    pub async fn check(&self, wanted: &NewUser) -> Result<(), Problem> {
        let missing = |code, kind: &str, name: &str| {
            problem!(code, "there is no {kind} {name} in this cluster")
                .next("to see which there are")
        };
        if let Some(role) = &wanted.role {
            let roles = Api::<ClusterRole>::all(self.client.clone());
            if self.asked(roles.get_opt(role)).await?.is_none() {
                return Err(missing(Code::ROLE_UNKNOWN, "ClusterRole", role)
                    .command("kubectl get clusterroles"));
            }
        }
        if let Some(name) = &wanted.namespace {
            let namespaces = Api::<Namespace>::all(self.client.clone());
            if self.asked(namespaces.get_opt(name)).await?.is_none() {
                return Err(missing(Code::NAMESPACE_UNKNOWN, "namespace", name)
                    .command("kubectl get namespaces")
                    .next("to make it")
                    .command(format!("kubectl create namespace {name}")));
            }
        }
        let selector = format!("{LABEL}={}", wanted.name);
        let records: Vec<ConfigMap> = self.labelled(self.inside(), &selector).await?;
        let accounts: Vec<ServiceAccount> = self.labelled(self.inside(), &selector).await?;
        if records.is_empty() && accounts.is_empty() {
            return Ok(());
        }
        let name = &wanted.name;
        let problem = problem!(Code::USER_EXISTS, "there is a user {name} already");
        let records = records.iter();
        let problem = records
            .filter_map(|record| objects::user(record, &[]))
            .fold(problem, |problem, user| {
                problem.because(format!("{}, until {}", user.id, user.expires))
            });
        Err(problem
            .next("take another name, or take from that one what it may do")
            .command(format!("towline user delete {name}")))
    }

    /// Makes a user, and asks the API who it is. What is made is undone by [`Users::undo`].
    pub async fn create(&self, issue: &Issue) -> Result<(UserKubeconfig, User), Problem> {
        let (credential, expires) = if issue.wanted.service_account {
            self.make_room().await?;
            self.token(issue).await?
        } else {
            let credential = self.certificate(issue).await?;
            self.make_room().await?;
            credential
        };
        let once = PostParams::default();
        let records = self.inside::<ConfigMap>();
        let record = issue.record(expires);
        let record = self.asked(records.create(&once, &record)).await?;
        let binding: Option<Binding> = match (&issue.wanted.role, &issue.wanted.namespace) {
            (None, _) => None,
            (Some(role), Some(namespace)) => {
                let bindings = Api::<RoleBinding>::namespaced(self.client.clone(), namespace);
                let binding = issue.role_binding(role, namespace);
                let binding = self.asked(bindings.create(&once, &binding)).await?;
                Some(binding.into())
            }
            (Some(role), None) => {
                let bindings = Api::<ClusterRoleBinding>::all(self.client.clone());
                let binding = issue.cluster_role_binding(role);
                let binding = self.asked(bindings.create(&once, &binding)).await?;
                Some(binding.into())
            }
        };
        let kubeconfig = UserKubeconfig {
            cluster: self.cluster.clone(),
            name: issue.wanted.name.clone(),
            namespace: issue.wanted.namespace.clone(),
            credential,
        };
        self.verify(issue, &kubeconfig.credential).await?;
        let bindings: Vec<_> = binding.into_iter().collect();
        let user = objects::user(&record, &bindings).ok_or_else(|| {
            Problem::new(
                Code::API_UNRESPONSIVE,
                "the API keeps another record than it was given",
            )
        })?;
        Ok((kubeconfig, user))
    }

    /// Takes away what [`Users::create`] has made of a user.
    pub async fn undo(&self, issue: &Issue) -> Result<(), Problem> {
        let (id, object) = (&issue.id, issue.object());
        let requests = Api::<CertificateSigningRequest>::all(self.client.clone());
        self.remove(&requests, &object).await?;
        if let Some(namespace) = &issue.wanted.namespace {
            let bindings = Api::<RoleBinding>::namespaced(self.client.clone(), namespace);
            self.remove(&bindings, &object).await?;
        } else {
            let bindings = Api::<ClusterRoleBinding>::all(self.client.clone());
            self.remove(&bindings, &object).await?;
        }
        self.remove(&self.inside::<ServiceAccount>(), id).await?;
        self.remove(&self.inside::<ConfigMap>(), id).await
    }

    /// Takes from a user all that towline gave it, the record last: what was cut off is done when it is
    /// called again. Returns the users as they were.
    pub async fn delete(&self, name: &str) -> Result<Vec<User>, Problem> {
        let selector = &format!("{LABEL}={name}");
        let client = || self.client.clone();
        let users = self.list().await?.into_iter();
        let users: Vec<_> = users.filter(|user| user.name == name).collect();
        let of_namespaces: Vec<RoleBinding> = self.labelled(Api::all(client()), selector).await?;
        let of_cluster: Vec<ClusterRoleBinding> =
            self.labelled(Api::all(client()), selector).await?;
        let accounts: Vec<ServiceAccount> = self.labelled(self.inside(), selector).await?;
        let records: Vec<ConfigMap> = self.labelled(self.inside(), selector).await?;
        let count = of_namespaces.len() + of_cluster.len() + accounts.len() + records.len();
        if count == 0 {
            return Err(
                problem!(Code::USER_UNKNOWN, "towline has made no user {name} here")
                    .next("to see which there are")
                    .command("towline user list"),
            );
        }
        let named = |name: &Option<String>| name.clone().unwrap_or_default();
        for binding in &of_namespaces {
            let namespace = named(&binding.metadata.namespace);
            let bindings = Api::<RoleBinding>::namespaced(client(), &namespace);
            self.remove(&bindings, &named(&binding.metadata.name))
                .await?;
        }
        for binding in &of_cluster {
            let bindings = Api::<ClusterRoleBinding>::all(client());
            self.remove(&bindings, &named(&binding.metadata.name))
                .await?;
        }
        for account in &accounts {
            let accounts = self.inside::<ServiceAccount>();
            self.remove(&accounts, &named(&account.metadata.name))
                .await?;
        }
        for record in &records {
            let records = self.inside::<ConfigMap>();
            self.remove(&records, &named(&record.metadata.name)).await?;
        }
        Ok(users)
    }

    /// Makes the namespace of users, unless it is there.
    async fn make_room(&self) -> Result<(), Problem> {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        if self.asked(namespaces.get_opt(NAMESPACE)).await?.is_some() {
            return Ok(());
        }
        let (once, namespace) = (PostParams::default(), objects::namespace());
        let made = async {
            match namespaces.create(&once, &namespace).await {
                // Somebody else has just made it.
                Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
                made => made.map(drop),
            }
        };
        self.asked(made).await
    }

    async fn bindings(&self) -> Result<Vec<Binding>, Problem> {
        let everything = ListParams::default();
        let of_cluster = Api::<ClusterRoleBinding>::all(self.client.clone());
        let of_cluster = self.asked(of_cluster.list(&everything)).await?;
        let of_namespaces = Api::<RoleBinding>::all(self.client.clone());
        let of_namespaces = self.asked(of_namespaces.list(&everything)).await?;
        let of_cluster = of_cluster.items.into_iter().map(Binding::from);
        let of_namespaces = of_namespaces.items.into_iter().map(Binding::from);
        Ok(of_cluster.chain(of_namespaces).collect())
    }

    /// What is in the namespace of users.
    fn inside<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    async fn labelled<K>(&self, objects: Api<K>, selector: &str) -> Result<Vec<K>, Problem>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let labelled = ListParams::default().labels(selector);
        Ok(self.asked(objects.list(&labelled)).await?.items)
    }

    /// Deletes an object, unless it is gone.
    async fn remove<K>(&self, objects: &Api<K>, name: &str) -> Result<(), Problem>
    where
        K: Clone + DeserializeOwned + Debug,
    {
        let at_once = DeleteParams::default();
        let removed = async {
            match objects.delete(name, &at_once).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                removed => removed.map(drop),
            }
        };
        self.asked(removed).await
    }

    /// What the API answers, or what it means that it does not.
    async fn asked<T>(
        &self,
        question: impl Future<Output = Result<T, kube::Error>>,
    ) -> Result<T, Problem> {
        let server = &*self.cluster.server;
        let asked = Asked {
            server,
            host: server,
            units: &self.units,
        };
        match timeout(ANSWER, question).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => Err(problem!(
                Code::API_FORBIDDEN,
                "{server}: the user of the kubeconfig may not do this"
            )
            .because(plain(&status.message))
            .next("name the kubeconfig of an admin")
            .flag("--kubeconfig FILE")),
            Ok(Err(error)) => Err(asked.failed(&error)),
            Err(_elapsed) => Err(asked.hangs()),
        }
    }
}

fn client(cluster: &Kubeconfig, user: AuthInfo) -> Result<Client, Problem> {
    Client::try_from(config(cluster, user)?).map_err(|error| {
        Problem::new(
            Code::KUBECONFIG_INVALID,
            "the kubeconfig is not one that can be used",
        )
        .because(error)
    })
}
