//! Exchanges with a real server in this process, well-behaved or not.

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use russh::Sig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::server::Act;
use super::world::{direct, reason, target, world};
use crate::shell::Script;
use crate::ssh::{ExchangeCounts, Exit, Remote, RemoteFile, Upload};

#[tokio::test]
async fn a_script_runs_with_its_heredocs_and_cannot_eat_itself() {
    let world = world(Act::Shell).await;
    let session = world.connect().await;
    let script =
        Script::new("cat\ncat <<'END'\nin a $heredoc\nEND\necho red >&2\nf() {\n  return 7\n}\nf");
    let output = session.run(&script).await;
    assert_eq!(output.exit, Exit::Code(7));
    assert_eq!(
        (output.stdout.as_str(), output.stderr.as_str()),
        ("in a $heredoc\n", "red\n")
    );
    for (text, code) in [
        ("", 0),
        ("# only a comment", 0),
        ("exit 3", 3),
        ("false", 1),
        ("echo x \\", 0),
        ("if", 2),
    ] {
        let output = session.run(&Script::new(text)).await;
        assert_eq!(output.exit, Exit::Code(code), "{text}");
    }
    assert!(matches!(
        session.run(&Script::new("kill -9 $$")).await.exit,
        Exit::Lost(_)
    ));
    assert_eq!(
        session.counts(),
        ExchangeCounts {
            connections: 1,
            exchanges: 8
        }
    );
    assert!(
        world
            .server
            .commands
            .lock()
            .unwrap()
            .iter()
            .all(|command| command == "exec /bin/sh")
    );
    session.close().await;
    assert!(session.is_closed());
    assert!(matches!(
        session.run(&Script::new("true")).await.exit,
        Exit::Lost(_)
    ));
}

#[tokio::test]
async fn another_user_goes_through_sudo() {
    let world = world(Act::NoStatus).await;
    let mut target = world.target();
    target.user = "ubuntu".to_owned();
    let session = direct(&target, &world.trust, &world.keys().await)
        .await
        .unwrap();
    session.run(&Script::new("id")).await;
    session
        .put(&world.upload(10, "cat > '/tmp/a b'"), &|_| {})
        .await;
    let commands = world.server.commands.lock().unwrap();
    let ends = [
        "; exec sudo -n -- \"$@\"' sh /bin/sh",
        "; exec sudo -n -- \"$@\"' sh /bin/sh -c 'eval \"$(printf %s \"$1\" | tr \"\\001\" \"\\n\")\"' sh 'cat > '\\''/tmp/a b'\\''\u{1}'",
    ];
    for (command, end) in commands.iter().zip(ends) {
        assert!(command.starts_with("exec /bin/sh -c 'export LC_ALL=C; "));
        assert!(command.ends_with(end), "{command}");
    }
    assert_eq!(commands.len(), 2);
}

#[tokio::test]
async fn a_file_arrives_whole() {
    let world = world(Act::Shell).await;
    let session = world.connect().await;
    let there = world.home.path().join("there");
    let upload = world.upload(
        9_000_001,
        &format!("cat > '{}'; echo taken", there.display()),
    );
    let progress = Mutex::new(Vec::new());
    let note = |bytes| progress.lock().unwrap().push(bytes);
    let output = session.put(&upload, &note).await;
    assert_eq!(
        (output.exit, output.stdout.as_str()),
        (Exit::Code(0), "taken\n")
    );
    let progress = progress.into_inner().unwrap();
    assert!(progress.is_sorted());
    assert_eq!((progress[0], *progress.last().unwrap()), (0, 9_000_001));
    assert!(std::fs::read(there).unwrap() == std::fs::read(&upload.source).unwrap());
    let empty = world.upload(0, "wc -c");
    assert_eq!(session.put(&empty, &|_| {}).await.stdout.trim(), "0");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_no_success_and_no_exchange() {
    let world = world(Act::Shell).await;
    let session = world.connect().await;
    let upload = Upload {
        source: world.home.path().join("nothing"),
        receive: Script::new("cat"),
    };
    let output = session.put(&upload, &|_| {}).await;
    assert!(
        reason(&output.exit)
            .ends_with("nothing cannot be read: No such file or directory (os error 2)")
    );
    assert_eq!(session.counts().exchanges, 0);
    let upload = Upload {
        source: world.home.path().to_owned(),
        receive: Script::new("cat"),
    };
    assert!(
        reason(&session.put(&upload, &|_| {}).await.exit).starts_with("the file cannot be read: ")
    );
}

#[tokio::test]
async fn a_full_disk_ends_the_upload_at_once_and_the_connection_lives_on() {
    let world = world(Act::Early(300_000)).await;
    let session = world.connect().await;
    let upload = world.upload(16_000_000, "cat > /dev/full");
    let begun = Instant::now();
    for _ in 0..3 {
        let output = session.put(&upload, &|_| {}).await;
        assert_eq!(output.exit, Exit::Code(28));
        assert_eq!(output.stderr, "No space left on device\n");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn a_slow_upload_may_take_longer_than_its_limit() {
    let world = world(Act::Slow(Duration::from_millis(10))).await;
    let session = world.connect().await;
    let mut upload = world.upload(20_000_000, "cat");
    // Long enough for a busy machine to move at least one piece of it.
    let limit = Duration::from_secs(4);
    upload.receive = upload.receive.within(limit);
    let begun = Instant::now();
    assert_eq!(session.put(&upload, &|_| {}).await.exit, Exit::Code(0));
    assert!(begun.elapsed() > limit, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_upload_without_progress_is_given_up() {
    let world = world(Act::Hang).await;
    let session = world.connect().await;
    let mut upload = world.upload(20_000_000, "cat");
    upload.receive = upload.receive.within(Duration::from_millis(300));
    assert_eq!(
        session.put(&upload, &|_| {}).await.exit,
        Exit::Lost("no answer within 0.3 s".to_owned())
    );
}

#[tokio::test]
async fn an_upload_that_is_kept_alive_without_coming_to_an_end_is_given_up() {
    let world = world(Act::Drip(Duration::from_millis(50))).await;
    let session = world.connect().await;
    let mut upload = world.upload(40_000, "cat");
    upload.receive = upload.receive.within(Duration::from_secs(1));
    assert_eq!(
        session.put(&upload, &|_| {}).await.exit,
        Exit::Lost("1 MB did not arrive within 3 s: that is less than 32 KiB a second".to_owned())
    );
}

#[tokio::test]
async fn a_hung_command_hits_its_limit_and_its_channel_is_closed() {
    let world = world(Act::Hang).await;
    let session = world.connect().await;
    let script = Script::new("sleep 1000").within(Duration::from_millis(200));
    for _ in 0..12 {
        assert_eq!(
            session.run(&script).await.exit,
            Exit::Lost("no answer within 0.2 s".to_owned())
        );
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.server.closed.load(Ordering::SeqCst), 12);
    assert!(!session.is_closed());
}

#[tokio::test]
async fn a_cancelled_exchange_closes_its_channel() {
    let world = world(Act::Hang).await;
    let session = world.connect().await;
    let script = Script::new("sleep 1000");
    let cancelled = tokio::time::timeout(Duration::from_millis(200), session.run(&script)).await;
    assert!(cancelled.is_err());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.server.closed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_command_that_leaves_something_behind_still_has_a_status() {
    let world = world(Act::Held(4)).await;
    let session = world.connect().await;
    let script = Script::new("sleep 1000 &").within(Duration::from_millis(300));
    assert_eq!(session.run(&script).await.exit, Exit::Code(4));
}

#[tokio::test]
async fn a_dropped_connection_is_lost_and_never_success() {
    let world = world(Act::Drop).await;
    let session = world.connect().await;
    let output = session.run(&Script::new("true")).await;
    let reason = reason(&output.exit);
    assert!(
        [
            "the host closed the connection",
            "the host reset the connection"
        ]
        .contains(&reason),
        "{reason}"
    );
    let session = world.connect().await;
    let output = session.put(&world.upload(20_000_000, "cat"), &|_| {}).await;
    assert!(matches!(output.exit, Exit::Lost(_)), "{output:?}");
}

#[tokio::test]
async fn an_end_without_a_status_is_lost() {
    let world = world(Act::NoStatus).await;
    let output = world.connect().await.run(&Script::new("true")).await;
    assert_eq!(
        output.exit,
        Exit::Lost("the command ended without a status".to_owned())
    );
    assert_eq!(output.stdout, "some words\n");
}

#[tokio::test]
async fn a_signal_is_told_by_its_name() {
    for (signal, name) in [
        (Sig::KILL, "KILL"),
        (Sig::Custom("RTMIN".to_owned()), "RTMIN"),
    ] {
        let world = world(Act::Signal(signal)).await;
        let output = world.connect().await.run(&Script::new("true")).await;
        assert_eq!(output.exit, Exit::Signal(name.to_owned()));
    }
}

#[tokio::test]
async fn a_refused_command_is_not_lost() {
    let world = world(Act::Refuse).await;
    let session = world.connect().await;
    let output = session.run(&Script::new("true")).await;
    let reason = "it opened a session and refused to run a command in it";
    assert_eq!(output.exit, Exit::Refused(reason.to_owned()));
    assert!(!session.is_closed());
}

#[tokio::test]
async fn a_host_without_room_for_a_session_says_so() {
    let world = world(Act::Full("no more")).await;
    let session = world.connect().await;
    let output = session.run(&Script::new("true")).await;
    assert!(matches!(output.exit, Exit::Refused(_)), "{output:?}");
    assert!(!session.is_closed());
}

#[tokio::test]
async fn one_session_that_is_freed_late_serves_all_exchanges() {
    let world = world(Act::OneSession(Duration::from_millis(300))).await;
    let session = world.connect().await;
    // Longer together than a host may refuse sessions that none of ours holds.
    let scripts: Vec<_> = (0..5)
        .map(|number| Script::new(format!("sleep 1.2; echo {number}")))
        .collect();
    let answers = scripts.iter().map(|script| session.run(script));
    let answers = futures::future::join_all(answers).await;
    for (number, output) in answers.iter().enumerate() {
        assert_eq!(output.exit, Exit::Code(0), "{output:?}");
        assert_eq!(output.stdout.trim(), number.to_string());
    }
    assert!(world.server.refused.load(Ordering::SeqCst) > 0);
    assert_eq!(session.counts().exchanges, 5);
}

#[tokio::test]
async fn a_file_is_fetched_whole_or_not_at_all() {
    let world = world(Act::Shell).await;
    let session = world.connect().await;
    let folder = tempfile::tempdir().unwrap();
    let (there, here) = (folder.path().join("a 'b"), folder.path().join("here"));
    let content: Vec<u8> = (0..5_000_000_u32)
        .map(|number| number.to_le_bytes()[0])
        .collect();
    std::fs::write(&there, &content).unwrap();
    let get = async |path: &std::path::Path, size| {
        let wanted = RemoteFile {
            path: path.display().to_string(),
            size,
        };
        let into = std::fs::File::create(&here).unwrap();
        session.get(&wanted, into).await.exit
    };
    assert_eq!(get(&there, 5_000_000).await, Exit::Code(0));
    assert!(std::fs::read(&here).unwrap() == content);
    // It has grown since its size was asked for.
    assert_eq!(get(&there, 1000).await, Exit::Code(0));
    assert_eq!(std::fs::read(&here).unwrap(), content[..1000]);
    assert_eq!(
        reason(&get(&there, 5_000_001).await),
        "the file was cut short"
    );
    assert_eq!(get(&folder.path().join("none"), 10).await, Exit::Code(1));
}

#[tokio::test]
async fn of_what_is_complained_the_end_is_kept() {
    let world = world(Act::Flood(2 * 1024 * 1024, 700_000)).await;
    let output = world.connect().await.run(&Script::new("true")).await;
    assert_eq!(output.exit, Exit::Code(0));
    assert_eq!(output.stdout.len(), 2 * 1024 * 1024);
    assert_eq!(output.stderr.len(), 64 * 1024);
    assert!(output.stderr.ends_with("ethe end"));
}

#[tokio::test]
async fn a_frozen_host_is_noticed() {
    let world = world(Act::Hang).await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut target = target(proxy.local_addr().unwrap());
    target.alive_interval = Duration::from_millis(100);
    let server = world.server.address;
    let (freeze, mut frozen) = watch::channel(false);
    tokio::spawn(async move {
        let (mut near, _) = proxy.accept().await.unwrap();
        let mut far = TcpStream::connect(server).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
            _ = frozen.changed() => {}
        }
        std::future::pending::<()>().await;
    });
    let session = direct(&target, &world.trust, &world.keys().await)
        .await
        .unwrap();
    let script = Script::new("sleep 1000");
    let (output, ()) = tokio::join!(session.run(&script), async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        freeze.send_replace(true);
    });
    assert_eq!(
        output.exit,
        Exit::Lost("the host no longer answers".to_owned())
    );
}
