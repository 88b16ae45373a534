//! Hosts that lie, against the real binary: servers of this process on loopback addresses, honest up to
//! the lie.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use russh::{MethodKind, Sig};

use super::screen;
use server::{Act, Asks, new_key};
use site::{
    CA, EVIL, OTHER_CA, Ran, SECRETS, Site, WORDS, answers, bare, besides, everywhere, facts,
    inventory, member, packed, server, tells,
};

#[path = "../../src/ssh/tests/server/mod.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests of ssh use more of it"
)]
mod server;
mod site;

/// What a plan says of a host.
fn planned(ran: &Ran, host: &str) -> Vec<String> {
    let mut is_its = false;
    let said = super::text(&ran.output.stdout);
    let lines = said.lines().filter(|line| {
        if !line.starts_with("    ") {
            is_its = line.trim() == host;
        }
        is_its
    });
    lines.map(str::to_owned).collect()
}

/// An answer to one question.
fn framed(answer: &str) -> String {
    format!("\nNONCE begin 0\n{answer}\nNONCE error 0 0\n\nNONCE end 0\n")
}

#[test]
fn a_host_that_floods_costs_no_memory_and_no_other_host() {
    let honest = Site::of(vec![member(), bare(1), bare(2)]).run("plan");
    let of_m1 = planned(&honest, "m1");
    assert!(of_m1.len() > 4, "{}", screen(&honest.output));
    let filled = |piece: &str| piece.repeat(2_000_000 / piece.len());
    let told = |own: String| answers(&facts(2, &own));
    let numbers = format!("[{}0]", filled("0,"));
    let lies = [
        Act::Endless(0),
        Act::Endless(1),
        Act::Endless(7),
        Act::Says(vec![0xff; 2_000_000], vec![0xff; 100_000], Some(0)),
        told(filled("missing=ip\n")),
        told(filled("address=a 1.1.1.1\n")),
        told(filled("drop_in=base64: a\n")),
        told(filled("node=a\n")),
        told(format!("node=a\t\t\t{numbers}\t{numbers}")),
        told(format!("members={}", packed(&numbers[500_001..]))),
        told(format!("config={}", packed(&filled("a: b\n")[500_000..]))),
        told(format!("hostname={}", filled("m"))),
    ];
    for lie in lies {
        let ran = Site::of(vec![member(), bare(1), lie.clone()]).run("plan");
        let what: String = format!("{lie:?}").chars().take(100).collect();
        assert_eq!(planned(&ran, "m1"), of_m1, "{what}");
        assert!(
            ran.peak < honest.peak + 8 * 1024,
            "{what}: {} KiB, and {} KiB where all are honest",
            ran.peak,
            honest.peak
        );
        let said = screen(&ran.output);
        assert!(said.len() < 10_000, "{what}: {} bytes", said.len());
        if let Act::Endless(stream) = lie {
            let limit = if stream == 0 { "2 MiB" } else { "8 MiB" };
            let words = format!("given up: it said more than {limit}");
            assert!(
                said.contains("error[answer-unusable]: m2: ") && said.contains(&words),
                "{said}"
            );
        }
    }
}

#[test]
fn an_answer_that_is_not_ours_is_told_of_its_host_and_the_others_do_not_notice() {
    let honest = Site::of(vec![member(), bare(1), bare(2)]).run("plan");
    let says = |out: &str, status| Act::Says(out.into(), Vec::new(), status);
    let good = framed(&facts(2, ""));
    let twice = format!("{good}{}", framed(&facts(0, "hostname=m1")));
    let cut = &good[..good.len() - 8];
    // The first of two answers counts.
    let ran = Site::of(vec![member(), bare(1), says(&twice, Some(0))]).run("plan");
    let said = screen(&ran.output);
    assert!(
        !said.contains("error[") && said.contains("  m2\n"),
        "{said}"
    );
    for (lie, words) in [
        (
            says("<!DOCTYPE html>\n<html>complete=yes</html>", Some(0)),
            "cut short",
        ),
        (
            says(&good.replace("NONCE", "towline_00"), Some(0)),
            "cut short",
        ),
        (says(cut, Some(0)), "cut short"),
        (says(&framed("hostname=m2"), Some(0)), "ended early"),
        (says("", Some(0)), "cut short"),
        (
            Act::Says(vec![0xc3, 0x28, 0xff, 0x80], vec![0xff], Some(3)),
            "exit status 3",
        ),
        (says(&good, None), "ended without a status"),
        (Act::NoStatus, "ended without a status"),
        (Act::Signal(Sig::KILL), "ended by signal KILL"),
        (Act::Drop, "connection"),
        (Act::Refuse, "refused to run a command"),
        (Act::HangsUp("bye".into()), "the host hung up: bye"),
    ] {
        let ran = Site::of(vec![member(), bare(1), lie.clone()]).run("plan");
        let said = screen(&ran.output);
        assert!(
            said.contains("m2: ") && said.contains(words),
            "{lie:?}\n{said}"
        );
        assert_eq!(ran.output.status.code(), Some(1), "{lie:?}\n{said}");
        for host in ["m0", "m1"] {
            assert_eq!(planned(&ran, host), planned(&honest, host), "{lie:?}");
        }
    }
}

/// Whether a text has what a terminal would obey.
fn is_obeyed(said: &str) -> bool {
    let turns = ['\u{202e}', '\u{2066}'];
    said.chars().any(|letter| {
        (letter.is_control() && letter != '\n' && letter != '\t') || turns.contains(&letter)
    })
}

#[test]
fn nothing_that_a_host_says_reaches_the_terminal_or_the_log_raw() {
    let told = |own: String| answers(&facts(2, &own));
    let keys = ["hostname", "architecture", "os_id", "foreign"];
    let mut lies: Vec<_> = keys
        .map(|key| told(format!("{key}={EVIL} {}", packed(EVIL))))
        .into();
    let file = format!(
        "mode=600 0:0\nstate=differs\nhash={CA}\ncontent={}",
        packed(EVIL)
    );
    lies.extend([
        told(everywhere(EVIL)),
        besides(&facts(2, ""), &[("state=absent", &file)]),
        Act::Says(framed(EVIL).into(), EVIL.into(), Some(0)),
        Act::Says(EVIL.into(), EVIL.into(), Some(9)),
        Act::Signal(Sig::Custom(EVIL.into())),
        Act::Full(EVIL),
        Act::HangsUp(EVIL.into()),
    ]);
    let sites = lies.into_iter().map(|lie| {
        let what = format!("{lie:?}");
        (what, Site::of(vec![member(), bare(1), lie]))
    });
    // One asks for more than a password, under an evil banner; one is no SSH server.
    let asks = Site::with(vec![member(), bare(1), Act::Shell], |setup| {
        setup.accepts = new_key().public_key().clone();
        setup.methods = &[MethodKind::KeyboardInteractive];
        setup.asks = Asks::Else(EVIL);
        setup.banner = EVIL.to_owned();
    });
    let speaks = Site::of(vec![member(), bare(1)]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = writeln!(&stream, "{EVIL}");
        }
    });
    let ports = speaks.servers.iter().map(|server| server.address.port());
    let all = inventory(ports.chain([port]));
    fs::write(speaks.folder.path().join("home.yaml"), all).expect("written");
    let others = [("asks".to_owned(), asks), ("speaks".to_owned(), speaks)];
    for (what, site) in sites.chain(others) {
        let mut all = String::new();
        for line in ["plan -vvv --log-file log", "plan --output json", "deploy"] {
            all += &screen(&site.run(line).output);
        }
        all += &fs::read_to_string(site.folder.path().join("log")).expect("a log");
        assert!(!is_obeyed(&all), "{what}\n{all:?}");
        assert!(all.contains("evil"), "{what} was not told\n{all}");
        assert!(!all.contains("never-told"), "{what}\n{all}");
    }
}

#[test]
fn no_word_of_a_host_becomes_part_of_a_script_a_template_or_a_name_of_a_file() {
    for (index, word) in WORDS.into_iter().enumerate() {
        let config = format!("config={}", packed(&format!("data-dir: /srv/{word}")));
        let names = format!(
            "flannel-iface: \"{word}\"\nserver: \"https://{word}:6443\"\ntls-san: [\"{word}\"]\nnode-name: \"{word}\"\n"
        );
        let owns = [
            everywhere(word),
            config,
            format!("config={}", packed(&names)),
            format!("hostname={word}"),
            format!("architecture={word}"),
            format!("foreign={word} {}", packed(word)),
        ];
        for (turn, own) in owns.into_iter().enumerate() {
            // Each is said by a server and by an agent, of one word or another.
            let liar = (index + turn) % 2;
            let mut hosts = vec![member(), bare(1)];
            let cluster = server(CA, [SECRETS[0], SECRETS[1]]);
            let besides = if liar == 0 { &*cluster } else { "" };
            hosts[liar] = answers(&facts(liar, &format!("{own}\n{besides}")));
            let site = Site::of(hosts);
            let said = screen(&site.run("deploy").output);
            assert!(!said.contains("q49q"), "{own}\n{said}");
            for host in 0..2 {
                let sent = site.received(host);
                for form in [word, "q49q"] {
                    let told = format!("m{liar} says {own}, and m{host} is sent it");
                    assert!(!tells(&sent, form), "{told}");
                }
            }
            let files = fs::read_dir(site.folder.path()).expect("a folder");
            let files: BTreeSet<_> = files
                .map(|file| file.expect("a file").file_name())
                .collect();
            let before = [".ssh", "home.yaml", "mine"].map(Into::into);
            assert_eq!(files, before.into(), "{own}");
        }
    }
}

#[test]
fn no_token_goes_to_a_host_or_comes_from_one_whose_facts_are_of_another_cluster_or_node() {
    // What is looked for is seen where nothing lies.
    let site = Site::of(vec![member(), bare(1)]);
    site.run("deploy");
    assert!(tells(&site.received(1), SECRETS[1]));
    assert!(!tells(&site.received(1), SECRETS[0]));

    let certificate = {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut subject = rcgen::CertificateParams::default();
        let name = rcgen::DnType::CommonName;
        subject.distinguished_name.push(name, "system:node:m1");
        subject.self_signed(&key).expect("a certificate").pem()
    };
    let other = server(OTHER_CA, [SECRETS[2]; 2]);
    let agent = format!(
        "joined=yes\nagent_ca_hash={OTHER_CA}\nagent_unit=LoadState=loaded ActiveState=active SubState=running"
    );
    let token = packed(&format!("K10{OTHER_CA}::server:{}", SECRETS[2]));
    let certified = format!("joined=yes\nnode_certificate={}", packed(&certificate));
    let hosts = "error[hostname-shared]: m1 and m2 ";
    for (role, lie, words, goes_on) in [
        (
            "agent",
            &*agent,
            "two cluster CAs: m0 has one, m2 another",
            false,
        ),
        (
            "server",
            &*other,
            "two cluster CAs: m0 has one, m2 another",
            false,
        ),
        (
            "agent",
            &*other,
            "error[role-changed]: m2: it is a server",
            true,
        ),
        ("agent", "hostname=m1", hosts, false),
        ("agent", &*certified, hosts, false),
    ] {
        let site = Site::of(vec![member(), bare(1), answers(&facts(2, lie))]);
        let file = site.folder.path().join("home.yaml");
        let (m2, its) = ("m2: {address: 127.0.0.1, role: ", "agent");
        let all = fs::read_to_string(&file).expect("read");
        fs::write(
            &file,
            all.replace(&format!("{m2}{its}"), &format!("{m2}{role}"))
                .replacen("cluster: {", "cluster: {allow_two_servers: true, ", 1),
        )
        .expect("written");
        let said = screen(&site.run("deploy").output);
        assert!(said.contains(words), "{lie}\n{said}");
        for host in 0..3 {
            for secret in SECRETS {
                // A host beside it that may go on has the one for agents.
                let may = goes_on && host == 1 && secret == SECRETS[1];
                assert_eq!(
                    tells(&site.received(host), secret),
                    may,
                    "{lie}: m{host}, {secret}\n{said}"
                );
            }
        }
        if !goes_on {
            assert!(
                said.starts_with("status 2\n") && said.contains("nothing was changed"),
                "{said}"
            );
        }
    }
    // What a bare machine calls a token is none of the cluster.
    let lie = format!("server_token={token}");
    let site = Site::of(vec![member(), bare(1), answers(&facts(2, &lie))]);
    site.run("deploy");
    assert!((0..3).all(|host| !tells(&site.received(host), SECRETS[2])));
}

#[test]
fn a_host_that_never_answers_does_not_keep_a_run_that_is_interrupted() {
    for (lie, window) in [(Act::Mute, 1000), (Act::Hang, 1000), (bare(1), 0)] {
        let what = format!("{lie:?}");
        let site = Site::with(vec![member(), lie], |setup| setup.window = window);
        let child = site.begin("deploy");
        let begun = Instant::now();
        let process = rustix::process::Pid::from_child(&child);
        let last = site.servers.last().expect("a host");
        while last.connections.load(Ordering::SeqCst) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(Duration::from_millis(500));
        for _ in 0..2 {
            rustix::process::kill_process(process, rustix::process::Signal::INT).expect("sent");
            thread::sleep(Duration::from_millis(200));
        }
        let asked = Instant::now();
        let said = screen(&child.wait_with_output().expect("it ends"));
        assert!(asked.elapsed() < Duration::from_secs(20), "{what}\n{said}");
        assert!(
            said.contains("interrupted; nothing was changed"),
            "{what}\n{said}"
        );
    }
}
