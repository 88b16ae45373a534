//! Registries as the containerd of k0s has them: a folder with a hosts.toml for each
//! (containerd 2.3, core/remotes/docker/config/hosts.go), and a drop-in that names the folder.
//!
//! A login is a header of hosts.toml: containerd shows it to the registry and to the registry's server of tokens, reads
//! it anew at every pull, and keeps it in no other file. `configs` of the drop-in, which has logins as well, goes with
//! containerd 2.4; and before 1.36, k0s copied drop-ins into a file that everyone may read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::distribution::version::Version;
use crate::facts::Facts;
use crate::inventory::{Host, Inventory, Registries, Remark};
use crate::problem::{Code, Problem, problem};

/// The folder that containerd is told of.
pub(super) const FOLDER: &str = "/etc/k0s/registries";

/// The version that brought containerd 2.
const CONTAINERD_2: &str = "v1.36.0";

/// The name of Docker Hub in images, and where it is.
const HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// Whether a version of k0s carries containerd 1.
pub(super) fn has_containerd_1(version: &str) -> bool {
    Version::order_of(version, CONTAINERD_2).is_some_and(std::cmp::Ordering::is_lt)
}

/// What it has not of k3s's form.
pub(super) fn remarks(inventory: &Inventory) -> Vec<Remark> {
    let mut remarks = Vec::new();
    for host in &inventory.hosts {
        let Some(said) = &host.registries else {
            continue;
        };
        let mut add = |message: String, help: &str| {
            remarks.push(Remark {
                section: "registries",
                key: String::new(),
                origin: Some(said.origin.clone()),
                message,
                help: Some(help.to_owned()),
            });
        };
        for (kind, name, part) in all(&said.value) {
            if name.is_empty() || name.starts_with('.') || name.contains('/') {
                let help = "write HOST or HOST:PORT, or \"*\" for all";
                add(
                    format!("`registries.{kind}` has `{name}`, which is no registry's name"),
                    help,
                );
            }
            if kind == "mirrors" && endpoints(part).next().is_none() {
                let help = "add an `endpoint`, or remove it: k0s does not share images among nodes";
                add(format!("`registries.mirrors.{name}` names no mirror"), help);
            }
            if name == "*" && part.get("auth").is_some() {
                let help = "write a login for each registry, by its name";
                add(
                    "`registries.configs.*` has a login, which would be shown to every registry"
                        .to_owned(),
                    help,
                );
            }
        }
        if inventory.configured(host, "cri-socket").is_some() {
            let help = "remove one of them: the container runtime that `cri-socket` names has a configuration of its own";
            add(
                "`registries` is for the containerd of k0s, and `cri-socket` names another runtime"
                    .to_owned(),
                help,
            );
        }
    }
    remarks
}

/// Why a host cannot be told its registries.
pub(super) fn refused(host: &Host, facts: &Facts, version: &str) -> Option<Problem> {
    let registries = &host.registries.as_ref()?.value;
    let has_login = all(registries).any(|(_, _, part)| part.get("auth").is_some());
    if has_login && has_containerd_1(version) {
        return Some(
            problem!(Code::SETTING_INVALID, host = &host.name, "`registries` has a login, and k0s {version} cannot keep it secret")
                .because("before 1.36, k0s copies the logins of its containerd into a file that every user of the host may read")
                .next("upgrade to k0s 1.36 or newer, or write the login as a Secret that pods name in imagePullSecrets"),
        );
    }
    (super::told::file(facts, "containerd.toml").is_some()).then(|| {
        problem!(
            Code::SETTING_INVALID,
            host = &host.name,
            "its /etc/k0s/containerd.toml is its user's own, so k0s does not read `registries`"
        )
        .next("leave `registries` out, or let k0s write the file: remove it, then restart k0s")
    })
}

/// The files of a host, each with `path` and `content`.
pub(super) fn files(registries: &Registries) -> Vec<Value> {
    let brought = registries.files.iter();
    let brought = brought.map(|(path, content)| json!({"path": path, "content": content}));
    let mut names: Vec<_> = all(registries).map(|(_, name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    let hosts = names.into_iter().filter_map(|name| {
        // As containerd looks for it.
        let folder = match name.rsplit_once(':') {
            _ if name == "*" => "_default".to_owned(),
            Some((host, port)) => format!("{host}_{port}_"),
            None => name.to_owned(),
        };
        let path = format!("{FOLDER}/{folder}/hosts.toml");
        Some(json!({"path": path, "content": hosts_toml(registries, name)?}))
    });
    hosts.chain(brought).collect()
}

/// The parts of both kinds: `mirrors` or `configs`, the name, what is said.
fn all(registries: &Registries) -> impl Iterator<Item = (&'static str, &str, &Value)> {
    ["mirrors", "configs"].into_iter().flat_map(|kind| {
        let parts = registries.content.get(kind).and_then(Value::as_object);
        let parts = parts.into_iter().flat_map(Map::iter);
        parts.map(move |(name, part)| (kind, name.as_str(), part))
    })
}

fn endpoints(mirror: &Value) -> impl Iterator<Item = &str> {
    let list = mirror.get("endpoint").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// What containerd is told of a registry, if anything.
fn hosts_toml(registries: &Registries, name: &str) -> Option<String> {
    let config = |name: &str| {
        let names = [name, if name == HUB.1 { HUB.0 } else { name }];
        let configs = registries.content.get("configs");
        names.into_iter().find_map(|name| configs?.get(name))
    };
    let own = config(if name == HUB.0 { HUB.1 } else { name });
    let mut text = own.map(|own| settings(own, "header")).unwrap_or_default();
    let mirror = registries
        .content
        .get("mirrors")
        .and_then(|all| all.get(name));
    for endpoint in mirror.into_iter().flat_map(endpoints) {
        let (scheme, rest) = endpoint.split_once("://").unwrap_or(("https", endpoint));
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let host = if host == HUB.0 { HUB.1 } else { host };
        let is_plain = matches!(path.trim_end_matches('/'), "" | "v2");
        let path = if is_plain { "v2" } else { path };
        let table = format!("host.{}", quoted(&format!("{scheme}://{host}/{path}")));
        text += &format!("\n[{table}]\ncapabilities = [\"pull\", \"resolve\"]\n");
        if !is_plain {
            text += "override_path = true\n";
        }
        let config = config(host).map(|config| settings(config, &format!("{table}.header")));
        text += &config.unwrap_or_default();
    }
    (!text.is_empty()).then_some(text)
}

/// How a registry is reached, in the words of hosts.toml; the table comes last.
fn settings(config: &Value, header: &str) -> String {
    let tls = |key| config.pointer(&format!("/tls/{key}"));
    let file = |key| tls(key).and_then(Value::as_str).map(quoted);
    let mut text = String::new();
    if let Some(ca) = file("ca_file") {
        text += &format!("ca = {ca}\n");
    }
    match (file("cert_file"), file("key_file")) {
        (Some(certificate), Some(key)) => text += &format!("client = [[{certificate}, {key}]]\n"),
        // Such a file holds both.
        (Some(both), None) | (None, Some(both)) => text += &format!("client = {both}\n"),
        (None, None) => {}
    }
    if tls("insecure_skip_verify") == Some(&Value::Bool(true)) {
        text += "skip_verify = true\n";
    }
    let login = |key: &str| config.get("auth")?.get(key)?.as_str();
    let login = match (login("username"), login("auth")) {
        (Some(user), _) => {
            let password = login("password").unwrap_or_default();
            Some(STANDARD.encode(format!("{user}:{password}")))
        }
        (None, said) => said.map(str::to_owned),
    };
    if let Some(login) = login {
        text += &format!(
            "[{header}]\nAuthorization = {}\n",
            quoted(&format!("Basic {login}"))
        );
    }
    text
}

/// A text as TOML has it, where JSON's escapes mean the same.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::tests::bare;
    use crate::distribution::k0s::tests::read;

    fn with(registries: &str) -> Result<Inventory, String> {
        read(&format!(
            "cluster:\n  distribution: k0s\n  registries: {registries}\nhosts:\n  m1: {{address: 10.0.0.1, role: server}}\n"
        ))
    }

    #[test]
    fn containerd_is_told_of_mirrors_paths_logins_and_certificates() {
        let inventory = with(
            r#"{
            mirrors: {
              docker.io: {endpoint: ["https://mirror.test:5000", "mirror.test/v2/hub", "http://10.0.0.9:5001/"]},
              "*": {endpoint: "https://mirror.test:5000/v2"}},
            configs: {
              docker.io: {auth: {auth: dXNlcjpodW50ZXIy}},
              "mirror.test:5000": {auth: {username: ci, password: "pa\"ss"}, tls: {ca_file: /ca.pem, cert_file: /c.pem, key_file: /k.pem}},
              "10.0.0.9:5001": {tls: {insecure_skip_verify: true}},
              plain.test: {}}}"#,
        )
        .unwrap_or_else(|errors| panic!("{errors}"));
        let registries = inventory.hosts[0].registries.as_ref().expect("registries");
        let all = files(&registries.value);
        let all = all.iter().map(|file| {
            let text = |key| file[key].as_str().unwrap_or_default();
            format!("== {}\n{}", text("path"), text("content"))
        });
        insta::assert_snapshot!(all.collect::<String>(), @r#"
        == /etc/k0s/registries/_default/hosts.toml

        [host."https://mirror.test:5000/v2"]
        capabilities = ["pull", "resolve"]
        ca = "/ca.pem"
        client = [["/c.pem", "/k.pem"]]
        [host."https://mirror.test:5000/v2".header]
        Authorization = "Basic Y2k6cGEic3M="
        == /etc/k0s/registries/10.0.0.9_5001_/hosts.toml
        skip_verify = true
        == /etc/k0s/registries/docker.io/hosts.toml
        [header]
        Authorization = "Basic dXNlcjpodW50ZXIy"

        [host."https://mirror.test:5000/v2"]
        capabilities = ["pull", "resolve"]
        ca = "/ca.pem"
        client = [["/c.pem", "/k.pem"]]
        [host."https://mirror.test:5000/v2".header]
        Authorization = "Basic Y2k6cGEic3M="

        [host."https://mirror.test/v2/hub"]
        capabilities = ["pull", "resolve"]
        override_path = true

        [host."http://10.0.0.9:5001/v2"]
        capabilities = ["pull", "resolve"]
        skip_verify = true
        == /etc/k0s/registries/mirror.test_5000_/hosts.toml
        ca = "/ca.pem"
        client = [["/c.pem", "/k.pem"]]
        [header]
        Authorization = "Basic Y2k6cGEic3M="
        "#);
    }

    #[test]
    fn what_its_containerd_lacks_is_refused() {
        let errors = with(
            r#"
    mirrors: {docker.io: {rewrite: {"^a": b}, endpoint: [https://m.test]}, quay.io: {}, a/b: {endpoint: m.test}}
    configs:
      "*": {auth: {username: a, password: hunter2hunter2}}
      m.test: {auth: {identity_token: hunter2hunter2}}"#,
        );
        insta::assert_snapshot!(errors.expect_err("mistakes"), @r#"
          × k0s has no `rewrite` of `registries`
           ╭─[k0s.yaml:4:27]
         4 │     mirrors: {docker.io: {rewrite: {"^a": b}, endpoint: [https://m.test]}, quay.io: {}, a/b: {endpoint: m.test}}
           ·                           ───────
           ╰────
          help: its containerd has none; what stands before every name is written into the mirror's URL:
                https://mirror.example.org/v2/hub

          × k0s.yaml:7:23: k0s has no `identity_token` of `registries`
          help: its containerd is told no such token: write `username` and `password`

        error[inventory-invalid]: 2 mistakes in k0s.yaml; nothing was changed
        "#);
        let errors = with(
            r#"
    mirrors: {quay.io: {}, a/b: {endpoint: m.test}}
    configs: {"*": {auth: {username: a, password: hunter2hunter2}}}
  config: {cri-socket: "remote:unix:///run/docker.sock"}"#,
        );
        insta::assert_snapshot!(errors.expect_err("mistakes"), @r#"
          × `registries.mirrors.quay.io` names no mirror
           ╭─[k0s.yaml:4:5]
         4 │     mirrors: {quay.io: {}, a/b: {endpoint: m.test}}
           ·     ───────
           ╰────
          help: add an `endpoint`, or remove it: k0s does not share images among nodes

          × `registries.mirrors` has `a/b`, which is no registry's name
           ╭─[k0s.yaml:4:5]
         4 │     mirrors: {quay.io: {}, a/b: {endpoint: m.test}}
           ·     ───────
           ╰────
          help: write HOST or HOST:PORT, or "*" for all

          × `registries.configs.*` has a login, which would be shown to every registry
           ╭─[k0s.yaml:4:5]
         4 │     mirrors: {quay.io: {}, a/b: {endpoint: m.test}}
           ·     ───────
           ╰────
          help: write a login for each registry, by its name

          × `registries` is for the containerd of k0s, and `cri-socket` names another runtime
           ╭─[k0s.yaml:4:5]
         4 │     mirrors: {quay.io: {}, a/b: {endpoint: m.test}}
           ·     ───────
           ╰────
          help: remove one of them: the container runtime that `cri-socket` names has a configuration of
                its own

        error[setting-invalid]: 4 mistakes in k0s.yaml; nothing was changed
        "#);
    }

    #[test]
    fn a_login_needs_a_containerd_that_keeps_it_and_reads_what_towline_writes() {
        let inventory = with("{configs: {m.test: {auth: {username: a, password: b}}}}");
        let inventory = inventory.unwrap_or_else(|errors| panic!("{errors}"));
        let mut facts = bare("m1", "10.0.0.1");
        let said = |facts: &Facts, version| {
            let problem = refused(&inventory.hosts[0], facts, version);
            problem.map(|problem| problem.what)
        };
        assert_eq!(said(&facts, "v1.36.1+k0s.0"), None);
        let told = said(&facts, "v1.35.7+k0s.0").expect("a problem");
        assert_eq!(
            told,
            "`registries` has a login, and k0s v1.35.7+k0s.0 cannot keep it secret"
        );
        facts.node.drop_ins = vec![crate::facts::DropIn {
            name: "containerd.toml".into(),
            text: crate::vars::Secret::new("own\n"),
        }];
        let told = said(&facts, "v1.36.1+k0s.0").expect("a problem");
        assert!(
            told.starts_with("its /etc/k0s/containerd.toml is its user's own"),
            "{told}"
        );
    }
}
