//! `docs/inventory.md`, made of the table that the reader checks against.

use std::fmt::Write;

use crate::distribution::DIALECTS;
use crate::inventory::keys::OBJECTS;
use crate::inventory::language::{Key, Kind};

/// What stands before the tables.
const INTRODUCTION: &str = "\
# The inventory

One YAML file describes a cluster completely: its machines, their roles, and how to connect to them.
towline checks all of it before it opens the first connection. `towline inventory init` creates one: it
asks on a terminal, or takes `--servers`, `--agents` and `--user`. `towline inventory from-vagrant` creates
one from Vagrant's machines. The smallest one:

```yaml
";

/// What stands between the two examples.
const LARGER: &str = "\
```

A larger one:

```yaml
";

/// What stands after the examples.
const RULES: &str = "\
```

Editors complete keys and check values with the schema that `towline schema inventory` prints.
With the YAML language server, keep it in a file and name it in the inventory's first line:

```yaml
# yaml-language-server: $schema=inventory.schema.json
```

## Ranges

`worker[01:20]` names twenty hosts, `worker01` to `worker20`. Both ends count. With leading zeros,
all numbers have the same width. A range may also stand in `address`, `private_address` and
`node_name`; it must count as many as the one in the name, and they are paired in order. Several
ranges in one text give every combination, the last one running fastest: `rack[1:2]-[1:3]` names
six hosts. Numbers are decimal and stand in the text as they are, in IPv6 addresses, too:
`fd00::[10:12]` is `fd00::10`, `fd00::11` and `fd00::12`. YAML wants quotes around a range that
stands inside of braces: `{address: \"10.0.1.[11:30]\"}`.

A name can expand to at most 1000 hosts; an inventory holds at most 2000.

## Layers

A host's settings come from towline's defaults, then the `ssh` at the top, then its groups in the
order in which the host names them, then the host itself, then flags on the command line. What
comes later wins. `ssh`, `labels`, `config`, `environment`, `sysctls` and `files` are joined key by key (a list
is one value, and is replaced as a whole); `taints`, `packages` and `kernel_modules` are added up. Of `cluster.config` and a host's `config`, the
host's wins. towline remembers where each value comes from and shows it with the value.

A path is relative to the folder of the file that it stands in; `~` is the home directory.

`towline inventory show` prints the hosts, and with `--host` what one of them gets: the value, the layer
that decided it, and its file and line. It reads no host, and secrets are masked.

```console
$ towline inventory show -i base.yaml -i paris.yaml --host worker01
worker01  (in workers)
  address                      10.0.1.11     host           base.yaml:15
  role                         agent         group workers  base.yaml:6
  ssh.user                     admin         ssh            paris.yaml:4
  ssh.port                     22            default
  ssh.connect_timeout_seconds  10            default
  labels.disk                  ssd           group workers  base.yaml:8
  labels.zone                  paris         group workers  paris.yaml:8
  cluster.name                 paris         cluster        paris.yaml:2
  cluster.distribution         k3s           default
  cluster.version              v1.36.3+k3s1  cluster        base.yaml:2
  cluster.join                 parallel      default
  cluster.agent_batch          50            default
```

## Several files

`-i` can be repeated: later files override earlier ones, for example a base that all sites share and a
file for one site. Every command that reads an inventory accepts this.

```sh
towline plan -i base.yaml -i paris.yaml
```

Maps are merged key by key, hosts and groups by name; a list, number or text of a later file replaces the
earlier one. `KEY: null` removes what earlier files set, also a host or a group; an empty `KEY:` keeps it.
In a `config`, both leave the key out of config.yaml, as in a single file. `null` for what no earlier file says is nothing. `version` and `channel` exclude each other, as do all keys that say so: take the other one
away by `null`. Such an inventory says its cluster's `name`, since no file's name is the one. Mistakes are
shown in the file that they stand in.

## Variables

`${NAME}` in a value is what the variable `NAME` of the environment holds, and `${NAME:-default}` is the
default where the variable is not set or empty. A variable that is not set and has no default is a mistake,
with file, line and column. So one inventory serves several places, and a token stays out of the file:

```yaml
cluster:
  token: ${CLUSTER_TOKEN}
ssh:
  user: ${SSH_USER:-ubuntu}
  port: ${SSH_PORT:-22}
```

Variables are filled in after the file was read as YAML, in values only: what one holds is a text, or part
of one, whatever characters are in it, and never a key, a list or a map. Where a number is wanted, it is
read as one; in `config`, a value without quotes that is `true`, `false` or a whole number is that. Within
braces YAML wants quotes: `{address: \"${ADDRESS}\"}`. What is secret by its key, or by the variable's name,
is masked like every other secret.

`$${` stands for `${`. Every other `$` stands for itself, so `$NAME` is no variable and `$$` is two
characters.

## Secrets

Where a secret is wanted, the inventory holds it, or says where it is:

```yaml
cluster:
  token: {command: [sops, decrypt, --extract, '[\"token\"]', secrets.yaml]}
  agent_token: {file: secrets/agent-token}
  config:
    etcd-s3-secret-key: {env: S3_SECRET_KEY}
ssh:
  user: ops
groups:
  edge:
    role: agent
    ssh:
      become_password: {command: [pass, show, edge/sudo]}
```

`command` is a program of this machine with its arguments, run without a shell in the folder of the file that
it stands in; what it prints is the secret: `[age, -d, -i, key.txt, token.age]`, `[vault, kv, get, -field=token,
secret/k3s]`, `[op, read, \"op://lab/k3s/token\"]`. It has nothing on its standard input, and two minutes. `file` is a path, `env` the name
of a variable. White space at both ends is dropped. In a `config`, all keys whose names say that they are secret take the same.

Each is read once, however many hosts share it, after the inventory was found right and before any host is
contacted; a password for sudo only where a host needs it. `inventory check` and `inventory show` read none.
One that cannot be read is a mistake with file, line and column: of a command it has the exit status and
the standard error, never what it printed. Everything that is read this way is masked.

## A database outside the cluster

Without embedded etcd, servers keep the cluster's data in PostgreSQL, MySQL, MariaDB, an etcd or NATS of
yours:

```yaml
cluster:
  datastore_endpoint: {env: DATASTORE_ENDPOINT}   # postgres://k3s:PASSWORD@10.0.0.9:5432/k3s
  datastore_ca_file: certificates/database-ca.crt
  datastore_certificate_file: certificates/k3s.crt
  datastore_key_file: certificates/k3s.key
```

Every server tries host and port before anything is changed, and hears whether such a database answers there;
user and password do not leave this machine for that. The URL is a secret: it stands in config.yaml, which
root alone can read, and is masked wherever towline shows it. The files are brought to the servers, as
`/etc/rancher/k3s/datastore-ca.crt`, `datastore.crt` and `datastore.key`. In a URL, `@`, `/`, `#` and `?` of a password
are written `%40`, `%2F`, `%23` and `%3F`; that of MySQL stands as it is.

The first server of a new cluster starts alone, the others together after it. Servers have no quorum then:
two are as good as three, and one that runs is enough. Where the data is stays as it was made: k3s moves
none from or to etcd. `towline reset` leaves the database as it is, and says which; a new cluster wants an
empty one, or the token of the cluster whose data it holds.

## sudo

A user other than root becomes root by sudo, or by doas where there is no sudo. Where sudo asks for a
password, it is given `become_password`, or what you type once with `--ask-become-pass` (`-K`). The
password goes to sudo's standard input when sudo asks with towline's own prompt, so no language matters, and a
sudo that does not ask is not told it. A wrong one is tried once, on one host: the others wait for the first answer, and
are not asked where it is no, since too many attempts lock an account. doas takes a password only on
a terminal, so it has to be `nopass`.

## Standard input, and Terraform

`-i -` reads the inventory from standard input. Paths in it are relative to the current folder, and its
name in messages is `standard input`. Nothing is asked then, since an answer would be typed where the
inventory comes from: `reset` takes `--yes`, and new host keys `--accept-new-host-keys`.

JSON is YAML, so Terraform and OpenTofu can make the inventory themselves, as an output:

```hcl
output \"towline\" {
  value = {
    cluster = { name = \"paris\" }
    ssh     = { user = \"ubuntu\" }
    hosts = merge(
      { for machine in aws_instance.server : machine.tags.Name => {
        role            = \"server\"
        address         = machine.public_ip
        private_address = machine.private_ip
      } },
      { for machine in aws_instance.agent : machine.tags.Name => {
        role            = \"agent\"
        address         = machine.public_ip
        private_address = machine.private_ip
      } },
    )
  }
}
```

`terraform output -json towline` prints the value alone, such as:

```json
{
  \"cluster\": {\"name\": \"paris\"},
  \"hosts\": {
    \"alpha\": {\"address\": \"203.0.113.10\", \"private_address\": \"10.0.0.10\", \"role\": \"server\"},
    \"beta\": {\"address\": \"203.0.113.11\", \"private_address\": \"10.0.0.11\", \"role\": \"agent\"}
  },
  \"ssh\": {\"user\": \"ubuntu\"}
}
```

```sh
terraform output -json towline | towline inventory check -i -
terraform output -json towline | towline deploy -i -
terraform output -json towline | towline deploy -i base.yaml -i -
```

## Two addresses

`address` is where this machine reaches a host, and `private_address` where the other hosts reach
it. Where the two differ, as behind NAT, nodes, etcd and joins use the private one, which has to be
on one of the host's interfaces; the kubeconfig and the certificate have the other one, and the node
shows both, as InternalIP and ExternalIP. Servers tell agents and pods their private address,
unless a host's `config` has an `advertise-address`.

Where there is no `private_address`, `interface` names the interface instead: the first address on it
is the node's. It may stand under `cluster` for all hosts, in a group or in a host. With neither, a
host that has its `address` on an interface uses that, and a node that has joined keeps what it has.
For the others towline looks at all hosts together: an address that two hosts have is used for none (behind
the NAT of VirtualBox and QEMU every machine has 10.0.2.15 on its first interface), and the one network
in which every host has an address of its own is taken, and said. With two such networks towline names
both and asks for the line. Without any, a host uses the address of its default route, unless others
have it, too.

Before anything is changed, hosts that are about to join are asked whether they reach the others at
addresses that towline itself has not come by, and the others whether they reach them: agents about
servers, servers about each other, one server about the agents. Any answer counts, a refusal, too:
from the ports of sshd, API and kubelet, or to a ping. Of two networks the one that connects the
hosts is taken. Where hosts do not reach each other, nothing is changed, and towline says who does
not reach whom, at which address. An agent that reaches its server at the server's `address` alone
joins by that; one that reaches the servers and is not reached by them joins, and its pods and those
of other nodes do not reach each other: both are said.

A fixed address in front of the servers is `registration_address`: a DNS name, a load balancer, or a
virtual IP that leads to whichever server is up. Hosts join there, so that a dead first server stops no
agent and no server; it is in the certificate of every server. Without it, hosts join at the `endpoint`
where that is no host's own address and they reach it, else at the server that answers. The first server of a
new cluster joins nothing, and the address may lead nowhere until it is up.

A host whose node's address is not on the interface of its default route gets `flannel-iface` in its
config.yaml: flannel, the pods' network, would take the default route's interface otherwise, whatever
the node's address is. A cluster that was made without it stays without it, and so do nodes that join
it, as long as the addresses there differ; `interface` adds it. None is written with `flannel-backend:
none`, `flannel-external-ip` or a VPN.

Several hosts behind one address have a port each (`address: 127.0.0.1`, `ssh: {port: 2222}`), as with
Vagrant or behind a router. That address is then no node's, and its port 6443 may lead nowhere: the
kubeconfig takes the first server's own address if that is reached from here, and `endpoint` says
another one.

With an active ufw, the hosts let each other in by these addresses: by those that the inventory names,
and by the one that towline has connected to. An address that a host alone says it has, as without
`private_address` behind NAT, is not let in: towline names it, with the line to write.

## Checks

`towline inventory check` checks an inventory, and every command does so first. All mistakes are shown at
once, each with its line and column (a line that holds a secret is not printed), and towline ends with exit status 2 without having opened a
connection; only variables that are not set, and text that is no YAML, are told before all others. Refused are, among others: unknown keys, wrong types, names,
addresses, private addresses and node names that two hosts share (hosts behind one address are
told apart by `ssh.port`), groups that do not exist, a host without role, and an inventory without
server unless `cluster.server_url` and a token name a cluster to join. An even number of servers
is a warning: it survives no more losses than one server fewer.

`config` is given to k3s as it is, but for the keys that towline decides (`cluster-init`, `server`)
or that have their own place here (`token`, `agent-token`, `tls-san`, `node-name`, `node-label`,
`node-taint`). `node-ip` and `node-external-ip` may stand in one host's `config`. Numbers that YAML
would read differently than they are written (`0644`, `1.10`) need quotes. `KEY: null` leaves a key
out, also one that a group or the cluster has. A key that is no flag of this version of `k3s server` or
`k3s agent` is refused: a server would drop it without a word, and an agent would not start. With
`version` this is said before any connection, with line and column; with a `channel`, when the version
is known.

`cluster-cidr`, `service-cidr` and `cluster-dns` are read as one set, with the addresses of the hosts:
both ranges have the same families in the same order, no address is in two of them, and no host is in
one. With two families every node gets its address of each as `node-ip`; a host that lacks one is
refused. On a running cluster these three, `cluster-domain`, `flannel-backend`, `secrets-encryption`
(switched off) and the datastore stay as they are, and a change is refused with what the cluster has.

With `flannel-backend: none` the pods' network is a plug-in (CNI) of your own, such as Cilium or Calico,
which is installed with the kubeconfig. A node that lacks nothing but it is as it should be: towline ends
with status 0, says which nodes wait for it, and `towline ready` waits until they are Ready. Set
`disable-network-policy: true` beside it: k3s's own network policies wait for the plug-in, too, and while
they do agents stay `activating` and k3s ends every 15 minutes on each node and is started again.

With `data-dir` k3s keeps its data in another folder, on a disk of its own for example. It is for
new hosts: where k3s has data, a host whose folder would change is left alone, since k3s would start
with nothing in the other one. So is a server on which k3s has run and whose folder is empty: its
disk may not be mounted.

## Registries, proxies, files

```yaml
cluster:
  registries:
    mirrors:
      docker.io: {endpoint: [\"https://mirror.example.org:5000\"]}
    configs:
      \"mirror.example.org:5000\":
        auth: {username: pull, password: {env: MIRROR_PASSWORD}}
        tls: {ca_file: mirror-ca.pem}
  environment:
    HTTPS_PROXY: http://proxy.example.org:3128
  packages: [nfs-common]
  sysctls: {vm.max_map_count: 262144}
groups:
  gpu:
    kernel_modules: [nvidia]
    files:
      /etc/rancher/k3s/psa.yaml: {source: files/psa.yaml, restarts: k3s}
```

`registries` becomes k3s's registries.yaml, with mode 0600. A certificate or key whose path does not begin with `/` is a
file of this machine and is brought along. `environment` becomes the file of variables that k3s's unit reads, with mode
0600. With a proxy in it, `NO_PROXY` gets besides what it says: localhost, the networks of pods and services, the network
of the node's address, the addresses of hosts outside of it, the `endpoint`, `.svc` and the cluster's domain. A change of
either restarts k3s: agents together, servers one by one. Where an inventory names none any more, the file that
towline wrote is emptied, and one that towline did not write is left as it is.

`kubelet_config` and `audit_policy` become files that k3s is told of by `kubelet-arg` and `kube-apiserver-arg`; both are
a map, or a file with its `apiVersion` and `kind`. A change restarts k3s.

`packages` come from the host's own repositories. `files` are text, 256 KiB at most; with `template: true` they are
rendered as [templates of playbooks](playbooks.md#templates) are, with the same variables. A password in them, and in
`registries`, is masked in plans by the name of its key.

## Some hosts only: `--limit`

`--limit` says which hosts a command may change. All others are still read, since what one host
gets may depend on them. It takes a list with commas:

| word | selects |
|---|---|
| `alpha` | the host of that name |
| `workers` | the hosts of that group |
| `servers`, `agents` | the hosts of that role, unless a group has that name |
| `all` | all hosts |
| `worker*`, `worker0?` | hosts whose names match |
| `!worker03`, `!gpu` | removes hosts, at any place in the list |

A list of nothing but `!` words starts with all hosts. In a shell, quote it: `--limit 'workers,!gpu'`.

## Every key
";

/// The text of `docs/inventory.md`.
fn document() -> String {
    let mut text = String::from(INTRODUCTION);
    text.push_str(include_str!("../../../inventories/single.yaml"));
    text.push_str(LARGER);
    text.push_str(include_str!("../../../inventories/rack.yaml"));
    text.push_str(RULES);
    for object in OBJECTS {
        let title = match object.name {
            "Inventory" => "The file",
            "Cluster" => "`cluster`",
            "Binary" => "`cluster.binary`",
            "Ssh" => "`ssh`",
            "Group" => "One of `groups`",
            "Host" => "One of `hosts`",
            "File" => "One of `files`",
            "Registries" => "`registries`",
            "Mirror" => "One of `registries.mirrors`",
            "Registry" => "One of `registries.configs`",
            "RegistryLogin" => "`auth` of a registry",
            "RegistryTls" => "`tls` of a registry",
            name => name,
        };
        let _ = write!(
            text,
            "\n### {title}\n\n{}\n\n| key | value | default | |\n|---|---|---|---|\n",
            object.about
        );
        for key in object.keys() {
            row(&mut text, key);
        }
    }
    text
}

/// A key's row in its table.
fn row(text: &mut String, key: &Key) {
    let default = key
        .default
        .map(|default| format!("`{default}`"))
        .unwrap_or_default();
    let example = match key.kind {
        Kind::Choice(_) | Kind::Distribution | Kind::RoleName | Kind::Secret(_) => String::new(),
        _ => format!(" Example: `{}`", key.example),
    };
    let about = format!("{}{example}", key.about).replace('|', "\\|");
    let _ = writeln!(
        text,
        "| `{}` | {} | {default} | {about} |",
        key.name,
        kind(key.kind)
    );
}

/// Words of which one is chosen.
fn listed(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(" or ")
}

/// A kind of value in words.
fn kind(kind: Kind) -> String {
    match kind {
        Kind::Text(_) | Kind::Ranged(_) => "text".to_owned(),
        Kind::Secret(_) => "[secret](#secrets)".to_owned(),
        Kind::Whole(least, most) => format!("number, {least} to {most}"),
        Kind::Distribution => listed(&DIALECTS.map(|dialect| dialect.name)),
        Kind::RoleName => listed(&crate::distribution::DEFAULT.dialect.role_words()),
        Kind::Choice(words) => listed(words),
        Kind::Texts(_) => "list of texts".to_owned(),
        Kind::TextOrTexts(_) => "text, or list of texts".to_owned(),
        Kind::TextsOrObjects(..) => "list of texts and maps".to_owned(),
        Kind::Labels(_) => "map of texts".to_owned(),
        Kind::Flag => listed(&["true", "false"]),
        Kind::Values(_) => "map of texts and numbers".to_owned(),
        Kind::Config => "map of anything".to_owned(),
        Kind::Object(_) => "map".to_owned(),
        Kind::ObjectOrFile(_) | Kind::Document => "map, or a file with it".to_owned(),
        Kind::Objects(_) => "map of maps".to_owned(),
    }
}

#[test]
fn the_documentation_on_disk_is_the_generated_one() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/inventory.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(file, document()).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        found == document(),
        "docs/inventory.md is not what the language says now; renew it with: \
         UPDATE_DOCS=1 cargo test --lib document"
    );
}
