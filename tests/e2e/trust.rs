//! The keys of all hosts at once: shown, recorded, and vouched for by an authority.

use std::fs;
use std::process::Command;

use towline_lab::Machine;

use crate::inventory::Inventory;
use crate::place::Place;
use crate::towline::Answer;

/// What is told of each host's key: `m1 known, m2 unknown`.
fn states(answer: &Answer) -> String {
    let events = answer.events();
    let told = events.iter().find(|event| event["event"] == "host_keys");
    let keys = told.expect("the keys are told")["keys"].as_array().unwrap();
    let words = keys.iter().map(|key| {
        let word = |field: &str| key[field].as_str().unwrap().to_owned();
        format!("{} {}", word("host"), word("state"))
    });
    words.collect::<Vec<_>>().join(", ")
}

fn ssh_keygen(arguments: &[&str]) {
    let made = Command::new("ssh-keygen")
        .arg("-q")
        .args(arguments)
        .status();
    assert!(made.unwrap().success(), "{arguments:?}");
}

/// Two hosts, the second behind the first, whose keys are in no file yet: neither is logged in to before
/// its key is known, and their sshd is as before in the end.
pub fn keys_are_shown_and_recorded(place: &Place, inventory: &Inventory) {
    let (m1, m2) = (place.machine("m1"), place.machine("m2"));
    let (known, prints) = (place.file("trusted"), place.file("prints"));
    let inventory = inventory
        .clone()
        .ssh("known_hosts", known.to_str().unwrap())
        .host("m2", "ssh", "{bastion: m1}");
    let trust = |arguments: &str| {
        let trust = place.towline("trust", &inventory);
        trust.args("--output json").args(arguments).run()
    };
    let listed = |machine: &Machine| {
        machine
            .succeed("ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub")
            .trim()
            .to_owned()
    };

    let shown = trust("").ends(1);
    assert_eq!(states(&shown), "m1 unknown, m2 unreached");
    shown.says(&[
        "these host keys are not known: m1",
        "m2 shows its key when its bastion is trusted",
    ]);
    assert!(!known.exists(), "nothing is recorded unasked");

    // A key that is right for the other host only.
    fs::write(&prints, format!("m2 {}\n{}\n", listed(m1), listed(m2))).unwrap();
    let file = format!("--fingerprints {}", prints.display());
    assert_eq!(states(&trust(&file).ends(1)), "m1 unknown, m2 unreached");
    assert!(!known.exists());
    fs::write(&prints, format!("m1 {}\n", listed(m1))).unwrap();
    let shown = trust(&file).ends(1);
    assert_eq!(states(&shown), "m1 recorded, m2 unknown");
    shown.says(&["these host keys are not known: m2", "does not list them"]);

    let mut running = place.towline("trust", &inventory).on_a_terminal();
    running.shows("Trust m2? yes, no, its fingerprint: ");
    running.types("yes\r");
    running.wait().ends(0);
    assert_eq!(states(&trust("").ends(0)), "m1 known, m2 known");
    assert_eq!(fs::read_to_string(&known).unwrap().lines().count(), 2);

    // An authority vouches for the host, and a certificate for another host does not.
    let path = |name: &str| place.file(name).display().to_string();
    ssh_keygen(&["-t", "ed25519", "-N", "", "-f", &path("authority")]);
    let key = m2.succeed("cat /etc/ssh/ssh_host_ed25519_key.pub");
    fs::write(place.file("m2.pub"), key).unwrap();
    let authority = fs::read_to_string(place.file("authority.pub")).unwrap();
    let first = fs::read_to_string(&known).unwrap();
    let first = first.lines().next().unwrap();
    fs::write(&known, format!("{first}\n@cert-authority * {authority}")).unwrap();
    let address = m2.address().to_string();
    for (name, expected) in [
        ("m9", "m1 known, m2 unknown"),
        (&*address, "m1 known, m2 known"),
    ] {
        let signed = ["-s", &*path("authority"), "-h", "-I", "m2", "-n", name];
        ssh_keygen(&[&signed[..], &["-V", "+1h", &path("m2.pub")]].concat());
        let certificate = fs::read_to_string(place.file("m2-cert.pub")).unwrap();
        m2.succeed(&format!(
            "echo '{}' > /etc/ssh/certificate.pub; grep -q ^HostCertificate /etc/ssh/sshd_config || \
             sed -i '1i HostCertificate /etc/ssh/certificate.pub' /etc/ssh/sshd_config; systemctl reload ssh",
            certificate.trim()
        ));
        let answer = trust("");
        assert_eq!(states(&answer), expected);
        let planned = place.json("plan", &inventory);
        let is_reached = planned.row("m2").outcome != "unreachable";
        assert_eq!(is_reached, name != "m9", "as its key is judged");
        if name == "m9" {
            answer.says(&["m2: its certificate does not vouch for it: it is for m9"]);
        }
    }
    m2.succeed("sed -i 1d /etc/ssh/sshd_config; rm /etc/ssh/certificate.pub; systemctl reload ssh");
    assert_eq!(states(&trust("").ends(1)), "m1 known, m2 unknown");
}
