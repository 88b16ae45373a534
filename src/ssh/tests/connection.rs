//! Hosts that cannot be reached, each in its own way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::server::Act;
use super::world::{target, world, world_with};
use crate::ssh::fault::ConnectionPhase;
use crate::ssh::{Fault, Target, connect};

#[tokio::test]
async fn a_host_that_drops_connections_is_tried_again_and_not_for_ever() {
    let world = world_with(|setup| setup.drops = 2).await;
    world.connect().await;
    let world = world_with(|setup| setup.drops = 100).await;
    let fault = world.fault().await;
    assert!(
        matches!(
            fault,
            Fault::NoBanner {
                closed: true,
                said: None,
                ..
            }
        ),
        "{fault:?}"
    );
    assert_eq!(world.server.connections.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn each_way_to_be_unreachable_is_told_apart() {
    let world = world(Act::Shell).await;
    let keys = world.keys().await;
    let fault = async |target: &Target| {
        *connect(target, &world.trust, &keys)
            .await
            .err()
            .unwrap()
            .fault
    };

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut unreachable = target(listener.local_addr().unwrap());
    unreachable.connect_timeout = Duration::from_millis(300);
    let limit = unreachable.connect_timeout;
    let phase = ConnectionPhase::Banner;
    assert_eq!(fault(&unreachable).await, Fault::TimedOut { phase, limit });

    let port = unreachable.port;
    drop(listener);
    assert_eq!(fault(&unreachable).await, Fault::PortClosed);
    unreachable.address = "no such name".to_owned();
    assert!(matches!(
        fault(&unreachable).await,
        Fault::Unresolved { .. }
    ));
    unreachable.address = "[::1]".to_owned();
    assert!(
        matches!(
            fault(&unreachable).await,
            Fault::PortClosed | Fault::Tcp { .. }
        ),
        "{port}"
    );

    for (said, phase) in [
        ("220 mail\r\n", ConnectionPhase::Banner),
        ("SSH-2.0-sleepy\r\n", ConnectionPhase::KeyExchange),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        unreachable = target(listener.local_addr().unwrap());
        unreachable.connect_timeout = limit;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        assert_eq!(fault(&unreachable).await, Fault::TimedOut { phase, limit });
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
    let error = connect(&target, &world.trust, &world.keys().await)
        .await
        .err()
        .unwrap();
    let Fault::NoBanner { said, .. } = *error.fault else {
        panic!("{error}")
    };
    assert_eq!(said.as_deref(), Some("Not allowed at this time"));
}
