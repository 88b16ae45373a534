use super::*;
use insta::assert_snapshot;

#[test]
fn secrets_are_masked_in_every_way_that_yaml_can_write_them() {
    assert_snapshot!(masked(
            r#"token: |
  hunter1

  hunter2
node-ip: 10.0.0.1
{a: 1, "agent-token": hunter3, b: 2}
{agent-token:
hunter4}
etcd-s3-secret-key:
  hunter5
token-file: /x
- - TOKEN: hunter6
- token: hunter7
  node-label: a=b
token+: hunter8
vpn-auth: name=tailscale,joinKey=hunter9
vpn-auth-file: /y
datastore-endpoint: mysql://k3s:hunter10@tcp(10.0.0.9:3306)/k3s
password: "hunter11
hunter12: x"
tls-san: [a]
passwords:
- hunter13
- hunter14
secret: [hunter15,
hunter16]
secrets-encryption: true
token: (known once the first server runs)
kube-apiserver-arg:
- etcd-password=hunter17
- anonymous-auth=false
"#
        ), @r#"
        token: ***
          ***

          ***
        node-ip: 10.0.0.1
        {a: 1, "agent-token": ***
        {agent-token:
        ***
        etcd-s3-secret-key:
          ***
        token-file: /x
        - - TOKEN: ***
        - token: ***
          node-label: a=b
        token+: ***
        vpn-auth: ***
        vpn-auth-file: /y
        datastore-endpoint: ***
        password: ***
        ***
        tls-san: [a]
        passwords:
        ***
        ***
        secret: ***
        ***
        secrets-encryption: true
        token: (known once the first server runs)
        kube-apiserver-arg:
        - etcd-password=***
        - anonymous-auth=false
        "#);
}

#[test]
fn secrets_are_masked_in_units_variables_and_scripts() {
    assert_snapshot!(masked(
            "Environment=\"K3S_TOKEN=hunter1\" A=b\nExecStart=/usr/local/bin/k3s server --token hunter2 --debug\n\
             ExecStart=/usr/local/bin/k3s agent -t hunter3 -s https://10.0.0.1:6443\n\
             \t'--agent-token=hunter4' \\\n\t'--token' \\\n\t'hunter5' \\\n\t'--token-file' \\\n\t'/x' \\\n\
             \t--vpn-auth name=tailscale,joinKey=hunter6 \\\n\
             AWS_SECRET_ACCESS_KEY=hunter7\nHTTPS_PROXY=http://ann:hunter8@10.0.0.9:3128\nhttp_proxy=ann:hunter9@10.0.0.9:3128\n\
             K3S_DATASTORE_ENDPOINT='postgres://k3s:hunter10@h/k3s'\nPASSWORD='hunter11\nhunter12'\nNO_PROXY=10.0.0.0/8\n\
             curl -x http://ann:hunter13@proxy:3128 https://example.org\n\
             -----BEGIN EC PRIVATE KEY-----\nhunter14\n-----END EC PRIVATE KEY-----\nafter\n\
             server_token=base64:aHVudGVyMTU=\nserver token: hunter16\n"
        ), @r#"
        Environment="K3S_TOKEN=***
        ExecStart=/usr/local/bin/k3s server --token ***
        ExecStart=/usr/local/bin/k3s agent -t ***
        	'--agent-token=***
        	'--token' \
        	***
        	'--token-file' \
        	'/x' \
        	--vpn-auth ***
        AWS_SECRET_ACCESS_KEY=***
        HTTPS_PROXY=http://***@10.0.0.9:3128
        http_proxy=***@10.0.0.9:3128
        K3S_DATASTORE_ENDPOINT=***
        PASSWORD=***
        ***
        NO_PROXY=10.0.0.0/8
        curl -x http://***@proxy:3128 https://example.org
        ***
        ***
        ***
        after
        server_token=***
        server token: ***
        "#);
}

#[test]
fn two_versions_differ_where_a_secret_does() {
    let old = "a: 1\ntoken: |\n  one\n  two\nproxy: http://u:one@h\nagent-token: same\n";
    let new = "a: 1\ntoken: |\n  one\n  three\nproxy: http://u:two@h\nagent-token: same\npassword: first\n";
    let (old, new) = masked_pair(old, new);
    assert_snapshot!(format!("{old}---\n{new}"), @r"
        a: 1
        token: ***
          ***
          ***
        proxy: http://***@h
        agent-token: ***
        ---
        a: 1
        token: ***
          ***
          *** (changed)
        proxy: http://*** (changed)@h
        agent-token: ***
        password: ***
        ");
}

#[test]
fn a_token_that_is_packed_needs_no_key() {
    let token = |filler: &str| format!("H4sIAAAAAAAC/{}==\n", filler.repeat(20));
    let (old, new) = masked_pair(&token("a1"), &token("b2"));
    assert_eq!((&*old, &*new), ("***\n", "*** (changed)\n"));
    assert_eq!(masked(&format!("echo {}", token("a1"))), "echo ***\n");
    assert_eq!(masked("as H4sI says"), "as H4sI says");
}

#[test]
fn a_long_text_costs_next_to_nothing() {
    let times = |size: usize| {
        let keys: String = (0..size).map(|n| format!("token{n}: x{n}\n")).collect();
        let signs = "token=\"true\" proxy=://".repeat(size / 5) + "x@";
        let once = || {
            let begun = std::time::Instant::now();
            assert!(!masked(&keys).contains('x'));
            assert!(!masked(&signs).contains("x@"));
            begun.elapsed().as_secs_f64()
        };
        (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
    };
    // Ten times as long; where every place were held against every other, it would be a hundred times.
    let (short, long) = (times(5_000), times(50_000));
    assert!(long < 40.0 * short, "{long} and {short}");
}
