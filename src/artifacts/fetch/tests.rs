use std::cell::RefCell;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::*;
use crate::artifacts::architecture::tests::elf;
use crate::artifacts::cache;
use crate::digest::sha256;
use server::{Reply, Server};

mod refused;
mod server;

const RELEASES: &Releases = &crate::distribution::k3s::DISTRIBUTION.releases;
const VERSION: &str = "v1.36.3+k3s1";
const BINARY: &str = "/v1.36.3%2Bk3s1/k3s";
const LIST: &str = "/v1.36.3%2Bk3s1/sha256sum-amd64.txt";

fn list(binary: &[u8]) -> Vec<u8> {
    let hash = sha256(binary);
    format!(
        "{}  k3s-airgap-images-amd64.tar\n{hash}  k3s\n",
        "0".repeat(64)
    )
    .into_bytes()
}

fn request(server: &Server, cache: &Path) -> Fetch {
    Fetch {
        releases: RELEASES,
        version: VERSION.to_owned(),
        architecture: Architecture::Amd64,
        mirror: Some(server.base.clone()),
        cache_dir: cache.to_owned(),
        proxy: None,
        sha256: None,
    }
}

fn get(server: &Server, cache: &Path) -> Result<BinaryArtifact, Problem> {
    fetch(&request(server, cache), &|_| {})
}

/// Names of what is in the slot, without the lock.
fn kept(cache: &Path) -> Vec<String> {
    let kept = cache::list(cache, "k3s").unwrap();
    let mut names: Vec<String> = fs::read_dir(&kept[0].path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "lock" && name != "source")
        .collect();
    names.sort();
    names
}

#[test]
fn a_binary_is_fetched_checked_and_kept() {
    let (server, cache) = (Server::with_release(), tempfile::tempdir().unwrap());
    let seen = RefCell::new(Vec::new());
    let tell = |progress| seen.borrow_mut().push(progress);
    let binary = fetch(&request(&server, cache.path()), &tell).unwrap();
    assert_eq!(binary.version.as_deref(), Some(VERSION));
    assert_eq!(binary.size, Some(5020));
    assert_eq!(binary.architecture, Architecture::Amd64);
    assert_eq!(fs::read(&binary.path).unwrap(), elf(Architecture::Amd64));
    assert_eq!(
        fs::metadata(&binary.path).unwrap().permissions().mode() & 0o777,
        0o755
    );
    assert_eq!(kept(cache.path()), ["announced", "k3s", "sha256"]);
    assert_eq!(server.asked(), 2);
    assert_eq!(seen.into_inner(), [DownloadProgress::Downloading]);
}

#[test]
fn a_good_cached_file_needs_no_request_and_a_damaged_one_is_fetched_again() {
    let (server, cache) = (Server::with_release(), tempfile::tempdir().unwrap());
    let first = get(&server, cache.path()).unwrap();
    assert_eq!(get(&server, cache.path()).unwrap(), first);
    assert_eq!(server.asked(), 2);

    fs::write(&first.path, "damaged").unwrap();
    let seen = RefCell::new(Vec::new());
    let tell = |progress| seen.borrow_mut().push(progress);
    let request = request(&server, cache.path());
    assert_eq!(fetch(&request, &tell).unwrap(), first);
    assert_eq!(server.asked(), 4);
    let damaged = DownloadProgress::Damaged(first.path.clone());
    assert_eq!(seen.into_inner(), [damaged, DownloadProgress::Downloading]);

    // A run that was killed between the two files, with a part of an earlier download.
    let directory = first.path.parent().unwrap();
    fs::remove_file(directory.join("sha256")).unwrap();
    fs::write(directory.join(".download-abc"), "part").unwrap();
    assert_eq!(get(&server, cache.path()).unwrap(), first);
    assert_eq!(kept(cache.path()), ["announced", "k3s", "sha256"]);
}

#[test]
fn what_a_release_announces_is_asked_once_and_the_binary_is_not_fetched_for_it() {
    let (server, cache) = (Server::with_release(), tempfile::tempdir().unwrap());
    let request = request(&server, cache.path());
    let first = announced(&request).unwrap();
    assert_eq!(first.sha256, sha256(elf(Architecture::Amd64)));
    assert_eq!((first.size, server.asked()), (None, 1));
    assert_eq!(announced(&request).unwrap(), first);
    assert_eq!(server.asked(), 1);
    assert_eq!(kept(cache.path()), ["announced"]);
    assert_eq!(
        address(&request).unwrap(),
        format!("{}{BINARY}", server.base)
    );

    // A file that is here tells its own hash.
    let cache = tempfile::tempdir().unwrap();
    let fetched = get(&server, cache.path()).unwrap();
    let asked = server.asked();
    let request = Fetch {
        cache_dir: cache.path().to_owned(),
        ..request
    };
    assert_eq!(announced(&request).unwrap(), fetched);
    assert_eq!(server.asked(), asked);
}

#[test]
fn what_came_from_one_source_is_not_used_for_another() {
    let (one, cache) = (Server::with_release(), tempfile::tempdir().unwrap());
    let other = Server::with_release();
    let forged = elf(Architecture::Amd64).repeat(2);
    one.set(LIST, Reply::Body(list(&forged)));
    one.set(BINARY, Reply::Body(forged.clone()));
    let tainted = get(&one, cache.path()).unwrap();
    assert_eq!(tainted.sha256, sha256(&forged));

    let announced = announced(&request(&other, cache.path())).unwrap();
    let fetched = get(&other, cache.path()).unwrap();
    for good in [&announced, &fetched] {
        assert_eq!(good.sha256, sha256(elf(Architecture::Amd64)));
    }
    assert_ne!(fetched.path, tainted.path);
    let kept = cache::list(cache.path(), "k3s").unwrap();
    let mut mirrors: Vec<_> = kept.iter().filter_map(|kept| kept.mirror.clone()).collect();
    mirrors.sort();
    let mut expected = [one.base.clone(), other.base.clone()];
    expected.sort();
    assert_eq!(mirrors, expected);
}

#[test]
fn a_pinned_hash_counts_whatever_the_source_says() {
    let (server, cache) = (Server::with_release(), tempfile::tempdir().unwrap());
    let right = sha256(elf(Architecture::Amd64));
    let forged = elf(Architecture::Amd64).repeat(2);
    let pinned = Fetch {
        sha256: Some(right.clone()),
        ..request(&server, cache.path())
    };
    // What an earlier run without the pin has kept is no way around it.
    server.set(LIST, Reply::Body(list(&forged)));
    server.set(BINARY, Reply::Body(forged));
    get(&server, cache.path()).unwrap();
    let known = announced(&pinned).unwrap();
    assert_eq!((known.sha256, known.size), (right.clone(), None));
    let problem = fetch(&pinned, &|_| {}).unwrap_err().to_string();
    assert!(
        problem.contains("is not the file that the inventory names"),
        "{problem}"
    );
    server.set(BINARY, Reply::Body(elf(Architecture::Amd64)));
    let fetched = fetch(&pinned, &|_| {}).unwrap();
    assert_eq!((fetched.sha256, fetched.size), (right, Some(5020)));
    let asked = server.asked();
    fetch(&pinned, &|_| {}).unwrap();
    assert_eq!(server.asked(), asked);
}

#[test]
fn the_second_towline_says_that_it_waits() {
    let (server, cache) = (Server::with_release(), tempfile::tempdir().unwrap());
    let request = request(&server, cache.path());
    let slot = Slot::of(&request).unwrap();
    let other = RefCell::new(Some(slot.lock(&|_| {}).unwrap()));
    let seen = RefCell::new(Vec::new());
    let tell = |progress| {
        seen.borrow_mut().push(progress);
        other.take();
    };
    fetch(&request, &tell).unwrap();
    assert_eq!(
        seen.into_inner(),
        [DownloadProgress::Waiting, DownloadProgress::Downloading]
    );
}

#[test]
fn several_at_once_fetch_one_time() {
    let (server, cache) = (Server::with_release(), tempfile::tempdir().unwrap());
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| get(&server, cache.path()).unwrap());
        }
    });
    assert_eq!(server.asked(), 2);
}

#[test]
fn redirects_are_followed_and_not_without_end() {
    let (server, cache) = (Server::with_release(), tempfile::tempdir().unwrap());
    server.set("/moved/k3s", Reply::Body(elf(Architecture::Amd64)));
    server.set(BINARY, Reply::To(format!("{}/moved/k3s", server.base)));
    get(&server, cache.path()).unwrap();

    let cache = tempfile::tempdir().unwrap();
    server.set(BINARY, Reply::To(BINARY.to_owned()));
    let problem = get(&server, cache.path()).unwrap_err().to_string();
    assert!(
        problem.contains("redirects more than five times"),
        "{problem}"
    );
}

#[test]
fn a_proxy_is_used_when_it_is_given_and_its_password_is_not_repeated() {
    let (server, cache) = (Server::with_release(), tempfile::tempdir().unwrap());
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let through = |proxy: String| Fetch {
        proxy: Some(Proxy {
            address: proxy,
            except: String::new(),
        }),
        ..request(&server, cache.path())
    };
    assert!(fetch(&through(format!("http://u:hunter2@{closed}")), &|_| {}).is_err());
    assert_eq!(server.asked(), 0, "the server was asked past the proxy");
    let problem = fetch(&through("nonsense://u:hunter2@x".to_owned()), &|_| {})
        .unwrap_err()
        .to_string();
    assert!(
        problem.contains("proxy") && !problem.contains("hunter2"),
        "{problem}"
    );
}

#[test]
fn a_channel_is_resolved_by_redirect_or_by_plain_answer() {
    let server = Server::new();
    let resolve = |channel: &str| RELEASES.resolve(channel, Some(&server.base), None);
    for (reply, expected) in [
        (
            Reply::To("https://github.com/k3s-io/k3s/releases/tag/v1.36.3+k3s1".to_owned()),
            Ok(VERSION),
        ),
        (
            Reply::To("https://example.org/tag/v1.36.3%2Bk3s1".to_owned()),
            Ok(VERSION),
        ),
        (Reply::Body(b"v1.36.3+k3s1\n".to_vec()), Ok(VERSION)),
        (
            Reply::To("https://example.org/login".to_owned()),
            Err("it answered `https://example.org/login`"),
        ),
        (Reply::Body(b"<html>".to_vec()), Err("it answered `<html>`")),
        (Reply::Status(404), Err("404")),
    ] {
        server.set("/channels/stable", reply);
        match (resolve("stable"), expected) {
            (Ok(version), Ok(expected)) => assert_eq!(version, expected),
            (Err(problem), Err(word)) => {
                let text = problem.to_string();
                assert!(
                    text.contains(word) && text.contains("exactly which version"),
                    "{text}"
                );
            }
            (result, expected) => panic!("{result:?} instead of {expected:?}"),
        }
    }
    assert_eq!(server.asked(), 6);
}
