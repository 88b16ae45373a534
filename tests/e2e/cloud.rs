//! A machine that cloud-init is still setting up when it is deployed to.

use towline_lab::Machine;

use crate::place::Place;

/// Installs the real cloud-init, with orders that end when the test says so. What the lab has set
/// up itself (network, keys, name) is left alone.
fn cloud(machine: &Machine) {
    machine.install("cloud-init").unwrap();
    machine.succeed(
        "set -e
         cat >/etc/cloud/cloud.cfg.d/99_test.cfg <<'END'
datasource_list: [NoCloud]
network: {config: disabled}
END
         mkdir -p /var/lib/cloud/seed/nocloud && cd /var/lib/cloud/seed/nocloud
         echo 'instance-id: a-new-machine' >meta-data
         cat >user-data <<'END'
#cloud-config
users: []
disable_root: false
ssh_deletekeys: false
ssh_genkeytypes: []
preserve_hostname: true
manage_etc_hosts: false
growpart: {mode: 'off'}
resize_rootfs: false
apt: {preserve_sources_list: true}
runcmd:
  - 'until [ -e /run/go-on ]; do sleep 0.2; done; touch /root/set-up'
END",
    );
}

#[test]
fn a_machine_that_cloud_init_sets_up_is_waited_for_and_then_deployed() {
    let place = Place::up(1, 0);
    let m1 = place.machine("m1");
    cloud(m1);
    m1.cut().unwrap();
    m1.boot().unwrap();
    m1.succeed("test -e /run/cloud-init/enabled && ! test -e /run/cloud-init/result.json");

    let inventory = place.inventory();
    let look = "ls -A /usr/local/bin /etc/modules-load.d /etc/sysctl.d /etc/systemd/system";
    let before = m1.succeed(look);
    let mut running = place
        .towline("deploy", &inventory)
        .args("--output json")
        .start();
    running.tells("the wait for cloud-init", |event| {
        event["event"] == "waiting"
            && event["host"] == "m1"
            && event["until"] == "cloud-init to finish"
    });
    m1.succeed("! ls -d /etc/rancher /var/lib/rancher/k3s 2>/dev/null | grep .");
    assert_eq!(m1.succeed(look), before, "something was changed");
    m1.succeed("! test -e /root/set-up && ! test -e /run/cloud-init/result.json");
    assert!(running.is_running(), "it did not wait");
    m1.succeed("touch /run/go-on");

    let deployed = running.wait().ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed");
    let events = deployed.events();
    let mut before = events
        .iter()
        .take_while(|event| event["until"] != "cloud-init to finish");
    assert!(
        before.all(|event| event["event"] != "begun" && event["event"] != "changed"),
        "something was changed before the wait"
    );
    // The first file that towline writes is younger than the last word of cloud-init.
    m1.succeed(
        "cd /run/cloud-init && test -e /root/set-up && test -e result.json && \
         [ result.json -ot /etc/modules-load.d/towline.conf ]",
    );
    place.deploy(&inventory).changed_nothing();
    place.kept_its_secrets();
}
