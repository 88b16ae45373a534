//! What goes wrong where users of a cluster are made.

super::codes! {
    "Users of the cluster";

    /// The user of the kubeconfig may not do what was asked for. To make users, one has to be an admin of the cluster.
    ///
    /// # Remedy
    /// Name the kubeconfig that `towline deploy` or `towline kubeconfig` has written with `--kubeconfig FILE`.
    API_FORBIDDEN "api-forbidden";

    /// towline has made a user of this name, and has not deleted it. What a user may do is not changed
    /// later, and an expired one stays in the list until it is deleted.
    ///
    /// # Remedy
    /// See until when it is; take another name, or delete it first:
    ///
    /// ```sh
    /// towline user list
    /// towline user delete anna
    /// ```
    USER_EXISTS "user-exists";

    /// towline has made no user of this name in the cluster of the kubeconfig.
    ///
    /// # Remedy
    /// See which there are, and whether the kubeconfig is the one of the right cluster:
    ///
    /// ```sh
    /// towline user list
    /// kubectl config current-context
    /// ```
    USER_UNKNOWN "user-unknown";

    /// The cluster has no ClusterRole of this name. A role that does not exist allows nothing. Every cluster has
    /// `view`, `edit`, `admin` (all for one namespace or for all of them) and `cluster-admin`.
    ///
    /// # Remedy
    /// Name one that there is, or make it first:
    ///
    /// ```sh
    /// kubectl get clusterroles
    /// ```
    ROLE_UNKNOWN "role-unknown";

    /// The cluster has no namespace of this name.
    ///
    /// # Remedy
    /// Name one that there is, or make it first:
    ///
    /// ```sh
    /// kubectl get namespaces
    /// kubectl create namespace NAME
    /// ```
    NAMESPACE_UNKNOWN "namespace-unknown";

    /// The cluster did not sign the certificate of a new user, or what it signed is not what was asked for. What was
    /// made for the user is undone.
    ///
    /// # Remedy
    /// The message has what the cluster says. Its controller manager signs certificates: one that signs none does
    /// not run, or lacks the key of the cluster's authority. `--service-account` needs no certificate.
    CERTIFICATE_NOT_ISSUED "certificate-not-issued";
}
