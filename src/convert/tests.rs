//! Nothing is lost: whatever an inventory says is in what was made of it, or is listed.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::ansible::{self, Beside, VarsFolder};
use super::{ConvertError, Converted, Judge, Omission, Source, k0sctl, k3sup};
use crate::inventory::{self, Dialect, Overrides};

/// k3s's without its rules of single keys, and k0s's with all of them.
static DISTRIBUTIONS: [&Dialect; 2] = [
    inventory::WITHOUT_RULES[0],
    &crate::distribution::k0s::DIALECT,
];

pub(super) const JUDGE: Judge<'_> = Judge {
    home: None,
    distributions: &DISTRIBUTIONS,
};

fn listed(left_out: &[Omission]) -> String {
    let lines = left_out.iter();
    lines
        .map(|left| format!("{}: {}\n", left.place, left.what))
        .collect()
}

/// What was made, with the list below it.
pub(super) fn shown(converted: Result<Converted, ConvertError>) -> String {
    match converted {
        Ok(converted) => format!("{}{}", converted.text, listed(&converted.left_out)),
        Err(ConvertError::Input(errors)) => errors.to_string(),
        Err(ConvertError::Problem(problem)) => problem.to_string(),
    }
}

/// Variables that mean something, with a value that is told apart by a number. The values of some are
/// not repeated when they are listed.
const KNOWN: [(&str, &str); 26] = [
    ("ansible_host", "10.9.0.#"),
    ("ansible_user", "user#"),
    ("ansible_port", "2#"),
    ("ansible_ssh_private_key_file", "/keys/#"),
    ("ip", "10.8.0.#"),
    ("access_ip", "10.7.0.#"),
    ("node_labels", "{key#: value#}"),
    ("node_taints", "['key#=value#:NoSchedule']"),
    ("k3s_version", "v1.36.#+k3s1"),
    ("k3s_release_version", "v1.#"),
    ("kube_version", "1.#.0"),
    ("extra_server_args", "'--tls-san san# --debug'"),
    ("extra_agent_args", "'--node-label arg#=value#'"),
    ("server_config_yaml", "'{node-taint: [config#:NoSchedule]}'"),
    ("k3s_server", "{data-dir: /srv/#}"),
    ("k3s_agent", "{kubelet-arg: [max-pods=#]}"),
    ("token", "secret#"),
    ("api_endpoint", "api#.example.org"),
    ("kube_pods_subnet", "10.#.0.0/16"),
    ("kube_network_plugin", "plugin#"),
    ("ansible_ssh_common_args", "-o ProxyJump=u@jump#"),
    ("ansible_become_method", "method#"),
    ("cluster_context", "context#"),
    ("loadbalancer_apiserver", "{address: 10.6.0.#, port: 6443}"),
    ("supplementary_addresses_in_ssl_keys", "[ssl#.example.org]"),
    ("unheard_of", "{a: [#]}"),
];

/// Keys of k0sctl: of a host, of its `ssh`, or of `spec`; with a value that a number tells apart.
const PARTS: [(&str, &str, &str); 18] = [
    ("host", "hostname", "name#"),
    ("host", "privateAddress", "10.1.0.#"),
    ("host", "privateInterface", "eth#"),
    ("host", "installFlags", "['--labels=a=b#']"),
    ("host", "installFlags", "['--profile=p#']"),
    ("host", "environment", "{A: b#}"),
    ("host", "hooks", "{apply: {before: [a#]}}"),
    ("host", "files", "[{src: a#}]"),
    ("host", "unheardOf", "{deep: [{er: a#}]}"),
    ("host", "openSSH", "{address: a#}"),
    ("ssh", "user", "user#"),
    ("ssh", "port", "2#"),
    ("ssh", "keyPath", "/a#"),
    ("ssh", "bastion", "{address: a#}"),
    ("ssh", "hostKey", "a#"),
    ("spec", "options", "{wait: {enabled: a#}}"),
    (
        "spec",
        "k0s",
        "{version: a#, config: {spec: {network: {podCIDR: 10.2.#.0/24}}}}",
    ),
    ("spec", "unknown", "a#"),
];

/// Which variable, for which scope: 0 to 5 a host, then the groups; and whether it stands beside.
type Line = (usize, usize, bool);

fn sources(lines: &[Line]) -> (Source, Vec<Beside>) {
    let mut inline = vec![String::new(); 10];
    let mut beside = vec![String::new(); 10];
    for (number, (variable, scope, is_beside)) in (10..).zip(lines) {
        let (name, value) = KNOWN[*variable];
        // Each name is used once for a scope, since a map has it once.
        let name = if name == "unheard_of" {
            format!("unheard_{number}")
        } else {
            name.to_owned()
        };
        let value = value
            .replace('#', &number.to_string())
            .replace("secret1", "do-not-tell-1");
        let to = if *is_beside {
            &mut beside[*scope]
        } else {
            &mut inline[*scope]
        };
        if !to.contains(&format!("{name}: ")) {
            let _ = write!(to, "{name}: {value}, ");
        }
    }
    let mut text = String::new();
    for (group, hosts) in [("server", 0..2), ("agent", 2..4), ("bastion", 4..5)] {
        let index = match group {
            "server" => 6,
            "agent" => 7,
            _ => 8,
        };
        let _ = write!(text, "{group}:\n  vars: {{{}}}\n  hosts:\n", inline[index]);
        for host in hosts {
            let _ = writeln!(text, "    m{host}: {{{}}}", inline[host]);
        }
    }
    let _ = writeln!(text, "all:\n  vars: {{{}}}", inline[9]);
    let names = [
        "m0", "m1", "m2", "m3", "m4", "absent", "server", "agent", "bastion", "all",
    ];
    let files = names
        .iter()
        .zip(&beside)
        .enumerate()
        .filter(|(_, (_, text))| !text.is_empty());
    let files = files.map(|(index, (name, text))| Beside {
        kind: if index < 6 {
            VarsFolder::Host
        } else {
            VarsFolder::Group
        },
        name: (*name).to_owned(),
        source: Source::new(format!("vars/{name}.yml"), &format!("{{{text}}}")),
    });
    (Source::new("hosts.yml", &text), files.collect())
}

proptest! {
    #[test]
    fn whatever_ansible_says_is_carried_over_or_listed(
        lines in proptest::collection::vec((0..KNOWN.len(), 0..10_usize, any::<bool>()), 0..20),
    ) {
        let (source, beside) = sources(&lines);
        let converted = ansible::convert(&source, &beside, JUDGE).map_err(|refused| {
            TestCaseError::fail(format!("{refused:?}\n{}", source.text))
        })?;
        let list = listed(&converted.left_out);
        let everything = format!("{}{list}", converted.text);
        prop_assert!(!everything.contains("do-not-tell"), "{everything}");
        let file = std::path::Path::new("inventory.yaml");
        let again = inventory::parse(&converted.text, file, None, &Overrides::default());
        prop_assert!(again.is_ok(), "{:?}\n{}", again.err(), converted.text);
        for text in std::iter::once(&source).chain(beside.iter().map(|file| &file.source)) {
            for (name, _) in KNOWN {
                let key = format!("{name}: ");
                let written = text.text.matches(&key).count();
                if written == 0 || name == "unheard_of" {
                    continue;
                }
                // Its name is listed, or the number of one of its values is in the inventory.
                let values = text.text.split(&key).skip(1);
                let mut values = values;
                let found = values.any(|value| {
                    let value = value.split(", ").next().unwrap_or("");
                    let digits = value.split(|c: char| !c.is_ascii_digit());
                    digits.filter(|number| number.len() > 1).any(|number| converted.text.contains(number))
                });
                let is_listed = list.contains(name) || list.contains("with all that it has");
                prop_assert!(found || is_listed || is_nearer(&source, &beside, name),
                    "{name} of {} is lost:\n{}\n{everything}", text.name, text.text);
            }
            for name in text.text.split("unheard_").skip(1) {
                let number = name.split(':').next().unwrap_or("");
                prop_assert!(list.contains(&format!("unheard_{number}")), "{everything}");
            }
        }
    }

    #[test]
    fn whatever_k0sctl_says_is_carried_over_or_listed(
        chosen in proptest::collection::vec((0..PARTS.len(), 0..3_usize), 0..20),
    ) {
        let roles = ["controller+worker", "controller", "worker"];
        let mut hosts = roles.map(|role| format!("  - role: {role}\n    noTaints: false\n"));
        let mut ssh = [1, 2, 3].map(|number| format!("address: 10.0.0.{number}"));
        let (mut spec, mut numbers) = (String::new(), Vec::new());
        for (number, (part, host)) in (100..).zip(&chosen) {
            let (place, key, value) = PARTS[*part];
            let value = value.replace('#', &number.to_string());
            let text = match place {
                "host" => &mut hosts[*host],
                "ssh" => &mut ssh[*host],
                _ => &mut spec,
            };
            // Each key stands once in a map.
            if text.contains(&format!("{key}: ")) {
                continue;
            }
            numbers.push((number, key));
            let _ = match place {
                "host" => writeln!(text, "    {key}: {value}"),
                "ssh" => write!(text, ", {key}: {value}"),
                _ => writeln!(text, "  {key}: {value}"),
            };
        }
        let hosts = hosts.iter().zip(&ssh);
        let hosts: String = hosts.map(|(host, ssh)| format!("{host}    ssh: {{{ssh}}}\n")).collect();
        let text = format!("apiVersion: k0sctl.k0sproject.io/v1beta1\nspec:\n  hosts:\n{hosts}{spec}");
        let converted = k0sctl::convert(&Source::new("k0sctl.yaml", &text), JUDGE)
            .map_err(|refused| TestCaseError::fail(format!("{refused:?}\n{text}")))?;
        let list = listed(&converted.left_out);
        for (number, key) in numbers {
            let line = text.lines().position(|line| line.contains(&number.to_string()));
            let is_listed = list.contains(&format!("k0sctl.yaml:{}: ", line.unwrap_or(0) + 1));
            prop_assert!(converted.text.contains(&number.to_string()) || is_listed,
                "{key} is lost:\n{text}\n{}{list}", converted.text);
        }
    }

    #[test]
    fn no_text_makes_a_converter_panic(text in "\\PC{0,200}", lines in "([\\[\\]{}:=#\"'a-c \\t\\r\\n-]|\\{\\{|host){0,60}") {
        for text in [text, lines] {
            for name in ["hosts", "hosts.yml", "hosts.ini"] {
                drop(ansible::convert(&Source::new(name, &text), &[], JUDGE));
            }
            drop(k0sctl::convert(&Source::new("k0sctl.yaml", &text), JUDGE));
            drop(k3sup::convert(&Source::new("hosts.json", &text), 1, JUDGE));
        }
    }
}

/// Whether a variable is said in several places: the nearest counts.
fn is_nearer(source: &Source, beside: &[Beside], name: &str) -> bool {
    let texts = std::iter::once(source).chain(beside.iter().map(|file| &file.source));
    texts
        .map(|source| source.text.matches(&format!("{name}: ")).count())
        .sum::<usize>()
        > 1
}

#[test]
fn files_that_cannot_be_made_into_inventories_are_refused_with_their_reason() {
    let mut shown_all = String::new();
    for (name, text) in [
        ("hosts", "$ANSIBLE_VAULT;1.1;AES256\n6162\n"),
        ("hosts", ""),
        ("hosts", "[web]\nm1\n"),
        ("hosts", "[server]\nm1 a b=c\n"),
        ("hosts", "[server]\nm1 a='b\n"),
        ("hosts", "[server]\nm[3:1]\n"),
        ("hosts", "[server:kids]\nm1\n"),
        ("hosts", "[a:children]\nb\n[b:children]\na\n"),
        ("hosts.yml", "- m1\n"),
        ("hosts.yml", "server: {hosts: {m1: }\n"),
        ("hosts.yml", "server: {hosts: {m1: , m1: }}\n"),
    ] {
        let source = Source::new(name, text);
        let _ = writeln!(
            shown_all,
            "{text:?}\n{}\n",
            shown(ansible::convert(&source, &[], JUDGE))
        );
    }
    for text in [
        "a: 1",
        "apiVersion: k0sctl.k0sproject.io/v1beta1\nkind: Cluster\nspec: {hosts: []}",
        "apiVersion: k0sctl.k0sproject.io/v1beta1\nspec: {hosts: [{role: single, localhost: {enabled: true}}]}",
    ] {
        let source = Source::new("k0sctl.yaml", text);
        let _ = writeln!(
            shown_all,
            "{text:?}\n{}\n",
            shown(k0sctl::convert(&source, JUDGE))
        );
    }
    for text in [
        "{}",
        "[]",
        "[{\"hostname\": \"a\", \"ip\": \"10.0.0.1\"}]",
        "[1, 2]",
    ] {
        let source = Source::new("hosts.json", text);
        let _ = writeln!(
            shown_all,
            "{text:?}\n{}\n",
            shown(k3sup::convert(&source, 3, JUDGE))
        );
    }
    insta::assert_snapshot!(shown_all);
}

#[test]
fn what_the_reader_refuses_is_taken_out_and_listed() {
    let text = "[server]\nm1 ansible_host=10.0.0.1 ansible_user='a b' node_labels=\"{'a b': 'c d', 'd': 'e'}\"\nm2 ansible_host=10.0.0.1\n[agent]\nm3 node_taints=\"['nonsense', 'a bad one', 'a=b:NoSchedule']\" ansible_ssh_private_key_file=''\n";
    insta::assert_snapshot!(shown(ansible::convert(
        &Source::new("hosts", text),
        &[],
        JUDGE
    )));
}

#[test]
fn no_secret_gets_into_an_inventory_or_a_message() {
    let text = "\
all:
  vars:
    db_password: hunter2a
    vault_pw: hunter2b
    db: {pw: hunter2c}
    indirect: \"{{ db_password }}\"
    vault_flags: --debug --node-label x=hunter2d
    cfg: {kube-apiserver-arg: [v=2, oidc-client-secret=hunter2e], token: hunter2f}
server:
  vars:
    api_endpoint: \"{{ indirect }}\"
    k3s_server: \"{{ cfg }}\"
    server_config_yaml: |
      etcd-s3-proxy: http://u:hunter2g@proxy
      agent-token: hunter2h
      datastore-endpoint: mysql://u:hunter2i@db
    extra_server_args: \"--http-proxy http://u:hunter2j@h --system-default-registry https://u:hunter2k@reg --kubelet-arg max-pods=9 {{ vault_flags }} --pause-image rancher/pause:3.6@sha256:ab --tls-san u:hunter2l@h\"
  hosts:
    m1: {ansible_host: 10.0.0.1, node_labels: {a: \"{{ vault_pw }}\", b: c}}
    m2: {ansible_host: 10.0.0.2, node_labels: {a: \"{{ hostvars['m1']['db_password'] | default('hunter2password') }}\"}}
    m3: {ansible_host: 10.0.0.3, node_labels: {a: \"{{ db.pw }}\"}}
    m4: {ansible_host: \"u:hunter2m@10.0.0.4\"}
";
    let shown = shown(ansible::convert(
        &Source::new("hosts.yml", text),
        &[],
        JUDGE,
    ));
    assert!(!shown.contains("hunter2"), "{shown}");
    insta::assert_snapshot!(shown);
}

#[test]
fn where_nothing_is_made_it_is_said_what_was_in_the_way() {
    let text = "[server]\nh1 ansible_host=\"bad host name\"\n";
    insta::assert_snapshot!(shown(ansible::convert(&Source::new("hosts", text), &[], JUDGE)), @r"
    hosts cannot be made into an inventory
      hosts:2: the host h1 is left out with all that it has: `bad host name` is not an IP address or DNS name
      the inventory has no hosts
    ");
    let text = "server: {hosts: {'u:hunter2@10.0.0.5': }}\n";
    insta::assert_snapshot!(shown(ansible::convert(&Source::new("hosts.yml", text), &[], JUDGE)), @"hosts.yml:1: `u:***@10.0.0.5` has no port");
}

#[test]
fn no_password_becomes_part_of_a_hosts_name() {
    let text = "server: {hosts: {'u:hunter2@10.0.0.5:22': {ansible_host: 10.0.0.5}}}\n";
    insta::assert_snapshot!(shown(ansible::convert(&Source::new("hosts.yml", text), &[], JUDGE)), @r#"
    # Converted from hosts.yml by  towline inventory from-ansible
    hosts:
      "10.0.0.5":
        role: server
    hosts.yml:1: `u:***@10.0.0.5` is named 10.0.0.5 here
    "#);
    let text = r#"[{"ip": "10.0.0.4"}, {"ip": "u:hunter2@10.0.0.5"}]"#;
    insta::assert_snapshot!(shown(k3sup::convert(&Source::new("hosts.json", text), 1, JUDGE)), @r#"
    # Converted from hosts.json by  towline inventory from-k3sup
    hosts:
      "10.0.0.4":
        role: server
    hosts.json:1: `u:***@10.0.0.5` is named 10.0.0.5 here
    hosts.json:1: the host 10.0.0.5 is left out with all that it has: `u:***@10.0.0.5` is not an IP address or DNS name
    "#);
}

#[test]
fn what_names_a_variable_elsewhere_names_none_here() {
    let text = "[server]\nm1\nweb${X}\n";
    insta::assert_snapshot!(shown(ansible::convert(&Source::new("hosts", text), &[], JUDGE)), @r"
    # Converted from hosts by  towline inventory from-ansible
    hosts:
      m1:
        role: server
    hosts:3: `web${X}` is named web--X here
    hosts:3: the host web--X is left out with all that it has: `web${X}` is not an IP address or DNS name
    ");
}
