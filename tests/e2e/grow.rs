//! A cluster that grows and changes: only what has to change does, and the API stays.

use towline_lab::Machine;

use crate::asking::never_without_an_answer;
use crate::inventory::Inventory;
use crate::kill::{holds_the_restart, stands_still};
use crate::place::{Place, wait_for};

/// All that a deploy may change, as one number; also what only its owner may read.
pub fn fingerprint(machine: &Machine) -> String {
    machine.succeed(
        "{ find /etc /usr/local/bin -printf '%p %m %u %g %l %T@\\n' | LC_ALL=C sort; \
         find /etc /usr/local/bin -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; \
         systemctl show -p InvocationID -p UnitFileState k3s k3s-agent; } | sha256sum",
    )
}

#[test]
fn a_single_server_gets_an_agent_and_after_a_move_to_etcd_a_second_server() {
    let place = Place::up(2, 1);
    let [m1, m2, m3] = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let all = place.inventory();
    let one = all.clone().only(&["m1"]);
    let deployed = place.deploy(&one).ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed");
    m1.succeed("cd /var/lib/rancher/k3s/server/db && test -f state.db && ! test -e etcd");
    place.deploy(&one).changed_nothing();

    let two = all.clone().only(&["m1", "m3"]);
    let deployed = place.deploy(&two).ends(0);
    assert_eq!(deployed.outcomes(), "m1 unchanged, m3 changed");
    let address = m1.address().to_string();
    // A server without etcd has no vote.
    place.api().expect_summary(&address, "m1 agent, m3 agent");

    // An agent that is seen in the moment of its registration is no wiped machine.
    let password = "/etc/rancher/node/password";
    m3.succeed(&format!("mv {password} {password}.away"));
    place.deploy(&two).changed_nothing();
    m3.succeed(&format!("mv {password}.away {password}"));

    // sqlite cannot have a second server: nothing may be touched, and the remedy is named.
    let before: Vec<String> = place.lab.machines().iter().map(fingerprint).collect();
    for command in ["plan", "deploy"] {
        let refused = place.json(command, &all).ends(2);
        refused.says(&[
            "m1 keeps its cluster in sqlite",
            "m2",
            "datastore: etcd",
            "nothing was changed",
        ]);
    }
    let after: Vec<String> = place.lab.machines().iter().map(fingerprint).collect();
    assert_eq!(before, after, "a refused deploy touches nothing");
    m2.succeed("! test -e /usr/local/bin/k3s");

    let etcd = all.cluster("datastore", "etcd");
    // Without room for a copy of the data, nothing is stopped.
    let large = "/var/lib/rancher/k3s/server/db/state.db-large";
    m1.succeed(&format!("truncate -s 4T {large}"));
    let started = restart(m1);
    let refused = place.deploy(&etcd).ends(1);
    refused.says(&["m1", "a copy of the data and etcd need", "KiB free"]);
    assert_eq!(refused.outcomes(), "m1 failed, m2 cancelled, m3 unchanged");
    assert_eq!(restart(m1), started);
    m1.succeed(&format!("rm {large}"));
    let deployed = place.deploy(&etcd).ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed, m3 unchanged");
    m1.succeed("cd /var/lib/rancher/k3s/server/db/before-etcd && test -f state.db && test $(stat -c %a .) = 700");
    place
        .api()
        .expect_summary(&m2.address().to_string(), "m1 voter, m2 voter, m3 agent");
    place.deploy(&etcd).changed_nothing();
    place.kept_its_secrets();
}

/// When systemd took the unit down and had it READY again, on the clock that all machines share.
fn restart(machine: &Machine) -> (u64, u64) {
    let number = |property: &str| {
        let shown = machine.succeed(&format!("systemctl show -p {property} --value k3s"));
        shown.trim().parse::<u64>().unwrap()
    };
    (
        number("ActiveExitTimestampMonotonic"),
        number("ActiveEnterTimestampMonotonic"),
    )
}

/// Two runs that want to restart a server each at the same time: the second waits until the first has
/// had its turn.
fn two_runs_restart_two_servers(place: &Place, inventory: &Inventory) {
    let run = |limit: &str| {
        place
            .towline("deploy", inventory)
            .args(&format!("--limit {limit} --output json"))
            .start()
    };
    let held = holds_the_restart(place.machine("m1"), "k8s.example.org");
    let mut first = run("m1");
    stands_still(&mut first);
    let mut second = run("m2");
    wait_for("the second run to be held back", || {
        assert!(second.is_running(), "it was not held back");
        let said = second.said();
        said.contains("another run of towline is about to stop m1")
            .then_some(())
    });
    drop(held);
    first.wait().ends(0);
    second.wait().ends(0);
}

#[test]
fn what_is_added_joins_and_what_is_there_stays_up() {
    let place = Place::up(3, 1);
    let all = place.inventory();
    let two = all.clone().only(&["m1", "m2"]);
    place.deploy(&two).ends(0);
    let deployed = place.deploy(&all).ends(0);
    assert_eq!(
        deployed.outcomes(),
        "m1 unchanged, m2 unchanged, m3 changed, m4 changed"
    );
    for host in ["m1", "m2"] {
        deployed.asked_little_of(host);
    }
    let servers = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let addresses = servers.map(|machine| machine.address().to_string());
    for address in &addresses {
        place
            .api()
            .expect_summary(address, "m1 voter, m2 voter, m3 voter, m4 agent");
    }
    place.deploy(&all).changed_nothing();

    // A name and an address that the certificate does not have yet; the address is on a server.
    let [_, _, third] = &addresses;
    let virtual_address = format!("{}.200", third.rsplit_once('.').unwrap().0);
    place
        .machine("m2")
        .succeed(&format!("ip address add {virtual_address}/32 dev host0"));
    let named = all.cluster("tls_sans", &format!("[k8s.example.org, {virtual_address}]"));
    let api = place.api();
    assert!(
        api.ask_as("k8s.example.org", third, "/readyz").is_err(),
        "the name is new"
    );
    let agent = place
        .machine("m4")
        .succeed("systemctl show -p InvocationID k3s-agent");
    let before = servers.map(restart);

    let deployed = never_without_an_answer(&api, &addresses, || {
        two_runs_restart_two_servers(&place, &named);
        place.deploy(&named)
    });
    assert_eq!(
        deployed.ends(0).outcomes(),
        "m1 unchanged, m2 unchanged, m3 changed, m4 unchanged"
    );
    assert_eq!(
        place
            .machine("m4")
            .succeed("systemctl show -p InvocationID k3s-agent"),
        agent
    );
    let mut restarts = servers.map(restart);
    for (before, after) in before.iter().zip(&restarts) {
        assert!(
            after.0 > before.1,
            "it was restarted: {before:?}, {after:?}"
        );
        assert!(after.1 > after.0, "it is READY: {after:?}");
    }
    restarts.sort_unstable();
    for pair in restarts.windows(2) {
        assert!(
            pair[1].0 > pair[0].1,
            "two servers were down at once: {restarts:?}"
        );
    }

    for address in &addresses {
        wait_for("the new name in the certificate", || {
            api.ask_as("k8s.example.org", address, "/readyz").ok()
        });
    }
    let endpoint = named.clone().cluster("endpoint", &virtual_address);
    place.towline("kubeconfig", &endpoint).run().ends(0);
    assert_eq!(
        place.api().server,
        format!("https://{virtual_address}:6443")
    );
    wait_for("an answer at the new address", || {
        place.api().nodes(&virtual_address).ok()
    });
    // An address stays while it answers.
    place.deploy(&named).changed_nothing();
    assert_eq!(
        place.api().server,
        format!("https://{virtual_address}:6443")
    );
    place
        .machine("m2")
        .succeed(&format!("ip address del {virtual_address}/32 dev host0"));
    let changed = place.towline("kubeconfig", &named).run().ends(0);
    assert_eq!(place.api().server, format!("https://{}:6443", addresses[0]));
    changed.says(&[&format!("its server was https://{virtual_address}:6443")]);
    place.kept_its_secrets();
}
