//! A cluster of k0s made line by line.

use std::fs;

use towline_lab::{Distribution, Mirror, Options};

use crate::place::Place;
use crate::single::Desk;

#[test]
fn lines_make_a_cluster_of_k0s_and_each_says_what_it_cannot_do() {
    let place = Place::with(&Options {
        servers: 2,
        agents: 1,
        distribution: Distribution::K0s,
        ..Options::default()
    });
    let mirror = Mirror::release_on(place.lab.gateway().into(), place.lab.release()).unwrap();
    let desk = Desk { mirror, place };
    let place = &desk.place;
    let [a1, a2, a3] = ["m1", "m2", "m3"].map(|name| place.machine(name).address().to_string());
    let host = |line: &str| {
        let line = format!("{line} --distribution k0s --mirror {}", desk.mirror.url());
        let checks = "--ignore-pre-flight-checks";
        desk.line(&line)
            .args("--output json")
            .arg("--extra-args")
            .arg(checks)
    };

    let install = format!("install --ip {a1} --role controller --save-inventory home.yaml");
    let installed = host(&format!("{install} --tls-san k8s.example.org"))
        .run()
        .ends(0);
    assert_eq!(installed.outcomes(), format!("{a1} changed"));
    assert!(
        installed
            .stdout
            .contains(r#""members":[{"name":"m1","votes":true"#),
        "a controller alone is no node, and is told as a member"
    );

    // What a line cannot say stands in the inventory that it has saved: here what the lab's kernel asks for.
    let saved = fs::read_to_string(place.file("home.yaml")).unwrap();
    let lab = place.lab.inventory();
    let config: String = lab
        .lines()
        .filter(|line| line.contains("config: {"))
        .map(|line| format!("{line}\n"))
        .collect();
    let typed = "  config:\n    ignore-pre-flight-checks: true\n";
    assert!(saved.contains(typed), "{saved}");
    fs::write(place.file("home.yaml"), saved.replace(typed, &config)).unwrap();
    let deploy = || {
        let line = "deploy -i home.yaml --kubeconfig kubeconfig --context default --output json";
        place.command().args(line).run()
    };
    deploy().ends(0);

    // One that joins has what all share from the controller that is there, which is only read.
    let running = place
        .machine("m1")
        .succeed("systemctl show -p InvocationID k0scontroller");
    let join =
        format!("join --ip {a2} --server-ip {a1} --role controller --save-inventory home.yaml");
    let joined = host(&join).run().ends(0);
    assert_eq!(joined.outcomes(), format!("{a1} observed, {a2} changed"));
    let config = place.machine("m2").succeed("cat /etc/k0s/k0s.yaml");
    for text in ["failCgroupV1", "k8s.example.org", &a2] {
        assert!(config.contains(text), "{text} in\n{config}");
    }
    assert!(!config.contains(&a1), "{config}");
    assert_eq!(
        place
            .machine("m1")
            .succeed("systemctl show -p InvocationID k0scontroller"),
        running
    );
    let join = format!("join --ip {a3} --server-ip {a2} --save-inventory home.yaml");
    let joined = host(&join).run().ends(0);
    assert_eq!(joined.outcomes(), format!("{a2} observed, {a3} changed"));
    host(&join).run().ends(0).changed_nothing();
    let deployed = deploy().ends(0);
    assert_eq!(
        deployed.outcomes(),
        format!("{a1} unchanged, {a2} unchanged, {a3} unchanged"),
        "{:?}",
        deployed.changes()
    );
    let ready = place
        .command()
        .args("ready --kubeconfig kubeconfig")
        .run()
        .ends(0);
    assert_eq!(ready.stdout, "default: the node is Ready\n");

    // A token is made for whom something else sets up, and stands in no log.
    let token = desk
        .line(&format!(
            "node-token --distribution k0s --ip {a1} --log-file log -vvv"
        ))
        .run()
        .ends(0);
    let token = token
        .stdout
        .lines()
        .find(|line| line.starts_with("H4sI"))
        .unwrap()
        .to_owned();
    place.machine("m3").succeed(&format!(
        "echo {token} | base64 -d | gunzip >/run/token && k0s kubectl --kubeconfig /run/token get --raw=/version"
    ));
    assert!(
        !fs::read_to_string(place.file("log"))
            .unwrap()
            .contains(&token[20..60])
    );

    // The other distribution is recognised, and named.
    for line in [
        format!("node-token --ip {a1}"),
        format!("join --ip {a3} --server-ip {a1} --version v1.36.3+k3s1"),
    ] {
        let refused = desk.line(&line).run().ends(2);
        refused.says(&["k0s runs here, and not k3s", "--distribution k0s"]);
    }
    desk.line(&format!("get-config --ip {a1}"))
        .run()
        .ends(1)
        .says(&["k0s runs on"]);
}
