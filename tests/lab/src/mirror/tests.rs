use std::io::{Read, Write};
use std::time::Duration;

use super::*;
use crate::release::{Distribution, Source};

/// Status line, fields and body, as far as they come within a second.
fn ask(mirror: &Mirror, request: &str) -> String {
    let mut connection = TcpStream::connect(mirror.address).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    write!(connection, "{request} HTTP/1.1\r\nHost: mirror\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn a_release_is_served_and_breaks_on_demand() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("binary");
    fs::write(&path, "0123456789").unwrap();
    let release = Release {
        distribution: Distribution::K3s,
        path,
        version: "v1.2.3+k3s1".to_owned(),
        source: Source::Named,
    };
    let mirror = Mirror::release(&release).unwrap();
    let (asset, checksums) = (release.asset(), release.distribution.checksums());
    let get = format!("GET /v1.2.3%2Bk3s1/{asset}");
    let decoded = format!("/v1.2.3+k3s1/{asset}");

    let whole = ask(&mirror, &get);
    assert!(
        whole.starts_with("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n"),
        "{whole}"
    );
    assert!(whole.ends_with("\r\n\r\n0123456789"), "{whole}");
    assert!(ask(&mirror, &format!("HEAD {decoded}")).ends_with("\r\n\r\n"));
    assert_eq!(mirror.requests(&decoded), 2);

    let sums = ask(&mirror, &format!("GET /v1.2.3+k3s1/{checksums}"));
    let sum = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";
    assert!(
        sums.ends_with(&format!("\r\n\r\n{sum}  {asset}\n")),
        "{sums}"
    );

    for (fault, body) in [
        (Fault::Truncate(3), "012"),
        (Fault::Corrupt, "0123456788"),
        (Fault::Stall(4), "0123"),
        (Fault::Status(503), ""),
    ] {
        mirror.break_path(&decoded, fault);
        let answer = ask(&mirror, &get);
        assert!(
            answer.ends_with(&format!("\r\n\r\n{body}")),
            "{fault:?}: {answer}"
        );
    }
    mirror.heal(&decoded);
    assert!(ask(&mirror, &get).ends_with("\r\n\r\n0123456789"));

    let k0s = Release {
        distribution: Distribution::K0s,
        version: "v1.2.3+k0s.0".to_owned(),
        ..release
    };
    let mirror = Mirror::release(&k0s).unwrap();
    let asset = k0s.asset();
    assert!(asset.starts_with("k0s-v1.2.3+k0s.0-"), "{asset}");
    let encoded = asset.replace('+', "%2B");
    let whole = ask(&mirror, &format!("GET /v1.2.3%2Bk0s.0/{encoded}"));
    assert!(whole.ends_with("\r\n\r\n0123456789"), "{whole}");
    let sums = ask(&mirror, "GET /v1.2.3%2Bk0s.0/sha256sums.txt");
    assert!(
        sums.ends_with(&format!("\r\n\r\n{sum} *{asset}\n")),
        "{sums}"
    );
    assert!(ask(&mirror, "GET /stable.txt").ends_with("\r\n\r\nv1.2.3+k0s.0\n"));
}

#[test]
fn several_releases_are_served_and_the_channels_name_the_last_one_published() {
    let directory = tempfile::tempdir().unwrap();
    let release = |version: &str| {
        let path = directory.path().join(version);
        fs::write(&path, version).unwrap();
        Release {
            distribution: Distribution::K3s,
            path,
            version: version.to_owned(),
            source: Source::Named,
        }
    };
    let (first, older, newer) = (release("v2+k3s1"), release("v1+k3s1"), release("v3+k3s1"));
    let mirror = Mirror::release(&first).unwrap();
    let channel = |version: &str| {
        let answer = ask(&mirror, "GET /channels/stable");
        assert!(
            answer.contains(&format!("/tag/{version}%2Bk3s1\r\n")),
            "{answer}"
        );
    };
    mirror.add(&older).unwrap();
    channel("v2");
    mirror.publish(&newer).unwrap();
    channel("v3");
    for release in [&first, &older, &newer] {
        let answer = ask(&mirror, &format!("GET {}", release.asset_path()));
        assert!(
            answer.ends_with(&format!("\r\n\r\n{}", release.version)),
            "{answer}"
        );
    }
}

#[test]
fn a_channel_leads_to_a_version_and_nothing_leads_out() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("served")).unwrap();
    fs::write(directory.path().join("secret"), "secret").unwrap();
    let mirror = Mirror::serve(&directory.path().join("served")).unwrap();
    mirror.channel("stable", "v1.2.3+k3s1");
    let answer = ask(&mirror, "GET /channels/stable");
    assert!(answer.starts_with("HTTP/1.1 302 Found\r\n"), "{answer}");
    assert!(
        answer.contains(&format!("Location: {}/tag/v1.2.3%2Bk3s1\r\n", mirror.url())),
        "{answer}"
    );
    for path in [
        "/channels/testing",
        "/../secret",
        "/%2e%2e/secret",
        "//../secret",
        "/",
        "/100%",
    ] {
        assert!(
            ask(&mirror, &format!("GET {path}")).starts_with("HTTP/1.1 404 "),
            "{path}"
        );
    }
    assert!(ask(&mirror, "POST /channels/stable").starts_with("HTTP/1.1 405 "));
}
