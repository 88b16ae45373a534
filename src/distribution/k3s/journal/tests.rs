use super::*;
use crate::distribution::journal::seeks_leader;

#[test]
fn frames_are_taken_off_and_the_own_load_balancer_is_no_address() {
    let table = [
        (
            r#"time="2026-01-02T03:04:05Z" level=fatal msg="Error: flag provided but not defined: -x""#,
            "Error: flag provided but not defined: -x",
        ),
        (
            r#"time="x" level=error msg="a \"b\" c" error="d" node=m1"#,
            r#"a "b" c"#,
        ),
        (r"time=x level=warning msg=short more=1", "short"),
        (
            "E1121 04:20:05.123456    1234 reflector.go:12] it broke",
            "it broke",
        ),
        ("said by itself", "said by itself"),
        (
            r#"time="x" level=error msg="Failed to validate connection to cluster at https://10.0.0.1:6443: failed to get CA certs: Get \"https://127.0.0.1:6444/cacerts\": read tcp 127.0.0.1:40222->127.0.0.1:6444: read: connection reset by peer""#,
            "Failed to validate connection to cluster at https://10.0.0.1:6443: failed to get CA certs: read: connection reset by peer",
        ),
        (
            r#"level=error msg="failed to get CA certs: Get \"https://127.0.0.1:6444/cacerts\": EOF""#,
            "failed to get CA certs: EOF",
        ),
    ];
    for (line, expected) in table {
        assert_eq!(WORDS.message(line), expected);
    }
}

#[test]
fn last_words_are_alike_but_for_numbers_and_none_where_they_pass() {
    let last = |line: &str| WORDS.last_words(&format!("level=info msg=chatter\n{line}\n"));
    let words = last("level=fatal msg=\"database 7 is broken\"");
    assert!(words.is_some());
    assert_eq!(words, last("level=fatal msg=\"database 12 is broken\""));
    assert_ne!(words, last("level=fatal msg=\"database is broken\""));
    assert_eq!(
        last(
            "level=fatal msg=\"ETCD join failed: etcdserver: too many learner members in cluster\""
        ),
        None
    );
    assert_eq!(WORDS.last_words(""), None);
}

/// As k3s 1.36.3 ends with a flag that a part of it does not know.
#[test]
fn why_k3s_ends_is_told_last() {
    let journal = "time=\"x\" level=error msg=\"Shutdown request received: \\\"scheduler exited: unknown flag: --no-such-flag\\\"\"\n\
                   E1127 20:13:19.000001    1234 event.go:368] \"Unable to write event (may retry after sleeping)\"\n";
    assert_eq!(
        WORDS.relevant(journal),
        [
            "\"Unable to write event (may retry after sleeping)\"",
            "Shutdown request received: \"scheduler exited: unknown flag: --no-such-flag\""
        ]
    );
}

#[test]
fn a_member_seeks_a_leader_until_it_has_one() {
    let raft = |msg| format!(r#"{{"level":"info","ts":"x","logger":"raft","msg":"{msg}"}}"#);
    let election = raft("97d7f0b6b6f4a58 is starting a new election at term 3");
    let leader = raft("raft.node: 97d7f0b6b6f4a58 elected leader 97d7f0b6b6f4a58 at term 4");
    let lost = raft("97d7f0b6b6f4a58 became pre-candidate at term 3");
    for (lines, seeks) in [
        (vec![], false),
        (vec![&election, &lost], true),
        (vec![&election, &leader, &lost], false),
        (vec![&leader, &election], true),
    ] {
        let journal: Vec<_> = lines.iter().map(|line| line.as_str()).collect();
        assert_eq!(seeks_leader(&journal.join("\n")), seeks, "{journal:?}");
    }
}

#[test]
fn keys_that_a_server_skips_are_told_once_with_what_was_meant() {
    let line = |key| {
        format!(
            r#"time="x" level=warning msg="Unknown flag --{key} found in config.yaml, skipping\n""#
        )
    };
    let lines = [
        line("nosuchkey"),
        line("it's"),
        line("kubelet-args"),
        line("nosuchkey"),
    ]
    .join("\n");
    insta::assert_snapshot!(skipped(&lines).join("\n"), @r#"
    k3s skips `it's` of its configuration: it has no such flag. On the host, this shows where it stands:
    grep -rn 'it.s' /etc/rancher/k3s
    k3s skips `kubelet-args` of its configuration: it has no such flag (did you mean `kubelet-arg`?). On the host, this shows where it stands:
    grep -rn 'kubelet-args' /etc/rancher/k3s
    k3s skips `nosuchkey` of its configuration: it has no such flag. On the host, this shows where it stands:
    grep -rn 'nosuchkey' /etc/rancher/k3s
    "#);
    assert!(skipped("nothing of the kind").is_empty());
}

#[test]
fn of_a_journal_the_last_lines_of_trouble_are_kept_without_noise() {
    let journal = [
        r#"time="x" level=info msg="Starting k3s v1.36.3+k3s1 (abc)""#,
        r#"time="x" level=info msg="Waiting to retrieve agent configuration; server is not ready: x 1""#,
        "I1121 04:20:05.123456    1234 server.go:12] chatter",
        "W1121 04:20:05.123456    1234 server.go:12] chatter, too",
        "",
        r#"time="x" level=warning msg="Cluster CA certificate is not trusted by the host CA bundle, but the token does not include a CA hash. Use the full token""#,
        r#"time="x" level=info msg="Waiting to retrieve agent configuration; server is not ready: x 22""#,
        "E1121 04:20:05.123456    1234 server.go:12] broke",
        "   --flag value  (default: 1)",
        r#"time="x" level=fatal msg="it has no wings""#,
    ]
    .join("\n");
    assert_eq!(
        WORDS.relevant(&journal),
        [
            "Waiting to retrieve agent configuration; server is not ready: x 22 (2 times)",
            "broke",
            "it has no wings"
        ]
    );
    let many: String = (0_u8..30)
        .map(|index| format!("trouble {}\n", char::from(b'A' + index)))
        .collect();
    let kept = WORDS.relevant(&many);
    assert_eq!((kept.len(), kept[0].as_str()), (20, "trouble K"));
    assert_eq!(WORDS.relevant(&"x".repeat(1000))[0].chars().count(), 301);
    let calm = "level=info msg=\"one thing\"\nlevel=info msg=\"another thing\"";
    assert_eq!(WORDS.relevant(calm), ["another thing"]);
    assert!(WORDS.relevant("").is_empty());
}
