//! Which lines of `known_hosts` files are found for a host: the same as by OpenSSH itself.

use super::*;

const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPnHkLDutjgjQHwMGDg81/uuCuP+sJR7S8wQ75Fo/sEV";
const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMcXpEQEtwOEwHHTRFeNN0twJwhqzJwm4GsY9Q49POB1";
/// Made by `ssh-keygen -H` from `h1` and `[h1]:2222`.
const HASHED: &str = "|1|qDRLTBYqz82kz6KSKCv7ybz3few=|ssi1aQFYn9mnR7n8JwURbEVu3tw=";
const HASHED_2222: &str = "|1|DeUPkzC6PhuyTBL3UrpsJQLiApw=|kwAznP81DsNr48wspubU1G/n1g0=";

/// The lines that `ssh-keygen -F` finds for a name, with their markers.
fn found_by_ssh_keygen(file: &Path, name: &str) -> Vec<String> {
    let mut command = std::process::Command::new("ssh-keygen");
    let output = command.args(["-F", name, "-f"]).arg(file).output();
    let output = output.expect("ssh-keygen").stdout;
    let output = String::from_utf8_lossy(&output);
    let lines = output
        .lines()
        .filter_map(|line| line.strip_prefix("# Host "));
    let found = lines.filter_map(|line| Some(line.split_once(" found: line ")?.1.trim()));
    found.map(str::to_owned).collect()
}

#[test]
fn ssh_keygen_finds_the_same_lines() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("known_hosts");
    let found = |content: &[u8], host: &str, port| {
        std::fs::write(&file, content).unwrap();
        let name = entry_name(host, port);
        let mut records = Records::default();
        records.add(&file, content);
        let ours = records.matching(&name).map(|record| {
            let mark = match record.entry.marker() {
                None => "",
                Some(Marker::Revoked) => " REVOKED",
                Some(Marker::CertAuthority) => " CA",
            };
            format!("{}{mark}", record.place.line)
        });
        (ours.collect::<Vec<_>>(), found_by_ssh_keygen(&file, &name))
    };
    let table = [
        (format!("h1 {A}"), "h1", 22, "1"),
        (
            format!("# one\n\nh1 {A}\n#h1 {B}\nh1 {B} a # b\r\n"),
            "h1",
            22,
            "3,5",
        ),
        (format!("H1 {A}\nh1 {B}"), "h1", 22, "1,2"),
        (format!("h1 {A}"), "H1", 22, "1"),
        (format!("\th1\t{A}\n  h1   {B}"), "h1", 22, "1,2"),
        (
            format!("h1,10.0.0.1 {A}\nh2,10.0.0.1 {B}"),
            "10.0.0.1",
            22,
            "1,2",
        ),
        (format!("h1, {A}\n,h1 {A}"), "h1", 22, "1,2"),
        (format!("h11 {A}\nh {A}\nh1.x {A}\nx.h1 {A}"), "h1", 22, ""),
        // Hashed.
        (format!("{HASHED} {A}\n{HASHED_2222} {B}"), "h1", 22, "1"),
        (format!("{HASHED} {A}\n{HASHED_2222} {B}"), "h1", 2222, "2"),
        (format!("{HASHED} {A}\n{HASHED_2222} {B}"), "H1", 2222, "2"),
        (format!("{HASHED} {A}\n{HASHED_2222} {B}"), "h2", 22, ""),
        (format!("@revoked {HASHED} {A}"), "h1", 22, "1 REVOKED"),
        (format!("|1|broken|hash= {A}\nh1 {A}"), "h1", 22, "2"),
        // Ports.
        (format!("[h1]:2222 {A}\nh1 {B}"), "h1", 2222, "1"),
        (format!("[h1]:2222 {A}\nh1 {B}"), "h1", 22, "2"),
        (format!("[h1]:22 {A}"), "h1", 22, ""),
        (format!("h1:2222 {A}"), "h1", 2222, ""),
        (
            format!("[h1]:* {A}\n*:2222 {A}\n[h1]* {A}"),
            "h1",
            2222,
            "1,2,3",
        ),
        (
            format!("[2001:db8::1]:2222 {A}\n2001:db8::1 {B}"),
            "2001:DB8::1",
            2222,
            "1",
        ),
        (
            format!("[2001:db8::1]:2222 {A}\n2001:db8::1 {B}"),
            "2001:DB8::1",
            22,
            "2",
        ),
        // Wildcards.
        (format!("*.example.com {A}"), "a.example.com", 22, "1"),
        (format!("*.example.com {A}"), "a.b.example.com", 22, "1"),
        (format!("*.example.com {A}"), "example.com", 22, ""),
        (
            format!("* {A}\nh? {A}\nh?? {A}\n*1* {A}\n?*? {A}\n** {A}"),
            "h1",
            22,
            "1,2,4,5,6",
        ),
        (format!("10.0.*.1? {A}"), "10.0.3.12", 22, "1"),
        (format!("h[12] {A}\nh\\* {A}"), "h1", 22, ""),
        // Negation.
        (format!("!h1,h1 {A}\nh1,!h1 {A}\n*,!h1 {A}"), "h1", 22, ""),
        (format!("*,!h2 {A}\n!h2 {A}"), "h1", 22, "1"),
        (format!("*.x,!a?.x {A}"), "a1.x", 22, ""),
        (format!("*.x,!a?.x {A}"), "b1.x", 22, "1"),
        (format!("[*]:2222,![h1]:2222 {A}"), "h1", 2222, ""),
        // Markers.
        (format!("@revoked h1 {A}\nh1 {A}"), "h1", 22, "1 REVOKED,2"),
        (
            format!("@revoked * {A}\n@revoked h2 {A}"),
            "h1",
            22,
            "1 REVOKED",
        ),
        (format!("@cert-authority *.x,!b.x {A}"), "a.x", 22, "1 CA"),
        (format!("@cert-authority *.x,!b.x {A}"), "b.x", 22, ""),
        (format!("@nonsense h1 {A}\n@ h1 {A}"), "h1", 22, ""),
        // What is no host key.
        (format!("h1\nh1 ssh-ed25519\nh1 {A}"), "h1", 22, "3"),
        ("h1 2048 65537 1234567890".to_owned(), "h1", 22, ""),
    ];
    for (content, host, port, expected) in table {
        let (ours, theirs) = found(content.as_bytes(), host, port);
        assert_eq!(ours.join(","), expected, "{content} for {host} {port}");
        assert_eq!(theirs.join(","), expected, "{content} for {host} {port}");
    }
    let latin = [format!("h1 {A} caf").as_bytes(), b"\xe9\n"].concat();
    let one = || vec!["1".to_owned()];
    assert_eq!(found(&latin, "h1", 22), (one(), one()));

    let on_purpose = [
        // A tab in place of the space means the same here: a revoked key must not be taken.
        (format!("@revoked\th1 {A}\nh1 {A}"), "1 REVOKED,2", "2"),
        // It looks at the names only. ssh itself can use no such key, either.
        (format!("h1 ssh-ed25519 broken\nh1 {A}"), "2", "1,2"),
        (format!("h1 ssh-rsa {}\nh1 {A}", &A[12..]), "2", "1,2"),
    ];
    for (content, expected, differs) in on_purpose {
        let (ours, theirs) = found(content.as_bytes(), "h1", 22);
        let both = [ours.join(","), theirs.join(",")];
        assert_eq!(both, [expected, differs], "{content}");
    }
}
