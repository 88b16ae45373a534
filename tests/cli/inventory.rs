//! `towline inventory`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{folder, screen, text, towline};

/// The same with this on its standard input, and with these variables.
fn fed(folder: &Path, input: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_towline"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("it is read");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

#[test]
fn an_inventory_is_checked_without_its_hosts() {
    let folder = folder(
        "cluster: {allow_two_servers: true}\nhosts: {a: {address: 192.0.2.1, role: server}, b: {address: 192.0.2.2, role: server}}\n",
    );
    let line = ["inventory", "check", "-i", "home.yaml"];
    insta::assert_snapshot!(screen(&towline(folder.path(), &line)), @r"
    status 0
    --- standard output
    note: etcd of 2 servers needs both: the cluster stops when either is lost; use 1 or 3
    home.yaml: no mistakes; cluster home: 2 servers, 0 agents
    --- standard error
    ");
    let json = [&line[..], &["--output", "json"]].concat();
    let events = text(&towline(folder.path(), &json).stdout);
    let names: Vec<String> = events
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["event"].to_string()
        })
        .collect();
    assert_eq!(names, [r#""note""#, r#""checked""#, r#""finished""#]);
}

#[test]
fn an_inventory_is_read_from_standard_input() {
    let folder = folder("");
    fs::create_dir(folder.path().join("keys")).expect("a folder");
    let token = folder.path().join("keys/token");
    fs::write(&token, "a-token-of-the-tests").expect("written");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("set");
    let good =
        "cluster: {token_file: keys/token}\nhosts: {a: {address: 192.0.2.1, role: server}}\n";
    let check = ["inventory", "check", "-i", "-"];
    insta::assert_snapshot!(screen(&fed(folder.path(), good, &check, &[])), @r"
    status 0
    --- standard output
    standard input: no mistakes; cluster cluster: 1 server, 0 agents
    --- standard error
    ");
    let bad = "hosts: {a: {address: 192.0.2.1}}\n";
    insta::assert_snapshot!(screen(&fed(folder.path(), bad, &["plan", "-i", "-"], &[])), @r"
    status 2
    --- standard output
    --- standard error
      × `a` has no role
       ╭─[standard input:1:9]
     1 │ hosts: {a: {address: 192.0.2.1}}
       ·         ─
       ╰────
      help: add `role: server` or `role: agent`, here or in its group

    error[inventory-invalid]: 1 mistake in standard input; nothing was changed
    for more, type:  towline explain inventory-invalid
    ");
    let twice = ["inventory", "check", "-i", "-", "-i", "-"];
    insta::assert_snapshot!(screen(&fed(folder.path(), good, &twice, &[])), @r"
    status 2
    --- standard output
    --- standard error
      × standard input: cannot be read twice

    error[inventory-unreadable]: 1 mistake in standard input; nothing was changed
    for more, type:  towline explain inventory-unreadable
    ");
    // A question has its answer on standard input.
    insta::assert_snapshot!(screen(&fed(folder.path(), good, &["reset", "-i", "-"], &[])), @r"
    status 2
    --- standard output
    --- standard error
    error[unconfirmed]: a reset removes a cluster with its data, and standard input, where the answer would be typed, is the inventory
      → to see what it would do:
        towline reset -i - --plan
      → to do it:
        towline reset -i - --yes
    nothing was changed
    for more, type:  towline explain unconfirmed
    ");
}

#[test]
fn what_is_typed_next_names_all_files() {
    let folder = folder("hosts: {a: {address: 192.0.2.1, role: server}}\n");
    fs::write(folder.path().join("site a.yaml"), "cluster: {name: a}\n").expect("written");
    let line = ["reset", "-i", "home.yaml", "-i", "site a.yaml"];
    insta::assert_snapshot!(screen(&towline(folder.path(), &line)), @r"
    status 2
    --- standard output
    --- standard error
    error[unconfirmed]: a reset removes a cluster with its data, and there is no terminal to ask on
      → to see what it would do:
        towline reset -i home.yaml -i 'site a.yaml' --plan
      → to do it:
        towline reset -i home.yaml -i 'site a.yaml' --yes
    nothing was changed
    for more, type:  towline explain unconfirmed
    ");
    let check = ["inventory", "check", "-i", "home.yaml", "-i", "site a.yaml"];
    insta::assert_snapshot!(screen(&towline(folder.path(), &check)), @r"
    status 0
    --- standard output
    home.yaml, site a.yaml: no mistakes; cluster a: 1 server, 0 agents
    --- standard error
    ");
    fs::write(folder.path().join("site a.yaml"), "ssh: {user: u}\n").expect("written");
    insta::assert_snapshot!(screen(&towline(folder.path(), &check)), @r"
    status 2
    --- standard output
    --- standard error
      × site a.yaml: an inventory of several files names its cluster
      help: add `cluster: {name: site-a}` to this file

    error[inventory-invalid]: 1 mistake in site a.yaml; nothing was changed
    for more, type:  towline explain inventory-invalid
    ");
}

#[test]
fn what_a_host_gets_is_shown_with_where_it_comes_from() {
    let folder = folder(
        "\
cluster:
  version: v1.36.3+k3s1
  token: ${CLUSTER_TOKEN}
  binary: {source: push, mirror: 'https://example.org/k3s'}
  config: {disable: [traefik], etcd-s3-secret-key: 'mysql://hunter2', secrets-encryption: true, etcd-s3-proxy: 'http://ann:hunter2@example.org'}
  agent_config: {kubelet-arg: [max-pods=200, password=hunter2]}
ssh: {user: ubuntu}
groups:
  big.ones: {role: agent, labels: {disk: ssd, zone: a}, taints: ['a=b:NoSchedule']}
hosts:
  m1: {address: 192.0.2.1, role: server, config: {secrets-encryption: null}}
  w1: {address: 'fd00::1', group: big.ones, ssh: {port: 2222}, labels: {note: 'hunter2hunter2'}}
",
    );
    let site = "cluster: {name: paris}\ngroups: {big.ones: {labels: {zone: p}}}\n";
    fs::write(folder.path().join("paris.yaml"), site).expect("written");
    let variables = [("CLUSTER_TOKEN", "hunter2hunter2")];
    let show = |more: &[&str]| {
        let line = ["inventory", "show", "-i", "home.yaml", "-i", "paris.yaml"];
        fed(folder.path(), "", &[&line, more].concat(), &variables)
    };
    for (name, more) in [
        ("show", &[][..]),
        ("show-server", &["--host", "m1"]),
        ("show-agent", &["--host", "w1"]),
        ("show-agent-json", &["--host", "w1", "--output", "json"]),
        ("show-unknown", &["--host", "w2"]),
    ] {
        let screen = screen(&show(more));
        assert!(!screen.contains("hunter2"), "{screen}");
        let is_json = more.contains(&"json");
        let screen = if is_json {
            screen
                .lines()
                .filter(|line| line.contains("shown"))
                .collect()
        } else {
            screen
        };
        insta::assert_snapshot!(name, screen);
    }
}

#[test]
fn a_new_inventory_is_made_of_flags_and_is_one_without_an_edit() {
    let folder = folder("");
    let init = |more: &[&str]| towline(folder.path(), &[&["inventory", "init"], more].concat());
    let made = init(&[
        "--servers",
        "192.0.2.1,192.0.2.2,fd00::3",
        "--agents=w.example.org",
        "--user=ubuntu",
        "--ssh-key=keys/${USER}",
        "--name=paris",
    ]);
    let file = fs::read_to_string(folder.path().join("inventory.yaml")).expect("written");
    insta::assert_snapshot!("init", format!("{}{file}", screen(&made)));
    let check = ["inventory", "check", "-i", "inventory.yaml"];
    insta::assert_snapshot!(screen(&towline(folder.path(), &check)), @r"
    status 0
    --- standard output
    inventory.yaml: no mistakes; cluster paris: 3 servers, 1 agent
    --- standard error
    ");
    let refused: Vec<String> = [
        &["--servers=192.0.2.1"][..],
        &["-o", "new.yaml"],
        &["-o", "new.yaml", "--servers=192.0.2.1,192.0.2.2"],
        &[
            "-o",
            "new.yaml",
            "--servers=192.0.2.1",
            "--agents=192.0.2.2,192.0.2.1",
        ],
        &[
            "-o",
            "new.yaml",
            "--servers=fd00::1,::ffff:192.0.2.2,192.0.2.2",
        ],
        &["-o", "new.yaml", "--servers=root@192.0.2.1"],
        &["-o", "new.yaml", "--servers=192.0.2.1:2222"],
        &["-o", "new.yaml", "--servers=192.0.2.300"],
        &["-o", "new.yaml", "--servers="],
        &["-o", "new.yaml", "--agents=192.0.2.300"],
        &["-o", "new.yaml", "--servers=192.0.2.1", "--user=a b"],
    ]
    .iter()
    .map(|more| {
        let said = text(&init(more).stderr);
        format!("{}\n{said}", more.join(" "))
    })
    .collect();
    insta::assert_snapshot!("init-refused", refused.join("\n"));
    assert!(!folder.path().join("new.yaml").exists());
    let json = init(&["-o", "json.yaml", "--servers=192.0.2.1", "--output=json"]);
    let events = text(&json.stdout);
    let events: Vec<serde_json::Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(events[0]["event"], "written");
    assert_eq!(events[1]["event"], "finished");
    assert_eq!(events.len(), 2);
}

/// The block of this language that follows these words in the page about inventories.
fn block(words: &str, language: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/inventory.md");
    let page = fs::read_to_string(page).expect("the page");
    let (_, behind) = page.split_once(words).expect("the words");
    let (_, block) = behind
        .split_once(&format!("```{language}\n"))
        .expect("a block");
    block.split("```").next().unwrap_or_default().to_owned()
}

#[test]
fn what_terraform_puts_out_is_an_inventory() {
    let pretty = block("prints the value alone", "json");
    let compact: serde_json::Value = serde_json::from_str(&pretty).expect("JSON");
    let folder = folder("cluster: {version: v1.36.3+k3s1}\n");
    let base = folder.path().join("base.yaml");
    fs::rename(folder.path().join("home.yaml"), base).expect("renamed");
    let lines = block("prints the value alone", "sh");
    let mut checked = 0;
    for line in lines.lines() {
        let (terraform, towline) = line.split_once(" | towline ").expect("a pipe");
        assert_eq!(terraform, "terraform output -json towline");
        // What is only checked here is deployed on machines elsewhere.
        let towline = towline.replace("deploy", "inventory check");
        let line: Vec<&str> = towline.split(' ').collect();
        for output in [&pretty, &compact.to_string()] {
            let said = fed(folder.path(), output, &line, &[]);
            let said = screen(&said);
            let wanted = "standard input: no mistakes; cluster paris: 1 server, 1 agent\n";
            assert!(
                said.starts_with("status 0") && said.contains(wanted),
                "{said}"
            );
            checked += 1;
        }
    }
    assert_eq!(checked, 6);
}

#[test]
fn the_page_shows_what_is_shown() {
    let shown = block("It reads no host, and secrets are masked", "console");
    let (line, shown) = shown.split_once('\n').expect("two lines");
    let folder = folder("");
    let base = "\
cluster:
  version: v1.36.3+k3s1

groups:
  workers:
    role: agent
    labels:
      disk: ssd
      zone: none

hosts:
  server1: {address: 10.0.0.1, role: server}

  worker[01:03]:
    address: 10.0.1.[11:13]
    group: workers
";
    let paris = "\
cluster:
  name: paris

ssh: {user: admin}
groups:
  workers:
    labels:
      zone: paris
";
    fs::write(folder.path().join("base.yaml"), base).expect("written");
    fs::write(folder.path().join("paris.yaml"), paris).expect("written");
    let line: Vec<&str> = line.split(' ').skip(2).collect();
    assert_eq!(text(&towline(folder.path(), &line).stdout), shown);
}
