//! In what order lanes go, and what a failure of one means for the others.

use super::*;

const LANES: [(&str, &[&str]); 3] = [("m1", &["x"]), ("m2", &["x"]), ("m3", &["x"])];

fn slow() -> World {
    World::new(&["m1", "m2", "m3"]).all("a:x", |_| Said::Slow(10))
}

#[tokio::test(start_paused = true)]
async fn lanes_go_together_one_by_one_or_in_batches() {
    for (order, expected) in [
        (Order::Parallel, ["0 m1 a:x", "0 m2 a:x", "0 m3 a:x"]),
        (Order::Essential, ["0 m1 a:x", "0 m2 a:x", "0 m3 a:x"]),
        (Order::Serial, ["0 m1 a:x", "10 m2 a:x", "20 m3 a:x"]),
        (Order::Batches(2), ["0 m1 a:x", "0 m2 a:x", "10 m3 a:x"]),
        (Order::Batches(0), ["0 m1 a:x", "10 m2 a:x", "20 m3 a:x"]),
    ] {
        let came = slow().run(vec![stage("s", order, &LANES)]).await;
        assert_eq!(came.log, expected, "{order:?}");
        assert_eq!(came.outcomes(), [Outcome::Changed; 3]);
        assert_eq!(came.result, Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_hosts_are_worked_on_at_once_than_allowed() {
    let mut world = slow();
    world.runner.limit = Arc::new(Semaphore::new(1));
    let came = world.run(vec![stage("s", Order::Parallel, &LANES)]).await;
    assert_eq!(came.log, ["0 m1 a:x", "10 m2 a:x", "20 m3 a:x"]);
}

#[tokio::test(start_paused = true)]
async fn a_stage_begins_when_the_one_before_it_has_ended() {
    let stages = vec![
        stage("first", Order::Parallel, &LANES),
        stage("second", Order::Parallel, &[("m1", &["y"]), ("m2", &["y"])]),
    ];
    let came = slow().run(stages).await;
    assert_eq!(came.log[3..], ["10 m1 a:y", "10 m2 a:y"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_as_it_should_be_costs_no_exchange_after_the_one_that_asked() {
    let world = World::new(&["m1", "m2"]).done("m1", "x").done("m1", "y");
    let stages = vec![
        stage("first", Order::Serial, &[("m1", &["x"]), ("m2", &["x"])]),
        stage("second", Order::Parallel, &[("m1", &["y"])]),
    ];
    let came = world.run(stages).await;
    assert_eq!(came.outcomes(), [Outcome::Unchanged, Outcome::Changed]);
    assert_eq!((came.exchanges("m1"), came.exchanges("m2")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_failed_restart_ends_the_restarts_after_it_and_nothing_else() {
    let world = slow().on("m2", "a:x", |_| Said::Out(1, String::new()));
    let stages = vec![
        stage("servers", Order::Serial, &LANES),
        stage("others", Order::Parallel, &[("m1", &["y"]), ("m3", &["y"])]),
    ];
    let came = world.run(stages).await;
    assert_eq!(came.log, ["0 m1 a:x", "10 m2 a:x", "10 m1 a:y"]);
    assert_eq!(
        came.outcomes(),
        [Outcome::Changed, Outcome::Failed, Outcome::Cancelled]
    );
    assert_eq!(
        came.problem("m2"),
        "m2: the command on the host failed (exit status 1)"
    );
    assert_eq!(
        came.problem("m3"),
        "m3: m2, which comes before it, failed; servers are changed one by one"
    );
    assert_eq!(came.result, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn in_a_rolling_stage_no_host_begins_after_a_failure_and_nothing_follows() {
    let mut world = slow().on("m2", "a:x", |_| Said::Out(1, String::new()));
    world.stops = true;
    let stages = vec![
        stage("agents", Order::Rolling(2), &LANES),
        stage("others", Order::Parallel, &[("m1", &["y"])]),
    ];
    let came = world.run(stages).await;
    assert_eq!(came.log, ["0 m1 a:x", "0 m2 a:x"]);
    assert_eq!(came.problem("m3"), "m3: m2 failed before it");
    assert_eq!(
        came.result,
        Err("m2 failed, and no host is changed after that".into())
    );
}

#[tokio::test(start_paused = true)]
async fn a_delegated_step_is_done_by_the_other_host_in_the_turn_of_its_own() {
    let mut lanes = vec![stage(
        "agents",
        Order::Rolling(1),
        &[("m2", &["x"]), ("m3", &["x"])],
    )];
    for lane in &mut lanes[0].lanes {
        let mut delegated = fixtures::command(&lane.host);
        delegated.delegated_to = Some("m1".into());
        lane.steps.insert(0, delegated);
    }
    let came = slow().run(lanes).await;
    assert_eq!(
        came.log,
        ["0 m1 a:m2", "0 m2 a:x", "10 m1 a:m3", "10 m3 a:x"]
    );
    assert_eq!(
        came.outcomes(),
        [Outcome::Unchanged, Outcome::Changed, Outcome::Changed]
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_planned_after_a_stage_in_which_all_failed() {
    let came = slow()
        .all("a:x", |_| Said::Out(1, String::new()))
        .planned_again_after(Some(0), vec![stage("servers", Order::Serial, &LANES)])
        .await;
    assert_eq!(
        came.result,
        Err("“servers” has failed, and everything after it needs it".into())
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_on_without_an_essential_stage() {
    let fails = |_| Said::Out(1, String::new());
    let stages = || {
        vec![
            stage(
                "leader",
                Order::Essential,
                &[("m1", &["x"]), ("m2", &["x"])],
            ),
            stage("others", Order::Parallel, &[("m3", &["y"])]),
        ]
    };
    let came = slow()
        .on("m1", "a:x", fails)
        .on("m2", "a:x", fails)
        .run(stages())
        .await;
    assert_eq!(
        came.result,
        Err("“leader” has failed, and everything after it needs it".into())
    );
    assert!(
        !came.log.iter().any(|line| line.ends_with("a:y")),
        "{:?}",
        came.log
    );
    // One that succeeds is enough.
    let came = slow().on("m1", "a:x", fails).run(stages()).await;
    assert_eq!(
        (came.result.clone(), came.log.last().map(String::as_str)),
        (Ok(()), Some("10 m3 a:y"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_mistake_in_the_program_costs_one_host() {
    for order in [Order::Parallel, Order::Serial] {
        let world = slow().on("m2", "a:x", |_| Said::Panic);
        let came = world.run(vec![stage("s", order, &LANES)]).await;
        assert_eq!(
            came.outcomes()[..2],
            [Outcome::Changed, Outcome::Failed],
            "{order:?}"
        );
        assert!(
            came.problem("m2").starts_with("m2: towline itself failed"),
            "{}",
            came.problem("m2")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_running_action_ends_and_nothing_new_begins_when_interrupted() {
    for order in [Order::Parallel, Order::Serial, Order::Essential] {
        let world = slow();
        let interrupt = world.interrupt.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            interrupt.send_replace(Interrupt::Finish);
        });
        let lanes: [(&str, &[&str]); 2] = [("m1", &["x", "y"]), ("m2", &["x", "y"])];
        let came = world
            .run(vec![
                stage("s", order, &lanes),
                stage("t", order, &[("m3", &["y"])]),
            ])
            .await;
        assert_eq!(came.result, Err("interrupted".into()));
        assert!(
            !came.log.iter().any(|line| line.ends_with("a:y")),
            "{:?}",
            came.log
        );
        assert_eq!(
            came.seconds, 10,
            "the running action was let go on to its end"
        );
        assert_eq!(came.outcomes()[..2], [Outcome::Cancelled; 2]);
        assert_eq!(came.report.rows[0].changed, 1);
        for host in ["m1", "m2"] {
            assert_eq!(
                came.problem(host),
                format!("{host}: interrupted"),
                "{order:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_host_is_cancelled_when_there_is_something_to_do_on_it() {
    let mut held = stage("s", Order::Serial, &LANES);
    held.held
        .insert("m2".into(), "it would cost the quorum".into());
    let came = slow().run(vec![held]).await;
    assert_eq!(came.outcomes()[..2], [Outcome::Changed, Outcome::Cancelled]);
    assert_eq!(came.problem("m2"), "m2: it would cost the quorum");
    assert!(
        !came.log.iter().any(|line| line.starts_with("m2 a:")),
        "{:?}",
        came.log
    );
}
