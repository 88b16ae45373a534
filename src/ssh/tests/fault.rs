//! Every text that the user reads when there is no connection.

use std::time::Duration;

use super::*;
use crate::ssh::AddressFamily;

fn target(address: &str, port: u16) -> Target {
    Target {
        name: "m1".to_owned(),
        address: address.to_owned(),
        port,
        user: "ubuntu".to_owned(),
        connect_timeout: Duration::from_secs(10),
        password: None,
        become_password: None,
        alive_interval: Duration::from_secs(15),
        alive_count: 3,
        family: AddressFamily::Any,
        key_alias: None,
        through: Vec::new(),
    }
}

fn m1() -> Target {
    target("10.0.0.1", 22)
}

fn refused(port: u16, key_type: &str, verdict: KnownHostVerdict) -> Problem {
    let shown = ShownHostKey {
        key_type: key_type.to_owned(),
        fingerprint: "SHA256:new".to_owned(),
    };
    let own_file = Path::new("/home/x/.ssh/known_hosts");
    target("10.0.0.1", port).refused(&shown, verdict, own_file, false)
}

fn place() -> KnownHostsLine {
    KnownHostsLine {
        file: PathBuf::from("/home/x/.ssh/known_hosts"),
        line: 7,
    }
}

#[test]
fn an_unreachable_host() {
    let error =
        target("m1.example.org", 22).unresolved("does not resolve: Name or service not known");
    insta::assert_snapshot!(error, @r"
    m1: cannot be reached
      the name m1.example.org does not resolve: Name or service not known
      → getent hosts m1.example.org
      → or give the host's IP address instead of its name
    ");
    insta::assert_snapshot!(m1().no_tcp(&io::ErrorKind::ConnectionRefused.into()), @r"
    m1: cannot be reached
      nothing listens on 10.0.0.1 port 22: connection refused
      → start sshd on the host, or set its `ssh.port`; then check with:
        ssh ubuntu@10.0.0.1
    ");
    insta::assert_snapshot!(m1().no_tcp(&io::Error::from_raw_os_error(113)), @r"
    m1: cannot be reached
      there is no way to 10.0.0.1 port 22: No route to host (os error 113)
      → check the address, the network of this machine and that the host is up:
        ping -c 3 10.0.0.1
    ");
    insta::assert_snapshot!(m1().no_tcp(&io::Error::from_raw_os_error(13)), @r"
    m1: cannot be reached
      TCP to 10.0.0.1 port 22 failed: Permission denied (os error 13)
      → ssh ubuntu@10.0.0.1
    ");
}

#[test]
fn a_stage_that_takes_too_long() {
    let texts = [
        m1().unresolved("was not resolved within 10 s"),
        m1().silent("10 s"),
        m1().no_banner(None, " within 10 s"),
        m1().broken("10.0.0.1 port 22 did not finish the key exchange within 10 s"),
    ];
    let texts = texts.map(|problem| problem.to_string());
    insta::assert_snapshot!(texts.join("\n\n"), @r"
    m1: cannot be reached
      the name 10.0.0.1 was not resolved within 10 s
      → getent hosts 10.0.0.1
      → or give the host's IP address instead of its name

    m1: cannot be reached
      10.0.0.1 port 22 did not answer within 10 s
      → check that the host is up and that no firewall drops this port:
        ping -c 3 10.0.0.1

    m1: cannot be reached
      10.0.0.1 port 22 takes connections, but no SSH server introduced itself within 10 s
      → check that sshd listens on this port and takes more connections (MaxStartups); then check with:
        ssh ubuntu@10.0.0.1

    m1: cannot be reached
      10.0.0.1 port 22 did not finish the key exchange within 10 s
      → ssh -v ubuntu@10.0.0.1
    ");
}

#[test]
fn a_port_that_does_not_speak_ssh() {
    insta::assert_snapshot!(m1().no_banner(None, ": the host closed the connection"), @r"
    m1: cannot be reached
      10.0.0.1 port 22 takes connections, but no SSH server introduced itself: the host closed the connection
      → check that sshd listens on this port and takes more connections (MaxStartups); then check with:
        ssh ubuntu@10.0.0.1
    ");
    let said = Some("220 mail.example.org ESMTP");
    insta::assert_snapshot!(m1().no_banner(said, ": invalid SSH version string"), @r"
    m1: cannot be reached
      10.0.0.1 port 22 takes connections, but no SSH server introduced itself: invalid SSH version string
      it said: 220 mail.example.org ESMTP
      → check that sshd listens on this port and takes more connections (MaxStartups); then check with:
        ssh ubuntu@10.0.0.1
    ");
}

#[test]
fn a_connection_that_ends() {
    let why = "the key exchange with 10.0.0.1 port 22 failed: the host reset the connection";
    insta::assert_snapshot!(m1().broken(why), @r"
    m1: cannot be reached
      the key exchange with 10.0.0.1 port 22 failed: the host reset the connection
      → ssh -v ubuntu@10.0.0.1
    ");
    let why = "the connection to fe80::1 port 2222 ended during authentication: the host reset the connection";
    let error = target("[fe80::1]", 2222).broken(why);
    insta::assert_snapshot!(error, @r"
    m1: cannot be reached
      the connection to fe80::1 port 2222 ended during authentication: the host reset the connection
      → ssh -v -p 2222 ubuntu@fe80::1
    ");
}

#[test]
fn a_host_key_that_is_not_taken() {
    insta::assert_snapshot!(refused(22, "ssh-ed25519", KnownHostVerdict::Unknown), @r"
    m1: the host key is not known
      10.0.0.1 port 22 shows the ssh-ed25519 key SHA256:new
      → compare it with what this prints on the host itself:
        ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub
      → if they are equal, run the same command again with --accept-new-host-keys, or first type:
        ssh-keyscan 10.0.0.1 >> /home/x/.ssh/known_hosts
    ");
    insta::assert_snapshot!(refused(2222, "ecdsa-sha2-nistp256", KnownHostVerdict::Unknown), @r"
    m1: the host key is not known
      10.0.0.1 port 2222 shows the ecdsa-sha2-nistp256 key SHA256:new
      → compare it with what this prints on the host itself:
        ssh-keygen -l -f /etc/ssh/ssh_host_ecdsa_key.pub
      → if they are equal, run the same command again with --accept-new-host-keys, or first type:
        ssh-keyscan -p 2222 10.0.0.1 >> /home/x/.ssh/known_hosts
    ");
    insta::assert_snapshot!(refused(22, "ssh-ed25519", KnownHostVerdict::Changed { place: place(), known: "SHA256:old".to_owned() }), @r"
    m1: THE HOST KEY HAS CHANGED
      10.0.0.1 port 22 shows the ssh-ed25519 key SHA256:new
      /home/x/.ssh/known_hosts:7 says SHA256:old
      either the machine was installed anew, or another one answers in its place
      → only if you know that it was installed anew, forget the old keys:
        ssh-keygen -R 10.0.0.1 -f /home/x/.ssh/known_hosts
      → and run the same command again with:  --accept-new-host-keys
    ");
    insta::assert_snapshot!(refused(2222, "ssh-rsa", KnownHostVerdict::OtherType { types: vec!["ssh-ed25519".to_owned()], place: place() }), @r"
    m1: the host shows a key of a new type
      10.0.0.1 port 2222 shows the ssh-rsa key SHA256:new
      /home/x/.ssh/known_hosts:7 knows it by ssh-ed25519 only
      either the machine was installed anew, or another one answers in its place
      → only if you know that it was installed anew, forget the old keys:
        ssh-keygen -R '[10.0.0.1]:2222' -f /home/x/.ssh/known_hosts
      → and run the same command again with:  --accept-new-host-keys
    ");
    insta::assert_snapshot!(refused(22, "ssh-rsa", KnownHostVerdict::Revoked(place())), @r"
    m1: THE HOST KEY IS REVOKED
      10.0.0.1 port 22 shows the ssh-rsa key SHA256:new
      /home/x/.ssh/known_hosts:7 revokes this key
      → do not use this machine before it has new host keys: others may hold the old ones
    ");
    let (place, authority) = (place(), "SHA256:ca".to_owned());
    let revoked = KnownHostVerdict::RevokedAuthority { place, authority };
    insta::assert_snapshot!(refused(22, "ssh-rsa", revoked), @r"
    m1: THE AUTHORITY OF THE HOST CERTIFICATE IS REVOKED
      10.0.0.1 port 22 shows the ssh-rsa key SHA256:new
      /home/x/.ssh/known_hosts:7 revokes SHA256:ca, which signed its certificate
      → do not use this machine before another authority has signed its host key
    ");
}

#[test]
fn a_host_that_lets_nobody_in() {
    let methods = || vec!["publickey".to_owned(), "password".to_owned()];
    let offered = || {
        vec![
            "/home/x/.ssh/id_rsa (ssh-rsa SHA256:one)".to_owned(),
            "the agent's x@laptop (ssh-ed25519 SHA256:two)".to_owned(),
        ]
    };
    let plain = Denied {
        offered: offered(),
        methods: methods(),
        ..Denied::default()
    };
    let error = m1().denied(&plain);
    insta::assert_snapshot!(error, @r"
    m1: 10.0.0.1 port 22 refused the login as ubuntu
      refused: /home/x/.ssh/id_rsa (ssh-rsa SHA256:one)
      refused: the agent's x@laptop (ssh-ed25519 SHA256:two)
      the host allows: publickey, password
      → check that this logs in:
        ssh -i KEY ubuntu@10.0.0.1
    ");
    let nothing = Denied {
        methods: methods(),
        protected: vec![PathBuf::from("/home/x/.ssh/id_ed25519")],
        notes: vec!["the agent at /tmp/agent was of no help: it holds no keys".to_owned()],
        ..Denied::default()
    };
    insta::assert_snapshot!(m1().denied(&nothing), @r"
    m1: 10.0.0.1 port 22 refused the login as ubuntu
      there was no key to offer
      the host allows: publickey, password
      /home/x/.ssh/id_ed25519 is protected by a passphrase and was not offered
      the agent at /tmp/agent was of no help: it holds no keys
      → add it to the agent:
        ssh-add /home/x/.ssh/id_ed25519
      → or say where its passphrase is:
        ssh: {passphrase: {command: [pass, show, ssh]}}
      → check that this logs in:
        ssh -i KEY ubuntu@10.0.0.1
    ");
    let many = Denied {
        offered: offered(),
        methods: methods(),
        too_many: true,
        ..Denied::default()
    };
    insta::assert_snapshot!(m1().denied(&many), @r"
    m1: 10.0.0.1 port 22 refused the login as ubuntu
      refused: /home/x/.ssh/id_rsa (ssh-rsa SHA256:one)
      refused: the agent's x@laptop (ssh-ed25519 SHA256:two)
      the host allows: publickey, password
      the host hung up: too many authentication failures
      → name the right key (`ssh.key` in the inventory, or --ssh-key), it is offered first; or empty the agent:
        ssh-add -D
      → check that this logs in:
        ssh -i KEY ubuntu@10.0.0.1
    ");
    let more = Denied {
        offered: offered(),
        methods: vec!["password".to_owned()],
        more_wanted: true,
        ..Denied::default()
    };
    insta::assert_snapshot!(m1().denied(&more), @r"
    m1: 10.0.0.1 port 22 refused the login as ubuntu
      offered: /home/x/.ssh/id_rsa (ssh-rsa SHA256:one)
      offered: the agent's x@laptop (ssh-ed25519 SHA256:two)
      a key was accepted, but the host asks for something more
      the host allows: password
      → add, to be asked for the user's password:  --ask-pass
      → or say where it is:
        ssh: {password: {command: [pass, show, login]}}
    ");
    let password = Denied {
        methods: vec!["password".to_owned()],
        ..Denied::default()
    };
    insta::assert_snapshot!(m1().denied(&password), @r"
    m1: 10.0.0.1 port 22 refused the login as ubuntu
      there was no key to offer
      the host allows: password
      → add, to be asked for the user's password:  --ask-pass
      → or say where it is:
        ssh: {password: {command: [pass, show, login]}}
    ");
}
