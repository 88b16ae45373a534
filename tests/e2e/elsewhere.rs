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
        "the cluster does not accept this agent's token",
        "not authorized",
        "/var/lib/rancher/k3s/server/agent-token",
    ]);

    // Servers and agents have a token each; what the remedy names lets the agent in.
    let shown = place
        .machine("m1")
        .succeed("cat /var/lib/rancher/k3s/server/agent-token");
    let of_servers = place
        .machine("m1")
        .succeed("cat /var/lib/rancher/k3s/server/node-token");
    let refused = agents
        .clone()
        .cluster("token", &format!("\"{}\"", of_servers.trim()));
    place
        .deploy(&refused)
        .ends(1)
        .says(&["the cluster does not accept this agent's token"]);
    let right = agents.cluster("agent_token", &format!("\"{}\"", shown.trim()));
    let joined = place.deploy(&right).ends(0);
    assert_eq!(joined.outcomes(), "m2 changed");
    place.deploy(&right).changed_nothing();
    place
        .machine("m1")
        .succeed("k3s kubectl get node m2 --no-headers | grep -w Ready");
    place.kept_its_secrets();

    // Both are printed for those who ask for them.
    let line = |flags: &str| {
        let command = place.command().args(&format!(
            "node-token --ip {}{flags} --ssh-key {} --known-hosts {}",
            place.machine("m1").address(),
            place.lab.ssh_key().display(),
            place.lab.known_hosts().display(),
        ));
        command.run().ends(0).stdout
    };
    assert_eq!(line(""), shown);
    assert_eq!(line(" --server"), of_servers);
}
