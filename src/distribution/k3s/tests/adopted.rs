//! Hosts on which something else set up k3s, as its installer leaves them.

use super::*;

/// The unit as the installer writes it, with these arguments.
fn unit(command: &str, arguments: &[&str]) -> Secret {
    let arguments: String = arguments
        .iter()
        .map(|argument| format!("\t'{argument}' \\\n"))
        .collect();
    Secret::new(&format!(
        "[Unit]\nDescription=Lightweight Kubernetes\n\n[Service]\nType=notify\nEnvironmentFile=-/etc/default/%N\n\
         ExecStartPre=-/sbin/modprobe overlay\nExecStart=/usr/local/bin/k3s \\\n    {command} \\\n{arguments}\n"
    ))
}

fn set_up(facts: &mut Facts, name: &str, arguments: &[&str], environment: &str) {
    let command = if name == "k3s" { "server" } else { "agent" };
    facts.node.foreign = Some(ForeignUnit {
        unit: name.into(),
        text: unit(command, arguments),
        environment: Secret::new(environment),
    });
    facts.node.config = None;
    facts.node.joined = true;
}

/// A running cluster, of which the installer set up m2 and w1.
fn mixed(inventory: &str, arguments: &[&str]) -> Lab {
    let token = format!("K10{HASH}::server:secret-one");
    let environment = format!("K3S_TOKEN='{token}'\nK3S_URL='https://10.0.0.1:6443'\n");
    let lab = running();
    let inventory = Lab::new(inventory).inventory;
    Lab { inventory, ..lab }
        .with("m2", |facts| set_up(facts, "k3s", arguments, ""))
        .with("w1", |facts| set_up(facts, "k3s-agent", &[], &environment))
}

impl Lab {
    fn adopting(mut self) -> Self {
        self.adopt = true;
        self
    }
}

#[test]
fn without_a_word_it_is_left_alone_and_the_others_go_on() {
    let topology = mixed(THREE, &["--disable", "traefik"]).topology();
    assert!(!topology.specs.contains_key("m2") && !topology.specs.contains_key("w1"));
    assert!(topology.specs.contains_key("m1") && topology.specs.contains_key("m3"));
    insta::assert_snapshot!(topology.unfit["m2"], @r"
    m2: k3s was set up here by something else, and is left as it is
      the unit k3s was not written by towline; its k3s flags would move to config.yaml
      → to see what taking it over would change:
        towline plan
      → to take it over, server by server:
        towline deploy --adopt
    ");
}

#[test]
fn what_flags_and_variables_say_moves_into_the_configuration() {
    let inventory = format!("cluster: {{config: {{disable: [traefik]}}}}{THREE}");
    let server = "https://10.0.0.1:6443";
    let lab = mixed(
        &inventory,
        &[
            "--server",
            server,
            "--disable=traefik",
            "--node-label",
            "a=b",
        ],
    );
    let topology = lab.adopting().topology();
    let config = &topology.specs["m2"].config;
    assert_eq!(config["server"], server);
    // No inventory has named the label: the node keeps it.
    assert!(!config.contains_key("node-label") && topology.labels.is_empty());
    assert_eq!(config["disable"], serde_json::json!(["traefik"]));
    let agent = &topology.specs["w1"].config;
    assert_eq!(agent["server"], server);
    assert_eq!(agent["token"], format!("K10{HASH}::server:secret-one"));
}

#[test]
fn no_restart_is_owed_where_k3s_does_already_what_the_inventory_says() {
    let effective = |inventory: &str, arguments: &[&str]| {
        let inventory = format!("cluster: {{{inventory}}}{THREE}");
        let lab = mixed(&inventory, arguments).adopting();
        let specs = lab.topology().specs;
        ["m1", "m2", "w1"].map(|host| specs[host].effective)
    };
    let server = ["--server=https://10.0.0.1:6443", "--disable=traefik"];
    let disabled = "config: {disable: [traefik]}";
    assert_eq!(effective(disabled, &server), [false, true, true]);
    let more = [
        &server[..],
        &[
            "--node-ip=10.0.0.2",
            "--data-dir=/var/lib/rancher/k3s",
            "--tls-san=10.0.0.2",
        ],
    ]
    .concat();
    assert_eq!(effective(disabled, &more), [false, true, true]);
    let named = format!("{disabled}, endpoint: k3s.example.org");
    assert_eq!(effective(&named, &server), [false, false, true]);
    let more = "config: {disable: [traefik], debug: true}";
    assert_eq!(effective(more, &server), [false, false, true]);
}

#[test]
fn what_all_servers_share_may_not_change_on_the_way() {
    let lab = mixed(
        THREE,
        &[
            "--cluster-cidr",
            "10.52.0.0/16",
            "--disable",
            "traefik,servicelb",
            "--kubelet-arg",
            "max-pods=9",
        ],
    );
    let topology = lab.adopting().topology();
    insta::assert_snapshot!(topology.unfit["m2"], @r#"
    m2: taking it over would change what all servers of its cluster share
      k3s does not start with other values than the cluster's
      these settings of k3s are missing from the inventory and would be lost: kubelet-arg
      → make the inventory say what the host does, under `config` of `cluster`:
        cluster-cidr: ["10.52.0.0/16"]
        disable: ["traefik","servicelb"]
      → write under `config` of m2, or once for all hosts that share it:
        kubelet-arg: ["max-pods=9"]
      → what may go is written as:
        KEY: null
    "#);
}

#[test]
fn what_the_unit_itself_gives_k3s_is_not_lost() {
    let with = |lines: &str, environment: &str| {
        let lab = mixed(THREE, &[]).with("m2", |facts| {
            let foreign = facts.node.foreign.as_mut().expect("it is foreign");
            let text = foreign.text.expose();
            let text = text.replace("[Service]\n", &format!("[Service]\n{lines}\n"));
            foreign.text = Secret::new(&text);
            foreign.environment = Secret::new(environment);
        });
        let topology = lab.adopting().topology();
        topology
            .unfit
            .get("m2")
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    let lines = "Environment=\"K3S_KUBECONFIG_MODE=0644\" HTTPS_PROXY=http://u:hidden@proxy:3128\nEnvironmentFile=/etc/mine.env";
    let refusal = with(lines, "");
    assert!(!refusal.contains("hidden"), "{refusal}");
    insta::assert_snapshot!(refusal, @r"
    m2: the unit k3s gives k3s variables that towline's unit would not: HTTPS_PROXY, /etc/mine.env
      towline writes the unit anew, and its unit has variables from files only
      → move the variables into this file, which towline's unit reads:
        /etc/systemd/system/k3s.service.env
    ");
    // systemd lets a file win over the unit.
    let lost = with(
        "Environment=K3S_KUBECONFIG_MODE=0644 HTTPS_PROXY=x",
        "HTTPS_PROXY=x\n",
    );
    assert!(lost.contains("write-kubeconfig-mode: \"0644\""), "{lost}");
    assert_eq!(
        with(
            "Environment=K3S_KUBECONFIG_MODE=0644",
            "K3S_KUBECONFIG_MODE=0600\n"
        ),
        ""
    );
    assert_eq!(
        with(
            "Environment=A=b\nEnvironment=\nEnvironmentFile=-/etc/sysconfig/%N",
            ""
        ),
        ""
    );
}

#[test]
fn what_would_be_lost_beside_what_is_shared_is_told_with_it() {
    let lab = mixed(
        THREE,
        &["--disable=traefik", "--debug", "--tls-san=old.example.org"],
    );
    let problem = lab.adopting().topology().unfit["m2"].to_string();
    for line in [
        "disable: [\"traefik\"]",
        "would be lost: debug, tls-san",
        "debug: true",
        "add to `tls_sans` under `cluster`",
        "[\"old.example.org\"]",
    ] {
        assert!(problem.contains(line), "{line} in\n{problem}");
    }
}

#[test]
fn what_cannot_be_understood_is_not_taken_over() {
    let cases: [(&[&str], &str); 4] = [
        (
            &["--datastore-endpoint=postgres://u:p@h/db"],
            "m2: it keeps its cluster in another database",
        ),
        (
            &["--config=/etc/k3s.yaml"],
            "m2: k3s runs with --config, which",
        ),
        (&["--node-name", "${NAME}"], "its ExecStart uses variables"),
        (&["traefik"], "`traefik` belongs to no flag"),
    ];
    for (arguments, words) in cases {
        let topology = mixed(THREE, arguments).adopting().topology();
        let problem = topology.unfit["m2"].to_string();
        assert!(problem.contains(words), "{problem}");
        assert!(!problem.contains("u:p"), "{problem}");
    }
    let same = format!("cluster: {{datastore_endpoint: 'postgres://u:p@h/db'}}{THREE}");
    let mut lab = mixed(&same, cases[0].0).adopting();
    for facts in lab.facts.values_mut() {
        facts.node.datastore = facts.node.datastore.map(|_| Datastore::External);
    }
    let topology = lab.topology();
    assert!(!topology.unfit.contains_key("m2"), "{:?}", topology.unfit);
}

#[test]
fn where_the_data_is_is_read_from_wherever_k3s_is_told() {
    let told = |lab: &Lab, host: &str| {
        let facts = &lab.facts[host];
        configured_data_dir(facts).map(|told| told.map(|told| told.to_string()))
    };
    let lab = mixed(THREE, &["--data-dir", "/data/k3s/"]);
    assert_eq!(told(&lab, "m2"), Ok(Some("/data/k3s".into())));
    assert_eq!(told(&lab, "w1"), Ok(Some("/var/lib/rancher/k3s".into())));
    let lab = lab.with("w1", |facts| {
        set_up(facts, "k3s-agent", &[], "K3S_DATA_DIR='/disk/k3s'\n");
    });
    assert_eq!(told(&lab, "w1"), Ok(Some("/disk/k3s".into())));
    let lab = mixed(THREE, &["-d", "data"]);
    assert_eq!(
        told(&lab, "m2"),
        Err("k3s is configured with data-dir `data`, and it has to be absolute, of letters, digits, `.`, `_`, `-` and `/`".into())
    );
    let nothing = Lab::new(THREE);
    assert_eq!(
        told(&nothing, "m2"),
        Ok(None),
        "a bare host is told nothing"
    );
}

#[test]
fn secrets_in_flags_and_variables_are_known() {
    let lab = mixed(
        THREE,
        &["--agent-token", "agents-secret", "-t", "servers-secret"],
    );
    let secrets = |host: &str| {
        let facts = &lab.facts[host];
        let known = K3s.secrets(facts).into_iter();
        known
            .map(|secret| secret.expose().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(secrets("m2").contains(&"agents-secret".to_owned()));
    assert!(secrets("m2").contains(&"servers-secret".to_owned()));
    assert!(secrets("w1").contains(&format!("K10{HASH}::server:secret-one")));
}

#[test]
fn a_server_that_joins_is_told_what_all_servers_share() {
    let lab = mixed(
        THREE,
        &[
            "--cluster-init",
            "--cluster-cidr",
            "10.52.0.0/16",
            "--debug",
        ],
    )
    .with("m2", |facts| {
        facts.node.config = Some(Secret::new(
            "flannel-backend: host-gw\ndisable: [traefik]\nsecrets-encryption: true",
        ));
        facts.node.drop_ins = vec![DropIn {
            name: "10-more.yaml".into(),
            text: Secret::new("disable+: [servicelb]\nsupervisor-metrics: false"),
        }];
    });
    let facts = &lab.facts["m2"];
    insta::assert_snapshot!(serde_json::to_string(&shared_settings(facts).expect("read")).expect("JSON"), @r#"{"cluster-cidr":["10.52.0.0/16"],"disable":["traefik","servicelb"],"flannel-backend":"host-gw","secrets-encryption":true}"#);
}

#[test]
fn servers_that_would_not_start_beside_each_other_are_refused() {
    let inventory = "
cluster: {config: {disable: [traefik]}}
hosts:
  m1: {address: 10.0.0.1, role: server}
  m2: {address: 10.0.0.2, role: server, config: {disable: [servicelb], cluster-cidr: 10.42.0.0/16}}
  m3: {address: 10.0.0.3, role: server}
";
    insta::assert_snapshot!(Lab::new(inventory).refusal(), @r"
    m1 and m2 would have different values for disable
      all servers of a cluster must have the same: k3s refuses to start otherwise
      → say it once, under  config:  of  cluster:
    ");
}
