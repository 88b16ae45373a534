//! Files of fingerprints, in every form that tools print them in.

use super::*;
use crate::ssh::tests::world::target;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPnHkLDutjgjQHwMGDg81/uuCuP+sJR7S8wQ75Fo/sEV";
const PRINT: &str = "SHA256:eUHFY0cWDdWVgq6Lp2y/3+GhyT7yyh4VJpm84Kf0MEM";
/// Made by `ssh-keygen -H` from `[h1]:2222`.
const HASHED: &str = "|1|DeUPkzC6PhuyTBL3UrpsJQLiApw=|kwAznP81DsNr48wspubU1G/n1g0=";

#[test]
fn a_line_counts_for_the_hosts_that_it_names() {
    let host = |name: &str, address: &str, port| Target {
        name: name.to_owned(),
        address: address.to_owned(),
        port,
        ..target("127.0.0.1:22".parse().unwrap())
    };
    let shown = ShownHostKey {
        key_type: "ssh-ed25519".to_owned(),
        fingerprint: PRINT.to_owned(),
    };
    let hosts = [
        host("m1", "10.0.0.1", 22),
        host("m2", "10.0.0.2", 22),
        host("M3", "H1", 2222),
    ];
    for (line, expected) in [
        (PRINT.to_owned(), "m1 m2 M3"),
        (format!("{PRINT}="), "m1 m2 M3"),
        (format!("256 {PRINT} root@m1 (ED25519)"), "m1 m2 M3"),
        (format!("256 {PRINT} no comment (ED25519)\r"), "m1 m2 M3"),
        (format!("{KEY} root@m1"), "m1 m2 M3"),
        (format!("m1 {PRINT}"), "m1"),
        (format!("m1: {PRINT}"), "m1"),
        (format!("  m3\t256  {PRINT} root@m1 (ED25519)"), "M3"),
        (format!("10.0.0.2 {PRINT}"), "m2"),
        (format!("10.0.0.* {PRINT}"), "m1 m2"),
        (format!("h1 {PRINT}"), "M3"),
        (format!("10.0.0.1 {KEY}"), "m1"),
        (format!("m1,[h1]:2222 {KEY} comment"), "m1 M3"),
        (format!("{HASHED} {KEY}"), "M3"),
        (format!("# {PRINT}\n\n  # more\n"), ""),
        (format!("{}x", PRINT.replace('M', "N")), ""),
    ] {
        let Ok(read) = Fingerprints::read(&line) else {
            assert_eq!(expected, "", "{line} is no line");
            continue;
        };
        let found = hosts.iter().filter(|host| read.has(host, &shown));
        let names: Vec<_> = found.map(|host| &*host.name).collect();
        assert_eq!(names.join(" "), expected, "{line}");
    }
}

#[test]
fn a_line_that_is_not_understood_is_named() {
    for line in [
        "m1".to_owned(),
        "SHA256:abc".to_owned(),
        "MD5:c7:0e:2b:41".to_owned(),
        format!("a b {PRINT}"),
        format!("a b c {PRINT}"),
        format!("@revoked m1 {KEY}"),
        format!("@cert-authority * {KEY}"),
        "m1 ssh-ed25519 broken".to_owned(),
    ] {
        let text = format!("# keys\n{PRINT}\n{line}\n{PRINT}\n");
        assert_eq!(Fingerprints::read(&text).err(), Some(3), "{line}");
    }
}
