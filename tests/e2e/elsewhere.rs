//! A cluster whose servers are not in the inventory.

use crate::place::Place;

#[test]
fn agents_join_a_cluster_elsewhere_and_a_wrong_token_ends_with_its_cause() {
    let place = Place::up(1, 1);
    let all = place.inventory();
    place.deploy(&all.clone().only(&["m1"])).ends(0);

    let url = format!("https://{}:6443", place.machine("m1").address());
    let agents = all.only(&["m2"]).cluster("server_url", &url);
    // The unit would wait for ever; the deploy ends with what k3s says and what that means.
    let wrong = place
        .deploy(&agents.clone().cluster("token", "not-the-token"))
        .ends(1);
    assert_eq!(wrong.outcomes(), "m2 failed");
    wrong.says(&[
        "the cluster does not accept this host's token",
        "not authorized",
        "/var/lib/rancher/k3s/server/token",
    ]);

    let token = place
        .machine("m1")
        .succeed("cat /var/lib/rancher/k3s/server/node-token");
    let right = agents.cluster("token", &format!("\"{}\"", token.trim()));
    let joined = place.deploy(&right).ends(0);
    assert_eq!(joined.outcomes(), "m2 changed");
    place.deploy(&right).changed_nothing();
    place
        .machine("m1")
        .succeed("k3s kubectl get node m2 --no-headers | grep -w Ready");
    place.kept_its_secrets();
}
