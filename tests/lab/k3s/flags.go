package main

import (
	"sort"
)

// flagKind says how a flag takes its value.
type flagKind int

const (
	stringFlag flagKind = iota
	boolFlag
	listFlag
)

// flagDefinition is one flag of k3s. Names, environment variables and aliases
// are those of k3s (documentation: cli/server and cli/agent).
type flagDefinition struct {
	name    string
	kind    flagKind
	usage   string
	env     string
	aliases []string
}

func stringsOf(kind flagKind, names ...string) []flagDefinition {
	var flags []flagDefinition
	for _, name := range names {
		flags = append(flags, flagDefinition{name: name, kind: kind})
	}
	return flags
}

// commonFlags are known to server and agent.
func commonFlags() []flagDefinition {
	flags := []flagDefinition{
		{name: "config", aliases: []string{"c"}, usage: "(config) Load configuration from FILE", env: "K3S_CONFIG_FILE"},
		{name: "debug", kind: boolFlag, usage: "(logging) Turn on debug logs", env: "K3S_DEBUG"},
		{name: "data-dir", aliases: []string{"d"}, usage: "(data) Folder to hold state", env: "K3S_DATA_DIR"},
		{name: "token", aliases: []string{"t"}, usage: "(cluster) Shared secret used to join a server or agent to a cluster", env: "K3S_TOKEN"},
		{name: "token-file", usage: "(cluster) File containing the token", env: "K3S_TOKEN_FILE"},
		{name: "server", aliases: []string{"s"}, usage: "(cluster) Server to connect to, used to join a cluster", env: "K3S_URL"},
		{name: "node-name", usage: "(agent/node) Node name", env: "K3S_NODE_NAME"},
		{name: "with-node-id", kind: boolFlag, usage: "(agent/node) Append id to node name"},
		{name: "node-ip", aliases: []string{"i"}, kind: listFlag, usage: "(agent/networking) IPv4/IPv6 addresses to advertise for node"},
		{name: "node-external-ip", kind: listFlag, usage: "(agent/networking) IPv4/IPv6 external IP addresses to advertise for node"},
		{name: "node-label", kind: listFlag, usage: "(agent/node) Registering and starting kubelet with set of labels"},
		{name: "node-taint", kind: listFlag, usage: "(agent/node) Registering kubelet with set of taints"},
		{name: "node-internal-dns", kind: listFlag}, {name: "node-external-dns", kind: listFlag},
		{name: "kubelet-arg", kind: listFlag, usage: "(agent/flags) Customized flag for kubelet process"},
		{name: "kube-proxy-arg", kind: listFlag, usage: "(agent/flags) Customized flag for kube-proxy process"},
		{name: "selinux", kind: boolFlag, env: "K3S_SELINUX"},
	}
	flags = append(flags, stringsOf(stringFlag,
		"v", "vmodule", "log", "l", "bind-address", "lb-server-port", "resolv-conf", "flannel-iface", "flannel-conf",
		"flannel-cni-conf", "container-runtime-endpoint", "default-runtime", "image-service-endpoint", "pause-image",
		"snapshotter", "private-registry", "image-credential-provider-bin-dir", "image-credential-provider-config",
		"system-default-registry", "airgap-extra-registry", "nonroot-devices", "vpn-auth", "vpn-auth-file")...)
	flags = append(flags, stringsOf(boolFlag,
		"alsologtostderr", "rootless", "docker", "disable-default-registry-endpoint", "protect-kernel-defaults",
		"prefer-bundled-bin", "enable-pprof", "disable-apiserver-lb")...)
	return flags
}

// serverFlags are the flags of `k3s server`.
func serverFlags() []flagDefinition {
	flags := append(commonFlags(),
		flagDefinition{name: "agent-token", usage: "(cluster) Shared secret used to join agents to the cluster, but not servers", env: "K3S_AGENT_TOKEN"},
		flagDefinition{name: "agent-token-file", env: "K3S_AGENT_TOKEN_FILE"},
		flagDefinition{name: "cluster-init", kind: boolFlag, usage: "(cluster) Initialize a new cluster using embedded Etcd", env: "K3S_CLUSTER_INIT"},
		flagDefinition{name: "cluster-reset", kind: boolFlag, env: "K3S_CLUSTER_RESET"},
		flagDefinition{name: "write-kubeconfig", aliases: []string{"o"}, usage: "(client) Write kubeconfig for admin client to this file", env: "K3S_KUBECONFIG_OUTPUT"},
		flagDefinition{name: "write-kubeconfig-mode", usage: "(client) Write kubeconfig with this mode", env: "K3S_KUBECONFIG_MODE"},
		flagDefinition{name: "write-kubeconfig-group", env: "K3S_KUBECONFIG_GROUP"},
		flagDefinition{name: "tls-san", kind: listFlag, usage: "(listener) Add additional hostnames or IPv4/IPv6 addresses as Subject Alternative Names on the server TLS cert"},
		flagDefinition{name: "disable", kind: listFlag, usage: "(components) Do not deploy packaged components and delete any deployed components"},
		flagDefinition{name: "datastore-endpoint", usage: "(db) Specify etcd, NATS, MySQL, Postgres, or SQLite data source name", env: "K3S_DATASTORE_ENDPOINT"},
		flagDefinition{name: "datastore-cafile", env: "K3S_DATASTORE_CAFILE"},
		flagDefinition{name: "datastore-certfile", env: "K3S_DATASTORE_CERTFILE"},
		flagDefinition{name: "datastore-keyfile", env: "K3S_DATASTORE_KEYFILE"},
	)
	flags = append(flags, stringsOf(stringFlag,
		"https-listen-port", "supervisor-port", "apiserver-port", "apiserver-bind-address", "advertise-address", "advertise-port", "service-node-port-range",
		"cluster-domain", "flannel-backend", "egress-selector-mode", "servicelb-namespace",
		"write-kubeconfig-name", "helm-job-image", "cluster-reset-restore-path",
		"default-local-storage-path", "secrets-encryption-provider",
		"etcd-snapshot-name", "etcd-snapshot-schedule-cron", "etcd-snapshot-retention", "etcd-snapshot-dir", "etcd-snapshot-reconcile-interval",
		"etcd-s3-endpoint", "etcd-s3-endpoint-ca", "etcd-s3-access-key", "etcd-s3-secret-key",
		"etcd-s3-session-token", "etcd-s3-bucket", "etcd-s3-bucket-lookup-type", "etcd-s3-region",
		"etcd-s3-folder", "etcd-s3-proxy", "etcd-s3-config-secret", "etcd-s3-timeout", "etcd-s3-retention",
		"datastore-reconcile-interval", "kine-tls", "flannel-host-gw")...)
	flags = append(flags, stringsOf(boolFlag,
		"tls-san-security", "disable-agent", "disable-scheduler", "disable-cloud-controller",
		"disable-kube-proxy", "disable-network-policy", "disable-helm-controller", "disable-apiserver",
		"disable-controller-manager", "disable-etcd", "flannel-ipv6-masq", "flannel-external-ip", "multi-cluster-cidr",
		"etcd-expose-metrics", "etcd-disable-snapshots", "etcd-snapshot-compress", "etcd-s3",
		"etcd-s3-skip-ssl-verify", "etcd-s3-insecure", "embedded-registry", "supervisor-metrics", "secrets-encryption")...)
	flags = append(flags, stringsOf(listFlag,
		"cluster-cidr", "service-cidr", "cluster-dns", "kube-apiserver-arg",
		"etcd-arg", "kube-controller-manager-arg", "kube-scheduler-arg", "kube-cloud-controller-manager-arg",
		"kube-controller-arg", "kube-cloud-controller-arg", "helm-controller-arg")...)
	return flags
}

// agentFlags are the flags of `k3s agent`.
func agentFlags() []flagDefinition { return commonFlags() }

func flagsOf(command string) []flagDefinition {
	switch command {
	case "server":
		return serverFlags()
	case "etcd-snapshot":
		return snapshotFlags()
	default:
		return agentFlags()
	}
}

func findFlag(flags []flagDefinition, name string) (flagDefinition, bool) {
	for _, flag := range flags {
		if flag.name == name {
			return flag, true
		}
		for _, alias := range flag.aliases {
			if alias == name {
				return flag, true
			}
		}
	}
	return flagDefinition{}, false
}

func flagNames(flags []flagDefinition) []flagDefinition {
	sorted := append([]flagDefinition(nil), flags...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i].name < sorted[j].name })
	return sorted
}
