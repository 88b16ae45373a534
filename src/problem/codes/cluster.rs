//! What a cluster allows: quorum, members, names, data, settings, tokens and versions.

super::codes! {
    "The cluster";

    /// Too few servers are up for a quorum of etcd, or would be after what was asked for. etcd needs more
    /// than half of its members: two of three, three of five. Without them the API stops and nothing can be
    /// changed.
    ///
    /// # Remedy
    /// Bring servers back until more than half of the members are up, then run the same command again; the
    /// message says how many and which. To remove servers, reset one at a time or fewer at once, or deploy a
    /// new one first. `k3s server --cluster-reset` is for the case that most of them are lost for good: it
    /// makes a cluster of one server from its own data.
    NO_QUORUM "no-quorum";

    /// A reset would leave agents without a server: `--limit` names all servers and not all agents.
    ///
    /// # Remedy
    /// Name the agents as well, or leave `--limit` out to reset the whole cluster.
    NO_SERVER_LEFT "no-server-left";

    /// There is no cluster to join, to read from or to fetch a kubeconfig of: no server has ever run on the
    /// hosts that were named.
    ///
    /// # Remedy
    /// Make the cluster first, with an inventory or for one machine:
    ///
    /// ```sh
    /// towline deploy -i FILE
    /// towline install --ip ADDRESS
    /// ```
    NO_CLUSTER "no-cluster";

    /// The server that a host is to join has data and is not ready, so nothing can join it now.
    ///
    /// # Remedy
    /// On that server, see why, then run the same command again:
    ///
    /// ```sh
    /// systemctl status k3s
    /// journalctl -u k3s -n 50
    /// ```
    SERVER_NOT_READY "server-not-ready";

    /// The hosts of the inventory belong to two clusters: they hold different cluster CAs. Joined or reset
    /// together, one of the two would be lost.
    ///
    /// # Remedy
    /// Take the hosts that belong elsewhere out of the inventory. To reset those, use an inventory that names
    /// them alone.
    TWO_CLUSTERS "two-clusters";

    /// A host belongs to another cluster than the one of the inventory, or nothing shows that it belongs to
    /// this one.
    ///
    /// # Remedy
    /// If the other cluster still runs, take the host out of the inventory. If it is gone, reset the host, and
    /// it joins here:
    ///
    /// ```sh
    /// towline reset -i FILE --limit HOST
    /// ```
    ///
    /// For an agent of this very cluster, give the full token: it begins with `K10` and names the CA.
    OTHER_CLUSTER "other-cluster";

    /// A host has the CA of a cluster of which nothing else is left there. A new cluster would be made with a
    /// CA of its own, which this host could not join.
    ///
    /// # Remedy
    /// Remove what is left, then run the same command again:
    ///
    /// ```sh
    /// towline reset -i FILE --limit HOST
    /// ```
    CLUSTER_REMAINS "cluster-remains";

    /// Something else than towline set up Kubernetes on the host: the installation script, k3sup, or a tool
    /// that uses them. towline leaves it as it is until it is told to take it over.
    ///
    /// # Remedy
    /// See what taking it over would change, then do it; servers are taken over one after the other:
    ///
    /// ```sh
    /// towline plan -i FILE --adopt
    /// towline deploy -i FILE --adopt
    /// ```
    SET_UP_ELSEWHERE "set-up-elsewhere";

    /// Taking the host over would change a setting that it has and that the inventory does not say. An
    /// inventory is the whole truth of its cluster, so the setting would be lost.
    ///
    /// # Remedy
    /// Write what the host has into the inventory; the message has the lines. Or remove the setting on the
    /// host first, if it is not wanted any more.
    ADOPTION_CHANGES_SETTINGS "adoption-changes-settings";

    /// The host cannot be taken over: it was set up with something that towline does not support yet, or the
    /// unit says something that would be lost.
    ///
    /// # Remedy
    /// Move it into the file that the message names, or leave the host out of the inventory.
    ADOPTION_UNSUPPORTED "adoption-unsupported";

    /// A host is a server and the inventory says agent, or the other way round. A running node does not change
    /// its role: its data would be lost without being noticed.
    ///
    /// # Remedy
    /// Correct the role in the inventory. If the change is wanted, reset that host alone and deploy again; its
    /// data is lost:
    ///
    /// ```sh
    /// towline reset -i FILE --limit HOST
    /// ```
    ROLE_CHANGED "role-changed";

    /// The name of a node would change. A node keeps the name that it joined with; under another one it would
    /// join as a new node, and the old one would stay behind.
    ///
    /// # Remedy
    /// To keep the node, write its name as `node_name` of the host in the inventory. To rename it, reset that
    /// host alone and deploy it again.
    NODE_RENAMED "node-renamed";

    /// The cluster has a node of this name already, of another machine. It may be another host with the same
    /// hostname, or this host as it was before it was installed anew.
    ///
    /// # Remedy
    /// If another host has the name, give this one its own `node_name` in the inventory. If this host was
    /// installed anew, delete the old node on a server, then run the same command again:
    ///
    /// ```sh
    /// k3s kubectl delete node NAME
    /// ```
    NODE_NAME_TAKEN "node-name-taken";

    /// The host keeps its data in another folder than the inventory says. In the new folder it would start
    /// with nothing, as a new machine.
    ///
    /// # Remedy
    /// Write the folder that the host has as `config: {data-dir: FOLDER}` of the host in the inventory. To
    /// move the data, stop the unit, move the folder by hand, and write the new one.
    DATA_DIR_DIFFERS "data-dir-differs";

    /// The folder in which the host keeps its data cannot be used by towline: it is not an absolute path of
    /// letters, digits, `.`, `_` and `-`, or other programs have files in it.
    ///
    /// # Remedy
    /// Stop the unit and move the data to another folder by hand, or leave the host out of the inventory.
    DATA_DIR_UNUSABLE "data-dir-unusable";

    /// A server has run on the host, and its data is not in its folder. Most often a disk is not mounted.
    /// Without the data it would be a new machine to the cluster.
    ///
    /// # Remedy
    /// Mount the disk that the folder is on, and run the same command again. If the data is lost, reset the
    /// host, and it joins anew:
    ///
    /// ```sh
    /// towline reset -i FILE --limit HOST
    /// ```
    DATA_MISSING "data-missing";

    /// The setting was decided when the cluster was made, and cannot be changed while it runs: the ranges of
    /// pods and services, the cluster's DNS, the kind of datastore after the move to etcd, and the like.
    ///
    /// # Remedy
    /// Write back the value that the cluster has. Another value needs a new cluster. On a server, this shows
    /// where it is said:
    ///
    /// ```sh
    /// grep -rn KEY /etc/rancher/k3s/
    /// ```
    SETTING_FIXED "setting-fixed";

    /// Servers of one cluster would have, or have, different values of a setting that must be equal on all.
    /// A server does not start with another value than the others.
    ///
    /// # Remedy
    /// Write it once, under `config` of `cluster`, and not per host or group; then deploy to all servers, so
    /// that they are changed together.
    SERVER_SETTINGS_DIFFER "server-settings-differ";

    /// A datastore outside the cluster (MySQL, PostgreSQL, an etcd of your own) cannot be had by a typed line,
    /// whose password all processes of this machine could read.
    ///
    /// # Remedy
    /// Write it into an inventory, as `datastore_endpoint` under `cluster`: `{env: NAME}`, `{file: PATH}` or
    /// `{command: […]}` says where it is.
    DATASTORE_EXTERNAL "datastore-external";

    /// A server does not reach the datastore outside the cluster, or something else answers there: its host and
    /// its port are tried before anything is changed. Or the datastore refuses the user and the password, as k3s
    /// says when it starts.
    ///
    /// # Remedy
    /// Let every server reach it, and write its address as the servers know it. On a server, as root, this
    /// shows whether the port is open:
    ///
    /// ```sh
    /// timeout 5 bash -c ': <>/dev/tcp/HOST/PORT' && echo open
    /// ```
    DATASTORE_UNREACHED "datastore-unreached";

    /// The cluster keeps its data in SQLite, which only one server can use.
    ///
    /// # Remedy
    /// Write `datastore: etcd` under `cluster` and deploy: the data is moved to embedded etcd, then the other
    /// servers join. For a single machine, `towline install --ip ADDRESS --cluster` does it.
    SQLITE_ONE_SERVER "sqlite-one-server";

    /// A token that was given, or that a host has, cannot be one. It is cut short, has characters that no token
    /// has, or is a token of another kind.
    ///
    /// # Remedy
    /// A full token begins with `K10` and is one line. On a server of the cluster, this shows it:
    ///
    /// ```sh
    /// cat /var/lib/rancher/k3s/server/token
    /// ```
    TOKEN_INVALID "token-invalid";

    /// The hosts have different tokens, so they belong to different clusters or one of them was changed by
    /// hand.
    ///
    /// # Remedy
    /// Take the hosts that belong elsewhere out of the inventory, or make the token of this cluster known with
    /// `token_file` under `cluster`.
    TOKENS_DIFFER "tokens-differ";

    /// The cluster does not accept the token of a host: it is the token of another cluster, or the servers' token
    /// was changed. Agents may have a token of their own.
    ///
    /// # Remedy
    /// Take the token from a server of the cluster, and write it into the file that `token_file` (for agents,
    /// `agent_token_file`) under `cluster` names. A file in `/etc/rancher/k3s/config.yaml.d` on the host wins
    /// over it.
    ///
    /// ```sh
    /// cat /var/lib/rancher/k3s/server/token
    /// cat /var/lib/rancher/k3s/server/agent-token
    /// ```
    TOKEN_REFUSED "token-refused";

    /// The cluster is not in the state in which its servers can be restarted one by one, or some of its hosts would
    /// get ahead of others.
    ///
    /// # Remedy
    /// All servers have to run, READY and voting, before the first of them is upgraded, and no agent is ever newer
    /// than a server. What is below the error says what is missing.
    UPGRADE_REFUSED "upgrade-refused";

    /// towline cannot save the data of this cluster: it is not on its servers, its distribution has a command of its own
    /// for it, or no server runs that could save it.
    ///
    /// # Remedy
    /// What is below the error says who can. Data in PostgreSQL, MySQL or another etcd is saved with the tools of that
    /// datastore.
    SNAPSHOT_UNAVAILABLE "snapshot-unavailable";

    /// A server was to take a snapshot, or to hand one over, and has not. k3s itself says that all went well also where a
    /// full disk prevented it; towline looks at the file.
    ///
    /// # Remedy
    /// Make room where the message says, or repair what k3s complains about, and run the same command again.
    SNAPSHOT_FAILED "snapshot-failed";

    /// None of the servers that were reached has a snapshot of this name.
    ///
    /// # Remedy
    /// `towline snapshot list -i FILE` lists them. One in S3 is fetched with the tools of S3.
    SNAPSHOT_UNKNOWN "snapshot-unknown";

    /// A restore would not bring the cluster back, or would leave a machine with data that contradicts it. Nothing was
    /// stopped.
    ///
    /// # Remedy
    /// What is below the error says what is missing. A snapshot needs the token that was in force when it was taken, a
    /// Kubernetes that is not older than the one that took it, and all servers of the inventory; a machine that is gone
    /// is taken out of the inventory first.
    RESTORE_REFUSED "restore-refused";

    /// The wanted version is older than one that runs. Kubernetes does not go back: etcd and the objects in it may be in
    /// a form that the older one does not read.
    ///
    /// # Remedy
    /// Name a version that no host is newer than. To really go back, restore a snapshot of etcd that the older version
    /// has taken.
    VERSION_OLDER "version-older";

    /// The wanted version is more than one minor version ahead of a server. The servers of a cluster may be one apart,
    /// and each minor version converts what the one before it has stored.
    ///
    /// # Remedy
    /// Upgrade to the latest release of the minor version in between first.
    MINOR_VERSION_SKIPPED "minor-version-skipped";

    /// A host has the data of a cluster and no binary that tells its version. A channel such as `stable` names a
    /// version only for a new cluster; here it could be an upgrade.
    ///
    /// # Remedy
    /// Write `version` under `cluster`: the version that the cluster runs.
    VERSION_UNKNOWN "version-unknown";

    /// The hosts run other versions than the inventory says, or different ones. An upgrade has an order and
    /// is a command of its own.
    ///
    /// # Remedy
    /// `towline upgrade -i FILE --plan` shows what an upgrade to the inventory's version would do.
    ///
    /// To go on without an upgrade, write the version that runs as `version` under `cluster`. Where hosts differ,
    /// it is the one of the servers; an agent may be older, not newer.
    VERSIONS_DIFFER "versions-differ";
}
