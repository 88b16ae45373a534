//! Host certificates: what vouches for a host, and what a server in this process shows.

use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::{Certificate, HashAlg, PrivateKey, key::safe_rng};

use super::server::new_key;
use super::world::{World, public, world_with};
use crate::problem::Code;
use crate::ssh::Policy;
use crate::ssh::host_certificate::doubt;
use crate::ssh::known_hosts::fingerprint;

/// The time of these tests, and an hour of seconds.
const NOW: u64 = 1_800_000_000;
const HOUR: u64 = 3600;

/// A certificate of a host that is valid for an hour; before it is signed, it is changed.
fn certificate(
    authority: &PrivateKey,
    key: &PrivateKey,
    from: u64,
    change: impl FnOnce(&mut Builder),
) -> Certificate {
    let key = key.public_key().key_data().clone();
    let until = from.saturating_add(HOUR);
    let mut builder = Builder::new_with_random_nonce(&mut safe_rng(), key, from, until).unwrap();
    change(&mut builder);
    builder.sign(authority).unwrap()
}

fn host(builder: &mut Builder, principals: &[&str]) {
    builder.cert_type(CertType::Host).unwrap();
    for principal in principals {
        builder.valid_principal(*principal).unwrap();
    }
}

#[test]
fn what_a_certificate_must_say() {
    let (authority, key) = (new_key(), new_key());
    let trusted = authority.public_key().fingerprint(HashAlg::Sha256);
    let judged = |name: &str, from, change: &dyn Fn(&mut Builder)| {
        let certificate = certificate(&authority, &key, from, change);
        doubt(&certificate, name, &[trusted], NOW)
    };
    for (principals, name) in [
        (&["m1.example.org"][..], "m1.example.org"),
        (&["m1"], "M1"),
        (&["m2", "m1"], "m1"),
        (&["*.example.org"], "m1.example.org"),
        (&["m?"], "m1"),
        (&["10.0.0.1"], "10.0.0.1"),
    ] {
        let told = judged(name, NOW - 1, &|builder| host(builder, principals));
        assert_eq!(told, None, "{principals:?} for {name}");
    }
    for (principals, name) in [
        (&["m2"][..], "m1"),
        (&["M1"], "m1"),
        (&["*.example.org"], "example.org"),
        (&["!m2"], "m1"),
        (&["m1,m2"], "m1"),
        (&["[m1]:2222"], "m1"),
    ] {
        let told = judged(name, NOW - 1, &|builder| host(builder, principals));
        let expected = format!("it is for {}, not {name}", principals.join(", "));
        assert_eq!(told, Some(expected));
    }
    let m1 = |builder: &mut Builder| host(builder, &["m1"]);
    let told = judged("m1", NOW + 1, &m1);
    assert_eq!(told.unwrap(), "it is not valid yet; compare the clocks");
    let told = judged("m1", NOW - HOUR, &m1);
    assert_eq!(told.unwrap(), "it has expired");
    let told = judged("m1", NOW, &|builder| {
        builder.cert_type(CertType::Host).unwrap();
        builder.all_principals_valid().unwrap();
    });
    assert_eq!(told.unwrap(), "it names no host");
    let told = judged("m1", NOW, &|builder| {
        builder.cert_type(CertType::User).unwrap();
        builder.valid_principal("m1").unwrap();
    });
    assert_eq!(told.unwrap(), "it is one of a user");
    let told = judged("m1", NOW, &|builder| {
        m1(builder);
        builder.critical_option("new-thing", "yes").unwrap();
    });
    let expected = "it has the critical option new-thing, which is not known";
    assert_eq!(told.unwrap(), expected);
}

#[test]
fn only_a_known_authority_vouches_and_only_with_its_signature() {
    let (authority, key) = (new_key(), new_key());
    let trusted = authority.public_key().fingerprint(HashAlg::Sha256);
    let m1 = |builder: &mut Builder| host(builder, &["m1"]);
    let by_other = certificate(&new_key(), &key, NOW, m1);
    let told = doubt(&by_other, "m1", &[trusted], NOW).unwrap();
    assert!(told.starts_with("no @cert-authority line"), "{told}");

    let mut forged = certificate(&authority, &key, NOW, m1).to_bytes().unwrap();
    let principal = forged.windows(2).rposition(|two| two == b"m1").unwrap();
    forged[principal + 1] = b'2';
    let forged = Certificate::from_bytes(&forged).unwrap();
    let told = doubt(&forged, "m2", &[trusted], NOW).unwrap();
    assert_eq!(told, "its signature is wrong");
}

/// A server with a certificate of this authority for this principal, valid now or not any more.
async fn certified(authority: &PrivateKey, principal: &str, is_valid: bool) -> World {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let from = now - if is_valid { HOUR / 2 } else { 2 * HOUR };
    let mut world = world_with(|setup| {
        let key = &setup.host_keys[0];
        let certificate = certificate(authority, key, from, |builder| host(builder, &[principal]));
        setup.certificates.push(certificate);
    })
    .await;
    world.trust.policy = Policy::Refuse;
    world
}

#[tokio::test]
async fn a_host_whose_certificate_a_known_authority_signed_is_known() {
    let authority = new_key();
    let world = certified(&authority, "127.0.0.*", true).await;
    let (code, why) = world.why().await;
    assert_eq!((code, why.len()), (Code::HOST_KEY_UNKNOWN, 1), "{why:?}");
    let ca = public(&authority);
    for name in ["127.0.0.1", "*", &world.name()] {
        world.known(&format!("@cert-authority {name} {ca}\n"));
        world.connect().await;
    }
    // Nothing is learned: the certificate says it all.
    let file = world.home.path().join("known_hosts");
    assert_eq!(std::fs::read_to_string(file).unwrap().lines().count(), 1);
    world.known(&format!("@cert-authority 10.0.0.* {ca}\n"));
    assert_eq!(world.why().await.0, Code::HOST_KEY_UNKNOWN);
}

#[tokio::test]
async fn a_certificate_that_does_not_vouch_leaves_the_plain_key() {
    let authority = new_key();
    let ca = format!("@cert-authority * {}\n", public(&authority));
    for (principal, is_valid, expected) in [
        ("127.0.0.1", false, "it has expired"),
        ("m2", true, "it is for m2, not 127.0.0.1"),
    ] {
        let mut world = certified(&authority, principal, is_valid).await;
        world.known(&ca);
        let refused = world.refused().await;
        let told = refused.problem.why.last().unwrap();
        let expected = format!("its certificate does not vouch for it: {expected}");
        assert_eq!(*told, expected);
        let key = fingerprint(world.host_key.public_key());
        assert_eq!(refused.unknown_key.unwrap().fingerprint, key);

        world.known(&format!("{ca}{} {}\n", world.name(), public(&new_key())));
        let (code, why) = world.why().await;
        assert_eq!(
            (code, why.last()),
            (Code::HOST_KEY_CHANGED, Some(&expected))
        );
        world.known(&format!(
            "{ca}{} {}\n",
            world.name(),
            public(&world.host_key)
        ));
        world.connect().await;
        world.known(&ca);
        world.trust.policy = Policy::AcceptNew;
        world.connect().await;
        let file = world.home.path().join("known_hosts");
        let learned = format!("{ca}{} {}\n", world.name(), public(&world.host_key));
        assert_eq!(std::fs::read_to_string(file).unwrap(), learned);
    }
}

#[tokio::test]
async fn what_is_revoked_has_no_certificate_that_helps() {
    let authority = new_key();
    let mut world = certified(&authority, "127.0.0.1", true).await;
    world.trust.policy = Policy::AcceptNew;
    let ca = format!("@cert-authority * {}\n", public(&authority));
    world.known(&format!("{ca}@revoked * {}\n", public(&world.host_key)));
    let (code, why) = world.why().await;
    assert_eq!(code, Code::HOST_KEY_REVOKED);
    assert!(
        why[1].ends_with("known_hosts:2 revokes this key"),
        "{why:?}"
    );

    let known = format!("{} {}\n", world.name(), public(&world.host_key));
    world.known(&format!("{ca}{known}@revoked * {}\n", public(&authority)));
    let (code, why) = world.why().await;
    assert_eq!(code, Code::HOST_KEY_REVOKED);
    let key = fingerprint(authority.public_key());
    let says = format!("known_hosts:3 revokes {key}, which signed its certificate");
    assert!(why[1].ends_with(&says), "{why:?}");
}

#[tokio::test]
async fn a_pinned_key_is_judged_by_itself() {
    let authority = new_key();
    let mut world = certified(&authority, "127.0.0.1", true).await;
    world.known(&format!("@cert-authority * {}\n", public(&authority)));
    world.trust.pinned = vec![fingerprint(new_key().public_key())];
    assert_eq!(world.why().await.0, Code::HOST_KEY_CHANGED);
    world.trust.pinned = vec![public(&world.host_key)];
    world.connect().await;
}
