//! What a host key leads to, against a real server in this process.

use russh::keys::{Algorithm, PrivateKey, key::safe_rng};

use super::server::{Act, new_key};
use super::world::{public, world, world_with};
use crate::ssh::known_hosts::fingerprint;
use crate::ssh::{Fault, HostKeyRefusal, Policy};

#[tokio::test]
async fn an_unknown_host_is_refused_declined_or_accepted() {
    let mut world = world(Act::Shell).await;
    let file = world.home.path().join("known_hosts");
    let right = fingerprint(world.host_key.public_key());
    let other = fingerprint(new_key().public_key());
    for policy in [Policy::Refuse, Policy::Accept(other)] {
        world.trust.policy = policy;
        assert_eq!(
            world.refusal().await,
            HostKeyRefusal::Unknown { file: file.clone() }
        );
    }
    world.trust.policy = Policy::Decline;
    assert_eq!(world.refusal().await, HostKeyRefusal::Declined);
    assert!(!file.exists());
    assert!(
        !world
            .trust
            .known_hosts
            .knows(&world.target())
            .await
            .unwrap()
    );

    world.trust.policy = Policy::Accept(right);
    world.connect().await;
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        format!("{} {}\n", world.name(), public(&world.host_key))
    );
    assert!(
        world
            .trust
            .known_hosts
            .knows(&world.target())
            .await
            .unwrap()
    );
    world.trust.policy = Policy::Refuse;
    world.connect().await;
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
        Policy::Accept(fingerprint(world.host_key.public_key())),
    ] {
        world.trust.policy = policy;
        world.known(&format!("# a comment\n{name} {}\n", public(&other)));
        let HostKeyRefusal::Changed { place, known } = world.refusal().await else {
            panic!("not changed")
        };
        assert_eq!((place.line, known), (2, fingerprint(other.public_key())));
        world.known(&format!(
            "{name} {}\n@revoked * {0}\n",
            public(&world.host_key)
        ));
        let HostKeyRefusal::Revoked(place) = world.refusal().await else {
            panic!("not revoked")
        };
        assert_eq!(place.line, 2);
        world.known(&format!("{name} {}\n", public(&ecdsa)));
        let HostKeyRefusal::OtherType { types, .. } = world.refusal().await else {
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
