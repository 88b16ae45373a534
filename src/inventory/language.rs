//! The inventory's language, described once.
//!
//! This table is what the reader checks against ([`super::shape`]), what the JSON schema is made
//! of ([`super::schema`]) and what `docs/inventory.md` is made of ([`super::document`]).

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Text.
    Text,
    /// A secret: text that is never shown.
    Secret,
    /// A whole number in this range.
    Whole(i64, i64),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A text or a list of texts.
    TextOrTexts,
    /// Texts by key.
    Labels,
    /// Anything by key.
    Config,
    /// Keys of this object.
    Object(&'static Object),
    /// Objects by name.
    Objects(&'static Object),
}

/// A map with known keys.
#[derive(Debug)]
pub(super) struct Object {
    /// Its name in the schema and its title in the documentation.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys in the order of the documentation.
    pub keys: &'static [Key],
}

/// One key of a map.
#[derive(Debug)]
pub(super) struct Key {
    /// The key.
    pub name: &'static str,
    /// What its value must be.
    pub kind: Kind,
    /// The default, as it would be written.
    pub default: Option<&'static str>,
    /// How it is written, as YAML.
    pub example: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Names under which people look for it.
    pub also: &'static [&'static str],
}

impl Object {
    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// A key without default and without other names.
const fn key(name: &'static str, kind: Kind, example: &'static str, about: &'static str) -> Key {
    Key {
        name,
        kind,
        default: None,
        example,
        about,
        also: &[],
    }
}

impl Key {
    const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn also(mut self, also: &'static [&'static str]) -> Self {
        self.also = also;
        self
    }
}

/// The whole file.
pub(super) static INVENTORY: Object = Object {
    name: "Inventory",
    about: "The whole file. It is the whole truth of one cluster.",
    keys: &[
        key(
            "cluster",
            Kind::Object(&CLUSTER),
            "{name: home}",
            "What holds for the cluster as a whole.",
        ),
        key(
            "ssh",
            Kind::Object(&SSH),
            "{user: ubuntu}",
            "How to reach every host; groups and hosts may say otherwise, key by key.",
        ),
        key(
            "groups",
            Kind::Objects(&GROUP),
            "{workers: {role: agent}}",
            "Settings that hosts share, by the group's name.",
        )
        .also(&["group"]),
        key(
            "hosts",
            Kind::Objects(&HOST),
            "{alpha: {address: 10.0.0.1, role: server}}",
            "The machines, by name. A name may hold ranges: `worker[01:20]`.",
        )
        .also(&["host", "nodes", "machines"]),
    ],
};

/// The key `cluster`.
pub(super) static CLUSTER: Object = Object {
    name: "Cluster",
    about: "What holds for the cluster as a whole.",
    keys: &[
        key("name", Kind::Text, "home", "Name of the cluster, and of its context in the kubeconfig. Without it, the file's name without its ending."),
        key("distribution", Kind::Choice(&["k3s", "k0s"]), "k3s", "Which Kubernetes distribution. `k0s` comes later and is refused for now.")
            .default("k3s"),
        key("version", Kind::Text, "v1.36.3+k3s1", "Exactly this version. Not together with `channel`."),
        key("channel", Kind::Text, "stable", "Whatever version this release channel names when the cluster is made: `stable`, `latest`, `v1.36`.")
            .default("stable"),
        key("endpoint", Kind::Text, "203.0.113.10", "The address that clients use: an IP address or DNS name, without scheme and port. Without it, the first server's address."),
        INTERFACE,
        key("tls_sans", Kind::Texts, "[k8s.example.org]", "Further names and addresses for the API server's certificate.")
            .also(&["tls-san", "san", "sans"]),
        key("server_url", Kind::Text, "https://10.0.0.1:6443", "A server of an existing cluster, outside this inventory, that the hosts join. Needs a token.")
            .also(&["server", "url"]),
        key("token", Kind::Secret, "\"...\"", "The token that servers join with. Better kept in a file: `token_file`."),
        key("token_file", Kind::Text, "secrets/token", "A file with the token. Not together with `token`."),
        key("agent_token", Kind::Secret, "\"...\"", "A token of its own for agents, which lets nobody join as a server."),
        key("agent_token_file", Kind::Text, "secrets/agent-token", "A file with the agents' token. Not together with `agent_token`."),
        key("join", Kind::Choice(&["parallel", "serial"]), "serial", "Whether the servers after the first join together or one by one.")
            .default("parallel"),
        key("agent_batch", Kind::Whole(1, 2000), "50", "How many agents join at once.")
            .default("50"),
        key("datastore", Kind::Choice(&["etcd", "sqlite"]), "etcd", "Where the servers keep the cluster's data. Without it, embedded etcd for more than one server and sqlite for a single one. `etcd` moves the data of a single server from sqlite to etcd, so that others can join."),
        key("binary", Kind::Object(&BINARY), "{source: download}", "Where the distribution's binary comes from."),
        key("config", Kind::Config, "{disable: [traefik]}", "Goes into every server's config.yaml as it is.")
            .also(&["server_config"]),
        key("agent_config", Kind::Config, "{kubelet-arg: [max-pods=200]}", "Goes into every agent's config.yaml as it is."),
    ],
};

/// The key `cluster.binary`.
pub(super) static BINARY: Object = Object {
    name: "Binary",
    about: "Where the distribution's binary comes from.",
    keys: &[
        key("source", Kind::Choice(&["download", "push", "path"]), "download", "`download`: every host fetches it with curl or wget, and it is checked there against the release's hash as this machine reads it; a host that has neither, or cannot reach it, gets it as with `push`. `push`: this machine downloads it once, checks it, and uploads it to the hosts. `path`: a file on this machine.")
            .default("download"),
        key("mirror", Kind::Text, "https://mirror.example.org/k3s", "With `download` and `push`: a base address in the layout of the project's releases, in place of the project's own.")
            .also(&["url"]),
        key("sha256", Kind::Labels, "{amd64: 3f4c0a3e96a5d5c0a0a0c5e1b6d9f2c47a8b1e0d5c3f2a1b0e9d8c7b6a594837}", "The SHA-256 that the binary must have, by architecture (`amd64`, `arm64`, `armhf`, `s390x`). Without it, it is what the list of the release says, which comes from the same place as the binary. An architecture that is not named is taken as without it.")
            .also(&["checksum", "hash"]),
        key("proxy", Kind::Text, "http://proxy.example.org:3128", "With `download`: the proxy through which the hosts fetch. What this machine fetches goes through the one that its own environment names (`HTTPS_PROXY`; what `NO_PROXY` names is fetched without it)."),
        key("path", Kind::Text, "./k3s", "With `path`: the file.").also(&["file"]),
    ],
};

/// The key `ssh`, in any of its places.
pub(super) static SSH: Object = Object {
    name: "Ssh",
    about: "How to reach hosts. Stands at the top, in a group or in a host; the nearest wins, key by key, and a command-line flag wins over all of them.",
    keys: &[
        key(
            "user",
            Kind::Text,
            "ubuntu",
            "User to log in as. One other than root needs sudo.",
        )
        .default("root")
        .also(&["username", "login", "ansible_user", "remote_user"]),
        key(
            "port",
            Kind::Whole(1, 65535),
            "2222",
            "Port of the SSH server.",
        )
        .default("22")
        .also(&["ansible_port"]),
        key(
            "key",
            Kind::TextOrTexts,
            "~/.ssh/id_ed25519",
            "Private key file, or a list of them, to offer first.",
        )
        .also(&[
            "keys",
            "identity_file",
            "key_path",
            "private_key",
            "keyPath",
        ]),
        key(
            "known_hosts",
            Kind::Text,
            "known_hosts",
            "The file of trusted host keys, in place of `~/.ssh/known_hosts`.",
        )
        .also(&["user_known_hosts_file"]),
        key(
            "connect_timeout_seconds",
            Kind::Whole(1, 3600),
            "10",
            "Seconds to wait for a connection.",
        )
        .default("10")
        .also(&["timeout"]),
    ],
};

/// What a group and a host both may say.
const ROLE: Key = key("role", Kind::Choice(&["server", "agent"]), "server", "`server` runs the control plane (and workloads); `agent` runs workloads only. Every host needs one, from itself or from a group.")
    .also(&["roles", "type"]);
const LABELS: Key = key("labels", Kind::Labels, "{disk: ssd}", "Labels of the node, given when it joins. Groups' and host's are united; for the same key the nearest wins.")
    .also(&["label", "node_labels"]);
const TAINTS: Key = key("taints", Kind::Texts, "[\"gpu=yes:NoSchedule\"]", "Taints of the node, given when it joins: `key=value:Effect` or `key:Effect`. Groups' and host's are added up.")
    .also(&["taint", "node_taints"]);
const CONFIG: Key = key(
    "config",
    Kind::Config,
    "{kubelet-arg: [max-pods=200]}",
    "Goes into the host's config.yaml, over what the cluster says; for the same key the nearest wins.",
);
const INTERFACE: Key = key("interface", Kind::Text, "eth1", "The network interface by which the hosts reach each other: its first address is the node's, and flannel goes over it. For all hosts under `cluster`; a group or a host may say otherwise, and the nearest wins. Without it, towline finds the network.")
    .also(&["iface", "nic", "flannel_iface", "network_interface", "private_interface"]);
const SSH_KEY: Key = key(
    "ssh",
    Kind::Object(&SSH),
    "{user: admin}",
    "How to reach it, where that differs.",
);

/// One of `groups`.
pub(super) static GROUP: Object = Object {
    name: "Group",
    about: "Settings that hosts share. A host names its groups; of two groups, the one named later wins.",
    keys: &[ROLE, INTERFACE, LABELS, TAINTS, CONFIG, SSH_KEY],
};

/// One of `hosts`.
pub(super) static HOST: Object = Object {
    name: "Host",
    about: "One machine, or as many as the ranges in its name count.",
    keys: &[
        key("address", Kind::Text, "203.0.113.10", "Where this machine reaches it: an IP address or DNS name, without user and port. Without it, the host's name.")
            .also(&["ip", "host", "hostname", "addr", "ansible_host", "public_address"]),
        key("private_address", Kind::Text, "10.0.0.1", "The IP address at which the other hosts reach it, when that is another one.")
            .also(&["private_ip", "internal_address", "internal_ip", "node_ip"]),
        INTERFACE,
        ROLE,
        key("group", Kind::Text, "workers", "The one group it is in. Not together with `groups`."),
        key("groups", Kind::Texts, "[workers, gpu]", "The groups it is in; what a later one says wins."),
        key("node_name", Kind::Text, "alpha", "The node's name in Kubernetes. Without it, the machine's own hostname.")
            .also(&["name"]),
        LABELS,
        TAINTS,
        CONFIG,
        SSH_KEY,
    ],
};

/// Every object of the language, the file first.
pub(super) static OBJECTS: [&Object; 6] = [&INVENTORY, &CLUSTER, &BINARY, &SSH, &GROUP, &HOST];
