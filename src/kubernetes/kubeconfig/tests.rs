use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

/// The certificates and the key of a made-up user, PEM in base64: authority, certificate, key.
pub fn credentials() -> (String, String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["user".to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    (
        STANDARD.encode(certificate.pem()),
        STANDARD.encode(certificate.pem()),
        STANDARD.encode(key.serialize_pem()),
    )
}

/// What k3s writes.
pub fn source((authority, certificate, key): &(String, String, String)) -> String {
    format!(
        "apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {authority}
    server: https://127.0.0.1:6443
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
users:
- name: default
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"
    )
}

fn written(kubeconfig: &Kubeconfig) -> String {
    wire::to_yaml(&wire::written(kubeconfig)).unwrap()
}

fn made(context: &str) -> Kubeconfig {
    rewrite(
        &source(&credentials()),
        "https://203.0.113.10:6443",
        context,
    )
    .unwrap()
}

#[test]
fn the_address_of_an_api_puts_ipv6_in_brackets() {
    for (address, expected) in [
        ("203.0.113.10", "https://203.0.113.10:6443"),
        ("k8s.example.org", "https://k8s.example.org:6443"),
        ("2001:db8::1", "https://[2001:db8::1]:6443"),
        ("[2001:db8::1]", "https://[2001:db8::1]:6443"),
    ] {
        assert_eq!(server_url(address, 6443), expected);
    }
}

#[test]
fn a_rewritten_kubeconfig_has_new_names_and_address_and_the_old_credentials() {
    let credentials = credentials();
    let kubeconfig = rewrite(&source(&credentials), "https://[2001:db8::1]:6443", "home").unwrap();
    let text = written(&kubeconfig);
    assert_eq!(parse(&text).unwrap(), kubeconfig);
    // Laid out as k3s itself does: plain lines, nothing folded.
    assert_eq!(
        text,
        source(&credentials)
            .replace("https://127.0.0.1:6443", "https://[2001:db8::1]:6443")
            .replace("default", "home")
    );
}

#[test]
fn a_name_that_yaml_could_misread_comes_back_as_it_was() {
    for name in [
        "yes",
        "null",
        "12:30",
        "0x10",
        "a: b",
        "- x",
        "\"quoted\"",
        "#",
        "ünï",
        "*a",
        "1e3",
    ] {
        let kubeconfig = made(name);
        let read = parse(&written(&kubeconfig)).unwrap();
        assert_eq!(read.context, name);
    }
}

#[test]
fn a_kubeconfig_that_could_harm_or_is_incomplete_is_refused_in_words() {
    let credentials = credentials();
    let good = source(&credentials);
    let user = |more: &str| good.replace("  user:\n", &format!("  user:\n    {more}\n"));
    let cluster = |more: &str| {
        good.replace(
            "- cluster:\n    cert",
            &format!("- cluster:\n    {more}\n    cert"),
        )
    };
    let second_user = format!("{good}- name: other\n  user: {{}}\n");
    for (text, word) in [
        (user("exec: {command: sh, args: [-c, id]}"), "exec"),
        (user("auth-provider: {name: gcp}"), "auth-provider"),
        (user("client-key: /etc/shadow"), "refers to a file"),
        (user("client-certificate: /etc/passwd"), "refers to a file"),
        (user("tokenFile: /etc/passwd"), "refers to a file"),
        (user("token: abc"), "token"),
        (user("username: root"), "username"),
        (user("as: root"), "another user"),
        (cluster("insecure-skip-tls-verify: true"), "any server"),
        (cluster("proxy-url: http://evil.example"), "elsewhere"),
        (
            cluster("certificate-authority: /etc/ssl/ca.pem"),
            "refers to a file",
        ),
        (cluster("tls-server-name: x"), "another server"),
        (second_user, "2 `users`"),
        (
            good.replace("current-context: default", "current-context: other"),
            "current-context",
        ),
        (
            good.replace("    user: default", "    user: other"),
            "names a cluster or user",
        ),
        (
            good.replace("client-key-data: ", "client-key-data: '!' #"),
            "not base64",
        ),
        (
            good.replace("client-key-data: ", "client-key-data: QUJD #"),
            "no private key",
        ),
        (
            good.replace(
                "certificate-authority-data: ",
                "certificate-authority-data: QUJD #",
            ),
            "no certificate",
        ),
        (
            good.replace("client-certificate-data: ", "x: "),
            "no `client-certificate-data`",
        ),
        (good.replace("kind: Config", "kind: Secret"), "kind"),
        (
            good.replace("https://127.0.0.1:6443", "http://127.0.0.1:6443"),
            "address of an API",
        ),
        ("kind: Config".to_owned(), "not a kubeconfig"),
        (String::new(), "no `clusters`"),
        ("a: [".to_owned(), "line"),
        ("x".repeat(LIMIT + 1), "bytes"),
    ] {
        let problem = parse(&text).unwrap_err();
        assert!(problem.why[0].contains(word), "{word}: {problem}");
    }
}

#[test]
fn a_refusal_never_shows_the_key() {
    let credentials = credentials();
    let good = source(&credentials);
    let key = credentials.2.as_str();
    for text in [
        good.replace("    client-key-data: ", "   client-key-data: "),
        good.replace("client-key-data: ", "client-key-data: ["),
        good.replace("users:\n", &format!("users: {key}\nmore:\n")),
        format!("{good}{good}"),
    ] {
        let problem = parse(&text).unwrap_err().to_string();
        assert!(!problem.contains(&key[..20]), "{problem}");
    }
    assert!(!format!("{:?}", parse(&good).unwrap()).contains(&key[..20]));
}

#[test]
fn a_thousand_references_to_one_anchor_are_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let previous = format!("*a{}, ", level - 1).repeat(10);
        text = format!("{text}a{level}: &a{level} [{previous}]\n");
    }
    text.push_str(&source(&credentials()));
    assert!(parse(&text).is_err());
}

#[test]
fn an_address_or_name_that_cannot_be_one_is_refused() {
    let good = source(&credentials());
    for server in [
        "",
        "127.0.0.1:6443",
        "http://a:1",
        "https://",
        "https://a b",
        "https://u@h",
        "https://a/b",
    ] {
        assert!(rewrite(&good, server, "home").is_err(), "{server}");
    }
    for context in ["", " ", "a\nb"] {
        assert!(rewrite(&good, "https://a:1", context).is_err(), "{context}");
    }
}

#[test]
fn writing_makes_directories_and_says_what_it_came_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/er/kubeconfig");
    let kubeconfig = made("home");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o7777;

    assert_eq!(write(&path, &kubeconfig).unwrap(), Written::Created);
    assert_eq!(mode(), 0o600);
    assert_eq!(write(&path, &kubeconfig).unwrap(), Written::Unchanged);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(write(&path, &kubeconfig).unwrap(), Written::Replaced);
    assert_eq!(mode(), 0o600);

    let moved = kubeconfig.at_the_address_of(&made("home"));
    assert_eq!(moved, None, "that is another cluster");
    let moved = Kubeconfig {
        server: "https://203.0.113.11:6443".to_owned(),
        ..kubeconfig
    };
    assert_eq!(write(&path, &moved).unwrap(), Written::Replaced);
    let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
    assert_eq!(left.len(), 1, "no other file stays behind: {left:?}");
}

#[test]
fn another_clusters_file_with_a_context_of_the_same_name_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubeconfig");
    let clusters = [made("default"), made("default"), made("default")];
    let [first, second, third] = &clusters;
    let backups = ["kubeconfig.towline-backup", "kubeconfig.towline-backup.2"];
    let [one, two] = backups.map(|name| directory.path().join(name));
    assert_eq!(write(&path, first).unwrap(), Written::Created);
    assert_eq!(write(&path, second).unwrap(), Written::Kept(one.clone()));
    assert_eq!(write(&path, second).unwrap(), Written::Unchanged);
    assert_eq!(write(&path, third).unwrap(), Written::Kept(two.clone()));
    assert_eq!(
        write(&path, first).unwrap(),
        Written::Kept(directory.path().join("kubeconfig.towline-backup.3"))
    );
    // What has its backup already needs no second one.
    assert_eq!(write(&path, second).unwrap(), Written::Kept(one.clone()));
    for (path, cluster) in [(&path, second), (&one, first), (&two, second)] {
        assert_eq!(parse(&fs::read_to_string(path).unwrap()).unwrap(), *cluster);
    }
    assert_eq!(
        fs::metadata(&one).unwrap().permissions().mode() & 0o7777,
        0o600
    );
}

#[test]
fn another_clusters_file_is_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config");
    let home = made("home");
    for (before, word) in [
        (written(&made("work")), "work"),
        (
            "contexts: [{name: home}, {name: work}]".to_owned(),
            "home, work",
        ),
        ("just: notes".to_owned(), "not a kubeconfig"),
    ] {
        fs::write(&path, &before).unwrap();
        let problem = write(&path, &home).unwrap_err();
        assert!(problem.to_string().contains(word), "{problem}");
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }
    fs::write(&path, "").unwrap();
    assert_eq!(write(&path, &home).unwrap(), Written::Replaced);
    fs::write(&path, "apiVersion: v1\nkind: Config\nclusters: []\n").unwrap();
    assert!(matches!(write(&path, &home).unwrap(), Written::Kept(_)));
    // The same cluster under a new name.
    let renamed = Kubeconfig {
        context: "house".to_owned(),
        ..home
    };
    assert_eq!(write(&path, &renamed).unwrap(), Written::Replaced);
}

#[test]
fn a_link_is_followed_to_its_file_and_a_dead_one_refused() {
    let directory = tempfile::tempdir().unwrap();
    let real = directory.path().join("real");
    let link = directory.path().join("link");
    symlink("real", &link).unwrap();
    let problem = write(&link, &made("home")).unwrap_err();
    assert!(problem.what.contains("leads to no file"), "{problem}");

    fs::write(&real, "").unwrap();
    assert_eq!(write(&link, &made("home")).unwrap(), Written::Replaced);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(
        parse(&fs::read_to_string(&real).unwrap()).unwrap().context,
        "home"
    );

    let problem = write(directory.path(), &made("home")).unwrap_err();
    assert!(problem.what.contains("not a regular file"), "{problem}");
}
