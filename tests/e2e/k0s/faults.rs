//! What is refused, and what fails: each is told with its cause, and no other host is the worse for it.

use towline_lab::Machine;

use super::{TOKEN, lives, members, nodes, problem_of, with};
use crate::kill::Watch;

/// Drops what comes from one machine for a port of another one, until [`opens`].
fn closes(machine: &Machine, port: u16, from: &Machine) {
    machine.succeed(&format!(
        "nft 'add table ip shut; add chain ip shut input {{ type filter hook input priority 0 ; }}; \
         add rule ip shut input ip saddr {} tcp dport {port} drop'",
        from.address()
    ));
}

fn opens(machine: &Machine) {
    machine.succeed("nft delete table ip shut");
}

/// Takes every token back as soon as it is made, until it is dropped.
fn takes_tokens_back(machine: &Machine) -> Watch {
    Watch::on(
        machine,
        "while :; do k0s kubectl delete secrets --namespace kube-system --field-selector type=bootstrap.kubernetes.io/token; done",
    )
}

#[test]
fn what_fails_with_k0s_is_told_with_its_cause_and_harms_no_other_host() {
    let place = super::machines(3, 1);
    let [m1, m2, m3, m4] = ["m1", "m2", "m3", "m4"].map(|name| place.machine(name));
    let at = |machine: &Machine| machine.address().to_string();
    for machine in [m1, m2, m3] {
        // As before 1.36.1, where one that is not reached takes the quorum with it.
        machine.succeed("mkdir -p /etc/k0s-standin; echo 1 >/etc/k0s-standin/voting-join");
    }
    // A second address of m1 does for a balancer: what forwards no port drops what comes for it.
    let balancer = format!("{}9", at(m1));
    m1.succeed(&format!("ip address add {balancer}/32 dev host0"));
    let balanced = format!("api: {{externalAddress: {balancer}}}, ");
    let all = place.inventory().cluster("join", "serial");
    let all = with(&place, all, "", &balanced);
    let two = all.clone().only(&["m1", "m4"]);

    // A balancer that does not forward all ports, and a worker whose token the cluster does not know.
    closes(m1, 8132, m4);
    let problem = problem_of(&place.deploy(&two).ends(1), "m4");
    let port = format!("port 8132 of {balancer} does not answer");
    assert!(problem.contains(&port), "{problem}");
    assert!(
        problem.contains("let that balancer forward the ports 6443, 9443 and 8132"),
        "{problem}"
    );
    m4.succeed("! systemctl is-active k0sworker | grep -x active");
    opens(m1);
    let plan = place.towline("plan", &two).run().ends(0);
    assert!(!plan.stdout.contains(TOKEN), "{}", plan.stdout);
    let life = lives(m1);
    let watch = takes_tokens_back(m1);
    let failed = place.deploy(&two).ends(1);
    drop(watch);
    let problem = problem_of(&failed, "m4");
    assert!(problem.contains("to take this host's token"), "{problem}");
    assert!(problem.contains("(Unauthorized)"), "{problem}");
    assert!(problem.contains("it makes a new token"), "{problem}");
    m4.succeed("! systemctl is-active k0sworker | grep -x active");

    // m2 was let in and cut off before its first write. m3 is not reached by a member: it must not become one.
    closes(m3, 2380, m1);
    m1.succeed(&format!(
        "cd /var/lib/k0s/pki && echo '{{\"peerURLs\": [\"https://{}:2380\"], \"isLearner\": true}}' | \
         k0s kubectl --kubeconfig=/dev/null --server=https://127.0.0.1:2379 --certificate-authority=etcd/ca.crt \
         --client-certificate=apiserver-etcd-client.crt --client-key=apiserver-etcd-client.key create --raw /v3/cluster/member/add -f -",
        at(m2)
    ));
    let failed = place.deploy(&all).ends(1);
    assert_eq!(
        failed.outcomes(),
        "m1 changed, m2 changed, m3 failed, m4 changed"
    );
    let forgot = &failed.changes()[&("m1".to_owned(), "forget".to_owned())];
    assert!(forgot[0].contains(&at(m2)), "{forgot:?}");
    let problem = problem_of(&failed, "m3");
    let said = format!("m1 does not reach it at port 2380 of {}", at(m3));
    assert!(problem.contains(&said), "{problem}");
    assert!(problem.contains("it was not started"), "{problem}");
    m3.succeed("! systemctl is-active k0scontroller | grep -x active; ! test -e /var/lib/k0s/etcd");
    assert_eq!(members(m1), [at(m1), at(m2)]);
    assert_eq!(nodes(m2), "m1 True m2 True m4 True");
    opens(m3);

    // m3 does not reach the port at which controllers join.
    closes(m1, 9443, m3);
    let failed = place.deploy(&all).ends(1);
    let problem = problem_of(&failed, "m3");
    let port = format!("port 9443 of {balancer} does not answer");
    assert!(problem.contains(&port), "{problem}");
    opens(m1);

    // A token that was taken back meanwhile, and one of another role.
    let watch = takes_tokens_back(m1);
    let failed = place.deploy(&all).ends(1);
    drop(watch);
    let problem = problem_of(&failed, "m3");
    let said = format!("the controller at {balancer} to take this host's token");
    assert!(problem.contains(&said), "{problem}");
    let token = m1.succeed("k0s token create --role worker --expiry 10m");
    m3.succeed(&format!(
        "echo {} >/root/worker; mkdir /etc/systemd/system/k0scontroller.service.d; \
         printf '[Service]\\nExecStartPre=cp /root/worker /etc/k0s/k0stoken\\n' >/etc/systemd/system/k0scontroller.service.d/swap.conf",
        token.trim()
    ));
    let failed = place.deploy(&all).ends(1);
    m3.succeed("rm -r /etc/systemd/system/k0scontroller.service.d; systemctl daemon-reload");
    let problem = problem_of(&failed, "m3");
    let said = "is one for another role (kubelet-bootstrap)";
    assert!(problem.contains(said), "{problem}");
    assert_eq!(lives(m1), life, "it was restarted");
    assert_eq!(members(m1), [at(m1), at(m2)]);

    place.deploy(&all).ends(0);
    assert_eq!(members(m3), [at(m1), at(m2), at(m3)]);
    let known = m4.succeed("grep server: /var/lib/k0s/kubelet.conf");
    assert_eq!(known.trim(), format!("server: https://{balancer}:6443"));
    place.deploy(&all).changed_nothing();

    // What k0s does not accept takes no place, and stops nothing.
    let life = [m1, m2, m3, m4].map(lives);
    let wrong = with(
        &place,
        all.clone(),
        "",
        &format!("{balanced}netwrk: {{}}, "),
    );
    let failed = place.deploy(&wrong).ends(1);
    assert_eq!(
        failed.outcomes(),
        "m1 failed, m2 cancelled, m3 cancelled, m4 unchanged"
    );
    let problem = problem_of(&failed, "m1");
    assert!(problem.contains("netwrk"), "{problem}");
    assert_eq!([m1, m2, m3, m4].map(lives), life);

    // A flag with a value that k0s finds wrong only when it starts: one controller is down, no second one.
    let wrong = with(
        &place,
        all.clone(),
        "disable-components: [no-such], ",
        &balanced,
    );
    let failed = place.deploy(&wrong).ends(1);
    let problem = problem_of(&failed, "m1");
    assert!(problem.contains("unknown component no-such"), "{problem}");
    assert_eq!([m2, m3, m4].map(lives), life[1..]);
    nodes(m2);
    place.deploy(&all).ends(0);
    place.deploy(&all).changed_nothing();
}
