//! Hosts that `k0s install` or k0sctl set up: what is taken over without a restart, what is restarted,
//! and what is refused.

use serde_json::{Value, json};

use crate::distribution::k0s::tests::World;
use crate::facts::{DropIn, ForeignUnit};
use crate::vars::Secret;

/// A host as it says itself.
struct Made {
    unit: &'static str,
    /// `ExecStart=`, and further lines.
    command: String,
    yaml: Option<&'static str>,
    /// What of k0s's defaults is otherwise in what runs.
    running: Value,
}

/// As `k0s install controller --enable-worker` without a file.
fn by_hand() -> Made {
    Made {
        unit: "k0scontroller",
        command: "/usr/local/bin/k0s controller --enable-worker=true --no-taints=true".into(),
        yaml: None,
        running: json!({}),
    }
}

fn defaults() -> Value {
    json!({
        "api": {"address": "10.0.0.1", "port": 6443, "k0sApiPort": 9443, "ca": {"expiresAfter": "87600h0m0s"}},
        "storage": {"type": "etcd", "etcd": {"peerAddress": "10.0.0.1"}},
        "network": {"provider": "kuberouter", "podCIDR": "10.244.0.0/16", "serviceCIDR": "10.96.0.0/12",
            "nodeLocalLoadBalancing": {"enabled": false, "type": "EnvoyProxy"}},
        "telemetry": {"enabled": false},
        "konnectivity": {"agentPort": 8132},
    })
}

fn laid_over(under: &mut Value, over: &Value) {
    for (path, value) in super::values(over) {
        super::set(under, &path, value.clone());
    }
}

/// What is decided of m1, made like this, by an inventory whose `cluster` has these lines, and whose
/// host has those: `no restart`, `restart`, or why it is refused.
fn taken_over(made: &Made, cluster: &str, host: &str) -> String {
    let text = format!(
        "cluster: {{name: home, distribution: k0s, version: v1.36.3+k0s.2, {cluster}}}\nhosts: {{m1: {{address: 10.0.0.1, role: server, {host}}}}}\n"
    );
    let world = World::new(&text).running("m1", |facts| {
        let unit = format!("[Service]\nExecStart={}\nRestart=always\n", made.command);
        let mut running = defaults();
        laid_over(&mut running, &made.running);
        let of_spec = |spec: &Value| json!({"spec": {"nodeConfig": {"spec": spec}}}).to_string();
        facts.node.drop_ins = [
            (format!("{}.service", made.unit), unit.clone()),
            ("running".to_owned(), of_spec(&running)),
            (
                "defaults".to_owned(),
                json!({"spec": defaults()}).to_string(),
            ),
        ]
        .map(|(name, text)| DropIn {
            name,
            text: Secret::new(&text),
        })
        .into();
        facts.node.config = made.yaml.map(Secret::new);
        facts.node.joined = true;
        facts.hostname = "m1".into();
        facts.node.foreign = Some(ForeignUnit {
            unit: made.unit.into(),
            text: Secret::new(&unit),
            environment: Secret::new(""),
        });
    });
    world.decide_on(true, |_, topology| {
        let topology = match topology {
            Ok(topology) => topology,
            Err(problems) => return problems[0].to_string(),
        };
        match (topology.specs.get("m1"), topology.unfit.get("m1")) {
            (Some(spec), _) if spec.effective => format!("no restart {}", topology.notes.join(" ")),
            (Some(_), _) => "restart".to_owned(),
            (None, problem) => problem.expect("a reason").to_string(),
        }
        .trim()
        .to_owned()
    })
}

#[test]
fn what_means_the_same_is_taken_over_without_a_restart() {
    assert_eq!(taken_over(&by_hand(), "", ""), "no restart");
    let as_k0sctl = Made {
        command: "/usr/local/bin/k0s controller --data-dir=/var/lib/k0s --enable-worker=true --no-taints=true --kubelet-extra-args=--node-ip=10.0.0.1 --config=/etc/k0s/k0s.yaml".into(),
        yaml: Some("# generated-by-k0sctl 2026-01-01T00:00:00Z\nspec: {api: {sans: [10.0.0.1], k0sApiPort: 9443, address: 10.0.0.1}, network: {provider: kuberouter}, telemetry: {enabled: false}}\n"),
        running: json!({"api": {"sans": ["10.0.0.1"]}}),
        ..by_hand()
    };
    let said = taken_over(&as_k0sctl, "", "");
    assert!(
        said.starts_with("no restart m1: k0sctl wrote its k0s.yaml"),
        "{said}"
    );
    let named = Made {
        command: "/usr/local/bin/k0s controller --enable-worker --no-taints --disable-components=metrics-server,autopilot --logging=containerd=info,etcd=info,kubelet=5 --kubelet-extra-args=--max-pods=9\\x20--v=2 --token-file=/root/token".into(),
        yaml: Some("spec: {workerProfiles: [{name: small, values: {maxPods: 20}}], api: {sans: [k8s.example.org]}}\n"),
        running: json!({"workerProfiles": [{"name": "small", "values": {"maxPods": 20}}], "api": {"sans": ["k8s.example.org"]}}),
        ..by_hand()
    };
    let said = taken_over(
        &named,
        "tls_sans: [k8s.example.org], config: {disable-components: [autopilot, metrics-server], logging: kubelet=5, spec: {workerProfiles: [{name: small, values: {maxPods: 20}}]}}",
        "config: {kubelet-extra-args: [--v=2, --max-pods=9]}",
    );
    assert!(
        said.starts_with("no restart m1: the token that it joined with is in /root/token"),
        "{said}"
    );
    let elsewhere = Made {
        command: "/opt/k0s controller --enable-worker --no-taints".into(),
        ..by_hand()
    };
    let said = taken_over(&elsewhere, "", "");
    assert!(
        said.starts_with("no restart m1: k0s runs from /opt/k0s"),
        "{said}"
    );
}

#[test]
fn what_the_inventory_says_otherwise_is_a_restart() {
    for (cluster, host) in [
        ("tls_sans: [new.example.org]", ""),
        ("config: {spec: {konnectivity: {agentPort: 8133}}}", ""),
        ("config: {profile: small}", ""),
        ("", "config: {kubelet-extra-args: --max-pods=9}"),
    ] {
        assert_eq!(
            taken_over(&by_hand(), cluster, host),
            "restart",
            "{cluster}{host}"
        );
    }
    // What it was made with stays, also where no file says it.
    let range = "config: {spec: {network: {podCIDR: 10.9.0.0/16}}}";
    let said = taken_over(&by_hand(), range, "");
    let expected =
        "spec.network.podCIDR is 10.244.0.0/16 in this cluster, and would be 10.9.0.0/16";
    assert!(said.contains(expected), "{said}");
    // What is named as nothing goes.
    let profiled = Made {
        command:
            "/usr/local/bin/k0s controller --enable-worker=true --no-taints=true --profile=small"
                .into(),
        yaml: Some("spec: {konnectivity: {agentPort: 8133}}"),
        running: json!({"konnectivity": {"agentPort": 8133}}),
        ..by_hand()
    };
    let gone = "config: {profile: null, spec: {konnectivity: null}}";
    assert_eq!(taken_over(&profiled, gone, ""), "restart");
    let nat = Made {
        running: json!({"api": {"address": "10.0.2.15"}}),
        ..by_hand()
    };
    assert_eq!(taken_over(&nat, "", ""), "restart");
}

#[test]
fn what_would_be_lost_is_refused_with_its_lines() {
    let rich = Made {
        command: "/usr/local/bin/k0s controller --enable-worker=true --no-taints=true --profile=small --kubelet-extra-args=--max-pods=9\\x20--some-token=hunter2hunter2".into(),
        yaml: Some("spec: {telemetry: {enabled: true}, api: {sans: [old.example.org], extraArgs: {oidc-client-secret: hunter2hunter2, v: '2'}}}"),
        running: json!({"telemetry": {"enabled": true}, "api": {"sans": ["old.example.org"], "extraArgs": {"v": "2"}}}),
        ..by_hand()
    };
    insta::assert_snapshot!(taken_over(&rich, "", ""), @r#"
    m1: these settings of k0s are missing from the inventory and would be lost: kubelet-extra-args, profile, spec.api.extraArgs.oidc-client-secret, spec.api.extraArgs.v, spec.telemetry.enabled, spec.api.sans
      an inventory is the whole truth of its cluster
      → add to `tls_sans` under `cluster`:
        ["old.example.org"]
      → write under `cluster`:
        config: {spec: {"api":{"extraArgs":{"oidc-client-secret":"a secret; it stands on the host","v":"2"}},"telemetry":{"enabled":true}}}
      → write under `config` of m1, or once for all hosts that share it:
        kubelet-extra-args: ["--max-pods=9","a secret; it stands on the host"]
        profile: "small"
      → what may go is written as:
        KEY: null
    "#);
    let balanced = Made {
        running: json!({"network": {"nodeLocalLoadBalancing": {"enabled": true}}}),
        yaml: Some("spec: {network: {nodeLocalLoadBalancing: {enabled: true}}}"),
        ..by_hand()
    };
    let said = taken_over(&balanced, "", "");
    assert!(
        said.contains(r#"config: {spec: {"network":{"nodeLocalLoadBalancing":{"enabled":true}}}}"#),
        "{said}"
    );
}

#[test]
fn a_default_of_towline_changes_nothing_that_is_there() {
    let kubelet = Made {
        command: "/usr/local/bin/k0s controller --enable-worker --no-taints --kubelet-root-dir=/srv/kubelet".into(),
        ..by_hand()
    };
    let said = taken_over(&kubelet, "", "");
    assert!(
        said.contains(r#"kubelet-root-dir: "/srv/kubelet""#),
        "{said}"
    );
    let named = taken_over(&kubelet, "config: {kubelet-root-dir: /srv/kubelet}", "");
    assert_eq!(named, "no restart");
    let tainted = Made {
        command: "/usr/local/bin/k0s controller --enable-worker".into(),
        ..by_hand()
    };
    let said = taken_over(&tainted, "", "");
    assert!(
        said.starts_with("no restart m1: its node joined with the taint"),
        "{said}"
    );
    assert!(said.ends_with("control-plane:NoSchedule-"), "{said}");
}

#[test]
fn what_cannot_be_taken_over_is_refused_with_its_reason() {
    let table = [
        (
            "/usr/local/bin/k0s controller --enable-worker\nEnvironment=\"HTTP_PROXY=http://p\"",
            "its unit k0scontroller has lines that towline's would not have: Environment",
        ),
        (
            "/usr/local/bin/k0s controller --no-such-flag=1",
            "flags that towline does not know: --no-such-flag",
        ),
        ("/bin/sh -c /run.sh", "does not run  k0s controller  itself"),
        (
            "/usr/local/bin/k0s controller --config=/srv/k0s.yaml",
            "names /srv/k0s.yaml, which cannot be read",
        ),
    ];
    for (command, expected) in table {
        let said = taken_over(
            &Made {
                command: command.into(),
                ..by_hand()
            },
            "",
            "",
        );
        assert!(said.contains(expected), "{command}: {said}");
    }
    let renamed = Made {
        running: json!({"storage": {"etcd": {"extraArgs": {"name": "other"}}}}),
        ..by_hand()
    };
    let said = taken_over(&renamed, "", "");
    assert!(
        said.contains("its member of etcd is called other"),
        "{said}"
    );
    let moved = Made {
        running: json!({"storage": {"etcd": {"peerAddress": "10.0.2.15"}}}),
        ..by_hand()
    };
    let said = taken_over(&moved, "", "");
    assert!(
        said.contains("its node address is 10.0.2.15, and would be 10.0.0.1"),
        "{said}"
    );
}

#[test]
fn of_a_cluster_that_holds_its_configuration_only_the_files_own_parts_count() {
    let dynamic = Made {
        command: "/usr/local/bin/k0s controller --enable-worker=true --no-taints=true --enable-dynamic-config=true".into(),
        yaml: Some("spec: {api: {extraArgs: {v: '2'}}}"),
        running: json!({"api": {"extraArgs": {"v": "2"}}}),
        ..by_hand()
    };
    let cluster = "config: {enable-dynamic-config: true, spec: {api: {extraArgs: {v: '2'}}, konnectivity: {agentPort: 8133}}}";
    let said = taken_over(&dynamic, cluster, "");
    assert!(
        said.starts_with("no restart with enable-dynamic-config"),
        "{said}"
    );
}
