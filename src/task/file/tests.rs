use super::*;
use insta::assert_snapshot;

fn file() -> File {
    File {
        path: "/etc/rancher/k3s/config.yaml".into(),
        template: None,
        content: Some("node-ip: 10.0.0.1\ntoken: new\n".into()),
        render: false,
        mode: 0o600,
        owner: root(),
        only_where_written: false,
        effective: false,
        once: Vec::new(),
        validate: None,
    }
}

fn judged(answer: &str) -> Verdict {
    let seen = Reply {
        status: 0,
        stdout: answer.into(),
        stderr: String::new(),
    };
    file().judge(&seen, &Changes::default()).expect("a verdict")
}

#[test]
fn same_content_and_mode_is_converged() {
    assert_eq!(judged("mode=600 0:0\nstate=same\n"), Verdict::Converged);
    assert!(matches!(
        judged("mode=644 0:0\nstate=same\n"),
        Verdict::Drifted(_)
    ));
    assert!(matches!(judged(""), Verdict::Undecidable(_)));
}

#[test]
fn other_words_about_towline_are_no_change() {
    let with = |old: &str, hash: &str, mode: &str| {
        let content = encode(old.as_bytes()).replace('\n', "");
        judged(&format!(
            "mode={mode} 0:0\nstate=differs\nhash={hash}\ncontent={PACKED}{content}\n"
        ))
    };
    let same = "# Written by towline long ago.\nnode-ip: 10.0.0.1\ntoken: new\n";
    assert_eq!(with(same, &sha256(same), "600"), Verdict::Converged);
    let Verdict::Drifted(remedy) = with(same, &sha256(same), "644") else {
        panic!("its mode differs");
    };
    assert!(remedy.changes[0].what.starts_with("set mode"));
    let other = "# A word of mine.\nnode-ip: 10.0.0.1\ntoken: new\n";
    for (old, hash) in [
        (other, sha256(other)),
        // More follows than what was answered.
        (same, sha256("longer")),
    ] {
        assert!(
            matches!(with(old, &hash, "600"), Verdict::Drifted(_)),
            "{old}"
        );
    }
}

#[test]
fn a_difference_in_what_is_read_once_is_in_effect_and_with_another_it_is_not() {
    let is_marked = |old: &str, new: &str, once: &str| {
        let content = encode(old.as_bytes()).replace('\n', "");
        let answer = format!(
            "mode=600 0:0\nstate=differs\nhash={}\ncontent={PACKED}{content}\n",
            sha256(old)
        );
        let seen = Reply {
            status: 0,
            stdout: answer,
            stderr: String::new(),
        };
        let file = File {
            content: Some(new.into()),
            once: vec![once.into()],
            ..file()
        };
        match file.judge(&seen, &Changes::default()) {
            Ok(Verdict::Drifted(remedy)) => remedy.changes[0].mark.is_some(),
            other => panic!("{other:?}"),
        }
    };
    let once = "node-label";
    assert!(!is_marked("a: 1\nnode-label: [\"a=b\"]\n", "a: 1\n", once));
    assert!(!is_marked("a: 1\n", "a: 1\nnode-label: [\"a=b\"]\n", once));
    assert!(is_marked("a: 2\n", "a: 1\nnode-label: [\"a=b\"]\n", once));
    let (old, new) = (
        "[x]\nRun=/k0s worker --labels=a=b --debug\n",
        "[x]\nRun=/k0s worker --debug\n",
    );
    assert!(!is_marked(old, new, "--labels="));
    assert!(is_marked(
        old,
        "[x]\nRun=/k0s worker --taints=x\n",
        "--labels="
    ));
}

#[test]
fn no_more_of_a_file_is_compared_than_was_asked_for() {
    let old = encode(&b"\n".repeat(2 * DIFF_LIMIT)).replace('\n', "");
    let told = format!(
        "mode=600 0:0\nstate=differs\nhash={}\ncontent={PACKED}{old}\n",
        sha256("x")
    );
    let Verdict::Drifted(remedy) = judged(&told) else {
        panic!("it differs");
    };
    let diff = remedy.changes[0].diff.as_deref().expect("a diff");
    assert!(diff.lines().count() < DIFF_LIMIT + 10, "{}", diff.len());
}

#[test]
fn only_what_towline_wrote_is_emptied() {
    let file = File {
        content: Some("# Written by towline.\n".into()),
        only_where_written: true,
        ..file()
    };
    let judge = |stdout: String| {
        let reply = Reply {
            status: 0,
            stdout,
            stderr: String::new(),
        };
        file.judge(&reply, &Changes::default())
    };
    let differs = |content: &str| {
        judge(format!(
            "mode=600 0:0\nstate=differs\nhash={}\ncontent={PACKED}{}\n",
            sha256(content),
            encode(content.as_bytes()).replace('\n', "")
        ))
    };
    let converged = Ok(Verdict::Converged);
    assert_eq!(judge("state=absent\n".into()), converged);
    assert_eq!(differs("mirrors: {}\n"), converged);
    let Ok(Verdict::Drifted(remedy)) = differs("# Written by towline.\nmirrors: {}\n") else {
        panic!("towline wrote it");
    };
    assert_eq!(
        remedy.changes[0].what,
        "update /etc/rancher/k3s/config.yaml"
    );
}

#[test]
fn a_diff_shows_what_changes_but_no_secret_old_or_new() {
    let old = encode(b"node-ip: 10.0.0.9\ntoken: old\nagent-token: x\n").replace('\n', "");
    let old = format!("{PACKED}{old}");
    let Verdict::Drifted(remedy) = judged(&format!(
        "mode=600 0:0\nstate=differs\nhash={}\ncontent={old}\n",
        sha256("old")
    )) else {
        panic!("it differs");
    };
    assert_snapshot!(remedy.changes[0].diff.as_deref().unwrap_or_default(), @r"
    @@ -1,3 +1,2 @@
    -node-ip: 10.0.0.9
    -token: ***
    -agent-token: ***
    +node-ip: 10.0.0.1
    +token: *** (changed)
    ");
}
