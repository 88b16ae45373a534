//! Logging in, against a real server and a real agent in this process.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use russh::MethodKind;
use russh::keys::{Algorithm, PrivateKey, key::safe_rng};

use super::server::{Act, PASSWORD, new_key};
use super::world::{World, direct, load_keys, set_mode, world, world_with, write_key};
use crate::problem::Code;
use crate::ssh::{Keys, Target};
use crate::vars::Secret;

/// Why a login with these keys is refused.
async fn refused(world: &World, keys: &Keys) -> Vec<String> {
    let session = direct(&world.target(), &world.trust, keys).await;
    let problem = session.expect_err("refused").problem;
    assert_eq!(problem.code, Code::LOGIN_REFUSED, "{problem}");
    problem.why
}

#[tokio::test]
async fn a_refused_login_names_what_was_offered() {
    let world = world_with(|setup| setup.accepts = new_key().public_key().clone()).await;
    let (code, why) = world.why().await;
    assert_eq!((code, why.len()), (Code::LOGIN_REFUSED, 2));
    assert!(
        why[0].contains("/.ssh/id_ed25519 (ssh-ed25519 SHA256:"),
        "{why:?}"
    );
    assert_eq!(why[1], "the host allows: publickey, password");
}

/// A host that hangs up at the third key, and the keys that are tried before the usual one.
async fn impatient(count: usize) -> (World, Keys) {
    let world = world_with(|setup| setup.attempts = 2).await;
    let paths = (0..count).map(|number| world.home.path().join(format!("key{number}")));
    let paths: Vec<PathBuf> = paths.collect();
    for path in &paths {
        write_key(path, &new_key());
    }
    let keys = load_keys(&paths, None, world.home.path()).await.unwrap();
    (world, keys)
}

#[tokio::test]
async fn a_host_that_takes_few_keys_at_once_is_offered_the_others_over_another_connection() {
    let (world, keys) = impatient(7).await;
    direct(&world.target(), &world.trust, &keys).await.unwrap();
    assert_eq!(world.server.connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn too_many_keys_are_told_as_such() {
    let (world, keys) = impatient(12).await;
    let why = refused(&world, &keys).await;
    assert!(
        why[0].contains("key0") && why[5].contains("key5"),
        "{why:?}"
    );
    let last = why.last().expect("a reason");
    assert_eq!(last, "the host hung up: too many authentication failures");
    assert_eq!(world.server.connections.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_host_without_public_keys_is_asked_only_once() {
    let world = world_with(|setup| setup.methods = &[MethodKind::Password]).await;
    let keys = load_keys(&[], None, &world.home.path().join("no-home"))
        .await
        .unwrap();
    assert_eq!(
        refused(&world, &keys).await,
        ["there was no key to offer", "the host allows: password"]
    );
}

#[tokio::test]
async fn a_key_with_a_passphrase_is_left_to_the_agent() {
    let key = new_key();
    let public = key.public_key().clone();
    let world = world_with(|setup| setup.accepts = public).await;
    let path = world.home.path().join(".ssh/id_ed25519");
    write_key(&path, &key.encrypt(&mut safe_rng(), "secret").unwrap());
    let (_, why) = world.why().await;
    let protected = format!(
        "{} is protected by a passphrase and was not offered",
        path.display()
    );
    assert_eq!(
        (&*why[0], &why[2]),
        ("there was no key to offer", &protected)
    );

    let socket = world.home.path().join("agent");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let connections = futures::stream::unfold(listener, |listener| async move {
        Some((listener.accept().await.map(|(stream, _)| stream), listener))
    });
    tokio::spawn(russh::keys::agent::server::serve(Box::pin(connections), ()));
    let mut agent = russh::keys::agent::client::AgentClient::connect_uds(&socket)
        .await
        .unwrap();
    for key in [new_key(), key, new_key()] {
        agent.add_identity(&key, &[]).await.unwrap();
    }
    // Named in the inventory it is offered before the agent's other keys.
    let keys = load_keys(&[path], Some(socket.clone()), world.home.path())
        .await
        .unwrap();
    direct(&world.target(), &world.trust, &keys).await.unwrap();
    let keys = load_keys(&[], Some(socket), world.home.path())
        .await
        .unwrap();
    direct(&world.target(), &world.trust, &keys).await.unwrap();
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_noted_and_passed_over() {
    let world = world(Act::Shell).await;
    let gone = world.home.path().join("gone");
    let keys = load_keys(&[], Some(gone.clone()), world.home.path())
        .await
        .unwrap();
    direct(&world.target(), &world.trust, &keys).await.unwrap();
    let keys = load_keys(&[], Some(gone), &world.home.path().join("no-home"))
        .await
        .unwrap();
    let why = refused(&world, &keys).await;
    assert!(
        why[2].ends_with("gone was of no help: No such file or directory (os error 2)"),
        "{why:?}"
    );
}

#[tokio::test]
async fn a_configured_key_must_be_usable_and_a_usual_one_may_be_broken() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("key");
    let missing = load_keys(std::slice::from_ref(&path), None, home.path())
        .await
        .unwrap_err();
    assert_eq!(missing.why[0], "No such file or directory (os error 2)");
    for (content, reason) in [
        ("hello", "this is no private key"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
            "it cannot be decoded: ",
        ),
    ] {
        std::fs::write(&path, content).unwrap();
        set_mode(&path, 0o600);
        let error = load_keys(std::slice::from_ref(&path), None, home.path())
            .await
            .unwrap_err();
        assert!(error.why[0].starts_with(reason), "{error:?}");
    }
    std::fs::create_dir(home.path().join(".ssh")).unwrap();
    std::fs::write(home.path().join(".ssh/id_rsa"), "hello").unwrap();
    let keys = load_keys(&[], None, home.path()).await.unwrap();
    assert_eq!(keys.unusable.len(), 1);
}

#[tokio::test]
async fn a_private_key_that_others_may_read_is_refused_as_ssh_does() {
    let world = world(Act::Shell).await;
    let usual = world.home.path().join(".ssh/id_ed25519");
    set_mode(&usual, 0o640);
    let load = async |keys: &[PathBuf]| load_keys(keys, None, world.home.path()).await;
    let error = load(std::slice::from_ref(&usual)).await.unwrap_err();
    assert_eq!(
        error.why[0],
        "others than its owner may use the file (mode 0640)"
    );
    assert_eq!(error.next[0].text, format!("chmod 600 {}", usual.display()));
    let (_, why) = world.why().await;
    assert_eq!(why[0], "there was no key to offer");
    assert!(why[2].contains("was not offered: others"), "{why:?}");
    set_mode(&usual, 0o400);
    load(&[usual]).await.unwrap();
    world.connect().await;
}

#[tokio::test]
async fn a_public_key_that_is_named_as_the_key_is_told_as_such() {
    let world = world(Act::Shell).await;
    let beside = world.home.path().join("work");
    write_key(&beside, &new_key());
    let path = world.home.path().join("work.pub");
    std::fs::write(&path, new_key().public_key().to_openssh().unwrap()).unwrap();
    let named = std::slice::from_ref(&path);
    let error = load_keys(named, None, world.home.path()).await.unwrap_err();
    let next = format!("name the private key beside it: {}", beside.display());
    assert!(error.why[0].starts_with("it is a public key"), "{error}");
    assert_eq!(error.next[0].text, next);

    let gone = world.home.path().join("gone");
    let keys = load_keys(named, Some(gone), &world.home.path().join("no-home"))
        .await
        .unwrap();
    let why = refused(&world, &keys).await;
    let last = why.last().unwrap();
    assert!(
        last.contains("does not hold its private half") && last.ends_with(&next),
        "{last}"
    );
}

#[tokio::test]
async fn an_rsa_key_signs_with_sha2() {
    let key = PrivateKey::random(&mut safe_rng(), Algorithm::Rsa { hash: None }).unwrap();
    let public = key.public_key().clone();
    let world = world_with(|setup| setup.accepts = public).await;
    write_key(&world.home.path().join(".ssh/id_rsa"), &key);
    world.connect().await;
}

#[tokio::test]
async fn a_password_is_told_only_where_the_host_takes_no_key_and_once() {
    for methods in [
        &[MethodKind::PublicKey, MethodKind::Password],
        &[MethodKind::PublicKey, MethodKind::KeyboardInteractive],
    ] {
        let world = world_with(|setup| {
            setup.methods = methods;
            setup.accepts = new_key().public_key().clone();
        })
        .await;
        let log_in = async |password: &str| {
            let target = Target {
                password: Some(Secret::new(password)),
                ..world.target()
            };
            direct(&target, &world.trust, &world.keys().await).await
        };
        log_in(PASSWORD).await.unwrap();
        let problem = log_in("another").await.expect_err("refused").problem;
        assert_eq!(problem.code, Code::LOGIN_REFUSED);
        let told = problem
            .why
            .iter()
            .filter(|why| *why == "refused: the password");
        assert_eq!(told.count(), 1, "{problem}");
        assert!(!problem.to_string().contains("another"), "{problem}");
        let (_, why) = world.why().await;
        assert!(
            !why.contains(&"refused: the password".to_owned()),
            "{why:?}"
        );
    }
}

#[tokio::test]
async fn a_key_with_a_passphrase_is_unlocked_by_it_alone() {
    let world = world(Act::Shell).await;
    let usual = world.home.path().join(".ssh/id_ed25519");
    let plain = PrivateKey::read_openssh_file(&usual).unwrap();
    let path = world.home.path().join("locked");
    write_key(
        &path,
        &plain.encrypt(&mut safe_rng(), "open sesame").unwrap(),
    );
    std::fs::remove_file(&usual).unwrap();
    let named = std::slice::from_ref(&path);
    let mut keys = load_keys(named, None, world.home.path()).await.unwrap();
    assert_eq!(keys.locked().await, [(path.clone(), true)]);
    assert!(!keys.unlock(&path, &Secret::new("sesame")).await);
    let why = refused(&world, &keys).await;
    assert!(
        why.iter()
            .any(|why| why.contains("is protected by a passphrase")),
        "{why:?}"
    );
    assert!(keys.unlock(&path, &Secret::new("open sesame")).await);
    assert_eq!(keys.locked().await, []);
    direct(&world.target(), &world.trust, &keys).await.unwrap();
}
