//! Hosts that cannot be reached, each in its own way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::server::Act;
use super::world::{direct, reason, target, world, world_with};
use crate::problem::Code;
use crate::shell::Script;
use crate::ssh::{Remote as _, Route, Target, Tunnel, connect};

#[tokio::test]
async fn a_host_that_drops_connections_is_tried_again_and_not_for_ever() {
    let world = world_with(|setup| setup.drops = 2).await;
    world.connect().await;
    let world = world_with(|setup| setup.drops = 100).await;
    let (code, why) = world.why().await;
    assert_eq!((code, why.len()), (Code::HOST_WITHOUT_SSH, 1), "{why:?}");
    assert_eq!(world.server.connections.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn each_way_to_be_unreachable_is_told_apart() {
    let world = world(Act::Shell).await;
    let keys = world.keys().await;
    let told = async |target: &Target| {
        let problem = direct(target, &world.trust, &keys).await.err();
        let problem = problem.expect("not connected").problem;
        (problem.code, problem.why[0].clone())
    };

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut unreachable = target(listener.local_addr().unwrap());
    unreachable.connect_timeout = Duration::from_millis(300);
    let limit = unreachable.connect_timeout;
    let (code, why) = told(&unreachable).await;
    assert_eq!(code, Code::HOST_WITHOUT_SSH);
    assert!(why.ends_with("introduced itself within 0.3 s"), "{why}");

    drop(listener);
    let (code, why) = told(&unreachable).await;
    assert_eq!(code, Code::HOST_WITHOUT_SSH);
    assert!(why.ends_with("connection refused"), "{why}");
    unreachable.address = "no such name".to_owned();
    assert_eq!(told(&unreachable).await.0, Code::HOST_NAME_UNRESOLVED);
    unreachable.address = "[::1]".to_owned();
    let (code, why) = told(&unreachable).await;
    let expected = [Code::HOST_WITHOUT_SSH, Code::HOST_UNREACHABLE];
    assert!(expected.contains(&code), "{why}");

    for (said, words) in [
        ("220 mail\r\n", "introduced itself within 0.3 s"),
        (
            "SSH-2.0-sleepy\r\n",
            "did not finish the key exchange within 0.3 s",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        unreachable = target(listener.local_addr().unwrap());
        unreachable.connect_timeout = limit;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        let (_, why) = told(&unreachable).await;
        assert!(why.ends_with(words), "{why}");
    }
}

#[tokio::test]
async fn what_is_said_instead_of_a_banner_is_told() {
    let world = world(Act::Shell).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = target(listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream
                .write_all(b"\r\nNot allowed at this time\r\n")
                .await
                .unwrap();
        }
    });
    let error = direct(&target, &world.trust, &world.keys().await)
        .await
        .err()
        .unwrap();
    assert_eq!(error.problem.why[1], "it said: Not allowed at this time");
}

#[tokio::test]
async fn one_connection_to_a_bastion_carries_those_to_the_hosts_behind_it() {
    let (first, second) = (world(Act::Shell).await, world(Act::Drop).await);
    let bastion: Arc<dyn Tunnel> = Arc::new(first.connect().await);
    let behind = Target {
        through: vec!["root@jump".to_owned()],
        ..second.target()
    };
    let keys = second.keys().await;
    let route = Route::Through(Arc::clone(&bastion));
    let session = connect(&behind, &route, &second.trust, &keys)
        .await
        .unwrap();
    assert_eq!(session.peer(), Some([127, 0, 0, 1].into()));
    let output = session.run(&Script::new("true")).await;
    // The bastion lives: the host itself is lost.
    assert_eq!(reason(&output.exit), "the host closed the connection");
    let session = connect(&behind, &route, &second.trust, &keys)
        .await
        .unwrap();
    let nowhere = Target {
        port: TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap()
            .port(),
        ..behind
    };
    let problem = connect(&nowhere, &route, &second.trust, &keys).await;
    let problem = problem.expect_err("nothing listens there").problem;
    assert_eq!(problem.code, Code::HOST_UNREACHABLE);
    assert!(
        problem.why[0].ends_with("m1 answered: Connect failed"),
        "{problem}"
    );
    assert_eq!(first.server.connections.load(Ordering::SeqCst), 1);
    drop((bastion, route));
    // A session keeps the way that it goes.
    let output = session.run(&Script::new("true")).await;
    assert_eq!(reason(&output.exit), "the host closed the connection");
}

#[tokio::test]
async fn why_a_bastion_was_lost_is_told_once() {
    let bastion = world(Act::Shell).await.connect().await;
    assert_eq!(bastion.ended("m2").await, None);
    bastion.close().await;
    let whole = bastion.ended("m2").await.unwrap();
    assert!(whole.starts_with("its bastion m1 was lost: "), "{whole}");
    let other = bastion.ended("m3").await.unwrap();
    assert_eq!(other, "its bastion m1 was lost; see m2");
    assert_eq!(bastion.ended("m2").await, Some(whole));
}

#[tokio::test]
async fn a_command_carries_a_connection_and_its_complaint_is_told() {
    let world = world(Act::Shell).await;
    let (target, keys) = (world.target(), world.keys().await);
    let line = format!(
        "bash -c 'exec 3<>/dev/tcp/127.0.0.1/{}; cat <&3 & exec cat >&3'",
        target.port
    );
    let route = Route::Command(line);
    let session = connect(&target, &route, &world.trust, &keys).await.unwrap();
    let output = session.run(&Script::new("echo it")).await;
    assert_eq!(output.stdout, "it\n");
    let route = Route::Command("sh -c 'echo no such proxy >&2'".to_owned());
    let problem = connect(&target, &route, &world.trust, &keys).await;
    let problem = problem.expect_err("it ends").problem;
    let said = "ProxyCommand said: no such proxy".to_owned();
    assert!(problem.why.contains(&said), "{problem}");
}
