//! Lines as people type them, and the inventories that stand for them.

use clap::Parser as _;

use super::*;
use crate::cli::{Cli, Command};
use crate::distribution::Settings;

/// What a line stands for, or why it is refused.
fn meant(line: &str) -> String {
    let words = shlex::split(line).expect("words");
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => return error.to_string(),
    };
    let adhoc = match cli.command {
        Command::Install(arguments) => AdHocInventory::install(&arguments),
        Command::Join(arguments) => AdHocInventory::join(&arguments),
        _ => panic!("neither install nor join: {line}"),
    };
    match adhoc.and_then(|adhoc| Ok((adhoc.draft.text()?, adhoc))) {
        Ok((text, adhoc)) => {
            let environment = environment();
            if let Err(refusal) = adhoc.inventory(&environment) {
                let problems = refusal.problems().into_iter();
                return problems.map(|problem| format!("{problem}\n")).collect();
            }
            let notes: String = adhoc
                .notes
                .iter()
                .map(|note| format!("note: {note}\n"))
                .collect();
            format!("{notes}{text}")
        }
        Err(problem) => format!("{problem}\n"),
    }
}

fn environment() -> Environment {
    Environment {
        home: "/home/me".into(),
        agent: None,
        cache: "/home/me/.cache/towline".into(),
        proxy: None,
        no_proxy: None,
        kubeconfigs: Vec::new(),
        color: false,
        live: false,
        width: 100,
    }
}

fn all(lines: &[&str]) -> String {
    lines
        .iter()
        .map(|line| format!("$ {line}\n{}\n", meant(line)))
        .collect()
}

#[test]
fn lines_that_people_know_from_k3sup() {
    insta::assert_snapshot!(all(&[
        "towline install --ip 192.168.0.1 --user ubuntu",
        "towline install --ip 192.168.0.100 --user root --cluster",
        "towline install --ip 192.168.0.100 --user pi --ssh-key /home/me/.ssh/pi --ssh-port 2222 --k3s-version v1.36.3+k3s1 --context homelab",
        "towline install --host k8s.example.org --k3s-extra-args '--no-deploy traefik --docker'",
        "towline install --ip fd00::10 --no-extras --tls-san k8s.example.org --tls-san 10.0.0.9,10.0.0.8 --sudo=true --merge=false",
        "towline install --local",
        "towline install --local --ip 192.168.0.7 --k3s-channel latest",
        "towline join --ip 192.168.0.101 --server-ip 192.168.0.100 --user root",
        "towline join --ip 192.168.0.101 --user pi --server-user ubuntu --server-ssh-port 2222 --server-ip 192.168.0.100 --server",
        "towline join --ip 192.168.0.101 --server-host a.example.org --server-url https://lb.example.org:6443 --server --k3s-extra-args '--node-label a=b --kubelet-arg max-pods=50'",
        "towline join --ip 192.168.0.101 --server-ip 192.168.0.100 --node-token-path /run/token",
        "towline join --ip 192.168.0.101 --server-ip 192.168.0.100 --server-data-dir /data/k3s/",
    ]));
}

/// From k3sup's README, blogs, issues and repositories.
#[test]
fn lines_that_people_type() {
    insta::assert_snapshot!(all(&[
        "towline install --user ubuntu",
        "towline install --cluster --tls-san 10.0.0.9 --k3s-extra-args '--no-flannel'",
        "towline join --server-ip 10.0.0.1 --server --user pi",
        "towline join --server-host a.example.org",
        "towline install --ip 10.0.0.1 --k3s-version v1.36.3+k3s1 --k3s-channel latest",
        "towline install --ip 10.0.0.1 --host a.example.org",
        "towline join --host b.example.org --ip 10.0.0.2 --server-host a.example.org --server-ip 10.0.0.1",
        "towline install --ip 10.0.0.1 --k3s-extra-args '--disable traefik \\\n  --node-label a=b \\\n'",
        "towline install --ip 10.0.0.1 --k3s-extra-args '--airgap-extra-registry a.example.org --airgap-extra-registry b.example.org'",
        "towline install --ip 10.0.0.1 --k3s-extra-args '--disable traefik' --k3s-extra-args='--node-label a=b'",
        "towline install --ip 10.0.0.1 --k3s-extra-args=\"--disable servicelb --kube-apiserver-arg='a=b' --v=4\"",
    ]));
}

#[test]
fn flags_of_k3s_go_where_the_inventory_has_them() {
    insta::assert_snapshot!(all(&[
        "towline install --ip 10.0.0.1 --k3s-extra-args \"--node-name alpha --node-label a=b --node-label 'c=d' --node-taint x=y:NoSchedule --node-ip 10.1.0.1 --node-external-ip 203.0.113.9 --tls-san a.example.org --cluster-init --flannel-backend=host-gw --write-kubeconfig-mode 0644\"",
        "towline install --ip 10.0.0.1 --no-extras --k3s-extra-args '--data-dir=/data/k3s --disable metrics-server --node-ip=10.1.0.1,fd00::1'",
    ]));
}

#[test]
fn lines_that_are_refused_say_what_to_type_instead() {
    insta::assert_snapshot!(all(&[
        "towline install --ip 10.0.0.1 --ipsec",
        "towline join --ip 10.0.0.2 --server-ip 10.0.0.1:2222",
        "towline join --ip 10.0.0.2 --server-ip 10.0.0.1:6443",
        "towline join --ip 10.0.0.2 --server-ip 10.0.0.1:2222 --node-token-path /run/token",
        "towline install --ip 10.0.0.1 --datastore mysql://x",
        "towline install --ip 10.0.0.1 --user pi --sudo=false",
        "towline install --ip 10.0.0.1 --k3s-extra-args '-t secret'",
        "towline install --ip 10.0.0.1 --k3s-extra-args '--token secret'",
        "towline install --ip 10.0.0.1 --k3s-extra-args '--data-dir /var'",
        "towline install --ip 10.0.0.1 --k3s-version 1.36",
        "towline install --ip https://10.0.0.1",
        "towline install --ip pi@10.0.0.1",
        "towline install --ip \"'10.0.0.1'\" --context 'a b' --tls-san 'x y'",
        "towline install --ip 10.0.0.1 --user 'a b' --mirror ftp://x",
        "towline install --ip 10.0.0.1 --k3s-extra-args '-v 4'",
        "towline install --ip 10.0.0.1 --k3s-extra-args '--node-label a/b/c=d --node-taint x'",
        "towline join --host b_c --server-host '10.0.0.1 '",
        "towline join --ip 10.0.0.2 --server-ip pi@10.0.0.1:2222",
        "towline join --ip 10.0.0.2 --server-ip 10.0.0.1:2222 --node-token-path /nowhere",
        "towline join --ip 10.0.0.2",
        "towline join --ip 10.0.0.2 --server-ip 10.0.0.2",
        "towline join --ip 10.0.0.2 --server-ip 10.0.0.1 --server-url lb.example.org:6443",
        "towline join --ip 10.0.0.2 --server-ip 10.0.0.1 --tls-san x",
        "towline join --ip 10.0.0.2 --server-ip 10.0.0.1 --k3s-extra-args '--node-label a=b --no-flannel'",
        "towline join --ip 10.0.0.2 --server-ip 10.0.0.1 --k3s-extra-args '--disable traefik'",
        "towline join --ip 10.0.0.2 --server-ip 10.0.0.1 --server-data-dir ../data",
        "towline join --ip 10.0.0.2 --server-ip 10.0.0.1 --node-token secret-secret --save-inventory x.yaml",
    ]));
}

#[test]
fn lines_of_k0s() {
    insta::assert_snapshot!(all(&[
        "towline install --distribution k0s --ip 10.0.0.1 --user pi --cluster",
        "towline install --distribution k0s --ip 10.0.0.1 --role controller --k0s-version v1.36.3+k0s.2 --tls-san k8s.example.org --no-extras --extra-args '--disable-components metrics-server,autopilot --labels=a=b,c=d --taints x=y:NoSchedule --data-dir /srv/k0s --kubelet-extra-args=\"--max-pods=50 --v=4\"'",
        "towline join --distribution k0s --ip 10.0.0.2 --server-ip 10.0.0.1",
        "towline join --distribution k0s --ip 10.0.0.2 --server-ip 10.0.0.1 --server --extra-args '--debug \\\n --profile=small --disable-components=autopilot'",
        "towline join --distribution k0s --ip 10.0.0.2 --server-ip 10.0.0.1 --role controller+worker",
    ]));
}

#[test]
fn lines_of_k0s_that_are_refused() {
    insta::assert_snapshot!(all(&[
        "towline install --distribution rke2 --ip 10.0.0.1",
        "towline install --distribution k0s --ip 10.0.0.1 --role master",
        "towline install --distribution k0s --ip 10.0.0.1 --role worker",
        "towline install --distribution k0s --ip 10.0.0.1 --k3s-version v1.36.3+k3s1",
        "towline install --ip 10.0.0.1 --version v1.36.3+k0s.2",
        "towline install --ip 10.0.0.1 --role controller",
        "towline install --distribution k0s --ip 10.0.0.1 --token-file /run/token",
        "towline install --distribution k0s --ip 10.0.0.1 --ipsec",
        "towline install --distribution k0s --ip 10.0.0.1 --extra-args '--single'",
        "towline install --distribution k0s --ip 10.0.0.1 --extra-args '--config /x'",
        "towline install --distribution k0s --ip 10.0.0.1 --extra-args '--profil small'",
        "towline install --distribution k0s --ip 10.0.0.1 --extra-args '--debug yes'",
        "towline install --distribution k0s --ip 10.0.0.1 --extra-args '-d'",
        "towline install --distribution k0s --ip 10.0.0.1 --extra-args '--profile --debug'",
        "towline join --distribution k0s --ip 10.0.0.2 --server-ip 10.0.0.1 --role worker --server",
        "towline join --distribution k0s --ip 10.0.0.2 --server-ip 10.0.0.1 --node-token-path /run/token",
        "towline join --distribution k0s --ip 10.0.0.2 --server-ip 10.0.0.1 --server-url https://lb.example.org:6443",
        "towline join --distribution k0s --ip 10.0.0.2 --server-ip 10.0.0.1 --extra-args '--disable-components autopilot'",
        "towline join --distribution k0s --ip 10.0.0.2 --server-ip 10.0.0.1 --extra-args '--enable-worker'",
    ]));
}

#[test]
fn a_token_in_a_flag_is_in_no_text() {
    let line = "towline join --ip 10.0.0.2 --server-ip 10.0.0.1 --node-token secret-secret";
    let meant = meant(line);
    assert!(!meant.contains("secret-secret"), "{meant}");
    assert!(
        meant.starts_with("note: --node-token is visible in this machine's process list"),
        "{meant}"
    );
}

#[test]
fn what_all_servers_share_is_carried_over_and_may_not_be_typed_otherwise() {
    let line = |extra: &str| {
        let line = format!("towline join --server --ip 10.0.0.2 --server-ip 10.0.0.1 {extra}");
        let Command::Join(arguments) = Cli::parse_from(shlex::split(&line).expect("words")).command
        else {
            panic!("not a join");
        };
        AdHocInventory::join(&arguments).expect("it is right")
    };
    let shared: Settings = [
        ("cluster-cidr".to_owned(), json!("10.52.0.0/16")),
        ("disable".to_owned(), json!(["traefik"])),
    ]
    .into();
    let mut adhoc = line("");
    adhoc
        .carry_over(
            shared.clone(),
            vec!["k8s.example.org".into(), "10.0.0.1".into()],
            "10.0.0.1",
        )
        .expect("carried over");
    let inventory = adhoc
        .inventory(&environment())
        .unwrap_or_else(|_| panic!("refused"));
    assert_eq!(inventory.cluster.config, shared);
    assert_eq!(inventory.cluster.tls_sans, ["k8s.example.org"]);
    // As k3sup wants it typed again, in another spelling, and a default that is said.
    let again = "--cluster-cidr 10.52.0.0/16 --disable=traefik --flannel-backend vxlan";
    let mut adhoc = line(&format!("--k3s-extra-args '{again}'"));
    adhoc
        .carry_over(shared.clone(), Vec::new(), "10.0.0.1")
        .expect("it means the same");
    let mut adhoc = line("--k3s-extra-args '--disable servicelb'");
    insta::assert_snapshot!(adhoc.carry_over(shared, Vec::new(), "10.0.0.1").expect_err("refused"), @r#"
    --disable is shared by all servers of a cluster, and 10.0.0.1 has another value
      it has ["traefik"], and ["servicelb"] was typed
      → leave it out: what all servers share is copied from that server
    "#);
}

#[test]
fn what_a_host_keeps_stands_in_the_inventory_that_is_saved_but_for_secrets() {
    let line = "towline install --ip 10.0.0.1 --k3s-extra-args '--disable traefik'";
    let cli = Cli::try_parse_from(shlex::split(line).expect("words")).expect("it is right");
    let Command::Install(arguments) = cli.command else {
        panic!("another command")
    };
    let mut adhoc = AdHocInventory::install(&arguments).expect("typed");
    let kept = json!({
        "tls-san": ["old.example.org"],
        "disable": ["servicelb", "traefik"],
        "debug": true,
        "etcd-s3-secret-key": "bucket-secret",
    });
    let kept: Settings = serde_json::from_value(kept).expect("settings");
    assert_eq!(adhoc.keep(&kept).expect("kept"), ["etcd-s3-secret-key"]);
    insta::assert_snapshot!(adhoc.draft.text().expect("text"), @r#"
    cluster:
      name: default
      channel: stable
      config:
        disable:
        - servicelb
        - traefik
        debug: true
      tls_sans:
      - old.example.org
    hosts:
      "10.0.0.1":
        address: "10.0.0.1"
        role: server
    "#);
}
