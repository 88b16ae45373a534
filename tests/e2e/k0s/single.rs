//! A cluster of one host that never grows; its binary from a mirror, its data in a folder of its own.

use towline_lab::{Fault, Mirror};

use super::{GONE, nodes};

#[test]
fn a_single_is_made_of_a_download_and_reset_by_k0s_itself() {
    let place = super::machines(1, 1);
    let m1 = place.machine("m1");
    let k0s = place.lab.release();
    let mirror = Mirror::release_on(place.lab.gateway().into(), k0s).unwrap();
    let asset = k0s.asset_path();
    m1.install("curl").unwrap();
    let single = place
        .inventory()
        .cluster("binary", &format!("{{mirror: \"{}\"}}", mirror.url()))
        .only(&["m1"])
        .host("m1", "role", "single")
        // What is mounted at the usual folder is not k0s's to remove.
        .host("m1", "config", "{data-dir: /opt/k0s}");

    // A file that is not the one in the release's list.
    mirror.break_path(&asset, Fault::Corrupt);
    let refused = place.deploy(&single).ends(1);
    refused.says(&[
        "is not the file that the release announces",
        "expected sha256 ",
        "received sha256 ",
    ]);
    m1.succeed("! ls -A /usr/local/bin | grep -q k0s");
    mirror.heal(&asset);

    let deployed = place.deploy(&single).ends(0);
    let how = &deployed.changes()[&("m1".to_owned(), "k0s".to_owned())];
    assert!(how[0].contains("by the host itself, with curl"), "{how:?}");
    assert_eq!(nodes(m1), "m1 True");
    m1.succeed("test -e /opt/k0s/db/state.db && [ -z \"$(ls -A /var/lib/k0s)\" ]");
    place.deploy(&single).changed_nothing();

    // Nothing joins it, and it never becomes anything else.
    let all = place.inventory();
    let refused = place
        .json("plan", &all.clone().host("m1", "role", "single"))
        .ends(2);
    refused.says(&["nothing can join m1, which is a `single`"]);
    let grown = all
        .host("m1", "role", "server")
        .host("m1", "config", "{data-dir: /opt/k0s}");
    let refused = place.json("plan", &grown).ends(2);
    refused.says(&["it was made with role single", "never moved to etcd"]);

    let reset = place
        .towline("reset", &single)
        .args("--yes --output json")
        .run()
        .ends(0);
    let by_itself = ("m1".to_owned(), "k0s reset".to_owned());
    assert!(
        reset.changes().contains_key(&by_itself),
        "{:?}",
        reset.changes()
    );
    m1.succeed(GONE);
    m1.succeed("! test -e /opt/k0s");
}
