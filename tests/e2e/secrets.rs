//! Secrets of every kind, and all that a run leaves behind, searched for them: programs with their arguments on
//! both sides, what is printed, what is written.
//!
//! ```text
//!  k0s.rs       what hosts of k0s join with
//!  planted.rs   the secrets
//!  story.rs     the user who has them, and where they are looked for
//!  record.rs    what strace saw here, and the files of a machine
//!  search.rs    finds a secret in a text, also cut, quoted and encoded
//! ```

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::json;
use towline_lab::{Audit, Fault, Machine};

use crate::inventory::Inventory;
use crate::single::Desk;

mod k0s;
pub mod planted;
pub mod record;
pub mod search;
mod story;

use planted::random;
use record::{look_on, now};
use search::Search;
use story::Story;

/// A step that says what it knows, in some forms, and fails.
const CHATTY: &str = "
- name: registries
  file: {path: /etc/rancher/k3s/registries.yaml, template: site/registries, mode: \"0600\"}
- name: chatty
  command:
    unless: \"false\"
    description: say all
    run: |
      for secret in {% for key, value in k3s.config | items if value is string %}{{ value | quote }} {% endfor %}; do
          printf '%s\\n' \"$secret\" >&2
          printf '%s' \"$secret\" | base64 --wrap=0 >&2
          echo >&2
          (set -x; : \"$secret\")
      done
      echo {{ k3s.config | json | quote }} >&2
      echo said all >&2
      exit 3
";

/// Runs a script on a machine that reads a text from its standard input.
fn feed(machine: &Machine, script: &str, text: &str) {
    let mut ssh = machine.ssh_command();
    ssh.arg(machine.target("root"))
        .arg(script)
        .stdin(Stdio::piped());
    let mut child = ssh.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success(), "{script}");
}

#[test]
fn a_secret_is_nowhere_but_where_it_is_needed() {
    let story = Story::of(Desk::up(1, 2));
    prepare(&story);
    let audit = Audit::begin(story.desk.place.lab.id()).unwrap();
    story.since.set(now());
    let of_k0s = thread::scope(|scope| {
        let of_k0s = scope.spawn(k0s::cluster);
        first_cluster(&story);
        let all = inventory(&story, M1, M2);
        refusals(&story, &all);
        second_cluster(&story, &all);
        of_k0s.join().unwrap()
    });

    // What is recorded, and where it is looked for: a word that is in all of them.
    let word = random();
    let m1 = story.desk.place.machine("m1");
    m1.succeed(&format!(
        "systemd-run --quiet --wait true {word}; echo {word} >/root/control"
    ));
    let found = look_on(m1, story.since.get(), &Search::for_word(&word));
    let stands = |path: &str| {
        let mut found = found.iter().filter(|found| !found.is_private);
        found.any(|found| found.path.starts_with(path))
    };
    assert!(
        stands("/root/control") && stands("/var/log/journal/"),
        "{found:?}"
    );
    let programs = audit.end().unwrap();
    let ran = |line: &str| programs.iter().any(|program| program == line.as_bytes());
    assert!(
        ran(&format!("/usr/bin/true {word}")) && ran("/usr/local/bin/k3s server"),
        "the audit tells what systemd starts"
    );
    let kubeconfigs = story.look_here(&word);
    assert!(kubeconfigs > 0, "strace tells what is written");
    of_k0s.look_here(&word);
    let mut faults = Vec::new();
    for story in [&story, &of_k0s] {
        let search = Search::of(&story.secrets.borrow());
        let hits = programs.iter().filter_map(|program| search.find(program));
        hits.for_each(|hit| story.fault("an argument", &hit));
        faults.extend(story.faults.borrow_mut().drain(..));
    }
    let count = faults.len();
    assert_eq!(count, 0, "times:\n{}", faults.join("\n\n"));
}

/// Everything that is there before the first run.
fn prepare(story: &Story) {
    let place = &story.desk.place;
    for (file, name) in [
        ("secrets/token", "the servers' token"),
        ("secrets/agent-token", "the agents' token"),
        ("secrets/install-token", "a token of install"),
        ("secrets/wrong-token", "a wrong token"),
        ("secrets/sudo", "the password of sudo"),
        ("secrets/login", "the password to log in with"),
        ("secrets/wrong-sudo", "a wrong password of sudo"),
        ("secrets/wrong-login", "a wrong password to log in with"),
        ("secrets/wrong-phrase", "a wrong passphrase"),
    ] {
        story.write(file, story.secret(name));
    }
    fs::create_dir_all(place.file("trace")).unwrap();
    fs::copy(place.lab.ssh_key(), place.file("locked")).unwrap();
    let locked = Command::new("ssh-keygen")
        .args([
            "-q",
            "-p",
            "-P",
            "",
            "-N",
            story.secret("the passphrase of the key"),
            "-f",
        ])
        .arg(place.file("locked"))
        .stdout(Stdio::null())
        .status();
    assert!(locked.unwrap().success());
    for name in ["m1", "m2", "m3"] {
        place.machine(name).install("curl").unwrap();
    }
    for (name, password) in [
        ("m1", "the password of sudo"),
        ("m2", "the password to log in with"),
    ] {
        feed(
            place.machine(name),
            "chpasswd",
            &format!("asker:{}\n", story.secret(password)),
        );
    }
    place.machine("m2").succeed(
        "rm /home/asker/.ssh/authorized_keys
         sed -i 's/^PasswordAuthentication no/PasswordAuthentication yes/' /etc/ssh/sshd_config.d/lab.conf
         systemctl reload ssh",
    );
    // A step that says all it knows, and fails.
    let site = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/playbooks/k3s/site.yml"
    ));
    let site = site.unwrap();
    story.write(
        "mine/playbooks/k3s/site.yml",
        &format!("{site}\n- {{stage: chatty, hosts: all, strategy: parallel, playbook: chatty}}\n"),
    );
    story.write("mine/playbooks/chatty.yml", CHATTY);
    story.write(
        "mine/templates/site/registries",
        &format!(
            "configs:\n  registry.example.org:\n    auth: {{username: ann, password: {}}}\n",
            story.secret("a secret of a template")
        ),
    );
    story.write(
        "config",
        &format!("apiVersion: v1\nkind: Config\ncurrent-context: work\nclusters: [{{name: work, cluster: {{server: 'https://work.example:6443'}}}}]\ncontexts: [{{name: work, context: {{cluster: work, user: me}}}}]\nusers: [{{name: me, user: {{token: {}}}}}]\n", story.secret("the token of another cluster's user")),
    );
}

const M1: &str = "{user: asker, key: locked, passphrase: {env: PHRASE}, become_password: {command: [cat, secrets/sudo]}}";
const M2: &str =
    "{user: asker, password: {file: secrets/login}, become_password: {file: secrets/login}}";

/// The inventory with all its secrets, and the ways to its hosts.
fn inventory(story: &Story, m1: &str, m2: &str) -> Inventory {
    let place = &story.desk.place;
    let mut config: serde_json::Map<_, _> = place.lab.cluster_config().into_iter().collect();
    let agents = json!(config).to_string();
    let lines = story.secret("a secret of two lines");
    config.insert("etcd-s3-secret-key".into(), json!({"env": "S3_SECRET_KEY"}));
    config.insert("etcd-s3-access-key".into(), json!("${S3_ACCESS_KEY}"));
    config.insert("etcd-s3-session-token".into(), json!(lines));
    let mirror = format!("{{mirror: \"{}\"}}", story.desk.mirror.url());
    place
        .inventory()
        .cluster("version", &place.lab.release().version)
        .cluster("binary", &mirror)
        .cluster("datastore", "etcd")
        .cluster("token", "{command: [cat, secrets/token]}")
        .cluster("agent_token", "{file: secrets/agent-token}")
        .cluster("config", &json!(config).to_string())
        .cluster("agent_config", &agents)
        .host("m1", "ssh", m1)
        .host("m2", "ssh", m2)
        .only(&["m1", "m2"])
}

/// A cluster that is typed, and taken away.
fn first_cluster(story: &Story) {
    let (desk, place) = (&story.desk, &story.desk.place);
    let [a1, a2, a3] = ["m1", "m2", "m3"].map(|name| place.machine(name).address());
    let line = |line: &str| story.loud(desk.line(line)).run();
    let kernel = desk.kernel().join(" ");
    let node = |line: &str| {
        let line = desk.line(line).arg("--mirror").arg(desk.mirror.url());
        story.loud(line.arg("--k3s-extra-args").arg(&kernel)).run()
    };
    node(&format!("install --ip {a1} --token-file secrets/install-token --save-inventory home.yaml --output json")).ends(0);
    let agents = place
        .machine("m1")
        .succeed("cat /var/lib/rancher/k3s/server/agent-token");
    story.learn(
        "the token of agents that was made",
        agents.rsplit(':').next().unwrap(),
    );
    node(&format!(
        "join --ip {a3} --server-ip {a1} --save-inventory home.yaml"
    ))
    .ends(0);
    line(&format!(
        "get-config --ip {a1} --local-path config --merge --context lab"
    ))
    .ends(0);
    let ready = place
        .command()
        .args("ready --kubeconfig config --context lab");
    story.loud(ready).run().ends(0);
    let wrong = node(&format!(
        "join --ip {a2} --server-ip {a1} --node-token-path secrets/wrong-token --output json"
    ))
    .ends(1);
    wrong.says(&["the token"]);
    story.look_at_machines();
    let reset = place
        .command()
        .args("reset -i home.yaml --yes --output json");
    story.loud(reset).run().ends(0);
}

/// What ends before anything is changed.
fn refusals(story: &Story, all: &Inventory) {
    let place = &story.desk.place;
    for command in ["inventory show", "inventory check"] {
        story.run(command, all).ends(0);
    }
    let show = place
        .towline("inventory show", all)
        .args("--host m1 --output json");
    story.loud(show).run().ends(0);
    story.run("plan", all).ends(0);
    let mirror = |secret: &str| {
        format!(
            "//ann:{}@{}:3128",
            story.secret(secret),
            place.lab.gateway()
        )
    };
    let mirror = mirror("the password of a mirror");
    for (words, wrong) in [
        (
            "sudo did not take the password",
            inventory(story, &M1.replace("secrets/sudo", "secrets/wrong-sudo"), M2),
        ),
        (
            "refused the login as asker",
            inventory(
                story,
                M1,
                &M2.replace(
                    "password: {file: secrets/login}, ",
                    "password: {file: secrets/wrong-login}, ",
                ),
            ),
        ),
        (
            "passphrase",
            inventory(
                story,
                &M1.replace("{env: PHRASE}", "{file: secrets/wrong-phrase}"),
                M2,
            ),
        ),
        (
            "no user and no password",
            all.clone()
                .cluster("binary", &format!("{{mirror: \"http:{mirror}\"}}")),
        ),
        (
            "no user and no password",
            all.clone()
                .cluster("binary", &format!("{{proxy: \"http:{mirror}\"}}")),
        ),
        (
            "mirror.invalid",
            all.clone()
                .cluster("binary", "{mirror: \"https://mirror.invalid\"}"),
        ),
    ] {
        let refused = story
            .loud(place.towline("plan", &wrong).args("--output json"))
            .run();
        assert_ne!(refused.code, Some(0), "{words}");
        refused.says(&[words]);
    }
    let asset = place.lab.release().asset_path();
    story.desk.mirror.break_path(&asset, Fault::Status(403));
    story.run("deploy", all).ends(2).says(&["403"]);
    story.desk.mirror.heal(&asset);

    // What is asked for on a terminal.
    let asked = inventory(story, "{user: asker, key: locked}", "{user: asker}");
    let plan = place
        .towline("plan", &asked)
        .args("-k -K --limit m1 --output json");
    let mut running = story.loud(plan).on_a_terminal();
    for (question, answer) in [
        ("Password to log in: ", "the password to log in with"),
        ("Password for sudo: ", "the password of sudo"),
        ("Passphrase", "the passphrase of the key"),
    ] {
        running.shows(question);
        running.types(&format!("{}\r", story.secret(answer)));
    }
    running.wait();
}

/// A cluster of an inventory, with what goes wrong on its way.
fn second_cluster(story: &Story, all: &Inventory) {
    let place = &story.desk.place;
    let m1 = place.machine("m1");
    let deploy = place.towline("deploy", all).args("--output json");
    let mut running = story.loud(deploy).start();
    running.tells("the start of k3s", |event| {
        event["event"] == "begun" && event["host"] == "m1" && event["step"] == "service"
    });
    running.interrupt();
    running.interrupt();
    running.wait().ends(1).says(&["interrupted"]);
    story.look_at_machines();

    let chatty = place
        .towline("deploy", all)
        .args("--overrides mine --output json");
    let failed = story.loud(chatty).run().ends(1);
    failed.says(&["said all", "***"]);
    story.run("deploy --timing=run.svg", all).ends(0);
    story
        .run("kubeconfig --merge --kubeconfig config", all)
        .ends(0);
    let key = m1.succeed("cat /var/lib/rancher/k3s/server/tls/client-admin.key");
    let key: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    // What no other key has, of what stands there in base64.
    story.learn("the key of the kubeconfig", &key[10..52]);
    story.look_at_machines();

    let other = all.clone().cluster("token", "{file: secrets/wrong-token}");
    story.run("deploy", &other).ends(2).says(&["token"]);
    m1.succeed("systemctl stop k3s");
    story.run("kubeconfig", all).ends(1);
    story.run("reset --yes", all).ends(0);
    story.look_at_machines();
}
