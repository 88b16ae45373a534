//! Ctrl-C, once and twice, at the worst moments.

use serde_json::Value;
use towline_lab::Machine;

use crate::place::{Place, wait_for};
use crate::towline::Running;

/// A systemctl that starts a k3s only when the test says so: the action lasts as long as wanted.
fn hold_starts(machine: &Machine) {
    machine.succeed(
        "cat >/usr/local/sbin/systemctl <<'END'
#!/bin/sh
case \"$*\" in
start*k3s*) touch /run/asked-to-start; until [ -e /run/go-on ]; do sleep 0.1; done ;;
esac
exec /usr/bin/systemctl \"$@\"
END
         chmod 755 /usr/local/sbin/systemctl",
    );
}

/// Waits until the start of k3s on a machine has begun, which cannot end by itself.
fn starts(running: &mut Running, machine: &Machine) {
    running.tells("the start", |event| {
        event["event"] == "begun" && event["host"] == machine.name() && event["step"] == "service"
    });
    wait_for("the action", || {
        let asked = machine.ssh("test -e /run/asked-to-start").unwrap();
        (asked.status == 0).then_some(())
    });
}

/// Whether an event says that Ctrl-C was heard.
fn heard(event: &Value) -> bool {
    let text = event["text"].as_str().unwrap_or_default();
    event["event"] == "note" && text.contains("Ctrl-C again to disconnect now")
}

#[test]
fn one_ctrl_c_lets_actions_end_a_second_drops_them_and_the_next_run_goes_on() {
    let place = Place::up(3, 1);
    let [m1, m2, m3, m4] = ["m1", "m2", "m3", "m4"].map(|name| place.machine(name));
    for machine in place.lab.machines() {
        hold_starts(machine);
    }
    let inventory = place.inventory();
    let begin = || {
        place
            .towline("deploy", &inventory)
            .args("--output json")
            .start()
    };

    // Once, while the leader of the new cluster is being started.
    let mut running = begin();
    starts(&mut running, m1);
    running.interrupt();
    running.tells("a word that Ctrl-C was heard", heard);
    assert!(running.is_running(), "it did not let the action end");
    m1.succeed("! test -e /var/lib/rancher/k3s/server && touch /run/go-on");
    let ended = running.wait().ends(1);
    assert_eq!(
        ended.outcomes(),
        "m1 cancelled, m2 cancelled, m3 cancelled, m4 cancelled"
    );
    ended.says(&["interrupted"]);
    assert!(!ended.words().contains("failed"), "nothing failed");
    for machine in [m2, m3, m4] {
        machine.succeed("! test -e /etc/rancher/k3s/config.yaml && ! test -e /run/asked-to-start");
    }
    // The action has ended as it would have without the interrupt.
    wait_for("the leader", || {
        let state = m1.succeed("systemctl is-active k3s || :");
        assert!(["active\n", "activating\n"].contains(&&*state), "{state}");
        (state == "active\n").then_some(())
    });
    let token = m1.succeed("cat /var/lib/rancher/k3s/server/token");

    // Twice, while the others join and their actions last.
    let mut running = begin();
    starts(&mut running, m2);
    starts(&mut running, m3);
    running.interrupt();
    running.tells("a word that Ctrl-C was heard", heard);
    assert!(running.is_running(), "it did not let the actions end");
    running.interrupt();
    let ended = running.wait().ends(1);
    assert_eq!(
        ended.outcomes(),
        "m1 unchanged, m2 cancelled, m3 cancelled, m4 cancelled"
    );
    ended.says(&["the connections were dropped"]);
    m4.succeed("! test -e /etc/rancher/k3s/config.yaml");

    for machine in [m2, m3, m4] {
        machine.succeed("touch /run/go-on");
    }
    place.deploy(&inventory).ends(0);
    for server in [m1, m2, m3] {
        let address = server.address().to_string();
        place
            .api()
            .expect_summary(&address, "m1 voter, m2 voter, m3 voter, m4 agent");
        let own = server.succeed("cat /var/lib/rancher/k3s/server/token");
        assert_eq!(own, token, "{}", server.name());
    }
    place.deploy(&inventory).changed_nothing();

    // While it only asks, there is nothing to let end; a machine that is silent keeps nobody.
    m3.freeze().unwrap();
    let patient = inventory.ssh("connect_timeout_seconds", "600");
    for command in ["plan", "deploy", "kubeconfig"] {
        let mut running = place
            .towline(command, &patient)
            .args("--output json")
            .start();
        running.tells("the others", |event| {
            event["event"] == "reached" && event["host"] == "m4"
        });
        running.interrupt();
        let ended = running.wait().ends(1);
        ended.says(&["interrupted", "nothing was changed"]);
    }
    m3.thaw().unwrap();
    place.kept_its_secrets();
}
