//! Whether others reach a host that joins, before it is started.

use super::*;
use crate::plan::PeerCheck;

/// m3 joins, and m1 and m2 are asked.
fn joining() -> Vec<Stage> {
    let mut stage = stage("joining", Order::Parallel, &[("m3", &["x"])]);
    stage.lanes[0].steps[0].reached = Some(PeerCheck {
        address: IpAddr::from([10, 0, 0, 3]),
        listen: "true q:listen",
        votes_at_once: true,
        by: vec!["m1".into(), "m2".into()],
        timeout: Duration::from_secs(15),
    });
    vec![stage]
}

fn port(answer: &str) -> Said {
    Said::Out(0, format!("port={answer}\n"))
}

fn world() -> World {
    World::new(&["m1", "m2", "m3"])
        .on("m3", "q:listen", |_| Said::Out(0, "listens=4711\n".into()))
        .all("port", |_| port("open"))
}

#[tokio::test(start_paused = true)]
async fn a_host_that_all_reach_is_started_when_nothing_listens_there_any_more() {
    let came = world().run(joining()).await;
    assert_eq!(
        came.log,
        ["0 m1 port", "0 m2 port", "0 m3 kill", "0 m3 a:x"]
    );
    assert_eq!(came.outcomes()[2], Outcome::Changed);
}

#[tokio::test(start_paused = true)]
async fn one_that_another_does_not_reach_is_never_started() {
    let came = world()
        .on("m2", "port", |_| port("silent"))
        .run(joining())
        .await;
    assert!(
        !came.log.iter().any(|line| line.contains("a:x")),
        "{:?}",
        came.log
    );
    assert!(
        came.log
            .last()
            .is_some_and(|line| line.ends_with(" m3 kill")),
        "{:?}",
        came.log
    );
    assert_eq!(came.outcomes()[2], Outcome::Failed);
    assert!(
        came.problem("m3")
            .starts_with("m3: m2 does not reach it at port 2380"),
        "{}",
        came.problem("m3")
    );
    assert!((15..20).contains(&came.seconds), "{}", came.seconds);
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_asked_holds_nothing_up_and_one_that_is_late_is_asked_again() {
    let came = world()
        .on("m1", "port", |_| Said::Lost)
        .on("m2", "port", |count| {
            port(if count < 3 { "silent" } else { "open" })
        })
        .run(joining())
        .await;
    assert_eq!(came.outcomes()[2], Outcome::Changed);
}
