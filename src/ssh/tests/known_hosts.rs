//! What `known_hosts` files say, as a table; the lines are those where russh's own helper errs.

use proptest::prelude::*;
use wildmatch::WildMatch;

use super::*;

const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPnHkLDutjgjQHwMGDg81/uuCuP+sJR7S8wQ75Fo/sEV";
const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMcXpEQEtwOEwHHTRFeNN0twJwhqzJwm4GsY9Q49POB1";
const E: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBBMWFzyCDhoOcdrdlH54WFYufl6cPtvmu0ZZs3cTKe3sXMTKdgrchhQWeWAXwfhy3WV5q4nPSI5aWDTZcsjo9tI=";
/// Made by `ssh-keygen -H` from `h1` and `[h1]:2222`.
const HASHED: &str = "|1|qDRLTBYqz82kz6KSKCv7ybz3few=|ssi1aQFYn9mnR7n8JwURbEVu3tw=";
const HASHED_2222: &str = "|1|DeUPkzC6PhuyTBL3UrpsJQLiApw=|kwAznP81DsNr48wspubU1G/n1g0=";

fn key(text: &str) -> PublicKey {
    PublicKey::from_openssh(text).unwrap()
}

fn records(content: &str) -> Records {
    let mut records = Records::default();
    records.add(Path::new("f"), content.as_bytes());
    records
}

/// `known`, `unknown`, `changed:LINE`, `other:LINE:TYPES`, `revoked:LINE`.
fn verdict(content: &str, host: &str, port: u16) -> String {
    match records(content).verdict(host, port, &key(A)) {
        KnownHostVerdict::Known => "known".to_owned(),
        KnownHostVerdict::Unknown => "unknown".to_owned(),
        KnownHostVerdict::Changed { place, .. } => format!("changed:{}", place.line),
        KnownHostVerdict::OtherType { types, place } => {
            format!("other:{}:{}", place.line, types.join("+"))
        }
        KnownHostVerdict::Revoked(place) | KnownHostVerdict::RevokedAuthority { place, .. } => {
            format!("revoked:{}", place.line)
        }
    }
}

#[test]
fn the_verdict_on_key_a_of_h1() {
    let table = [
        (format!("h1 {A}"), "known"),
        (format!("h1 {A} a comment # of words"), "known"),
        (format!("h1,10.0.0.1 {A}\r\n"), "known"),
        (format!("H1 {A}"), "known"),
        (format!("  h1\t{A}"), "known"),
        (format!("h1  {}", A.replace(' ', "   ")), "known"),
        (String::new(), "unknown"),
        (format!("# h1 {A}"), "unknown"),
        (format!("h2 {A}"), "unknown"),
        (format!("h11 {A}"), "unknown"),
        (format!("h1 {B}"), "changed:1"),
        (format!("# one\n\n# two\nh1 {B}"), "changed:4"),
        (format!("h1 {B}\nh1 {A}"), "known"),
        (format!("h1 {E}"), "other:1:ecdsa-sha2-nistp256"),
        (format!("h1 {E}\nh1 {B}"), "changed:2"),
        (format!("h1 {E}\nh1 {A}"), "known"),
        (format!("@revoked h1 {A}\nh1 {A}"), "revoked:1"),
        (format!("h1 {A}\n@revoked * {A}"), "revoked:2"),
        (format!("@revoked h1 {B}\nh1 {A}"), "known"),
        (format!("@revoked h2 {A}"), "unknown"),
        (format!("@revoked\th1\t{A}"), "revoked:1"),
        (format!("@cert-authority h1 {A}"), "unknown"),
        (format!("@cert-authority * {B}\nh1 {A}"), "known"),
        (format!("@nonsense h1 {A}"), "unknown"),
        (format!("!h1,h1 {A}"), "unknown"),
        (format!("h1,!h1 {A}"), "unknown"),
        (format!("*,!h2 {A}"), "known"),
        (format!("h? {A}"), "known"),
        (format!("*1 {A}"), "known"),
        (format!("h1? {A}"), "unknown"),
        (format!("h1 ssh-ed25519 broken\nh1\nh1 {A}"), "known"),
        (format!("h1 ssh-rsa {}\nh1 {A}", &A[12..]), "known"),
        ("h1 2048 65537 1234567890".to_owned(), "unknown"),
        (format!("{HASHED} {A}"), "known"),
        (format!("{HASHED} {B}"), "changed:1"),
        (format!("{HASHED_2222} {A}"), "unknown"),
        (format!("[h1]:22 {A}"), "unknown"),
    ];
    for (content, expected) in table {
        assert_eq!(verdict(&content, "h1", 22), expected, "{content}");
        assert_eq!(verdict(&content, "H1", 22), expected, "{content}");
    }
}

#[test]
fn the_verdict_on_other_names_and_ports() {
    let table = [
        (format!("*.example.com {A}"), "a.example.com", 22, "known"),
        (format!("*.example.com {A}"), "example.com", 22, "unknown"),
        (format!("[h1]:2222 {A}"), "h1", 2222, "known"),
        (format!("[h1]:2222 {B}"), "h1", 2222, "changed:1"),
        (format!("[h1]:2222 {A}"), "h1", 2223, "unknown"),
        (
            format!("[*.example.com]:2222 {A}"),
            "a.example.com",
            2222,
            "known",
        ),
        (format!("[*]:2222,![h1]:2222 {A}"), "h1", 2222, "unknown"),
        (format!("{HASHED_2222} {A}"), "h1", 2222, "known"),
        // Another server may answer on another port: the bare name only ever confirms or revokes.
        (format!("h1 {A}"), "h1", 2222, "known"),
        (format!("h1 {B}"), "h1", 2222, "unknown"),
        (format!("h1 {E}"), "h1", 2222, "unknown"),
        (format!("@revoked h1 {A}"), "h1", 2222, "revoked:1"),
        (format!("2001:db8::1 {A}"), "2001:DB8::1", 22, "known"),
        (
            format!("[2001:db8::1]:2222 {A}"),
            "2001:db8::1",
            2222,
            "known",
        ),
    ];
    for (content, host, port, expected) in table {
        assert_eq!(
            verdict(&content, host, port),
            expected,
            "{content} for {host} {port}"
        );
    }
}

#[test]
fn a_changed_key_is_told_with_the_fingerprint_of_the_known_one() {
    let KnownHostVerdict::Changed { known, .. } =
        records(&format!("h1 {B}")).verdict("h1", 22, &key(A))
    else {
        panic!("not changed");
    };
    assert_eq!(known, fingerprint(&key(B)));
    assert_eq!(
        fingerprint(&key(A)),
        "SHA256:eUHFY0cWDdWVgq6Lp2y/3+GhyT7yyh4VJpm84Kf0MEM"
    );
}

#[test]
fn the_known_types_come_in_the_order_of_the_file_and_without_markers() {
    let content = format!("@cert-authority * {A}\nh1 {E}\n* {B}\n[h2]:2222 {A}\n@revoked h1 {A}");
    let types = |host, port| {
        let types = records(&content).known_types(host, port);
        types
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(types("h1", 22), "ecdsa-sha2-nistp256 ssh-ed25519");
    assert_eq!(types("h2", 2222), "ssh-ed25519");
    assert_eq!(records(&format!("h1 {E}")).known_types("h1", 2222).len(), 1);
    assert_eq!(records("").known_types("h1", 22), []);
}

#[test]
fn the_files_in_force() {
    let home = Path::new("/home/x");
    let usual = KnownHosts::new(&[], home);
    assert_eq!(
        usual.files,
        [
            PathBuf::from("/home/x/.ssh/known_hosts"),
            PathBuf::from("/etc/ssh/ssh_known_hosts")
        ]
    );
    let given = KnownHosts::new(&[PathBuf::from("mine")], home);
    assert_eq!(
        (given.files.as_slice(), given.own_file()),
        ([PathBuf::from("mine")].as_slice(), Path::new("mine"))
    );
}

#[tokio::test]
async fn learning_appends_one_line_and_makes_a_private_file() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let hosts = KnownHosts::new(&[], directory.path());
    let mut commented = key(A);
    commented.set_comment("not to be kept");
    hosts.learn("H1", 22, &commented).await.unwrap();
    hosts.learn("h1", 22, &key(A)).await.unwrap();
    hosts.learn("2001:db8::1", 2222, &key(B)).await.unwrap();
    let file = hosts.own_file();
    let content = std::fs::read_to_string(file).unwrap();
    assert_eq!(content, format!("h1 {A}\n[2001:db8::1]:2222 {B}\n"));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(file), mode(file.parent().unwrap())), (0o600, 0o700));
}

#[tokio::test]
async fn learning_repairs_a_missing_newline_and_refuses_what_would_be_another_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("known_hosts");
    std::fs::write(&file, format!("# mine\nh1 {A}")).unwrap();
    let hosts = KnownHosts::new(std::slice::from_ref(&file), directory.path());
    hosts.learn("h2", 22, &key(B)).await.unwrap();
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        format!("# mine\nh1 {A}\nh2 {B}\n")
    );
    for name in ["", "*", "h3,h4", "h3 x", "h3\nh4", "!h3", "|1|x|y", "#h3"] {
        let error = hosts.learn(name, 22, &key(B)).await.unwrap_err();
        let why = format!("{} cannot be written: ", file.display());
        assert!(error.why[0].starts_with(&why), "{name:?}: {error}");
    }
    let error = hosts.learn("h1", 22, &key(B)).await.unwrap_err();
    let why = "written: another key of this host was added meanwhile";
    assert!(error.why[0].ends_with(why), "{error}");
}

#[tokio::test]
async fn hosts_learned_together_do_not_tear_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let hosts = KnownHosts::new(&[], directory.path());
    let learning = (0..40).map(|number| {
        let hosts = hosts.clone();
        tokio::spawn(async move { hosts.learn(&format!("h{}", number % 20), 22, &key(A)).await })
    });
    for learned in futures::future::join_all(learning).await {
        learned.unwrap().unwrap();
    }
    let content = std::fs::read_to_string(hosts.own_file()).unwrap();
    assert_eq!(content.lines().count(), 20);
    assert!(content.lines().all(|line| parse(line.as_bytes()).is_some()));
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_not_an_empty_one() {
    let directory = tempfile::tempdir().unwrap();
    let error = KnownHosts::new(&[directory.path().to_owned()], directory.path())
        .read()
        .await
        .unwrap_err();
    let why = format!("{} cannot be read: ", directory.path().display());
    assert!(error.why[0].starts_with(&why), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn a_pattern_is_matched_as_its_plain_meaning_says(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
        fn plain(pattern: &[u8], name: &[u8]) -> bool {
            match (pattern.split_first(), name.split_first()) {
                (None, None) => true,
                (Some((b'*', rest)), _) if plain(rest, name) => true,
                (Some((b'*', _)), Some((_, rest))) => plain(pattern, rest),
                (Some((&wanted, patterns)), Some((&first, names))) => (wanted == b'?' || wanted == first) && plain(patterns, names),
                _ => false,
            }
        }
        prop_assert_eq!(WildMatch::new(&pattern).matches(&name), plain(pattern.as_bytes(), name.as_bytes()));
    }
}
