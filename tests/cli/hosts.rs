//! What is said of hosts that are not reached, or before one is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use super::{folder, screen, text, towline};
#[test]
fn a_host_that_cannot_be_reached_ends_with_1_and_words() {
    let inventory = "cluster: {version: v1.36.3+k3s1}\nssh: {port: 1, user: root}\nhosts:\n  m1: {address: 127.0.0.1, role: server}\n";
    let folder = folder(inventory);
    for command in ["plan", "deploy"] {
        let output = towline(folder.path(), &[command, "-i", "home.yaml"]);
        let screen = screen(&output);
        assert_eq!(output.status.code(), Some(1), "{screen}");
        let errors = text(&output.stderr);
        assert!(
            errors.starts_with("error[host-without-ssh]: m1: ") && errors.contains("127.0.0.1"),
            "{screen}"
        );
        assert!(!screen.contains("panicked"), "{screen}");
        assert_eq!(
            screen.contains("not known of m1; otherwise nothing to change"),
            command == "plan",
            "{screen}"
        );
    }
    let output = towline(
        folder.path(),
        &["deploy", "-i", "home.yaml", "--output", "json"],
    );
    let events: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("one object per line"))
        .collect();
    let last = events.last().expect("events");
    assert_eq!(
        (&last["event"], &last["report"]["rows"][0]["outcome"]),
        (&"finished".into(), &"unreachable".into())
    );
}

#[test]
fn a_log_is_a_file_of_its_owner_alone_and_holds_no_secret() {
    let inventory = "cluster: {version: v1.36.3+k3s1, token: abcdef0123456789}\nssh: {port: 1, user: root}\nhosts:\n  m1: {address: 127.0.0.1, role: server}\n";
    let folder = folder(inventory);
    let run = |words: &str| {
        let mut words: Vec<_> = words.split(' ').collect();
        words.extend(["-i", "home.yaml"]);
        towline(folder.path(), &words)
    };
    let output = run("plan --log-file log");
    assert_eq!(output.status.code(), Some(1), "{}", screen(&output));
    let path = folder.path().join("log");
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let log = fs::read_to_string(&path).expect("a log");
    assert!(
        log.contains("host{name=\"m1\"}") && log.contains("DEBUG"),
        "{log}"
    );
    assert!(!log.contains("abcdef0123456789"), "{log}");
    assert!(
        !text(&output.stderr).contains("DEBUG"),
        "{}",
        screen(&output)
    );

    // It goes on with what is there; on standard error it is seen as well.
    let output = run("plan -vvv --log-file log");
    assert!(
        text(&output.stderr).contains(" DEBUG run{"),
        "{}",
        screen(&output)
    );
    assert!(fs::read_to_string(&path).expect("a log").starts_with(&log));

    insta::assert_snapshot!(screen(&run("plan --log-file none/log")), @r"
    status 2
    --- standard output
    --- standard error
    error[file-unwritable]: the log file none/log cannot be written
      No such file or directory (os error 2)
      → name another:  --log-file FILE
    nothing was changed
    for more, type:  towline explain file-unwritable
    ");
}

/// What no answer of a host could make right.
#[test]
fn what_k3s_does_not_take_is_refused_with_its_place_before_any_connection() {
    let inventory = "cluster:\n  version: v1.36.3+k3s1\n  config:\n    kubelet-args: [max-pods=50]\n    cluster-cidr: 10.52.0.0\n\
                     groups:\n  edge: {config: {resolvconf: /etc/x}}\n\
                     hosts:\n  m1: {address: 192.0.2.1, role: server}\n  w1: {address: 192.0.2.2, role: agent, groups: [edge]}\n";
    let folder = folder(inventory);
    insta::assert_snapshot!(screen(&towline(folder.path(), &["plan", "-i", "home.yaml"])), @r"
    status 2
    --- standard output
    --- standard error
      × `kubelet-args` is no flag of k3s server; k3s v1.36.3+k3s1 does not know it: a server drops it,
      │ with one warning in its journal
       ╭─[home.yaml:4:5]
     4 │     kubelet-args: [max-pods=50]
       ·     ────────────
       ╰────
      help: did you mean `kubelet-arg`?

      × `cluster-cidr`: `10.52.0.0` is not a range of addresses
       ╭─[home.yaml:5:5]
     5 │     cluster-cidr: 10.52.0.0
       ·     ────────────
       ╰────
      help: with its size: 10.52.0.0/16

      × `resolvconf` is no flag of k3s agent; k3s v1.36.3+k3s1 does not know it: an agent refuses to
      │ start with it
       ╭─[home.yaml:7:31]
     7 │   edge: {config: {resolvconf: /etc/x}}
       ·                               ──────
       ╰────
      help: did you mean `resolv-conf`?

    error[setting-invalid]: 3 mistakes in home.yaml; nothing was changed
    for more, type:  towline explain setting-invalid
    ");
    // Of a channel it is not known yet which version it is.
    let channel = inventory.replace("version: v1.36.3+k3s1", "channel: stable");
    let channel = channel.replace("    cluster-cidr: 10.52.0.0\n", "");
    fs::write(folder.path().join("channel.yaml"), channel).expect("written");
    let said = screen(&towline(
        folder.path(),
        &["plan", "-i", "channel.yaml", "--limit", "m9"],
    ));
    assert!(
        said.contains("m9") && !said.contains("kubelet-args"),
        "{said}"
    );
    let line = "install --ip 192.0.2.1 --k3s-version v1.36.3+k3s1 --k3s-extra-args --kubelet-args=max-pods=50";
    let words: Vec<_> = line.split(' ').collect();
    let said = screen(&towline(folder.path(), &words));
    assert!(
        said.contains("--extra-args: `kubelet-args` is no flag of k3s server"),
        "{said}"
    );
}

#[test]
fn a_reset_without_a_terminal_to_ask_on_names_the_line_to_type() {
    let right = folder("hosts:\n  m1: {address: 10.0.0.1, role: server}\n");
    let output = towline(
        right.path(),
        &["reset", "-i", "home.yaml", "--limit", "m1,!m2"],
    );
    insta::assert_snapshot!(screen(&output), @r"
    status 2
    --- standard output
    --- standard error
    error[unconfirmed]: a reset removes a cluster with its data, and there is no terminal to ask on
      → to see what it would do:
        towline reset -i home.yaml --limit 'm1,!m2' --plan
      → to do it:
        towline reset -i home.yaml --limit 'm1,!m2' --yes
    nothing was changed
    for more, type:  towline explain unconfirmed
    ");
}

#[test]
fn data_that_is_not_saved_here_is_refused_before_a_host_is_reached() {
    let k0s = folder(
        "cluster: {distribution: k0s}\nhosts:\n  m1: {address: 192.0.2.1, role: controller}\n",
    );
    let commands = ["snapshot save", "snapshot list", "recover --plan"];
    for command in commands {
        let line = format!("{command} -i home.yaml");
        let words: Vec<_> = line.split(' ').collect();
        let said = screen(&towline(k0s.path(), &words));
        let refused =
            "error[snapshot-unavailable]: towline does not save or restore the data of k0s yet";
        assert!(said.contains(refused), "{said}");
        assert!(said.contains("k0s backup --save-path /root"), "{said}");
    }
    let outside = folder(
        "cluster: {datastore_endpoint: 'postgres://one:secret@db:5432/k3s'}\nhosts:\n  m1: {address: 192.0.2.1, role: server}\n",
    );
    let said = screen(&towline(
        outside.path(),
        &["recover", "-i", "home.yaml", "--plan"],
    ));
    assert!(said.contains("the data of this cluster is in"), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

#[test]
fn more_hosts_than_files_may_be_open_are_told_before_the_first_connection() {
    // It takes connections and never says a word.
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let inventory = format!(
        "cluster: {{version: v1.36.3+k3s1}}\nssh: {{port: {port}, connect_timeout_seconds: 1}}\nhosts: {{'m[1:60]': {{address: '127.0.0.[1:60]', role: server}}}}"
    );
    let folder = folder(&inventory);
    let limited = |limit: &str| {
        let line = format!(
            "ulimit {limit} && exec '{}' plan -i home.yaml --parallel 60",
            env!("CARGO_BIN_EXE_towline")
        );
        let output = Command::new("sh")
            .args(["-c", &line])
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        (output.status.code(), screen(&output))
    };
    let (code, said) = limited("-n 48");
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("60 hosts need 332 open files here") && said.contains("hard limit is 48"),
        "{said}"
    );
    assert!(!said.contains("m1: "), "{said}");
    let (_, said) = limited("-Sn 48");
    assert!(said.contains("m60: cannot be reached"), "{said}");
    assert!(
        !said.to_lowercase().contains("too many open files"),
        "{said}"
    );
}
