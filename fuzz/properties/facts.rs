//! What a host says of itself.

use std::cmp::Ordering;

use super::{assert_node_name, assert_reads_back, reply};
use crate::cluster::Folders;
use crate::distribution::{self, Distribution, JoinToken};
use crate::facts::{Facts, OperatingSystem};
use crate::inventory::{DataDir, Role};
use crate::run::gather::learn;
use crate::ui::properties::assert_shown_safely;
use crate::vars::{Redactor, Secret};

/// The lines of the answer to the first question, without the last.
pub fn facts(data: &[u8]) {
    let said = String::from_utf8_lossy(data);
    let is_whole = reply(&said).value("complete") == Some("yes");
    // One of them is enough for an input, and half the time.
    let distribution = distribution::ALL[usize::from(said.contains("k0s"))];
    let data_dir = distribution.dialect.data_dir();
    let read = |said: &str| Facts::parse(&reply(said), &distribution.questions, &data_dir);
    match read(&said) {
        Ok(_) => assert!(is_whole),
        Err(why) => assert!(!is_whole, "{why}"),
    }
    // Behind a line that is not ended, and where another `complete` comes first.
    let facts = read(&format!("complete=yes\n{said}")).expect("it is complete");
    check(distribution, &facts);
}

fn check(distribution: &Distribution, facts: &Facts) {
    let (questions, rules) = (&distribution.questions, distribution.rules);
    let node = &facts.node;
    for text in [
        &facts.hostname,
        &facts.machine_id,
        &facts.boot_id,
        &facts.architecture,
        &facts.kernel,
        &facts.default_interface,
    ] {
        assert!(!text.contains('\n') && text.trim() == text, "{text:?}");
    }
    for interface in &facts.advertised {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:+".contains(&byte);
        assert!(interface.bytes().all(is_plain), "{interface:?}");
    }
    for controller in &facts.missing_controllers {
        assert!(questions.controllers.contains(&&**controller));
    }
    if let Some(other) = facts.kubernetes {
        assert!(!questions.units.contains(&other.unit));
    }
    for (_, net) in &facts.addresses {
        assert_reads_back(net.addr());
        assert!(facts.has_address(net.addr()));
    }
    let hashes = [&node.ca_hash, &node.agent_ca_hash];
    for hash in hashes.into_iter().flatten() {
        let is_digit = |letter: char| letter.is_ascii_hexdigit();
        assert!(hash.len() == 64 && hash.chars().all(is_digit), "{hash:?}");
    }
    if let Some(version) = &node.version {
        let order = rules.version_order(version, version);
        assert_eq!(order, Some(Ordering::Equal), "{version:?}");
    }
    node.node_name
        .iter()
        .for_each(|name| assert_node_name(name));
    super::nodes::check(&node.nodes, &node.members, &node.voters());

    // What a reset would take away, and where the data is looked for.
    let told = rules.told(facts).data_dir.ok().flatten();
    let Folders { data, kubelet } = rules.folders(facts).folders;
    for folder in told.into_iter().chain([data]).chain(kubelet) {
        assert_folder(&folder);
    }
    let _names = (distribution.flags.certificate_names)(facts);
    let _shared = (distribution.flags.shared_on)(facts);
    assert!(
        ["server", "controller", "controller+worker", "single"].contains(&(distribution
            .flags
            .role_on)(
            facts
        ))
    );

    let redactor = Redactor::default();
    learn(distribution, facts, &redactor);
    let mut tokens: Vec<Secret> = facts.secrets().cloned().collect();
    for role in [Role::Server, Role::Agent] {
        if let JoinToken::Kept(token) = (distribution.token)(facts, role) {
            tokens.push(token);
        }
    }
    for token in tokens
        .iter()
        .map(Secret::expose)
        .filter(|token| is_password(token))
    {
        let told = redactor.clean(&format!("it says {token} here"));
        assert!(!told.contains(token), "{told:?}");
    }
}

/// Whether it is as the passwords that distributions make: nothing that is masked for another reason.
fn is_password(token: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| token.bytes().any(|byte| kind(&byte));
    (16..1024).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
}

/// A folder that may be taken away with all that is in it, and that means itself in a shell.
fn assert_folder(folder: &DataDir) {
    let folder = folder.as_str();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    assert!(
        folder.starts_with('/') && folder.chars().all(is_plain),
        "{folder:?}"
    );
    let names: Vec<_> = folder.split('/').skip(1).collect();
    assert!(
        !names.iter().any(|name| matches!(*name, "" | "." | "..")),
        "{folder:?}"
    );
    // One of the root's own: a folder that others have files in is none.
    let shared = [
        "bin", "boot", "home", "lib", "media", "mnt", "opt", "root", "sbin", "srv", "usr", "var",
    ];
    assert!(names.len() > 1 || !shared.contains(&names[0]), "{folder:?}");
    assert!(
        !["dev", "etc", "proc", "run", "sys", "tmp"].contains(&names[0]),
        "{folder:?}"
    );
}

/// What the host's shell reads of `/etc/os-release`: `os_id=…` and so on.
pub fn os_release(data: &[u8]) {
    let said = format!("{}\ncomplete=yes", String::from_utf8_lossy(data));
    let distribution = distribution::DEFAULT;
    let data_dir = distribution.dialect.data_dir();
    let facts = Facts::parse(&reply(&said), &distribution.questions, &data_dir);
    let Ok(Facts { os, .. }) = facts else { return };
    let OperatingSystem {
        id,
        like,
        version,
        name,
    } = &os;
    for text in [id, like, version, name] {
        assert!(!text.contains('\n') && text.trim() == text, "{text:?}");
        assert_shown_safely(text);
    }
    let all = format!("{id} {like}");
    let mut words = all.split_whitespace();
    let is_like = words.any(|word| matches!(word, "debian" | "ubuntu"));
    // The identifier is one word.
    assert!(!os.is_debian_family() || is_like, "{os:?}");
}
