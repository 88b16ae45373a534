//! One step: act once, then look until it is so, or until it will never be.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_a_failure_of_its_host_alone() {
    let lanes: [(&str, &[&str]); 2] = [("m1", &["x", "y"]), ("m2", &["x"])];
    let world = World::new(&["m1", "m2"]).on("m1", "a:x", |_| Said::Lost);
    let came = world.run(vec![stage("s", Order::Parallel, &lanes)]).await;
    assert_eq!(came.outcomes(), [Outcome::Failed, Outcome::Changed]);
    insta::assert_snapshot!(came.problem("m1"), @r"
    m1: the connection was lost
      the network is down
      → when the host is back, run the same command again; it continues where this run stopped
    ");
    assert_eq!(
        came.log.iter().filter(|line| line.contains("m1")).count(),
        1,
        "{:?}",
        came.log
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_done_and_does_not_show_has_failed_and_is_not_done_again() {
    let world = World::new(&["m1"]).on("m1", "q:x", |_| Said::Out(0, "answer=no\n".into()));
    let came = world
        .run(vec![stage("s", Order::Parallel, &[("m1", &["x"])])])
        .await;
    assert_eq!(came.log, ["0 m1 a:x"]);
    insta::assert_snapshot!(came.problem("m1"), @r"
    m1: did not converge
      still to do: make x
    ");
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_another_run_has_restarted_meanwhile_is_not_restarted_again() {
    let states = |count: usize| match (count, unit("active", "running", "")) {
        (1, Said::Out(status, text)) => Said::Out(status, text + "\nNeedDaemonReload=yes"),
        (_, said) => said,
    };
    let came = World::new(&["m1"])
        .on("m1", "unit", states)
        .run(single(service()))
        .await;
    assert_eq!(came.outcomes(), [Outcome::Unchanged]);
    assert!(!came.log.iter().any(|line| line.contains("start")));
}

#[tokio::test(start_paused = true)]
async fn another_run_on_the_host_is_waited_for_and_said() {
    let busy = |count| {
        if count < 4 {
            Said::Out(75, String::new())
        } else {
            Said::Usual
        }
    };
    let world = World::new(&["m1"]).on("m1", "a:x", busy);
    let came = world
        .run(vec![stage("s", Order::Parallel, &[("m1", &["x"])])])
        .await;
    assert_eq!(came.outcomes(), [Outcome::Changed]);
    assert!(came.events.iter().any(|event| {
        matches!(event, Event::Waiting { until, .. } if until == "another run of towline on this host to end")
    }));

    let world = World::new(&["m1"]).on("m1", "a:x", |_| Said::Out(75, String::new()));
    let came = world
        .run(vec![stage("s", Order::Parallel, &[("m1", &["x"])])])
        .await;
    assert!(
        came.problem("m1")
            .starts_with("m1: another run of towline has been acting on this host for 10 minutes")
    );
    assert!((600..620).contains(&came.seconds), "{}", came.seconds);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_told_is_asked_again_and_then_given_up() {
    let late = |count| {
        if count < 4 {
            Said::Cut
        } else {
            Said::Out(0, "answer=yes\n".into())
        }
    };
    let world = World::new(&["m1"]).on("m1", "q:x", late);
    let came = world
        .run(vec![stage("s", Order::Parallel, &[("m1", &["x"])])])
        .await;
    assert_eq!(came.outcomes(), [Outcome::Unchanged]);

    let world = World::new(&["m1"]).on("m1", "q:x", |_| Said::Out(124, String::new()));
    let came = world
        .run(vec![stage("s", Order::Parallel, &[("m1", &["x"])])])
        .await;
    assert_eq!(
        came.problem("m1"),
        "m1: the question behind “make x” was not answered"
    );
    assert!(
        came.log.is_empty(),
        "nothing is done without an answer: {:?}",
        came.log
    );
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_once_when_interrupted() {
    let world = World::new(&["m1"]).on("m1", "node", |_| Said::Out(0, String::new()));
    let interrupt = world.interrupt.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(42)).await;
        interrupt.send_replace(Interrupt::Finish);
    });
    let came = world.run(single(node())).await;
    assert_eq!(came.outcomes(), [Outcome::Cancelled]);
    assert!((42..44).contains(&came.seconds), "{}", came.seconds);
}

#[tokio::test(start_paused = true)]
async fn a_binary_is_not_asked_about_again_before_it_is_put() {
    let right = "ab".repeat(32);
    let binary = Task::Binary(Binary {
        path: "/usr/local/bin/k3s".into(),
        snapshot: false,
        source: concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").into(),
        sha256: right.clone(),
        size: None,
        download: None,
        description: "k3s".into(),
    });
    let mut stages = vec![stage(
        "operating system",
        Order::Parallel,
        &[("m1", &["x"])],
    )];
    stages.extend(single(binary));
    let hash = move |count| {
        let hash = if count == 1 { "absent" } else { &right };
        Said::Out(0, format!("hash={hash}\n"))
    };
    let came = World::new(&["m1"])
        .on("m1", "other", hash)
        .run(stages)
        .await;
    assert_eq!(came.outcomes(), [Outcome::Changed]);
    let order = ["0 m1 other", "0 m1 a:x", "0 m1 put", "1 m1 other"];
    assert_eq!(came.log, order); // Not more often than once a second.
    let uploads = came.events.iter().filter_map(|event| match event {
        Event::Uploading { bytes, rate, .. } => Some((*bytes, *rate)),
        _ => None,
    });
    assert_eq!(uploads.collect::<Vec<_>>(), [(2000, 1666)]);
}
