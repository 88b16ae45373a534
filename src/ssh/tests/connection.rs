//! Hosts that cannot be reached, each in its own way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::server::Act;
use super::world::{direct, target, world, world_with};
use crate::problem::Code;
use crate::ssh::Target;

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
