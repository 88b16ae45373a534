//! What is asked before a member of etcd is stopped.

use super::*;
use crate::plan::{Guard, MemberStop};

/// What a server says of its cluster, with these voters down.
fn voters(down: &[&str]) -> Said {
    let node = |name: &&str| {
        let ready = if down.contains(name) { "False" } else { "True" };
        format!(
            "node={name}\t\t\t{{\"node-role.kubernetes.io/etcd\":\"true\"}}\t[]\t{{}}\t[{{\"type\":\"Ready\",\"status\":\"{ready}\"}}]\n"
        )
    };
    let nodes: String = ["m1", "m2", "m3"].iter().map(node).collect();
    Said::Out(0, format!("turn=m1/run\napi=ready\n{nodes}"))
}

/// The same, while another run is about to stop m3.
fn taken() -> Said {
    match voters(&[]) {
        Said::Out(status, text) => Said::Out(status, text.replace("m1/run", "m3/other")),
        said => said,
    }
}

/// Servers one by one, each of which asks the others first.
fn guarded() -> Vec<Stage> {
    let names = ["m1", "m2", "m3"];
    let mut stage = stage(
        "servers",
        Order::Serial,
        &names.map(|name| (name, &["x"][..])),
    );
    for lane in &mut stage.lanes {
        let mut ask: Vec<_> = names.iter().filter(|name| **name != lane.host).collect();
        ask.sort();
        lane.steps[0].guard = Some(Guard {
            questions: &crate::distribution::k3s::DISTRIBUTION.questions,
            node: lane.host.clone(),
            stop: MemberStop::Restart,
            ask: ask
                .into_iter()
                .map(|name| ((*name).to_owned(), crate::inventory::DataDir::default()))
                .collect(),
            timeout: Duration::from_mins(1),
        });
    }
    vec![stage]
}

const NAMES: [&str; 3] = ["m1", "m2", "m3"];

#[tokio::test(start_paused = true)]
async fn a_server_is_asked_once_right_before_each_restart_and_never_without_one() {
    let world = World::new(&NAMES).all("voters", |_| voters(&[]));
    let came = world.done("m2", "x").run(guarded()).await;
    assert_eq!(
        came.log,
        ["0 m2 voters", "0 m1 a:x", "0 m1 voters", "0 m3 a:x"]
    );
    assert_eq!(
        came.outcomes(),
        [Outcome::Changed, Outcome::Unchanged, Outcome::Changed]
    );
}

#[tokio::test(start_paused = true)]
async fn when_a_server_goes_down_in_the_middle_no_other_is_restarted() {
    // m1 has been restarted by then.
    let world = World::new(&NAMES)
        .on("m2", "voters", |_| voters(&[]))
        .on("m1", "voters", |_| voters(&["m3"]));
    let came = world.run(guarded()).await;
    let acted: Vec<_> = came.log.iter().filter(|line| line.contains("a:")).collect();
    assert_eq!(acted, ["0 m1 a:x"]);
    assert_eq!(
        came.outcomes(),
        [Outcome::Changed, Outcome::Cancelled, Outcome::Cancelled]
    );
    assert_eq!(
        came.problem("m2"),
        "m2: not stopped now: etcd has the voters m1, m2, m3: m3 is down, and without m2 only 1 of them would be up, and it needs 2"
    );
    assert_eq!(
        came.problem("m3"),
        "m3: m2, which comes before it, was held back; servers are changed one by one"
    );
    assert!((60..65).contains(&came.seconds), "{}", came.seconds);
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_up_again_is_waited_for_and_one_that_is_silent_passed_over() {
    // Another run restarts m3.
    let world = World::new(&NAMES)
        .all("voters", |count| {
            voters(if count < 4 { &["m3"] } else { &[] })
        })
        .on("m1", "voters", |_| Said::Lost)
        .done("m1", "x")
        .done("m3", "x");
    let came = world.run(guarded()).await;
    assert_eq!(came.outcomes()[1], Outcome::Changed);
    assert_eq!(came.log.last().map(String::as_str), Some("6 m2 a:x"));
    let waits = |event: &&Event| matches!(event, Event::Waiting { .. });
    assert_eq!(came.events.iter().filter(waits).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_nothing_is_stopped() {
    let world = World::new(&NAMES).all("voters", |_| Said::Out(0, String::new()));
    let came = world.run(guarded()).await;
    assert_eq!(
        came.problem("m1"),
        "m1: not stopped now: no server says who votes in etcd and lets this run have its turn (m2, m3 asked)"
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_runs_that_ask_at_once_one_waits() {
    let world = World::new(&NAMES)
        .on("m2", "voters", |count| {
            if count < 4 { taken() } else { voters(&[]) }
        })
        .done("m2", "x")
        .done("m3", "x");
    let came = world.run(guarded()).await;
    assert_eq!(came.log.last().map(String::as_str), Some("6 m1 a:x"));
    let waits = |event: &Event| match event {
        Event::Waiting { until, .. } => Some(until.clone()),
        _ => None,
    };
    assert_eq!(
        came.events.iter().filter_map(waits).collect::<Vec<_>>(),
        ["the other servers, since another run of towline is about to stop m3"]
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_before_a_wait_for_the_hosts_lock_is_asked_again() {
    let world = World::new(&NAMES)
        .on("m1", "a:x", |count| {
            if count < 2 {
                Said::Out(75, String::new())
            } else {
                Said::Usual
            }
        })
        .on("m2", "voters", |count| {
            voters(if count < 2 { &[] } else { &["m3"] })
        })
        .done("m2", "x")
        .done("m3", "x");
    let came = world.run(guarded()).await;
    assert_eq!(came.log[..3], ["0 m2 voters", "0 m1 a:x", "1 m2 voters"]);
    assert_eq!(came.outcomes()[0], Outcome::Cancelled);
    assert!(
        came.problem("m1").contains("m3 is down"),
        "{}",
        came.problem("m1")
    );
}
