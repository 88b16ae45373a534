//! What OpenSSH's configuration says of a host, as the real `ssh -G` reads it.

use std::fs;
use std::process::{Command, Output, Stdio};

use super::{folder, screen, text};

/// The binary where this machine's `ssh` is, with a configuration of its own.
fn towline(config: &str, hosts: &str, arguments: &str) -> Output {
    let folder = folder(hosts);
    for key in ["key", "key-cert.pub", "agent-only.pub"] {
        fs::write(folder.path().join(key), "").expect("written");
    }
    let home = folder.path().to_string_lossy();
    let config = config.replace("HOME", &home);
    fs::write(folder.path().join("config"), config).expect("written");
    let mut output = Command::new(env!("CARGO_BIN_EXE_towline"))
        .args(arguments.split(' '))
        .args(["-i", "home.yaml", "-F", "config"])
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    for said in [&mut output.stdout, &mut output.stderr] {
        *said = text(said).replace(&*home, "HOME").into_bytes();
    }
    output
}

/// What is shown of m1's `ssh`, in one line: `key value layer`, divided by semicolons.
#[track_caller]
fn shown(config: &str, ssh: &str, arguments: &str) -> String {
    let hosts = format!("hosts: {{m1: {{address: web, role: server, ssh: {{{ssh}}}}}}}\n");
    let arguments = format!("inventory show --host m1{arguments}");
    let output = towline(&format!("Host web\n{config}\n"), &hosts, &arguments);
    assert!(output.status.success(), "{}", screen(&output));
    let lines = text(&output.stdout);
    let lines = lines.lines().map(str::trim).filter(|line| {
        line.starts_with("ssh") && !line.ends_with("default") || line.starts_with("address")
    });
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.collect::<Vec<_>>().join("; ")
}

#[test]
fn each_keyword_is_shown_as_it_is_used() {
    let said = "address web host home.yaml:1";
    for (config, wanted) in [
        ("HostName 192.0.2.1", "address 192.0.2.1 ssh_config"),
        (
            "HostName %h.example.org",
            "address web.example.org ssh_config",
        ),
        ("User ann", "ssh.user ann ssh_config"),
        ("User root", "ssh.user root ssh_config"),
        ("Port 2222", "ssh.port 2222 ssh_config"),
        (
            "ConnectTimeout 3",
            "ssh.connect_timeout_seconds 3 ssh_config",
        ),
        (
            "ProxyJump a@b:1,c",
            r#"ssh.bastion ["a@b:1","c"] ssh_config"#,
        ),
        ("ProxyJump none", ""),
        ("IdentityFile ~/key", r#"ssh.key ["HOME/key"] ssh_config"#),
        ("IdentityFile %d/%u/none", ""),
        ("IdentityFile HOME/agent-only", ""),
        (
            "IdentityFile HOME/agent-only\nIdentityAgent HOME/agent",
            r#"ssh.key ["HOME/agent-only.pub"] ssh_config; ssh.agent HOME/agent ssh_config"#,
        ),
        (
            "CertificateFile HOME/key-cert.pub",
            r#"ssh.certificate ["HOME/key-cert.pub"] ssh_config"#,
        ),
        (
            "UserKnownHostsFile HOME/a HOME/b",
            r#"ssh.known_hosts ["HOME/a","HOME/b"] ssh_config"#,
        ),
        (
            "UserKnownHostsFile none",
            r#"ssh.known_hosts ["/dev/null"] ssh_config"#,
        ),
        (
            "AddressFamily inet6",
            "ssh_config.addressfamily inet6 ssh_config",
        ),
        (
            "GlobalKnownHostsFile none",
            "ssh_config.globalknownhostsfile none ssh_config",
        ),
        (
            "HostKeyAlias other",
            "ssh_config.hostkeyalias other ssh_config",
        ),
        (
            "IdentitiesOnly yes",
            "ssh_config.identitiesonly yes ssh_config",
        ),
        (
            "ProxyCommand nc -X 5 %h %p",
            r#"ssh_config.proxycommand "nc -X 5 web 22" ssh_config"#,
        ),
        ("ProxyCommand none", ""),
        (
            "ServerAliveCountMax 7",
            "ssh_config.serveralivecountmax 7 ssh_config",
        ),
        (
            "ServerAliveInterval 5",
            "ssh_config.serveraliveinterval 5 ssh_config",
        ),
        (
            "StrictHostKeyChecking yes",
            "ssh_config.stricthostkeychecking true ssh_config",
        ),
        (
            "BindAddress 192.0.2.9",
            "ssh_config.bindaddress 192.0.2.9 ssh_config",
        ),
        (
            "ControlMaster auto\nControlPath ~/c\nCiphers aes256-ctr\nForwardAgent yes\nRemoteCommand top\nLocalForward 1 a:1",
            "",
        ),
    ] {
        let shown = shown(config, "", "");
        let rest = shown.strip_prefix(said).unwrap_or(&shown);
        assert_eq!(rest.trim_start_matches("; "), wanted, "{config}");
    }
    let hosts = "hosts: {m1: {address: web, role: server}}\n";
    let output = towline("BindAddress 192.0.2.9\n", hosts, "inventory show");
    let screen = screen(&output);
    assert!(screen.contains("BindAddress is not used (m1)"), "{screen}");
}

#[test]
fn a_flag_goes_before_the_inventory_and_that_before_the_configuration() {
    let config = "User ann\nPort 2222\nProxyJump jump\nIdentityFile ~/key";
    let of_config = r#"; ssh.key ["HOME/key"] ssh_config"#;
    let address = "address web host home.yaml:1";
    assert_eq!(
        shown(config, "user: bob, port: 23, bastion: hop", ""),
        format!(
            "{address}; ssh.user bob host home.yaml:1; ssh.port 23 host home.yaml:1; \
             ssh.bastion [\"hop\"] host home.yaml:1{of_config}"
        )
    );
    let shown = shown(config, "bastion: hop", " -J flag");
    assert_eq!(
        shown,
        format!(
            "{address}; ssh.user ann ssh_config; ssh.port 2222 ssh_config; \
             ssh.bastion [\"flag\"] flag{of_config}"
        )
    );
}

#[test]
fn a_configuration_that_cannot_be_used_is_refused_with_words() {
    let hosts = "hosts: {m1: {address: web, role: server}}\n";
    let mut screens = String::new();
    for config in [
        "Hots web",
        "RevokedHostKeys /x",
        "ProxyCommand run %T",
        "ProxyCommand nc %h %p\nHostName a;b",
    ] {
        let output = towline(config, hosts, "plan");
        assert_eq!(output.status.code(), Some(2), "{}", screen(&output));
        screens.push_str(&format!("{config}\n{}\n", text(&output.stderr)));
    }
    insta::assert_snapshot!("ssh-config-that-is-refused", screens);
}
