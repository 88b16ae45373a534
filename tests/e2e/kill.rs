//! towline and its hosts, ended in the middle: what is left is taken up, never begun anew.

use std::process::{Child, Stdio};
use std::thread;

use towline_lab::{Machine, Options};

use crate::place::{Place, wait_for};
use crate::towline::Running;

/// A script on a machine that says something and then keeps what it holds, until it is dropped.
pub struct Watch(Child);

impl Watch {
    /// Starts it. Loops in it run on the machine itself, so that no moment is too short for them.
    pub fn on(machine: &Machine, script: &str) -> Self {
        let mut ssh = machine.ssh_command();
        // With a terminal the script ends with its connection.
        ssh.args(["-tt", "-o", "BatchMode=yes"])
            .arg(machine.target("root"))
            .arg(script);
        Self(
            ssh.stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }

    /// Waits until it has said `seen`; a run that ends before fails the test.
    #[track_caller]
    pub fn sees(&mut self, running: &mut Running) {
        use std::io::Read;
        let mut pipe = self.0.stdout.take().unwrap();
        let reader = thread::spawn(move || {
            let mut said = Vec::new();
            let mut byte = [0];
            while let Ok(1) = pipe.read(&mut byte) {
                said.push(byte[0]);
                if said.ends_with(b"seen") {
                    return true;
                }
            }
            false
        });
        wait_for("the moment", || {
            assert!(
                reader.is_finished() || running.is_running(),
                "it ended before the moment came"
            );
            reader.is_finished().then_some(())
        });
        assert!(
            reader.join().unwrap(),
            "the script ended before the moment came"
        );
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Takes a machine's lock as soon as its k3s is configured with this, so that no run that configured it
/// gets to the restart until this is dropped.
pub fn holds_the_restart(machine: &Machine, setting: &str) -> Watch {
    Watch::on(
        machine,
        &format!(
            "until grep -qF {setting} /etc/rancher/k3s/config.yaml; do :; done; \
             exec 9>/run/towline.lock; flock 9; echo seen; sleep 600"
        ),
    )
}

/// Waits until the run wants to act on a machine whose lock another program holds: from then on it
/// stands still until the lock is free.
#[track_caller]
pub fn stands_still(running: &mut Running) {
    wait_for("the next step to wait for the lock", || {
        assert!(running.is_running(), "it did not wait");
        running
            .said()
            .contains("another run of towline")
            .then_some(())
    });
}

/// A cat that takes only the beginning of k3s, until the test lets it go on: an upload is under way
/// for as long as wanted.
fn hold_uploads(machine: &Machine) {
    machine.succeed(
        "cat >/usr/local/sbin/cat <<'END'
#!/bin/sh
case \"$(readlink /proc/$$/fd/1)\" in
*/.k3s.towline.*) head -c 1000000; until [ -e /run/go-on ]; do sleep 0.1; done ;;
esac
exec /usr/bin/cat \"$@\"
END
         chmod 755 /usr/local/sbin/cat",
    );
}

/// Everything that changes when a unit's process is started again.
pub fn lives(machine: &Machine) -> String {
    machine.succeed(
        "systemctl show -p InvocationID -p NRestarts -p ExecMainStartTimestampMonotonic k3s",
    )
}

/// Waits until the machine is a learner: it has data of etcd, and is not READY.
fn becomes_a_learner(machine: &Machine) {
    wait_for("the learner", || {
        let seen = machine.ssh(
            "test -d /var/lib/rancher/k3s/server/db/etcd/member && systemctl show -p SubState --value k3s",
        );
        let seen = seen.unwrap();
        assert_ne!(seen.stdout, "running\n", "it votes already");
        (seen.stdout == "start\n").then_some(())
    });
}

/// Two servers and an agent, where a learner stays one for as long as the test says.
struct Held(Place);

impl Held {
    fn up() -> Self {
        Self(Place::with(&Options {
            servers: 2,
            agents: 1,
            promote_seconds: Some(600),
            ..Options::default()
        }))
    }

    /// Learners are promoted from now on, on a tick of that many seconds or of k3s's own 15.
    fn promote(&self, seconds: Option<u8>) {
        let file = "/etc/k3s-standin/promote-seconds";
        let script = seconds.map_or_else(
            || format!("rm {file}"),
            |seconds| format!("echo {seconds} >{file}"),
        );
        self.0.machine("m1").succeed(&script);
    }
}

#[test]
fn killed_three_times_and_run_again_it_is_one_cluster() {
    let held = Held::up();
    let place = &held.0;
    let (m1, m2) = (place.machine("m1"), place.machine("m2"));
    let inventory = place.inventory();
    let begin = || {
        place
            .towline("deploy", &inventory)
            .args("--output json")
            .start()
    };

    // While the binary is on its way.
    hold_uploads(m2);
    let mut running = begin();
    wait_for("the beginning of the binary", || {
        assert!(running.is_running(), "it ended before the moment came");
        let size = m2.ssh("stat -c %s /usr/local/bin/.k3s.towline.*").unwrap();
        (size.stdout == "1000000\n").then_some(())
    });
    assert_eq!(running.kill().code, None, "it was killed");
    m2.succeed("touch /run/go-on; ! test -e /usr/local/bin/k3s");
    // Something that not even the host's own end of the upload could clear away.
    m2.succeed("head -c 1000 /dev/zero >/usr/local/bin/.k3s.towline.abcdef");

    // When the first server is configured and not started. Nothing acts on a host while its lock
    // is held, so the moment lasts until the run is dead.
    let mut running = begin();
    let mut watch = Watch::on(
        m1,
        "until [ -e /etc/rancher/k3s/config.yaml ]; do :; done; exec 9>/run/towline.lock; flock 9; echo seen; sleep 600",
    );
    watch.sees(&mut running);
    stands_still(&mut running);
    assert_eq!(running.kill().code, None, "it was killed");
    drop(watch);
    let token = m1.succeed("grep token: /etc/rancher/k3s/config.yaml");
    m1.succeed("! systemctl is-active k3s && ! test -e /var/lib/rancher/k3s/server");
    assert_eq!(
        m2.succeed("ls -A /usr/local/bin | grep '^[.]' || :"),
        "",
        "the leftover was swept"
    );

    // When the second server has become a learner.
    let running = begin();
    becomes_a_learner(m2);
    assert_eq!(running.kill().code, None, "it was killed");
    let life = lives(m2);
    held.promote(None);

    place.deploy(&inventory).ends(0);
    assert_eq!(lives(m2), life, "the learner was started a second time");
    assert_eq!(
        m1.succeed("grep token: /etc/rancher/k3s/config.yaml"),
        token,
        "another token"
    );
    let address = m2.address().to_string();
    place
        .api()
        .expect_summary(&address, "m1 voter, m2 voter, m3 agent");
    let tokens = [m1, m2].map(|machine| machine.succeed("cat /var/lib/rancher/k3s/server/token"));
    assert_eq!(tokens[0], tokens[1]);
    place.deploy(&inventory).changed_nothing();
    place.kept_its_secrets();
}

#[test]
fn a_host_that_loses_power_while_it_joins_leaves_its_lane_and_the_others_finish() {
    let held = Held::up();
    let place = &held.0;
    let m2 = place.machine("m2");
    let inventory = place.inventory();
    let running = place
        .towline("deploy", &inventory)
        .args("--output json")
        .start();
    becomes_a_learner(m2);
    // Learners stay learners meanwhile: etcd also promotes one that is gone, if it had all data a
    // moment ago, and has no quorum then.
    m2.cut().unwrap();
    let deployed = running.wait().ends(1);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 failed, m3 changed");
    let problem = deployed.row("m2").problem;
    assert!(problem.contains("m2: the connection was lost"), "{problem}");
    assert!(problem.contains("run the same command again"), "{problem}");
    m2.boot().unwrap();
    held.promote(Some(2));
    place.deploy(&inventory).ends(0);
    let address = m2.address().to_string();
    place
        .api()
        .expect_summary(&address, "m1 voter, m2 voter, m3 agent");
    place.deploy(&inventory).changed_nothing();
    place.kept_its_secrets();
}
