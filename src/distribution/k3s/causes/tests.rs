use super::*;

/// A line as k3s writes it, what it means, and what stands in the first remedy.
const MEASURED: &[(&str, &str, &str)] = &[
    (
        r#"time="x" level=fatal msg="Error: preparing server: failed to bootstrap cluster data: failed to check if bootstrap data has been initialized: failed to validate token: Get \"https://10.0.0.1:6443/v1-k3s/server-bootstrap\": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-27T13:00:00Z is before 2026-11-27T15:17:05Z""#,
        "by this host's clock the cluster's certificates are not yet valid: it is more than an hour behind the clock of the server that made them",
        "\ntimedatectl",
    ),
    (
        r#"time="x" level=info msg="Waiting to retrieve agent configuration; server is not ready: failed to retrieve configuration from server: not authorized""#,
        "the cluster does not accept this agent's token",
        "\ncat /var/lib/rancher/k3s/server/agent-token",
    ),
    (
        r#"time="x" level=error msg="Failed to validate connection to cluster at https://10.0.0.1:6443: token CA hash does not match the Cluster CA certificate hash: aaaa != 568b""#,
        "the token belongs to another cluster: its CA hash is not this cluster's",
        "\ncat /var/lib/rancher/k3s/server/agent-token",
    ),
    (
        r#"time="x" level=error msg="Failed to validate connection to cluster at https://10.0.0.1:6443: failed to get CA certs: Get \"https://127.0.0.1:6444/cacerts\": read tcp 127.0.0.1:41234->127.0.0.1:6444: read: connection reset by peer""#,
        "10.0.0.1:6443 could not be reached from this host: nothing listens there, a firewall is between, or the address is wrong",
        "\ntimeout 5 bash -c '</dev/tcp/10.0.0.1/6443' && echo open",
    ),
    (
        r#"time="x" level=error msg="Failed to validate connection to cluster at https://[fd00::1]:6443: failed to get CA certs: Get \"https://127.0.0.1:6444/cacerts\": EOF""#,
        "[fd00::1]:6443 could not be reached from this host: nothing listens there, a firewall is between, or the address is wrong",
        "</dev/tcp/fd00::1/6443",
    ),
    (
        r#"time="x" level=fatal msg="Error: preparing server: failed to bootstrap cluster data: failed to check if bootstrap data has been initialized: failed to validate token: failed to get CA certs: Get \"https://10.0.0.7:6443/cacerts\": dial tcp 10.0.0.7:6443: connect: connection refused""#,
        "10.0.0.7:6443 could not be reached from this host: nothing listens there, a firewall is between, or the address is wrong",
        "</dev/tcp/10.0.0.7/6443",
    ),
    (
        r#"time="x" level=info msg="Waiting to retrieve agent configuration; server is not ready: Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry, try enabling a unique node name with the --with-node-id flag""#,
        "the cluster knows a node m4 with another password: this host was reinstalled or lost /etc/rancher/node/password, or another host has this name",
        "\nk3s kubectl delete node m4",
    ),
    (
        r#"time="x" level=fatal msg="Error: preparing server: failed to bootstrap cluster data: creating storage endpoint: failed to create driver for configured endpoint: Error 1045 (28000): Access denied for user 'k3s'@'10.0.0.2' (using password: YES)""#,
        "the database refuses the user or the password in the datastore's endpoint",
        "cluster: {datastore_endpoint: …}",
    ),
    (
        r#"time="x" level=error msg="Failed to ping database connection: failed to connect to `user=k3s database=k3s`: 10.0.0.9:5432 (10.0.0.9): failed SASL auth: FATAL: password authentication failed for user \"k3s\" (SQLSTATE 28P01)""#,
        "the database refuses the user or the password in the datastore's endpoint",
        "cluster: {datastore_endpoint: …}",
    ),
    (
        r#"time="x" level=fatal msg="Error: preparing server: failed to bootstrap cluster data: creating storage endpoint: failed to create driver for configured endpoint: failed to connect to NATS server: nats: Authorization Violation""#,
        "the database refuses the user or the password in the datastore's endpoint",
        "cluster: {datastore_endpoint: …}",
    ),
    (
        r#"time="x" level=fatal msg="Error: preparing server: failed to bootstrap cluster data: context deadline exceeded""#,
        "the etcd in the datastore's endpoint does not answer k3s: it is too slow, or one of the two does not accept the other's certificate",
        "datastore_ca_file",
    ),
    (
        r#"time="x" level=fatal msg="Error: preparing server: failed to bootstrap cluster data: not authorized""#,
        "the cluster does not accept this host's token",
        "\ncat /var/lib/rancher/k3s/server/token",
    ),
    (
        "time=\"x\" level=warning msg=\"critical configuration mismatched: ClusterIPRange.IP.slice[13]\"\n\
         time=\"x\" level=warning msg=\"critical configuration mismatched: ClusterIPRanges.slice[0].IP.slice[13]\"\n\
         time=\"x\" level=warning msg=\"critical configuration mismatched: disable-network-policy\"\n\
         time=\"x\" level=fatal msg=\"Error: preparing server: failed to validate server configuration: critical configuration value mismatch between servers\"",
        "all servers must have the same settings, and this one differs from the others in: cluster-cidr, disable-network-policy",
        "\ngrep -rnE 'cluster-cidr|disable-network-policy' /etc/rancher/k3s/",
    ),
    (
        r#"time="x" level=fatal msg="Error: preparing server: start managed database: etcd cluster join failed: duplicate node name found, please use a unique name for this node""#,
        "etcd still has a member m4: this host was reinstalled, or another server has this name",
        "\nk3s kubectl delete node m4",
    ),
    (
        r#"time="x" level=info msg="Waiting to retrieve etcd cluster member list: failed to get MemberList from server: Get \"https://10.0.0.1:6443/db/info\": dial tcp 10.0.0.1:6443: connect: no route to host""#,
        "10.0.0.1:6443, through which this server is to join, does not answer: it has left the cluster, or it is down",
        "\ngrep '^server:' /etc/rancher/k3s/config.yaml",
    ),
    (
        r#"time="x" level=fatal msg="Error: flag provided but not defined: -nosuchkey""#,
        "the configuration has a key that this k3s does not know: nosuchkey",
        "\ngrep -rn 'nosuchkey' /etc/rancher/k3s/",
    ),
    (
        r#"time="x" level=error msg="Shutdown request received: \"apiserver exited: unknown flag: --frobnicate\"""#,
        "a part of k3s has an argument that it does not take: frobnicate",
        "\ngrep -rn -- 'frobnicate' /etc/rancher/k3s/",
    ),
    (
        r#"time="x" level=error msg="Shutdown request received: \"kubelet exited: failed to parse kubelet flag: invalid argument \\\"abc\\\" for \\\"--max-pods\\\" flag: strconv.ParseInt: parsing \\\"abc\\\": invalid syntax\"""#,
        "a part of k3s has an argument that it does not take: max-pods",
        "\ngrep -rn -- 'max-pods' /etc/rancher/k3s/",
    ),
    (
        r#"time="x" level=fatal msg="yaml: line 3: did not find expected node content""#,
        "a configuration file of k3s is not YAML, at or before line 3",
        "\nawk 'FNR == 3 {print FILENAME \": \" $0}' /etc/rancher/k3s/config.yaml.d/*",
    ),
    (
        r#"time="x" level=fatal msg="Error: preparing server: failed to bootstrap cluster data: etcd disabled""#,
        "the first server keeps its cluster in sqlite, which only one server can use",
        "cluster: {datastore: etcd}",
    ),
    (
        r#"time="x" level=fatal msg="Error: preparing server: failed to reconcile with local datastore: bootstrap data already found and encrypted with different token""#,
        "the host's data belongs to a cluster with another token",
        "\ncat /var/lib/rancher/k3s/server/token",
    ),
    (
        r#"time="x" level=fatal msg="listen tcp :6443: bind: address already in use""#,
        "another program has a port that k3s needs: 6443",
        "\nss -ltnp 'sport = :6443'",
    ),
    (
        r#"time="x" level=fatal msg="extracting data: write /var/lib/rancher/k3s/data/.extract/bin/containerd: no space left on device""#,
        "a disk of this host is full, or has no room for more files",
        "\ndf -h; df -i",
    ),
    (
        r#"time="x" level=fatal msg="Error: inotify_add_watch /sys/fs/cgroup: no space left on device""#,
        "the host's limit of inotify watches is used up",
        "\nsysctl fs.inotify.max_user_watches=524288",
    ),
    (
        r#"time="x" level=fatal msg="Error: mkdir /var/lib/rancher/k3s/server/tls: read-only file system""#,
        "a file system that k3s writes to is mounted read-only",
        "\nfindmnt -O ro",
    ),
    (
        r#"time="x" level=error msg="Failed to find memory cgroup, you may need to add \"cgroup_memory=1 cgroup_enable=memory\" to your linux cmdline (/boot/cmdline.txt on a Raspberry Pi)""#,
        "the kernel does not offer the memory cgroup: a Raspberry Pi has it switched off",
        "cgroup_memory=1 cgroup_enable=memory",
    ),
    (
        r#"time="x" level=fatal msg="Error: failed to find cpuset cgroup (v2)""#,
        "the kernel does not offer the cgroup controller cpuset",
        "cgroup_enable=cpuset",
    ),
    (
        r#"time="x" level=fatal msg="controller-manager exited: cidr 10.42.0.0/24 is out the range of cluster cidr 10.50.0.0/16""#,
        "the nodes have their ranges of pod addresses from another cluster-cidr than 10.50.0.0/16: a running cluster cannot change it",
        "\ngrep -rn cluster-cidr /etc/rancher/k3s/",
    ),
    (
        "E1121 04:20:05.123456    1234 run.go:72] kubelet is configured to not run on a host using cgroup v1",
        "the kernel runs cgroup v1, and this kubelet refuses that",
        "systemd.unified_cgroup_hierarchy=1",
    ),
    (
        "Error: failed to run Kubelet: failed to create kubelet: open /dev/kmsg: no such file or directory",
        "this machine has no /dev/kmsg, which the kubelet reads: containers of lxc and Proxmox have none",
        "/etc/tmpfiles.d/kmsg.conf",
    ),
    (
        r#"time="x" level=fatal msg="/var/lib/rancher/k3s/server/cred/passwd newer than datastore and could cause a cluster outage. Remove the file(s) from disk and restart to be recreated from datastore.""#,
        "a file that the servers share differs on this host from what is in the datastore",
        "agent_token  in the inventory is not the one",
    ),
];

#[test]
fn each_measured_line_is_recognised() {
    for (line, means, remedy) in MEASURED {
        let problem = diagnose(&format!("older line\n{line}\nnoise"), "m4").expect(line);
        assert_eq!(problem.what, *means, "{line}");
        let told = problem.to_string().replace("\n    ", "\n");
        assert!(told.contains(remedy), "{line}: {problem}");
        assert!(!problem.to_string().contains("6444"), "{problem}");
    }
    assert_eq!(diagnose("all is well", "m4"), None);
    let own_api = r#"time="x" level=info msg="Waiting to retrieve kube-proxy configuration; server is not ready: failed to get CA certs: Get \"https://127.0.0.1:6443/cacerts\": dial tcp 127.0.0.1:6443: connect: connection refused""#;
    assert_eq!(diagnose(own_api, "m4"), None);
}

#[test]
fn every_row_has_a_measured_line() {
    for cause in CAUSES {
        let measured = MEASURED
            .iter()
            .any(|(line, _, _)| cause.words.iter().all(|word| line.contains(word)));
        assert!(measured, "{:?}", cause.words);
    }
}

#[test]
fn what_a_journal_holds_does_not_get_into_a_command() {
    let evil = r#"level=fatal msg="Error: flag provided but not defined: -x';reboot;'""#;
    let problem = diagnose(evil, "m4").expect("recognised");
    assert!(
        problem
            .next
            .iter()
            .all(|next| !next.text.contains("reboot")),
        "{problem}"
    );
}
