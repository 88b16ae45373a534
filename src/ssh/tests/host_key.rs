//! What a host key leads to, against a real server in this process.

use russh::keys::{Algorithm, PrivateKey, key::safe_rng};

use super::server::{Act, new_key};
use super::world::{public, world, world_with};
use crate::problem::Code;
use crate::ssh::known_hosts::fingerprint;
use crate::ssh::{Policy, Route, look};

#[tokio::test]
async fn an_unknown_host_is_refused_declined_or_accepted() {
    let mut world = world(Act::Shell).await;
    let file = world.home.path().join("known_hosts");
    let right = fingerprint(world.host_key.public_key());
    let other = fingerprint(new_key().public_key());
    for policy in [Policy::Refuse, Policy::Accept(other)] {
        world.trust.policy = policy;
        let refused = world.refused().await;
        assert_eq!(refused.problem.what, "the host key is not known");
        assert!(refused.is_unknown);
        assert_eq!(refused.shown_key.expect("a key").fingerprint, right);
    }
    world.trust.policy = Policy::Decline;
    let refused = world.refused().await;
    assert_eq!(refused.problem.what, "the host key was not accepted");
    assert!(!refused.is_unknown);
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
        let (code, why) = world.why().await;
        let says = format!("known_hosts:2 says {}", fingerprint(other.public_key()));
        assert!(
            code == Code::HOST_KEY_CHANGED && why[1].ends_with(&says),
            "{why:?}"
        );
        world.known(&format!(
            "{name} {}\n@revoked * {0}\n",
            public(&world.host_key)
        ));
        let (code, why) = world.why().await;
        let says = "known_hosts:2 revokes this key";
        assert!(
            code == Code::HOST_KEY_REVOKED && why[1].ends_with(says),
            "{why:?}"
        );
        world.known(&format!("{name} {}\n", public(&ecdsa)));
        let (code, why) = world.why().await;
        let says = "known_hosts:1 knows it by ecdsa-sha2-nistp256 only";
        assert!(
            code == Code::HOST_KEY_CHANGED && why[1].ends_with(says),
            "{why:?}"
        );
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
    let told = world.refused().await.problem.to_string();
    insta::assert_snapshot!(told.replace(&*world.home.path().to_string_lossy(), "HOME"), @r"
    m1: the host key cannot be checked
      HOME/known_hosts cannot be read: Is a directory (os error 21)
      → ls -l HOME/known_hosts
    ");
}

#[tokio::test]
async fn a_pinned_key_is_the_only_one_that_is_taken() {
    let mut world = world(Act::Shell).await;
    let shown = world.host_key.public_key().clone();
    for pinned in [fingerprint(&shown), public(&world.host_key)] {
        world.trust.pinned = vec![public(&new_key()), pinned];
        world.trust.policy = Policy::Refuse;
        world.connect().await;
    }
    // It is no matter what the files know.
    world.known(&format!("{} {}\n", world.name(), public(&world.host_key)));
    world.trust.pinned = vec![fingerprint(new_key().public_key())];
    world.trust.policy = Policy::AcceptNew;
    let (code, _) = world.why().await;
    assert_eq!(code, Code::HOST_KEY_CHANGED);
}

#[tokio::test]
async fn a_look_takes_no_login_and_tells_the_key() {
    let stranger = new_key().public_key().clone();
    let mut world = world_with(|setup| setup.accepts = stranger).await;
    assert_eq!(world.why().await.0, Code::LOGIN_REFUSED);
    let right = fingerprint(world.host_key.public_key());
    let file = world.home.path().join("known_hosts");
    let other = new_key();
    for (policy, known, is_taken, is_unknown) in [
        (Policy::Refuse, String::new(), false, true),
        (Policy::Accept(right.clone()), String::new(), true, false),
        (Policy::Refuse, public(&world.host_key), true, false),
        (Policy::AcceptNew, public(&other), false, false),
    ] {
        let line = format!("{} {known}\n", world.name());
        world.known(if known.is_empty() { "" } else { &line });
        world.trust.policy = policy;
        let looked = look(&world.target(), &Route::Direct, &world.trust).await;
        assert_eq!(looked.is_ok(), is_taken, "{known}");
        let shown = match looked {
            Ok(shown) => shown,
            Err(error) => {
                assert_eq!(error.is_unknown, is_unknown, "{known}");
                error.shown_key.unwrap()
            }
        };
        assert_eq!(shown.fingerprint, right);
        let is_known = std::fs::read_to_string(&file)
            .unwrap()
            .contains(&public(&world.host_key));
        assert_eq!(is_known, is_taken, "{known}");
    }
}
