//! The Kubernetes API and the kubeconfig.

super::codes! {
    "The API and the kubeconfig";

    /// The name of the API's server has no address on this machine.
    ///
    /// # Remedy
    /// Add the name to your DNS, or write an IP address as `endpoint` under `cluster`.
    API_NAME_UNRESOLVED "api-name-unresolved";

    /// The machine at the address of the API answers and refuses connections at the port.
    ///
    /// # Remedy
    /// On the server, see whether Kubernetes runs. If the address is a load balancer's, let it pass the port on
    /// to the servers.
    ///
    /// ```sh
    /// systemctl status k3s
    /// ```
    API_PORT_CLOSED "api-port-closed";

    /// The API cannot be reached from this machine: no route, or a firewall that drops the packets.
    ///
    /// # Remedy
    /// Open the port of the API between this machine and the servers, or write an address that can be reached
    /// from here as `endpoint` under `cluster`.
    API_UNREACHABLE "api-unreachable";

    /// The API takes connections and does not answer, or not as it should. A server that lacks a quorum, memory or
    /// a fast disk behaves like this.
    ///
    /// # Remedy
    /// See what it does on the servers, and bring back those that are down:
    ///
    /// ```sh
    /// journalctl -u k3s -n 50
    /// ```
    API_UNRESPONSIVE "api-unresponsive";

    /// The certificate of the API is not for the address by which it was reached.
    ///
    /// # Remedy
    /// Add the address to the inventory and deploy again:
    ///
    /// ```yaml
    /// cluster: {tls_sans: ["ADDRESS"]}
    /// ```
    API_CERTIFICATE_NAME "api-certificate-name";

    /// The certificate that answers is signed by another authority than the one of this cluster.
    ///
    /// # Remedy
    /// See whether the address leads to a server of this cluster, and not to another cluster or to a proxy that
    /// ends TLS.
    API_CERTIFICATE_AUTHORITY "api-certificate-authority";

    /// The certificate of the API is not valid now: it has expired, or the clock of this machine or of the servers
    /// is wrong.
    ///
    /// # Remedy
    /// Compare the clocks. What has expired is renewed when the server is restarted:
    ///
    /// ```sh
    /// timedatectl
    /// systemctl restart k3s
    /// ```
    API_CERTIFICATE_INVALID "api-certificate-invalid";

    /// The API does not accept the user of the kubeconfig. It is of another cluster, or of an earlier one on the
    /// same machines.
    ///
    /// # Remedy
    /// Fetch it again:
    ///
    /// ```sh
    /// towline kubeconfig -i FILE
    /// ```
    API_UNAUTHORIZED "api-unauthorized";

    /// Nodes of the cluster are not Ready, or there are none yet.
    ///
    /// # Remedy
    /// A node without a network plug-in (CNI) is not Ready before one is installed. Otherwise see what it says:
    ///
    /// ```sh
    /// kubectl describe node NAME
    /// ```
    NODES_NOT_READY "nodes-not-ready";

    /// The cluster does not take what a manifest of the inventory holds. k3s tries again every 15 s, k0s for a
    /// minute; what the API says of it is shown, and does not pass by itself.
    ///
    /// # Remedy
    /// Correct the manifest, then run the same command again. On a server, this shows what k3s, or k0s, says of them:
    ///
    /// ```sh
    /// kubectl get events --namespace kube-system --field-selector involvedObject.kind=Addon
    /// journalctl -u k0scontroller | grep component=applier-towline
    /// ```
    MANIFEST_REFUSED "manifest-refused";

    /// The kubeconfig does not exist.
    ///
    /// # Remedy
    /// Name it with `--kubeconfig FILE`, or fetch it:
    ///
    /// ```sh
    /// towline kubeconfig -i FILE
    /// ```
    KUBECONFIG_MISSING "kubeconfig-missing";

    /// A kubeconfig cannot be used: a certificate, key or address is missing or broken, or it would run programs
    /// or read files.
    ///
    /// # Remedy
    /// Look at the file that the message names. A server writes its own anew when it is missing at a start:
    ///
    /// ```sh
    /// rm /etc/rancher/k3s/k3s.yaml && systemctl restart k3s
    /// ```
    KUBECONFIG_INVALID "kubeconfig-invalid";

    /// The kubeconfig has no context of this name, or the context names a cluster or user that is not in it.
    ///
    /// # Remedy
    /// Name one that it has with `--context NAME`:
    ///
    /// ```sh
    /// kubectl config get-contexts
    /// ```
    KUBECONFIG_CONTEXT "kubeconfig-context";

    /// Another program is writing the kubeconfig; its lock file has been there for long. A program that was killed
    /// leaves one behind.
    ///
    /// # Remedy
    /// If nothing writes the file any more, remove the lock that the message names, and run the same command again.
    KUBECONFIG_LOCKED "kubeconfig-locked";

    /// The file at the place of the kubeconfig was left as it is: it is of another cluster, is no kubeconfig, or is
    /// no regular file.
    ///
    /// # Remedy
    /// Choose another file with `--kubeconfig FILE`, add to it with `--merge`, or move that file away.
    KUBECONFIG_NOT_REPLACED "kubeconfig-not-replaced";
}
