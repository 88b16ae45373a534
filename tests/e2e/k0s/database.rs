//! Controllers that keep their cluster in PostgreSQL.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::{GONE, nodes};
use crate::database::{password, postgresql};
use crate::place::wait_for;

#[test]
fn two_controllers_share_a_database_and_each_is_enough() {
    let place = super::machines(2, 1);
    let secret = password();
    let _database = postgresql(&place, &secret);
    // It goes before this does, so that a failure is told while the database answers.
    let place = place;
    let [m1, m2] = ["m1", "m2"].map(|name| place.machine(name));
    let gateway = place.lab.gateway();
    let file = place.file("datastore");
    let escaped = secret.replace('/', "%2F");
    fs::write(
        &file,
        format!("postgres://k3s:{escaped}@{gateway}:5432/k0s"),
    )
    .unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let inventory = place
        .inventory()
        .without_cluster("allow_two_servers")
        .cluster("datastore_endpoint", "{file: datastore}")
        .host("m2", "role", "controller");
    let run = |command: &str, more: &str| {
        let towline = place.towline(command, &inventory);
        let answer = towline.args(&format!("--output json -vvv {more}")).run();
        for said in [&answer.stdout, &answer.stderr] {
            let is_said = secret.split('/').any(|word| said.contains(word));
            assert!(!is_said, "a password in what {command} says");
        }
        answer
    };

    let deployed = run("deploy", "").ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed, m3 changed");
    deployed.says(&[
        &format!("PostgreSQL at {gateway}:5432: its servers have no quorum among them"),
        "every user of a controller can read the password in it",
    ]);
    assert_eq!(nodes(m2), "m1 True m3 True");
    for machine in [m1, m2] {
        machine.succeed(
            "! test -e /var/lib/k0s/etcd/member && [ $(stat -c %a /etc/k0s/k0s.yaml) = 600 ]",
        );
    }
    run("deploy", "").changed_nothing();

    // One controller without power: the API goes on, and the other is changed.
    m1.cut().unwrap();
    let api = place.api();
    let own = m2.address().to_string();
    wait_for("the API of the other", || api.ask(&own, "/readyz").ok());
    m1.boot().unwrap();
    m1.succeed("until k0s status >/dev/null 2>&1; do sleep 0.2; done");
    run("deploy", "").changed_nothing();

    let left = run("reset", "--limit m1 --yes").ends(0);
    assert_eq!(left.row("m1").outcome, "changed");
    m1.succeed(GONE);
    assert_eq!(nodes(m2), "m3 True");
    m2.succeed("[ \"$(k0s kubectl get controlnodes.autopilot.k0sproject.io -o name)\" = controlnode.autopilot.k0sproject.io/m2 ]");
    // It joins again with a token, for it has no CA.
    let joined = run("deploy", "").ends(0);
    assert_eq!(joined.outcomes(), "m1 changed, m2 changed, m3 unchanged");
    assert_eq!(nodes(m2), "m1 True m3 True");

    let reset = run("reset", "--yes").ends(0);
    reset.says(&[&format!("PostgreSQL at {gateway}:5432 (spec.storage)")]);
    m2.succeed(GONE);
}
