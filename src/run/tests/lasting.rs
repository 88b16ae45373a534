//! The last look at what was started.

use super::*;

/// What systemd says of a unit that became READY at this second of the test; the machine is up for
/// 1000 s when it begins.
fn state(active: &str, sub: &str, restarts: u32, entered: u64, begun: Instant) -> Said {
    let journal = crate::shell::encode(b"level=fatal msg=\"it has no wings\"").replace('\n', "");
    let journal = format!("{}{journal}", crate::shell::PACKED);
    Said::Out(
        0,
        format!(
            "LoadState=loaded\nActiveState={active}\nSubState={sub}\nUnitFileState=enabled\nJob=0\n\
             NRestarts={restarts}\nActiveEnterTimestampMonotonic={}000000\nuptime={}\njournal={journal}\n",
            1000 + entered,
            1000 + begun.elapsed().as_secs()
        ),
    )
}

async fn ran(states: impl Fn(u64, Instant) -> Said + Send + Sync + 'static) -> Came {
    let begun = Instant::now();
    let unit = move |count: usize| match (count, state("active", "running", 0, 0, begun)) {
        // What its files say has changed.
        (1 | 2, Said::Out(status, text)) => Said::Out(status, text + "NeedDaemonReload=yes\n"),
        (3, said) => said,
        _ => states(begun.elapsed().as_secs(), begun),
    };
    World::new(&["m1"])
        .on("m1", "unit", unit)
        .run(single(service()))
        .await
}

#[tokio::test(start_paused = true)]
async fn a_restarted_unit_that_stays_ready_costs_one_exchange_and_ten_seconds() {
    let came = ran(|_, begun| state("active", "running", 0, 0, begun)).await;
    assert_eq!(came.outcomes(), [Outcome::Changed]);
    assert!((10..12).contains(&came.seconds), "{}", came.seconds);
    // The plan, a look before it acts, the action, and the last look.
    assert_eq!(came.exchanges("m1"), 4);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_dies_when_a_later_one_is_restarted_is_seen() {
    let begun = Instant::now();
    let restarted = move |count: usize, later: Said| match (count, later) {
        (1 | 2, _) => match state("active", "running", 0, 0, begun) {
            Said::Out(status, text) => Said::Out(status, text + "NeedDaemonReload=yes\n"),
            said => said,
        },
        (_, later) => later,
    };
    let first = move |count| {
        restarted(
            count,
            match begun.elapsed().as_secs() {
                0..26 => state("active", "running", 0, 0, begun),
                _ => state("activating", "auto-restart", 0, 0, begun),
            },
        )
    };
    let second = move |count| {
        restarted(
            count,
            match begun.elapsed().as_secs() {
                0..24 => state("activating", "start", 0, 0, begun),
                _ => state("active", "running", 0, 24, begun),
            },
        )
    };
    let lane = |host: &str| Lane {
        host: host.into(),
        steps: vec![step(service())],
    };
    let stage = Stage {
        name: "servers".into(),
        order: Order::Serial,
        lanes: vec![lane("m1"), lane("m2")],
        held: BTreeMap::new(),
    };
    let world = World::new(&["m1", "m2"]);
    let world = world.on("m1", "unit", first).on("m2", "unit", second);
    let came = world.run(vec![stage]).await;
    assert_eq!(came.outcomes(), [Outcome::Failed, Outcome::Changed]);
    assert!(
        came.problem("m1")
            .starts_with("m1: k3s was READY and did not stay so")
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_unit_warned_of_at_its_start_is_noted() {
    let warned = crate::shell::encode(
        b"level=warning msg=\"Unknown flag --nosuchkey found in config.yaml, skipping\\n\"",
    );
    let warned = format!(
        "warned={}{}\n",
        crate::shell::PACKED,
        warned.replace('\n', "")
    );
    // Also of one that has ended once since and is READY again.
    for ends_once in [false, true] {
        let warned = warned.clone();
        let came = ran(move |second, begun| {
            let now = match second {
                5..20 if ends_once => state("activating", "auto-restart", 0, 0, begun),
                20.. if ends_once => state("active", "running", 1, 20, begun),
                _ => state("active", "running", 0, 0, begun),
            };
            match now {
                Said::Out(status, text) => Said::Out(status, text + &warned),
                said => said,
            }
        })
        .await;
        assert_eq!(came.outcomes(), [Outcome::Changed]);
        let notes = came.events.iter().filter(|event| {
            matches!(event, Event::Note { text } if text.starts_with("m1: k3s skips `nosuchkey` of its configuration"))
        });
        assert_eq!(notes.count(), 1, "ends once: {ends_once}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_dies_after_its_ready_again_and_again_is_a_failure_with_its_words() {
    // READY for 8 of 25 seconds.
    let came = ran(|second, begun| {
        let restarts = u32::try_from(second / 25).expect("few");
        match second % 25 {
            0..8 => state("active", "running", restarts, second / 25 * 25, begun),
            8..12 => state("activating", "auto-restart", restarts, 0, begun),
            _ => state("activating", "start", restarts + 1, 0, begun),
        }
    })
    .await;
    assert_eq!(came.outcomes(), [Outcome::Failed]);
    assert!((30..45).contains(&came.seconds), "{}", came.seconds);
    insta::assert_snapshot!(came.problem("m1"), @r"
    m1: k3s was READY and did not stay so (restarts by systemd: 1)
      it has no wings
      → on the host, this shows all that it said:
        journalctl -u k3s --no-pager -n 200
    ");
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_has_ended_once_is_a_failure_where_it_will_end_again() {
    let out_of_range = crate::shell::encode(
        b"E1127 21:54:20.433533    4628 controllermanager.go:278] \"Error building controllers\" err=\"cidr 10.42.0.0/24 is out the range of cluster cidr 10.99.0.0/16\"\nE1127 21:54:20.433568    4628 controllermanager.go:413] \"leaderelection lost/stopped\"",
    );
    let out_of_range = out_of_range.replace('\n', "");
    let came = ran(move |second, begun| {
        let said = match second {
            0..5 => state("active", "running", 0, 0, begun),
            5..20 => state("activating", "auto-restart", 0, 0, begun),
            _ => state("active", "running", 1, 20, begun),
        };
        match said {
            Said::Out(status, text) => {
                let text = text.lines().map(|line| match line.split_once('=') {
                    Some(("journal", _)) => {
                        format!("journal={}{out_of_range}\n", crate::shell::PACKED)
                    }
                    _ => format!("{line}\n"),
                });
                Said::Out(status, text.collect())
            }
            said => said,
        }
    })
    .await;
    assert_eq!(came.outcomes(), [Outcome::Failed]);
    let problem = came.problem("m1");
    assert!(
        problem.starts_with(
            "m1: the nodes have their ranges of pod addresses from another cluster-cidr"
        ),
        "{problem}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_has_ended_once_and_stays_ready_then_is_noted() {
    let came = ran(|second, begun| match second {
        0..5 => state("active", "running", 0, 0, begun),
        5..20 => state("activating", "auto-restart", 0, 0, begun),
        _ => state("active", "running", 1, 20, begun),
    })
    .await;
    assert_eq!(came.outcomes(), [Outcome::Changed]);
    assert!((40..45).contains(&came.seconds), "{}", came.seconds);
    assert!(came.events.iter().any(|event| {
        matches!(event, Event::Note { text } if text.starts_with("m1: k3s ended after it was READY"))
    }));
}
