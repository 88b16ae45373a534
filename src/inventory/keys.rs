//! Every key of an inventory, described once: what the macro makes of an entry is said with
//! [`super::language::keys`]. A new key is its entry here and the one who reads the field.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::Value;

use super::belongings::{self, HostFile};
use super::document::{AuditPolicy, KubeletConfig};
use super::language::Kind::{
    Choice, Config, Distribution, Document, Flag, Labels, Object as Map, ObjectOrFile,
    Objects as Maps, Ranged, RoleName, Secret as Hidden, Text, TextOrTexts, Texts, TextsOrObjects,
    Values, Whole,
};
use super::language::{ANY, Key, Object, join, keys};
use super::layers::{At, FlatSettings, FromLayers, Layer};
use super::reader::Reader;
use super::{
    BinarySource, Datastore, Dialect, ExternalDatastore, Join, Manifest, Registries, Role,
    VersionChoice,
};
use super::{cluster, datastore, kubernetes, manifests, registries, release, syntax};
use crate::vars::{Origin, Secret, Sourced};

keys! { INVENTORY, "The whole file: the complete description of one cluster.", "Inventory" {
    cluster, Map(&CLUSTER), "{name: home}",
        "Settings of the whole cluster.";
    ssh, Map(&SSH), "{user: ubuntu}",
        "SSH settings of all hosts; groups and hosts can override each key.";
    groups, Maps(&GROUP), "{workers: {role: agent}}",
        "Settings that hosts share, by the group's name.",
        also = &["group"];
    hosts, Maps(&HOST), "{alpha: {address: 10.0.0.1, role: server}}",
        "The machines, by name. A name may hold ranges: `worker[01:20]`.",
        also = &["host", "nodes", "machines"];
} }

keys! { CLUSTER, "Settings of the whole cluster.", struct Cluster {
    name: String = cluster::name, Text(syntax::group_name), "home",
        "Name of the cluster, and of its context in the kubeconfig. Without it, the file's name without the extension.";
    distribution: &'static Dialect = cluster::distribution, Distribution, "k3s",
        "The Kubernetes distribution.",
        default = "k3s";
    version: VersionChoice = cluster::version, Text(ANY), "v1.36.3+k3s1",
        "The version to install. Not together with `channel`.";
    channel, Text(release::channel), "stable",
        "The release channel that a new cluster takes its version from: `stable`, `latest`, `v1.36`.",
        default = "stable";
    endpoint: Option<String>, Text(syntax::address), "203.0.113.10",
        "The address that clients use: an IP address or DNS name, without scheme and port. Without it, the first server's address.";
    registration_address: Option<String>, Text(syntax::address), "k3s.example.org",
        "The address that hosts join at, whichever server is up: a DNS name, a load balancer, or a virtual IP that leads to the servers, without scheme and port. Without it, the `endpoint`, where that is no host's own address and the host reaches it; else the server that answers. The first server joins nothing.",
        also = &["registration", "fixed_registration_address", "load_balancer", "vip"];
    tls_sans: Vec<String>, Texts(syntax::certificate_name), "[k8s.example.org]",
        "Additional names and addresses for the API server's certificate.",
        also = &["tls-san", "san", "sans"];
    server_url: Option<String> = cluster::server_url, Text(syntax::server_url), "https://10.0.0.1:6443",
        "A server of an existing cluster, outside this inventory, that the hosts join. Needs a token.",
        also = &["server", "url"];
    token: Option<Secret> = cluster::token, Hidden(syntax::token), "\"...\"",
        "The token that servers join with.";
    token_file, Text(ANY), "secrets/token",
        "A file with the token. Not together with `token`.";
    agent_token: Option<Secret> = cluster::agent_token, Hidden(syntax::token), "\"...\"",
        "A separate token for agents, which cannot be used to join as a server.";
    agent_token_file, Text(ANY), "secrets/agent-token",
        "A file with the agents' token. Not together with `agent_token`.";
    join: Join, Choice(Join::WORDS), "serial",
        "Whether the servers after the first join together or one by one.",
        default = "parallel";
    agent_batch: usize, Whole(1, 2000), "50",
        "How many agents join at once.",
        default = "50";
    datastore: Option<Datastore>, Choice(Datastore::WORDS), "etcd",
        "Where the servers keep the cluster's data. Without it, embedded etcd for more than one server and sqlite for a single one. `etcd` moves the data of a single server from sqlite to etcd, so that others can join; a copy of sqlite stays beside it, as server/db/before-etcd in the data's folder. `external` is what `datastore_endpoint` says.";
    datastore_endpoint: Option<ExternalDatastore> = datastore::external, Hidden(datastore::endpoint), "{env: DATASTORE_ENDPOINT}",
        "A database outside the cluster, in which all servers keep its data: `postgres://USER:PASSWORD@HOST:5432/DATABASE`, `mysql://USER:PASSWORD@tcp(HOST:3306)/DATABASE` for MySQL and MariaDB, `https://HOST:2379,https://HOST:2379` for an etcd, or `nats://USER:PASSWORD@HOST:4222`. Every server tries it before anything is changed.",
        also = &["datastore_url", "database"];
    datastore_ca_file, Text(ANY), "certificates/database-ca.crt",
        "A file of this machine with the certificates by which the database's own is checked. It is brought to the servers.",
        also = &["datastore_cafile", "datastore_ca"];
    datastore_certificate_file, Text(ANY), "certificates/k3s.crt",
        "A file of this machine with the certificate that the servers show to the database. It is brought to them.",
        also = &["datastore_certfile", "datastore_certificate"];
    datastore_key_file, Text(ANY), "certificates/k3s.key",
        "A file of this machine with that certificate's private key. It is brought to the servers, for root alone.",
        also = &["datastore_keyfile", "datastore_key"];
    allow_two_servers, Flag, "true",
        "That two servers are meant, without `datastore_endpoint`: the cluster then stops when either of them is lost. Without it, two servers are refused.";
    binary: BinarySource = cluster::binary, Map(&BINARY), "{source: download}",
        "Where the distribution's binary comes from.";
    audit_policy: Option<AuditPolicy>, Document, "{rules: [{level: Metadata}]}",
        "What the API servers write into their audit log: a `Policy` of audit.k8s.io/v1, here or in a file. The log is server/logs/audit.log in the data's folder, and is kept for 30 days, unless `kube-apiserver-arg` says otherwise.",
        also = &["audit", "audit_policy_file"];
    embedded_registry: bool, Flag, "true",
        "Whether the nodes share the images that they have, as `embedded-registry` of k3s does. They reach each other at the ports 5001 and 6443 for it. Where no `registries` are named, it is done for all registries.";
    config: BTreeMap<String, Value>, Config, "{disable: [traefik]}",
        "Settings of every server, as the distribution has them. k3s: written to its config.yaml unchanged. k0s: `spec` is that of k0s.yaml, all others are flags of `k0s controller`.",
        also = &["server_config"];
    manifests: Vec<Manifest> = manifests::read, TextsOrObjects(ANY, &MANIFEST), "[manifests/cni.yaml]",
        "Objects of Kubernetes that the cluster keeps as these files have them: a file, a folder with its `*.yaml`, `*.yml` and `*.json` files by name, or `{url: ..., sha256: ...}`. Every server gets them, in this order. What leaves the list is taken away from the cluster, with its objects.",
        also = &["manifest", "addons"];
    agent_config: BTreeMap<String, Value>, Config, "{kubelet-arg: [max-pods=200]}",
        "Settings of every agent. k3s: written to its config.yaml unchanged. k0s: flags of `k0s worker`.";
} and {
    /// The SHA-256 that the binary must have, in lower-case hexadecimal digits, by the
    /// architecture's name in releases.
    binary_sha256: BTreeMap<String, String>,
} }

keys! { MANIFEST, "A manifest that this machine fetches.", "Manifest" {
    url, Text(manifests::url), "https://github.com/cert-manager/cert-manager/releases/download/v1.18.2/cert-manager.yaml",
        "Where it is: `https://`, or `http://`, since the hash says whether it is the right one.";
    sha256, Text(release::sha256), "3f4c0a3e96a5d5c0a0a0c5e1b6d9f2c47a8b1e0d5c3f2a1b0e9d8c7b6a594837",
        "The SHA-256 that it must have.",
        also = &["checksum", "hash"];
    file_name, Text(manifests::file_name), "cert-manager.yaml",
        "Its name on the servers. Without it, the last part of the URL.",
        also = &["name", "file"];
} }

keys! { BINARY, "Where the distribution's binary comes from.", "Binary" {
    source, Choice(&["download", "push", "path"]), "download",
        "`download`: every host downloads it with curl or wget and checks it against the release's hash, as read by this machine; a host that has neither, or cannot reach the release, gets it as with `push`. `push`: this machine downloads it once, checks it, and uploads it to the hosts. `path`: a file on this machine.",
        default = "download";
    mirror, Text(release::mirror), "https://mirror.example.org/k3s",
        "With `download` and `push`: a base URL in the layout of the project's releases, instead of the project's own.",
        also = &["url"];
    sha256, Labels(release::hashes), "{amd64: 3f4c0a3e96a5d5c0a0a0c5e1b6d9f2c47a8b1e0d5c3f2a1b0e9d8c7b6a594837}",
        "The SHA-256 that the binary must have, by architecture (`amd64`, `arm64`, `armhf`, `s390x`). For architectures without it, the hash in the release's list is used, which comes from the same source as the binary.",
        also = &["checksum", "hash"];
    proxy, Text(release::proxy), "http://proxy.example.org:3128",
        "With `download`: the proxy that the hosts use. This machine's own downloads use `HTTPS_PROXY` and `NO_PROXY` from its environment.";
    path, Text(ANY), "./k3s",
        "With `path`: the file.",
        also = &["file"];
} }

keys! { SSH, "How to connect to hosts: at the top level, in a group or in a host. For each key the most specific wins; command-line flags override all of them.", struct Ssh {
    user: Sourced<String>, Text(syntax::user), "ubuntu",
        "User to log in as. Any other than root needs sudo.",
        default = "root",
        also = &["username", "login", "ansible_user", "remote_user"];
    become_password: Option<Sourced<Secret>>, Hidden(syntax::login_password), "{command: [pass, show, sudo]}",
        "What sudo is told where it asks for a password; `--ask-become-pass` asks for it instead.",
        also = &["become_pass", "ansible_become_password", "ansible_become_pass", "sudo_password", "sudo_pass"];
    port: Sourced<u16>, Whole(1, 65535), "2222",
        "Port of the SSH server.",
        default = "22",
        also = &["ansible_port"];
    bastion: Sourced<Vec<String>>, TextOrTexts(syntax::hop), "admin@jump.example.org:2222",
        "Host that the connection goes through, or a list of them, the nearest first: `[USER@]HOST[:PORT]`, or a host of this inventory. Without a user, it is the host's.",
        also = &["jump", "jump_host", "proxy_jump", "gateway"];
    key: Sourced<Vec<PathBuf>>, TextOrTexts(ANY), "~/.ssh/id_ed25519",
        "Private key file, or a list of them, to try first.",
        also = &["keys", "identity_file", "key_path", "private_key", "keyPath"];
    certificate: Sourced<Vec<PathBuf>>, TextOrTexts(ANY), "~/.ssh/id_ed25519-cert.pub",
        "OpenSSH certificate of a key, or a list of them, to try first. One beside a key (`KEY-cert.pub`) is found without this.",
        also = &["certificate_file"];
    passphrase: Option<Sourced<Secret>>, Hidden(syntax::login_password), "{command: [pass, show, ssh]}",
        "Passphrase of the keys that have one; without it, it is asked for on a terminal, once for each key.",
        also = &["key_passphrase"];
    password: Option<Sourced<Secret>>, Hidden(syntax::login_password), "{command: [pass, show, login]}",
        "Password to log in with where the host takes no key, or wants it besides one; `--ask-pass` asks for it instead.",
        also = &["ansible_password", "ansible_ssh_pass", "ssh_pass"];
    agent: Option<Sourced<PathBuf>>, Text(ANY), "~/.1password/agent.sock",
        "Socket of the SSH agent, instead of the one in `SSH_AUTH_SOCK`.",
        also = &["identity_agent"];
    known_hosts: Sourced<Vec<PathBuf>>, TextOrTexts(ANY), "known_hosts",
        "File with trusted host keys, or a list of them, instead of `~/.ssh/known_hosts`. New keys are added to the first.",
        also = &["user_known_hosts_file"];
    host_key: Sourced<Vec<String>>, TextOrTexts(syntax::host_key), "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
        "The host's key, or a list of them: a fingerprint, or a line as in its `/etc/ssh/ssh_host_*_key.pub`. No other key is accepted then, and no `known_hosts` file is read.",
        also = &["host_keys", "fingerprint"];
    connect_timeout_seconds: Sourced<u64>, Whole(1, 3600), "10",
        "Seconds to wait for a connection.",
        default = "10",
        also = &["timeout"];
} and {
    /// What OpenSSH's configuration says besides, by its keyword in lower case.
    configured: BTreeMap<String, String>,
} }

keys! { GROUP, "Settings that hosts share. A host names its groups; of two groups, the one named later wins.", "Group" {
} }

keys! { HOST, "One machine, or one for each name in the range.", struct Host {
    address: String, Ranged(syntax::host_address), "203.0.113.10",
        "Where this machine reaches it: an IP address or DNS name, without user and port. Without it, the host's name.",
        also = &["ip", "host", "hostname", "addr", "ansible_host", "public_address"];
    private_address: Option<Sourced<IpAddr>>, Ranged(syntax::ip_address), "10.0.0.1",
        "The IP address at which the other hosts reach it, if it differs from `address`.",
        also = &["private_ip", "internal_address", "internal_ip", "node_ip"];
    interface: Option<Sourced<String>>, Text(syntax::interface), "eth1",
        "The network interface on which the hosts reach each other: its first address is the node's, and flannel uses it. Set under `cluster` for all hosts, or in a group or a host; the most specific wins. Without it, towline finds the network.",
        also = &["iface", "nic", "flannel_iface", "network_interface", "private_interface"],
        levels = &["Cluster", "Group"];
    role: Sourced<Role>, RoleName, "server",
        "`server` runs the control plane (and workloads); `agent` runs workloads only. With k0s also its own words: `controller`, `controller+worker`, `single`, `worker`. Every host needs one, from itself or from a group.",
        also = &["roles", "type"],
        levels = &["Group"];
    group, Text(ANY), "workers",
        "The one group it is in. Not together with `groups`.";
    groups, Texts(ANY), "[workers, gpu]",
        "The groups it is in; later ones override earlier ones.";
    node_name: Option<Sourced<String>>, Ranged(syntax::node_name), "alpha",
        "The node's name in Kubernetes. Without it, the machine's own hostname.",
        also = &["name"];
    ssh: Ssh, Map(&SSH), "{user: admin}",
        "SSH settings that differ from those at the top level.",
        levels = &["Inventory", "Group"];
    labels: BTreeMap<String, Sourced<String>>, Labels(kubernetes::labels), "{disk: ssd}",
        "Labels of the node. Those of groups and host are merged; for the same key the most specific wins. Of a node that runs, those are changed that are named here or were named before; others are left alone.",
        also = &["label", "node_labels"],
        levels = &["Group"];
    taints: Vec<Sourced<String>>, Texts(kubernetes::taint), "[\"gpu=yes:NoSchedule\"]",
        "Taints of the node: `key=value:Effect` or `key:Effect`. Those of groups and host are merged. Of a node that runs, those of a key and effect are changed that are named here or were named before; others are left alone.",
        also = &["taint", "node_taints"],
        levels = &["Group"];
    config: BTreeMap<String, Sourced<Value>>, Config, "{kubelet-arg: [max-pods=200]}",
        "Settings of the host; overrides the cluster's `config` and `agent_config`; for the same key the most specific wins.",
        levels = &["Group"];
    packages: Vec<Sourced<String>>, Texts(belongings::package), "[nfs-common]",
        "Packages of the operating system that are installed. Those of cluster, groups and host are added up; one that leaves the inventory stays installed.",
        also = &["package", "apt"],
        levels = &["Cluster", "Group"];
    kernel_modules: Vec<Sourced<String>>, Texts(belongings::module), "[nbd]",
        "Modules of the kernel that are loaded, now and at each boot, beside those that Kubernetes needs. Those of cluster, groups and host are added up.",
        also = &["modules", "modprobe"],
        levels = &["Cluster", "Group"];
    sysctls: BTreeMap<String, Sourced<Value>>, Values(belongings::sysctls), "{vm.max_map_count: 262144}",
        "Settings of the kernel, now and at each boot, beside those that Kubernetes needs. Those of cluster, groups and host are merged; for the same key the most specific wins. One that leaves the inventory keeps its value until the next boot.",
        also = &["sysctl"],
        levels = &["Cluster", "Group"];
    kubelet_config: Option<Sourced<KubeletConfig>>, Document, "{maxPods: 200}",
        "The kubelet's configuration: what of a `KubeletConfiguration` differs from k3s's own, here or in a file. The most specific of cluster, groups and host wins as a whole.",
        also = &["kubelet", "kubelet_configuration"],
        levels = &["Cluster", "Group"];
    environment: BTreeMap<String, Sourced<Value>>, Values(belongings::variables), "{HTTPS_PROXY: \"http://proxy.example.org:3128\"}",
        "Variables of the distribution's process, such as `HTTPS_PROXY`, or `CONTAINERD_HTTPS_PROXY` for images alone. `NO_PROXY` gets the cluster's own addresses, too. Each value may also be a [secret](#secrets). Those of cluster, groups and host are merged; for the same name the most specific wins.",
        also = &["env", "proxy", "http_proxy"],
        levels = &["Cluster", "Group"];
    registries: Option<Sourced<Registries>>, ObjectOrFile(&REGISTRIES), "{mirrors: {docker.io: {endpoint: [\"https://mirror.example.org\"]}}}",
        "How images are pulled: mirrors, rewrites, logins and certificates, in the form of k3s's registries.yaml, here or in a file of that form. The most specific of cluster, groups and host wins as a whole.",
        also = &["registry", "private_registry", "registry_mirrors"],
        levels = &["Cluster", "Group"];
    files: BTreeMap<String, Sourced<HostFile>>, Maps(&FILE), "{/etc/motd: {content: \"a node of rack\\n\"}}",
        "Files that are put onto the host, by their path there. Those of cluster, groups and host are merged; for the same path the most specific wins. One that leaves the inventory stays on the host.",
        also = &["file", "copy", "templates"],
        levels = &["Cluster", "Group"];
} and {
    /// towline's own name for it: the key in the inventory.
    name: String,
    /// Its groups, in order.
    groups: Vec<String>,
    /// What the word for its role says of the distribution's settings.
    role_settings: &'static [(&'static str, bool)],
    /// Where its address stands, or its name, where that is the address.
    address_origin: Origin,
} }

keys! { FILE, "A file that is put onto a host: text of 256 KiB at most.", "File" {
    source, Text(ANY), "files/daemon.json",
        "The file of this machine that has the text. Not together with `content`.",
        also = &["src", "path"];
    content, Text(ANY), "\"a node of rack\\n\"",
        "The text.",
        also = &["text"];
    template, Flag, "true",
        "Whether the text is a template with the [variables of playbooks](playbooks.md#templates), such as `{{ host.name }}`.",
        default = "false";
    mode, Text(belongings::mode), "\"0644\"",
        "Its permission bits, as octal digits in quotes.",
        default = "\"0644\"";
    owner, Text(belongings::owner), "root:root",
        "Its user and its group, `USER:GROUP`.",
        default = "root:root";
    restarts, Distribution, "k3s",
        "The distribution that reads it: it is restarted after the file has changed, servers one by one.",
        also = &["restart", "notify"];
} }

keys! { REGISTRIES, "How images are pulled, in the form of k3s's registries.yaml.", "Registries" {
    mirrors, Maps(&MIRROR), "{docker.io: {endpoint: [\"https://mirror.example.org\"]}}",
        "Mirrors by the name of the registry: `docker.io`, `registry.example.org:5000`, or `\"*\"` for all.",
        also = &["mirror"];
    configs, Maps(&REGISTRY), "{registry.example.org: {auth: {username: ci, password: {env: REGISTRY_PASSWORD}}}}",
        "How a registry or mirror is reached, by its name.",
        also = &["config"];
} }

keys! { MIRROR, "Where images of a registry are pulled from. Without an endpoint, the other nodes alone are asked before the registry itself, with `embedded_registry`.", "Mirror" {
    endpoint, TextOrTexts(registries::endpoint), "[\"https://mirror.example.org\"]",
        "The mirrors, the one that is tried first at the front. The registry itself is tried last.",
        also = &["endpoints", "url"];
    rewrite, Labels(|_, _| {}), "{\"^library/(.*)\": \"hub/$1\"}",
        "How the names of images change at the mirrors: a regular expression, and what takes its place.",
        also = &["rewrites"];
} }

keys! { REGISTRY, "How a registry or mirror is reached.", "Registry" {
    auth, Map(&REGISTRY_LOGIN), "{username: ci, password: {env: REGISTRY_PASSWORD}}",
        "The login.";
    tls, Map(&REGISTRY_TLS), "{ca_file: registry-ca.pem}",
        "Its certificates.";
} }

keys! { REGISTRY_LOGIN, "The login at a registry.", "RegistryLogin" {
    username, Text(ANY), "ci",
        "The user.",
        also = &["user"];
    password, Hidden(syntax::login_password), "{env: REGISTRY_PASSWORD}",
        "The user's password.";
    auth, Hidden(syntax::login_password), "{env: REGISTRY_AUTH}",
        "User and password in base64, as in Docker's config.json.";
    identity_token, Hidden(syntax::login_password), "{env: REGISTRY_TOKEN}",
        "A token in the place of both.",
        also = &["token"];
} }

keys! { REGISTRY_TLS, "Certificates of a registry. A path that begins with `/` is one of the host; any other is a file of this machine that is brought along.", "RegistryTls" {
    ca_file, Text(ANY), "registry-ca.pem",
        "The certificate authority of the registry.",
        also = &["ca"];
    cert_file, Text(ANY), "client.pem",
        "The certificate that the host shows.";
    key_file, Text(ANY), "client.key",
        "Its private key.";
    insecure_skip_verify, Flag, "true",
        "Whether any certificate of the registry is accepted.",
        default = "false",
        also = &["insecure"];
} }

/// Every object of the language, the file first.
pub(super) static OBJECTS: [&Object; 13] = [
    &INVENTORY,
    &CLUSTER,
    &MANIFEST,
    &BINARY,
    &SSH,
    &GROUP,
    &HOST,
    &FILE,
    &REGISTRIES,
    &MIRROR,
    &REGISTRY,
    &REGISTRY_LOGIN,
    &REGISTRY_TLS,
];
