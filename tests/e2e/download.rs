//! Hosts that fetch the binary themselves, and those that cannot.

use std::fs;

use towline_lab::{Fault, Mirror};

use crate::inventory::Inventory;
use crate::place::Place;
use crate::supply::walk;

#[test]
fn hosts_fetch_the_binary_themselves_and_those_that_cannot_get_it_from_here() {
    let place = Place::up(1, 2);
    let [m1, m2, m3] = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let k3s = place.lab.release();
    let mirror = Mirror::release_on(place.lab.gateway().into(), k3s).unwrap();
    let asset = k3s.asset_path();
    let inventory = place
        .inventory()
        .cluster("version", &k3s.version)
        .cluster("binary", &format!("{{mirror: \"{}\"}}", mirror.url()));
    m1.install("curl").unwrap();
    m3.install("wget").unwrap();
    m2.succeed(
        "for tool in curl wget; do if found=$(command -v $tool); then rm $found; fi; done; ! command -v curl wget",
    );
    m3.succeed("if found=$(command -v curl); then rm $found; fi");
    let port = mirror.url().rsplit(':').next().unwrap();
    m3.succeed(&format!(
        "nft add table inet test && nft add chain inet test out '{{ type filter hook output priority 0; }}' &&
         nft add rule inet test out tcp dport {port} drop"
    ));

    // The plan says which way for whom, and needs the hashes only.
    let planned = place.json("plan", &inventory).ends(0).planned();
    let what = format!("k3s {} to /usr/local/bin/k3s", k3s.version);
    let ways = [
        (
            "m1",
            format!("download {what} (by the host itself, with curl)"),
        ),
        (
            "m2",
            format!("upload {what} (no curl or wget on the host: uploaded from here)"),
        ),
        (
            "m3",
            format!(
                "upload {what} (the host does not get it from {}: uploaded from here)",
                mirror.url()
            ),
        ),
    ];
    for (host, way) in &ways {
        let said = &planned[&((*host).to_owned(), "k3s".to_owned())];
        assert_eq!(said, std::slice::from_ref(way));
    }
    let cached = walk(&place.file(".cache/towline"));
    assert_eq!(cached.len(), 2, "{cached:?}");
    assert!(
        ["/announced", "/source"]
            .iter()
            .all(|name| cached.iter().any(|file| file.ends_with(name))),
        "{cached:?}"
    );

    // A wrong file gets nowhere, whichever host fetches it.
    mirror.break_path(&asset, Fault::Corrupt);
    let words = [
        "is not the file that the release announces",
        "expected sha256 ",
        "received sha256 ",
    ];
    let refused = place.deploy(&inventory).ends(2);
    refused.says(&words);
    refused.says(&["nothing was changed"]);
    let failed = place
        .towline("deploy", &inventory)
        .args("--output json --limit m1")
        .run()
        .ends(1);
    assert!(failed.outcomes().contains("m1 failed"));
    failed.says(&words);
    failed.says(&["so nothing was replaced"]);
    for machine in [m1, m2, m3] {
        machine.succeed("! ls -A /usr/local/bin | grep -q k3s");
    }
    mirror.heal(&asset);

    let deployed = place.deploy(&inventory).ends(0);
    assert_eq!(deployed.outcomes(), "m1 changed, m2 changed, m3 changed");
    for (host, way) in &ways {
        let said = &deployed.changes()[&((*host).to_owned(), "k3s".to_owned())];
        assert_eq!(said, std::slice::from_ref(way));
    }

    // What is as it should be sends no request.
    let asked = mirror.requests(&asset);
    place.deploy(&inventory).changed_nothing();
    assert_eq!(mirror.requests(&asset), asked);
    m3.succeed("nft delete table inet test; rm /usr/local/bin/k3s");
    let deployed = place.deploy(&inventory).ends(0);
    let said = &deployed.changes()[&("m3".to_owned(), "k3s".to_owned())];
    assert!(
        said[0].contains("by the host itself, with wget"),
        "{said:?}"
    );
    drop(mirror);
    place.deploy(&inventory).changed_nothing();

    // A host that lost it gets it from the cache, with no server there to ask.
    m1.succeed("rm /usr/local/bin/k3s");
    let deployed = place.deploy(&inventory).ends(0);
    let said = &deployed.changes()[&("m1".to_owned(), "k3s".to_owned())];
    assert!(said[0].contains("uploaded from here"), "{said:?}");

    a_manifest_is_fetched_once(&place, &inventory);

    let listed = place.command().args("cache list").run().ends(0).stdout;
    assert!(
        listed.contains(&k3s.version) && listed.contains(" MB") && listed.contains("\nmanifest "),
        "{listed}"
    );
    let cleaned = place.command().args("cache clean").run().ends(0).stdout;
    assert!(cleaned.starts_with("removed k3s "), "{cleaned}");
    let nothing = place.command().args("cache list").run().ends(0).stdout;
    assert!(nothing.starts_with("nothing is kept in "), "{nothing}");
    assert_eq!(walk(&place.file(".cache/towline")), Vec::<String>::new());
    place.kept_its_secrets();
}

/// A manifest behind a URL is taken by its hash alone: fetched once, and by a wrong one never.
fn a_manifest_is_fetched_once(place: &Place, inventory: &Inventory) {
    let m1 = place.machine("m1");
    let text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: pools, namespace: default}}";
    let folder = place.file("served");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("pools.yaml"), text).unwrap();
    let server = Mirror::serve(&folder).unwrap();
    let hash = m1.succeed(&format!(
        "printf '%s' '{text}' | sha256sum | cut -d ' ' -f 1"
    ));
    let hash = hash.trim();
    let with = |sha256: &str| {
        let item = format!(
            "[{{url: \"{}/pools.yaml\", sha256: \"{sha256}\"}}]",
            server.url()
        );
        inventory.clone().cluster("manifests", &item)
    };
    let wrong = "0".repeat(64);
    for command in ["plan", "deploy"] {
        place.json(command, &with(&wrong)).ends(2).says(&[
            "is not the file that the inventory names",
            &format!("expected sha256 {wrong}"),
            &format!("received sha256 {hash}"),
        ]);
    }
    let asked = server.requests("/pools.yaml");
    let fetched = with(hash);
    place.json("plan", &fetched).ends(0);
    place.deploy(&fetched).ends(0);
    m1.succeed("k3s kubectl get configmap pools");
    place.deploy(&fetched).changed_nothing();
    assert_eq!(server.requests("/pools.yaml"), asked + 1);
    drop(server);
    place.deploy(&fetched).changed_nothing();
}
