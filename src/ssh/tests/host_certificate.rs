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
        assert_eq!(refused.shown_key.unwrap().fingerprint, key);

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

/// Whether the `ssh` of this machine takes the host's key, with these lines.
async fn ssh_takes(world: &World, known: &str) -> bool {
    world.known(known);
    let file = |name: &str| world.home.path().join(name).display().to_string();
    let output = tokio::process::Command::new("ssh")
        .args(["-F", "none", "-n", "-l", "root"])
        .args(["-p", &world.server.address.port().to_string()])
        .args(["-i", &file(".ssh/id_ed25519")])
        .args(["-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"])
        .args(["-o", "StrictHostKeyChecking=yes"])
        .args(["-o", &format!("UserKnownHostsFile={}", file("known_hosts"))])
        .args(["-o", "GlobalKnownHostsFile=none"])
        .args(["127.0.0.1", "true"])
        .output()
        .await
        .expect("ssh");
    let said = String::from_utf8_lossy(&output.stderr);
    let is_refused = said.contains("Host key verification failed") || said.contains("REVOKED");
    assert_ne!(output.status.success(), is_refused, "{known}: {said}");
    !is_refused
}

#[tokio::test]
async fn ssh_takes_the_same_hosts() {
    let (ca, other) = (new_key(), new_key());
    let mut plain = world_with(|_| {}).await;
    plain.trust.policy = Policy::Refuse;
    let worlds = [
        ("valid", certified(&ca, "127.0.0.1", true).await),
        ("expired", certified(&ca, "127.0.0.1", false).await),
        ("for m2", certified(&ca, "m2", true).await),
        ("of none", plain),
    ];
    // Of the valid one, the expired one, the one for m2, and of a plain key.
    let table = [
        ("", "....", "nothing is known"),
        ("NAME KEY", "yyyy", "its key"),
        ("127.0.0.1 KEY", "yyyy", "its key without its port"),
        ("NAME OTHER", "....", "another key"),
        ("NAME OTHER\nNAME KEY", "yyyy", "two keys"),
        ("!127.*,![127.*]:*,* KEY", "....", "a key of all others"),
        ("@cert-authority NAME CA", "y...", "its authority"),
        (
            "@cert-authority 127.0.0.? CA",
            "y...",
            "its authority without its port",
        ),
        ("@cert-authority NAME OTHER", "....", "another authority"),
        (
            "@cert-authority m2 CA",
            "....",
            "an authority of another host",
        ),
        ("@cert-authority NAME CA\nNAME KEY", "yyyy", "both"),
        (
            "@cert-authority NAME CA\nNAME OTHER",
            "y...",
            "its authority, and another key",
        ),
        (
            "@cert-authority NAME OTHER\nNAME KEY",
            "yyyy",
            "another authority, and its key",
        ),
        ("NAME CA", "....", "an authority as if it were its key"),
        ("NAME KEY\n@revoked * KEY", "....", "its key, revoked"),
        (
            "@cert-authority NAME CA\n@revoked NAME KEY",
            "....",
            "a revoked key",
        ),
        (
            "@cert-authority NAME CA\n@revoked * CA",
            "....",
            "a revoked authority",
        ),
        (
            "@cert-authority NAME CA\nNAME KEY\n@revoked * CA",
            "...y",
            "the same, and its key",
        ),
        (
            "NAME KEY\n@revoked NAME OTHER",
            "yyyy",
            "another key, revoked",
        ),
    ];
    for (known, expected, about) in table {
        for ((kind, world), expected) in worlds.iter().zip(expected.chars()) {
            // Word by word: a key may have the letters of the next word in it.
            let filled = known.split_inclusive([' ', '\n']).map(|part| {
                let word = part.trim_end();
                let value = match word {
                    "NAME" => world.name(),
                    "KEY" => public(&world.host_key),
                    "CA" => public(&ca),
                    "OTHER" => public(&other),
                    _ => return part.to_owned(),
                };
                part.replace(word, &value)
            });
            let known: String = filled.collect();
            let theirs = ssh_takes(world, &known).await;
            world.known(&known);
            let ours = world.try_connect().await.is_ok();
            let expected = expected == 'y';
            assert_eq!((ours, theirs), (expected, expected), "{kind}: {about}");
        }
    }
}
