//! What is not taken, and what is said of it.

use super::*;

#[test]
fn what_cannot_be_used_is_told_with_its_address_and_nothing_is_kept() {
    let server = Server::with_release();
    let wrong_file = elf(Architecture::Arm64);
    for (path, reply, words) in [
        (
            BINARY,
            Reply::Status(404),
            vec!["/k3s: cannot be fetched", "404", "version and the mirror"],
        ),
        (LIST, Reply::Status(404), vec!["sha256sum-amd64.txt", "404"]),
        (
            BINARY,
            Reply::Status(503),
            vec!["503", "source: path", "mirror"],
        ),
        (
            LIST,
            Reply::Body(b"<html>login</html>".to_vec()),
            vec!["no hash of `k3s`"],
        ),
        (
            BINARY,
            Reply::CutShort(elf(Architecture::Amd64)),
            vec!["broke off", "5020 of 10040 bytes"],
        ),
        (
            BINARY,
            Reply::Stalls,
            vec!["broke off", "4 of 1000 bytes", "stopped sending"],
        ),
        (
            BINARY,
            Reply::Unannounced(9000),
            vec![
                "is not the file",
                "expected sha256",
                "nothing was installed",
            ],
        ),
    ] {
        let (list_before, binary_before) =
            (list(&elf(Architecture::Amd64)), elf(Architecture::Amd64));
        server.set(LIST, Reply::Body(list_before));
        server.set(BINARY, Reply::Body(binary_before));
        server.set(path, reply);
        let cache = tempfile::tempdir().unwrap();
        let started = Instant::now();
        let problem = get(&server, cache.path()).unwrap_err().to_string();
        for word in words {
            assert!(problem.contains(word), "{word}: {problem}");
        }
        assert!(started.elapsed() < Duration::from_secs(15), "{problem}");
        assert!(kept(cache.path()).is_empty(), "{problem}");
    }
    server.set(LIST, Reply::Body(list(&wrong_file)));
    server.set(BINARY, Reply::Body(wrong_file));
    let cache = tempfile::tempdir().unwrap();
    let problem = get(&server, cache.path()).unwrap_err().to_string();
    assert!(
        problem.contains("is for arm64, and amd64 was asked for"),
        "{problem}"
    );
}

#[test]
fn a_wrong_hash_is_told_with_both_hashes() {
    let (server, cache) = (Server::with_release(), tempfile::tempdir().unwrap());
    let mut altered = elf(Architecture::Amd64);
    altered[4000] = b'!';
    let hash = |binary: &[u8]| sha256(binary);
    let (expected, received) = (hash(&elf(Architecture::Amd64)), hash(&altered));
    server.set(BINARY, Reply::Body(altered));
    let problem = get(&server, cache.path()).unwrap_err().to_string();
    assert!(
        problem.contains(&expected) && problem.contains(&received),
        "{problem}"
    );
}

#[test]
fn what_is_not_encrypted_is_refused_unless_the_mirror_is_so_itself() {
    let server = Server::with_release();
    let client = HttpClient::new(None, false).unwrap();
    let problem = client
        .text(&format!("{}{LIST}", server.base), 4096)
        .unwrap_err()
        .to_string();
    assert!(problem.contains("not encrypted"), "{problem}");
    assert_eq!(server.asked(), 0);
}

#[test]
fn a_version_that_would_leave_the_cache_is_refused() {
    let (server, cache) = (Server::with_release(), tempfile::tempdir().unwrap());
    let request = Fetch {
        version: "v1.36.3+k3s1/../../../x".to_owned(),
        ..request(&server, cache.path())
    };
    assert!(
        fetch(&request, &|_| {})
            .unwrap_err()
            .what
            .contains("not a version")
    );
    assert_eq!(server.asked(), 0);
}
