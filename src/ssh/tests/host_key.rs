//! What a host key leads to, against a real server in this process.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::keys::{Algorithm, PrivateKey, key::safe_rng};

use super::server::{Act, new_key};
use super::world::{public, world, world_with};
use crate::ssh::known_hosts::fingerprint;
use crate::ssh::{Fault, Policy, Refusal, connect};

#[tokio::test]
async fn an_unknown_host_is_refused_accepted_or_asked_about() {
    let mut world = world(Act::Shell).await;
    let file = world.home.path().join("known_hosts");
    world.trust.policy = Policy::Refuse;
    assert_eq!(
        world.refusal().await,
        Refusal::Unknown { file: file.clone() }
    );

    let questions = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&questions);
    world.trust.policy = Policy::Ask(Arc::new(move |question| {
        asked.lock().unwrap().push(question);
        asked.lock().unwrap().len() > 1
    }));
    assert_eq!(world.refusal().await, Refusal::Declined);
    assert!(!file.exists());
    world.connect().await;
    world.connect().await;
    let questions = questions.lock().unwrap();
    assert_eq!(questions.len(), 2);
    assert_eq!(
        questions[0].fingerprint,
        fingerprint(world.host_key.public_key())
    );
    assert_eq!(
        (questions[0].host.as_str(), questions[0].port),
        ("m1", world.server.address.port())
    );
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        format!("{} {}\n", world.name(), public(&world.host_key))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_a_question_does_not_count() {
    let mut world = world(Act::Shell).await;
    world.trust.policy = Policy::Ask(Arc::new(|_| {
        std::thread::sleep(Duration::from_millis(900));
        true
    }));
    let mut target = world.target();
    target.connect_timeout = Duration::from_millis(600);
    connect(&target, &world.trust, &world.keys().await)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_question_is_open_at_a_time_and_the_same_host_is_asked_about_once() {
    let mut world = world(Act::Shell).await;
    let open = Arc::new(AtomicU32::new(0));
    let total = Arc::new(AtomicU32::new(0));
    let (now, all) = (open.clone(), total.clone());
    world.trust.policy = Policy::Ask(Arc::new(move |_| {
        assert_eq!(now.fetch_add(1, Ordering::SeqCst), 0);
        std::thread::sleep(Duration::from_millis(50));
        now.fetch_sub(1, Ordering::SeqCst);
        all.fetch_add(1, Ordering::SeqCst);
        true
    }));
    let sessions = futures::future::join_all((0..4).map(|_| world.try_connect())).await;
    assert!(sessions.iter().all(Result::is_ok));
    assert_eq!(total.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_changed_revoked_or_new_typed_key_is_refused_under_every_policy() {
    let mut world = world(Act::Shell).await;
    let (name, other) = (world.name(), new_key());
    let ecdsa = PrivateKey::random(
        &mut safe_rng(),
        Algorithm::new("ecdsa-sha2-nistp256").unwrap(),
    )
    .unwrap();
    for policy in [
        Policy::AcceptNew,
        Policy::Refuse,
        Policy::Ask(Arc::new(|_| panic!("asked"))),
    ] {
        world.trust.policy = policy;
        world.known(&format!("# a comment\n{name} {}\n", public(&other)));
        let Refusal::Changed { place, known } = world.refusal().await else {
            panic!("not changed")
        };
        assert_eq!((place.line, known), (2, fingerprint(other.public_key())));
        world.known(&format!(
            "{name} {}\n@revoked * {0}\n",
            public(&world.host_key)
        ));
        let Refusal::Revoked(place) = world.refusal().await else {
            panic!("not revoked")
        };
        assert_eq!(place.line, 2);
        world.known(&format!("{name} {}\n", public(&ecdsa)));
        let Refusal::OtherType { types, .. } = world.refusal().await else {
            panic!("not another type")
        };
        assert_eq!(types, ["ecdsa-sha2-nistp256"]);
    }
    world.known(&format!("{name} {}\n", public(&world.host_key)));
    world.connect().await;
}

#[tokio::test]
async fn a_host_with_several_keys_shows_the_known_one() {
    let ecdsa = PrivateKey::random(
        &mut safe_rng(),
        Algorithm::new("ecdsa-sha2-nistp256").unwrap(),
    )
    .unwrap();
    let shown = ecdsa.clone();
    let mut world = world_with(|setup| setup.host_keys.push(shown)).await;
    world.trust.policy = Policy::Refuse;
    world.known(&format!("{} {}\n", world.name(), public(&ecdsa)));
    world.connect().await;
}

#[tokio::test]
async fn a_known_hosts_file_that_cannot_be_read_stops_the_connection() {
    let world = world(Act::Shell).await;
    std::fs::create_dir(world.home.path().join("known_hosts")).unwrap();
    assert!(matches!(world.fault().await, Fault::KnownHosts(_)));
}
