//! k3s's data in another folder than its own.

use crate::place::Place;
use crate::single::Desk;

const FOLDER: &str = "/srv/disk/k3s";

#[test]
fn data_on_a_disk_of_its_own_is_found_kept_and_removed() {
    let desk = Desk::up(1, 1);
    let place: &Place = &desk.place;
    let (m1, m2) = (place.machine("m1"), place.machine("m2"));
    let (a1, a2) = (m1.address().to_string(), m2.address().to_string());
    m1.succeed(&format!("mkdir -p {FOLDER} && echo mine >{FOLDER}/photos"));

    let install = format!("install --ip {a1} --cluster --save-inventory home.yaml");
    let elsewhere = format!("--data-dir {FOLDER}/");
    let installed = desk.run(&install, &elsewhere).ends(0);
    assert_eq!(installed.outcomes(), format!("{a1} changed"));
    m1.succeed(&format!(
        "test -d {FOLDER}/server/db/etcd && ! test -e /var/lib/rancher/k3s"
    ));
    let install = format!("install --ip {a1} --cluster");
    desk.run(&install, &elsewhere).changed_nothing();

    // Without the flag it would begin anew beside its data.
    let again = desk.run(&install, "").ends(1);
    let problem = again.row(&a1).problem;
    assert!(
        problem.contains(&format!("k3s keeps its data in {FOLDER} here")),
        "{problem}"
    );
    assert!(
        problem.contains(&format!("--extra-args '--data-dir {FOLDER}'")),
        "{problem}"
    );

    let join = format!(
        "join --ip {a2} --server-ip {a1} --server-data-dir {FOLDER} --save-inventory home.yaml"
    );
    let elsewhere = "--data-dir /srv/k3s --kubelet-arg root-dir=/srv/kubelet";
    let joined = desk.run(&join, elsewhere).ends(0);
    assert_eq!(joined.outcomes(), format!("{a1} observed, {a2} changed"));
    m2.succeed("test -f /srv/k3s/agent/kubelet.kubeconfig && ! test -e /var/lib/rancher/k3s");
    let deployed = place
        .command()
        .args("deploy -i home.yaml --output json")
        .run()
        .changed_nothing();
    assert_eq!(
        (deployed.row(&a1).connections, deployed.row(&a1).exchanges),
        (1, 2)
    );
    place.kept_its_secrets();

    // Where a server has its data is read from its configuration, or was typed as for k3sup.
    let token = m1.succeed(&format!("cat {FOLDER}/server/agent-token"));
    for typed in ["", &format!(" --server-data-dir {FOLDER}")] {
        let told = desk
            .line(&format!("node-token --ip {a1}{typed}"))
            .run()
            .ends(0);
        assert_eq!(told.stdout, token);
    }
    let wrong = format!("node-token --ip {a1} --server-data-dir /data");
    let refused = desk.line(&wrong).run().ends(2);
    refused.says(&[&format!("{FOLDER} here, not in /data")]);
    assert_eq!(refused.stdout, "");

    // A disk that did not come up: nothing begins anew in its place.
    m1.succeed(&format!("systemctl stop k3s && mv {FOLDER} /srv/away"));
    let lost = place
        .command()
        .args("deploy -i home.yaml --output json")
        .run()
        .ends(1);
    let problem = lost.row(&a1).problem;
    assert!(
        problem.contains(&format!("there is nothing of it in {FOLDER}")),
        "{problem}"
    );
    let problem = lost.row(&a2).problem;
    assert!(
        problem.contains("the cluster's API does not answer"),
        "it does not wait for what cannot come: {problem}"
    );
    m1.succeed(&format!(
        "! systemctl is-active k3s && ! test -e {FOLDER} && mv /srv/away {FOLDER}"
    ));
    let back = place
        .command()
        .args("deploy -i home.yaml --output json")
        .run()
        .ends(0);
    assert_eq!(back.outcomes(), format!("{a1} changed, {a2} unchanged"));

    m2.succeed(
        "mkdir -p /srv/precious /srv/kubelet/plugins/x/v && echo kept >/srv/precious/data && echo mine >/srv/kubelet/mine && \
         mount --bind /srv/precious /srv/kubelet/plugins/x/v",
    );
    let reset = place
        .command()
        .args("reset -i home.yaml --yes --output json")
        .run()
        .ends(0);
    assert_eq!(reset.outcomes(), format!("{a1} changed, {a2} changed"));
    assert_eq!(
        m1.succeed(&format!("ls {FOLDER}")),
        "photos\n",
        "a file of the user's own stays"
    );
    m2.succeed("! test -e /srv/k3s && grep -qx kept /srv/precious/data");
    assert_eq!(m2.succeed("ls -A /srv/kubelet"), "mine\n");

    // What is there by then is the user's, whatever it is called.
    m2.succeed("mkdir -p /srv/k3s/data && echo mine >/srv/k3s/data/photos");
    place
        .command()
        .args("reset -i home.yaml --yes --output json")
        .run()
        .changed_nothing();
    m2.succeed("test -f /srv/k3s/data/photos");
}
