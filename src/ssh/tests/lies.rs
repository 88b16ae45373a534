//! What a host says that lies: it is given up in bounded time and room, with words that name why.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use russh::{Limits, MethodKind};

use super::server::{Act, Asks, new_key};
use super::world::{direct, reason, set_mode, world, world_with};
use crate::problem::Code;
use crate::shell::Script;
use crate::ssh::exchange::BecomePassword;
use crate::ssh::{Exit, Remote};
use crate::vars::Secret;

/// What a terminal would obey, longer than a line of an error.
fn evil() -> String {
    "\u{1b}]52;c;aGk=\u{7}\u{202e}\r".repeat(5_000)
}

#[tokio::test]
async fn each_lie_ends_its_exchange_with_words_and_the_connection_serves_the_next() {
    let flooded = |limit: &str| Exit::Flooded(limit.to_owned());
    let lost = |why: &str| Exit::Lost(why.to_owned());
    let says = |bytes: &[u8], status| Act::Says(bytes.to_vec(), Vec::new(), status);
    for (lie, exit) in [
        (Act::Endless(0), flooded("2 MiB")),
        (Act::Endless(1), flooded("8 MiB")),
        (Act::Endless(7), flooded("8 MiB")),
        (Act::Pieces(10_000), Exit::Code(0)),
        (Act::Requests(10_000), Exit::Code(0)),
        (Act::Opens(500), Exit::Code(0)),
        (Act::Answers(Arc::default()), Exit::Code(0)),
        (Act::Eof, lost("no answer within 0.5 s")),
        (Act::Mute, lost("no channel was opened within 0.5 s")),
        (
            says(b"some words", None),
            lost("the command ended without a status"),
        ),
        (says(&vec![0xff; 2 * 1024 * 1024], Some(0)), Exit::Code(0)),
    ] {
        let world = world(lie.clone()).await;
        let session = world.connect().await;
        let limit = match lie {
            Act::Eof | Act::Mute => Duration::from_millis(500),
            _ => Duration::from_secs(30),
        };
        let script = Script::new("true").within(limit);
        for _ in 0..2 {
            let output = session.run(&script).await;
            assert_eq!(output.exit, exit, "{lie:?}");
            assert!(output.stdout.len() < 2 * 1024 * 1024 + 4, "{lie:?}");
            assert!(output.stderr.len() <= 64 * 1024, "{lie:?}");
        }
        assert!(!session.is_closed(), "{lie:?}");
        if let Act::Opens(count) = lie {
            assert_eq!(world.server.refused.load(Ordering::SeqCst), 2 * count);
        }
    }
}

#[tokio::test]
async fn a_window_that_stays_zero_ends_with_words_whatever_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let sudo = folder.path().join("sudo");
    std::fs::write(
        &sudo,
        "#!/bin/sh\nwhile [ \"$1\" != -- ]; do shift; done\nshift\nexec \"$@\"\n",
    )
    .unwrap();
    set_mode(&sudo, 0o755);
    let world = world_with(|setup| {
        setup.window = 0;
        setup.act = Act::With(folder.path().to_owned());
    })
    .await;
    let mut target = world.target();
    for user in ["root", "ops"] {
        user.clone_into(&mut target.user);
        let password = BecomePassword::new(Secret::new("one"));
        target.become_password = Some(Arc::new(password));
        let session = direct(&target, &world.trust, &world.keys().await)
            .await
            .unwrap();
        let limit = Duration::from_millis(500);
        let run = session.run(&Script::new("true").within(limit)).await;
        let mut upload = world.upload(100_000, "cat");
        upload.receive = upload.receive.within(limit);
        let put = session.put(&upload, &|_| {}).await;
        for output in [run, put] {
            assert_eq!(reason(&output.exit), "no answer within 0.5 s", "{user}");
        }
    }
}

#[tokio::test]
async fn keys_that_are_exchanged_all_the_time_lose_nothing() {
    let world =
        world_with(|setup| setup.limits = Limits::new(20_000, 20_000, Duration::from_secs(1)))
            .await;
    let session = world.connect().await;
    let output = session.run(&Script::new("seq 100000")).await;
    assert_eq!((output.exit, output.stdout.len()), (Exit::Code(0), 588_895));
    let output = session.put(&world.upload(500_000, "wc -c"), &|_| {}).await;
    assert_eq!(
        (output.exit, output.stdout.trim()),
        (Exit::Code(0), "500000")
    );
}

#[tokio::test]
async fn what_a_host_says_at_length_is_told_in_short() {
    let world = world(Act::HangsUp(evil())).await;
    let output = world.connect().await.run(&Script::new("true")).await;
    assert!(reason(&output.exit).chars().count() < 230, "{output:?}");

    let said: &'static str = evil().leak();
    let world = super::world::world(Act::Full(said)).await;
    let output = world.connect().await.run(&Script::new("true")).await;
    let Exit::Refused(why) = &output.exit else {
        panic!("{output:?}");
    };
    assert!(why.chars().count() < 230, "{why}");
}

#[tokio::test]
async fn a_host_that_asks_a_keyboard_without_end_is_left() {
    for (asks, words) in [
        (Asks::Nothing, "the host asked 10 times without an end"),
        (Asks::Else(evil().leak()), "the host asks for more: "),
    ] {
        let world = world_with(|setup| {
            setup.asks = asks;
            setup.accepts = new_key().public_key().clone();
            setup.banner = evil();
            setup.methods = &[MethodKind::KeyboardInteractive];
        })
        .await;
        let mut target = world.target();
        target.password = Some(Secret::new("never told"));
        let refused = direct(&target, &world.trust, &world.keys().await).await;
        let problem = refused.err().unwrap().problem;
        assert_eq!(problem.code, Code::LOGIN_REFUSED, "{problem}");
        let mut notes = problem.why.iter().filter(|note| note.starts_with(words));
        let note = notes.next().unwrap_or_else(|| panic!("{problem:?}"));
        assert!(note.chars().count() < 230, "{note}");
        assert!(!problem.to_string().contains("never told"));
    }
}
