//! k0sctl's file: machines and how to reach them are carried over; k0s itself is not, since k3s is
//! another distribution.

use std::path::Path;

use serde_json::Value;

use super::making::{CONTROL_PLANE, HostDraft, Making, because_of};
use super::placed::{Located, SettingKey};
use super::reading::Reading;
use super::{ConvertError, Converted, Judge, Source};
use crate::inventory::{self, Role, YamlNode};
use crate::problem::{Code, problem};

mod install_flags;

/// Makes an inventory of it.
///
/// # Errors
/// It is broken, no file of k0sctl, or has no controller that can be carried over.
pub fn convert(source: &Source, judge: Judge<'_>) -> Result<Converted, ConvertError> {
    let documents = inventory::documents(&source.text, Path::new(&*source.name))?;
    let is = |node: &YamlNode, start: &str| {
        let version = node.get("apiVersion").and_then(YamlNode::text);
        version.is_some_and(|version| version.starts_with(start))
    };
    let cluster = documents
        .iter()
        .find(|node| is(node, "k0sctl.k0sproject.io/"));
    let Some(cluster) = cluster else {
        return Err(
            problem!(Code::SOURCE_INVALID, "{} is not a k0sctl file", source.name)
                .because("no document of it has an apiVersion of k0sctl.k0sproject.io")
                .into(),
        );
    };
    let mut work = K0sctlConversion {
        reading: Reading::new(source),
        making: Making::default(),
    };
    for known in ["apiVersion", "kind"] {
        work.reading.take(cluster, known);
    }
    if let Some(name) =
        Reading::below(cluster, &["metadata"]).and_then(|node| work.text(node, "name"))
    {
        work.making.cluster.insert("name", name.into_value());
    }
    let hosts = Reading::below(cluster, &["spec", "hosts"])
        .map(YamlNode::items)
        .unwrap_or_default();
    for (number, item) in (1..).zip(hosts) {
        work.host(source, number, item);
    }
    work.distribution(cluster);
    if let Some(config) = Reading::below(cluster, &["spec", "k0s", "config"]) {
        work.config(config);
    }
    for config in documents
        .iter()
        .filter(|node| is(node, "k0s.k0sproject.io/"))
    {
        work.config(config);
    }
    if work.making.servers().next().is_none() {
        let problem = problem!(
            Code::SOURCE_WITHOUT_SERVER,
            "no host of {} can be a server",
            source.name
        );
        return Err(because_of(problem, work.making.left_out).into());
    }
    for document in &documents {
        let why = |path: &str| why(path).to_owned();
        if std::ptr::eq(document, cluster) || is(document, "k0s.k0sproject.io/") {
            work.reading.rest(document, "", &why, &mut work.making);
        } else {
            let kind = document
                .get("kind")
                .and_then(YamlNode::text)
                .unwrap_or("something");
            let what = format!("a document of kind {kind}: apply it to the new cluster yourself");
            work.making.leave(&source.at(document.span.line), what);
        }
    }
    work.making
        .finish(&source.name, "from-k0sctl", false, judge)
}

/// Why a part has no counterpart.
fn why(path: &str) -> &'static str {
    let last = path.rsplit('.').next().unwrap_or(path);
    match last {
        "bastion" => "is not supported: towline connects to each host directly",
        "hooks" => "are hooks, which towline does not run",
        "files" => "are files to upload, which towline does not copy",
        "environment" => "is the host's environment, which towline does not change",
        "hostKey" => {
            "is for k0sctl: towline learns host keys with  --accept-new-host-keys, or has them in `known_hosts`"
        }
        _ if path.starts_with("spec.options") => "is for k0sctl",
        _ if path.contains("k0s") || path.starts_with("spec.hosts") => "is for k0s or k0sctl",
        _ => "has no counterpart here",
    }
}

struct K0sctlConversion<'a> {
    reading: Reading<'a>,
    making: Making,
}

impl K0sctlConversion<'_> {
    /// A text, its references to the environment in towline's form.
    fn text(&mut self, map: &YamlNode, key: &str) -> Option<Located<String>> {
        let said = self.reading.text(map, key)?;
        match environment(&said.value) {
            Ok(value) => Some(Located { value, ..said }),
            Err(why) => {
                self.making.leave(&said.at, format!("`{key}` {why}"));
                None
            }
        }
    }

    fn host(&mut self, source: &Source, number: usize, item: &YamlNode) {
        let at = source.at(item.span.line);
        let Some(role) = self.reading.text(item, "role") else {
            return;
        };
        let leave = |work: &mut Self, why: &str| {
            for entry in item.entries() {
                work.reading.take(item, &entry.key);
            }
            let what = format!("host {number} is left out with all that it says: {why}");
            work.making.leave(&at, what);
        };
        let (kind, taint) = match &*role.value {
            "controller" => (Role::Server, true),
            "controller+worker" => (Role::Server, !self.is_true(item, "noTaints")),
            "single" => (Role::Server, false),
            "worker" => (Role::Agent, false),
            other => return leave(self, &format!("its role is {other}")),
        };
        let is_local = |node: &YamlNode| self.is_true(node, "enabled");
        let why = if self.is_true(item, "reset") {
            Some("k0sctl would remove it from the cluster (`reset: true`)")
        } else if item.get("localhost").is_some_and(is_local) {
            Some("it is the machine that k0sctl runs on; towline reaches hosts by SSH")
        } else if item.get("winRM").or_else(|| item.get("winrm")).is_some() {
            Some("it is a Windows machine, and k3s runs on Linux")
        } else {
            None
        };
        if let Some(why) = why {
            return leave(self, why);
        }
        let Some(ssh) = item.get("ssh").or_else(|| item.get("openSSH")) else {
            return leave(self, "it has no `ssh`");
        };
        let Some(address) = self.text(ssh, "address") else {
            return leave(self, "it has no address");
        };
        let same = self.making.hosts.iter();
        let same = 1 + same.filter(|host| host.role == kind).count();
        let word = if kind == Role::Server {
            "controller"
        } else {
            "worker"
        };
        let hostname = self.text(item, "hostname");
        let name = hostname.as_ref().map(|name| name.value.clone());
        let name = name.unwrap_or_else(|| format!("{word}{same}"));
        let mut host = HostDraft::new(&name, at.clone(), kind);
        host.node_name = hostname;
        if taint {
            host.taint(CONTROL_PLANE, &role.at);
        }
        for (theirs, ours) in [("user", "user"), ("port", "port"), ("keyPath", "key")] {
            if let Some(said) = self.text(ssh, theirs) {
                // What is so without a word needs none.
                if (ours, &*said.value) == ("port", "22") {
                    continue;
                }
                let value = match said.value.parse::<u16>() {
                    Ok(port) if ours == "port" => port.into(),
                    _ => Value::from(said.value),
                };
                host.settings
                    .insert(SettingKey::Ssh(ours), Located { value, at: said.at });
            }
        }
        if let Some(private) = self.text(item, "privateAddress")
            && private.value != address.value
        {
            host.private_address = Some(private);
        }
        host.interface = self.text(item, "privateInterface");
        host.address = Some(address);
        self.flags(item, &mut host);
        self.making.hosts.push(host);
    }

    fn is_true(&self, map: &YamlNode, key: &str) -> bool {
        self.reading
            .text(map, key)
            .is_some_and(|said| said.value == "true")
    }

    /// What is said of k0s itself, in one sentence.
    fn distribution(&mut self, cluster: &YamlNode) {
        let k0s = Reading::below(cluster, &["spec", "k0s"]);
        for key in ["version", "versionChannel"] {
            if let Some(said) = k0s.and_then(|k0s| self.reading.text(k0s, key)) {
                let what = format!(
                    "`spec.k0s.{key}` is for k0s; k3s has its own versions: the new cluster gets the newest stable one"
                );
                self.making.leave(&said.at, what);
            }
        }
    }

    /// k0s's own configuration: addresses and networks are carried over.
    fn config(&mut self, config: &YamlNode) {
        for known in ["apiVersion", "kind"] {
            self.reading.take(config, known);
        }
        if let Some(metadata) = Reading::below(config, &["metadata"]) {
            self.reading.take(metadata, "name");
        }
        if let Some(api) = Reading::below(config, &["spec", "api"]) {
            if let Some(said) = self.text(api, "externalAddress") {
                self.making.cluster.insert("endpoint", said.into_value());
            }
            if let Some(entry) = self.reading.take(api, "sans") {
                let at = self.reading.at(entry);
                for (name, _) in entry.value.texts() {
                    match environment(name) {
                        Ok(name) => self.making.tls_san(&name, &at),
                        Err(why) => self.making.leave(&at, format!("`sans` {why}")),
                    }
                }
            }
        }
        let Some(network) = Reading::below(config, &["spec", "network"]) else {
            return;
        };
        for (theirs, ours) in [
            ("podCIDR", "cluster-cidr"),
            ("serviceCIDR", "service-cidr"),
            ("clusterDomain", "cluster-domain"),
        ] {
            if let Some(said) = self.text(network, theirs).map(Located::into_value) {
                for host in self.making.servers() {
                    let key = SettingKey::Config(ours.to_owned());
                    host.settings.insert(key, said.clone());
                }
            }
        }
        if let Some(said) = self.reading.text(network, "provider") {
            let what = format!(
                "`network.provider` is {}; k3s includes flannel. To install another network plug-in, set `config: {{flannel-backend: none, disable-network-policy: true}}` under `cluster`",
                said.value
            );
            self.making.leave(&said.at, what);
        }
    }
}

/// References to the environment as towline writes them: `${NAME}` and `${NAME:-default}`.
fn environment(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('$') {
        out.push_str(before);
        let braced = from.strip_prefix('{').and_then(|from| from.split_once('}'));
        if let Some(after) = from.strip_prefix('$') {
            // Doubled, it stands for itself; here it only has to be where a brace follows.
            out.push_str(if after.starts_with('{') { "$$" } else { "$" });
            rest = after;
        } else if let Some((inside, after)) = braced {
            let name = inside.split_once(":-").map_or(inside, |(name, _)| name);
            if !inventory::is_variable(name) {
                return Err(
                    "has an environment expression that towline does not support".to_owned(),
                );
            }
            out.push_str(&format!("${{{inside}}}"));
            rest = after;
        } else {
            let end = from.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let (name, after) = from.split_at(end.unwrap_or(from.len()));
            out.push_str(&if inventory::is_variable(name) {
                format!("${{{name}}}")
            } else {
                format!("${name}")
            });
            rest = after;
        }
    }
    Ok(out + rest)
}
