//! What is waited for: how long, what is told of it, and when it is given up.

use super::*;

/// What is said of a unit that systemd has started again so many times.
fn restarted(said: Said, times: u64) -> Said {
    match said {
        Said::Out(status, text) => Said::Out(
            status,
            text.replace("NRestarts=3", &format!("NRestarts={times}")),
        ),
        said => said,
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_times_out_ends_with_the_last_things_the_host_said() {
    let world = World::new(&["m1"]).on("m1", "node", |_| {
        Said::Out(
            0,
            "Ready=False KubeletNotReady: cni plugin not initialized\nfound=yes\n".into(),
        )
    });
    let came = world.run(single(node())).await;
    insta::assert_snapshot!(came.problem("m1"), @r"
    m1: timed out after 300 s, waiting for node m1 to be Ready
      False KubeletNotReady: cni plugin not initialized
      → on a server, this shows more:
        kubectl describe node m1
    ");
    assert!((300..310).contains(&came.seconds), "{}", came.seconds);
    assert!(came.exchanges("m1") < 200, "{}", came.exchanges("m1"));

    // The last look finds a unit that has just been started again.
    let journal = |count: usize| match count {
        0..=100 => unit(
            "activating",
            "start",
            "one\nlevel=info msg=\"chatter\"\n\ntwo",
        ),
        _ => unit("activating", "start", ""),
    };
    let came = World::new(&["m1"])
        .on("m1", "unit", journal)
        .run(single(service()))
        .await;
    insta::assert_snapshot!(came.problem("m1"), @r"
    m1: timed out after 300 s, waiting for k3s to be READY
      one
      two
      → on the host, this shows all that it said:
        journalctl -u k3s --no-pager -n 200
    ");
}

#[tokio::test(start_paused = true)]
async fn a_recognised_cause_ends_the_wait_once_it_has_stood() {
    let refused = |_| {
        unit(
            "activating",
            "auto-restart",
            "level=fatal msg=\"not authorized\"",
        )
    };
    let came = World::new(&["m1"])
        .on("m1", "unit", refused)
        .run(single(service()))
        .await;
    assert!(
        came.problem("m1")
            .starts_with("m1: the cluster does not accept this host's token")
    );
    assert!((20..25).contains(&came.seconds), "{}", came.seconds);

    // One that is not seen for a moment, while systemd starts the unit again, still stands.
    let again_and_again = |count: usize| match count % 4 {
        0 => unit("activating", "start", "starting"),
        _ => unit("activating", "auto-restart", "not authorized"),
    };
    let came = World::new(&["m1"])
        .on("m1", "unit", again_and_again)
        .run(single(service()))
        .await;
    assert!((20..30).contains(&came.seconds), "{}", came.seconds);

    // Of one that tries for a minute before it ends, the second end tells enough.
    let begun = Instant::now();
    let tries = move |_| {
        let (restarts, second) = (
            begun.elapsed().as_secs() / 70,
            begun.elapsed().as_secs() % 70,
        );
        let said = match second {
            0..60 => unit("activating", "start", "starting"),
            _ => unit("activating", "auto-restart", "not authorized"),
        };
        restarted(said, restarts)
    };
    let came = World::new(&["m1"])
        .on("m1", "unit", tries)
        .run(single(service()))
        .await;
    assert!(
        came.problem("m1")
            .starts_with("m1: the cluster does not accept this host's token")
    );
    assert!((130..140).contains(&came.seconds), "{}", came.seconds);

    // One that was gone for long is not believed when it comes back.
    let comes_and_goes = |count: usize| match count {
        0..=14 => unit("activating", "auto-restart", "not authorized"),
        15..=40 => unit("activating", "start", "joining"),
        41..=48 => unit("activating", "auto-restart", "not authorized"),
        _ => unit("active", "running", ""),
    };
    let came = World::new(&["m1"])
        .on("m1", "unit", comes_and_goes)
        .run(single(service()))
        .await;
    assert_eq!(came.problem("m1"), "");
    assert_eq!(came.result, Ok(()));
    assert!(came.seconds > 20, "{}", came.seconds);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_again_and_again_is_a_failure_after_a_minute() {
    // An end every ten seconds, as systemd counts them; between two, it starts.
    let ends = |words: fn(u64) -> String| {
        let begun = Instant::now();
        move |_: usize| {
            let (restarts, second) = (
                begun.elapsed().as_secs() / 10,
                begun.elapsed().as_secs() % 10,
            );
            let said = match second {
                0..5 => unit("activating", "start", "starting"),
                _ => unit("activating", "auto-restart", &words(restarts)),
            };
            restarted(said, restarts)
        }
    };
    let came = World::new(&["m1"])
        .on(
            "m1",
            "unit",
            ends(|count| format!("level=fatal msg=\"wing {count} is missing\"")),
        )
        .run(single(service()))
        .await;
    assert!((60..80).contains(&came.seconds), "{}", came.seconds);
    insta::assert_snapshot!(came.problem("m1"), @r"
    m1: its process ends again and again: 7 times in 60 s, with the same last words
      wing 6 is missing
      → on the host, this shows all that it said:
        journalctl -u k3s --no-pager -n 200
    ");

    // One that crashes says nothing.
    let api_unresponsive = ends(|_| String::new());
    let came = World::new(&["m1"])
        .on("m1", "unit", move |count| match api_unresponsive(count) {
            Said::Out(status, text) => Said::Out(status, text + "\nResult=core-dump\n"),
            said => said,
        })
        .run(single(service()))
        .await;
    assert!((60..80).contains(&came.seconds), "{}", came.seconds);
    assert!(
        came.problem("m1")
            .contains("it ended without a word; systemd: core-dump"),
        "{}",
        came.problem("m1")
    );

    // What passes by itself is waited for, and so is what says something new each time.
    let words: [fn(u64) -> String; 2] = [
        |_| "level=fatal msg=\"etcdserver: too many learner members in cluster\"".to_owned(),
        |count| {
            format!(
                "level=fatal msg=\"step {}\"",
                (0..count).map(|_| 'x').collect::<String>()
            )
        },
    ];
    for words in words {
        let came = World::new(&["m1"])
            .on("m1", "unit", ends(words))
            .run(single(service()))
            .await;
        assert!((300..310).contains(&came.seconds), "{}", came.seconds);
        let told = came.events.iter().filter_map(|event| match event {
            Event::Waiting { until, .. } => Some(&**until),
            _ => None,
        });
        let once = [
            "k3s to be READY",
            "k3s to be READY; its process ends, and systemd starts it again",
        ];
        assert_eq!(told.collect::<Vec<_>>(), once);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_dies_while_its_node_is_waited_for_is_told_by_its_own_words() {
    // READY for five seconds, then dead of what its kubelet was told, and started again.
    let begun = Instant::now();
    let dies = move |_: usize| {
        let (restarts, second) = (
            begun.elapsed().as_secs() / 10,
            begun.elapsed().as_secs() % 10,
        );
        let words = "level=error msg=\"kubelet exited: invalid argument\"";
        match second {
            0..5 => Said::Out(0, String::new()),
            _ => restarted(unit("activating", "auto-restart", words), restarts),
        }
    };
    let came = World::new(&["m1"])
        .on("m1", "node", dies)
        .run(single(node()))
        .await;
    assert!((60..80).contains(&came.seconds), "{}", came.seconds);
    insta::assert_snapshot!(came.problem("m1"), @r"
    m1: its process ends again and again: 7 times in 60 s, with the same last words
      kubelet exited: invalid argument
      → on the host, this shows all that it said:
        journalctl -u k3s --no-pager -n 200
    ");
    let told = came.events.iter().filter_map(|event| match event {
        Event::Waiting { until, .. } => Some(&**until),
        _ => None,
    });
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @r"
    the API to answer for node m1
    k3s to be READY
    the API to answer for node m1
    k3s to be READY; its process ends, and systemd starts it again
    the API to answer for node m1; its process ends, and systemd starts it again
    ");
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_started_is_watched_until_it_is_ready() {
    let states = |count: usize| match count {
        1..=2 => unit("inactive", "dead", ""),
        3..=5 => unit("activating", "start", ""),
        _ => unit("active", "running", ""),
    };
    let came = World::new(&["m1"])
        .on("m1", "unit", states)
        .run(single(service()))
        .await;
    assert_eq!(came.outcomes(), [Outcome::Changed]);
    assert_eq!(
        came.log
            .iter()
            .filter(|line| line.ends_with("start"))
            .count(),
        1,
        "{:?}",
        came.log
    );
    let waits = came
        .events
        .iter()
        .filter(|event| matches!(event, Event::Waiting { .. }))
        .count();
    assert_eq!(waits, 1, "the same wait is told once");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_missed_a_report_of_its_node_gets_another_and_is_not_restarted() {
    let agent = || match service() {
        Task::Service(mut service) => {
            service.own = Some(crate::task::own::Own {
                node: "m1".into(),
                kubeconfig: "/k".into(),
                awaits_network: false,
            });
            Task::Service(service)
        }
        task => task,
    };
    let stuck = || match unit("activating", "start", "") {
        Said::Out(status, text) => Said::Out(
            status,
            text + "uptime=100\nnow=5000\nExecMainStartTimestampMonotonic=50000000\nready=4970\n",
        ),
        said => said,
    };
    let changes = [
        "enable and start k3s",
        "have the kubelet report node m1 again: it has been Ready for 10 s, and k3s has not told systemd READY",
    ];
    let count_of =
        |came: &Came, what: &str| came.log.iter().filter(|line| line.ends_with(what)).count();
    let cured = move |count: usize| match count {
        1..=2 => unit("inactive", "dead", ""),
        3..=50 => unit("activating", "start", ""),
        51..=55 => stuck(),
        _ => unit("active", "running", ""),
    };
    let came = World::new(&["m1"])
        .on("m1", "unit", cured)
        .run(single(agent()))
        .await;
    assert_eq!(came.outcomes(), [Outcome::Changed]);
    assert!(came.events.iter().any(|event| {
        matches!(event, Event::Changed { changes: told, .. } if *told == changes)
    }));
    assert_eq!(
        (count_of(&came, "start"), count_of(&came, "report")),
        (1, 1)
    );

    let hopeless = move |count: usize| match count {
        1..=2 => unit("inactive", "dead", ""),
        _ => stuck(),
    };
    let came = World::new(&["m1"])
        .on("m1", "unit", hopeless)
        .run(single(agent()))
        .await;
    assert_eq!(came.outcomes(), [Outcome::Failed]);
    assert_eq!(
        (count_of(&came, "start"), count_of(&came, "report")),
        (1, 3)
    );
    assert!((360..370).contains(&came.seconds), "{}", came.seconds);
}

#[tokio::test(start_paused = true)]
async fn a_member_without_quorum_waits_for_machines_that_are_up_and_for_no_others() {
    let task = || match service() {
        Task::Service(mut service) => {
            service.timeout = Duration::from_secs(900);
            service.quorum = Some(crate::task::Quorum {
                needed: "etcd needs 2 of m1, m2, m3, and only m1 was reached with its data".into(),
                left: vec![
                    "switch on m3, then run the same command again".into(),
                    "m2 has no data and joins when the cluster answers".into(),
                ],
                awaited: vec![("m3".into(), "https://10.0.0.3:2380".into())],
            });
            Task::Service(service)
        }
        task => task,
    };
    let alone = || {
        unit(
            "activating",
            "start",
            "{\"level\":\"info\",\"logger\":\"raft\",\"msg\":\"97d7f is starting a new election at term 3\"}",
        )
    };
    let there = move || match alone() {
        Said::Out(status, text) => Said::Out(status, text + "\nthere=m3\n"),
        said => said,
    };
    let came = World::new(&["m1"])
        .on("m1", "unit", move |_| alone())
        .run(single(task()))
        .await;
    assert!((20..25).contains(&came.seconds), "{}", came.seconds);
    insta::assert_snapshot!(came.problem("m1"), @r"
    m1: etcd needs 2 of m1, m2, m3, and only m1 was reached with its data
      → switch on m3, then run the same command again
      → m2 has no data and joins when the cluster answers
    ");

    let came = World::new(&["m1"])
        .on("m1", "unit", move |_| there())
        .run(single(task()))
        .await;
    assert!((180..185).contains(&came.seconds), "{}", came.seconds);
    insta::assert_snapshot!(came.problem("m1"), @r"
    m1: timed out after 180 s, waiting for etcd of m3, whose machine is up
      etcd needs 2 of m1, m2, m3, and only m1 was reached with its data
      → switch on m3, then run the same command again
      → m2 has no data and joins when the cluster answers
    ");

    // It is up, and its etcd answers at last.
    let came = World::new(&["m1"])
        .on("m1", "unit", move |count| match count {
            0..=10 => alone(),
            11..=60 => there(),
            _ => unit("active", "running", ""),
        })
        .run(single(task()))
        .await;
    assert_eq!(came.problem("m1"), "");
    assert!(came.events.iter().any(|event| {
        matches!(event, Event::Waiting { until, .. } if until == "etcd of m3, whose machine is up")
    }));
}
