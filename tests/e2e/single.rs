//! Clusters made line by line, as people who come from k3sup make them.

use std::fs;

use towline_lab::{Machine, Mirror};

use crate::grow::fingerprint;
use crate::place::{Place, carry, wait_for};
use crate::towline::{Answer, Towline};

/// A place, and where k3s comes from in it.
pub struct Desk {
    // Dropped first: it serves at an address of the place.
    pub mirror: Mirror,
    /// The lab, and the folder of the user who types.
    pub place: Place,
}

impl Desk {
    /// That many machines.
    pub fn up(servers: u8, agents: u8) -> Self {
        let place = Place::up(servers, agents);
        let gateway = place.lab.gateway().into();
        let mirror = Mirror::release_on(gateway, place.lab.release()).unwrap();
        Self { mirror, place }
    }

    /// A line as it is typed, with what only the lab needs behind it.
    pub fn line(&self, line: &str) -> Towline {
        let lab = &self.place.lab;
        let command = self.place.command().args(line);
        command
            .arg("--ssh-key")
            .arg(lab.ssh_key().to_str().unwrap())
            .arg("--known-hosts")
            .arg(lab.known_hosts().to_str().unwrap())
    }

    /// The flags of k3s that this kernel asks for.
    pub fn kernel(&self) -> Vec<String> {
        let config = self.place.lab.cluster_config().into_iter();
        config
            .flat_map(|(key, value)| {
                let values = match value {
                    serde_json::Value::Array(values) => values,
                    one => vec![one],
                };
                values
                    .into_iter()
                    .map(move |value| format!("--{key} {}", value.as_str().unwrap()))
            })
            .collect()
    }

    /// The same for a line that sets up a host, with further flags of k3s.
    fn host(&self, line: &str, extra: &str) -> Towline {
        let mut kernel = self.kernel();
        kernel.push(extra.to_owned());
        self.line(line)
            .arg("--mirror")
            .arg(self.mirror.url())
            .arg("--k3s-extra-args")
            .arg(kernel.join(" ").trim())
    }

    /// The line of a host to its end.
    pub fn run(&self, line: &str, extra: &str) -> Answer {
        self.host(line, extra).args("--output json").run()
    }
}

fn address(machine: &Machine) -> String {
    machine.address().to_string()
}

#[test]
fn three_lines_make_a_cluster_and_the_inventory_that_they_saved_changes_nothing() {
    let desk = Desk::up(2, 1);
    let place = &desk.place;
    let [m1, m2, m3] = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let [a1, a2, a3] = [m1, m2, m3].map(address);

    // A step more than towline's, on every host, as docs/playbooks.md shows it.
    let site = concat!(env!("CARGO_MANIFEST_DIR"), "/playbooks/k3s/site.yml");
    let site = fs::read_to_string(site).unwrap();
    for (file, text) in [
        (
            "playbooks/k3s/site.yml",
            site + "\n- {stage: banner, hosts: all, strategy: parallel, playbook: banner}\n",
        ),
        (
            "playbooks/banner.yml",
            "- name: banner\n  file: {path: /etc/issue.net, template: site/banner, mode: \"0644\"}\n".into(),
        ),
        ("templates/site/banner", "{{ host.role }} of {{ cluster.name }}\n".into()),
    ] {
        let file = place.file("mine").join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    // What would be done is shown first, and nothing is touched.
    let before = fingerprint(m1);
    let install = format!(
        "install --ip {a1} --cluster --tls-san k8s.example.org --save-inventory home.yaml --overrides mine"
    );
    let extra = "--disable traefik --cluster-cidr=10.52.0.0/16";
    let planned = desk.run(&format!("{install} --plan"), extra).ends(0);
    assert!(!planned.planned().is_empty());
    assert_eq!(fingerprint(m1), before);
    assert!(!place.file("home.yaml").exists());

    let installed = desk.run(&install, extra).ends(0);
    assert_eq!(installed.outcomes(), format!("{a1} changed"));
    place.api_of("kubeconfig").expect_summary(&a1, "m1 voter");
    place
        .api_of("kubeconfig")
        .ask_as("k8s.example.org", &a1, "/readyz")
        .unwrap();

    // A server that joins is told what all servers share, and the names of the certificate.
    let join = format!("join --ip {a2} --server-ip {a1} --server --save-inventory home.yaml");
    let running = m1.succeed("systemctl show -p InvocationID k3s");
    let joined = desk.run(&join, "").ends(0);
    assert_eq!(joined.outcomes(), format!("{a1} observed, {a2} changed"));
    let config = m2.succeed("cat /etc/rancher/k3s/config.yaml");
    for line in ["cluster-cidr", "10.52.0.0/16", "traefik", "k8s.example.org"] {
        assert!(config.contains(line), "{line} in\n{config}");
    }
    assert_eq!(
        m1.succeed("systemctl show -p InvocationID k3s"),
        running,
        "it was only read"
    );
    let other = desk.run(&join, "--disable servicelb").ends(2);
    other.says(&[
        "--disable is shared by all servers of a cluster",
        "nothing was changed",
    ]);

    let join =
        format!("join --ip {a3} --server-ip {a1} --save-inventory home.yaml --overrides mine");
    let label = "--node-label disk=ssd";
    let joined = desk.run(&join, label).ends(0);
    assert_eq!(joined.outcomes(), format!("{a1} observed, {a3} changed"));
    place
        .api_of("kubeconfig")
        .expect_summary(&a2, "m1 voter, m2 voter, m3 agent");
    desk.run(&join, label).changed_nothing();
    for (machine, role) in [(m1, "server"), (m3, "agent")] {
        let banner = machine.succeed("cat /etc/issue.net");
        assert!(banner.starts_with(&format!("{role} of ")), "{banner}");
    }

    // The file stands for all that was typed.
    let deployed = place
        .command()
        .args("deploy -i home.yaml --kubeconfig again --output json")
        .run();
    let saved = fs::read_to_string(place.file("home.yaml")).unwrap();
    assert_eq!(deployed.code, Some(0), "{saved}");
    assert_eq!(
        deployed.outcomes(),
        format!("{a1} unchanged, {a2} unchanged, {a3} unchanged"),
        "{saved}\n{:?}",
        deployed.changes()
    );
    place.kept_its_secrets();

    // What else people type about a cluster that is there.
    let token = desk.line(&format!("node-token --ip {a1}")).run().ends(0);
    assert_eq!(
        token.stdout,
        m1.succeed("cat /var/lib/rancher/k3s/server/agent-token")
    );
    let ready = place
        .command()
        .args("ready --kubeconfig kubeconfig --context default")
        .run();
    assert_eq!(ready.ends(0).stdout, "default: all 3 nodes are Ready\n");
    fs::write(place.file("config"), "apiVersion: v1\nkind: Config\ncurrent-context: work\nclusters: [{name: work, cluster: {server: 'https://work.example:6443'}}]\ncontexts: [{name: work, context: {cluster: work, user: me}}]\nusers: [{name: me, user: {token: abc}}]\n").unwrap();
    let merge = |address: &str| {
        let line = format!("get-config --ip {address} --local-path config --context lab --merge");
        desk.line(&line).run()
    };
    fs::write(place.file("config.lock"), "").unwrap();
    merge(&a1).ends(1).says(&["config.lock"]);
    fs::remove_file(place.file("config.lock")).unwrap();
    for address in [&a2, &a1] {
        let merged = merge(address).ends(0);
        merged.says(&["config.towline-backup", "kubectl --context lab get nodes"]);
    }
    let backup = fs::read_to_string(place.file("config.towline-backup")).unwrap();
    assert!(
        !backup.contains("name: lab"),
        "the first one stays: {backup}"
    );
    desk.line(&format!(
        "get-config --ip {a2} --local-path other --context b"
    ))
    .run()
    .ends(0);
    assert_eq!(place.api_of("other").server, format!("https://{a2}:6443"));
    let merged = fs::read_to_string(place.file("config")).unwrap();
    for kept in [
        "current-context: work",
        "https://work.example:6443",
        "name: lab",
    ] {
        assert!(merged.contains(kept), "{merged}");
    }
    let ready = place
        .command()
        .args("ready --kubeconfig config --context lab")
        .run();
    assert_eq!(ready.ends(0).stdout, "lab: all 3 nodes are Ready\n");
    m3.succeed("systemctl stop k3s-agent");
    wait_for("the node to be seen missing", || {
        let ready = place
            .command()
            .args("ready --kubeconfig config --context lab --attempts 1")
            .run();
        (ready.code == Some(1) && ready.stderr.contains("not Ready: m3")).then_some(())
    });
}

#[test]
fn a_single_server_installed_without_ssh_takes_agents_and_no_second_server() {
    let desk = Desk::up(2, 1);
    let place = &desk.place;
    let [m1, m2, m3] = ["m1", "m2", "m3"].map(|name| place.machine(name));
    let [a1, a2, a3] = [m1, m2, m3].map(address);

    // Nothing to join yet, and a flag that k3s does not have any more.
    let early = desk
        .run(&format!("join --ip {a3} --server-ip {a1}"), "")
        .ends(2);
    early.says(&["there is no cluster here to join", "towline install --ip"]);
    let refused = desk
        .line(&format!("install --ip {a1} --ipsec"))
        .run()
        .ends(2);
    refused.says(&["since 1.27", "wireguard-native"]);

    // The program itself, on the machine.
    carry(env!("CARGO_BIN_EXE_towline"), m1, "/root/towline");
    let line = format!(
        "cd /root && ./towline install --local --ip {a1} --mirror {} --k3s-extra-args '{}' 2>&1",
        desk.mirror.url(),
        desk.kernel().join(" ")
    );
    let said = m1.succeed(&line);
    assert!(
        said.contains("export KUBECONFIG=/root/kubeconfig"),
        "{said}"
    );
    m1.succeed("test -f /var/lib/rancher/k3s/server/db/state.db && k3s kubectl --kubeconfig /root/kubeconfig get nodes");
    assert!(
        m1.succeed(&line).contains("1 ok"),
        "a second run changes nothing"
    );

    let refused = desk
        .run(&format!("join --ip {a2} --server-ip {a1} --server"), "")
        .ends(2);
    refused.says(&[
        "keeps its cluster in sqlite",
        &format!("towline install --ip {a1} --cluster"),
    ]);
    m2.succeed("! ls -d /usr/local/bin/k3s /etc/rancher 2>/dev/null | grep .");

    // Every script is shown, and no secret in it.
    let joined = desk
        .host(
            &format!("join --ip {a3} --server-ip {a1} --print-command"),
            "",
        )
        .run()
        .ends(0);
    assert!(
        joined.stderr.contains("# 10.") && joined.stderr.contains("config.yaml"),
        "{}",
        joined.stderr
    );
    place.kept_its_secrets();

    // With the token in a file the server is not read; and it may be given more than once.
    let token = m1.succeed("cat /var/lib/rancher/k3s/server/agent-token");
    fs::write(place.file("token"), token).unwrap();
    let again = desk
        .run(
            &format!("join --ip {a3} --server-ip {a1} --node-token-path token"),
            "",
        )
        .ends(0);
    assert_eq!(again.outcomes(), format!("{a3} unchanged"));

    // The remedy for a second server.
    let moved = desk
        .run(&format!("install --ip {a1} --cluster"), "")
        .ends(0);
    assert_eq!(moved.outcomes(), format!("{a1} changed"));

    // Typed on the second server itself, which is then meant; the first is read over SSH.
    carry(env!("CARGO_BIN_EXE_towline"), m2, "/root/towline");
    for (file, name) in [
        (place.lab.ssh_key(), "/root/key"),
        (place.lab.known_hosts(), "/root/known_hosts"),
    ] {
        carry(file.to_str().unwrap(), m2, name);
    }
    let said = m2.succeed(&format!(
        "cd /root && chmod 600 key && ./towline join --server-ip {a1} --server --ssh-key=key --known-hosts \"~/known_hosts\" \
         --mirror {} --k3s-extra-args '{}' 2>&1",
        desk.mirror.url(),
        desk.kernel().join(" ")
    ));
    for words in [
        "the machine is this one, without SSH",
        "1 changed, 1 only read",
    ] {
        assert!(said.contains(words), "{said}");
    }
    place
        .api_of("kubeconfig")
        .expect_summary(&a2, "m1 voter, m2 voter, m3 agent");
    place.kept_its_secrets();
}
